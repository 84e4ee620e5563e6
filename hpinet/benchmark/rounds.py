"""Timing several things fairly: in rounds, taking turns, compared within a round.

A machine that is busy for a while slows down everything that runs in that while. Ratios are
therefore taken within a round, and the report gives their median, least and greatest.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch

from hpinet.errors import UserError

Result = TypeVar("Result")


class Timing(NamedTuple):
    """Seconds that a call took: by the clock, and of all threads of the process."""

    seconds: float
    cpu_seconds: float


Round = dict[str, Timing]
"""The timings of one round, by name."""


def timed(call: Callable[[], Any]) -> Timing:
    """Make a call and take its time; on a GPU the call must wait for the device itself.

    A call that returns a `Timing`, such as one that waits for another process, has that counted.
    """
    start, cpu = time.perf_counter(), time.process_time()
    returned = call()
    if isinstance(returned, Timing):
        return returned
    return Timing(time.perf_counter() - start, time.process_time() - cpu)


def timed_rounds(
    calls: Mapping[str, Callable[[], Any]],
    rounds: int,
    progress: Callable[[], Any] = lambda: None,
) -> list[Round]:
    """The timings of calls in rounds, see `in_turns` and `timed`."""
    return in_turns({name: partial(timed, call) for name, call in calls.items()}, rounds, progress)


def in_turns(
    calls: Mapping[str, Callable[[], Result]],
    rounds: int,
    progress: Callable[[], Any] = lambda: None,
) -> list[dict[str, Result]]:
    """Make all calls once a round, in turns.

    Args:
        calls: By name.
        rounds: How many rounds count; one more comes first, as a warm-up.
        progress: Called after every round, the warm-up among them.

    Returns:
        What the calls returned, by name, for each round that counts.

    Raises:
        ValueError: If there are no rounds.
    """
    if rounds < 1:
        raise UserError(f"rounds must be 1 or more, not {rounds}")
    found = []
    for _ in range(rounds + 1):
        found.append({name: call() for name, call in calls.items()})
        progress()
    return found[1:]


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, least and greatest of the rounds, as ``median``, ``min`` and ``max``."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def ratios(rounds: Sequence[Round], name: str, base: str) -> list[float]:
    """Seconds of one over those of another, round by round."""
    return [one[name].seconds / one[base].seconds for one in rounds]


def in_new_process(call: Callable[..., Result], *arguments: Any) -> Result:
    """Make a call in a fresh process with as many threads: memory there is not used before.

    Args:
        call: A function of a module, so that it can be pickled.
        *arguments: Its arguments, which can be pickled too.
    """
    threads = torch.get_num_threads()
    with ProcessPoolExecutor(1, get_context("spawn"), torch.set_num_threads, (threads,)) as process:
        return process.submit(call, *arguments).result()


def peak_memory(call: Callable[[], Any], device: torch.device) -> tuple[int | None, str]:
    """Bytes that a call needs at its peak beyond what was there before, and how that was told."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        call()
        peak = torch.cuda.max_memory_allocated(device) - before
        return peak, "peak of the GPU memory allocated by a pass, without the weights"
    if _reset_peak():
        before = _status_bytes("VmRSS")
        call()
        peak = _status_bytes("VmHWM") - before
        return peak, "growth of the process's resident memory to its peak in the first pass"
    call()
    return None, "not measured: this system does not let a process reset its peak memory"


def _reset_peak() -> bool:
    """Reset the process's high-water mark, so that loading does not count (Linux only)."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        Path("/proc/self/clear_refs").write_text("5")
        return _status_bytes("VmHWM") > 0
    except (OSError, ValueError):
        return False


def _status_bytes(key: str) -> int:
    """Read one line such as "VmHWM:  123 kB" of the process's status."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    raise ValueError(f"/proc/self/status has no {key}.")
