"""Downloading with resume and checksum, from a server on this machine."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from hpinet import WeightsError
from hpinet.checkpoints.download import RELEASED, Released, download_released

CONTENT = bytes(range(256)) * 1000


class Handler(BaseHTTPRequestHandler):
    ranges = True

    def do_GET(self):
        if not self.path.endswith("net.pth"):
            self.send_error(404)
            return
        asked = self.headers.get("Range") if self.ranges else None
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        self.server.starts.append(start)
        self.send_response(206 if asked else 200)
        self.end_headers()
        self.wfile.write(CONTENT[start:])

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    wanted = Released("net.pth", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
    monkeypatch.setitem(RELEASED, "net", wanted)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.starts = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        server.url = f"http://127.0.0.1:{server.server_port}"
        yield server
        server.shutdown()


def fetch(server, folder):
    return download_released("net", folder, server.url, progress=False)


def test_a_file_is_fetched_once(server, tmp_path):
    path = fetch(server, tmp_path)
    assert path.read_bytes() == CONTENT
    assert fetch(server, tmp_path) == path
    assert server.starts == [0]
    assert [p.name for p in tmp_path.iterdir()] == ["net.pth"]


@pytest.mark.parametrize("ranges", [True, False])
def test_an_interrupted_download_goes_on(server, tmp_path, monkeypatch, ranges):
    monkeypatch.setattr(Handler, "ranges", ranges)
    (tmp_path / "net.pth.part").write_bytes(CONTENT[:1234])
    assert fetch(server, tmp_path).read_bytes() == CONTENT
    assert server.starts == [1234 if ranges else 0]


def test_another_content_is_not_kept(server, tmp_path, monkeypatch):
    monkeypatch.setitem(RELEASED, "net", Released("net.pth", len(CONTENT), "0" * 64))
    with pytest.raises(WeightsError, match="not the released file, nothing was kept"):
        fetch(server, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_damaged_copy_is_fetched_again(server, tmp_path):
    (tmp_path / "net.pth").write_bytes(b"half")
    assert fetch(server, tmp_path).read_bytes() == CONTENT


def test_an_absent_file_or_server_is_one_sentence(server, tmp_path):
    with pytest.raises(WeightsError, match=r"cannot fetch .*Not Found"):
        download_released("HPINet-S-x4", tmp_path, server.url, progress=False)
    with pytest.raises(WeightsError, match=r"cannot fetch http://127.0.0.1:9/net.pth"):
        download_released("net", tmp_path, "http://127.0.0.1:9", progress=False)


def test_an_unknown_name_says_what_there_is():
    with pytest.raises(WeightsError, match="HPINet-S-x4, HPINet-M-x2"):
        download_released("HPINet-XL")


@pytest.mark.reference
def test_checksums_are_those_of_the_released_files(shared):
    for released in RELEASED.values():
        data = (shared / "released" / released.file).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (released.size, released.sha256)
