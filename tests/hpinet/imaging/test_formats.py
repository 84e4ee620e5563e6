"""Which files are read, and what is said of those that are not."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from helpers.image_files import chunk, png_file, profile_chunk
from PIL import Image, TiffImagePlugin

from hpinet import PictureError, read_picture
from hpinet.imaging.formats import FORMATS, SUFFIXES
from hpinet.imaging.images import to_uint8

ROWS = [bytes(range(12))] * 2  # 4x2 pixels of RGB
PIXELS = np.frombuffer(b"".join(ROWS), np.uint8).reshape(2, 4, 3)


def refusal(path) -> str:
    with pytest.raises(PictureError) as caught:
        read_picture(path)
    assert str(caught.value).startswith(path.name)
    return str(caught.value)


# --- healthy PNG files with much beside their pixels -----------------------------------------

LONG = b"a" * 3_000_000
PROFILE = b"\0" * 2_000_000


@pytest.mark.parametrize(
    "extra",
    [
        chunk(b"tEXt", b"Comment\0" + LONG),
        chunk(b"zTXt", b"Comment\0\0" + zlib.compress(LONG)),
        chunk(b"iTXt", b"Comment\0\1\0\0\0" + zlib.compress(LONG)),
        profile_chunk(PROFILE),
        b"".join(chunk(b"zTXt", b"n\0\0" + zlib.compress(LONG[:900_000])) for _ in range(80)),
        chunk(b"zTXt", b"Comment\0\0" + b"damaged"),
        chunk(b"iCCP", b"p\0\0damaged"),
        chunk(b"prVt", LONG),
        chunk(b"tEXt", b"Comment\0short")[:-1] + b"\0",  # a wrong checksum
    ],
)
@pytest.mark.parametrize("behind", [False, True])
def test_large_and_damaged_texts_and_profiles_leave_the_pixels_readable(tmp_path, extra, behind):
    path = tmp_path / "a.png"
    before, after = ([], [extra]) if behind else ([extra], [])
    path.write_bytes(png_file(ROWS, 4, 8, 2, before, after))
    assert np.array_equal(to_uint8(read_picture(path).rgb), PIXELS)


# --- formats that are not read ---------------------------------------------------------------


def raw_tiff() -> TiffImagePlugin.ImageFileDirectory_v2:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[254] = 1  # a thumbnail
    tags.tagtype[330] = 4
    tags[330] = 8  # and where the sensor's values are
    return tags


@pytest.mark.parametrize("name", ["a.nef", "a.tif", "a"])
def test_a_raw_file_is_not_its_thumbnail(tmp_path, name):
    path = tmp_path / name
    Image.fromarray(PIXELS).save(path, "TIFF", tiffinfo=raw_tiff())
    assert "camera raw" in refusal(path)


def test_dng_is_raw_by_its_version_tag(tmp_path):
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[50706] = b"\1\4\0\0"
    path = tmp_path / "a.tif"
    Image.new("L", (4, 2)).save(path, tiffinfo=tags)
    assert "camera raw file (DNG)" in refusal(path)


def with_photometric(path, value: int) -> None:
    """Change the tag that says what a TIFF's numbers stand for."""
    entry, data = struct.pack("<HHI", 262, 3, 1), path.read_bytes()
    place = data.index(entry) + len(entry)
    path.write_bytes(data[:place] + struct.pack("<H", value) + data[place + 2 :])


def test_sensor_values_are_refused(tmp_path):
    path = tmp_path / "a.tif"
    Image.new("L", (4, 2)).save(path)
    with_photometric(path, 32803)
    assert "of a kind that cannot be read here" in refusal(path)


@pytest.mark.parametrize(
    ("name", "head", "words"),
    [
        ("a.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        ("a.png", b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "HEIC"),
        ("a.jxl", b"\xff\x0a\xfa\x1f", "JPEG XL"),
        ("a.jxl", b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        ("a.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "EPS"),
        ("a.pdf", b"%PDF-1.7", "PDF"),
        ("a.psd", b"8BPS\0\1", "PSD"),
        ("a.svg", b"<?xml version='1.0'?>\n<svg width='9' height='9'></svg>", "SVG"),
        ("a.png", b"<!DOCTYPE html><html></html>", "web page"),
        ("a.png", b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        ("a.cr2", b"II*\0\x10\0\0\0CR\2\0", "Canon CR2"),
        ("a.cr3", b"\0\0\0\x18ftypcrx ", "Canon"),
        ("a.arw", b"II*\0\x08\0\0\0", "Sony ARW"),
        ("a.raf", b"FUJIFILMCCD-RAW 0201", "RAF"),
        ("a.rw2", b"IIU\0\x18\0\0\0", "RW2"),
        ("a.orf", b"IIRO\x08\0\0\0", "ORF"),
        ("a.exr", b"v/1\x01\2\0\0\0", "OpenEXR"),
        ("a.ico", b"\0\0\1\0\1\0\x10\x10", "ICO"),
        ("a.mp4", b"\0\0\0\x18ftypisom", "video"),
    ],
)
def test_other_formats_are_refused_by_name(tmp_path, name, head, words):
    path = tmp_path / name
    path.write_bytes(head + bytes(200))
    text = refusal(path)
    assert words in text
    assert "PNG" in text
    assert "damaged" not in text


def test_every_format_that_is_named_is_read(tmp_path):
    for name, suffixes in FORMATS.items():
        if name in ("AVIF", "JPEG2000"):
            from PIL import features

            if not features.check({"AVIF": "avif", "JPEG2000": "jpg_2000"}[name]):
                continue
        path = tmp_path / f"a{suffixes[0]}"
        Image.new("RGB", (16, 16), (255, 255, 255)).save(path, name)
        assert to_uint8(read_picture(path).rgb).min() > 250, name
    assert len(set(SUFFIXES)) == len(SUFFIXES)


def test_a_thumbnail_in_front_of_the_image_is_passed_over(tmp_path):
    small = Image.new("RGB", (4, 2))
    path = tmp_path / "a.tif"
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[254] = 1
    with TiffImagePlugin.AppendingTiffWriter(str(path), True) as file:
        small.save(file, "TIFF", tiffinfo=tags)
        file.newFrame()
        Image.new("RGB", (40, 20), (9, 8, 7)).save(file, "TIFF")
    picture = read_picture(path)
    assert picture.size == (20, 40)
    assert picture.notes[0] == "frame 2 of 2 frames taken"


# --- grey of more than 8 bits ----------------------------------------------------------------


@pytest.mark.parametrize("bits", [8, 16])
def test_white_may_be_zero(tmp_path, bits):
    kind = np.uint8 if bits == 8 else np.uint16
    image = Image.fromarray(np.array([[0, 2**bits // 4, 2**bits - 1]], kind))
    path = tmp_path / "a.tif"
    image.save(path)
    with_photometric(path, 0)
    assert read_picture(path).rgb[0, 0, 0].tolist() == pytest.approx([1, 0.75, 0], abs=0.003)
