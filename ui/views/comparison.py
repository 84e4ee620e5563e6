"""Contenders of one image in the viewer, and where they differ from the original."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from hpinet.errors import UserError
from hpinet.metrics.psnr_ssim import to_y
from lam import Window
from lam.figures.overlay import colour_limit
from ui.compute.contenders import BICUBIC, NETWORK, Contender
from ui.compute.runtime import Runtime
from ui.compute.scores import large_enough
from ui.state.inputs import Pixels
from ui.state.record import ComparisonRecord, Subject
from ui.storage.file_store import ImageStore
from ui.viewer.store import STORE, Owner

WINDOW, ERRORS, WINDOW_ERRORS = "window", "errors", "window errors"
VIEWS = (WINDOW, ERRORS, WINDOW_ERRORS)
"""What the endpoint ``/closer_look`` can show."""

COLOURS = "viridis"
"""Of error maps: not the attribution maps' inferno, as an error is no importance."""

_PERCENTILE = 99.5

Errors = NDArray[np.float64]


def errors(sr: Pixels, hr: Pixels) -> Errors:
    """Absolute error of the luma that PSNR-Y is made of, (h, w), in levels of 8 bit."""
    return np.abs(to_y(sr).astype(np.float64) - to_y(hr))


def crop(values: NDArray[Any], window: Window) -> NDArray[Any]:
    """The window's part of an image or map, (size, size, ...)."""
    left, top, size = window.left, window.top, window.size
    return values[top : top + size, left : left + size].copy()


def error_limit(maps: Sequence[Errors]) -> float:
    """The end of the scale that all error maps share, in levels of 8 bit."""
    return colour_limit(list(maps), _PERCENTILE)


def scene(
    runtime: Runtime,
    record: ComparisonRecord,
    window: Window,
    owner: Owner,
    ready: Sequence[Contender] | None = None,
) -> dict[str, Any]:
    """The viewer's value: every contender, with the images of those that are computed.

    Args:
        runtime: Computes and keeps.
        record: What is compared.
        window: In SR pixels.
        owner: Who may see the images.
        ready: The contenders whose images may be computed now; by default none.
    """
    study, scale = record.study, record.network.scale
    contenders = []
    for contender in runtime.contenders.among(record):
        address = None
        known = runtime.contenders.known(contender, study, scale)
        if known or (ready is not None and contender in ready):
            # One that fails or takes too long has none: its row in the table says why.
            with suppress(UserError):
                pixels = runtime.contenders.pixels(contender, study, scale)
                address = STORE.image(pixels, owner)
        contenders.append({"name": contender.kind, "label": contender.label, "image": address})
    return compared(record, window, owner, contenders, (BICUBIC, NETWORK), picks=True, saves=True)


def compared(
    record: Subject,
    window: Window,
    owner: Owner,
    contenders: Sequence[Mapping[str, Any]],
    first: tuple[str, str],
    **more: Any,
) -> dict[str, Any]:
    """A value that compares images of one size: name, label and address of each."""
    height, width = record.size
    images = "".join(str(c["image"])[-8:] for c in contenders)
    return {
        "kind": "compare",
        "key": owner.key,
        "name": record.study.name,
        "network": record.network.label,
        "size": [width, height],
        "scale": record.network.scale,
        "window": [window.left, window.top, window.size],
        "contenders": list(contenders),
        "first": list(first),
        "stamp": f"{record.study.key[:8]} {record.network.label} {window.left} {images}",
        **more,
    }


def description(record: ComparisonRecord, left_out: str) -> str:
    """What was done to the image.

    Args:
        record: The comparison.
        left_out: Why a network is missing in it.
    """
    study, scale = record.study, record.network.scale
    (height, width), (high, wide) = study.size, record.size
    if study.hr is not None:
        text = (
            f"The original of {wide}x{high} pixels was shrunk to {width}x{height} (MATLAB bicubic) "
            "and restored from that."
        )
        if not large_enough(study, scale):
            text += " It is too small for PSNR and SSIM."
    else:
        text = f"{width}x{height} pixels were enlarged to {wide}x{high}; "
        text += "there is no original to score by."
    if study.notes:
        text += " On reading: " + "; ".join(study.notes) + "."
    return f"{text} {left_out}" if left_out else text


def cell(label: str, pixels: Pixels | None, images: ImageStore) -> dict[str, str]:
    """A captioned image of the template ``strip``; None for one that is still to come."""
    address = "" if pixels is None else f"gradio_api/file={quote(images.shown(pixels))}"
    return {"label": label, "address": address, "alt": label}
