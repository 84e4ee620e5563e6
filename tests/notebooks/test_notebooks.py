"""The notebooks: executed end to end on small inputs, and what is committed of them."""

from __future__ import annotations

import ast
import base64
import os
import re
import struct
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import nbformat
import pytest
from conftest import missing

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
FIGURES = {
    "01_receptive_fields": 14,
    "02_patch_matches": 9,
    "03_quality_and_cost": 3,
    "04_cause_and_attribution": 3,
}
TABLES = {
    "01_receptive_fields": 2,
    "02_patch_matches": 0,
    "03_quality_and_cost": 9,
    "04_cause_and_attribution": 4,
}

each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path: Path) -> nbformat.NotebookNode:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def code(notebook) -> str:
    lines = [
        line
        for cell in notebook.cells
        if cell.cell_type == "code"
        for line in cell.source.splitlines()
    ]
    return "\n".join(lines)


def shown(notebook, kind: str) -> list[str]:
    """Everything of a kind that cells displayed."""
    outputs = [o for c in notebook.cells if c.cell_type == "code" for o in c.outputs]
    return [o.data[kind] for o in outputs if kind in o.get("data", {})]


def printed(notebook) -> str:
    outputs = [o for c in notebook.cells if c.cell_type == "code" for o in c.outputs]
    return "".join(o.text for o in outputs if o.output_type == "stream")


def check_outputs(notebook, name: str) -> None:
    pictures = shown(notebook, "image/png")
    assert len(pictures) >= FIGURES[name]
    for picture in pictures:
        data = base64.b64decode(picture)
        width, height = struct.unpack(">II", data[16:24])
        assert data[:8] == b"\x89PNG\r\n\x1a\n" and min(width, height) >= 60
    tables = shown(notebook, "text/markdown")
    assert len(tables) >= TABLES[name]
    assert all(re.search(r"\|.*-.*\|", table) for table in tables)
    errors = [o for c in notebook.cells for o in c.get("outputs", []) if o.output_type == "error"]
    assert not errors
    # A figure that nobody can make again is no evidence: each is followed by what it was made of.
    for cell in notebook.cells:
        outputs = cell.get("outputs", [])
        for number, output in enumerate(outputs):
            if "image/png" in output.get("data", {}):
                said = outputs[number + 1].text
                assert re.match(r"(images?|pictures?|points): ", said), said


@pytest.mark.slow
@each
def test_notebooks_run_on_small_inputs(path, monkeypatch):
    if find_spec("nbclient") is None or find_spec("ipykernel") is None:
        missing("notebooks need nbclient and ipykernel: pip install -r requirements-dev.txt")
    from jupyter_client.kernelspec import KernelSpecManager
    from nbclient import NotebookClient

    if "python3" not in KernelSpecManager().find_kernel_specs():
        missing("no notebook kernel python3: python -m ipykernel install --sys-prefix")
    monkeypatch.setenv("HPINET_QUICK", "1")
    monkeypatch.setenv("OMP_NUM_THREADS", os.environ.get("OMP_NUM_THREADS", "1"))
    notebook = read(path)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    resources = {"metadata": {"path": str(FOLDER)}}
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources=resources).execute()
    check_outputs(notebook, path.stem)
    if "HPINET_SHARED" in os.environ and path.stem != "03_quality_and_cost":
        assert "released S" in printed(notebook)


@each
def test_what_is_committed_was_executed_and_is_light(path):
    assert path.stat().st_size < 1.5e6
    notebook = read(path)
    counts = [c.execution_count for c in notebook.cells if c.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    check_outputs(notebook, path.stem)
    text = printed(notebook)
    assert "quick: True" not in text
    # Only bundled weights and our own pictures are shown: others' are not ours to pass on.
    assert "released S" not in text
    assert not re.search(r"/(work|home|root|Users)/", path.read_text(encoding="utf-8"))
    assert "pip install" in notebook.cells[0].source


@each
def test_notebooks_only_call_the_library(path):
    tree = ast.parse(code(read(path)))
    assert not [n for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.ClassDef))]
    roots = {
        (node.module or "").split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
    }
    roots |= {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    standard = {"csv", "importlib", "json", "os", "pathlib", "subprocess", "sys", "tempfile"}
    standard |= {"warnings"}
    assert roots <= standard | {"hpinet", "lam", "ui", "torch"}


def test_all_notebooks_are_known():
    assert [path.stem for path in NOTEBOOKS] == list(FIGURES)


@each
def test_the_first_cell_finds_the_package_from_any_folder(path, tmp_path):
    first = next(cell.source for cell in read(path).cells if cell.cell_type == "code")
    code = f"{first}\nimport lam, hpinet\nprint(hpinet.__file__)"

    def run(folder, **variables):
        command = [sys.executable, "-S", "-c", code]  # -S: no installed package is seen
        environment = {**os.environ, "PYTHONPATH": "", **variables}
        return subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )

    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    for found in (run(FOLDER), run(FOLDER.parent), run(deep, HPINET_LENS=str(FOLDER.parent))):
        assert found.stdout.strip() == str(FOLDER.parent / "hpinet" / "__init__.py"), found.stderr
    (tmp_path / "clone").symlink_to(FOLDER.parent)
    assert run(tmp_path).returncode == 0
    assert "set HPINET_LENS" in run(deep).stderr
