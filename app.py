"""The front door: ``python app.py`` opens the page in a browser.

    python app.py [--host 127.0.0.1] [--port 7860] [--weights-dir DIR] [--no-browser]

Nothing leaves this machine: no telemetry, no share link, nothing fetched from elsewhere.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

MAX_UPLOAD = "40mb"


def main(arguments: Sequence[str] | None = None) -> int:
    """Start the server and wait until it is interrupted.

    Args:
        arguments: The command line, without the program's name.

    Returns:
        The exit status.
    """
    options = _parser().parse_args(arguments)
    # Before gradio is imported: it reads these once.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from ui.catalogue import Catalogue
    from ui.layout import build
    from ui.style import CSS, THEME
    from ui.work import end_running

    try:
        catalogue = Catalogue(options.weights_dir)
        catalogue.get(catalogue.labels[0])  # so that the first visitor need not wait
    except ValueError as error:
        print(f"app.py: {error}", file=sys.stderr)
        return 1
    if options.host not in ("127.0.0.1", "localhost", "::1"):
        print(f"Everyone who can reach {options.host} can use this page, without a password.")
    try:
        build(catalogue).queue(max_size=32).launch(
            server_name=options.host,
            server_port=options.port,
            inbrowser=not options.no_browser and _has_desktop(),
            share=False,
            max_file_size=MAX_UPLOAD,
            state_session_capacity=64,
            run_history=False,
            footer_links=["api", "settings"],
            theme=THEME,
            css=CSS,
        )
    except OSError as error:
        print(f"app.py: {error} (choose another by --port)", file=sys.stderr)
        return 1
    finally:
        end_running()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="app.py", description="See how a super-resolution network thinks."
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: this machine only)"
    )
    parser.add_argument("--port", type=int, default=7860, help="port to listen on (default: 7860)")
    parser.add_argument(
        "--weights-dir", type=Path, metavar="DIR", help="folder of further checkpoints to offer"
    )
    parser.add_argument(
        "--no-browser", action="store_true", help="do not open a browser, only say the address"
    )
    return parser


def _has_desktop() -> bool:
    """Whether a browser window could be seen: not on a server or over ssh."""
    if os.environ.get("SSH_CONNECTION"):
        return False
    if sys.platform.startswith("linux"):
        return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return True


if __name__ == "__main__":
    sys.exit(main())
