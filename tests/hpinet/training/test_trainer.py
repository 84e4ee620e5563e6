"""The training loop: what it learns, and that nothing is lost when it is stopped."""

import csv
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.training_run import RECIPE, TINY, make_images, trainer
from safetensors import safe_open
from safetensors.torch import load_file

from hpinet import HPINet, load_model
from hpinet.cli.train import main
from hpinet.training.optimizers import Muon, make_optimizer
from hpinet.training.recipes import Recipe
from hpinet.training.state import TrainingError


@pytest.fixture
def images(tmp_path):
    return make_images(tmp_path / "images")


class KilledError(Exception):
    pass


@pytest.mark.parametrize("optimizer", ["adam", "muon"])
def test_a_killed_run_ends_in_the_same_bits_as_an_uninterrupted_one(images, tmp_path, optimizer):
    recipe = replace(RECIPE, optimizer=optimizer)
    trainer(images, tmp_path / "whole", recipe).run()

    def kill(step, _):
        if step == 5:  # after the checkpoint of step 4: a step is lost and done again
            raise KilledError

    with pytest.raises(KilledError):
        trainer(images, tmp_path / "killed", recipe).run(kill)
    resumed = trainer(images, tmp_path / "killed", recipe, resume=True)
    assert resumed.state.step == 4
    resumed.run()
    expected = load_file(tmp_path / "whole" / "last.safetensors")
    got = load_file(tmp_path / "killed" / "last.safetensors")
    assert all(got[name].equal(tensor) for name, tensor in expected.items())


@pytest.mark.slow
def test_kill_9_at_any_moment_loses_nothing(images, tmp_path):
    words = [
        "--data", str(images), "--cache", str(tmp_path / "cache"), "--scale", "2",
        "--crop", "48", "--batch", "1", "--steps", "14", "--save-every", "1",
        "--precision", "no", "--threads", "1",
    ]  # fmt: skip
    command = [sys.executable, "-m", "hpinet", "train", *words, "--out"]
    run = {"cwd": Path(__file__).parents[3], "capture_output": True, "check": True}
    subprocess.run([*command, str(tmp_path / "whole")], timeout=300, **run)
    killed = tmp_path / "killed"
    with subprocess.Popen(
        [*command, str(killed)], cwd=run["cwd"], stderr=subprocess.DEVNULL
    ) as process:
        while process.poll() is None and not (killed / "state.pt").exists():
            time.sleep(0.01)
        time.sleep(0.2)  # somewhere: within a step, or while a checkpoint is written
        process.kill()
    assert process.returncode == -9
    subprocess.run([*command, str(killed), "--resume"], timeout=300, **run)
    expected = load_file(tmp_path / "whole" / "last.safetensors")
    got = load_file(killed / "last.safetensors")
    assert all(got[name].equal(tensor) for name, tensor in expected.items())


def test_it_learns_and_logs(images, tmp_path):
    losses = []
    recipe = Recipe(steps=60, batch=4, crop=24, lr=5e-3, schedule="cosine", ema=0.9,
                    save_every=30, validate_every=30)  # fmt: skip
    run = trainer(images, tmp_path / "run", recipe, validation=make_images(tmp_path / "v", ".bmp"))
    run.run(lambda _, loss: losses.append(loss))
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:10])
    with (tmp_path / "run" / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["30", "60"]
    assert float(rows[1]["psnr_y"]) == pytest.approx(run.state.best)
    assert run.state.best > float(rows[0]["psnr_y"])
    assert run.validate() == pytest.approx(run.state.best)  # what is saved is what was scored
    best = load_model(tmp_path / "run" / "best.safetensors")
    assert best.config == TINY


def test_what_is_held_out_is_not_trained_on(images, tmp_path, capsys):
    held = images / "val"
    held.mkdir()
    shutil.copy(images / "0.png", held / "copy.png")
    (images / "1.png").rename(held / "1.png")
    run = trainer(images, tmp_path / "run", validation=held)
    assert len(run.loader.dataset) == 1 and len(run.validation) == 2
    said = capsys.readouterr().out
    assert "training on 1 HR" in said and f"left out 3 images of {images}: {held} holds" in said
    shutil.copy(images / "2.png", held)
    with pytest.raises(ValueError, match=r"every image to train on is in .*val, too"):
        trainer(images, tmp_path / "other", validation=held)


@pytest.mark.slow
def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_checkpoint(images, tmp_path):
    run = trainer(images, tmp_path / "run")

    def poison(step, _):
        if step == 5:
            with torch.no_grad():
                next(run.model.parameters()).fill_(torch.nan)

    with pytest.raises(TrainingError, match=r"the loss is nan at step 5: lower lr \(0.002\)"):
        run.run(poison)
    again = trainer(images, tmp_path / "run", resume=True)
    assert again.state.step == 4
    assert all(p.isfinite().all() for p in again.model.parameters())


def test_ctrl_c_saves_the_step_it_was_at(images, tmp_path):
    def interrupt(step, _):
        if step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer(images, tmp_path / "run").run(interrupt)
    assert trainer(images, tmp_path / "run", resume=True).state.step == 3


def test_a_full_disk_leaves_the_last_checkpoint(images, tmp_path, monkeypatch):
    trainer(images, tmp_path / "run").run()
    before = (tmp_path / "run" / "state.pt").read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    longer = Recipe(**{**RECIPE.__dict__, "steps": 8})
    run = trainer(images, tmp_path / "run", longer, resume=True)
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        run.run()
    assert (tmp_path / "run" / "state.pt").read_bytes() == before


def test_what_does_not_fit_is_refused_before_the_first_step(images, tmp_path):
    with pytest.raises(TrainingError, match="nothing to resume"):
        trainer(images, tmp_path / "run", resume=True)
    trainer(images, tmp_path / "run").run()
    with pytest.raises(TrainingError, match="holds a run already: pass --resume"):
        trainer(images, tmp_path / "run")
    with pytest.raises(TrainingError, match="another network: gpa differ"):
        trainer(images, tmp_path / "run", config=TINY.without_gpa(), resume=True)
    with pytest.raises(TrainingError, match="with adam, not muon: resume it with --optimizer adam"):
        trainer(images, tmp_path / "run", replace(RECIPE, optimizer="muon"), resume=True)
    with pytest.raises(ValueError, match="is not a folder"):
        trainer(images, tmp_path / "other", validation=tmp_path / "nowhere")


def test_a_run_starts_from_the_weights_of_another(images, tmp_path, capsys):
    trainer(images, tmp_path / "first").run()
    start = tmp_path / "first" / "last.safetensors"
    tuned = trainer(images, tmp_path / "tuned", init=start)
    total = len(tuned.model.state_dict())
    assert f"took {total} of {total} tensors from last.safetensors\n" in capsys.readouterr().out
    given = load_file(start)
    assert all(tensor.equal(given[name]) for name, tensor in tuned.model.state_dict().items())
    # One step far away: the average remembers the weights it began with, from the first step on.
    before = [w.clone() for w in tuned.average.weights]
    with torch.no_grad():
        for p in tuned.model.parameters():
            p += 1.0
    tuned.average.update(tuned.model, 0)
    for old, new in zip(before, tuned.average.weights, strict=True):
        torch.testing.assert_close(new, old + 1 - RECIPE.ema)


def test_an_unfinished_fit_is_named_and_recorded(images, tmp_path, capsys):
    trainer(images, tmp_path / "x2").run()
    start = tmp_path / "x2" / "last.safetensors"
    x3 = replace(TINY, scale=3)
    run = trainer(images, tmp_path / "x3", config=x3, init=start)
    printed = capsys.readouterr().out
    assert "at their random start: upsamplers.0.weight, upsamplers.0.bias\n" in printed
    assert run.average.random_start  # the random tensors are forgotten
    run.run()
    checksum = hashlib.sha256(start.read_bytes()).hexdigest()
    facts = json.loads((tmp_path / "x3" / "recipe.json").read_text())
    assert facts["init"]["sha256"] == checksum
    with safe_open(tmp_path / "x3" / "last.safetensors", "pt") as file:
        assert json.loads(file.metadata()["recipe"])["init"]["file"] == "last.safetensors"
    again = trainer(images, tmp_path / "x3", config=x3, resume=True)
    assert again.origin == run.origin
    assert again.average.random_start
    with pytest.raises(TrainingError, match=r"of another network \(8 channels, 2 blocks\): only"):
        trainer(images, tmp_path / "wide", config=replace(TINY, dim=12), init=start)
    with pytest.raises(TrainingError, match="leave out --init or --resume"):
        trainer(images, tmp_path / "x2", init=start, resume=True)


def test_the_command_overrides_any_value(images, tmp_path, capsys):
    code = main([
        "--recipe", "quick", "--data", str(images), "--out", str(tmp_path / "run"),
        "--scale", "2",
        "--cache", str(tmp_path / "cache"), "--crop", "48", "--batch", "1", "--steps", "1",
        "--betas", "0.8", "0.9", "--no-gpa", "--precision", "no",
    ])  # fmt: skip
    assert code == 0
    model = load_model(tmp_path / "run" / "last.safetensors")
    assert (model.scale, model.config.gpa, model.config.dim) == (2, False, 40)
    recipe = (tmp_path / "run" / "recipe.json").read_text()
    assert '"steps": 1,' in recipe
    assert "0.8" in recipe
    with pytest.raises(ValueError, match="lr must be above 0, not 0"):
        main(["--data", str(images), "--out", str(tmp_path / "x"), "--lr", "0"])


def test_a_muon_step_is_the_one_computed_by_hand():
    kernel = np.arange(24.0).reshape(2, 3, 2, 2) / 7 - 1.5
    grads = [np.sin(np.arange(24.0) * n).reshape(kernel.shape) for n in (1, 2)]
    weight = torch.nn.Parameter(torch.tensor(kernel))
    optimizer = Muon([weight], [], lr=0.1, weight_decay=0.5)
    expected, mean = kernel.reshape(2, 12), np.zeros((2, 12))
    for grad in grads:
        weight.grad = torch.from_numpy(grad)
        optimizer.step()
        mean = 0.95 * mean + 0.05 * grad.reshape(2, 12)
        x = 0.05 * grad.reshape(2, 12) + 0.95 * mean  # Nesterov
        x /= np.sqrt((x**2).sum())
        for _ in range(5):
            a = x @ x.T
            x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
        expected = (1 - 0.1 * 0.5) * expected - 0.1 * 0.2 * np.sqrt(12) * x
    np.testing.assert_allclose(weight.detach().reshape(2, 12), expected, atol=1e-6)
    assert 0.6 < np.linalg.svd(x)[1].min() < np.linalg.svd(x)[1].max() < 1.3


def test_a_step_without_gradients_changes_nothing():
    weight, bias = torch.nn.Parameter(torch.ones(2, 3)), torch.nn.Parameter(torch.ones(3))
    Muon([weight], [bias], lr=0.1, weight_decay=0.5).step()
    assert weight.eq(1).all()
    assert bias.eq(1).all()


def test_muon_takes_hidden_matrices_and_adam_the_rest_at_half_the_rate():
    recipe = replace(RECIPE, optimizer="muon", betas=(0.9, 0.99))
    ours, theirs = HPINet(TINY), HPINet(TINY)
    theirs.load_state_dict(ours.state_dict())
    muon = make_optimizer(ours, recipe)
    adam = torch.optim.Adam(theirs.parameters(), recipe.lr / 2, betas=recipe.betas)
    for step in range(3):
        for model, optimizer in ((ours, muon), (theirs, adam)):
            torch.manual_seed(step)
            for p in model.parameters():
                p.grad = torch.randn_like(p)
            optimizer.step()
    for (name, mine), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        by_adam = mine.ndim < 2 or name in ("encoder.weight", "last.weight")
        assert torch.allclose(mine, other, atol=1e-6) == by_adam, name


def test_auto_precision_is_settled_when_a_run_begins_and_kept(images, tmp_path, monkeypatch):
    recipe = replace(RECIPE, precision="auto", steps=1)
    monkeypatch.setattr("hpinet.training.trainer.has_bf16", lambda device: False)
    run = trainer(images, tmp_path / "run", recipe)
    assert run.recipe.precision == "no"
    run.run()
    assert json.loads((tmp_path / "run" / "recipe.json").read_text())["precision"] == "no"
    monkeypatch.setattr(
        "hpinet.training.trainer.has_bf16", lambda device: True
    )  # on another machine
    assert trainer(images, tmp_path / "run", recipe, resume=True).recipe.precision == "no"


@pytest.mark.parametrize(
    ("name", "value", "known"),
    [("optimizer", "sgd", "adam, muon"), ("precision", "fp8", "no, bf16, fp16, auto")],
)
def test_an_unknown_choice_is_refused_with_the_known_ones(name, value, known):
    with pytest.raises(ValueError, match=f"{name} is one of {known}, not '{value}'"):
        replace(RECIPE, **{name: value})
    with pytest.raises(ValueError, match="weight_decay is for"):
        replace(RECIPE, weight_decay=0.1)


def gradients(images, out, processes):
    out.mkdir()
    script = Path(__file__).parents[2] / "helpers/gradient_of_one_step.py"
    here = os.pathsep.join(str(Path(__file__).parents[n]) for n in (2, 3))
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node",
         str(processes), str(script), str(images), str(out), str(out / "cache")],
        env=os.environ | {"PYTHONPATH": here, "ACCELERATE_USE_CPU": "true"},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert f"{processes} processes" in done.stdout, done.stderr[-2000:]
    return torch.load(out / "gradients.pt", weights_only=True)


@pytest.mark.slow
def test_two_processes_give_the_gradients_of_one_with_the_same_global_batch(images, tmp_path):
    one, two = (gradients(images, tmp_path / str(n), n) for n in (1, 2))
    assert max(g.abs().max() for g in one) > 1e-3
    for a, b in zip(one, two, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=0)
