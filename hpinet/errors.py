"""What a user did wrong, apart from what the program did wrong.

Every refusal of this project is a `UserError`: a file that is damaged, an option out of range,
sizes that do not fit. Its text is one sentence for a person. Commands print it, the page shows it,
and whoever works through many images leaves out the one that caused it.

Any other exception, a bare `ValueError` of numpy among them, is a fault of the program. It is
logged with its traceback, called so, and never counts as a reason to skip an image.
"""

from __future__ import annotations


class UserError(ValueError):
    """Something that the user can put right; the message is one sentence that says how."""


FAULT = "this is a fault of the program, not of what it was given"
"""What the user is told of any other exception."""
