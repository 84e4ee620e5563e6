"""Networks that a function of the user's own code builds: ``my_models.py:build``.

Repositories call their packages ``model``, ``models``, ``block`` or ``utils``. Each function
therefore finds the modules of its own folder first, and none of them stays behind.

This runs code. Nothing that comes from a visitor may get here.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import re
import site
import sys
import sysconfig
import traceback
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from hpinet.errors import NetworkError, first_line

from .adapt import adapt
from .adapted_network import AdaptedNetwork
from .files import files_digest

_SOURCE = re.compile(
    r"(?P<where>.+\.py|[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):(?P<function>[A-Za-z_]\w*)"
)


def is_source(name: str) -> bool:
    """Whether a name is a function's: ``FILE.py:build`` or ``package.module:build``."""
    return _SOURCE.fullmatch(name) is not None


def build_network(name: str) -> nn.Module:
    """The network that a function builds, adapted.

    Args:
        name: ``FILE.py:FUNCTION`` or ``package.module:FUNCTION``. The function takes no arguments
            and returns a module, or a module and the options of `adapt`.

    Raises:
        NetworkError: If there is no such function, it fails, or returns something else.
    """
    match = _SOURCE.fullmatch(name)
    assert match is not None
    where, function = match["where"], match["function"]
    file = Path(where) if where.endswith(".py") else None
    if file is not None and not file.is_file():
        raise NetworkError(f"there is no file {where} to take {function} from")
    folder = Path.cwd() if file is None else file.resolve().parent
    with isolated(folder):
        try:
            module = importlib.import_module(where) if file is None else _imported(file)
            call = getattr(module, function, None)
            if not callable(call):
                raise NetworkError(f"{where} has no function {function}")
            network, options = _pair(call(), name)
            network = adapt(network, **options)
        except NetworkError:
            raise
        except (Exception, SystemExit) as error:  # it is code of any kind
            raise NetworkError(
                f"{name} fails{_place(error, folder)}: {type(error).__name__}: {first_line(error)}"
            ) from error
        if isinstance(network, AdaptedNetwork):
            path = file or getattr(module, "__file__", None)
            network.source = None if path is None else files_digest(Path(path))
    return network


@contextlib.contextmanager
def isolated(folder: Path) -> Iterator[None]:
    """A time in which modules are looked for in a folder first, and leave no trace.

    Modules outside Python's library, installed packages and this project are out of the way
    meanwhile and come back afterwards, with the search path, the command line's arguments, the
    working directory, the mode of gradients and the random numbers.
    """
    modules, path, arguments = dict(sys.modules), list(sys.path), list(sys.argv)
    there, numbers = Path.cwd(), torch.random.fork_rng(devices=[])
    _forget([name for name, module in modules.items() if not _is_installed(module, stub=True)])
    importlib.invalidate_caches()
    sys.path.insert(0, str(folder))
    sys.argv[1:] = []  # some repositories read the command line when they are imported
    try:
        # Their prints must not get among a command's results.
        with contextlib.redirect_stdout(sys.stderr), numbers, torch.set_grad_enabled(True):
            yield
    finally:
        new = [(name, module) for name, module in sys.modules.items() if name not in modules]
        _forget([name for name, module in new if not _is_installed(module, stub=False)])
        sys.modules.update(modules)
        sys.path[:], sys.argv[:] = path, arguments
        os.chdir(there)


def _forget(names: list[str]) -> None:
    for name in names:
        if name != "__main__":
            del sys.modules[name]


def _is_installed(module: ModuleType, stub: bool) -> bool:
    """Whether a module is Python's, an installed package's, or this project's.

    Args:
        module: Any.
        stub: The answer for a module made without a file or an import (`types.ModuleType`).
    """
    file = getattr(module, "__file__", None)
    places = [file] if file else list(getattr(module, "__path__", ()))
    if places:
        return any(str(place).startswith(_installed_folders()) for place in places)
    return stub or getattr(module, "__spec__", None) is not None  # the latter: built in


@lru_cache(maxsize=1)
def _installed_folders() -> tuple[str, ...]:
    """What the files of such modules begin with."""
    known = [sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    known += [*site.getsitepackages(), site.getusersitepackages()]
    root = Path(__file__).resolve().parents[2]
    known += [str(root / name) for name in ("hpinet", "lam", "ui", "benchmarks")]
    folders = [place + os.sep for path in known for place in (path, os.path.realpath(path))]
    return (*dict.fromkeys(folders), str(root / "app.py"))


def _imported(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(file.stem, file.resolve())
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module  # dataclasses and pickles look there
    spec.loader.exec_module(module)
    return module


def _pair(built: Any, name: str) -> tuple[nn.Module, dict[str, Any]]:
    """Module and options."""
    options: Any = {}
    if isinstance(built, tuple | list) and len(built) == 2:
        built, options = built
    if not isinstance(built, nn.Module) or not isinstance(options, Mapping):
        kind = type(built).__name__ if options == {} else f"a pair with {options!r}"
        raise NetworkError(
            f"{name} returns {kind}: a torch.nn.Module was expected, or a pair of it and a dict of "
            f"options"
        )
    known = set(adapt.__kwdefaults__ or ())
    unknown = next((key for key in options if key not in known), None)
    if unknown is not None:
        raise NetworkError(
            f"{name} gives the option {unknown!r}; there are {', '.join(sorted(known))}"
        )
    return built, dict(options)


def _place(error: BaseException, folder: Path) -> str:
    """Where in the user's own code it failed."""
    frames = traceback.extract_tb(error.__traceback__)
    mine = [f for f in frames if Path(f.filename).is_relative_to(folder)]
    return f" in line {mine[-1].lineno} of {Path(mine[-1].filename).name}" if mine else ""
