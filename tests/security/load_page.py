"""Twenty visitors at once: every answer as if they were alone, memory bounded, no file left.

    PYTHONPATH=. python tests/security/load_page.py [--minutes 5] [--visitors 20] [--sharing 4]
    PYTHONPATH=. python tests/security/load_page.py --rounds 30  # who leave in a job's middle

Starts ``app.py`` with a tiny network, asks everything once alone, then from all visitors at once.
Two of them leave in the middle of each job and come back as others. Not part of the test suite.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from gradio_client import Client, handle_file
from gradio_client.utils import Status
from PIL import Image

ROOT = Path(__file__).parents[2]
LEAVING = 2  # visitors who leave in the middle of each job
NETWORK = "Tiny-x4"


def weights(folder: Path) -> None:
    """A tiny network and its twin, so that time goes into the page and not into convolutions."""
    from hpinet import HPINet, HPINetConfig
    from hpinet.networks.files import save_checkpoint

    config = HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(12, 16))
    torch.manual_seed(0)
    save_checkpoint(HPINet(config), folder / f"{NETWORK}.safetensors")
    save_checkpoint(HPINet(config.without_gpa()), folder / f"{NETWORK}-no-gpa.safetensors")


def plain(value: Any) -> Any:
    """An answer without what time decides; files by their content."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items() if k not in ("seconds", "url")}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, str) and Path(value).is_file():
        return hashlib.sha256(Path(value).read_bytes()).hexdigest()
    return value


class Visit:
    """One visitor's questions."""

    def __init__(self, url: str, image: Path) -> None:
        self.client, self.image = Client(url, verbose=False, download_files=image.parent), image
        self.open()

    def open(self) -> Any:
        """Open the image, and always the same window: other answers are about it."""
        file = handle_file(str(self.image))
        opened = self.client.predict(file, "restore", NETWORK, api_name="/super_resolve")
        self.look()
        return opened

    def scores(self) -> Any:
        return self.client.predict(api_name="/scores")

    def look(self) -> Any:
        return self.client.predict("network", "window", 8, 8, 16, api_name="/closer_look")

    def matches(self) -> Any:
        return self.client.predict(1, 10, 10, api_name="/matches")

    def attribute(self) -> Any:
        return self.client.predict(8, 8, 16, 4, api_name="/attribute")[:3]

    def leave(self) -> None:
        """Begin a job, and go away in its middle."""
        job = self.client.submit(8, 8, 16, 64, api_name="/attribute")
        while not job.done() and job.status().code is not Status.PROCESSING:
            time.sleep(0.05)
        self.client.close()


QUESTIONS = ("open", "scores", "look", "matches", "attribute")


def visitor(
    url: str,
    image: Path,
    alone: dict[str, Any],
    end: float,
    leaves: bool,
    seen: Counter[str],
    seed: int,
) -> None:
    """Ask until the end, and compare."""
    rng, visit = random.Random(seed), Visit(url, image)
    while time.monotonic() < end:
        if leaves:
            visit.leave()
            visit = Visit(url, image)
            seen["left"] += 1
        name = rng.choice(QUESTIONS)
        try:
            said = plain(getattr(visit, name)())
            seen["equal" if said == alone[name] else f"differs: {name}"] += 1
        except Exception as error:
            seen[f"failed: {name}: {error}"[:200]] += 1
    visit.client.close()


def main() -> int:
    """Run the load; returns 1 where something is not as promised."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--visitors", type=int, default=20)
    parser.add_argument("--sharing", type=int, default=4, help="visitors who open the same image")
    parser.add_argument("--rounds", type=int, default=0, help="so many of visitors who leave")
    options = parser.parse_args()
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    with tempfile.TemporaryDirectory() as text:
        folder, left = Path(text), Path(text, "server")
        left.mkdir()
        weights(folder)
        images = []
        for number in range(-(-options.visitors // options.sharing)):
            pixels = np.random.default_rng(number).integers(0, 255, (96, 96, 3), dtype=np.uint8)
            (folder / str(number)).mkdir()
            images.append(folder / str(number) / f"image-{number}.png")
            Image.fromarray(pixels).save(images[-1])
        command = [sys.executable, "app.py", "--port", str(port), "--no-browser"]
        command += ["--weights-dir", str(folder)]
        variables = {**os.environ, "TMPDIR": str(left)}
        with subprocess.Popen(command, cwd=ROOT, env=variables, stdout=subprocess.PIPE) as server:
            assert server.stdout is not None
            server.stdout.readline()
            work = _rounds if options.rounds else _ask
            seen = work(f"http://127.0.0.1:{port}/", images, options, server.pid)
            server.send_signal(signal.SIGTERM)
            print("exit status", server.wait(30), "files left", len(list(left.iterdir())))
            bad = server.returncode or list(left.iterdir())
    print(dict(seen))
    return 1 if bad or any(k.startswith(("differs", "failed")) for k in seen) else 0


def _memory(pid: int) -> float:
    return psutil.Process(pid).memory_info().rss / 2**20


def _rounds(url: str, images: list[Path], options: argparse.Namespace, pid: int) -> Counter[str]:
    """Visitors who open an image, begin a job, and leave in its middle; memory after each round."""
    seen: Counter[str] = Counter()
    for number in range(options.rounds):
        leaving = [
            threading.Thread(target=lambda image=image: Visit(url, image).leave())
            for image in (images * options.visitors)[: options.visitors]
        ]
        for thread in leaving:
            thread.start()
        for thread in leaving:
            thread.join()
        seen["left"] += len(leaving)
        print(f"round {number + 1}: {_memory(pid):.0f} MB", flush=True)
    time.sleep(70)  # two of the server's looks at old sessions
    print(f"a minute later: {_memory(pid):.0f} MB", flush=True)
    return seen


def _ask(url: str, images: list[Path], options: argparse.Namespace, pid: int) -> Counter[str]:
    alone: list[dict[str, Any]] = []
    for image in images:
        visit = Visit(url, image)
        alone.append({name: plain(getattr(visit, name)()) for name in QUESTIONS})
        visit.client.close()
    seen: Counter[str] = Counter()
    end = time.monotonic() + 60 * options.minutes
    threads = []
    for n in range(options.visitors):
        image, told = images[n // options.sharing], alone[n // options.sharing]
        given = (url, image, told, end, n < LEAVING, seen, n)
        threads.append(threading.Thread(target=visitor, args=given))
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        print(f"{max(0.0, end - time.monotonic()):5.0f} s to go, {_memory(pid):.0f} MB", flush=True)
        time.sleep(15)
    return seen


if __name__ == "__main__":
    sys.exit(main())
