"""Where the browser gets the viewer's code and numbers: two routes beside gradio's own."""

from __future__ import annotations

import hashlib
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ui.visitors.registry import identity_of

from .store import DATA, STORE, Owner

STATIC = Path(__file__).parent / "static"
_FILES = {path.name: path.read_bytes() for path in sorted(STATIC.glob("*.js"))}
_VERSION = hashlib.sha256(repr(_FILES).encode()).hexdigest()[:12]

CODE = f"/viewer-{_VERSION}"
"""Where the code is; another version has another address, so browsers may keep it for good."""

KEY = "x-viewer-key"
"""The header in which the page sends its visitor's secret."""

_SAFE = {"x-content-type-options": "nosniff"}
_FOREVER = {**_SAFE, "cache-control": "public, max-age=31536000, immutable"}
_PRIVATE = {**_SAFE, "cache-control": "private, max-age=3600, immutable", "vary": f"{KEY}, cookie"}


async def _code(request: Request) -> Response:
    found = _FILES.get(request.path_params["name"])
    if found is None:
        return Response(status_code=404)
    return Response(found, media_type="text/javascript", headers=_FOREVER)


async def _data(request: Request) -> Response:
    owner = Owner(request.headers.get(KEY, ""), identity_of(request))
    found = STORE.get(request.path_params["name"], owner)
    if found is None:  # the same answer whether it is gone or another's
        return Response(status_code=404)
    return Response(found[0], media_type=found[1], headers=_PRIVATE)


ROUTES = [Route(f"{CODE}/{{name}}", _code), Route(f"{DATA}/{{name}}", _data)]
"""For ``app_kwargs`` of gradio's ``launch``."""
