"""Networks that a function of the user builds: FILE.py:build."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import pytest
import torch

from hpinet import HPINetConfig
from hpinet.networks.open import open_file, open_network

TINY = HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(12, 16), scale=2)

MODELS = """
import torch
from torch import nn
from model.block import Up, FACTOR
from utils import note

class Net(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.up = Up(factor)

    def forward(self, x):
        return self.up(x)

def build():
    print("Making model...")
    note()
    return Net(FACTOR), {"value_range": 1}
"""
BLOCK = """
import torch.nn.functional as F
from torch import nn

FACTOR = %d

class Up(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return F.interpolate(x, scale_factor=self.factor, mode="bicubic")
"""


def repository(folder: Path, factor: int) -> str:
    """A repository whose packages are called as everybody's are."""
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "__init__.py").write_text("")
    (folder / "model" / "block.py").write_text(BLOCK % factor)
    (folder / "utils.py").write_text("def note():\n    pass\n")
    (folder / "my_models.py").write_text(MODELS)
    return f"{folder / 'my_models.py'}:build"


def written(folder: Path, code: str, name: str = "mine.py") -> str:
    (folder / name).write_text(textwrap.dedent(code))
    return f"{folder / name}:build"


def test_packages_of_the_same_name_do_not_meet(tmp_path, capsys):
    before, path, argv = dict(sys.modules), list(sys.path), list(sys.argv)
    found = [open_network(repository(tmp_path / str(n), n)).scale for n in (2, 3, 4)]
    assert found == [2, 3, 4]
    assert (sys.path, sys.argv) == (path, argv)
    for name in ("model", "model.block", "utils", "my_models"):
        assert sys.modules.get(name) is before.get(name)
    assert all(sys.modules[name] is module for name, module in before.items())
    said = capsys.readouterr()
    assert said.out == ""  # what repositories print must not get among a command's results
    assert said.err.count("Making model...") == 3


def test_what_is_imported_already_stands_not_in_the_way(tmp_path, monkeypatch):
    other = tmp_path / "other"
    other.mkdir()
    (other / "utils.py").write_text("def something_else():\n    pass\n")
    monkeypatch.syspath_prepend(other)
    monkeypatch.delitem(sys.modules, "utils", raising=False)
    import utils

    assert open_network(repository(tmp_path / "mine", 2)).scale == 2
    assert sys.modules["utils"] is utils
    monkeypatch.delitem(sys.modules, "utils")


def test_stub_modules_of_one_file_are_not_seen_by_the_next(tmp_path):
    stub = """
        import sys, types
        from torch import nn
        sys.modules["einops"] = types.ModuleType("einops")
        build = lambda: nn.Upsample(scale_factor=2)
        """
    before = sys.modules.pop("einops", None)
    open_network(written(tmp_path, stub))
    assert "einops" not in sys.modules
    import einops  # spandrel needs it

    open_network(written(tmp_path, stub))
    assert sys.modules["einops"] is einops and hasattr(einops, "rearrange")
    if before is not None:
        sys.modules["einops"] = before


def test_a_module_by_its_dotted_name(tmp_path, monkeypatch):
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    repository(tmp_path / "package" / "inner", 3)
    (package / "inner" / "__init__.py").write_text("")
    code = "from torch import nn\nbuild = lambda: nn.Upsample(scale_factor=2)\n"
    (package / "inner" / "simple.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    network = open_network("package.inner.simple:build")
    assert (network.scale, network.name) == (2, "Upsample")


def test_a_function_may_change_the_surroundings(tmp_path):
    cwd, state = Path.cwd(), torch.random.get_rng_state()
    spec = written(
        tmp_path,
        """
        import argparse, os, sys, torch
        options = argparse.ArgumentParser().parse_args()  # as EDSR's option.py on import
        def build():
            os.chdir(os.path.dirname(__file__))
            sys.path.insert(0, "/nowhere")
            torch.set_grad_enabled(False)
            torch.manual_seed(1)
            return torch.nn.Upsample(scale_factor=3), {"value_range": 1}
        """,
    )
    assert open_network(spec).scale == 3
    assert Path.cwd() == cwd
    assert "/nowhere" not in sys.path
    assert torch.is_grad_enabled()
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("def build():\n    return 1 / 0\n", r"fails in line 2 of mine\.py: ZeroDivisionError"),
        ("import not_there\n", r"line 1 of mine\.py: ModuleNotFoundError.*not_there"),
        ("def other():\n    pass\n", "has no function build"),
        ("build = 3\n", "has no function build"),
        ("def build():\n    return {}\n", "returns dict"),
        ("def build(scale):\n    pass\n", "TypeError"),
        ("import sys\ndef build():\n    sys.exit(2)\n", "SystemExit"),
        ("def build(:\n", "SyntaxError"),
        (
            "from torch import nn\ndef build():\n    return nn.Identity(), {'range': 255}\n",
            "the option 'range'; there are .*value_range",
        ),
        ("from torch import nn\nbuild = lambda: (nn.Identity(), 255)\n", "a pair with 255"),
        ("from torch import nn\nbuild = lambda: nn.Identity\n", "returns type"),
    ],
)
def test_a_function_that_fails_gets_one_sentence(code, words, tmp_path):
    spec = written(tmp_path, code)
    with pytest.raises(ValueError, match=words) as caught:
        open_network(spec)
    assert "\n" not in str(caught.value)
    assert "mine" not in sys.modules


def test_names_of_functions_that_are_not_there(tmp_path):
    with pytest.raises(ValueError, match=r"there is no file .*nothing\.py"):
        open_network(f"{tmp_path}/nothing.py:build")
    with pytest.raises(ValueError, match="no_such_package"):
        open_network("no_such_package.module:build")
    with pytest.raises(ValueError, match=r"mine\.py:build"):
        written(tmp_path, "")
        open_network(tmp_path / "mine.py")
    spec = repository(tmp_path / "x2", 2)
    with pytest.raises(ValueError, match="x2 network, but x4"):
        open_network(spec, 4)
    for gone in (lambda: open_network(spec, gpa=False), lambda: open_network(f"{spec}:no-gpa")):
        with pytest.raises(ValueError, match="no Global Pixel Access"):
            gone()


def test_the_fingerprint_changes_with_the_file(tmp_path):
    from hpinet.networks.files import network_digest

    spec = repository(tmp_path / "a", 2)
    first = network_digest(open_network(spec))
    assert network_digest(open_network(spec)) == first
    file = tmp_path / "a" / "my_models.py"
    file.write_text(file.read_text() + "\n# another forward\n")
    assert network_digest(open_network(spec)) != first


def test_code_is_never_run_where_a_file_is_expected(tmp_path):
    trap = tmp_path / "trap.py"
    trap.write_text(f"open({str(tmp_path / 'was run')!r}, 'w')\nbuild = None\n")
    for name in (f"{trap}:build", str(trap)):
        with pytest.raises(ValueError, match="trap"):
            open_file(name)
    (tmp_path / "trap.py:build").write_text("text")  # a file of that name is a file
    with pytest.raises(ValueError, match="trap"):
        open_network(f"{trap}:build")
    assert not (tmp_path / "was run").exists()
