"""Reading, converting and writing images, and MATLAB's bicubic."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hpinet.imaging import files
from hpinet.imaging.images import (
    PictureError,
    crop_to_multiple,
    from_uint8,
    matlab_imresize,
    read_picture,
    shrink,
    to_pil,
    to_uint8,
    write_picture,
)

RGB = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


def grey_of(picture):
    assert torch.equal(picture.rgb[:, 0], picture.rgb[:, 1])
    assert torch.equal(picture.rgb[:, 0], picture.rgb[:, 2])
    return picture.rgb[0, 0].numpy()


def saved(tmp_path: Path, image: Image.Image, name: str = "picture.png", **options) -> Path:
    path = tmp_path / name
    image.save(path, **options)
    return path


# --- reading ---------------------------------------------------------------------------------


def test_rgb_is_read_exactly_and_without_notes(tmp_path):
    picture = read_picture(saved(tmp_path, Image.fromarray(RGB)))
    assert picture.size == (5, 7)
    assert picture.rgb.dtype == torch.float32
    assert picture.alpha is None
    assert picture.notes == ()
    assert np.array_equal(to_uint8(picture.rgb), RGB)


def test_one_pixel(tmp_path):
    picture = read_picture(saved(tmp_path, Image.new("RGB", (1, 1), (255, 0, 51))))
    assert picture.rgb.flatten().tolist() == pytest.approx([1, 0, 0.2])


def test_exif_orientation_is_applied_and_said():
    image = Image.fromarray(RGB)
    image.getexif()[0x0112] = 6  # to be turned 90 degrees clockwise
    picture = read_picture(image)
    assert np.array_equal(to_uint8(picture.rgb), np.rot90(RGB, -1))
    assert "EXIF" in picture.notes[0]


def test_exif_orientation_of_a_file(tmp_path):
    image = Image.fromarray(RGB)
    exif = image.getexif()
    exif[0x0112] = 3
    path = saved(tmp_path, image, exif=exif)
    assert np.array_equal(to_uint8(read_picture(path).rgb), RGB[::-1, ::-1])


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_dark_16_bit_grey_is_scaled_by_its_depth_not_its_maximum(tmp_path, suffix):
    values = np.array([[0, 100, 6553]], np.uint16)
    picture = read_picture(saved(tmp_path, Image.fromarray(values), f"dark.{suffix}"))
    assert grey_of(picture)[0] == pytest.approx([0, 100 / 65535, 6553 / 65535])
    assert "16-bit" in picture.notes[0]


def test_mode_i_counts_as_16_bit_and_refuses_more():
    assert grey_of(read_picture(Image.fromarray(np.array([[65535]], np.int32)))) == 1
    with pytest.raises(PictureError, match="70000"):
        read_picture(Image.fromarray(np.array([[0, 70000]], np.int32)))


def test_16_bit_colour_is_reduced_and_said(tmp_path):
    # Pillow cannot write 16-bit RGB: a PNG by hand, one pixel of (0x8000, 0xFFFF, 0x0000).
    import struct
    import zlib

    def chunk(kind, data):
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" + struct.pack(">HHH", 0x8000, 0xFFFF, 0))
    path = tmp_path / "deep.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )
    picture = read_picture(path)
    assert to_uint8(picture.rgb).flatten().tolist() == [128, 255, 0]
    assert "reduced to 8" in picture.notes[0]


def test_float_grey_is_taken_as_0_to_1(tmp_path):
    values = np.array([[0, 0.5, 1.25]], np.float32)
    picture = read_picture(saved(tmp_path, Image.fromarray(values), "float.tif"))
    assert grey_of(picture)[0].tolist() == [0, 0.5, 1]
    assert "clipped" in picture.notes[1]


@pytest.mark.parametrize(
    ("value", "words"), [(np.nan, "not numbers"), (np.inf, "not numbers"), (255.0, r"\[0, 1\]")]
)
def test_float_grey_that_cannot_be_meant(value, words):
    with pytest.raises(PictureError, match=words):
        read_picture(Image.fromarray(np.array([[0, value]], np.float32)))


def test_grey_and_black_and_white():
    grey = read_picture(Image.fromarray(np.array([[0, 51, 255]], np.uint8)))
    assert grey_of(grey)[0] == pytest.approx([0, 0.2, 1])
    assert grey.notes == ("grey converted to RGB",)
    bits = read_picture(Image.fromarray(np.array([[True, False]])))
    assert grey_of(bits)[0].tolist() == [1, 0]
    assert "1 bit" in bits.notes[0]


def test_alpha_is_kept_and_colours_are_not_composited():
    rgba = np.dstack([RGB, np.arange(35, dtype=np.uint8).reshape(5, 7)])
    picture = read_picture(Image.fromarray(rgba))
    assert np.array_equal(to_uint8(picture.rgb), RGB)
    assert np.array_equal(np.round(picture.alpha[0, 0].numpy() * 255), rgba[..., 3])
    assert picture.notes == ()


def test_grey_with_alpha():
    picture = read_picture(Image.merge("LA", [Image.new("L", (2, 1), 51), Image.new("L", (2, 1))]))
    assert grey_of(picture)[0] == pytest.approx([0.2, 0.2])
    assert picture.alpha.shape == (1, 1, 1, 2)
    assert picture.alpha.max() == 0


def palette_image() -> Image.Image:
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putdata([0, 1])
    return image


def test_palette(tmp_path):
    picture = read_picture(saved(tmp_path, palette_image()))
    assert to_uint8(picture.rgb).tolist() == [[[255, 0, 0], [0, 0, 255]]]
    assert picture.alpha is None
    assert "palette" in picture.notes[0]


def test_palette_with_transparency(tmp_path):
    picture = read_picture(saved(tmp_path, palette_image(), transparency=b"\xff\x33"))
    assert to_uint8(picture.rgb).tolist() == [[[255, 0, 0], [0, 0, 255]]]
    assert picture.alpha.flatten().tolist() == pytest.approx([1, 0.2])


def test_transparent_colour_becomes_alpha(tmp_path):
    image = Image.fromarray(np.array([[[1, 2, 3], [4, 5, 6]]], np.uint8))
    picture = read_picture(saved(tmp_path, image, transparency=(1, 2, 3)))
    assert picture.alpha.flatten().tolist() == [0, 1]


def test_cmyk(tmp_path):
    image = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    picture = read_picture(saved(tmp_path, image, "red.jpg", quality=100))
    assert to_uint8(picture.rgb)[8, 8] == pytest.approx([255, 0, 0], abs=3)
    assert "CMYK" in picture.notes[0]


def test_first_frame_of_an_animation(tmp_path):
    red, blue = Image.new("RGB", (4, 4), (255, 0, 0)), Image.new("RGB", (4, 4), (0, 0, 255))
    path = tmp_path / "moving.gif"
    red.save(path, save_all=True, append_images=[blue])
    picture = read_picture(path)
    assert to_uint8(picture.rgb)[0, 0].tolist() == [255, 0, 0]
    assert picture.notes[0] == "first of 2 frames taken"


# --- faults ----------------------------------------------------------------------------------


def one_sentence(path) -> str:
    with pytest.raises(PictureError) as caught:
        read_picture(path)
    text = str(caught.value)
    assert text.endswith(".")
    assert "\n" not in text
    assert Path(path).name in text
    return text


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "tif"])
@pytest.mark.parametrize("content", [b"", b"this is text, not an image\n" * 20])
def test_files_that_are_no_images(tmp_path, suffix, content):
    path = tmp_path / f"fake.{suffix}"
    path.write_bytes(content)
    assert str(tmp_path) not in one_sentence(path)


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "tif", "webp", "bmp"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6])
def test_truncated_images(tmp_path, suffix, share):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path = saved(tmp_path, Image.fromarray(noise), f"cut.{suffix}")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    assert str(tmp_path) not in one_sentence(path)


def test_missing_file_and_folder(tmp_path):
    assert "does not exist" in one_sentence(tmp_path / "nothing.png")
    assert "folder" in one_sentence(tmp_path)


def test_pixel_limit_is_checked_before_decoding(tmp_path):
    path = saved(tmp_path, Image.new("L", (100, 50)))
    path.write_bytes(path.read_bytes()[:45])  # whoever decodes meets a damaged file
    with pytest.raises(PictureError, match="100x50"):
        read_picture(path, max_pixels=4999)
    with pytest.raises(PictureError, match="damaged"):
        read_picture(path, max_pixels=5000)


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


# --- writing ---------------------------------------------------------------------------------


def test_to_uint8_clips_and_rounds_halves_up():
    values = torch.tensor([-1, 0.5 / 255, 1.5 / 255, 2.49 / 255, 2])
    rgb = values.reshape(1, 1, 1, 5).expand(1, 3, 1, 5)
    assert to_uint8(rgb)[0, :, 0].tolist() == [0, 1, 2, 2, 255]


def test_every_8_bit_value_survives_the_round_trip():
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.array_equal(to_uint8(from_uint8(ramp))[..., 0], ramp)


def test_written_image_reads_back_with_alpha(tmp_path):
    alpha = torch.arange(35).reshape(1, 1, 5, 7) / 255
    path = tmp_path / "new" / "out.png"
    write_picture(path, from_uint8(RGB), alpha)
    back = read_picture(path)
    assert np.array_equal(to_uint8(back.rgb), RGB)
    assert torch.allclose(back.alpha, alpha)
    assert [p.name for p in path.parent.iterdir()] == ["out.png"]


def test_a_read_image_is_written_as_it_is(tmp_path):
    alpha = torch.arange(35).reshape(1, 1, 5, 7) / 255
    write_picture(tmp_path / "a.png", from_uint8(RGB), alpha)
    image = read_picture(tmp_path / "a.png")
    write_picture(tmp_path / "b.png", image)
    assert (tmp_path / "b.png").read_bytes() == (tmp_path / "a.png").read_bytes()
    assert to_pil(image).tobytes() == to_pil(from_uint8(RGB), alpha).tobytes()


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


# --- MATLAB's bicubic ------------------------------------------------------------------------


def test_halving_by_hand():
    # An output lies between two inputs; the kernel, widened to twice its size, weighs the eight
    # inputs around it with -3 -9 29 111 111 29 -9 -3 over 256.
    row = np.array([[0, 0, 0, 0, 100, 100, 100, 100]], np.uint8)
    # Of a step from 0 to 100, the four outputs see the weights of inputs 4 to 7 (and 7 repeated):
    # -3, 29 - 9 - 3 = 17, 111 + 111 + 29 - 9 - 3 = 239 and 256 + 3 = 259, times 100 / 256.
    assert matlab_imresize(row, (1, 4)).tolist() == [[0, 7, 93, 101]]


def test_doubling_by_hand():
    # Outputs lie 1/4 beside an input; the four inputs around weigh -9 111 29 -3 over 128.
    row = np.array([[0, 128, 0, 0]], np.uint8)
    # Input 1 alone is bright: the weights themselves, the negative ones clipped to 0.
    assert matlab_imresize(row, (1, 8)).tolist() == [[0, 29, 111, 111, 29, 0, 0, 0]]
    bright = 255 - row
    assert matlab_imresize(bright, (1, 8)).tolist() == [[255, 226, 144, 144, 226, 255, 255, 255]]


def test_halves_round_up():
    # Halving 0 0 0 0 128 ...: 17 * 128 / 256 = 8.5 and 239 * 128 / 256 = 119.5.
    row = np.array([[0, 0, 0, 0, 128, 128, 128, 128]], np.uint8)
    assert matlab_imresize(row, (1, 4)).tolist()[0][1:3] == [9, 120]


@pytest.mark.parametrize("scale", [0.2, 1 / 3, 0.5, 1.0, 1.7, 4.0])
@pytest.mark.parametrize("border", ["clamp", "mirror"])
def test_constants_stay_constant(scale, border):
    flat = np.full((11, 6, 2), 77, np.uint8)
    small = matlab_imresize(flat, scale, border)
    assert small.shape == (int(np.ceil(11 * scale)), int(np.ceil(6 * scale)), 2)
    assert (small == 77).all()


def test_scale_one_is_the_identity_and_flips_commute():
    assert np.array_equal(matlab_imresize(RGB, 1.0), RGB)
    flipped = matlab_imresize(RGB[::-1, ::-1].copy(), (3, 20))
    assert np.abs(flipped[::-1, ::-1].astype(int) - matlab_imresize(RGB, (3, 20))).max() <= 1


def test_rounding_between_the_passes():
    # A checkerboard of 0 and 255: the vertical pass overshoots and is clipped before the other.
    board = (np.indices((8, 8)).sum(0) // 4 % 2 * 255).astype(np.uint8)
    vertical = matlab_imresize(board, (4, 8))
    assert np.array_equal(matlab_imresize(vertical, (4, 4)), matlab_imresize(board, (4, 4)))


def test_borders_differ_only_at_the_border():
    clamp, mirror = matlab_imresize(RGB, 4.0), matlab_imresize(RGB, 4.0, "mirror")
    assert not np.array_equal(clamp, mirror)
    assert np.array_equal(clamp[8:-8, 8:-8], mirror[8:-8, 8:-8])


def test_sizes():
    assert matlab_imresize(RGB, 0.5).shape == (3, 4, 3)  # rounded up
    assert matlab_imresize(np.zeros((10, 10), np.uint8), 0.7).shape == (7, 7)
    assert shrink(from_uint8(RGB), 2).shape == (1, 3, 2, 3)  # cropped first
    assert crop_to_multiple(RGB, 3).shape == (3, 6, 3)


@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan, np.inf, (0, 3), (2, 2, 2)])
def test_unfit_scales(scale):
    with pytest.raises(ValueError, match="scale"):
        matlab_imresize(RGB, scale)


def test_too_small_to_shrink():
    with pytest.raises(ValueError, match="7x5"):
        shrink(RGB, 6)


@pytest.mark.reference
@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("name", ["Set5", "Set14"])
def test_benchmark_images_are_reproduced_to_the_last_pixel(shared, name, scale):
    folder = shared / "benchmarks" / name / f"x{scale}"
    originals = sorted((folder / "HR").glob("*.png"))
    assert len(originals) == {"Set5": 5, "Set14": 14}[name]
    for path in originals:
        expected = to_uint8(read_picture(folder / "LR" / path.name).rgb)
        made = to_uint8(shrink(read_picture(path).rgb, scale))
        assert np.array_equal(made, expected), path.name
