"""The login page, and who is let through."""

from __future__ import annotations

import math
from pathlib import Path
from urllib.parse import parse_qs

from gradio.route_utils import API_PREFIX
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from . import gradio_app
from .accounts import STAY, Accounts, TooManyTries
from .messages import refusal

_PAGE = Path(__file__).with_name("login.html").read_text("utf-8")
_FORM_LIMIT = 4096  # bytes of a name and a password


class LoginRequired:
    """Answers whoever has not logged in.

    Args:
        accounts: Who may.
    """

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    def name(self, request: Request) -> str | None:
        """Who sends a request; None where nobody has logged in."""
        return self._accounts.name(request.cookies.get(_cookie(request)))

    async def answer(self, request: Request, path: str) -> Response | None:
        """What is answered here; None for what goes on to the page."""
        path = path.rstrip("/") or "/"
        if path == "/login":
            return await self._login(request) if request.method == "POST" else HTMLResponse(_PAGE)
        if path == "/logout":
            return self._logout(request)
        if self.name(request) is not None:
            return None
        if path == "/" and request.method in ("GET", "HEAD"):
            return HTMLResponse(_PAGE, headers={"Cache-Control": "no-store"})
        if path == f"{API_PREFIX}/startup-events" and not gradio_app.started(request.app):
            return None  # the server asks itself once
        return refusal(401, "Log in first.")

    async def _login(self, request: Request) -> Response:
        data = b""
        async for part in request.stream():
            data += part
            if len(data) > _FORM_LIMIT:
                return refusal(413, "Name and password are too long.")
        form = parse_qs(data.decode("utf-8", "replace"), keep_blank_values=True)
        name, password = ((form.get(key) or [""])[-1] for key in ("username", "password"))
        address = request.client.host if request.client else ""
        known = request.cookies.get(_cookie(request, "known"), "")
        try:
            token = await self._accounts.login(name, password, address, known)
        except TooManyTries as error:
            wait = math.ceil(error.seconds)
            told = f"Too many wrong passwords: try again in {wait} seconds."
            return refusal(429, told, **{"Retry-After": str(wait)})
        if token is None:
            return refusal(400, "Incorrect credentials.")
        answer = JSONResponse({"success": True})
        self._keep(request, answer, _cookie(request), token)
        self._keep(request, answer, _cookie(request, "known"), self._accounts.known(name))
        return answer

    def _keep(self, request: Request, answer: Response, name: str, value: str) -> None:
        secure = request.url.scheme == "https"
        # Over HTTPS also where the page is shown inside another one, as on a Space.
        answer.set_cookie(
            name, value, max_age=int(STAY), httponly=True, secure=secure,
            samesite="none" if secure else "lax",
        )  # fmt: skip

    def _logout(self, request: Request) -> Response:
        self._accounts.logout(request.cookies.get(_cookie(request)))
        answer = RedirectResponse("./", status_code=302)
        answer.delete_cookie(_cookie(request))
        return answer


def _cookie(request: Request, kind: str = "login") -> str:
    """A cookie's name; browsers tell hosts apart and not ports."""
    server = request.scope.get("server") or ("", 0)
    return f"hpinet-{kind}-{server[1]}"
