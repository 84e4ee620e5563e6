"""Opening a file of unknown origin in a process of its own, with limits on memory and time.

Before, a file's plan is compared with limits (`checkpoints.formats.file_plan`). What a header does
not tell, above all what the code of another architecture builds from a few odd shapes, is tried
here first: the child ends, not the program that has to go on.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import math
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hpinet.errors import UserError
from hpinet.inference.memory_errors import is_out_of_memory
from hpinet.modeling.hpinet import HPINet

from .adapter import AdaptedNetwork
from .errors import ModelError, first_line
from .names import open_file

PROBE = 24
"""Side of the LR image that a network has to enlarge, in pixels."""

_SIGXCPU = 24
_PR_SET_PDEATHSIG = 1  # of Linux's prctl.h
_PATIENCE = 4  # seconds by the clock for each of the processor's: others compute, too
_MARGIN = 32 * 2**20  # bytes below the limit: allocators ask for up to as much at once
_START = 180.0  # seconds for the child to import PyTorch, however busy the machine is


@dataclass(frozen=True)
class Trial:
    """What a network showed when it was tried.

    Attributes:
        architecture: HPINet with its size, or what spandrel calls it.
        parameters: Number of its parameters.
        scale: SR pixels per LR pixel.
        seconds: What a pass of `PROBE` x `PROBE` LR pixels took.
    """

    architecture: str
    parameters: int
    scale: int
    seconds: float


def try_file(path: str | Path, seconds: float = 20.0, memory: int = 2 * 2**30) -> Trial:
    """Open a file of weights in a child process and let the network enlarge a small image.

    Args:
        path: See `hpinet.networks.names.open_file`.
        seconds: Processor time that reading, building and two passes may take, and a quarter of
            what the clock may show.
        memory: Bytes that they may take beside the program itself, where the system can limit it
            (`resource.setrlimit`); elsewhere time alone is limited.

    Raises:
        ModelError: If there is no network in it, it takes too long or too much, or makes no image
            of the right size; one sentence.
    """
    name = Path(path).name
    command = [sys.executable, "-m", "hpinet.networks.sandbox", str(Path(path).resolve())]
    command += [str(memory), str(seconds)]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=Path(__file__).parents[2],
        text=True,
        encoding="utf-8",
    ) as child:
        assert child.stdout is not None
        _line(child, _START)
        answer = _line(child, _PATIENCE * seconds)
        late = not answer and child.poll() is None
        child.kill()
    if late or child.returncode == -_SIGXCPU:
        raise ModelError(
            f"{name} could not be opened within {seconds:.0f} seconds: the network is too large"
        )
    try:
        found: dict[str, Any] = json.loads(answer)
    except ValueError:
        raise ModelError(
            f"{name} could not be opened: building its network ended the process that tried it"
        ) from None
    if "error" in found:
        raise ModelError(found["error"])
    return Trial(**found)


def try_here(path: str | Path) -> Trial:
    """As `try_file`, in this process and without limits: for files of one's own.

    Raises:
        ModelError: As `try_file`.
    """
    return probe(open_file(path), Path(path).name)


def _line(child: subprocess.Popen[str], seconds: float) -> str:
    """The child's next line; empty if it ended, or is still silent after so many seconds."""
    found: list[str] = []
    stdout = child.stdout
    assert stdout is not None
    reader = threading.Thread(target=lambda: found.append(stdout.readline()), daemon=True)
    reader.start()
    reader.join(seconds)
    return found[0] if found else ""


def probe(model: nn.Module, name: str) -> Trial:
    """Let a network enlarge a small random image.

    Args:
        model: With ``.scale``, from (1, 3, h, w) to (1, 3, sh, sw).
        name: What sentences call it.

    Raises:
        ModelError: If it fails, or what it makes is no image of that size.
    """
    scale = int(model.scale)  # type: ignore[arg-type]
    image = torch.rand(1, 3, PROBE, PROBE, generator=torch.Generator().manual_seed(0))
    try:
        with torch.inference_mode():
            model(image)  # the first pass sets things up
            began = time.perf_counter()
            sr = model(image)
            seconds = time.perf_counter() - began
    except Exception as error:  # code of other architectures may fail in any way
        raise ModelError(
            f"{name} cannot enlarge an image of {PROBE} pixels: {first_line(error)}"
        ) from error
    wanted = (1, 3, PROBE * scale, PROBE * scale)
    if not isinstance(sr, torch.Tensor) or tuple(sr.shape) != wanted:
        made = tuple(sr.shape) if isinstance(sr, torch.Tensor) else type(sr).__name__
        raise ModelError(f"{name} makes {made} from {tuple(image.shape)}, expected was {wanted}")
    if not bool(torch.isfinite(sr).all()):
        raise ModelError(f"{name} makes images that are not finite: its weights are damaged")
    parameters = sum(p.numel() for p in model.parameters())
    return Trial(architecture(model), parameters, scale, seconds)


def architecture(model: nn.Module) -> str:
    """What a network is called, with its size where it is an HPINet."""
    if isinstance(model, HPINet):
        return f"HPINet, {model.config.dim} channels, {model.config.blocks} blocks"
    return model.name if isinstance(model, AdaptedNetwork) else type(model).__name__


def limit_process(memory: int, seconds: float) -> None:
    """Bound what this process may take from now on, where the system can.

    Args:
        memory: Bytes beside what it has already.
        seconds: Processor time.
    """
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (ImportError, OSError):
        return  # not Linux: the parent's clock is the only limit
    most = pages * resource.getpagesize() + memory
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    spent = math.ceil(time.process_time() + seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (spent, spent + 1))


def _end_with_parent() -> None:
    """Have Linux end this process when the one that waits for it ends, however that happens."""
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))


def _tried(path: str) -> dict[str, Any]:
    name = Path(path).name
    try:
        return asdict(probe(open_file(path), name))
    except Exception as error:
        if _ran_out_of_memory(error):
            return {"error": f"{name} could not be opened: its network needs too much memory"}
        text = first_line(error)
        return {"error": text if isinstance(error, UserError) else f"{name}: {text}"}


def _ran_out_of_memory(error: Exception) -> bool:
    """Whether an error, or the one that it was made of, comes from a lack of memory.

    At the limit any line may fail with any error: even a sentence about memory is cut short.
    """
    return (
        isinstance(error, SystemError)  # what CPython may make of a failed allocation
        or any(one and is_out_of_memory(one) for one in (error, error.__cause__))
        or "allocate memory" in first_line(error)  # the system's own words
        or _reached_limit()
    )


def _reached_limit() -> bool:
    """Whether this process has had all the memory that `limit_process` lets it have."""
    try:
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        peak = re.search(r"VmPeak:\s*(\d+) kB", Path("/proc/self/status").read_text())
        if peak is None or limit == resource.RLIM_INFINITY:
            return False
        return 1024 * int(peak[1]) > limit - _MARGIN
    except (ImportError, OSError):
        return False
    except MemoryError:
        return True


def main() -> None:
    """The child: one file, and one line of JSON about it."""
    _end_with_parent()
    path, memory, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    with contextlib.suppress(ImportError):
        import spandrel  # noqa: F401 - before the limit, as it is part of the program
    answers = sys.stdout
    sys.stdout = sys.stderr  # whatever an architecture prints is not an answer
    print("ready", file=answers, flush=True)
    limit_process(memory, seconds)
    print(json.dumps(_tried(path)), file=answers, flush=True)


if __name__ == "__main__":
    main()
