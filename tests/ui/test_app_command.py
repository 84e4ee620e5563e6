"""`python app.py`: its options, passwords, and what an open host means."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import app

ROOT = Path(app.__file__).parent


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch):
    for name in ("HPINET_AUTH", "SPACE_ID"):
        monkeypatch.delenv(name, raising=False)


def test_passwords_come_from_the_command_a_file_or_the_environment(tmp_path, monkeypatch):
    assert app.read_auth(None, None) == []
    assert app.read_auth("ann:a:b", None) == [("ann", "a:b")]
    (tmp_path / "users").write_text("ann:one\n\n bob:two \n")
    assert app.read_auth(None, tmp_path / "users") == [("ann", "one"), ("bob", "two")]
    monkeypatch.setenv("HPINET_AUTH", "eve:three")
    assert app.read_auth(None, None) == [("eve", "three")]
    assert app.read_auth("ann:one", None) == [("ann", "one")]


@pytest.mark.parametrize("second", ["ann:other", " ann : other ", "ann:one"])
def test_two_lines_for_one_name_are_refused(tmp_path, second):
    (tmp_path / "users").write_text(f"ann:one\nbob:two\n\n{second}\n")
    with pytest.raises(ValueError, match="line 4: there is a line for ann already"):
        app.read_auth(None, tmp_path / "users")
    (tmp_path / "users").write_text("zo\u00eb:one\nzoe\u0308:two\n", "utf-8")
    with pytest.raises(ValueError, match="line 2: there is a line"):
        app.read_auth(None, tmp_path / "users")


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path):
    (tmp_path / "users").write_text("ann:one\r\nbob:two\r\n", "utf-8-sig")
    assert app.read_auth(None, tmp_path / "users") == [("ann", "one"), ("bob", "two")]


def test_passwords_that_are_none_are_refused_without_repeating_them(tmp_path, monkeypatch):
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "wrong").write_text("ann:one\nsecret")
    for given, file, sentence in (
        ("secret", None, "--auth, line 1: USER:PASSWORD was expected"),
        (":secret", None, "USER:PASSWORD"),
        (None, tmp_path / "empty", "is empty"),
        (None, tmp_path / "wrong", "line 2: USER:PASSWORD"),
        (None, tmp_path / "missing", "cannot be read"),
    ):
        with pytest.raises(ValueError, match=sentence) as caught:
            app.read_auth(given, file)
        assert "secret" not in str(caught.value)


def test_an_open_host_is_explained():
    assert "everyone on your network" in app.exposure("0.0.0.0", 7860, False)
    assert "--auth-file sets one" in app.exposure("0.0.0.0", 7860, False)
    assert "unencrypted" in app.exposure("192.168.1.2", 7860, True)


def test_wrong_options_are_one_sentence(capsys):
    for arguments, sentence in (
        (["--weights-dir", "/no/such/folder"], "there is no folder"),
        (["--port", "0"], "the port must be 1 to 65535"),
        (["--auth", "nobody"], "USER:PASSWORD was expected"),
        (["--host", ""], "the host is empty"),
    ):
        port = [] if "--port" in arguments else ["--port", str(_free_port())]
        assert app.main([*port, *arguments, "--no-browser"]) == 1
        printed = capsys.readouterr()
        assert sentence in printed.err and "Traceback" not in printed.err
        assert printed.err.count("\n") == 1


@pytest.mark.parametrize(("space", "host"), [("someone/lens", "0.0.0.0"), ("", "127.0.0.1")])
def test_a_space_listens_where_it_is_expected(space, host, monkeypatch, tmp_path):
    launched = {}
    page = SimpleNamespace(launch=lambda **options: launched.update(options))
    page.queue = lambda **_: page
    monkeypatch.setattr("ui.layout.build", lambda _: page)
    monkeypatch.setattr("ui.layout.warm_up", lambda _: None)
    monkeypatch.setenv("SPACE_ID", space)
    for name in ("GRADIO_ANALYTICS_ENABLED", "HF_HUB_OFFLINE", "GRADIO_TEMP_DIR"):
        monkeypatch.setenv(name, str(tmp_path))  # so that what the command sets ends with the test
    port = _free_port()
    assert app.main(["--no-browser", "--port", str(port)]) == 0
    assert (launched["server_name"], launched["server_port"]) == (host, port)


@pytest.mark.slow
def test_with_a_password_nothing_is_told_without_it(tmp_path):
    """The real command, as a Space runs it, on another port: login, and then everything works."""
    import httpx
    from gradio_client import Client

    (tmp_path / "users").write_text("ann:secret\n")
    variables = {**os.environ, "SPACE_ID": "someone/lens", "TMPDIR": str(tmp_path)}
    port = _free_port()
    command = [sys.executable, "app.py", "--port", str(port), "--auth-file", tmp_path / "users"]
    with subprocess.Popen(
        command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as server:
        try:
            _wait(server, port)
            base = f"http://127.0.0.1:{port}/"
            assert httpx.get(f"{base}config").status_code == 401
            assert httpx.get(f"{base}gradio_api/file=README.md").status_code in (401, 403)
            client = Client(base, auth=("ann", "secret"), verbose=False)
            assert "HPINet-S-x4" in client.predict(api_name="/networks")["networks"]
            (folder,) = tmp_path.glob("hpinet-lens-*")
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        finally:
            server.terminate()
            server.wait(30)


def _free_port():
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def _wait(server, port):
    import time

    import httpx

    while server.poll() is None:
        try:
            httpx.get(f"http://127.0.0.1:{port}/login", timeout=5)
            return
        except httpx.TransportError:
            time.sleep(0.3)
    pytest.fail(f"the server ended: {server.stdout.read().decode()}")
