"""How every command of this project runs and ends: an exit code, one sentence when it fails."""

from __future__ import annotations

import argparse
import io
import logging
import os
import sys
from collections.abc import Callable, Sequence

from hpinet.errors import FAULT, UserError

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
        The exit code of ``work``, or 1 after a `UserError`, an `OSError`, a lack of memory or
        Ctrl-C; 1, too, after any other error: a fault of the program, logged with its traceback.
    """
    _print_any_name()
    try:
        code = work()
        sys.stdout.flush()  # here, where a full disk or a closed pipe can still be reported
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        _silence_stdout()
        return 1
    except KeyboardInterrupt:
        return _failed(program, "stopped.")
    except MemoryError:
        return _failed(program, "there is not enough memory: take a smaller image or model.")
    except OSError as error:
        _silence_stdout()
        where = f"{error.filename}: " if error.filename else ""
        return _failed(program, f"{where}{error.strerror or error}.")
    except UserError as error:
        code = _failed(program, str(error))
    except Exception as error:
        logging.getLogger(program).exception("the command failed")
        return _failed(program, f"{FAULT}: {type(error).__name__}: {error}")
    return code


def _print_any_name() -> None:
    """Let a console that lacks the letters of a file's name show marks in their place."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # under a test it may be something else
            stream.reconfigure(errors="backslashreplace" if stream is sys.stderr else "replace")


def _failed(program: str, text: str) -> int:
    print(f"{program}: {' '.join(text.split())}", file=sys.stderr)
    return 1


def _silence_stdout() -> None:
    """Keep the interpreter from failing once more when it flushes stdout at exit."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):  # stdout is no real file, as under a test
        return
