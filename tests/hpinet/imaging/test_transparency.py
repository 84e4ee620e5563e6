"""Transparent values of PNG files, and colours that alpha hides."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import torch
from helpers.image_files import chunk, png_file
from PIL import Image, ImageDraw

from hpinet import Picture, bicubic, load_model, read_picture, upscale
from hpinet.imaging.images import to_uint8
from hpinet.imaging.transparency import fill_hidden


def alpha_of(path) -> list[int]:
    picture = read_picture(path)
    assert "declares transparent" in picture.notes[-1]
    return (picture.alpha.flatten() * 255).round().int().tolist()


@pytest.mark.parametrize(
    ("bits", "row", "key", "expected"),
    [
        (1, b"\xa0", 1, [0, 255, 0]),
        (1, b"\xa0", 0, [255, 0, 255]),
        (2, b"\x1b", 1, [255, 0, 255]),  # 0 1 2 3
        (4, b"\x12\x10", 1, [0, 255, 0]),
        (8, b"\x01\x02\x01", 2, [255, 0, 255]),
        (16, struct.pack(">HHH", 8000, 8001, 8000), 8000, [0, 255, 0]),
        (16, struct.pack(">HHH", 8000, 8001, 31), 8001, [255, 0, 255]),
    ],
)
def test_a_transparent_grey_counts_at_the_depth_of_the_file(tmp_path, bits, row, key, expected):
    path = tmp_path / "a.png"
    path.write_bytes(png_file([row], 3, bits, 0, [chunk(b"tRNS", struct.pack(">H", key))]))
    assert alpha_of(path) == expected
    assert f"grey value {key}" in read_picture(path).notes[-1] or bits == 1


@pytest.mark.parametrize("turned", [False, True])
def test_a_transparent_colour_of_16_bits_is_told_by_its_low_bytes_too(tmp_path, turned):
    row = struct.pack(">6H", 1000, 2000, 3000, 1001, 2000, 3000)
    chunks = [chunk(b"tRNS", struct.pack(">3H", 1001, 2000, 3000))]
    if turned:  # by half a turn
        exif = Image.Exif()
        exif[0x0112] = 3
        chunks.insert(0, chunk(b"eXIf", exif.tobytes()[6:]))
    path = tmp_path / "a.png"
    path.write_bytes(png_file([row], 2, 16, 2, chunks))
    assert alpha_of(path) == ([0, 255] if turned else [255, 0])
    assert to_uint8(read_picture(path).rgb)[0].tolist() == [[3, 7, 11]] * 2  # the high bytes


def test_a_transparent_colour_of_8_bits(tmp_path):
    path = tmp_path / "a.png"
    chunks = [chunk(b"tRNS", struct.pack(">3H", 4, 5, 6))]
    path.write_bytes(png_file([bytes([1, 2, 3, 4, 5, 6])], 2, 8, 2, chunks))
    assert alpha_of(path) == [255, 0]


def disk() -> Picture:
    """A red disk with a soft edge on transparent black."""
    large = Image.new("L", (384, 384))
    ImageDraw.Draw(large).ellipse((64, 64, 320, 320), fill=255)
    alpha = np.asarray(large.resize((48, 48), Image.Resampling.BOX))
    colour = np.where(alpha[..., None] > 0, np.array([220, 40, 40], np.uint8), np.uint8(0))
    return read_picture(Image.fromarray(np.dstack([colour, alpha])))


@pytest.mark.parametrize(
    "enlarge", [lambda p: bicubic(p, 4), lambda p: upscale(load_model("S"), p)]
)
def test_hidden_colours_do_not_bleed_into_edges(enlarge):
    large = enlarge(disk())
    on_white = large.rgb * large.alpha + (1 - large.alpha)
    assert on_white[0, 0].min() * 255 > 216  # the disk itself is 220
    assert on_white[0, 1:].min() * 255 > 30


def test_what_is_visible_stays_and_what_is_hidden_takes_the_nearest():
    rgb = torch.rand(1, 3, 4, 6)
    alpha = torch.ones(1, 1, 4, 6)
    assert fill_hidden(rgb, None) is rgb
    assert fill_hidden(rgb, alpha) is rgb
    alpha[..., 2:] = 0
    filled = fill_hidden(rgb, alpha)
    assert torch.equal(filled[..., :2], rgb[..., :2])
    assert torch.equal(filled[..., 2:], rgb[..., 1:2].expand(1, 3, 4, 4))
    assert torch.equal(fill_hidden(rgb, 0 * alpha), rgb)  # nothing is visible: nothing to take


def test_a_batch_is_filled_image_by_image():
    rgb, alpha = torch.rand(2, 3, 5, 5), (torch.rand(2, 1, 5, 5) > 0.5).float()
    both = fill_hidden(rgb, alpha)
    for n in range(2):
        assert torch.equal(both[n : n + 1], fill_hidden(rgb[n : n + 1], alpha[n : n + 1]))
