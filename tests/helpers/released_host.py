"""A server on this machine that stands in for the authors' host and cuts a transfer once."""

from __future__ import annotations

import hashlib
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from hpinet.checkpoints.download import RELEASED, Released


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        content = self.server.files.get(self.path.rsplit("/", 1)[-1])
        if content is None:
            self.send_error(404)
            return
        asked = self.headers.get("Range")
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        self.server.asked.append((self.path.rsplit("/", 1)[-1], start))
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        cut = self.server.cut_at if start == 0 else None
        self.wfile.write(content[start:cut])
        self.close_connection = True

    def log_message(self, *_):
        pass


@contextmanager
def released_host(monkeypatch, files: dict[str, bytes], cut_at: int | None = None):
    """Serve files by the names of released checkpoints.

    Args:
        monkeypatch: Pytest's.
        files: Content by a key of `RELEASED`, whose digest and size are replaced.
        cut_at: Bytes after which a transfer from the start breaks off.
    """
    for name, content in files.items():
        digest = hashlib.sha256(content).hexdigest()
        monkeypatch.setitem(RELEASED, name, Released(f"{name}.pth", len(content), digest))
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.files = {f"{name}.pth": content for name, content in files.items()}
        server.asked, server.cut_at = [], cut_at
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("HPINET_RELEASED_URL", f"http://127.0.0.1:{server.server_port}")
        yield server
        server.shutdown()
