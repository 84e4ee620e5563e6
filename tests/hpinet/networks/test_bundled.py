"""The weights that come with the package: what the model card says of them must be true."""

import hashlib
import json
import re

import pytest
from safetensors import safe_open

from hpinet import load_model
from hpinet.evaluation.evaluate import evaluate
from hpinet.networks.open import BUNDLED, bundled_path

CARD = (BUNDLED / "MODEL_CARD.md").read_text()
BICUBIC = {4: 28.418, 3: 30.386, 2: 33.639}  # Set5
ROWS = [
    (4, True, "| bundled S |"),
    (4, False, "| bundled S without GPA |"),
    (3, True, "| bundled S x3 |"),
    (3, False, "| bundled S x3 without GPA |"),
    (2, True, "| bundled S x2 |"),
    (2, False, "| bundled S x2 without GPA |"),
]


def test_the_card_names_the_files_that_are_there():
    names = set(re.findall(r"\| `(\S+\.safetensors)` \|", CARD))
    assert names == {path.name for path in BUNDLED.glob("*.safetensors")}
    for name in names:
        assert hashlib.sha256((BUNDLED / name).read_bytes()).hexdigest() in CARD


@pytest.mark.parametrize("scale", [scale for scale, gpa, _ in ROWS if not gpa])
def test_the_twins_were_trained_alike(scale):
    def header(gpa):
        with safe_open(bundled_path("S", scale, gpa), framework="pt") as file:
            metadata = file.metadata()
        recipe = json.loads(metadata["recipe"])
        # What each was taken up from, after how many steps, and with which draw of crops, is its
        # own; the card has the steps of both together.
        own = ("init", "seed", "steps")
        return {key: value for key, value in recipe.items() if key not in own}

    assert header(True) == header(False)


@pytest.mark.slow
@pytest.mark.reference
@pytest.mark.parametrize(("scale", "gpa", "row"), ROWS)
def test_the_card_gives_the_measured_score_and_it_beats_bicubic(shared, scale, gpa, row):
    data = shared / "benchmarks" / "Set5" / f"x{scale}"
    report = evaluate(load_model("S", scale=scale, gpa=gpa), data)
    line = next(line for line in CARD.splitlines() if line.startswith(row))
    in_card = float(re.findall(r"\d+\.\d+", line)[0])
    assert report["psnr"] == pytest.approx(in_card, abs=0.005)
    assert report["psnr"] > BICUBIC[scale] + 2
