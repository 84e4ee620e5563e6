"""Transparent colours of PNG files as alpha, and colours hidden under alpha filled in."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

Array = np.ndarray

_HIDDEN = 3.5 / 255  # alpha of 3 of 255 and less: what lies there is not to be seen


def keyed_alpha(image: Image.Image) -> tuple[Array | None, str]:
    """Alpha of a PNG that declares one grey value or colour transparent (its tRNS chunk).

    To be asked before the pixels are decoded, since the values count at the file's own depth.

    Args:
        image: Opened by Pillow.

    Returns:
        (H, W) uint8, 0 where the value is met and 255 elsewhere, or None where no value is
        declared; and a note.
    """
    key = image.info.get("transparency")
    if image.mode == "RGB" and isinstance(key, tuple) and len(key) == 3:
        values, shown = _colours(image, key), f"colour {key}"
        return _opaque(~(values == np.array(key)).all(axis=2)), _note(shown)
    if image.mode in ("1", "L", "I;16", "I") and isinstance(key, int):
        raw = str(getattr(image, "tile", ""))
        bits = next((b for b in (2, 4) if f"L;{b}" in raw), 8)
        image.load()
        if image.mode == "1":
            values, level = np.asarray(image).astype(int), int(key > 0)
        else:
            # Pillow spreads 2 and 4 bits over 0 to 255, but not the value.
            values, level = np.asarray(image).astype(int), key * (255 // (2**bits - 1))
            if image.mode != "L":
                level = key
        return _opaque(values != level), _note(f"grey value {key}")
    return None, ""


def _note(what: str) -> str:
    return f"the {what}, which the file declares transparent, converted to alpha"


def _opaque(mask: Array) -> Array:
    return np.where(mask, np.uint8(255), np.uint8(0))


def _colours(image: Any, key: tuple[int, ...]) -> Array:
    """(H, W, 3) integers of the file's depth: Pillow itself keeps the high byte of 16 bits only."""
    tiles = getattr(image, "tile", None)
    if not tiles or tiles[0][3] != "RGB;16B":
        image.load()
        return np.asarray(image).astype(int)
    place = image.fp.tell()
    image.fp.seek(0)
    with Image.open(io.BytesIO(image.fp.read()), formats=["PNG"]) as again:
        # Read as if the other byte were the high one, the same file gives the low bytes.
        again.tile = [again.tile[0]._replace(args="RGB;16L")]
        low = np.asarray(again).astype(int)
    image.fp.seek(place)
    image.load()
    return np.asarray(image).astype(int) * 256 + low


def fill_hidden(rgb: Tensor, alpha: Tensor | None) -> Tensor:
    """Give what cannot be seen the colour of the nearest pixel that can.

    Under full transparency files hold any colour, mostly black. A filter or a network mixes it into
    the edge of what is visible.

    Args:
        rgb: (B, 3, H, W).
        alpha: (B, 1, H, W) in [0, 1], or None.

    Returns:
        ``rgb`` itself where nothing is hidden, or nothing visible; else a filled copy.
    """
    if alpha is None:
        return rgb
    hidden = (alpha <= _HIDDEN).cpu().numpy()
    if not hidden.any():
        return rgb
    from scipy.ndimage import distance_transform_edt  # takes its time to import

    filled = rgb.clone()
    for number, mask in enumerate(hidden[:, 0]):
        if mask.all() or not mask.any():
            continue
        nearest = distance_transform_edt(mask, return_distances=False, return_indices=True)
        rows, columns = (torch.from_numpy(index[mask]).long() for index in nearest)
        place = torch.from_numpy(mask)
        filled[number][:, place] = rgb[number][:, rows, columns]
    return filled
