"""The documents: links lead somewhere, commands are understood, and code runs as it is written."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PROGRAMS = {
    "hpinet": "hpinet.__main__",
    "lam": "lam.__main__",
    "benchmarks": "benchmarks.__main__",
    "app": "app",
}
SUB_COMMANDS_OF_LAM = ("cause", "compare", "dataset", "explore", "intervene", "knockout")

each = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def commands(text):
    """Every `python -m hpinet ...` and the like of a page: the program, and the rest."""
    for part in re.split(r"`(?!\w)|\n", text.replace("\\\n", " ")):
        found = re.search(r"-m (hpinet|lam|benchmarks)\b(.*)|python (app)\.py(.*)", part)
        if found:
            yield found[1] or found[3], found[2] or found[4] or ""


def help_of(program, words, capsys):
    chosen = words[:1] if program in ("hpinet", "benchmarks") else []
    if program == "lam" and words and words[0] in SUB_COMMANDS_OF_LAM:
        chosen = words[:1]
    with pytest.raises(SystemExit) as end:
        import_module(PROGRAMS[program]).main([*chosen, "--help"])
    assert end.value.code == 0, chosen
    return capsys.readouterr().out


def test_the_readme_is_short_and_describes_the_space():
    text = PAGES[0].read_text(encoding="utf-8")
    assert len(text.split()) < 1200
    front = dict(line.split(": ", 1) for line in text.split("---\n")[1].splitlines())
    assert (front["sdk"], front["app_file"]) == ("gradio", "app.py")


@each
def test_links_and_files_that_are_named_exist(page):
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)\s#]+)(?:#[\w-]+)?\)", text)
    for link in links:
        assert "://" in link or (page.parent / link).exists(), link
    named = re.findall(r"`((?:hpinet|lam|ui|tests|benchmarks)/[\w/.]*)`", text)
    for path in named:
        assert (ROOT / path).exists(), path


@each
def test_every_command_takes_the_options_that_it_is_shown_with(page, capsys):
    for program, rest in commands(page.read_text(encoding="utf-8")):
        known = help_of(program, rest.split(), capsys)
        for option in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", rest):
            assert re.search(rf"(?<![\w-]){option}(?![\w-])", known), (program, rest, option)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["README.md", "docs/python.md"])
def test_the_code_runs_as_it_is_written(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (48, 48, 3), np.uint8)
    Image.fromarray(pixels).save("small.png")
    text = (ROOT / name).read_text(encoding="utf-8")
    exec("\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL)), {})
    assert Image.open("large.png").size == (192, 192)
