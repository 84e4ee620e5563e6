"""Buttons that make a ZIP of what is shown and have the browser save it."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image
from torch import Tensor

from hpinet.checkpoints.loading import BUNDLED
from hpinet.errors import UserError
from hpinet.imaging.images import from_uint8, png_bytes, to_uint8
from ui.compute.runtime import Runtime
from ui.events.handlers import HEAVY, spoken
from ui.state.inputs import Pixels
from ui.state.network import SWITCHED_OFF, TWIN, NetworkInfo
from ui.state.options import BICUBIC
from ui.state.record import MapsRecord, MatchesRecord
from ui.state.session import Session
from ui.tabs.components import press_when_made

Made = tuple[MapsRecord | MatchesRecord, bytes]
"""A record and the ZIP of it."""


def connect(
    runtime: Runtime,
    session: gr.State,
    button: gr.Button,
    file: gr.DownloadButton,
    make: Callable[[Session], Made],
    name: str,
    told: str,
) -> None:
    """Connect the button that makes a ZIP with the link that saves it.

    Args:
        runtime: Keeps the file.
        session: The visitor's.
        button: Makes the ZIP.
        file: Saves it, from `ui.tabs.components.saver`.
        make: Makes the ZIP of what the visitor is shown.
        name: Of the endpoint.
        told: What the endpoint does.
    """

    @spoken
    def to_file(session: Session) -> str:
        record, data = make(session)
        window, label = record.window, record.network.label
        place = f"{window.left}-{window.top}-{window.size}"
        stem = re.sub(r"[^\w.-]+", "_", f"{record.study.name[:60]}-{label}-{place}-{name}")
        folder = hashlib.sha256(data).hexdigest()[:16]
        return str(runtime.downloads.write(f"{folder}/{stem}.zip", data))

    options: dict[str, Any] = {**HEAVY, "concurrency_id": "export"}
    made = button.click(to_file, session, file, api_visibility="private", **options)
    gr.Button(visible=False).click(
        to_file,
        session,
        gr.File(label="ZIP", visible=False),
        api_name=name,
        api_description=told,
        **options,
    )
    press_when_made(made, file)


def model_arguments(network: NetworkInfo, way: str | None) -> list[str]:
    """Which network a command is to take.

    Args:
        network: The network.
        way: As in `ui.compute.attribution.Attribution.attributed`.
    """
    if way == BICUBIC:
        return ["--model", "bicubic", "--scale", str(network.scale)]
    path = network.twin_path if way == TWIN else network.path
    file = network.label if path is None else path.name
    return ["--model", file, *(["--no-gpa"] if way == SWITCHED_OFF else [])]


def weights(network: NetworkInfo) -> dict[str, bytes]:
    """The files that the commands name, of the bundled networks: so they run where they are.

    Others are their owners', who have them.
    """
    paths = [path for path in (network.path, network.twin_path) if path is not None]
    return {path.name: path.read_bytes() for path in paths if path.parent == BUNDLED}


def zipped(files: Mapping[str, bytes]) -> bytes:
    """Files by name as a ZIP."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        for file, data in sorted(files.items()):
            target.writestr(file, data)
    return packed.getvalue()


def png(pixels: Pixels) -> bytes:
    """Pixels as a PNG."""
    return png_bytes(Image.fromarray(pixels))


def lossless(rgb: Tensor) -> tuple[str, bytes]:
    """Name and bytes of a file from which `hpinet.read_picture` reads exactly these pixels.

    Args:
        rgb: (1, 3, h, w) in [0, 1], as it was read from an image.

    Raises:
        ValueError: If there is no such file.
    """
    pixels = to_uint8(rgb)
    if bool((from_uint8(pixels) == rgb).all()):
        return "lr.png", png(pixels)
    grey = rgb[0, 0].numpy()
    if not all(np.array_equal(grey, channel) for channel in rgb[0].numpy()):
        raise UserError("These pixels are no 8-bit colours and no grey: they cannot be exported.")
    file, deep = io.BytesIO(), np.round(grey.astype(np.float64) * 65535).astype(np.uint16)
    if np.array_equal((deep.astype(np.float64) / 65535).astype(np.float32), grey):
        Image.fromarray(deep).save(file, "PNG")
        return "lr.png", file.getvalue()
    Image.fromarray(grey).save(file, "TIFF")  # what was read from floating-point grey
    return "lr.tif", file.getvalue()
