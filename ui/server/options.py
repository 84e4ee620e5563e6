"""What gradio's server is given: the guard in front, and the keeper beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.middleware import Middleware

from .accounts import Accounts, plain_name
from .guard import Guard
from .keeper import keeping


def app_options(accounts: Sequence[tuple[str, str]] = ()) -> dict[str, Any]:
    """Keywords for ``launch(app_kwargs=...)``.

    Args:
        accounts: Names and passwords of visitors; none asks nobody.
    """
    known = Accounts({plain_name(name): password for name, password in accounts})
    guard = Middleware(Guard, accounts=known if accounts else None)
    return {"middleware": [guard], "lifespan": keeping}
