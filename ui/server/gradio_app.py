"""What is used of gradio beyond its documentation, in one place.

`tests/security/test_gradio_app.py` fails where gradio changes it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from gradio.route_utils import upload_fn
from gradio.routes import App, file_upload_statuses
from starlette.requests import Request


def uploads_folder(app: App) -> Path:
    """Where uploads lie."""
    return Path(app.uploaded_file_dir)


def shared_files(app: App) -> set[Path]:
    """Files that belong to the page itself, such as the images of its gallery."""
    blocks = app.get_blocks()
    kept = (getattr(block, "keep_in_cache", ()) for block in blocks.blocks.values())
    return {Path(path) for paths in kept for path in paths}


def started(app: App) -> bool:
    """Whether the server has sent itself its first request."""
    return bool(app.startup_events_triggered)


async def receive_upload(app: App, request: Request, folder: Path) -> list[str]:
    """Take the files of an upload into a folder and return their paths.

    Raises:
        starlette.formparsers.MultiPartException: Too large, or no form.
    """
    blocks, upload = app.get_blocks(), request.query_params.get("upload_id")
    limit = float("inf") if blocks.max_file_size is None else blocks.max_file_size
    files, _, _ = await upload_fn(
        request, folder, limit, upload, upload_progress=file_upload_statuses if upload else None
    )
    blocks.upload_file_set.update(files)  # gradio deletes them when they are old
    return [str(file) for file in files]


def sessions(app: App) -> list[str]:
    """All sessions that have a state, the one unused for longest first."""
    return list(app.state_holder.session_data)


def values(app: App, session: str) -> list[Any]:
    """The values of a session's `gr.State`."""
    found = app.state_holder.session_data.get(session)
    return [] if found is None else list(found.state_data.values())


def drop_page_copy(app: App, session: str) -> None:
    """Drop a session's copy of the page's description, most of what gradio keeps of a session.

    It serves links to a state of the page (`gr.DeepLinkButton`), which this page does without:
    its state is in its address. What a later event changes is written anew.
    """
    found = app.state_holder.session_data.get(session)
    if found is not None:
        found.config_values.clear()


def forget_session(app: App, session: str) -> None:
    """Drop a session's state and what is still to be sent to it."""
    holder, blocks = app.state_holder, app.get_blocks()
    with holder.lock:
        found = holder.session_data.pop(session, None)
        holder.time_last_used.pop(session, None)
    # Gradio itself does this only for a `gr.State` that is an output of some event.
    states: dict[int, Any] = dict(blocks.blocks)
    for key, value in () if found is None else list(found.state_data.items()):
        states[key].delete_callback(value)
    drop_answers(app, [session])
    blocks.pending_streams.pop(session, None)
    blocks.pending_diff_streams.pop(session, None)


def waiting_events(app: App) -> Iterator[tuple[str, str, float]]:
    """Events that wait or run: identifier, session, and seconds since they were asked for."""
    queue, now = app.get_blocks()._queue, time.monotonic()
    for event in list(queue.event_ids_to_events.values()):
        yield event._id, event.session_hash, now - event.enqueue_time


async def drop_event(app: App, event: str) -> None:
    """Take an event out of the queue, or end it after its current step."""
    await app.get_blocks()._queue.clean_events(event_id=event)


def sessions_with_answers(app: App) -> list[str]:
    """Sessions for which answers lie ready."""
    return list(app.get_blocks()._queue.pending_messages_per_session)


def drop_answers(app: App, names: Iterable[str]) -> None:
    """Drop answers that nobody fetched."""
    queue = app.get_blocks()._queue
    for name in names:
        queue.pending_messages_per_session.pop(name, None)
        queue.pending_event_ids_session.pop(name, None)
