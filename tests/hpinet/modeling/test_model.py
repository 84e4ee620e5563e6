"""HPINet against known numbers (parameters, goldens) and its properties."""

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.seeded import seeded_model

from hpinet import VARIANTS, HPINet, HPINetConfig, OwnPatches, get_config, load_model, own_matches

GOLDENS = Path(__file__).parent / "goldens"


def picture(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def parameters(config):
    return sum(p.numel() for p in HPINet(config).parameters())


@pytest.mark.parametrize(
    ("name", "scale", "count"),
    [
        ("S", 4, 463_131),
        ("M", 2, 782_539),
        ("M", 3, 923_939),
        ("M", 4, 895_659),
        ("L", 4, 1_435_587),
    ],
)
def test_parameter_counts_to_the_last_one(name, scale, count):
    assert parameters(get_config(name, scale)) == count


def test_table_2_pairs_have_one_budget():
    assert [round(parameters(VARIANTS[n]) / 1000) for n in ("M", "M-no-cpd")] == [896, 896]
    assert [round(parameters(VARIANTS[n]) / 1000) for n in ("M-no-gpa", "M-no-cpd-no-gpa")] == [
        895,
        895,
    ]
    # "similar" in Table 4, for which the paper gives no number
    assert parameters(VARIANTS["M-no-ipsa"]) == pytest.approx(895_659, rel=0.01)


def check_golden(model, golden):
    lr = torch.from_numpy(golden["lr"]).permute(2, 0, 1)[None] / 255
    with torch.inference_mode():
        sr, matches = model(lr, return_matches=True)
    assert np.abs(sr[0].numpy() - golden["sr"]).max() < 1e-4
    for i, block in enumerate(matches.blocks):
        assert np.array_equal(block.index[0].numpy(), golden[f"match_{i}"].ravel()), f"block {i}"


@pytest.mark.parametrize(("name", "scale"), [("S", 4), ("M", 2), ("M", 3), ("L", 4)])
def test_seeded_goldens(name, scale):
    check_golden(seeded_model(name, scale), np.load(GOLDENS / f"seeded_{name}_x{scale}.npz"))


@pytest.mark.reference
@pytest.mark.parametrize("name", ["S-x4", "M-x2", "M-x3", "M-x4"])
@pytest.mark.parametrize("image", ["bird", "butterfly"])
def test_released_goldens(shared, name, image):
    model = load_model(shared / "released" / f"HPINet-{name}.pth")
    golden = shared / "goldens" / f"released_{name.replace('-', '_')}_{image}.npz"
    check_golden(model, np.load(golden))


@pytest.mark.parametrize("name", list(VARIANTS))
def test_every_variant_runs_at_every_scale(name):
    for scale in (2, 3, 4):
        model = HPINet(get_config(name, scale)).eval()
        with torch.inference_mode():
            assert model(picture(1, 3, 25, 31)).shape == (1, 3, 25 * scale, 31 * scale)


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (5, 7), (23, 24), (24, 24), (30, 3)])
def test_any_size_from_one_pixel_up(size):
    model = seeded_model("S")
    with torch.inference_mode():
        sr = model(picture(1, 3, *size))
    assert sr.shape == (1, 3, 4 * size[0], 4 * size[1])
    assert sr.isfinite().all()


def test_a_batch_gives_what_its_pictures_give_alone():
    model, x = seeded_model("S"), picture(3, 3, 36, 41)
    with torch.inference_mode():
        together, matches = model(x, return_matches=True)
        for k in range(3):
            alone, own = model(x[k : k + 1], return_matches=True)
            torch.testing.assert_close(together[k : k + 1], alone, atol=2e-5, rtol=0)
            for ours, theirs in zip(matches.image(k).blocks, own.blocks, strict=True):
                assert ours.index.equal(theirs.index)


def test_recorded_matches_give_the_same_bits():
    model, x = seeded_model("S"), picture(1, 3, 40, 44)
    with torch.inference_mode():
        sr, matches = model(x, return_matches=True)
        again, used = model(x, matches=matches, return_matches=True)
        assert again.equal(sr)
        assert used.blocks[5].index.equal(matches.blocks[5].index)
        assert model(x, matches=matches.live([3])).equal(sr)


def test_a_forced_match_changes_the_picture_only_within_its_reach():
    model, x = seeded_model("S"), picture(1, 3, 24, 90)
    with torch.inference_mode():
        sr, matches = model(x, return_matches=True)
        last = matches.blocks[7]  # P = 24: patches of one row at 0, 22, 44, 66
        index = last.index.clone()
        index[0, 0] = (index[0, 0] % 3) + 1 if index[0, 0] != 3 else 1
        changed = model(x, matches=matches.with_block(7, index))
    difference = (changed - sr).abs().amax((0, 1, 2))
    assert difference[: 4 * 24].max() > 1e-4
    # patch 0 ends at column 24; 3x3 convolutions after it carry on by 1 + 1 + 1/2 + 1/4 LR pixels
    assert difference[4 * 27 :].max() == 0


def test_the_similarity_matrix_agrees_with_the_matches():
    model = seeded_model("S")
    with torch.inference_mode():
        _, matches = model(picture(1, 3, 40, 44), return_matches=True, similarity_matrix=True)
    for block in matches.blocks:
        assert block.matrix.argmax(-1).equal(block.index)
        torch.testing.assert_close(block.matrix.amax(-1), block.similarity)


def test_gpa_off_is_every_patch_matching_itself():
    model, x = seeded_model("S"), picture(1, 3, 30, 33)
    with torch.inference_mode():
        live, matches = model(x, return_matches=True)
        off = model(x, matches=own_matches(model.config, 30, 33))
        assert off.equal(model(x, matches=matches.own()))
        assert off.equal(OwnPatches(model)(x))
        assert not off.equal(live)


def test_wrapping_a_network_leaves_its_mode_alone():
    model = seeded_model("S")
    assert not OwnPatches(model).training
    assert OwnPatches(model.train()).training


@pytest.mark.parametrize("size", [(36, 36), (24, 50)])
def test_matches_of_another_size_are_refused(size):
    model = seeded_model("S")
    matches = own_matches(model.config, 30, 33)
    with pytest.raises(ValueError, match=r"do not fit"):
        model(picture(1, 3, *size), matches=matches)


def test_a_network_without_gpa_has_no_matches():
    model = HPINet(get_config("S-no-gpa")).eval()
    _, matches = model(picture(1, 3, 30, 30), return_matches=True)
    assert matches.blocks == ()
    model(picture(1, 3, 30, 30), matches=matches)  # what came out goes in again
    with pytest.raises(ValueError, match="no Global Pixel Access"):
        model(picture(1, 3, 30, 30), matches=own_matches(get_config("S"), 30, 30))


@pytest.mark.parametrize("shape", [(3, 20, 20), (1, 1, 20, 20), (1, 3, 0, 20), (0, 3, 9, 9)])
def test_a_wrong_shape_is_named(shape):
    with pytest.raises(ValueError, match=r"expected images of shape \(B, 3, H, W\)"):
        HPINet(VARIANTS["S"])(torch.zeros(shape))


def test_training_sends_gradient_to_the_matching_and_draws_at_random():
    torch.manual_seed(0)
    model = HPINet(VARIANTS["S"]).train()
    x = picture(2, 3, 36, 36)
    first, one = model(x, return_matches=True)
    second, two = model(x, return_matches=True)
    assert any(not a.index.equal(b.index) for a, b in zip(one.blocks, two.blocks, strict=True))
    (first - second).abs().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    assert model.blocks[0].match_norm.weight.grad.abs().max() > 0


def test_a_pass_with_gradients_gives_what_inference_gives():
    """Patches take another path where gradients are needed: the result must be the same."""
    model, x = seeded_model("S"), picture(1, 3, 30, 30)
    with torch.inference_mode():
        inferred = model(x)
    plain = model(x.requires_grad_())
    torch.testing.assert_close(plain.detach(), inferred, atol=1e-4, rtol=0)


@pytest.mark.slow
def test_gradient_against_finite_differences():
    torch.manual_seed(0)
    config = HPINetConfig(dim=6, qk_dim=4, ffn_dim=8, patch_sizes=(5, 7), scale=2)
    model = HPINet(config).double().eval()
    x = torch.rand(1, 3, 9, 8, dtype=torch.float64, requires_grad=True)
    _, matches = model(x, return_matches=True)  # held fast: a switch has no derivative
    assert torch.autograd.gradcheck(lambda p: model(p, matches=matches), x, atol=1e-6)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"scale": 5}, "scale must be one of"),
        ({"overlap": 6}, "overlap must be"),
        ({"dim": 0}, "dim must be at least 1"),
        ({"patch_sizes": ()}, "at least one block"),
        ({"ipsa": "none"}, "ipsa must be"),
    ],
)
def test_impossible_configurations_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        HPINetConfig(**values)
