"""The processes of one run: alone, or several started by ``torchrun`` or ``accelerate launch``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from hpinet.errors import UserError

from .options import usable_device

_LONG = timedelta(days=30)  # processes wait for the slowest; the usual half hour is too short


class Team:
    """This process among those that share a run.

    Args:
        device: What ``--device`` named; each of several processes takes a GPU of its own.

    Attributes:
        count: How many there are.
        number: Which this is, from 0; that one merges what all did.
        device: Where this one computes.

    Raises:
        ValueError: If the device is not there, or a launcher started several processes that do not
            find each other.
    """

    def __init__(self, device: str) -> None:
        self.count, self.number = int(os.environ.get("WORLD_SIZE", "1")), 0
        self._state: Any = None
        if self.count == 1:
            self.device = usable_device(device)
            return
        if device not in ("auto", "cpu", "cuda"):
            raise UserError(
                f"{self.count} processes were started, each takes a device of its own: "
                f"--device auto, cpu or cuda, not {device}"
            )
        import torch
        from accelerate import PartialState

        # Left to itself on a machine without GPUs, each process would take itself for the only one.
        xpu = getattr(torch, "xpu", None)
        gpu = torch.cuda.is_available() or (xpu is not None and xpu.is_available())
        self._state = PartialState(cpu=device == "cpu" or not gpu, timeout=_LONG)
        if self._state.num_processes != self.count:
            raise UserError(
                f"{self.count} processes were started, but only {self._state.num_processes} can "
                f"work together on this device: start one, or pass --device cpu"
            )
        self.number, self.device = self._state.process_index, str(self._state.device)

    @property
    def is_first(self) -> bool:
        """Whether this process merges and reports."""
        return self.number == 0

    def wait(self) -> None:
        """Until all have come here."""
        if self._state is not None:
            self._state.wait_for_everyone()

    def gather(self, values: Sequence[Any]) -> list[Any]:
        """The lists of all processes, joined."""
        if self._state is None:
            return list(values)
        from accelerate.utils import gather_object

        return list(gather_object(list(values)))

    def part(self, whole: Path) -> Path:
        """The file into which this process writes its part of another."""
        return whole if self.count == 1 else whole.with_name(f"{whole.name}.part{self.number}")

    def end(self) -> None:
        """Part from the others."""
        self.wait()
        if self._state is not None:
            self._state.destroy_process_group()


def parts(whole: Path) -> list[Path]:
    """The parts of a file that processes wrote, those of a killed run among them."""
    return sorted(whole.parent.glob(f"{whole.name}.part*")) if whole.parent.is_dir() else []
