"""What a file says beside its pixels: one note on what is dropped, or kept where that is asked."""

from __future__ import annotations

import pytest
from PIL import Image

from hpinet import bicubic, read_picture, write_picture


@pytest.fixture
def photo(tmp_path):
    exif = Image.Exif()
    exif[0x010F], exif[0x0112], exif[0x0132] = "Maker", 6, "2026:01:02 03:04:05"
    exif[0x8769] = {0x829A: 0.01, 0xA002: 30, 0xA003: 20, 0xA001: 1}
    path = tmp_path / "photo.jpg"
    Image.new("RGB", (30, 20)).save(path, exif=exif, dpi=(300, 300), comment=b"a comment")
    return path


def test_one_note_says_what_is_dropped(photo):
    picture = read_picture(photo)
    assert picture.notes[1:] == ("EXIF, density (300 dpi) and text dropped",)
    assert picture.metadata is None


def test_what_is_kept_is_written_and_the_rest_is_said(photo, tmp_path):
    picture = read_picture(photo, keep_metadata=True)
    assert picture.notes[1:] == ("EXIF and density (300 dpi) kept; text dropped",)
    large = bicubic(picture, 2)
    write_picture(tmp_path / "out.png", large.rgb, large.alpha, large.metadata)
    with Image.open(tmp_path / "out.png") as image:
        assert image.size == (40, 60)  # upright
        assert image.info["dpi"] == pytest.approx((300, 300), rel=1e-3)
        exif = image.getexif()
        assert (exif[0x010F], exif[0x0132]) == ("Maker", "2026:01:02 03:04:05")
        assert 0x0112 not in exif  # not to be turned once more
        inside = exif.get_ifd(0x8769)
        assert float(inside[0x829A]) == pytest.approx(0.01)
        assert 0xA002 not in inside


def test_nothing_is_said_where_there_is_nothing(tmp_path):
    Image.new("RGB", (3, 2)).save(tmp_path / "a.png")
    assert read_picture(tmp_path / "a.png").notes == ()
    assert read_picture(tmp_path / "a.png", keep_metadata=True).metadata is None
