"""Training images: decoded files and the crops that are cut from them."""

import numpy as np
import pytest
from PIL import Image

from hpinet import UserError
from hpinet.config import S
from hpinet.data.decoded import decode_pairs
from hpinet.data.pairs import pair_training_images
from hpinet.imaging.images import shrink, to_uint8
from hpinet.training.crops import Crops, StepSampler
from hpinet.training.recipes import RECIPES, Recipe


def save(path, height, width, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


def decoded(folder, crop=64, cache=None, **processes):
    pairs = pair_training_images(folder, 4).pairs
    return decode_pairs(pairs, 4, crop, cache or folder.parent / "cache", **processes)


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    for n, (height, width) in enumerate([(64, 90), (71, 66), (80, 64)]):
        save(folder / f"{n}.png", height, width, n)
    return folder


def test_images_and_their_matlab_bicubic(images):
    found, skipped = decoded(images)
    assert ([one.name for one in found], skipped) == (["0.png", "1.png", "2.png"], {})
    lr, hr = found[1].read()
    expected = np.asarray(Image.open(images / "1.png"))[:68, :64]  # cropped to multiples of 4
    assert np.array_equal(hr, expected)
    assert np.array_equal(lr, to_uint8(shrink(expected, 4)))
    assert isinstance(hr, np.memmap)


def test_files_are_used_again_until_a_source_changes_or_they_are_damaged(images):
    files = {one.hr_file: one.hr_file.stat().st_ino for one in decoded(images)[0]}
    other, _ = decoded(images, process=1, processes=2)  # finds what the first has written
    assert {one.hr_file: one.hr_file.stat().st_ino for one in other} == files
    other[0].lr_file.write_bytes(other[0].lr_file.read_bytes()[:-1])
    lr, hr = decoded(images)[0][0].read()
    assert np.array_equal(lr, to_uint8(shrink(hr, 4)))
    save(images / "1.png", 70, 70, 9)
    again, _ = decoded(images)
    assert again[1].size == (68, 68)
    assert again[0].hr_file in files and again[1].hr_file not in files


def test_bad_images_are_named_and_skipped(images):
    (images / "broken.png").write_bytes(b"no image")
    save(images / "tiny.png", 30, 300)
    found, skipped = decoded(images)
    assert len(found) == 3
    assert set(skipped) == {"broken.png", "tiny.png"}
    assert "300x28" in skipped["tiny.png"]


def test_nothing_usable_is_an_error(tmp_path):
    for folder in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(UserError, match=str(folder)):
            pair_training_images(folder, 4)
    save(tmp_path / "a" / "tiny.png", 20, 20)
    with pytest.raises(UserError, match=r"tiny.png.*20x20"):
        decoded(tmp_path / "a")


def test_training_crops_show_no_hidden_colours(tmp_path):
    alpha = np.zeros((64, 64), np.uint8)
    alpha[:, :30] = 255
    grey = np.where(alpha[..., None] > 0, np.full(3, 120, np.uint8), np.uint8(0))
    (tmp_path / "a").mkdir()
    Image.fromarray(np.dstack([grey, alpha])).save(tmp_path / "a" / "a.png")
    lr, hr = decoded(tmp_path / "a")[0][0].read()
    assert (lr == 120).all() and (hr == 120).all()


def test_small_images_do_not_keep_crops_small(tmp_path):
    sides = {"a": 96, "b": 64, "c": 96}
    for n, (name, side) in enumerate(sides.items()):
        save(tmp_path / f"{name}.png", side, side, n)
    crops = Crops(decoded(tmp_path)[0], 4, seed=0)
    assert crops.largest_crop == 96
    assert crops.too_small(96) == ["b.png"]
    assert crops.too_small(64) == []
    large = [crops[number, 96][1].numpy().tobytes() for number in range(4)]
    assert len({*large}) > 1
    assert all(crops[number, 96][1].shape == (3, 96, 96) for number in range(6))
    recipe = Recipe(steps=4, batch=1, crop=64, max_crop=96, stages=2, lr=1e-3, halve_every=5)
    assert StepSampler(recipe, 4, 0, crops.largest_crop).stages() == {64: 0, 96: 2}


def test_div2k_brings_its_own_lr(tmp_path):
    hr = save(tmp_path / "DIV2K_train_HR" / "0001.png", 64, 64)
    lr = save(tmp_path / "DIV2K_train_LR_bicubic" / "X4" / "0001x4.png", 16, 16, 5)
    save(tmp_path / "DIV2K_valid_HR" / "0801.png", 64, 64)  # not for training
    [one] = decoded(tmp_path)[0]
    for found, expected in zip(one.read(), (lr, hr), strict=True):
        assert np.array_equal(found, expected)
    save(tmp_path / "DIV2K_train_HR" / "0002.png", 64, 64)
    with pytest.raises(ValueError, match=r"lacks 0002x4.png"):
        pair_training_images(tmp_path, 4)


def test_a_crop_is_decided_by_its_number_and_its_two_sides_agree(tmp_path):
    # Each HR pixel tells its LR cell: an LR crop must show the cells of its HR crop.
    cells = np.random.default_rng(0).integers(0, 256, (20, 24, 3), np.uint8)
    folder = tmp_path / "DIV2K_train_HR"
    folder.mkdir()
    Image.fromarray(cells.repeat(4, 0).repeat(4, 1)).save(folder / "a.png")
    twin = tmp_path / "DIV2K_train_LR_bicubic" / "X4"
    twin.mkdir(parents=True)
    Image.fromarray(cells).save(twin / "ax4.png")
    crops = Crops(decoded(tmp_path, 48)[0], 4, seed=3)
    seen = set()
    for number in range(40):
        lr, hr, name = crops[number, 48]
        assert name == number
        assert lr.shape == (3, 12, 12)
        assert hr.shape == (3, 48, 48)
        assert lr.repeat_interleave(4, 1).repeat_interleave(4, 2).equal(hr)
        again, _, _ = crops[number, 48]
        assert again.equal(lr)
        seen.add(lr.numpy().tobytes())
    assert len(seen) > 35


def test_every_image_comes_once_an_epoch(tmp_path):
    for grey in (10, 20, 30):
        Image.new("RGB", (64, 64), (grey, grey, grey)).save(tmp_path / f"{grey}.png")
    crops = Crops(decoded(tmp_path)[0], 4, seed=0)
    for epoch in range(3):
        hr = [crops[number, 64][1] for number in range(3 * epoch, 3 * epoch + 3)]
        assert sorted(int(pixels[0, 0, 0]) for pixels in hr) == [10, 20, 30]


def test_of_several_candidates_the_crop_with_the_most_detail_is_taken(tmp_path):
    board = np.indices((64, 64)).sum(0)[..., None] % 2 * np.ones(3)
    for height in (0, 10, 40, 20):  # of a checkerboard of single pixels, which shrinking loses
        pixels = (100 + height * board).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{height}.png")
    steps = np.repeat(np.arange(0, 256, 16), 4)[:, None, None] * np.ones((1, 64, 3))
    Image.fromarray(steps.astype(np.uint8)).save(tmp_path / "steps.png")  # contrast, no detail
    crops = Crops(
        decoded(tmp_path)[0], 4, seed=0, candidates=5
    )  # as many as images: each is a candidate once
    for number in range(6):
        _, hr, name = crops[number, 64]
        assert name == number
        assert hr.unique().tolist() == [100, 140]


def test_a_resumed_sampler_goes_on_where_the_first_was():
    recipe = Recipe(steps=12, batch=6, crop=32, max_crop=64, stages=3, lr=1e-3, halve_every=5)
    whole = list(StepSampler(recipe, 4, 0, 60))
    assert list(StepSampler(recipe, 4, 7, 60)) == whole[7:]
    assert [batch[0][1] for batch in whole] == [32] * 4 + [48] * 4 + [60] * 4  # 64 has no room
    numbers = [n for batch in whole for n, _ in batch]
    assert numbers == list(range(len(numbers)))


def test_crops_that_fit_the_division_grow_by_equal_ratios():
    recipe = RECIPES["quick"]
    sampler = StepSampler(recipe, 4, 0, 500, config=S)
    lr_sides = dict.fromkeys(batch[0][1] // 4 for batch in sampler)
    assert list(lr_sides) == [38, 56, 68, 110]
    small = StepSampler(recipe, 4, recipe.steps - 1, 240, config=S)  # images of 240 HR pixels
    assert next(iter(small))[0][1] // 4 == 56
    nominal = StepSampler(recipe, 4, recipe.steps - 1, 500)
    assert next(iter(nominal))[0][1] == 440


def test_processes_share_out_one_global_batch():
    recipe = Recipe(steps=3, batch=6, crop=32, lr=1e-3, halve_every=5)
    whole = list(StepSampler(recipe, 4, 0, 64))
    halves = [list(StepSampler(recipe, 4, 0, 64, p, 2)) for p in range(2)]
    assert [a + b for a, b in zip(*halves, strict=True)] == whole


@pytest.mark.parametrize("name", list(RECIPES))
def test_recipes_by_their_numbers(name):
    recipe = RECIPES[name]
    first = recipe.lr_at(recipe.warmup)
    assert first == pytest.approx(recipe.lr)
    assert 0 < recipe.lr_at(recipe.steps - 1) < recipe.lr / 10
    assert recipe.stage_at(0) == (recipe.crop, recipe.batch)
    crop, batch = recipe.stage_at(recipe.steps - 1)
    assert crop == max(recipe.crop, recipe.max_crop)
    assert batch >= recipe.min_batch


def test_the_papers_schedule():
    paper = RECIPES["paper"]
    assert [paper.lr_at(n) for n in (0, 199_999, 200_000, 400_000)] == [3e-4, 3e-4, 1.5e-4, 7.5e-5]
    assert paper.stage_at(10**6 - 1) == (896, 6)
    released = RECIPES["released"]
    assert released.stage_at(released.steps - 1) == (720, 17)
    assert released.lr_at(60_000) == pytest.approx(0.75e-4)
