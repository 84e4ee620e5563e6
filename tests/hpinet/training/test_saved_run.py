"""What is saved was good, and what is damaged is one sentence and a way out."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers.training_run import RECIPE, make_images, trainer

from hpinet import UserError, load_model
from hpinet.training.state import TrainingError


@pytest.fixture
def images(tmp_path):
    return make_images(tmp_path / "images")


@pytest.fixture
def finished(images, tmp_path):
    trainer(images, tmp_path / "run").run()
    return images, tmp_path / "run"


def without(*names):
    def change(path):
        saved = torch.load(path, weights_only=True)
        place = saved
        for name in names[:-1]:
            place = place[name]
        del place[names[-1]]
        torch.save(saved, path)

    return change


def with_more(path):
    saved = torch.load(path, weights_only=True)
    saved["new"] = saved["state"]["new"] = 1
    torch.save(saved, path)


def bytes_of(change):
    return lambda path: path.write_bytes(change(path.read_bytes()))


@pytest.mark.parametrize(
    "damage",
    [
        bytes_of(lambda data: data[: len(data) // 2]),
        bytes_of(lambda data: b""),
        bytes_of(lambda data: b"<!DOCTYPE html><html></html>"),
        lambda path: torch.save([1, 2], path),
        without("state"),
        without("state", "step"),
        without("config"),
        without("model"),
        without("model", "encoder.weight"),
        without("average"),
        without("optimizer"),
        without("optimizer", "state"),
        without("average", 0),
    ],
)
def test_a_damaged_state_is_one_sentence_with_a_way_out(finished, damage):
    images, run = finished
    damage(run / "state.pt")
    before = {p.name: p.read_bytes() for p in run.iterdir()}
    with pytest.raises(TrainingError) as caught:
        trainer(images, run, resume=True)
    text = str(caught.value)
    assert "state.pt" in text
    assert "is damaged" in text or "another network" in text
    assert "\n" not in text
    assert "--init" in text or "another network" in text
    assert {p.name: p.read_bytes() for p in run.iterdir()} == before


@pytest.mark.parametrize(
    "change",
    [
        with_more,
        without("optimizer_name"),
        without("precision"),
        without("scaler"),
        without("origin"),
        without("ema"),
        without("state", "seconds"),
        without("state", "best"),
    ],
)
def test_states_of_other_versions_are_resumed(finished, change):
    images, run = finished
    change(run / "state.pt")
    longer = replace(RECIPE, steps=8)
    again = trainer(images, run, longer, resume=True)
    assert again.state.step == 6
    again.run()
    assert again.state.step == 8


def test_weights_that_are_not_finite_are_never_saved(images, tmp_path):
    run = trainer(images, tmp_path / "run")

    def poison(step, _):
        if step == 5:
            with torch.no_grad():
                next(run.model.parameters()).fill_(torch.inf)
            raise KeyboardInterrupt  # which would save

    with pytest.raises(TrainingError, match=r"at step 5: .* with --resume from step 4"):
        run.run(poison)
    again = trainer(images, tmp_path / "run", resume=True)
    assert again.state.step == 4
    assert all(
        p.isfinite().all() for p in load_model(tmp_path / "run/last.safetensors").parameters()
    )
    again.run()


def test_a_state_of_weights_that_are_not_finite_is_refused(finished):
    images, run = finished
    saved = torch.load(run / "state.pt", weights_only=True)
    saved["model"]["encoder.weight"][0] = torch.nan
    torch.save(saved, run / "state.pt")
    with pytest.raises(TrainingError, match=r"not finite: .*best\.safetensors"):
        trainer(images, run, resume=True)


@pytest.mark.parametrize("older", [False, True])
def test_an_average_that_begins_on_resume_begins_with_the_weights_as_they_are(
    images,
    tmp_path,
    older,
):
    run = tmp_path / "run"
    first = trainer(images, run, replace(RECIPE, ema=0.0))
    start = [p.detach().clone() for p in first.model.parameters()]
    first.run()
    if older:  # which wrote the weights of the start, and no decay
        saved = torch.load(run / "state.pt", weights_only=True)
        del saved["ema"]
        saved["average"] = start
        torch.save(saved, run / "state.pt")
    again = trainer(images, run, replace(RECIPE, ema=0.999, steps=7), resume=True)
    for averaged, weight in zip(again.average.weights, first.model.parameters(), strict=True):
        assert torch.equal(averaged, weight)
    again.run()
    far = max((a - s).abs().max() for a, s in zip(again.average.weights, start, strict=True))
    near = max(
        (a - p).abs().max()
        for a, p in zip(again.average.weights, again.model.parameters(), strict=True)
    )
    assert near < far


def test_outputs_are_tried_before_the_work(images, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="is a file, not a folder"):
        trainer(images, tmp_path / "file" / "run")
    assert not (tmp_path / "cache").exists()


@pytest.mark.slow
def test_two_processes_on_cpus_train_one_run(images, tmp_path):
    words = [
        "--data", str(images), "--cache", str(tmp_path / "cache"), "--scale", "2", "--stages", "1",
        "--crop", "48", "--batch", "2", "--steps", "2", "--precision", "no", "--threads", "1",
        "-o", str(tmp_path / "run"),
    ]  # fmt: skip
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    done = subprocess.run(
        [*launcher, "--nproc-per-node", "2", "-m", "hpinet", "train", *words],
        cwd=Path(__file__).parents[3], env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True, text=True, timeout=400, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("training on 3 HR") == 1
    assert load_model(tmp_path / "run" / "last.safetensors").scale == 2
    saved = torch.load(tmp_path / "run" / "state.pt", weights_only=True)
    assert saved["state"]["step"] == 2
