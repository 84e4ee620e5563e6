"""Errors that a user can put right, as opposed to faults of the program.

Every refusal of this project is a `UserError`: a damaged file, an option out of range, sizes that
do not fit. Its message is one sentence for a person. Commands print it, the page shows it, and work
on many images skips the image that caused it.

Any other exception, a bare `ValueError` of numpy among them, is a fault of the program: it is
logged with its traceback and is never a reason to skip an image.
"""

from __future__ import annotations


class UserError(ValueError):
    """Something that the user can put right; the message is one sentence that says how."""


class NetworkError(UserError):
    """A network that cannot be opened or run."""


class WeightsError(NetworkError):
    """A file of weights that cannot be used."""


FAULT = "this is a fault of the program, not of what it was given"
"""What the user reads of any other exception."""


def first_line(error: BaseException) -> str:
    """An error in one line."""
    text = str(error).strip()
    return text.splitlines()[0].strip() if text else type(error).__name__
