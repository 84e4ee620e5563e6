"""Heavy handlers one at a time: each waits for its turn and says how many jobs are before it.

Gradio's own queue says nothing in a status line, and keeps a job that is out of date until its turn
comes. So heavy handlers are let in at once and wait here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr

from ui.compute.job_queue import JobQueue
from ui.state.session import Job, Session
from ui.views.html import status_bar
from ui.visitors.current import has_listener

_LOOK = 0.5  # seconds between two looks at the queue


def queued(
    handler: Callable[..., Iterator[Any]],
    queue: JobQueue,
    status: Any,
    job_of: Callable[[Session], Job],
    stale: Callable[[Session], str] = lambda session: "",
    ready: Callable[..., bool] = lambda *_: False,
) -> Callable[..., Iterator[Any]]:
    """A generator that waits for its turn.

    Args:
        handler: Takes the session first and yields dictionaries of components.
        queue: Where to wait.
        status: The component of the status line.
        job_of: The session's count of such jobs.
        stale: What the results that are shown meanwhile belong to, as `status_bar` takes it.
        ready: Whether the answer is known already, from the handler's arguments: then nobody waits.

    Returns:
        The same with a wait before. It ends without beginning when the visitor has stopped it or
        asked for something else meanwhile, which moves that count on, and after the current step
        when nobody listens to it any more. One that was overtaken ends with no value at all: Gradio
        sends the last values again at the end, when the newer answer may be there already.
    """

    @functools.wraps(handler)
    def waiting(session: Session, *args: Any, **keywords: Any) -> Iterator[Any]:
        job = job_of(session)
        run, told = job.run, 0
        if not keywords and ready(session, *args):
            yield from handler(session, *args)
            return
        with queue.ticket() as mine:
            while before := queue.wait(mine, _LOOK):
                if job.run != run or not has_listener():
                    break
                if before != told:
                    told = before
                    jobs = "1 job is" if before == 1 else f"{before} jobs are"
                    text = f"Waiting: {jobs} before yours; they are computed one at a time."
                    yield {status: status_bar(text, 0, stale(session))}
            if job.run != run:
                if job.stopped:
                    yield {status: status_bar("Stopped before it began.", stale=stale(session))}
                elif told:
                    yield {status: gr.skip()}
                return
            steps = handler(session, *args, **keywords)  # which begins a run of its own
            while has_listener():
                with queue.step(mine) as current:
                    values = next(steps, None) if current else None
                if values is None:
                    break
                yield values
            if job.run > run + 1 and not job.stopped:
                yield {status: gr.skip()}

    return waiting
