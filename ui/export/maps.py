"""Everything about the maps in one ZIP, with the commands that compute them again."""

from __future__ import annotations

import hashlib
import io
import json
import re
import shlex
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import gradio as gr
import numpy as np
from PIL import Image
from torch import Tensor

from hpinet.checkpoints.loading import BUNDLED
from hpinet.imaging.files import write_bytes
from hpinet.imaging.images import from_uint8, to_uint8
from lam import LocalAttributionResult, Window
from ui.components import press_when_made
from ui.compute import attribution, super_resolution
from ui.events.handlers import HEAVY, current, spoken
from ui.state.model_catalogue import OWN, TWIN, Catalogue, Network
from ui.state.options import AREAS, BICUBIC, IMPORTANCE, LAM, SIGNED, Look
from ui.state.session import Pixels, Session, Study
from ui.views import maps
from ui.views.path import figure_pixels

_KEPT = 32
_folder = tempfile.TemporaryDirectory(prefix="hpinet-lens-zip-")  # gone when the server ends

NAMES = ("with_gpa", "without_gpa", "bicubic")
"""What the maps are called in the ZIP, in the order of `Session.maps`."""

FOURTH = "without_gpa_same_weights"
"""That of the second way to be without GPA, where both were asked for."""


def connect(
    catalogue: Catalogue,
    session: gr.State,
    button: gr.Button,
    file: gr.DownloadButton,
    make: Callable[[Session, Study, Network], bytes],
    name: str,
    told: str,
) -> None:
    """Connect the button that makes a ZIP with the link that saves it.

    Args:
        catalogue: The networks.
        session: The visitor's.
        button: Makes the ZIP.
        file: Saves it, from `ui.components.saver`.
        make: Returns its bytes.
        name: Of the endpoint.
        told: What the endpoint does.
    """

    @spoken
    def to_file(session: Session) -> str:
        return str(save(session, *current(session, catalogue), make, name))

    options = {**HEAVY, "concurrency_id": "export"}
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


def save(
    session: Session,
    study: Study,
    network: Network,
    make: Callable[[Session, Study, Network], bytes],
    kind: str,
) -> Path:
    """Write a ZIP.

    Raises:
        ValueError: If there is nothing to export.
    """
    data = make(session, study, network)
    window = session.window
    assert window is not None
    place = f"{window.left}-{window.top}-{window.size}"
    name = re.sub(r"[^\w.-]+", "_", f"{study.name[:60]}-{network.label}-{place}-{kind}")
    folder = hashlib.sha256(data).hexdigest()[:16]
    path = Path(_folder.name) / folder / f"{name}.zip"
    write_bytes(path, data)
    files = sorted(Path(_folder.name).rglob("*.zip"), key=lambda p: p.stat().st_mtime)
    for old in files[:-_KEPT]:
        old.unlink(missing_ok=True)
    return path


def archive(session: Session, study: Study, network: Network) -> bytes:
    """The ZIP's bytes.

    Raises:
        ValueError: If no map is finished.
    """
    ways: tuple[str | None, ...] = (None, session.way, BICUBIC, session.also)
    done = [
        (name, way, result)
        for name, way, result in zip((*NAMES, FOURTH), ways, session.maps, strict=False)
        if result is not None and result.finished
    ]
    if not done:
        raise ValueError("There is nothing to export yet: compute the maps first.")
    left, top, height, width = session.region
    crop = study.lr.rgb[..., top : top + height, left : left + width]
    lr_name, lr_bytes = lossless(crop)
    files = {
        lr_name: lr_bytes,
        "window.png": png(maps.picture_pixels(session, study, network)),
        "sr.png": png(super_resolution.super_resolved(study, network).pixels),
    }
    commands = {}
    for name, way, result in done:
        files |= _of_map(session, study, network, name, result)
        commands[name] = command(session, network, way, lr_name, name)
    difference, _ = maps.draw_difference(session, study, network)
    if difference is not None:
        files["difference.png"] = png(difference)
    files["parameters.json"] = _parameters(session, network, lr_name, commands)
    return zipped(files)


def command(
    session: Session, network: Network, way: str | None, lr_name: str, folder: str
) -> list[str]:
    """The command line, in words, that computes a map again from the ZIP's pixels.

    Args:
        session: Its window and method.
        network: The network.
        way: As in `ui.compute.attribution.attributed`.
        lr_name: The file of low-resolution pixels.
        folder: Where the command is to write.
    """
    window, how = maps.inner_window(session, network), session.how
    words = ["python", "-m", "lam", lr_name, "--window"]
    words += [str(v) for v in (window.left, window.top, window.size)]
    words += [*model_arguments(network, way), "--method", how.method]
    if how.method == LAM:
        words += ["--steps", str(how.steps)]
    return [*words, "--matches", attribution.matches_rule(network, way, how), "-o", folder]


def model_arguments(network: Network, way: str | None) -> list[str]:
    """Which network a command is to take; arguments as in `ui.compute.attribution.attributed`."""
    if way == BICUBIC:
        return ["--model", "bicubic", "--scale", str(network.scale)]
    path = network.twin_path if way == TWIN else network.path
    file = network.label if path is None else path.name
    if path is not None and path.parent == BUNDLED:
        file = f"hpinet/weights/{path.name}"
    return ["--model", file, *(["--no-gpa"] if way == OWN else [])]


def _of_map(
    session: Session, study: Study, network: Network, name: str, result: attribution.Result
) -> dict[str, bytes]:
    arrays = io.BytesIO()
    np.savez(arrays, attribution=result.attribution, importance=result.importance)
    files = {f"{name}.npz": arrays.getvalue()}
    look, limit = session.look, maps.shared_limit(session, session.look)
    for view, ending in ((IMPORTANCE, ""), (SIGNED, "_signed"), (AREAS, "_areas")):
        drawn = Look(look.strength, look.colours, view, look.third, look.scale, look.end)
        pixels = maps.draw(session, study, network, result, drawn, limit)
        files[f"{name}{ending}.png"] = png(pixels)
    if isinstance(result, LocalAttributionResult):
        files[f"{name}_path.png"] = png(figure_pixels(result))
    return files


def _parameters(
    session: Session, network: Network, lr_name: str, commands: dict[str, list[str]]
) -> bytes:
    window: Window | None = session.window
    assert window is not None
    content = {
        "how_to_repeat": "Run these commands in a checkout of HPINet Lens, in the folder of the "
        "ZIP's files or with their paths: each writes map.npz, which holds the same map. A weights "
        "file that is not the project's own has to be given with its path.",
        "commands": {name: shlex.join(words) for name, words in commands.items()},
        "lr": lr_name,
        "window_in_sr_pixels": [window.left, window.top, window.size],
        "drawing": {
            name: getattr(session.look, name) for name in ("strength", "colours", "scale", "end")
        },
        **maps.numbers(session, network),
    }
    return (json.dumps(content, indent=2, allow_nan=False) + "\n").encode()


def zipped(files: dict[str, bytes]) -> bytes:
    """Files by name as a ZIP."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        for file, data in sorted(files.items()):
            target.writestr(file, data)
    return packed.getvalue()


def png(pixels: Pixels) -> bytes:
    """Pixels as a PNG."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def lossless(rgb: Tensor) -> tuple[str, bytes]:
    """Name and bytes of a file from which `hpinet.read_picture` reads exactly these pixels.

    Args:
        rgb: (1, 3, h, w) in [0, 1], as it was read from a picture.

    Raises:
        ValueError: If there is no such file.
    """
    pixels = to_uint8(rgb)
    if bool((from_uint8(pixels) == rgb).all()):
        return "lr.png", png(pixels)
    grey = rgb[0, 0].numpy()
    if not all(np.array_equal(grey, channel) for channel in rgb[0].numpy()):
        raise ValueError("These pixels are no 8-bit colours and no grey: they cannot be exported.")
    file, deep = io.BytesIO(), np.round(grey.astype(np.float64) * 65535).astype(np.uint16)
    if np.array_equal((deep.astype(np.float64) / 65535).astype(np.float32), grey):
        Image.fromarray(deep).save(file, "PNG")
        return "lr.png", file.getvalue()
    Image.fromarray(grey).save(file, "TIFF")  # what was read from floating-point grey
    return "lr.tif", file.getvalue()
