"""Images in memory: to and from 8 bit, and written to files."""

from __future__ import annotations

import errno

import numpy as np
import pytest
import torch
from PIL import Image

from hpinet import PictureError, read_picture, to_pil, write_picture
from hpinet.imaging import files
from hpinet.imaging.images import from_uint8, to_uint8

RGB = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    "rgb",
    [
        torch.full((1, 3, 2, 2), torch.nan),
        torch.full((1, 3, 2, 2), torch.inf),
        torch.zeros(1, 3, 0, 2),
        torch.zeros(1, 4, 2, 2),
        torch.zeros(2, 3, 2, 2),
        torch.zeros(1, 3, 2, 2, dtype=torch.uint8),
    ],
)
def test_unfit_tensors(rgb):
    with pytest.raises(PictureError):
        to_uint8(rgb)


def test_unfit_arrays():
    for array in (RGB.astype(np.float32), RGB[..., :2], RGB[:0]):
        with pytest.raises(PictureError):
            from_uint8(array)


def test_to_uint8_clips_and_rounds_halves_up():
    values = torch.tensor([-1, 0.5 / 255, 1.5 / 255, 2.49 / 255, 2])
    rgb = values.reshape(1, 1, 1, 5).expand(1, 3, 1, 5)
    assert to_uint8(rgb)[0, :, 0].tolist() == [0, 1, 2, 2, 255]


def test_every_8_bit_value_survives_the_round_trip():
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.array_equal(to_uint8(from_uint8(ramp))[..., 0], ramp)


def test_a_written_image_reads_back_with_alpha_and_says_srgb(tmp_path):
    alpha = (torch.arange(35).reshape(1, 1, 5, 7) + 100) / 255
    path = tmp_path / "new" / "out.png"
    write_picture(path, from_uint8(RGB), alpha)
    back = read_picture(path)
    assert np.array_equal(to_uint8(back.rgb), RGB)
    assert torch.allclose(back.alpha, alpha)
    assert [p.name for p in path.parent.iterdir()] == ["out.png"]
    with Image.open(path) as image:
        assert image.info == {"srgb": 1}
    write_picture(tmp_path / "again.png", back)
    assert (tmp_path / "again.png").read_bytes() == path.read_bytes()
    assert to_pil(back).tobytes() == to_pil(from_uint8(RGB), alpha).tobytes()


def test_failed_write_leaves_the_old_file_alone(tmp_path, monkeypatch):
    path = tmp_path / "out.png"
    write_picture(path, from_uint8(RGB))
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_picture(path, from_uint8(RGB[::-1].copy()))
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["out.png"]


def test_only_png_is_written(tmp_path):
    (tmp_path / "folder.png").mkdir()
    for name in ("out.jpg", "out", "folder.png"):
        with pytest.raises(PictureError, match=name):
            write_picture(tmp_path / name, from_uint8(RGB))


def test_alpha_must_fit():
    with pytest.raises(PictureError, match="alpha"):
        to_pil(from_uint8(RGB), torch.zeros(1, 1, 7, 5))
