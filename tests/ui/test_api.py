"""The page as an API: every action by its name, and a table of bad inputs with their outcomes."""

from __future__ import annotations

import io
import math
import struct
import zlib

import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from helpers.foreign import foreign, saved
from PIL import Image

RNG = np.random.default_rng(1)


@pytest.fixture(scope="module")
def client(url, tmp_path_factory):
    return Client(url, verbose=False, download_files=str(tmp_path_factory.mktemp("got")))


def noise(height, width, channels=3):
    return RNG.integers(0, 256, (height, width, channels), np.uint8)


@pytest.fixture
def mine(tmp_path):
    Image.fromarray(noise(32, 40)).save(tmp_path / "mine.png")
    return handle_file(tmp_path / "mine.png")


def png(image, **options):
    file = io.BytesIO()
    image.save(file, "PNG", **options)
    return file.getvalue()


def encoded(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def bomb():
    """A PNG of 200 megapixels in a few hundred kilobytes."""

    def chunk(name, data):
        body = name + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    packer = zlib.compressobj(9)
    row = bytes(1 + 20000 // 8)
    rows = b"".join(packer.compress(row) for _ in range(10000)) + packer.flush()
    header = struct.pack(">IIBBBBB", 20000, 10000, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


def deep():
    return Image.fromarray((RNG.random((20, 24)) * 65535).astype(np.uint16))


def palette():
    image = Image.fromarray(noise(20, 24)).quantize(8)
    return png(image, transparency=3)


def animation():
    frames = [Image.fromarray(noise(20, 24)) for _ in range(3)]
    return encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])


def turned():
    image = Image.fromarray(noise(20, 24))
    exif = image.getexif()
    exif[0x0112] = 6
    return encoded(image, "JPEG", exif=exif)


WORKS = {
    # name: (file name, bytes, mode, size of the result, what is said about it)
    "1x1": ("one.png", png(Image.fromarray(noise(1, 1))), "enlarge", (4, 4), ""),
    "16 bit": ("deep.png", png(deep()), "enlarge", (96, 80), "16-bit grey"),
    "RGBA": ("a.png", png(Image.fromarray(noise(20, 24, 4))), "enlarge", (96, 80), "transparency"),
    "RGBA, restored": (
        "a.png", png(Image.fromarray(noise(20, 24, 4))), "restore", (24, 20), "left out"
    ),
    "palette with transparency": ("p.png", palette(), "enlarge", (96, 80), "transparency"),
    "CMYK": (
        "c.jpg", encoded(Image.fromarray(noise(20, 24)).convert("CMYK"), "JPEG"), "enlarge",
        (96, 80), "CMYK converted",
    ),
    "animated GIF": ("g.gif", animation(), "enlarge", (96, 80), "1 of 3"),
    "EXIF orientation": ("t.jpg", turned(), "enlarge", (80, 96), "turned upright"),
    "1 bit": (
        "b.png", png(Image.fromarray(noise(20, 24)).convert("1")), "enlarge", (96, 80), "black"
    ),
}  # fmt: skip

REFUSED = {
    # name: (file name, bytes, mode, the sentence)
    "text as PNG": ("text.png", b"no image", "enlarge", r"text\.png is not an image"),
    "empty": ("empty.png", b"", "enlarge", r"empty"),
    "truncated PNG": (
        "half.png", png(Image.fromarray(noise(200, 200)))[:60000], "enlarge",
        "half.png is damaged"
    ),
    "1x1 to be shrunk": (
        "one.png", png(Image.fromarray(noise(1, 1))), "restore",
        "1x1 pixels is too small to be shrunk 4 times: choose Enlarge",
    ),
    "3x4000 to be shrunk": (
        "thin.png", png(Image.fromarray(noise(3, 4000))), "restore",
        "4000x3 pixels is too small to be shrunk",
    ),
    "too large to enlarge": (
        "large.png", png(Image.fromarray(np.zeros((600, 600), np.uint8))), "enlarge",
        r"600x600 pixels; the limit is 0\.25 million: crop or shrink it.*hpinet upscale",
    ),
    "200 megapixels": (
        "bomb.png", bomb(), "restore", "bomb"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WORKS)
def test_unusual_images_work(client, tmp_path, name):
    file, data, mode, size, said = WORKS[name]
    (tmp_path / file).write_bytes(data)
    path, facts = client.predict(
        handle_file(tmp_path / file), mode, "Tiny-x4", api_name="/super_resolve"
    )
    assert Image.open(path).size == size
    assert said in "; ".join(facts["notes"])


def test_a_thin_image_works_all_the_way(client, tmp_path):
    Image.fromarray(noise(5, 4000)).save(tmp_path / "thin.png")
    path, _ = client.predict(
        handle_file(tmp_path / "thin.png"), "enlarge", "Tiny-x4", api_name="/super_resolve"
    )
    assert Image.open(path).size == (16000, 20)
    image, told = client.predict("network", "window", 8000, 0, 16, api_name="/closer_look")
    assert told["window"] == {"left": 8000, "top": 0, "size": 16}
    assert Image.open(image).size == (512, 512)


@pytest.mark.slow
def test_the_middle_of_what_is_too_large_is_taken_when_asked_for(client, tmp_path):
    Image.fromarray(noise(600, 700)).save(tmp_path / "large.png")
    path, facts = client.predict(
        handle_file(tmp_path / "large.png"), "enlarge", "Tiny-x4", True, api_name="/super_resolve"
    )
    assert Image.open(path).size == (2000, 2000)
    assert "the middle 500x500 of 700x600 pixels taken" in facts["notes"]


@pytest.mark.parametrize("name", REFUSED)
def test_bad_images_get_a_sentence(client, tmp_path, name):
    file, data, mode, sentence = REFUSED[name]
    (tmp_path / file).write_bytes(data)
    with pytest.raises(AppError, match=sentence) as caught:
        client.predict(handle_file(tmp_path / file), mode, "Tiny-x4", api_name="/super_resolve")
    told = str(caught.value)
    assert "/" not in told.replace("python -m", "") and "Traceback" not in told


def test_bad_settings_get_a_sentence(client, mine):
    for arguments, sentence in (
        ((mine, "sharpen", "Tiny-x4"), "sharpen|choices"),
        ((mine, "enlarge", "No-such-net"), "There is no network"),
        ((None, "enlarge", "Tiny-x4"), "No image was given"),
    ):
        with pytest.raises(AppError, match=sentence):
            client.predict(*arguments, api_name="/super_resolve")


def test_windows_are_put_inside_and_must_be_numbers(client, url, mine):
    client.predict(mine, "enlarge", "Tiny-x4", api_name="/super_resolve")
    _, told = client.predict("network", "window", -50, 10**9, 16, api_name="/closer_look")
    assert told["window"] == {"left": 0, "top": 112, "size": 16}
    with pytest.raises(AppError, match="three numbers"):
        client.predict("network", "window", None, 0, 16, api_name="/closer_look")
    answer = raw(url, client, "closer_look", '["network", "window", NaN, 0, 16]')
    assert "three numbers" in answer
    assert "Traceback" not in answer and "/home" not in answer and "/work" not in answer


def raw(url, client, name, data):
    """What the server says to a body that no JSON library would write."""
    body = f'{{"data": {data}, "session_hash": "{client.session_hash}"}}'
    headers = {"Content-Type": "application/json"}
    first = httpx.post(f"{url}gradio_api/call/{name}", content=body, headers=headers, timeout=60)
    if first.status_code != 200:
        return first.text
    event = first.json()["event_id"]
    return httpx.get(f"{url}gradio_api/call/{name}/{event}", timeout=60).text


def test_steps_out_of_range_get_a_sentence(client, mine):
    client.predict(mine, "enlarge", "Tiny-x4", api_name="/super_resolve")
    for steps in (0, 10**9):
        with pytest.raises(AppError, match=r"minimum value 4|maximum value 100"):
            client.predict(0, 0, 16, steps, api_name="/attribute")


def test_the_api_super_resolves_attributes_and_matches(client, mine):
    client.predict(mine, "enlarge", "Tiny-x4", api_name="/super_resolve")
    found = client.predict(24, 20, 16, 4, "auto", "own", api_name="/attribute")
    assert all(Image.open(file).format == "PNG" for file in found[:3])
    assert not any("__type__" in v for v in found if isinstance(v, dict))
    figures = next(v for v in found if isinstance(v, dict) and "with_gpa" in v)
    assert figures["region"] == {"left": 0, "top": 0, "height": 32, "width": 40}
    assert figures["without_gpa_means"] == "own"
    for which in ("with_gpa", "without_gpa"):
        account = figures[which]
        change = account["detector_end"] - account["detector_start"]
        parts = account["integral"] + account["match_jumps"] + account["residual"]
        assert parts == pytest.approx(change, rel=1e-4, abs=1e-6)
    paired = client.predict(2, 30, 30, api_name="/matches")
    assert any("Block 2" in v for v in paired if isinstance(v, str))
    with pytest.raises(AppError, match="no block 99: they are numbered 1 to 2"):
        client.predict(99, 30, 30, api_name="/matches")


def test_scores_are_those_of_the_library(client, tmp_path):
    from hpinet.metrics.psnr_ssim import psnr_y, ssim_y

    pixels = noise(64, 64)
    Image.fromarray(pixels).save(tmp_path / "mine.png")
    _, facts = client.predict(
        handle_file(tmp_path / "mine.png"), "restore", "Tiny-x4", api_name="/super_resolve"
    )
    assert set(facts["scores"]) == {"bicubic", "network", "without"}
    assert facts["scores"]["network"]["lpips"] is None  # not before it is asked for
    scores = client.predict(api_name="/scores")
    for kind, told in scores["scores"].items():
        sr = np.asarray(Image.open(client.predict(kind, api_name="/contender")))
        assert told["psnr_y_db"] == pytest.approx(psnr_y(sr, pixels, 4))
        assert told["ssim_y"] == pytest.approx(ssim_y(sr, pixels, 4))
        assert (told["lpips"] or 0) > 0 or scores["lpips_missing"]
    original = client.predict("original", api_name="/contender")
    assert np.array_equal(np.asarray(Image.open(original)), pixels)


def test_error_maps_are_errors_of_the_luma(client, tmp_path):
    from hpinet.metrics.psnr_ssim import to_y

    pixels = noise(64, 64)
    Image.fromarray(pixels).save(tmp_path / "mine.png")
    client.predict(
        handle_file(tmp_path / "mine.png"), "restore", "Tiny-x4", api_name="/super_resolve"
    )
    sr = np.asarray(Image.open(client.predict("bicubic", api_name="/contender")))
    _, told = client.predict("bicubic", "errors", 0, 0, 16, api_name="/closer_look")
    expected = np.abs(to_y(sr).astype(float) - to_y(pixels))
    assert told["mean_error_levels"] == pytest.approx(expected.mean())
    _, told = client.predict("bicubic", "window errors", 8, 4, 16, api_name="/closer_look")
    assert told["mean_error_levels"] == pytest.approx(expected[4:20, 8:24].mean())
    assert told["colours_end_at_levels"] >= np.percentile(expected, 99.5) - 1e-9
    with pytest.raises(AppError, match="no contender 'other'"):
        client.predict("other", "window", 0, 0, 16, api_name="/closer_look")


def test_examples_are_opened_by_name(client):
    _, facts = client.predict("Cat", "restore", "Tiny-x4", api_name="/open_example")
    assert facts["lr_size"] == {"width": 64, "height": 64} and facts["window"]["left"] == 76
    assert math.isfinite(facts["scores"]["network"]["psnr_y_db"])


def test_a_model_of_ones_own_is_there_for_its_session_only(client, url, tmp_path, mine):
    path = saved(foreign("Compact"), tmp_path / "mine.safetensors")
    facts = client.predict(handle_file(path), api_name="/load_model")
    assert facts["Architecture"] == "RealESRGAN Compact" and facts["Enlarges"] == "4 times"
    label = facts["label"]
    assert client.predict(api_name="/networks")["networks"][-1] == label
    client.predict(mine, "restore", "Tiny-x4", api_name="/super_resolve")
    assert "other" in client.predict(api_name="/scores")["scores"]
    client.predict(mine, "enlarge", label, api_name="/super_resolve")
    other = Client(url, verbose=False)
    assert other.predict(api_name="/networks")["yours"] is None
    with pytest.raises(AppError, match="There is no network"):
        other.predict(mine, "enlarge", label, api_name="/super_resolve")
    with pytest.raises(AppError, match="no image yet"):
        other.predict("network", api_name="/contender")
    assert client.predict(api_name="/forget_model")["yours"] is None


def test_only_shown_images_are_served(client, url, mine):
    client.predict(mine, "enlarge", "Tiny-x4", api_name="/super_resolve")
    import ui.layout

    for path in ("/etc/passwd", ui.layout.__file__, "app.py", "../../../etc/passwd"):
        assert httpx.get(f"{url}gradio_api/file={path}").status_code in (403, 404), path


def test_every_endpoint_is_described(client):
    endpoints = client.view_api(return_format="dict")["named_endpoints"]
    wanted = {
        "/super_resolve", "/open_example", "/scores", "/contender", "/closer_look", "/networks",
        "/load_model", "/forget_model", "/attribute", "/matches",
    }  # fmt: skip
    assert wanted <= set(endpoints)
    for name, told in endpoints.items():
        assert told.get("description"), name
        assert all(p["parameter_name"] and p["type"] for p in told["parameters"]), name
