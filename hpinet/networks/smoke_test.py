"""A file of weights of unknown origin, opened in a child process with limits on memory and time.

Its header is compared with limits before (`files.check_header`). What a header does not tell, above
all what the code of another architecture builds from a few odd shapes, is tried here first: the
child ends, not the program that has to go on.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn

from hpinet.errors import NetworkError, UserError, first_line
from hpinet.modeling.hpinet import HPINet

from .adapted_network import AdaptedNetwork
from .open import open_file

SIDE = 24
"""Side of the LR image that a network has to enlarge, in pixels."""

_PASSED_ON = ("PATH", "HOME", "LANG", "PYTHONPATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "TMPDIR")
"""The child's environment: no passwords."""

_PATIENCE = 5  # seconds by the clock for each of the processor's: others compute, too


@dataclass(frozen=True)
class SmokeTest:
    """What a network showed when it was tried.

    Attributes:
        architecture: HPINet with its size, or what spandrel calls it.
        parameters: Number of its parameters.
        scale: SR pixels per LR pixel.
        seconds: Time of a pass of `SIDE` x `SIDE` LR pixels.
    """

    architecture: str
    parameters: int
    scale: int
    seconds: float


def smoke_test(path: str | Path, seconds: float = 20.0, memory: int = 2 * 2**30) -> SmokeTest:
    """Open a file of weights in a child process and let the network enlarge a small image.

    Args:
        path: See `hpinet.networks.open.open_file`.
        seconds: Processor time that reading, building and two passes may take.
        memory: Bytes that they may take in addition to the program itself, where the system can
            limit it (`resource.setrlimit`); elsewhere time alone is limited.

    Raises:
        NetworkError: If there is no network in it, it takes too long or too much, or makes no image
            of the right size.
    """
    name = Path(path).name
    command = [sys.executable, "-m", __name__, str(Path(path).resolve()), str(memory), str(seconds)]
    environment = {key: os.environ[key] for key in _PASSED_ON if key in os.environ}
    limits = f"within {seconds:.0f} s and {memory / 2**30:.1f} GiB"
    try:
        done = subprocess.run(
            command,
            cwd=Path(__file__).parents[2],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60 + _PATIENCE * seconds,  # a minute to import PyTorch
            check=False,
        )
        answer = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        raise NetworkError(f"{name} could not be opened and run {limits}") from None
    if "error" in answer:
        raise NetworkError(answer["error"])
    return SmokeTest(**answer)


def enlarge_once(model: nn.Module, name: str) -> SmokeTest:
    """Let a network enlarge a small random image.

    Args:
        model: With ``.scale``, from (1, 3, h, w) to (1, 3, sh, sw).
        name: What an error calls it.

    Raises:
        NetworkError: If it fails, or its result is no image of that size.
    """
    scale = int(model.scale)  # type: ignore[arg-type]
    image = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        model(image)  # the first pass sets things up
        began = time.perf_counter()
        sr = model(image)
        seconds = time.perf_counter() - began
    expected = (1, 3, SIDE * scale, SIDE * scale)
    if tuple(sr.shape) != expected:
        raise NetworkError(f"{name} makes {tuple(sr.shape)}, expected was {expected}")
    if not bool(torch.isfinite(sr).all()):
        raise NetworkError(f"{name} makes images that are not finite: its weights are damaged")
    parameters = sum(p.numel() for p in model.parameters())
    return SmokeTest(_architecture(model), parameters, scale, seconds)


def _architecture(model: nn.Module) -> str:
    if isinstance(model, HPINet):
        return f"HPINet, {model.config.dim} channels, {model.config.blocks} blocks"
    return model.name if isinstance(model, AdaptedNetwork) else type(model).__name__


def limit_process(memory: int, seconds: float) -> None:
    """Bound what this process may take from now on, where the system can.

    Args:
        memory: Bytes in addition to what it has already.
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


def main() -> None:
    """The child: one file, and one line of JSON about it."""
    path, memory, seconds = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    import spandrel  # noqa: F401 - before the limit, as it is part of the program

    answers, sys.stdout = sys.stdout, sys.stderr  # an architecture may print, which is no answer
    limit_process(memory, seconds)
    try:
        answer = asdict(enlarge_once(open_file(path), path.name))
    except UserError as error:
        answer = {"error": str(error)}
    except Exception as error:  # code of other architectures may fail in any way, or lack memory
        answer = {"error": f"{path.name} cannot be run: {first_line(error)}"}
    print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
