"""Every value of a recipe has its range, and a seed is any number of 64 bits."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import pytest

from hpinet import UserError
from hpinet.cli.main import main
from hpinet.training.crops import noise_seed
from hpinet.training.recipes import RECIPES, Recipe

GOOD = Recipe(steps=6, batch=2, crop=24, lr=2e-3, schedule="flat")
NUMBERS = [f.name for f in fields(Recipe) if str(f.type) in ("int", "float")]


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_value_may_be_other_than_a_finite_number(name, value):
    with pytest.raises(UserError, match=name):
        replace(GOOD, **{name: value})


@pytest.mark.parametrize("name", NUMBERS)
def test_every_value_has_both_ends(name):
    for value in (-(2**65), 2**65):
        with pytest.raises(UserError, match=f"{name} must be at|{name} must be above"):
            replace(GOOD, **{name: value})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"clip": -0.1}, r"clip must be at least 0, not -0\.1"),
        ({"warmup": -5}, "warmup must be at least 0, not -5"),
        ({"cooldown": -1}, "cooldown"),
        ({"halve_every": -1}, "halve_every"),
        ({"max_crop": -1}, "max_crop"),
        ({"lr": 0.0}, r"lr must be above 0, not 0\.0"),
        ({"ema": 1.0}, "ema must be at least 0 and under 1"),
        ({"betas": (0.9, 1.0)}, "betas|second"),
        ({"betas": (-0.1, 0.9)}, "betas"),
        ({"steps": 2.5}, r"steps must be a whole number, not 2\.5"),
        ({"schedule": "foo"}, "schedule is one of halve, cosine, flat, not 'foo'"),
        ({"seed": 2**64}, "seed"),
    ],
)
def test_values_out_of_range_are_named(changes, words):
    with pytest.raises(UserError, match=words):
        replace(GOOD, **changes)


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (["--clip", "-0.1"], "clip must be at least 0"),
        (["--clip", "nan"], "clip must be a finite number, not nan"),
        (["--threads", "-1"], "--threads must be from 0"),
        (["--workers", "-1"], "--workers must be from 0"),
    ],
)
def test_the_command_says_so_in_one_sentence(tmp_path, capsys, option, words):
    out = tmp_path / "run"
    assert main(["train", "--data", str(tmp_path), "-o", str(out), *option]) == 1
    err = capsys.readouterr().err
    assert words in err
    assert err.count("\n") == 1
    assert not out.exists()


def test_recipes_are_in_range():
    assert all(replace(recipe) == recipe for recipe in RECIPES.values())


@pytest.mark.parametrize("seed", [0, 7, 65535, 65536, 2**63, 2**64 - 1, -1, -(2**63)])
def test_any_seed_of_64_bits_gives_seeds_of_64_bits(seed):
    assert replace(GOOD, seed=seed).seed == seed
    for number in (0, 1, 10**7):
        found = noise_seed(seed, number)
        assert 0 <= found < 2**64 - 255  # the last 8 bits number the blocks
        assert found % 256 == 0
    assert noise_seed(seed, 0) != noise_seed(seed, 1)


def test_seeds_stay_what_they_were_and_differ():
    assert noise_seed(3, 5) == (3 << 48) + (5 << 8)
    assert len({noise_seed(seed, 0) for seed in (0, 1, 65535, 65536, 65537, -1, 2**63)}) == 7
