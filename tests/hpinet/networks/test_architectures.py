"""Bicubic, and other architectures through spandrel."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.foreign import foreign, saved
from safetensors.torch import save_file
from torch import nn

from hpinet import HPINetConfig, bicubic
from hpinet.networks.adapted_network import AdaptedNetwork
from hpinet.networks.bicubic import Bicubic
from lam import LocalAttribution, Window, open_network

TINY = HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(12, 16), scale=2)
ARCHITECTURES = ("SwinIR", "RCAN", "RealESRGAN Compact")


@pytest.fixture
def picture():
    return torch.rand(1, 3, 17, 19, generator=torch.Generator().manual_seed(0))


# --- bicubic ---------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [(5, 7), (16, 9), (1, 1), (3, 2)])
def test_bicubic_is_pillow_s_up_to_its_rounding(scale, size):
    generator = torch.Generator().manual_seed(2)
    # Pillow clips between its passes: a picture without the extremes does not overshoot.
    x = (64 + torch.randint(128, (2, 3, *size), generator=generator)) / 255
    found = open_network("bicubic", scale)(x)
    assert (found - bicubic(x, scale)).abs().max() * 255 <= 1.13  # half a level in each pass


def test_bicubic_is_linear_and_known_by_hand():
    net = Bicubic(2).double()
    row = torch.tensor([0.0, 0, 0, 1, 0, 0, 0], dtype=torch.float64).expand(1, 3, 5, 7)
    # SR pixel 6 lies 0.25 LR pixels left of LR pixel 3, pixel 5 lies 0.75 left, and so on.
    at = [round((1.5 * d - 2.5) * d * d + 1, 12) for d in (0.25, 0.75)]
    at += [round(((-0.5 * d + 2.5) * d - 4) * d + 2, 12) for d in (1.25, 1.75)]
    found = net(row)[0, 0, 4]
    assert [round(v, 12) for v in found[3:7].tolist()] == at[::-1]
    assert [round(v, 12) for v in found[7:11].tolist()] == at
    flat = torch.full((1, 3, 4, 4), 0.3, dtype=torch.float64)
    assert torch.allclose(net(flat), torch.full((1, 3, 8, 8), 0.3, dtype=torch.float64))


def test_bicubic_sees_two_pixels_around(picture):
    result = LocalAttribution(open_network("bicubic", 3)).attribute(
        picture, Window(24, 21, 6), detector="sum", n_steps=4
    )
    rows, columns = result.importance.nonzero()
    assert (rows.min(), rows.max()) == (7 - 2, 8 + 2)
    assert (columns.min(), columns.max()) == (8 - 2, 9 + 2)


@pytest.mark.parametrize("scale", [0, -2, 17, 2.5])
def test_impossible_scales_are_refused(scale):
    with pytest.raises(ValueError, match="1 to 16"):
        open_network("bicubic", scale)


# --- other architectures ---------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_foreign_networks_load_and_are_explained(name, suffix, tmp_path, picture):
    network = foreign(name).eval()
    opened = open_network(saved(network, tmp_path / f"net{suffix}"))
    scale = opened.scale
    assert (opened.name, scale) == (name, {"SwinIR": 2, "RCAN": 3}.get(name, 4))
    before = picture.clone()
    with torch.no_grad():
        assert torch.equal(opened(picture), network(before.clone()))
    assert torch.equal(picture, before)  # RCAN would scale it in place
    assert not opened.training
    assert not any(p.requires_grad for p in opened.parameters())
    result = LocalAttribution(opened).attribute(
        picture, Window(8 * scale, 8 * scale, 2 * scale), n_steps=24
    )
    assert result.params["sr_size"] == [17 * scale, 19 * scale]
    assert abs(result.relative_residual) < 0.05
    assert np.isfinite(result.diffusion_index)


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("size", [(1, 1), (5, 3), (11, 30)])
def test_foreign_networks_take_any_size(name, size, tmp_path):
    opened = open_network(saved(foreign(name), tmp_path / "net.pth"))
    x = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(3))
    sr = opened(x)
    assert sr.shape == (2, 3, size[0] * opened.scale, size[1] * opened.scale)
    assert torch.isfinite(sr).all()


def test_padding_is_by_reflection_then_repetition():
    seen = []

    class Spy(nn.Module):
        def forward(self, x):
            seen.append(x)
            return x

    network = AdaptedNetwork(Spy(), 1, "spy", padding=lambda width, height: (5, 1))
    x = torch.arange(9.0).reshape(1, 1, 3, 3).expand(1, 3, 3, 3)
    assert torch.equal(network(x), x)
    first = [0, 1, 2, 1, 0, 0, 0, 0]
    rows = [[v + 3 * row for v in first] for row in (0, 1, 2, 1)]
    assert seen[0][0, 0].tolist() == rows


def test_other_channels_are_refused(tmp_path):
    path = saved(foreign("RealESRGAN Compact", channels=1), tmp_path / "grey.pth")
    with pytest.raises(ValueError, match=r"grey\.pth holds .* for 1 channels in"):
        open_network(path)


def test_foreign_networks_have_their_scale_and_no_gpa(tmp_path):
    path = saved(foreign("RCAN"), tmp_path / "rcan.pth")
    assert open_network(path, 3).scale == 3
    with pytest.raises(ValueError, match="x3 network, but x4"):
        open_network(path, 4)
    for name in (path, "bicubic"):
        with pytest.raises(ValueError, match="no Global Pixel Access to switch off"):
            open_network(name, gpa=False)


class Trap:
    def __reduce__(self):
        return exec, ("raise SystemExit('code of the file was run')",)


def test_unfit_files_get_one_sentence(tmp_path):
    foreign("RCAN")  # skips without spandrel
    torch.save({"params": {"w": torch.ones(2)}, "trap": Trap()}, tmp_path / "trap.pth")
    (tmp_path / "text.pth").write_text("no weights")
    save_file({"a.weight": torch.ones(2)}, tmp_path / "unknown.safetensors")
    broken = foreign("RCAN").state_dict()
    broken["head.0.weight"] = torch.ones(5)
    torch.save(broken, tmp_path / "broken.pth")
    for name, words in (
        ("trap.pth", "--trust"),
        ("text.pth", "cannot be read"),
        ("unknown.safetensors", "FILE.py:build"),
        ("broken.pth", "tensors do not fit"),
    ):
        with pytest.raises(ValueError, match=words) as caught:
            open_network(tmp_path / name)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)
