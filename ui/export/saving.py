"""Buttons that make a ZIP of what is shown and have the browser save it."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image
from torch import Tensor

from hpinet.errors import UserError
from hpinet.imaging.images import from_uint8, to_uint8
from hpinet.networks.open import BUNDLED
from lam import Window
from lam.report import encoded
from ui.api.registering import register
from ui.compute.runtime import Runtime
from ui.events.handlers import HEAVY, with_user_errors
from ui.networks.network import SWITCHED_OFF, TWIN, NetworkInfo
from ui.state.options import BICUBIC
from ui.state.record import MapsRecord, MatchesRecord, NetworksRecord
from ui.state.session import Session
from ui.tabs.components import download_when_made

Made = tuple[MapsRecord | MatchesRecord | NetworksRecord, bytes]
"""A record and the file of it."""


def connect(
    runtime: Runtime,
    session: gr.State,
    button: gr.Button,
    file: gr.DownloadButton,
    make: Callable[..., Made],
    name: str,
    told: str,
    kind: str = "zip",
    seen: str = "",
) -> None:
    """Connect the button that makes a file with the link that saves it, and an endpoint.

    ``told`` says what the endpoint does; empty for none. ``seen`` is JavaScript from the session
    to that and what the browser shows, which ``make`` is then told, too.
    """

    @with_user_errors
    def to_file(session: Session, *shown: object) -> str:
        record, data = make(session, *shown)
        window, label = record.window, record.network.label
        place = f"{window.left}-{window.top}-{window.size}"
        stem = re.sub(r"[^\w.-]+", "_", f"{record.study.name[:60]}-{label}-{place}-{name}")
        folder = hashlib.sha256(data).hexdigest()[:16]
        return str(runtime.downloads.write(f"{folder}/{stem}.{kind}", data))

    options: dict[str, Any] = {**HEAVY, "concurrency_id": "export"}
    inputs = [session, *([gr.JSON(visible=False)] if seen else [])]
    private = {**options, "api_visibility": "private", "js": seen or None}
    made = button.click(to_file, inputs, file, **private)
    if told:
        zipped = gr.File(label="ZIP", visible=False)
        register(to_file, [session], [zipped], name, told, **options)
    download_when_made(made, file)


HOW_TO_REPEAT = (
    "Run this in the folder of the ZIP's files, with HPINet Lens installed. A weights file that is "
    "not the project's own has to be put there."
)


def window_arguments(window: Window) -> list[str]:
    """Which window a command is to explain."""
    return ["--window", *(str(v) for v in (window.left, window.top, window.size))]


def model_name(network: NetworkInfo, way: str | None) -> str:
    """What commands call a network; ``way`` as in `Attribution.attributed`."""
    if way == BICUBIC:
        return BICUBIC
    path = network.twin_path if way == TWIN else network.path
    return network.label if path is None else path.name


def model_arguments(network: NetworkInfo, way: str | None) -> list[str]:
    """Which network a command of a single one is to take, as `model_name`."""
    more = ["--scale", str(network.scale)] if way == BICUBIC else []
    more += ["--no-gpa"] if way == SWITCHED_OFF else []
    return ["--model", model_name(network, way), *more]


def weights(network: NetworkInfo) -> dict[str, bytes]:
    """The bundled weights that the commands name; others are their owners', who have them."""
    paths = [path for path in (network.path, network.twin_path) if path is not None]
    return {path.name: path.read_bytes() for path in paths if path.parent == BUNDLED}


def lossless(rgb: Tensor) -> tuple[str, bytes]:
    """Name and bytes of a file from which `hpinet.read_picture` reads exactly these pixels."""
    pixels = to_uint8(rgb)
    if bool((from_uint8(pixels) == rgb).all()):
        return "lr.png", encoded("lr.png", pixels)
    grey = rgb[0, 0].numpy()
    if not all(np.array_equal(grey, channel) for channel in rgb[0].numpy()):
        raise UserError("These pixels are no 8-bit colours and no grey: they cannot be exported.")
    file, deep = io.BytesIO(), np.round(grey.astype(np.float64) * 65535).astype(np.uint16)
    if np.array_equal((deep.astype(np.float64) / 65535).astype(np.float32), grey):
        Image.fromarray(deep).save(file, "PNG")
        return "lr.png", file.getvalue()
    Image.fromarray(grey).save(file, "TIFF")  # what was read from floating-point grey
    return "lr.tif", file.getvalue()
