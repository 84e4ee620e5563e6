"""What a user did wrong is one sentence; what the program did wrong is called so and logged."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import nn

from hpinet import PictureError, UserError, WeightsError
from hpinet.cli.errors import run_command
from hpinet.errors import NetworkError
from hpinet.evaluation.evaluate import evaluate
from hpinet.training.state import TrainingError


@pytest.mark.parametrize("kind", [PictureError, WeightsError, NetworkError, TrainingError])
def test_every_refusal_is_a_user_error_and_still_a_value_error(kind):
    assert issubclass(kind, UserError)
    assert issubclass(UserError, ValueError)


def numpy_fails() -> int:
    return int(np.zeros((2, 3)) @ np.zeros((2, 3)))  # a ValueError of numpy


def user_fails() -> int:
    raise UserError("the window is outside\nof the image")


def test_a_user_error_is_one_sentence(capsys, caplog):
    assert run_command("hpinet", user_fails) == 1
    assert capsys.readouterr().err == "hpinet: the window is outside of the image\n"
    assert not caplog.records


def test_a_fault_is_logged_with_its_traceback(capsys, caplog):
    assert run_command("hpinet", numpy_fails) == 1
    assert "fault of the program" in capsys.readouterr().err
    assert "numpy_fails" in caplog.text
    assert "Traceback" in caplog.text


class Failing(nn.Module):
    """Multiplies shapes that do not fit, as a mistake of ours would."""

    scale = 2

    def forward(self, x):
        return np.zeros((2, 3)) @ np.zeros((2, 3))


def test_a_fault_of_the_program_is_no_reason_to_skip_an_image(tmp_path):
    Image.new("RGB", (40, 40)).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match="matmul") as caught:
        evaluate(Failing(), tmp_path)
    assert not isinstance(caught.value, UserError)


@pytest.mark.slow
def test_names_outside_of_the_console_s_encoding(tmp_path):
    small, large = tmp_path / "日本語.png", tmp_path / "結果.png"
    Image.new("RGB", (12, 12)).save(small)
    done = subprocess.run(
        [sys.executable, "-m", "hpinet", "upscale", str(small), "-o", str(large), "--scale", "2"],
        env={**os.environ, "PYTHONIOENCODING": "cp1252", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert large.is_file()


def raised_names(path: Path) -> set[str]:
    """Names of the exceptions that a file raises."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            found.add(getattr(node.exc.func, "id", ""))
    return found


def test_refusals_are_raised_as_user_errors_everywhere():
    root = Path(__file__).parents[3]
    files = [root / "app.py"]
    for package in ("hpinet", "lam", "ui"):
        files += (root / package).rglob("*.py")
    bare = {f.relative_to(root).as_posix() for f in files if "ValueError" in raised_names(f)}
    # A value that is caught beside it, an empty table, which is a mistake of the program, and what
    # TorchScript compiles, which knows no other class.
    allowed = {"benchmark/rounds.py", "data/tables.py", "modeling/patches.py"}
    assert bare <= {f"hpinet/{name}" for name in allowed}
