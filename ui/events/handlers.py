"""What all handlers share: errors as sentences, and the settings of their events."""

from __future__ import annotations

import functools
import html
import inspect
import logging
import re
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import gradio as gr

from hpinet.errors import FAULT, UserError
from ui.state.session import Session
from ui.visitors.current import take_notice

Handler = TypeVar("Handler", bound=Callable[..., Any])

QUICK: dict[str, Any] = {"show_progress": "hidden", "trigger_mode": "multiple"}
"""Events that answer at once; a second click must not be lost while the first is on its way."""

HEAVY: dict[str, Any] = {**QUICK, "concurrency_id": "heavy", "concurrency_limit": 16}
"""Events that keep the processor busy for long: they wait for each other in `events.queued`."""

PRIVATE: dict[str, Any] = {**QUICK, "api_visibility": "private"}
"""Events of the page that are no endpoint."""

NOW = "(...inputs) => [performance.timeOrigin + performance.now(), ...inputs.slice(1)]"
"""JavaScript that puts the time of a click, in milliseconds, into an event's first input. Requests
are sent side by side and may overtake each other: `is_outdated` tells who was clicked first."""

NOTHING_RUNS = "Nothing is running."

_log = logging.getLogger(__name__)
_FOLDERS = re.compile(r"(?:[A-Za-z]:)?(?:[/\\][^/\\\s'\"]+)+[/\\]")


def sentence(error: Exception) -> str:
    """An error as one sentence without folders of this machine, safe to be shown as HTML."""
    if not isinstance(error, UserError):
        return "Something went wrong here, which is not your fault; the server's log says more."
    text = _FOLDERS.sub("", str(error).strip()).rstrip(".") or "That did not work"
    if "." not in text.split()[0]:  # a file's name stays as it is
        text = text[0].upper() + text[1:]
    return html.escape(text + ".", quote=False)


def with_user_errors(handler: Handler) -> Handler:
    """Turn a handler's errors into one sentence for the visitor; generators stay generators."""

    def as_gradio_error(error: Exception) -> gr.Error:
        if not isinstance(error, UserError):
            _log.exception("a handler failed: %s", FAULT)
        return gr.Error(sentence(error), title="That did not work", print_exception=False)

    def show_notice() -> None:
        if told := take_notice():
            gr.Warning(told, title="You were away")

    @functools.wraps(handler)
    def plain(*args: Any, **keywords: Any) -> Any:
        show_notice()
        try:
            return handler(*args, **keywords)
        except gr.Error:
            raise
        except Exception as error:
            raise as_gradio_error(error) from None

    @functools.wraps(handler)
    def generator(*args: Any, **keywords: Any) -> Iterator[Any]:
        show_notice()
        try:
            yield from handler(*args, **keywords)
        except gr.Error:
            raise
        except Exception as error:
            raise as_gradio_error(error) from None

    wrapped: Any = generator if inspect.isgeneratorfunction(handler) else plain
    return wrapped


def stopping(name: str) -> str:
    """JavaScript for a click on Stop: a status line says at once that it was heard.

    The browser says so itself: told by the server, it might come after the job's own last line.

    Args:
        name: The status line's.
    """
    return f"""(...inputs) => {{
      const status = document.querySelector("#{name} .status");
      if (status?.querySelector("[role=progressbar]"))
        status.firstElementChild.textContent = "Stopping after this step…";
      return inputs;
    }}"""


def clock() -> gr.Number:
    """The hidden input that `NOW` fills."""
    return gr.Number(0, visible=False)


def is_outdated(session: Session, what: str, clicked: float) -> bool:
    """Whether a later click on the same thing was answered already.

    Args:
        session: Remembers the latest click.
        what: Where it was clicked.
        clicked: When, as `NOW` put it.
    """
    if clicked < session.clicks.get(what, 0):
        return True
    session.clicks[what] = clicked
    return False
