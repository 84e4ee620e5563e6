"""Dividing into patches and aggregating them again (Eq. 4-5)."""

import pytest
import torch

from hpinet.modeling.patches import axis_origins, division, fitting_size, pixels_worked_on


@pytest.mark.parametrize(
    ("length", "patch", "overlap", "origins"),
    [
        (24, 12, 0, (0, 12)),  # Eq. 4: u % P = 0
        (30, 12, 0, (0, 12, 18)),  # ... or u = H - P
        (12, 12, 0, (0,)),
        (12, 12, 2, (0,)),
        (32, 12, 2, (0, 10, 20)),
        (33, 12, 2, (0, 10, 20, 21)),  # three patches cover rows 21 and 31
        (34, 12, 2, (0, 10, 20, 22)),
    ],
)
def test_origins_by_hand(length, patch, overlap, origins):
    assert axis_origins(length, patch, overlap) == origins


def test_too_small_a_map_is_refused():
    with pytest.raises(ValueError, match="11 pixels cannot hold a patch of 12"):
        axis_origins(11, 12, 2)


@pytest.mark.parametrize("overlap", [0, 2])
@pytest.mark.parametrize("size", [(12, 12), (13, 40), (33, 25), (64, 23)])
def test_divide_then_aggregate_is_the_identity(size, overlap):
    x = torch.randn(2, *size, 5, dtype=torch.float64)
    cut = division(*size, 12, overlap)
    patches = cut.divide(x)
    assert patches.shape == (2, cut.count, 144, 5)
    torch.testing.assert_close(cut.aggregate(patches), x, atol=1e-6, rtol=0)


def test_patches_are_row_major_and_so_are_their_pixels():
    x = torch.arange(20 * 25).reshape(1, 20, 25, 1).float()
    cut = division(20, 25, 12, 2)
    assert cut.origins.tolist() == [[0, 0], [0, 10], [0, 13], [8, 0], [8, 10], [8, 13]]
    assert cut.divide(x)[0, 4, :, 0].reshape(12, 12).equal(x[0, 8:20, 10:22, 0])


def test_where_three_patches_overlap_the_true_mean_is_taken():
    cut = division(33, 12, 12, 2)  # origins 0, 10, 20, 21: rows 21 and 31 lie in 3 and 2 patches
    values = torch.tensor([1.0, 2.0, 4.0, 8.0])[None, :, None, None].expand(1, 4, 144, 1)
    column = cut.aggregate(values)[0, :, 0, 0]
    assert column[[0, 9, 10, 12]].tolist() == [1, 1, 1.5, 2]
    assert column[20].item() == pytest.approx((2 + 4) / 2)
    assert column[21].item() == pytest.approx((2 + 4 + 8) / 3)
    assert column[[31, 32]].tolist() == [6, 8]


@pytest.mark.parametrize(
    ("side", "worked_on"),
    [(24, 1.95), (32, 1.83), (38, 1.47), (56, 1.44), (68, 1.35), (110, 1.29)],
)
def test_pixels_that_overlapping_patches_work_on(side, worked_on):
    patches = (12, 16, 20, 24, 12, 16, 20, 24)
    assert pixels_worked_on(side, patches, overlap=2) == pytest.approx(worked_on, abs=0.005)


@pytest.mark.parametrize(
    ("asked", "most", "fitting"),
    [(38, 999, 38), (36, 999, 38), (54, 999, 56), (76, 999, 68), (110, 999, 110), (110, 100, 100),
     (32, 33, 30), (20, 999, 20), (62, 60, 56)],
)  # fmt: skip
def test_the_size_near_the_one_asked_for_that_costs_least(asked, most, fitting):
    assert fitting_size(asked, (12, 16, 20, 24), 2, most) == fitting
