"""Colours of files that are not sRGB, as a colour-managed viewer shows them."""

from __future__ import annotations

import io

import numpy as np
import pytest
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
from PIL import Image

from hpinet import read_picture, write_picture
from hpinet.imaging.images import to_uint8

FIELDS = [(200, 60, 40), (40, 180, 60), (50, 70, 200), (128, 128, 128)]
ROWS = [bytes(value for field in FIELDS for value in field)]


def colours(path) -> list[list[int]]:
    return to_uint8(read_picture(path).rgb)[0].tolist()


def close(found, expected, within: int = 2) -> bool:
    return bool(np.abs(np.array(found, int) - np.array(expected, int)).max() <= within)


@pytest.mark.parametrize(
    ("primaries", "gamma", "expected"),
    [
        # By the matrices of the two spaces; the gamma of Adobe RGB is 563/256.
        (P3, 2.2, [(219, 37, 13), (0, 185, 23), (40, 69, 209), (129, 129, 129)]),
        (ADOBE, 563 / 256, [(233, 57, 34), (0, 180, 42), (33, 69, 204), (129, 129, 129)]),
    ],
)
def test_rgb_profiles(tmp_path, primaries, gamma, expected):
    path = tmp_path / "a.png"
    path.write_bytes(png_file(ROWS, 4, 8, 2, [profile_chunk(matrix_profile(primaries, gamma))]))
    picture = read_picture(path)
    assert close(to_uint8(picture.rgb)[0], expected)
    assert picture.notes == ("colours converted from made by hand to sRGB",)
    assert to_uint8(read_picture(path, managed=False).rgb)[0].tolist() == [list(f) for f in FIELDS]


def test_linear_light(tmp_path):
    # 0.2140 of the light is 0.5 in sRGB: 55 of 255 linear is 127 or 128.
    path = tmp_path / "a.png"
    profile = profile_chunk(matrix_profile(SRGB, 1.0))
    path.write_bytes(png_file([bytes([55] * 3)], 1, 8, 2, [profile]))
    assert close(colours(path), [[128] * 3], within=1)


def test_a_profile_that_is_srgb_leaves_every_pixel_as_it_is(tmp_path):
    from PIL import ImageCms

    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(pixels).save(tmp_path / "a.png", icc_profile=profile)
    picture = read_picture(tmp_path / "a.png")
    assert np.array_equal(to_uint8(picture.rgb), pixels)
    assert picture.notes == ()


def test_grey_profile_at_8_and_16_bit(tmp_path):
    # Gamma 1: half of the light, 0.5, is 0.7354 in sRGB.
    chunks = [profile_chunk(grey_profile(1.0))]
    (tmp_path / "8.png").write_bytes(png_file([bytes([128])], 1, 8, 0, chunks))
    (tmp_path / "16.png").write_bytes(png_file([b"\x80\x00"], 1, 16, 0, chunks))
    for name in ("8.png", "16.png"):
        picture = read_picture(tmp_path / name)
        assert picture.rgb.flatten().tolist() == pytest.approx([0.7354] * 3, abs=0.005)
        assert "to sRGB" in " ".join(picture.notes)


def test_grey_image_with_an_rgb_profile(tmp_path):
    chunks = [profile_chunk(matrix_profile(SRGB, 1.0))]
    (tmp_path / "a.png").write_bytes(png_file([bytes([128])], 1, 8, 0, chunks))
    assert close(colours(tmp_path / "a.png"), [[188] * 3], within=1)


def test_cmyk_profile(tmp_path):
    # No ink is white, all black ink is black, and of half of it L* is about 50: grey 119.
    image = Image.fromarray(np.array([[[0, 0, 0, 0], [0, 0, 0, 128], [0, 0, 0, 255]]], np.uint8))
    image = Image.merge("CMYK", image.split())
    image.save(tmp_path / "a.tif", icc_profile=cmyk_profile())
    picture = read_picture(tmp_path / "a.tif")
    assert close(to_uint8(picture.rgb)[0], [[255] * 3, [119] * 3, [0] * 3])
    assert picture.notes == ("colours converted from made by hand to sRGB",)


def test_palette_and_alpha_with_a_profile(tmp_path):
    profile = profile_chunk(matrix_profile(ADOBE, 563 / 256))
    palette = chunk(b"PLTE", bytes(FIELDS[0]))
    (tmp_path / "p.png").write_bytes(png_file([b"\0"], 1, 8, 3, [profile, palette]))
    assert close(colours(tmp_path / "p.png"), [(233, 57, 34)])
    (tmp_path / "a.png").write_bytes(png_file([bytes([*FIELDS[0], 7])], 1, 8, 6, [profile]))
    picture = read_picture(tmp_path / "a.png")
    assert close(to_uint8(picture.rgb)[0], [(233, 57, 34)])
    assert picture.alpha.item() == pytest.approx(7 / 255)


def test_gamma_and_primaries_of_a_png(tmp_path):
    linear = chunk(b"gAMA", (100000).to_bytes(4, "big"))
    (tmp_path / "g.png").write_bytes(png_file([bytes([55] * 3)], 1, 8, 2, [linear]))
    assert close(colours(tmp_path / "g.png"), [[128] * 3], within=1)
    usual = chunk(b"gAMA", (45455).to_bytes(4, "big"))
    points = [0.3127, 0.3290, *(value for point in ADOBE for value in point)]
    wide = chunk(b"cHRM", b"".join(round(v * 100000).to_bytes(4, "big") for v in points))
    (tmp_path / "c.png").write_bytes(png_file(ROWS, 4, 8, 2, [usual, wide]))
    assert close(
        colours(tmp_path / "c.png"), [(233, 57, 34), (0, 180, 42), (33, 69, 204), (128,) * 3]
    )
    said = chunk(b"sRGB", b"\0")
    (tmp_path / "s.png").write_bytes(png_file(ROWS, 4, 8, 2, [said, linear, wide]))
    assert colours(tmp_path / "s.png") == [list(field) for field in FIELDS]


def test_exif_mark_of_adobe_rgb(tmp_path):
    exif = Image.Exif()
    exif[0x8769] = {0xA001: 2}
    image = Image.new("RGB", (16, 16), FIELDS[0])
    image.save(tmp_path / "a.jpg", exif=exif, quality=100, subsampling=0)
    picture = read_picture(tmp_path / "a.jpg")
    assert close(to_uint8(picture.rgb)[8, 8], (233, 57, 34), within=3)
    assert "Adobe RGB" in picture.notes[0]


@pytest.mark.parametrize("profile", [b"", b"no profile", cmyk_profile(), grey_profile(1.0)])
def test_profiles_that_do_not_fit_are_ignored_and_said(tmp_path, profile):
    (tmp_path / "a.png").write_bytes(png_file(ROWS, 4, 8, 2, [profile_chunk(profile)]))
    picture = read_picture(tmp_path / "a.png")
    assert to_uint8(picture.rgb)[0].tolist() == [list(field) for field in FIELDS]
    assert picture.notes == (
        () if not profile else ("its colour profile cannot be used and was ignored",)
    )


def test_written_images_say_that_they_are_srgb(tmp_path):
    (tmp_path / "a.png").write_bytes(
        png_file(ROWS, 4, 8, 2, [profile_chunk(matrix_profile(P3, 2.2))])
    )
    picture = read_picture(tmp_path / "a.png")
    write_picture(tmp_path / "b.png", picture.rgb)
    with Image.open(io.BytesIO((tmp_path / "b.png").read_bytes())) as written:
        assert written.info == {"srgb": 1}
    again = read_picture(tmp_path / "b.png")
    assert np.array_equal(to_uint8(again.rgb), to_uint8(picture.rgb))
