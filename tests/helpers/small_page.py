"""A page of a few quick handlers behind the check of ownership, and visitors by plain HTTP."""

from __future__ import annotations

import json
import secrets
import threading
from contextlib import contextmanager
from pathlib import Path

import gradio as gr
import httpx

from ui.compute.job_queue import JobQueue
from ui.events.handlers import with_user_errors
from ui.events.queued import queued
from ui.server.options import app_options
from ui.state.session import Session
from ui.storage.file_store import FileStore


class SmallPage:
    """The page's parts, for tests to look at.

    Attributes:
        store: Where results are written.
        steps: How many steps of jobs were computed.
        gone: Sessions that ended.
        demo: Gradio's page.
        url: Its address.
    """

    def __init__(self):
        self.store, self.queue, self.steps = FileStore("test-results-"), JobQueue(), 0
        self.go, self.gone = threading.Event(), []
        with gr.Blocks() as self.demo:
            session = gr.State(Session(), delete_callback=self.gone.append)
            file, text = gr.File(visible=False), gr.Textbox(visible=False)
            for handler, inputs, outputs in (
                (self.read, [session, file], text),
                (self.subject, [session], text),
                (self.result, [session, text], file),
            ):
                gr.Button().click(
                    with_user_errors(handler), inputs, outputs, api_name=handler.__name__
                )
            status = gr.HTML()
            job = queued(self.job, self.queue, status, lambda s: s.maps_job)
            gr.Button().click(job, session, status, api_name="job", concurrency_limit=16)
            self.status = status

    def read(self, session: Session, file: str) -> str:
        """How many bytes a file has."""
        session.uploaded = file
        return str(Path(file).stat().st_size)

    def subject(self, session: Session) -> str:
        """Whether something is opened; as the real page's handlers do."""
        return session.uploaded or str(session.subject())

    def result(self, session: Session, text: str) -> str:
        """A file for the visitor."""
        return str(self.store.write("result.txt", text.encode()))

    def job(self, session: Session):
        """Steps without end."""
        while True:
            self.steps += 1
            yield {self.status: f"step {self.steps}"}
            self.go.wait(0.2)


@contextmanager
def served(accounts=()):
    """A small page on a free port."""
    page = SmallPage()
    gr.set_static_paths([page.store.folder])
    try:
        _, page.url, _ = page.demo.queue().launch(
            prevent_thread_lock=True,
            quiet=True,
            ssr_mode=False,
            run_history=False,
            max_file_size="1mb",
            app_kwargs=app_options(accounts),
        )
        yield page
    finally:
        page.demo.server.force_exit = True  # whatever connections are still open
        page.demo.close(verbose=False)
        page.store.close()


class Visitor:
    """Somebody with a browser's cookies and a session."""

    def __init__(self, url, name="", session=None):
        self.http = httpx.Client(base_url=url, timeout=30)
        self.session = session or f"session-{secrets.token_hex(8)}"
        if name:
            answer = self.http.post("/login", data={"username": name, "password": f"{name}'s"})
            assert answer.status_code == 200
        self.http.get("/config")

    def upload(self, content=b"content", name="a.png"):
        """An upload, as a call names it."""
        answer = self.http.post("/gradio_api/upload", files={"files": (name, content)})
        assert answer.status_code == 200, answer.text
        return {"path": answer.json()[0], "meta": {"_type": "gradio.FileData"}}

    def join(self, name, *values, session=None):
        """Begin a call."""
        body = {"data": list(values), "session_hash": session or self.session}
        return self.http.post(f"/gradio_api/call/{name}", json=body)

    def call(self, name, *values, session=None):
        """A call's first answer, or its error."""
        begun = self.join(name, *values, session=session)
        if begun.status_code != 200:
            return begun.json()
        event = begun.json()["event_id"]
        with self.http.stream("GET", f"/gradio_api/call/{name}/{event}") as answer:
            for line in answer.iter_lines():
                if line.startswith("data: ") and line != "data: null":
                    return json.loads(line.removeprefix("data: "))
        return None

    def file(self, path):
        """The status of a request for a file."""
        return self.http.get(f"/gradio_api/file={path}").status_code
