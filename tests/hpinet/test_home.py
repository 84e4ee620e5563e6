"""Where there is no home folder, or none that may be written to."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOWHERE = os.devnull  # a file: no folder can be made in it, not even by root


@pytest.mark.parametrize("package", ["hpinet", "lam"])
@pytest.mark.parametrize("variable", ["HOME", "XDG_CACHE_HOME"])
def test_caches_go_to_a_temporary_folder_and_one_sentence_says_so(tmp_path, package, variable):
    kept = {k: v for k, v in os.environ.items() if k not in ("HPINET_CACHE", "XDG_CACHE_HOME")}
    environment = {**kept, variable: NOWHERE, "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", package, "--help"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr.count("\n") == 1
    assert "cannot be written to: caches go to a temporary folder" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_home_that_holds_caches_is_used(tmp_path):
    kept = {k: v for k, v in os.environ.items() if k != "XDG_CACHE_HOME"}
    done = subprocess.run(
        [sys.executable, "-m", "lam", "--help"],
        cwd=ROOT, env={**kept, "HOME": str(tmp_path)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr == ""
