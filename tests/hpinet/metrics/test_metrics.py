"""PSNR, SSIM and LPIPS against numbers worked out independently."""

from __future__ import annotations

import math
import urllib.error

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from hpinet import Picture, UserError, load_model, read_picture, upscale
from hpinet.imaging.images import from_uint8
from hpinet.metrics.lpips import BACKBONE_VARIABLE, Lpips
from hpinet.metrics.psnr_ssim import psnr_y, ssim_y, to_y

NOISE = np.random.default_rng(0).integers(0, 256, (40, 44, 3), dtype=np.uint8)


def flat(value: int, size: int = 20) -> np.ndarray:
    return np.full((size, size, 3), value, np.uint8)


def test_luma_of_known_colours():
    colours = {
        (0, 0, 0): 16,
        (255, 255, 255): 235,
        (255, 0, 0): 81,  # 16 + 65.481 = 81.48
        (0, 255, 0): 145,  # 144.55, rounded
        (0, 0, 255): 41,  # 40.97
    }
    for colour, luma in colours.items():
        assert to_y(np.array([[colour]], np.uint8)).tolist() == [[luma]]


def test_psnr_by_hand():
    # 16 + 219 / 255 * grey, rounded: 100 -> 102, 107 -> 108. Six steps: 20 log10(255 / 6).
    assert psnr_y(flat(107), flat(100), crop=4) == pytest.approx(20 * math.log10(255 / 6))


def test_psnr_of_equal_pictures_is_infinite():
    assert psnr_y(NOISE, NOISE, crop=2) == math.inf


def test_border_is_left_out():
    framed = NOISE.copy()
    framed[:3] = framed[-3:] = 0
    framed[:, :3] = framed[:, -3:] = 0
    assert psnr_y(framed, NOISE, crop=3) == math.inf
    assert psnr_y(framed, NOISE, crop=2) < 40
    assert ssim_y(framed, NOISE, crop=3) == 1


def test_tensors_are_rounded_to_8_bit_first():
    nearly = from_uint8(NOISE) + 0.4 / 255
    assert psnr_y(nearly.clamp(0, 1), NOISE, crop=0) == math.inf


def direct_ssim(a: np.ndarray, b: np.ndarray) -> float:
    """SSIM as published (Wang et al. 2004), valid 11x11 windows only."""
    offsets = np.arange(11) - 5
    line = np.exp(-(offsets**2) / (2 * 1.5**2))
    kernel = torch.from_numpy(np.outer(line, line) / line.sum() ** 2)[None, None]

    def mean(x):
        return torch.conv2d(torch.from_numpy(x)[None, None], kernel)[0, 0].numpy()

    ma, mb = mean(a), mean(b)
    va, vb, cov = mean(a * a) - ma**2, mean(b * b) - mb**2, mean(a * b) - ma * mb
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    top = (2 * ma * mb + c1) * (2 * cov + c2)
    return float((top / ((ma**2 + mb**2 + c1) * (va + vb + c2))).mean())


def test_ssim_is_the_published_formula_with_11x11_windows():
    blurred = (NOISE // 2 + np.roll(NOISE // 2, 1, 0)).astype(np.uint8)
    a, b = (to_y(x).astype(float)[4:-4, 4:-4] for x in (blurred, NOISE))
    assert ssim_y(blurred, NOISE, crop=4) == pytest.approx(direct_ssim(a, b), abs=1e-10)


def test_of_a_transparent_original_opaque_pixels_count():
    sr, hr = NOISE.copy(), NOISE.copy()
    sr[:, 22:] = 0
    alpha = torch.ones(1, 1, 40, 44)
    assert psnr_y(sr, Picture(from_uint8(hr), alpha), 2) == psnr_y(sr, hr, 2)
    assert ssim_y(sr, Picture(from_uint8(hr), alpha), 2) == ssim_y(sr, hr, 2)
    alpha[..., 22:] = 0.5
    half = Picture(from_uint8(hr), alpha)
    assert psnr_y(sr, half, 2) == float("inf")
    sr[:] = NOISE // 2
    assert psnr_y(sr, half, 2) == pytest.approx(psnr_y(sr[2:-2, 2:22], hr[2:-2, 2:22], 0))
    for score in (psnr_y, ssim_y):
        with pytest.raises(UserError, match="opaque"):
            score(sr, Picture(from_uint8(hr), 0 * alpha), 2)


def test_unequal_and_small_pictures_are_refused():
    with pytest.raises(ValueError, match="20x20 and 44x40"):
        psnr_y(flat(0), NOISE, crop=0)
    with pytest.raises(ValueError, match="too small"):
        psnr_y(flat(0, 8), flat(0, 8), crop=4)
    with pytest.raises(ValueError, match="at least 19"):
        ssim_y(flat(0, 18), flat(0, 18), crop=4)


# --- LPIPS -----------------------------------------------------------------------------------


def alexnet_tensors() -> dict[str, torch.Tensor]:
    shapes = {0: (64, 3, 11, 11), 3: (192, 64, 5, 5), 6: (384, 192, 3, 3)}
    shapes |= {8: (256, 384, 3, 3), 10: (256, 256, 3, 3)}
    generator = torch.Generator().manual_seed(0)
    tensors = {}
    for layer, shape in shapes.items():
        tensors[f"features.{layer}.weight"] = torch.randn(shape, generator=generator) / 20
        tensors[f"features.{layer}.bias"] = torch.zeros(shape[0])
    return tensors


@pytest.fixture
def backbone(tmp_path):
    path = tmp_path / "alexnet.safetensors"
    save_file(alexnet_tensors(), path)
    return path


def test_lpips_from_a_file_is_a_distance(backbone, capfd, recwarn):
    state = torch.random.get_rng_state()
    distance = Lpips(backbone)
    assert distance.available
    assert distance.reason == ""
    assert distance(NOISE, NOISE) == 0
    other = np.roll(NOISE, 1, 0)
    value = distance(NOISE, other)
    assert value > 0
    assert distance(from_uint8(NOISE), from_uint8(other)) == pytest.approx(value)
    # The same file gives the same network, however random the one it is filled into was.
    assert Lpips(backbone)(NOISE, other) == value
    assert torch.equal(torch.random.get_rng_state(), state)
    assert capfd.readouterr() == ("", "")
    assert not [w for w in recwarn if issubclass(w.category, UserWarning)]


def test_lpips_backbone_from_the_environment_as_pth(tmp_path, backbone, monkeypatch):
    path = tmp_path / "alexnet.pth"
    torch.save({**alexnet_tensors(), "classifier.1.bias": torch.zeros(4096)}, path)
    monkeypatch.setenv(BACKBONE_VARIABLE, str(path))
    other = np.roll(NOISE, 1, 0)
    assert Lpips()(NOISE, other) == Lpips(backbone)(NOISE, other)


def test_lpips_refuses_small_pictures(backbone):
    distance = Lpips(backbone)
    assert distance(NOISE[:31, :31], NOISE[1:32, 1:32]) > 0
    with pytest.raises(ValueError, match="at least 31"):
        distance(NOISE[:30], NOISE[:30])


def wrong_files(tmp_path):
    text = tmp_path / "text.pth"
    text.write_text("no weights")
    text_safe = tmp_path / "text.safetensors"
    text_safe.write_text("no weights")
    other = tmp_path / "other.safetensors"
    save_file({"features.0.weight": torch.zeros(64, 3, 3, 3)}, other)
    missing = tmp_path / "missing.pth"
    return {
        missing: "not a file",
        text: "no weights",
        text_safe: "no weights",
        other: "not torchvision's AlexNet",
    }


def test_wrong_backbones_give_a_reason(tmp_path):
    for path, words in wrong_files(tmp_path).items():
        distance = Lpips(path)
        assert not distance.available
        assert words in distance.reason
        assert path.name in distance.reason
        with pytest.raises(ValueError, match=words):
            distance(NOISE, NOISE)


def test_without_backbone_and_network_a_reason_says_so(monkeypatch):
    import lpips

    def offline(**_):
        raise urllib.error.URLError("no network")

    monkeypatch.delenv(BACKBONE_VARIABLE, raising=False)
    monkeypatch.setattr(lpips, "LPIPS", offline)
    distance = Lpips()
    assert not distance.available
    assert BACKBONE_VARIABLE in distance.reason


@pytest.mark.slow
@pytest.mark.reference
def test_lpips_of_the_released_m_on_set5(shared):
    model = load_model(shared / "released" / "HPINet-M-x4.pth")
    distance = Lpips(shared / "lpips" / "alexnet_features.safetensors")
    folder = shared / "benchmarks" / "Set5" / "x4"
    values = []
    for path in sorted((folder / "HR").glob("*.png")):
        sr = upscale(model, read_picture(folder / "LR" / path.name)).rgb
        values.append(distance(sr, read_picture(path).rgb))
    assert np.mean(values) == pytest.approx(0.1685, abs=3e-4)  # of the authors' own code
