"""Training images: the cache and the crops."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
from PIL import Image

from hpinet import UserError
from hpinet.config import S
from hpinet.data.image_cache import list_caches, open_cache, remove_cache
from hpinet.data.pairs import pair_training_images
from hpinet.imaging.images import shrink, to_uint8
from hpinet.training.crops import Crops, StepSampler
from hpinet.training.recipes import RECIPES, Recipe


def save(path, height, width, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    for n, (height, width) in enumerate([(64, 90), (71, 66), (80, 64)]):
        save(folder / f"{n}.png", height, width, n)
    return folder


def test_the_cache_holds_the_images_and_their_matlab_bicubic(images, tmp_path):
    cache = open_cache(images, 4, 64, tmp_path / "cache", progress=False)
    assert [p.name for p in cache.pairs] == ["0.png", "1.png", "2.png"]
    hr = np.asarray(Image.open(images / "1.png"))[:68, :64]  # cropped to multiples of 4
    assert np.array_equal(cache.hr(1), hr)
    assert np.array_equal(cache.lr(1), to_uint8(shrink(hr, 4)))


def test_the_cache_is_used_again_until_a_source_changes(images, tmp_path):
    for _ in range(2):
        open_cache(images, 4, 64, tmp_path / "cache", progress=False)
        assert len(list((tmp_path / "cache").iterdir())) == 1
    save(images / "1.png", 70, 70, 9)
    again = open_cache(images, 4, 64, tmp_path / "cache", progress=False)
    assert len(list((tmp_path / "cache").iterdir())) == 2
    assert again.pairs[1].hr_size == (68, 68)


def test_bad_images_are_named_and_skipped(images, tmp_path):
    (images / "broken.png").write_bytes(b"no image")
    save(images / "tiny.png", 30, 300)
    cache = open_cache(images, 4, 64, tmp_path / "cache", progress=False)
    assert len(cache.pairs) == 3
    assert set(cache.skipped) == {"broken.png", "tiny.png"}
    assert "too few for crops of 64" in cache.skipped["tiny.png"]


def test_nothing_usable_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="there is no folder"):
        pair_training_images(tmp_path / "nowhere", 4)
    with pytest.raises(ValueError, match="no images in"):
        pair_training_images(tmp_path, 4)
    save(tmp_path / "a" / "tiny.png", 20, 20)
    with pytest.raises(ValueError, match=r"none of the 1 images .*tiny.png: 20x20 pixels"):
        open_cache(tmp_path / "a", 4, 64, tmp_path / "cache", progress=False)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("pixels.bin", lambda data: data[:-1]),
        ("pixels.bin", lambda data: b""),
        ("index.json", lambda data: b""),
        ("index.json", lambda data: data[: len(data) // 2]),
        ("index.json", lambda data: b"<html>"),
        ("index.json", lambda data: data.replace(b'"bytes"', b'"octets"')),
        ("index.json", lambda data: data.replace(b"[[", b"[[9, [1, 2], 10000000, [1, 1], 0], [")),
    ],
)
def test_a_damaged_cache_is_built_again(images, tmp_path, capsys, name, content):
    whole = open_cache(images, 4, 64, tmp_path / "cache", progress=False)
    expected = whole.lr(1).copy()
    path = next((tmp_path / "cache").glob(f"*/{name}"))
    path.write_bytes(content(path.read_bytes()))
    again = open_cache(images, 4, 64, tmp_path / "cache", progress=False)
    assert np.array_equal(again.lr(1), expected)
    assert "is damaged: it is built again" in capsys.readouterr().out


def _open(arguments) -> int:
    images, cache = arguments
    return len(open_cache(images, 4, 64, cache, progress=False).pairs)


@pytest.mark.slow
def test_several_processes_build_a_cache_once(images, tmp_path):
    with ProcessPoolExecutor(3, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert list(pool.map(_open, [(images, tmp_path / "cache")] * 6)) == [3] * 6
    [folder] = (tmp_path / "cache").iterdir()
    first = (folder / "pixels.bin").stat()
    _open((images, tmp_path / "cache"))
    assert (folder / "pixels.bin").stat().st_ino == first.st_ino


def test_caches_are_listed_and_removed(images, tmp_path):
    cache = tmp_path / "cache"
    open_cache(images, 4, 64, cache, progress=False)
    [known] = list_caches(cache)
    assert known.source == str(images)
    assert known.size > 3 * 64 * 64 * 3
    with pytest.raises(UserError, match="no cache 'other'"):
        remove_cache(cache, "other")
    remove_cache(cache, known.name)
    assert list_caches(cache) == []
    assert list(cache.iterdir()) == []


def test_small_images_do_not_keep_crops_small(tmp_path):
    sides = {"a": 96, "b": 64, "c": 96}
    for n, (name, side) in enumerate(sides.items()):
        save(tmp_path / f"{name}.png", side, side, n)
    crops = Crops(open_cache(tmp_path, 4, 64, tmp_path / "cache", progress=False), 4, seed=0)
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
    cache = open_cache(tmp_path, 4, 64, tmp_path / "cache", progress=False)
    assert len(cache.pairs) == 1
    assert np.array_equal(cache.hr(0), hr)
    assert np.array_equal(cache.lr(0), lr)
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
    crops = Crops(open_cache(tmp_path, 4, 48, tmp_path / "cache", progress=False), 4, seed=3)
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
    crops = Crops(open_cache(tmp_path, 4, 64, tmp_path / "cache", progress=False), 4, seed=0)
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
    cache = open_cache(tmp_path, 4, 64, tmp_path / "cache", progress=False)
    crops = Crops(cache, 4, seed=0, candidates=5)  # as many as images: each is a candidate once
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
