"""Every request passes here first: who sends it, and does what it names belong to them?

Gradio itself asks for a login in most places and knows nothing of belongings: a session's name or
a file's path is enough for it. This middleware lets nothing through without a login where one is
required, and nothing that names another's session, job, upload or result. Uploads get addresses
that nobody can guess. Files that gradio copies into its own cache are served to nobody: what is
made for a visitor is written to a `ui.storage.file_store.FileStore`.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import shutil
from collections import OrderedDict
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from gradio.route_utils import API_PREFIX
from starlette._utils import get_route_path
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.visitors.registry import MOST, VISITORS, Visitors, note_identity

from . import gradio_app
from .accounts import Accounts
from .login import LoginRequired
from .messages import JsonListener, Refused, paths_in, read_body, refusal, text_of

COOKIE = "hpinet-visitor"
"""Tells a browser apart from others where nobody logs in; it holds a random number."""

DISK_LIMIT = 4 * 2**30
"""Bytes of uploads of all visitors together."""

CLOSED = (
    *("/gradio_api/proxy=", "/gradio_api/stream/", "/gradio_api/process_recording"),
    *("/gradio_api/deep_link", "/gradio_api/custom_component", "/gradio_api/dev/"),
    *("/gradio_api/run-history", "/gradio_api/vibe", "/monitoring"),
)
"""Addresses of gradio that this page has no use for: they fetch, run or store for whoever asks."""

_CALLS = re.compile(r"/(queue/join|run/[^/]+|api/[^/]+|call/(v2/)?[^/]+|component_server|cancel)/?")
_ANSWERS = re.compile(r"/call/(?:v2/)?[^/]+/(?P<event>[^/]+)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_FILES = re.compile(r"/file[=/](?P<path>.*)", re.DOTALL)


class OwnershipMiddleware:
    """The middleware.

    Args:
        app: What answers.
        accounts: Who may come in; None lets everybody in.
        visitors: Who they are.
    """

    def __init__(
        self, app: ASGIApp, accounts: Accounts | None = None, visitors: Visitors = VISITORS
    ) -> None:
        self._app, self._visitors = app, visitors
        self._login_required = None if accounts is None else LoginRequired(accounts)
        self._events: OrderedDict[str, str] = OrderedDict()  # the session of each call

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or have it answered."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # the page has no other connections
            await send({"type": "websocket.close", "code": 1008})
            return
        request, path = Request(scope, receive), get_route_path(scope)
        if _CONTROL.search(path):  # gradio's routes also match before a final newline
            await refusal(403, "This address holds a control character.")(scope, receive, send)
            return
        if self._login_required is not None:
            answer = await self._login_required.answer(request, path)
            if answer is not None:
                await answer(scope, receive, send)
                return
            identity = f"user {self._login_required.name(request)}"
        else:
            identity, send = _browser(request, send)
        note_identity(scope, identity)
        await self._pass(request, path, identity, send)

    async def _pass(self, request: Request, path: str, identity: str, send: Send) -> None:
        scope, receive = request.scope, request.receive
        if path.startswith(CLOSED):
            await refusal(404, "There is nothing here.")(scope, receive, send)
            return
        inside = path.removeprefix(API_PREFIX) if path.startswith(API_PREFIX) else ""
        if inside.rstrip("/") == "/upload" and request.method == "POST":
            await (await self._upload(request, identity))(scope, receive, send)
        elif found := _FILES.fullmatch(inside):
            if self._may_read(request, found["path"], identity):
                await self._app(scope, receive, send)
            else:
                await refusal(403, "This file is not yours.")(scope, receive, send)
        elif request.method == "POST" and _CALLS.fullmatch(inside):
            await self._call(request, inside, identity, send)
        else:
            await self._listen(request, inside, identity, send)

    # Listening

    async def _listen(self, request: Request, inside: str, identity: str, send: Send) -> None:
        """Answers that take long, and everything else that belongs to nobody."""
        scope, receive = request.scope, request.receive
        names = parse_qs(scope["query_string"].decode("latin-1")).get("session_hash", [])
        page = inside.startswith("/heartbeat/")
        if page:
            names = [inside.removeprefix("/heartbeat/").rstrip("/")]
        elif found := _ANSWERS.fullmatch(inside.rstrip("/")):
            names = [self._events.get(found["event"], "")]
        if not names:
            await self._app(scope, receive, send)
            return
        session = names[0]
        allowed = len(names) == 1 and self._visitors.owns(session, identity)
        if page and allowed:
            allowed = self._visitors.use(session, identity)
        if not allowed:
            await refusal(403, "This session is not yours.")(scope, receive, send)
            return
        with self._visitors.listening(session, page):
            await self._app(scope, receive, send)

    # Calls

    async def _call(self, request: Request, inside: str, identity: str, send: Send) -> None:
        """A call: its session and its files have to be the visitor's."""
        scope = request.scope
        try:
            body, receive = await read_body(request)
            session, event = text_of(body, "session_hash"), text_of(body, "event_id")
            self._check(request, inside, body, session, event, identity)
        except Refused as refused:
            await refused.answer(scope, request.receive, send)
            return
        if inside.startswith(("/run/", "/api/", "/component_server")):
            with self._visitors.listening(session or ""):
                await self._app(scope, receive, send)
            return

        def note(answer: dict[str, Any]) -> None:
            made = answer.get("event_id")
            if isinstance(made, str):
                self._visitors.use(session or made, identity)
                self._events[made] = session or made
                while len(self._events) > MOST:
                    self._events.popitem(last=False)

        await self._app(scope, receive, JsonListener(send, note))

    def _check(
        self,
        request: Request,
        inside: str,
        body: dict[str, Any],
        session: str | None,
        event: str | None,
        identity: str,
    ) -> None:
        if session is not None and not self._visitors.use(session, identity):
            raise Refused(403, "This session is not yours.")
        if inside.startswith("/cancel") and self._events.get(event or "") != session:
            raise Refused(403, "This job is not yours.")
        root = gradio_app.uploads_folder(request.app)
        for name in paths_in(body):
            path = Path(name)
            mine = self._visitors.may_take(path, root, identity, session or "")
            if not (
                mine or self._visitors.may_read(path, identity) or self._is_shared(request, path)
            ):
                raise Refused(403, f"{path.name[:60]} is not a file that you uploaded: upload it.")

    # Files

    def _is_shared(self, request: Request, path: Path) -> bool:
        return path in gradio_app.shared_files(request.app)

    def _may_read(self, request: Request, text: str, identity: str) -> bool:
        path, root = Path(text), gradio_app.uploads_folder(request.app)
        try:
            return (
                self._visitors.may_read(path, identity)
                or self._visitors.uploaded(path, root, identity)
                or self._is_shared(request, path)
            )
        except (OSError, ValueError):  # no path at all
            return False

    async def _upload(self, request: Request, identity: str) -> Response:
        root = gradio_app.uploads_folder(request.app)
        if _size(root) > DISK_LIMIT:
            return refusal(507, "The server's disk for uploads is full: try again in an hour.")
        number = secrets.token_hex(16)
        folder = root / self._visitors.place(identity, number) / number
        try:
            return JSONResponse(await gradio_app.receive_upload(request.app, request, folder))
        except BaseException as error:
            shutil.rmtree(folder, ignore_errors=True)  # half a file is nobody's
            if isinstance(error, MultiPartException):
                status = 413 if "maximum allowed size" in error.message else 400
                return PlainTextResponse(error.message, status_code=status)
            if isinstance(error, HTTPException):
                return PlainTextResponse(str(error.detail), status_code=error.status_code)
            raise


def _browser(request: Request, send: Send) -> tuple[str, Send]:
    """The identity behind a browser's cookie, and what hands it a cookie where it has none."""
    value = request.cookies.get(COOKIE, "")
    if value:
        return f"browser {hashlib.sha256(value.encode()).hexdigest()}", send
    if get_route_path(request.scope).rstrip("/") not in ("", "/config"):
        return "", send

    async def with_cookie(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer = Response()
            answer.set_cookie(
                COOKIE, secrets.token_urlsafe(24), httponly=True, samesite="lax",
                secure=request.url.scheme == "https",
            )  # fmt: skip
            MutableHeaders(scope=message).append("set-cookie", answer.headers["set-cookie"])
        await send(message)

    return "", with_cookie


def _size(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
