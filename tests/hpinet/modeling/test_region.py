"""A region, a resumed pass and a recomputed backward pass give what the whole pass gives."""

import pytest
import torch
from helpers.seeded import seeded_model

from hpinet import HPINet, HPINetConfig, get_config
from hpinet.modeling.patches import division
from hpinet.modeling.region import Box, decoder_box, needed_patches

HEIGHT, WIDTH = 70, 53


def picture(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def regions(scale):
    high, wide = HEIGHT * scale, WIDTH * scale
    return [(0, 0, 5, 5), (31, 40, 16, 17), (high - 9, wide - 8, 9, 8), (3, wide - 1, 60, 1)]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["S", "M-no-gpa", "M-no-conv"])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_region_equals_that_part_of_the_whole(name, scale):
    torch.manual_seed(0)
    model, x = HPINet(get_config(name, scale)).eval(), picture(2, 3, HEIGHT, WIDTH)
    with torch.inference_mode():
        sr, matches = model(x, return_matches=True)
        for region in regions(scale):
            for given in (None, matches) if matches.blocks else (None,):
                got, used = model(x, given, return_matches=True, region=region)
                assert torch.allclose(got, Box(*region).crop(sr), atol=1e-6)
                for one, other in zip(used.blocks, matches.blocks, strict=True):
                    assert torch.equal(one.index, other.index)


def test_a_picture_smaller_than_a_patch_has_regions_too():
    model, x = seeded_model("S"), picture(1, 3, 9, 14)
    with torch.inference_mode():
        assert torch.allclose(model(x, region=(20, 30, 16, 26)), model(x)[..., 20:, 30:], atol=1e-6)


def test_few_patches_are_needed_where_matches_are_known():
    box = decoder_box(Box(250, 250, 16, 16), 4, 128, 128)
    assert box == Box(60, 60, 9, 9)  # 62 to 67 pixels, and two more on each side
    cuts = [division(128, 128, p, 2) for p in get_config("S").patch_sizes]
    own = [torch.arange(cut.count)[None] for cut in cuts]
    needed = needed_patches(box, cuts, own, True)
    # Patches of 24 begin at 0, 22, 44, 66, ...: rows 59 to 69 touch those at 44 and at 66.
    assert needed[7].tolist() == [2 * 6 + 2, 2 * 6 + 3, 3 * 6 + 2, 3 * 6 + 3]
    # Rows 43 to 90 touch patches of 20 at 36, 54, 72, 90; those rows 35 to 110 patches of 16 at
    # 28, 42, ..., 98; those rows 27 to 114 patches of 12 at 20, 30, ..., 110: then all of 24.
    assert [len(n) if n is not None else None for n in needed[3:7]] == [None, 100, 36, 16]
    elsewhere = [index.clone() for index in own]
    elsewhere[7][0, 14] = 35  # a match far away brings its patch along, for the blocks before
    with_it = needed_patches(box, cuts, elsewhere, True)
    assert with_it[7].tolist() == needed[7].tolist() and len(with_it[6]) > len(needed[6])
    assert needed_patches(box, cuts, [None] * 8, True)[:7] == [None] * 7


@pytest.mark.parametrize("region", [(0, 0, 0, 4), (-1, 0, 4, 4), (0, 0, 4, 100), (50, 0, 60, 4)])
def test_a_region_outside_gets_a_sentence(region):
    with pytest.raises(ValueError, match="region"):
        seeded_model("S")(picture(1, 3, 24, 24), region=region)


@pytest.mark.slow
def test_resuming_anywhere_reproduces_every_bit():
    model, x = seeded_model("S"), picture(1, 3, 40, 52)
    with torch.inference_mode():
        sr, matches = model(x, return_matches=True)
    trace = model.trace(x)
    assert torch.equal(trace.sr, sr)
    assert len(trace.inputs) == len(trace.matches.blocks) == 8
    for block in range(9):
        for given in (None, matches):
            again = model.resume(trace, block, given)
            assert torch.equal(again.sr, sr)
            assert len(again.inputs) == len(again.matches.blocks) == 8


def test_a_resumed_pass_is_the_whole_pass_with_the_same_change():
    model, x = seeded_model("S"), picture(1, 3, 40, 52)
    trace = model.trace(x)
    changed = trace.matches.own([5]).live([6, 7])
    resumed = model.resume(trace, 5, changed)
    with torch.inference_mode():
        sr, matches = model(x, changed, return_matches=True)
    assert torch.equal(resumed.sr, sr) and not torch.equal(sr, trace.sr)
    for one, other in zip(resumed.matches.blocks, matches.blocks, strict=True):
        assert torch.equal(one.index, other.index)


@pytest.mark.parametrize("block", [-1, 9])
def test_there_is_no_such_block_to_resume_at(block):
    model = seeded_model("S")
    with pytest.raises(ValueError, match="0 to 8"):
        model.resume(model.trace(picture(1, 3, 24, 24)), block)


@pytest.mark.parametrize("region", [None, (30, 20, 16, 16)])
def test_gradients_are_the_same_when_blocks_are_recomputed(region):
    torch.manual_seed(0)
    model = HPINet(HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(12, 16, 20))).eval()
    found = []
    for checkpoint in (False, True):
        x = picture(1, 3, 40, 36).requires_grad_()
        model(x, region=region, checkpoint=checkpoint).square().sum().backward()
        found.append(x.grad)
    assert torch.equal(*found) and found[0].abs().sum() > 0


def test_a_region_has_the_gradient_of_that_part_of_the_whole():
    torch.manual_seed(0)
    model = HPINet(HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(12,))).eval()
    region = Box(100, 100, 16, 16)
    x, y = picture(1, 3, 60, 60).requires_grad_(), picture(1, 3, 60, 60).requires_grad_()
    region.crop(model(x)).sum().backward()
    model(y, region=(100, 100, 16, 16)).sum().backward()
    assert torch.allclose(x.grad, y.grad, atol=1e-6)
    assert 0 < (y.grad.abs().sum(1) > 0).sum() < 60 * 60 / 2


@pytest.mark.slow
def test_a_region_in_training_equals_that_part_of_the_whole():
    torch.manual_seed(0)
    model, x = HPINet(get_config("S")).train(), picture(2, 3, HEIGHT, WIDTH)
    for top, left, height, width in regions(4):
        part = model(x, seeds=[5, 6], region=(top, left, height, width))
        whole = model(x, seeds=[5, 6])[..., top : top + height, left : left + width]
        assert torch.allclose(part, whole, atol=1e-6)
