"""Many networks on one window: residuals that are too large, and what mends them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from hpinet import Picture
from lam import Window
from lam.batch.comparison import UNEXPLAINED, compared, ordered


class Squared(nn.Module):
    """Nearest neighbours of x squared: smooth, so that a Riemann sum's error halves."""

    scale = 2

    def forward(self, x):
        return nn.functional.interpolate(x**2, scale_factor=2)


@pytest.fixture(scope="module")
def lr():
    torch.manual_seed(0)
    return torch.rand(1, 3, 12, 12)


def asked(lr, **options):
    return compared("squared", Squared(), lr, Window(8, 8, 8), method="riemann_right", **options)


def test_steps_are_doubled_until_the_residual_is_small(lr):
    plain, mended = asked(lr, n_steps=4), asked(lr, n_steps=4, mend=800)
    share = plain.result.relative_residual
    assert abs(share) > UNEXPLAINED
    assert f"{share:+.1%}" in plain.note and "4 steps" in plain.note
    assert mended.tried[0] == (4, share)
    assert [n for n, _ in mended.tried] == [4 * 2**k for k in range(len(mended.tried))]
    assert all(abs(s) > UNEXPLAINED for _, s in mended.tried)
    assert abs(mended.result.relative_residual) <= UNEXPLAINED
    assert mended.row()["steps"] == 2 * mended.tried[-1][0]
    assert f"{mended.result.relative_residual:+.1%}" in mended.note


def test_mending_gives_up_at_its_limit(lr):
    found = asked(lr, n_steps=2, mend=4)
    assert (found.result.n_steps, len(found.tried)) == (4, 1)
    assert found.note


@pytest.mark.parametrize("column", ["diffusion_index", "area_80", "relative_residual"])
def test_any_column_orders(lr, column):
    found = ordered([asked(lr, n_steps=n) for n in (2, 8, 4)], column)
    sizes = [abs(one.row()[column]) for one in found]
    assert sizes == sorted(sizes, reverse=True)


def test_the_windows_psnr_counts_opaque_pixels(lr):
    sr, alpha = Squared()(lr), torch.ones(1, 1, 24, 24)
    hr = (sr + 0.1).clamp(0, 1)
    hr[..., :12, :] = 0
    scores = []
    for visible in (slice(None), slice(12, None), slice(0)):
        alpha[:] = 0
        alpha[..., visible, :] = 1
        scores.append(asked(lr, n_steps=2, hr=Picture(hr, alpha.clone())).psnr)
    assert scores[0] < 15 < 18 < scores[1] < 25
    assert scores[2] is None
    assert asked(lr, n_steps=2, hr=Picture(hr)).psnr == scores[0]
