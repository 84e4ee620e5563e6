"""Reading a call before gradio does, and answers of a sentence."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Message, Receive, Send

BODY_LIMIT = 4 * 2**20
"""Bytes of a call, which holds settings; files are uploaded before."""

_FILE = "gradio.FileData"


class Refused(Exception):  # noqa: N818 - says what happened
    """A request that is answered with a sentence.

    Attributes:
        answer: That answer.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.answer = refusal(status, text)


def refusal(status: int, text: str, **headers: str) -> Response:
    """An answer of one sentence, where gradio's programs and page look for it."""
    return JSONResponse({"detail": text}, status_code=status, headers=headers)


async def read_body(request: Request) -> tuple[dict[str, Any], Receive]:
    """The JSON object that a call consists of, and what hands it on to the next reader.

    Raises:
        Refused: It is none, or too large.
    """
    data = b""
    async for part in request.stream():
        data += part
        if len(data) > BODY_LIMIT:
            raise Refused(413, f"A call of more than {BODY_LIMIT} bytes: upload files first.")
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise Refused(400, "A JSON object was expected.")
    whole: list[Message] = [{"type": "http.request", "body": data, "more_body": False}]

    async def receive() -> Message:
        return whole.pop() if whole else await request.receive()

    return body, receive


def text_of(body: Any, key: str) -> str | None:
    """A string of a JSON object; None where there is none.

    Raises:
        Refused: It is something else.
    """
    found = body.get(key) if isinstance(body, dict) else None
    if found is None or isinstance(found, str):
        return found
    raise Refused(400, f"{key} is a text.")


def paths_in(value: Any) -> Iterator[str]:
    """The paths of all files that a call names, however deep."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, dict):
            waiting.extend(value.values())
            meta, path = value.get("meta"), value.get("path")
            if isinstance(path, str):
                yield path
            elif isinstance(meta, dict) and meta.get("_type") == _FILE:
                yield ""  # a file by another way than its path, such as an address elsewhere


class JsonListener:
    """Hands an answer on, and its JSON to somebody else before.

    Args:
        send: Where the answer goes.
        told: Is given the object, if it is one.
    """

    def __init__(self, send: Send, told: Callable[[dict[str, Any]], None]) -> None:
        self._send, self._told, self._data = send, told, b""

    async def __call__(self, message: Message) -> None:
        """As ASGI's ``send``."""
        if message["type"] == "http.response.body" and len(self._data) < BODY_LIMIT:
            self._data += message.get("body", b"")
            if not message.get("more_body", False):
                try:
                    found = json.loads(self._data)
                except ValueError:
                    found = None
                if isinstance(found, dict):
                    self._told(found)
        await self._send(message)
