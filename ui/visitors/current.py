"""Whose event is being handled, as gradio knows it while a handler runs."""

from __future__ import annotations

from gradio.context import LocalContext

from .registry import VISITORS


def current_session() -> str | None:
    """The name of the session whose event is handled in this thread; None outside of events."""
    request = LocalContext.request.get(None)
    return getattr(request, "session_hash", None)


def current_owner() -> str:
    """The identity that what is made now belongs to; empty where there is none."""
    return VISITORS.owner(current_session())


def current_place() -> str:
    """The folder for files that are made now; empty outside of events, when they are for nobody."""
    session = current_session()
    if session is None:
        return ""
    return VISITORS.place(VISITORS.owner(session), session)


def has_listener() -> bool:
    """Whether somebody still waits for what is computed now; True outside of events."""
    return not VISITORS.is_abandoned(current_session())


def end_notice() -> str:
    """Why the visitor's earlier session ended, in a sentence, until an image is opened."""
    return VISITORS.ended(current_session())


def take_notice() -> str:
    """As `end_notice`, but only for the first event after that end."""
    return VISITORS.take_end_notice(current_session())
