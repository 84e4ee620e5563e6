"""A server on this machine that stands in for the authors' host."""

from __future__ import annotations

import hashlib
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from hpinet.networks.released import RELEASED, Released


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        name = self.path.rsplit("/", 1)[-1]
        content = self.server.files.get(name)
        if content is None:
            self.send_error(404)
            return
        self.server.asked.append(name)
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: self.server.cut_at])
        self.close_connection = True

    def log_message(self, *_):
        pass


@contextmanager
def released_host(monkeypatch, files: dict[str, bytes]):
    """Serve files by the names of released checkpoints.

    Args:
        monkeypatch: Pytest's.
        files: Content by a key of `RELEASED`, whose digest and size are replaced.

    Yields:
        The server: ``asked`` are the names of files sent, ``cut_at`` bytes after which it stops.
    """
    for name, content in files.items():
        digest = hashlib.sha256(content).hexdigest()
        monkeypatch.setitem(RELEASED, name, Released(f"{name}.pth", len(content), digest))
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.files = {f"{name}.pth": content for name, content in files.items()}
        server.asked, server.cut_at = [], None
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("HPINET_RELEASED_URL", f"http://127.0.0.1:{server.server_port}")
        yield server
        server.shutdown()
