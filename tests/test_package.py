"""`pip install .` brings everything: modules, weights, tables, and commands that work elsewhere."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "requirements.txt", "hpinet", "lam")
LOADS = "import hpinet; print(hpinet.__file__, hpinet.load_model('S').scale)"


def call(*command, cwd):
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def files(folder):
    """What belongs to the packages, relative to their parent folder."""
    return {
        str(path.relative_to(folder))
        for package in ("hpinet", "lam")
        for path in (folder / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.mark.slow
def test_an_installed_package_is_whole(tmp_path):
    source, env, elsewhere = (tmp_path / name for name in ("source", "env", "elsewhere"))
    elsewhere.mkdir()
    source.mkdir()
    for name in SOURCES:  # a copy: building leaves files beside the sources
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    venv.create(env, with_pip=False)
    python = next(env.glob("[bS]*/python*"))
    paths = {"base": str(env), "platbase": str(env)}
    site = Path(sysconfig.get_path("purelib", vars=paths))
    # The dependencies are those of this environment: fetching them again would take minutes.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    call(
        sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps",
        "--no-build-isolation", source, cwd=elsewhere,
    )  # fmt: skip
    assert files(site) == files(ROOT)
    where, scale = call(python, "-c", LOADS, cwd=elsewhere).split()
    assert Path(where).is_relative_to(site) and scale == "4"
    assert "--window LEFT TOP SIZE" in call(python, "-m", "lam", "--help", cwd=elsewhere)
    assert "evaluate" in call(python, "-m", "hpinet", "--help", cwd=elsewhere)
