"""How every command of this project ends: an exit code, and one sentence when it fails."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable


def run_command(program: str, work: Callable[[], int]) -> int:
    """Do the work of a command and turn what users can mend into one sentence on stderr.

    Args:
        program: What the sentence begins with, such as ``"hpinet"``.
        work: Does everything and returns the exit code; usage errors may leave by SystemExit.

    Returns:
        The exit code of ``work``, or 1 after a `ValueError`, an `OSError` or Ctrl-C. Other errors
        are mistakes of the program itself and pass through with their traceback.
    """
    try:
        code = work()
        sys.stdout.flush()  # here, where a full disk or a closed pipe is still ours to report
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        _silence_stdout()
        return 1
    except KeyboardInterrupt:
        return _failed(program, "stopped.")
    except OSError as error:
        _silence_stdout()
        where = f"{error.filename}: " if error.filename else ""
        return _failed(program, f"{where}{error.strerror or error}.")
    except ValueError as error:
        return _failed(program, str(error))
    return code


def _failed(program: str, text: str) -> int:
    print(f"{program}: {' '.join(text.split())}", file=sys.stderr)
    return 1


def _silence_stdout() -> None:
    """Keep the interpreter from failing once more when it flushes stdout at exit."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):  # stdout is no real file, as under a test
        return


def usable_device(name: str) -> str:
    """Return the device's name if this machine has it.

    Raises:
        ValueError: it has not.
    """
    import torch

    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError, NotImplementedError):
        raise ValueError(f"there is no device {name!r} here: try --device cpu.") from None
    return name
