"""Reading images: formats, depths, colours, transparency, and files that are refused."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.image_files import (
    ADOBE,
    P3,
    SRGB,
    chunk,
    cmyk_profile,
    grey_profile,
    matrix_profile,
    png_file,
    profile_chunk,
)
from PIL import Image, ImageCms, ImageDraw, TiffImagePlugin

from hpinet import PictureError, bicubic, load_model, read_picture, upscale
from hpinet.imaging.images import to_uint8
from hpinet.imaging.read import SUFFIXES

RGB = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
FIELDS = [(200, 60, 40), (40, 180, 60), (50, 70, 200), (128, 128, 128)]
ROW = bytes(value for field in FIELDS for value in field)


def saved(folder: Path, image: Image.Image, name: str = "a.png", **options) -> Path:
    image.save(folder / name, **options)
    return folder / name


def written(folder: Path, data: bytes, name: str = "a.png") -> Path:
    (folder / name).write_bytes(data)
    return folder / name


def row_of(source) -> list[list[int]]:
    """The first row's colours."""
    return to_uint8(read_picture(source).rgb)[0].tolist()


def alpha_of(source) -> list[int]:
    return (read_picture(source).alpha.flatten() * 255).round().int().tolist()


def close(found, expected, within: int = 2) -> bool:
    return bool(np.abs(np.array(found, int) - np.array(expected, int)).max() <= within)


# --- formats and depths ----------------------------------------------------------------------


def test_rgb_is_read_exactly_and_without_notes(tmp_path):
    picture = read_picture(saved(tmp_path, Image.fromarray(RGB)))
    assert (picture.size, picture.rgb.dtype) == ((5, 7), torch.float32)
    assert (picture.alpha, picture.opaque, picture.notes) == (None, None, ())
    assert np.array_equal(to_uint8(picture.rgb), RGB)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_suffix_is_read(tmp_path, suffix):
    names = {".apng": "PNG", ".jpe": "JPEG", ".jfif": "JPEG", ".mpo": "JPEG", ".pfm": "PPM"}
    image = Image.new("F" if suffix == ".pfm" else "RGB", (16, 16), "white")
    if suffix == ".pfm":
        image = Image.new("F", (16, 16), 1)
    path = saved(tmp_path, image, f"a{suffix}", format=names.get(suffix))
    assert to_uint8(read_picture(path).rgb).min() > 250


@pytest.mark.parametrize(("orientation", "turns"), [(3, 2), (6, -1), (8, 1)])
def test_exif_orientation(tmp_path, orientation, turns):
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = read_picture(saved(tmp_path, Image.fromarray(RGB), exif=exif))
    assert np.array_equal(to_uint8(picture.rgb), np.rot90(RGB, turns))
    assert "EXIF" in picture.notes[0]


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_dark_16_bit_grey_is_scaled_by_its_depth_not_its_maximum(tmp_path, suffix):
    values = np.array([[0, 100, 6553]], np.uint16)
    picture = read_picture(saved(tmp_path, Image.fromarray(values), f"a.{suffix}"))
    for plane in picture.rgb[0]:
        assert plane[0].tolist() == pytest.approx([0, 100 / 65535, 6553 / 65535])
    assert "16-bit" in picture.notes[0]


def test_16_bit_colour_is_reduced_and_noted(tmp_path):
    row = struct.pack(">HHH", 0x8000, 0xFFFF, 0)
    picture = read_picture(written(tmp_path, png_file([row], 1, 16, 2)))
    assert to_uint8(picture.rgb).flatten().tolist() == [128, 255, 0]
    assert "16 bits" in picture.notes[0]


@pytest.mark.parametrize("bits", [8, 16])
def test_white_may_be_zero(tmp_path, bits):
    kind = np.uint8 if bits == 8 else np.uint16
    values = np.array([[0, 2**bits // 4, 2**bits - 1]], kind)
    path = saved(tmp_path, Image.fromarray(values), "a.tif")
    entry, data = struct.pack("<HHI", 262, 3, 1), path.read_bytes()  # the tag of its meaning
    place = data.index(entry) + len(entry)
    path.write_bytes(data[:place] + struct.pack("<H", 0) + data[place + 2 :])
    assert read_picture(path).rgb[0, 0, 0].tolist() == pytest.approx([1, 0.75, 0], abs=0.003)


def test_float_grey_is_taken_as_0_to_1(tmp_path):
    values = np.array([[0, 0.5, 1.25]], np.float32)
    picture = read_picture(saved(tmp_path, Image.fromarray(values), "a.tif"))
    assert picture.rgb[0, 0, 0].tolist() == [0, 0.5, 1]
    assert "1.25" in picture.notes[1]


@pytest.mark.parametrize(
    ("values", "named"),
    [
        (np.float32(np.nan), "nan"),
        (np.float32(np.inf), "inf"),
        (np.float32(255), "255"),
        (np.int32(70000), "70000"),
        (np.int32(-1), "-1"),
    ],
)
def test_values_out_of_range_are_named(values, named):
    with pytest.raises(PictureError, match=named):
        read_picture(Image.fromarray(np.full((1, 2), values)))


def test_grey_black_and_white_palette_and_cmyk(tmp_path):
    assert row_of(Image.fromarray(np.array([[0, 51]], np.uint8))) == [[0] * 3, [51] * 3]
    assert row_of(Image.fromarray(np.array([[True, False]]))) == [[255] * 3, [0] * 3]
    palette = Image.new("P", (2, 1))
    palette.putpalette([255, 0, 0, 0, 0, 255])
    palette.putdata([0, 1])
    picture = read_picture(saved(tmp_path, palette))
    assert to_uint8(picture.rgb).tolist() == [[[255, 0, 0], [0, 0, 255]]]
    assert picture.alpha is None
    assert "palette" in picture.notes[0]
    cmyk = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    picture = read_picture(saved(tmp_path, cmyk, "red.jpg", quality=100))
    assert close(to_uint8(picture.rgb)[8, 8], [255, 0, 0], within=3)
    assert "CMYK" in picture.notes[0]


def test_first_frame_of_an_animation(tmp_path):
    red, blue = Image.new("RGB", (4, 4), (255, 0, 0)), Image.new("RGB", (4, 4), (0, 0, 255))
    path = saved(tmp_path, red, "a.gif", save_all=True, append_images=[blue])
    assert row_of(path)[0] == [255, 0, 0]
    assert "1 of 2" in read_picture(path).notes[0]


# --- colours ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("primaries", "gamma", "expected"),
    [
        # By the matrices of the two spaces; the gamma of Adobe RGB is 563/256.
        (P3, 2.2, [(219, 37, 13), (0, 185, 23), (40, 69, 209), (129, 129, 129)]),
        (ADOBE, 563 / 256, [(233, 57, 34), (0, 180, 42), (33, 69, 204), (129, 129, 129)]),
    ],
)
def test_rgb_profiles(tmp_path, primaries, gamma, expected):
    profile = profile_chunk(matrix_profile(primaries, gamma))
    path = written(tmp_path, png_file([ROW], 4, 8, 2, [profile]))
    assert close(row_of(path), expected)
    assert "made by hand" in read_picture(path).notes[0]
    assert to_uint8(read_picture(path, managed=False).rgb)[0].tolist() == [list(f) for f in FIELDS]
    # A palette, and alpha, which stays as it is.
    palette = png_file([b"\0"], 1, 8, 3, [profile, chunk(b"PLTE", bytes(FIELDS[0]))])
    assert close(row_of(written(tmp_path, palette)), expected[:1])
    path = written(tmp_path, png_file([bytes([*FIELDS[0], 7])], 1, 8, 6, [profile]))
    assert close(row_of(path), expected[:1])
    assert alpha_of(path) == [7]


def test_a_profile_of_srgb_changes_no_pixel(tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = read_picture(saved(tmp_path, Image.fromarray(RGB), icc_profile=profile))
    assert np.array_equal(to_uint8(picture.rgb), RGB)
    assert picture.notes == ()


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("profile", [grey_profile(1.0), matrix_profile(SRGB, 1.0)])
def test_grey_profiles(tmp_path, bits, profile):
    # Gamma 1: half of the light, 0.5, is 0.7354 in sRGB.
    row = b"\x80\x00"[: bits // 8]
    picture = read_picture(written(tmp_path, png_file([row], 1, bits, 0, [profile_chunk(profile)])))
    assert picture.rgb.flatten().tolist() == pytest.approx([0.7354] * 3, abs=0.005)
    assert "sRGB" in picture.notes[-1]


def test_cmyk_profile(tmp_path):
    # No ink is white, all black ink is black, and of half of it L* is about 50: grey 119.
    inks = np.array([[[0, 0, 0, 0], [0, 0, 0, 128], [0, 0, 0, 255]]], np.uint8)
    image = Image.fromarray(inks, "CMYK")
    path = saved(tmp_path, image, "a.tif", icc_profile=cmyk_profile())
    assert close(row_of(path), [[255] * 3, [119] * 3, [0] * 3])


@pytest.mark.parametrize("profile", [b"no profile", cmyk_profile(), grey_profile(1.0)])
def test_profiles_that_do_not_fit_are_ignored_and_noted(tmp_path, profile):
    path = written(tmp_path, png_file([ROW], 4, 8, 2, [profile_chunk(profile)]))
    assert row_of(path) == [list(field) for field in FIELDS]
    assert "profile" in read_picture(path).notes[0]


def test_gamma_without_a_profile_is_ignored_and_noted(tmp_path):
    for gamma, notes in ((45455, 0), (100000, 1)):
        linear = chunk(b"gAMA", gamma.to_bytes(4, "big"))
        path = written(tmp_path, png_file([ROW], 4, 8, 2, [linear]))
        assert row_of(path) == [list(field) for field in FIELDS]
        assert len(read_picture(path).notes) == notes


# --- transparency ----------------------------------------------------------------------------


def test_partial_alpha_is_kept_and_colours_are_not_composited():
    rgba = np.dstack([RGB, np.arange(35, dtype=np.uint8).reshape(5, 7) + 200])
    picture = read_picture(Image.fromarray(rgba))
    assert np.array_equal(to_uint8(picture.rgb), RGB)
    assert np.array_equal(np.round(picture.alpha[0, 0].numpy() * 255), rgba[..., 3])
    assert picture.notes == ()
    assert not picture.opaque.any()


def test_alpha_of_grey_palette_and_declared_colours(tmp_path):
    grey = Image.merge("LA", [Image.new("L", (2, 1), 51), Image.new("L", (2, 1))])
    assert (row_of(grey), alpha_of(grey)) == ([[51] * 3] * 2, [0, 0])
    palette = Image.new("P", (2, 1))
    palette.putpalette([255, 0, 0, 0, 0, 255])
    palette.putdata([0, 1])
    path = saved(tmp_path, palette, transparency=b"\xff\x33")
    assert (row_of(path), alpha_of(path)) == ([[255, 0, 0], [0, 0, 255]], [255, 51])
    image = Image.fromarray(np.array([[[1, 2, 3], [4, 5, 6]]], np.uint8))
    path = saved(tmp_path, image, transparency=(1, 2, 3))
    assert alpha_of(path) == [0, 255]
    assert "(1, 2, 3)" in read_picture(path).notes[0]


@pytest.mark.parametrize(
    ("bits", "row", "key", "expected"),
    [
        (1, b"\xa0", 1, [0, 255, 0]),
        (8, b"\x01\x02\x01", 2, [255, 0, 255]),
        (16, struct.pack(">HHH", 8000, 8001, 31), 8001, [255, 0, 255]),
    ],
)
def test_a_transparent_grey(tmp_path, bits, row, key, expected):
    data = png_file([row], 3, bits, 0, [chunk(b"tRNS", struct.pack(">H", key))])
    assert alpha_of(written(tmp_path, data)) == expected


def test_hidden_colours_take_the_nearest_visible_one():
    alpha = np.full((5, 7), 255, np.uint8)
    alpha[:, 2:] = 0
    picture = read_picture(Image.fromarray(np.dstack([RGB, alpha])))
    found = to_uint8(picture.rgb)
    assert np.array_equal(found[:, :2], RGB[:, :2])
    assert (found[:, 2:] == RGB[:, 1:2]).all()
    assert np.array_equal(picture.opaque, alpha == 255)
    unseen = read_picture(Image.fromarray(np.dstack([RGB, alpha * 0])))
    assert np.array_equal(to_uint8(unseen.rgb), RGB)  # nothing is visible: nothing to take


@pytest.mark.parametrize(
    "enlarge", [lambda p: bicubic(p, 4), lambda p: upscale(load_model("S"), p)]
)
def test_hidden_colours_do_not_bleed_into_edges(enlarge):
    large = Image.new("L", (384, 384))
    ImageDraw.Draw(large).ellipse((64, 64, 320, 320), fill=255)
    alpha = np.asarray(large.resize((48, 48), Image.Resampling.BOX))  # a disk with a soft edge
    red = np.where(alpha[..., None] > 0, np.array([220, 40, 40], np.uint8), np.uint8(0))
    disk = enlarge(read_picture(Image.fromarray(np.dstack([red, alpha]))))
    on_white = disk.rgb * disk.alpha + (1 - disk.alpha)
    assert on_white[0, 0].min() * 255 > 216  # the disk itself is 220
    assert on_white[0, 1:].min() * 255 > 30


# --- refusals --------------------------------------------------------------------------------


def refusal(path: Path, **options) -> str:
    """The one sentence that names the file."""
    with pytest.raises(PictureError) as caught:
        read_picture(path, **options)
    text = str(caught.value)
    assert text.startswith(path.name)
    assert text.endswith(".")
    assert "\n" not in text
    return text


def test_long_texts_beside_sound_pixels(tmp_path):
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"a" * 3_000_000))
    for where in ({"chunks": [text]}, {"after": [text]}):
        path = written(tmp_path, png_file([ROW], 4, 8, 2, **where))
        assert row_of(path) == [list(field) for field in FIELDS]


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("a.png", b""),
        ("a.jpg", b"this is text, not an image\n" * 20),
        ("a.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"),
        ("a.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
        ("a.png", b"8BPS\0\1"),
        ("a.png", b"<!DOCTYPE html><html></html>"),
        ("a.cr2", b"II*\0\x10\0\0\0CR\2\0"),
    ],
)
def test_files_that_are_no_images(tmp_path, name, head):
    assert "PNG" in refusal(written(tmp_path, head + bytes(200) if head else b"", name))


@pytest.mark.parametrize(
    ("name", "tag", "value"), [("a.tif", 254, 1), ("a", 50706, b"\1\4\0\0"), ("a.nef", 305, "x")]
)
def test_a_camera_raw_file_is_not_its_preview(tmp_path, name, tag, value):
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[tag] = value
    assert "PNG" in refusal(
        saved(tmp_path, Image.fromarray(RGB), name, format="TIFF", tiffinfo=tags)
    )


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "tif", "webp", "bmp"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6])
def test_truncated_images(tmp_path, suffix, share):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path = saved(tmp_path, Image.fromarray(noise), f"a.{suffix}")
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    refusal(path)


def test_missing_file_and_folder(tmp_path):
    assert "exist" in refusal(tmp_path / "nothing.png")
    assert "folder" in refusal(tmp_path)


def test_the_limit_of_pixels_is_checked_before_decoding(tmp_path):
    path = saved(tmp_path, Image.new("L", (100, 50)))
    path.write_bytes(path.read_bytes()[:45])  # whoever decodes meets a damaged file
    assert "100x50" in refusal(path, max_pixels=4999)
    assert "100x50" not in refusal(path, max_pixels=5000)
    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 0, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    assert "pixels" in refusal(written(tmp_path, bomb))


@pytest.mark.reference
def test_reference_cases(shared):
    images = shared / "cases" / "images"
    assert read_picture(images / "ztxt.png").size == (32, 40)
    deep = read_picture(images / "g16_trns.png")
    values = np.asarray(Image.open(images / "g16_trns.png"))
    assert np.array_equal(deep.alpha[0, 0].numpy() == 0, values == 8000)
    refusal(images / "camera.nef")
