"""Picture in, picture out, with small networks that need no weights."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from hpinet import HPINet, HPINetConfig, own_matches
from hpinet.imaging.images import Picture, PictureError, from_uint8, to_uint8
from hpinet.inference.upscale import bicubic, upscale


class Nearest(nn.Module):
    """Repeats pixels twice, times a gain."""

    scale = 2

    def __init__(self, gain: float = 1.0) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(gain))
        self.seen_training = False

    def forward(self, x):
        self.seen_training = self.training
        return x.repeat_interleave(2, -1).repeat_interleave(2, -2) * self.gain


def tiny_hpinet() -> HPINet:
    torch.manual_seed(0)
    config = HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(6, 8), scale=2)
    return HPINet(config).eval()


def test_upscale_keeps_alpha_and_notes_and_clamps():
    rgb = torch.tensor([0.2, 0.9]).reshape(1, 1, 1, 2).expand(1, 3, 1, 2)
    picture = Picture(rgb, torch.ones(1, 1, 1, 2), ("a note",))
    result = upscale(Nearest(gain=2.0).eval(), picture)
    assert result.rgb.shape == (1, 3, 2, 4)
    assert result.rgb[0, 0, 0].tolist() == pytest.approx([0.4, 0.4, 1, 1])
    assert torch.equal(result.alpha, torch.ones(1, 1, 2, 4))
    assert result.notes == ("a note",)


def test_alpha_is_enlarged_as_pillow_does():
    alpha = np.random.default_rng(0).integers(0, 256, (4, 5), dtype=np.uint8)
    picture = Picture(torch.zeros(1, 3, 4, 5), from_uint8(alpha)[:, :1])
    expected = np.asarray(Image.fromarray(alpha).resize((10, 8), Image.Resampling.BICUBIC))
    for result in (upscale(Nearest().eval(), picture), bicubic(picture, 2)):
        assert np.array_equal(np.round(result.alpha[0, 0].numpy() * 255), expected)


def test_result_takes_part_in_autograd_and_weights_get_no_graph():
    result = upscale(Nearest().eval(), torch.rand(1, 3, 2, 2))
    assert not result.rgb.requires_grad
    (result.rgb * torch.ones(1, requires_grad=True)).sum().backward()  # no inference tensor


def test_worker_threads_build_no_graph():
    seen = []

    class Watch(Nearest):
        def forward(self, x):
            seen.append(torch.is_grad_enabled())
            return super().forward(x)

    thread = threading.Thread(target=upscale, args=(Watch().eval(), torch.rand(1, 3, 2, 2)))
    thread.start()
    thread.join()
    assert seen == [False]


def test_training_mode_is_left_and_restored():
    model = Nearest().train()
    upscale(model, torch.rand(1, 3, 2, 2))
    assert not model.seen_training
    assert model.training


def test_a_part_in_evaluation_mode_is_not_woken():
    part = Nearest().eval()
    whole = nn.Sequential(part).train()
    part.eval()
    upscale(whole, torch.rand(1, 3, 5, 6))
    assert whole.training
    assert not part.training


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (13, 9)])
def test_hpinet_takes_any_size(size):
    result = upscale(tiny_hpinet(), torch.rand(1, 3, *size))
    assert result.size == (2 * size[0], 2 * size[1])
    assert torch.isfinite(result.rgb).all()
    assert 0 <= result.rgb.min() <= result.rgb.max() <= 1


def test_matches_reach_the_network():
    model, x = tiny_hpinet(), torch.rand(1, 3, 20, 20)
    own = own_matches(model.config, 20, 20)
    expected = model(x, matches=own).clamp(0, 1)
    assert torch.allclose(upscale(model, x, matches=own).rgb, expected, atol=1e-6)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_values_that_are_no_numbers_are_refused(value):
    with pytest.raises(PictureError, match="not numbers"):
        upscale(Nearest(), torch.full((1, 3, 2, 2), value))
    with pytest.raises(PictureError, match="weights"):
        upscale(Nearest(gain=torch.nan), torch.ones(1, 3, 2, 2))


def test_little_memory_is_said_in_a_sentence_and_other_errors_pass():
    class Fails(Nearest):
        def __init__(self, error):
            super().__init__()
            self.error = error

        def forward(self, x):
            raise self.error

    allocator = RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")
    for error in (MemoryError(), allocator, torch.cuda.OutOfMemoryError("CUDA out of memory.")):
        with pytest.raises(PictureError, match="memory for an image of 3x2 pixels"):
            upscale(Fails(error), torch.rand(1, 3, 2, 3))
    with pytest.raises(RuntimeError, match="something else"):
        upscale(Fails(RuntimeError("something else")), torch.rand(1, 3, 2, 3))


def test_bicubic_is_pillows():
    pixels = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)
    expected = Image.fromarray(pixels).resize((15, 18), Image.Resampling.BICUBIC)
    assert np.array_equal(to_uint8(bicubic(from_uint8(pixels), 3)), np.asarray(expected))


def test_bicubic_of_a_batch_is_that_of_each():
    batch = torch.rand(3, 3, 4, 6)
    together = bicubic(batch, 2)
    for i in range(3):
        assert torch.equal(together[i : i + 1], bicubic(batch[i : i + 1], 2))


def test_bicubic_refuses_scale_zero():
    with pytest.raises(PictureError, match="scale"):
        bicubic(torch.rand(1, 3, 2, 2), 0)
