"""The end of a server: work stops, files go, and what a killed one left goes at the next start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

import app
from ui.server.workspace import LOCK, remove_leftovers, workspace

ROOT = Path(app.__file__).parent
SERVER = """
import sys, time
from pathlib import Path
from ui.server.shutdown import Signals, Stopped, exit_now
from ui.server.workspace import workspace
try:
    with Signals() as signals, workspace(Path(sys.argv[1])) as folder:
        signals.folder = folder
        import tempfile
        tempfile.NamedTemporaryFile(delete=False).write(b"a photograph")
        print(folder, flush=True)
        try:
            while True:
                time.sleep(0.1)
        finally:
            time.sleep(float(sys.argv[2]))  # a step that takes long
except Stopped as stopped:
    exit_now(stopped.code)
"""


def server(base, step=0.0):
    command = [sys.executable, "-c", SERVER, str(base), str(step)]
    running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    return running, Path(running.stdout.readline().strip())


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
@pytest.mark.parametrize("step", [0.0, 60.0])
def test_a_signal_ends_the_work_and_deletes_the_files(tmp_path, name, step):
    running, folder = server(tmp_path, step)
    assert len(list(folder.iterdir())) == 2  # the lock and the photograph
    running.send_signal(getattr(signal, name))
    assert running.wait(5) == (130 if name == "SIGINT" else 0)
    assert list(tmp_path.iterdir()) == []
    running.stdout.close()


def test_a_folder_goes_although_threads_write_into_it(tmp_path):
    with workspace(tmp_path) as folder:
        ended = threading.Event()

        def write():
            number = 0
            while not ended.is_set():
                number += 1
                with suppress(OSError):
                    (folder / str(number % 7)).mkdir(exist_ok=True)
                    (folder / str(number % 7) / str(number)).write_text("an image")

        writers = [threading.Thread(target=write) for _ in range(4)]
        for writer in writers:
            writer.start()
    ended.set()
    for writer in writers:
        writer.join()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_server_leaves_goes_at_the_next_start(tmp_path):
    killed, left = server(tmp_path)
    alive, kept = server(tmp_path)
    killed.kill()
    killed.wait(30)
    others = tmp_path / "hpinet-lens-mine", tmp_path / "something"
    for other in others:
        other.mkdir()
    (others[1] / LOCK).touch()
    (tmp_path / "hpinet-lens-link").symlink_to(kept)
    with workspace(tmp_path) as folder:
        assert not left.exists() and kept.is_dir()
        assert all(other.is_dir() for other in others)
        assert (folder.stat().st_mode & 0o777) == 0o700
        assert remove_leftovers(tmp_path) == []
    assert not folder.exists()
    alive.terminate()
    assert alive.wait(30) == 0 and not kept.exists()
    killed.stdout.close(), alive.stdout.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_the_page_ends_in_the_middle_of_a_map(tmp_path, name):
    import socket

    from gradio_client import Client
    from gradio_client.utils import Status

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = [sys.executable, "app.py", "--port", str(port), "--no-browser"]
    variables = {**os.environ, "TMPDIR": str(tmp_path)}
    running = subprocess.Popen(command, cwd=ROOT, env=variables, stdout=subprocess.PIPE)
    assert b"Running" in running.stdout.readline()
    lens = Client(f"http://127.0.0.1:{port}", verbose=False)
    lens.predict("Facade", api_name="/open_example")
    job = lens.submit(steps=100, api_name="/attribute")
    while job.status().code is not Status.PROCESSING:
        assert not job.done(), job.exception()
        time.sleep(0.1)
    time.sleep(1)
    assert not job.done()
    running.send_signal(getattr(signal, name))
    assert running.wait(5) == (130 if name == "SIGINT" else 0)
    assert list(tmp_path.iterdir()) == []
    running.stdout.close()
