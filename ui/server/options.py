"""What gradio's server is given: the check of ownership in front, and maintenance beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.middleware import Middleware

from .accounts import Accounts, plain_name
from .maintenance import maintained
from .ownership import OwnershipMiddleware


def app_options(accounts: Sequence[tuple[str, str]] = ()) -> dict[str, Any]:
    """Keywords for ``launch(app_kwargs=...)``.

    Args:
        accounts: Names and passwords of visitors; none asks nobody.
    """
    known = Accounts({plain_name(name): password for name, password in accounts})
    ownership = Middleware(OwnershipMiddleware, accounts=known if accounts else None)
    return {"middleware": [ownership], "lifespan": maintained}
