"""The front door: ``python app.py`` opens the page in a browser.

    python app.py [--host 127.0.0.1] [--port 7860] [--weights-dir DIR] [--no-browser]
                  [--auth USER:PASSWORD | --auth-file FILE]

Nothing leaves this machine: no telemetry, no share link, nothing fetched from elsewhere. On a
Hugging Face Space, which sets SPACE_ID, it listens where the Space expects it.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

MAX_UPLOAD = "100mb"
AUTH_VARIABLE = "HPINET_AUTH"
_HERE = ("127.0.0.1", "localhost", "::1")
_SPACE_PORT = 7860


def main(arguments: Sequence[str] | None = None) -> int:
    """Start the server and wait until it is interrupted.

    Args:
        arguments: The command line, without the program's name.

    Returns:
        The exit status.
    """
    space = bool(os.environ.get("SPACE_ID"))
    options = _parser(space).parse_args(arguments)
    # Before gradio is imported: it reads these once.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    if not space:
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
    try:
        auth = read_auth(options.auth, options.auth_file)
        _check_address(options.host, options.port)
        # What visitors upload is for nobody else on this machine, and goes when the server ends.
        with tempfile.TemporaryDirectory(prefix="hpinet-lens-uploads-") as folder:
            os.environ.setdefault("GRADIO_TEMP_DIR", folder)
            return _serve(options, auth, space)
    except ValueError as error:
        print(f"app.py: {error}", file=sys.stderr)
        return 1


def _serve(options: argparse.Namespace, auth: list[tuple[str, str]], space: bool) -> int:
    from ui.compute.runtime import Runtime
    from ui.layout import build, warm_up
    from ui.state.model_catalogue import Catalogue

    runtime = Runtime(Catalogue(options.weights_dir))
    # The network computes what the page shows first while the page is put together.
    with ThreadPoolExecutor(1) as beside:
        warm = beside.submit(warm_up, runtime)
        demo = build(runtime).queue(max_size=64)
        warm.result()
    if options.host not in _HERE and not space:
        print(exposure(options.host, options.port, bool(auth)))
    try:
        demo.launch(
            server_name=options.host,
            server_port=options.port,
            inbrowser=not options.no_browser and _has_desktop(),
            auth=auth or None,
            **launch_options(),
        )
    except OSError as error:
        print(f"app.py: {error} (choose another by --port)", file=sys.stderr)
        return 1
    finally:
        runtime.close()
    return 0


def launch_options() -> dict[str, Any]:
    """What every launch of the page needs, whoever launches it."""
    from ui.viewer.routes import ROUTES
    from ui.views.html import CSS, THEME

    return {
        "share": False,
        "ssr_mode": False,
        "max_file_size": MAX_UPLOAD,
        "state_session_capacity": 64,
        "run_history": False,
        "footer_links": ["api", "settings"],
        "theme": THEME,
        "css": CSS,
        "app_kwargs": {"routes": ROUTES},
    }


def exposure(host: str, port: int, password: bool) -> str:
    """What it means to listen on an address that is not this machine's own."""
    whom = (
        "everyone on your network" if host in ("0.0.0.0", "::") else f"everyone who reaches {host}"
    )
    text = (
        f"Listening on {host}:{port}: {whom} can open this page, upload images and weights to "
        "this machine and use its processor. Visitors do not see each other's images or models."
    )
    if password:
        return f"{text} A password is asked for, but travels unencrypted: put HTTPS in front."
    return f"{text} No password is asked for: --auth-file sets one."


def read_auth(given: str | None, file: Path | None) -> list[tuple[str, str]]:
    """Names and passwords of visitors; none where nobody is asked.

    Args:
        given: USER:PASSWORD of the command line.
        file: A file with such lines.

    Raises:
        ValueError: No such file, or a line that is none.
    """
    lines, source = [], "--auth"
    if given is not None:
        lines = [given]
    elif file is not None:
        source = str(file)
        try:
            lines = file.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            raise ValueError(f"{file} cannot be read: --auth-file names a text file") from None
        lines = [line.strip() for line in lines if line.strip()]
        if not lines:
            raise ValueError(f"{file} is empty: a line USER:PASSWORD was expected")
    elif os.environ.get(AUTH_VARIABLE):
        lines, source = [os.environ[AUTH_VARIABLE]], AUTH_VARIABLE
    pairs = []
    for number, line in enumerate(lines, 1):
        name, _, password = line.partition(":")
        if not name or not password:
            raise ValueError(f"{source}, line {number}: USER:PASSWORD was expected")
        pairs.append((name, password))
    return pairs


def _check_address(host: str, port: int) -> None:
    if not 1 <= port <= 65535:
        raise ValueError(f"the port must be 1 to 65535, not {port}")
    if not host.strip():
        raise ValueError("the host is empty: 127.0.0.1 is this machine alone, 0.0.0.0 everyone")


def _parser(space: bool) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="app.py", description="See how a super-resolution network thinks."
    )
    parser.add_argument(
        "--host",
        default="0.0.0.0" if space else "127.0.0.1",
        help="address to listen on (default: this machine only)",
    )
    parser.add_argument(
        "--port", type=int, default=_SPACE_PORT, help="port to listen on (default: 7860)"
    )
    parser.add_argument(
        "--weights-dir", type=Path, metavar="DIR", help="folder of further checkpoints to offer"
    )
    parser.add_argument(
        "--no-browser", action="store_true", help="do not open a browser, only say the address"
    )
    who = parser.add_mutually_exclusive_group()
    who.add_argument(
        "--auth",
        metavar="USER:PASSWORD",
        help="ask visitors for these; other users of this machine can read a command line, so "
        f"better use --auth-file or the variable {AUTH_VARIABLE}",
    )
    who.add_argument("--auth-file", type=Path, metavar="FILE", help="file with lines USER:PASSWORD")
    return parser


def _has_desktop() -> bool:
    """Whether a browser window could be seen: not on a server or over ssh."""
    if os.environ.get("SSH_CONNECTION") or os.environ.get("SPACE_ID"):
        return False
    if sys.platform.startswith("linux"):
        return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return True


if __name__ == "__main__":
    sys.exit(main())
