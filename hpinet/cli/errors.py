"""How every command of this project runs and ends: an exit code, one sentence when it fails."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

SKIPPED = 3
"""Exit code when some images or sets could not be used and all others are done."""


def parse_and_run(
    program: str,
    parser: argparse.ArgumentParser,
    run: Callable[[argparse.Namespace], int],
    argv: Sequence[str] | None = None,
) -> int:
    """A whole command: read the arguments, then do the work as `run_command` does.

    Args:
        program: What an error's sentence begins with, such as ``"hpinet"``.
        parser: Reads the arguments.
        run: Does the work and returns the exit code.
        argv: Arguments without the program's name; those of the process by default.

    Returns:
        The exit code, see `run_command`. Wrong usage exits with 2.
    """
    options = parser.parse_args(argv)
    return run_command(program, lambda: run(options))


def run_command(program: str, work: Callable[[], int]) -> int:
    """Do the work of a command and turn user errors into one sentence on stderr.

    Args:
        program: What the sentence begins with, such as ``"hpinet"``.
        work: Does everything and returns the exit code; usage errors may leave by SystemExit.

    Returns:
        The exit code of ``work``, or 1 after a `ValueError`, an `OSError` or Ctrl-C. Other errors
        are mistakes of the program itself and pass through with their traceback.
    """
    try:
        code = work()
        sys.stdout.flush()  # here, where a full disk or a closed pipe can still be reported
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
        code = _failed(program, str(error))
        if example := getattr(error, "example", ""):  # lines to write where a sentence won't do
            print(f"\n{example}", file=sys.stderr)
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
