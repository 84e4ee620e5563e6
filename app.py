"""The front door: ``python app.py`` opens the page in a browser.

    python app.py [--host 127.0.0.1] [--port 7860] [--weights-dir DIR] [--no-browser]
                  [--model NETWORK ...] [--device auto] [--yes]
                  [--auth USER:PASSWORD | --auth-file FILE]

Nothing leaves this machine: no telemetry, no share link, nothing fetched from elsewhere. On a
Hugging Face Space, which sets SPACE_ID, it listens where the Space expects it.
"""

from __future__ import annotations

import argparse
import errno
import os
import socket
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from hpinet.errors import UserError
from hpinet.home import ensure_cache

MAX_UPLOAD = "100mb"
AUTH_VARIABLE = "HPINET_AUTH"
_HERE = ("127.0.0.1", "localhost", "::1")
_PORT = 7860
_OTHER_PORT = "choose another by --port or the variable GRADIO_SERVER_PORT"


def main(arguments: Sequence[str] | None = None) -> int:
    """Start the server and wait until it is interrupted.

    Args:
        arguments: The command line, without the program's name.

    Returns:
        The exit status.
    """
    space = bool(os.environ.get("SPACE_ID"))
    options = _parser().parse_args(arguments)
    ensure_cache()
    # Before gradio is imported: it reads these once.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    if not space:
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from ui.server.memory import limit_arenas
    from ui.server.shutdown import Signals, Stopped
    from ui.server.workspace import workspace

    limit_arenas()
    # What visitors upload is for nobody else on this machine, and goes when the server ends.
    base = os.environ.get("GRADIO_TEMP_DIR")
    try:
        auth = read_auth(options.auth, options.auth_file)
        options.host, options.port = address(options.host, options.port, space)
        with Signals() as signals, workspace(Path(base) if base else None) as folder:
            signals.folder = folder
            os.environ["GRADIO_TEMP_DIR"] = str(folder / "uploads")
            return _serve(options, auth, space)
    except Stopped as stopped:
        return stopped.code
    except UserError as error:
        print(f"app.py: {error}", file=sys.stderr)
        return 1
    finally:
        if base is None:
            os.environ.pop("GRADIO_TEMP_DIR", None)
        else:
            os.environ["GRADIO_TEMP_DIR"] = base


def _serve(options: argparse.Namespace, auth: list[tuple[str, str]], space: bool) -> int:
    from hpinet.cli.networks import fetching
    from hpinet.cli.options import usable_device
    from ui.compute.runtime import Runtime
    from ui.layout import build, warm_up
    from ui.networks.model_catalogue import Catalogue

    device = usable_device(options.device)
    runtime = Runtime(
        Catalogue(
            options.weights_dir,
            models=options.model,
            device=device,
            fetch=fetching(options.yes),
            local=options.host in _HERE and not space,
        )
    )
    try:
        # The network computes what the page shows first while the page is put together.
        with ThreadPoolExecutor(1) as beside:
            warm = beside.submit(warm_up, runtime)
            demo = build(runtime).queue(max_size=64)
            warm.result()
        if options.host not in _HERE and not space:
            print(exposure(options.host, options.port, bool(auth)))
        demo.launch(
            server_name=options.host,
            server_port=options.port,
            inbrowser=not options.no_browser and _has_desktop(),
            **launch_options(auth),
        )
    except OSError as error:
        print(f"app.py: {error} ({_OTHER_PORT})", file=sys.stderr)
        return 1
    finally:
        runtime.close()
    return 0


def launch_options(auth: Sequence[tuple[str, str]] = ()) -> dict[str, Any]:
    """What every launch of the page needs, whoever launches it.

    Args:
        auth: Names and passwords of visitors; none asks nobody.
    """
    from ui.server.options import app_options
    from ui.viewer.routes import ROUTES
    from ui.views.html import CSS, THEME

    return {
        "app_kwargs": {**app_options(auth), "routes": ROUTES},
        "share": False,
        "ssr_mode": False,
        "max_file_size": MAX_UPLOAD,
        "state_session_capacity": 1_000_000,  # ended by ui.server.maintenance
        "run_history": False,
        # Otherwise gradio asks itself for the page, and serves nothing where that takes over 3 s,
        # as on a busy machine, or where a proxy answers instead.
        "_frontend": False,
        "footer_links": ["api", "settings"],
        "theme": THEME,
        "css": CSS,
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
        ValueError: No such file, a line that is none, or two lines for one name.
    """
    from ui.server.accounts import plain_name

    lines: list[tuple[int, str]] = []
    source = "--auth"
    if given is not None:
        lines = [(1, given)]
    elif file is not None:
        source = str(file)
        try:
            text = file.read_text("utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError):
            raise UserError(f"{file} cannot be read: --auth-file names a text file") from None
        lines = [(number, line.strip()) for number, line in enumerate(text, 1) if line.strip()]
        if not lines:
            raise UserError(f"{file} is empty: a line USER:PASSWORD was expected")
    elif os.environ.get(AUTH_VARIABLE):
        lines, source = [(1, os.environ[AUTH_VARIABLE])], AUTH_VARIABLE
    pairs: dict[str, str] = {}
    for number, line in lines:
        name, _, password = line.partition(":")
        name = plain_name(name)
        if not name or not password:
            raise UserError(f"{source}, line {number}: USER:PASSWORD was expected")
        if name in pairs:
            raise UserError(f"{source}, line {number}: there is a line for {name} already")
        pairs[name] = password
    return list(pairs.items())


def address(host: str | None, port: int | None, space: bool = False) -> tuple[str, int]:
    """Where to listen: as given, else as gradio's variables say, else on this machine alone.

    Args:
        host: Of the command line.
        port: Of the command line.
        space: Whether this is a Hugging Face Space, which everyone may reach.

    Raises:
        UserError: No such address, or it is taken.
    """
    if host is None:
        host = os.environ.get("GRADIO_SERVER_NAME") or ("0.0.0.0" if space else "127.0.0.1")
    if port is None:
        text = os.environ.get("GRADIO_SERVER_PORT") or str(_PORT)
        if not text.isdecimal():
            raise UserError(f"the variable GRADIO_SERVER_PORT must be a port, not {text!r}")
        port = int(text)
    if not 1 <= port <= 65535:
        raise UserError(f"the port must be 1 to 65535, not {port}")
    if not host.strip():
        raise UserError("the host is empty: 127.0.0.1 is this machine alone, 0.0.0.0 everyone")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as tried:
            if os.name == "posix":  # as the server does: a port in its last moments is free
                tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind((host, port))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UserError(f"port {port} of {host} is taken: {_OTHER_PORT}") from None
        if error.errno == errno.EACCES:
            raise UserError(f"port {port} may not be used: {_OTHER_PORT}") from None
        raise UserError(
            f"this machine has no address {host!r}: name another by --host or the variable "
            f"GRADIO_SERVER_NAME; 127.0.0.1 is this machine alone, 0.0.0.0 everyone"
        ) from None
    return host, port


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="app.py", description="See how a super-resolution network thinks."
    )
    parser.add_argument(
        "--host", help="address to listen on (default: GRADIO_SERVER_NAME, or this machine only)"
    )
    parser.add_argument(
        "--port", type=int, help=f"port to listen on (default: GRADIO_SERVER_PORT, or {_PORT})"
    )
    parser.add_argument(
        "--weights-dir", type=Path, metavar="DIR", help="folder of further checkpoints to offer"
    )
    parser.add_argument(
        "--model", action="append", default=[], metavar="NETWORK",
        help="a network to offer first, as in the commands: a released one, a file, or "
        "FILE.py:build; repeat it for several",
    )  # fmt: skip
    parser.add_argument(
        "--device", default="auto", help="auto (default: a GPU where there is one), cpu, cuda, mps"
    )
    parser.add_argument(
        "--yes", action="store_true", help="fetch released weights of --model without asking"
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
    status = main()
    from ui.server.shutdown import exit_now

    exit_now(status)
