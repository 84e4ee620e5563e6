"""Files of folders as people have them, and how their images pair up."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from hpinet import UserError
from hpinet.data.folders import list_files, list_images
from hpinet.data.pairs import load_pair, pair_images, pair_training_images, set_name
from hpinet.imaging.images import to_uint8


def image(path, side: int = 8, value: int = 0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (side, side), (value,) * 3).save(path)
    return path


def names(pairing) -> list[tuple[str, str | None]]:
    return [(p.hr.name, p.lr and p.lr.parent.name + "/" + p.lr.name) for p in pairing.pairs]


# --- listing ---------------------------------------------------------------------------------


def test_what_file_systems_leave_behind_is_not_listed(tmp_path):
    for name in ("b.png", "a.JPG", "._a.png", ".hidden.png", "@eaDir/c.png", ".Trash-0/d.png"):
        image(tmp_path / name)
    (tmp_path / "Thumbs.db").write_bytes(b"x")
    (tmp_path / "notes.txt").write_bytes(b"x")
    assert [p.name for p in list_files(tmp_path)] == ["a.JPG", "b.png"]
    assert [p.hr.name for p in pair_training_images(tmp_path, 2).pairs] == ["a.JPG", "b.png"]


def test_linked_folders_are_followed_once(tmp_path):
    image(tmp_path / "elsewhere" / "a.png")
    data = tmp_path / "data"
    data.mkdir()
    (data / "one").symlink_to(tmp_path / "elsewhere")
    (data / "two").symlink_to(tmp_path / "elsewhere")
    (data / "round").symlink_to(data)
    assert [p.hr.name for p in pair_training_images(data, 2).pairs] == ["a.png"]


def test_two_files_of_one_name_are_an_error(tmp_path):
    image(tmp_path / "a.png")
    image(tmp_path / "a.jpg")
    for look in (list_images, lambda f: pair_images(f, 2), lambda f: pair_training_images(f, 2)):
        with pytest.raises(UserError, match=r"a\.jpg and a\.png: two files of one name"):
            look(tmp_path)


# --- pairing ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hr", "lr", "told"),
    [
        ("HR/baby.png", "LR/baby.png", "LR"),
        ("HR/baby.png", "lr/babyx4.png", "lr"),
        ("HR/baby.png", "LR_bicubic/baby.png", "LR_bicubic"),
        ("HR/baby.png", "LR_bicubic/X4/babyx4.png", "LR_bicubic/X4"),
        ("HR/x4/baby.png", "LR/x4/baby.png", "LR/x4"),
        ("x4/HR/baby.png", "x4/LR/baby.png", "x4/LR"),
        ("GTmod12/baby.png", "LRbicx4/baby.png", "LRbicx4"),
        ("baby.png", "babyx4.png", ""),
        ("baby.png", "LR/baby.png", "LR"),
        ("image_SRF_4/a_SRF_4_HR.png", "image_SRF_4/a_SRF_4_LR.png", "image_SRF_4"),
        ("DIV2K_train_HR/1.png", "DIV2K_train_LR_bicubic/X4/1x4.png", "DIV2K_train_LR_bicubic/X4"),
        ("Flickr2K_HR/1.png", "Flickr2K_LR_bicubic/X4/1x4.png", "Flickr2K_LR_bicubic/X4"),
    ],
)
@pytest.mark.parametrize("find", [pair_images, pair_training_images])
def test_layouts(tmp_path, find, hr, lr, told):
    image(tmp_path / hr, 32)
    image(tmp_path / lr, 8, 200)
    found = find(tmp_path, 4)
    [pair] = found.pairs
    assert (pair.hr, pair.lr) == (tmp_path / hr, tmp_path / lr)
    assert str(found) == f"1 HR with 1 LR from {told or tmp_path.name}"
    assert to_uint8(load_pair(pair, 4)[0].rgb).min() == 200


def test_lr_of_another_scale_is_no_original_and_no_partner(tmp_path):
    image(tmp_path / "baby.png", 32)
    image(tmp_path / "babyx4.png", 8)
    image(tmp_path / "a_SRF_3_HR.png", 30)
    image(tmp_path / "a_SRF_3_LR.png", 10)
    for find in (pair_images, pair_training_images):
        found = find(tmp_path, 2)
        assert [p.hr.name for p in found.pairs] == ["a_SRF_3_HR.png", "baby.png"]
        assert str(found) == "2 HR, LR made by MATLAB bicubic"


@pytest.mark.parametrize("name", ["LR", "lr", "LR_bicubic", "LR_bicubic/X4", "Set5_LR"])
def test_a_folder_of_lr_images_is_refused(tmp_path, name):
    image(tmp_path / name / "a.png")
    image(tmp_path / "Set5_HR" / "a.png")
    for find in (pair_images, pair_training_images):
        with pytest.raises(UserError, match="LR images"):
            find(tmp_path / name, 4)


def test_trees_side_by_side(tmp_path):
    image(tmp_path / "DIV2K" / "DIV2K_train_HR" / "1.png", 32)
    image(tmp_path / "DIV2K" / "DIV2K_train_LR_bicubic" / "X2" / "1x2.png", 16)
    image(tmp_path / "DIV2K" / "DIV2K_valid_HR" / "9.png", 32)
    image(tmp_path / "Flickr2K" / "Flickr2K_HR" / "2.png", 32)
    image(tmp_path / "Flickr2K" / "Flickr2K_LR_unknown" / "X2" / "2x2.png", 16)
    image(tmp_path / "mine" / "deep" / "3.png", 32)
    found = pair_training_images(tmp_path, 2)
    assert names(found) == [("1.png", "X2/1x2.png"), ("2.png", "X2/2x2.png"), ("3.png", None)]
    assert str(found) == (
        "3 HR with 2 LR from DIV2K/DIV2K_train_LR_bicubic/X2 and Flickr2K/Flickr2K_LR_unknown/X2, "
        "LR of 1 made by MATLAB bicubic"
    )
    assert names(pair_images(tmp_path / "DIV2K", 4)) == [("9.png", None)]
    assert str(pair_training_images(tmp_path / "DIV2K", 4)) == "1 HR, LR made by MATLAB bicubic"


def test_scales_of_a_benchmark_are_not_mixed_in_training(tmp_path):
    for scale in (2, 4):
        image(tmp_path / f"x{scale}" / "HR" / "a.png", 32)
        image(tmp_path / f"x{scale}" / "LR" / "a.png", 32 // scale)
    assert names(pair_training_images(tmp_path, 4)) == [("a.png", "LR/a.png")]
    assert set_name(tmp_path / "x4" / "HR") == set_name(tmp_path / "image_SRF_4") == tmp_path.name


def test_colours_are_converted_only_where_lr_is_made_here(tmp_path):
    from helpers.image_files import SRGB, matrix_profile

    pixels = np.full((8, 8, 3), 55, np.uint8)
    (tmp_path / "HR").mkdir()
    path = tmp_path / "HR" / "a.png"
    Image.fromarray(pixels).save(path, icc_profile=matrix_profile(SRGB, 1.0))
    [pair] = pair_images(tmp_path, 2).pairs
    assert np.abs(to_uint8(load_pair(pair, 2)[1].rgb).astype(int) - 128).max() <= 1
    image(tmp_path / "LR" / "a.png", 4, 55)
    [pair] = pair_images(tmp_path, 2).pairs
    assert (to_uint8(load_pair(pair, 2)[1].rgb) == 55).all()
