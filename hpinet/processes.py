"""The processes of a run: alone, or several started by ``torchrun`` or ``accelerate launch``.

Work is shared out by `accelerate.PartialState.split_between_processes`.
"""

from __future__ import annotations

import os
from datetime import timedelta

import torch
from accelerate import PartialState

from hpinet.errors import UserError

_PATIENCE = timedelta(days=30)  # processes wait for the slowest; the usual half hour is too short


def join_processes(device: str = "auto") -> PartialState:
    """Find the other processes of this run, each with a device of its own.

    Args:
        device: ``"auto"``, or what all computes on; of several processes ``"cpu"`` or ``"cuda"``.

    Raises:
        UserError: If a launcher started several that cannot work together.
    """
    started = int(os.environ.get("WORLD_SIZE", "1"))
    if started > 1 and device not in ("auto", "cpu", "cuda"):
        raise UserError(
            f"{started} processes were started, each takes a device of its own: "
            f"--device auto, cpu or cuda, not {device}"
        )
    # Left to itself on a machine without GPUs, each process would take itself for the only one.
    xpu = getattr(torch, "xpu", None)
    gpu = torch.cuda.is_available() or (xpu is not None and bool(xpu.is_available()))
    on_cpu = started > 1 and (device == "cpu" or not gpu)
    # A lone process leaves the device open, for it is fixed once and for all that follows.
    state = PartialState(cpu=on_cpu, timeout=_PATIENCE)
    if state.num_processes != started:
        raise UserError(
            f"{started} processes were started, but only {state.num_processes} can work together "
            f"on {state.device}: start one, or pass --device cpu"
        )
    return state
