"""Networks that a function of the user's own code builds: ``my_models.py:build``.

Repositories call their packages ``model``, ``models``, ``block`` or ``utils``. Each function
therefore runs as in a process of its own: it finds the modules of its own folder, and none of them
stays behind.

This runs code. Nothing that comes from a visitor may get here.
"""

from __future__ import annotations

import contextlib
import hashlib
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

from .adapter import AdaptedNetwork, adapt
from .errors import ModelError, first_line

_SPEC = re.compile(r"(?P<where>.+\.py|[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):(?P<function>[A-Za-z_]\w*)")
_DIGITS = 16


def is_source(name: str) -> bool:
    """Whether a name is a function's: ``FILE.py:build`` or ``package.module:build``."""
    return _SPEC.fullmatch(name) is not None


def build_network(name: str) -> nn.Module:
    """The network that a function builds, adapted.

    Args:
        name: ``FILE.py:FUNCTION`` or ``package.module:FUNCTION``. The function takes no arguments
            and returns a module, or a module and the options of `hpinet.networks.adapter.adapt`.

    Raises:
        ModelError: If there is no such function, it fails, or returns something else.
    """
    found = _SPEC.fullmatch(name)
    if found is None:
        raise ModelError(f"{name!r} names no function: FILE.py:FUNCTION was expected")
    where, function = found["where"], found["function"]
    file = Path(where) if where.endswith(".py") else None
    if file is not None and not file.is_file():
        raise ModelError(f"there is no file {where} to take {function} from")
    folder = Path.cwd() if file is None else file.resolve().parent
    with isolated(folder):
        try:
            module = _loaded(where, file)
            call = getattr(module, function, None)
            if not callable(call):
                raise ModelError(f"{where} has no function {function}")
            built, options = _pair(call(), name)
            network = adapt(built, **options)
        except ModelError:
            raise
        except (Exception, SystemExit) as error:  # it is code of any kind
            raise ModelError(f"{name} fails{_place(error, folder)}: {_said(error)}") from error
        if isinstance(network, AdaptedNetwork):
            path = file or getattr(module, "__file__", None)
            network.source = None if path is None else _digest(Path(path))
    return network


@contextlib.contextmanager
def isolated(folder: Path) -> Iterator[None]:
    """A time in which modules are looked for in a folder first, and leave no trace.

    What others than Python's library, installed packages and this project have imported is out of
    the way meanwhile and comes back afterwards, with the search path, the command line's arguments,
    the working directory, the mode of gradients and the random numbers.

    Args:
        folder: The first of the search path.
    """
    modules, path, arguments = dict(sys.modules), list(sys.path), list(sys.argv)
    there, numbers = Path.cwd(), torch.random.fork_rng(devices=[])
    _forget_others()
    importlib.invalidate_caches()
    sys.path.insert(0, str(folder))
    sys.argv[1:] = []  # some repositories read the command line when they are imported
    try:
        # What they print must not get among a command's results.
        with contextlib.redirect_stdout(sys.stderr), numbers, torch.set_grad_enabled(True):
            yield
    finally:
        _forget_others()
        sys.modules.update(modules)
        sys.path[:], sys.argv[:] = path, arguments
        os.chdir(there)


def _forget_others() -> None:
    # All are asked before one goes: packages without a file look their parents up.
    others = [name for name, module in list(sys.modules.items()) if not _belongs(module)]
    for name in others:
        if name != "__main__":
            del sys.modules[name]


def _belongs(module: ModuleType) -> bool:
    """Whether a module is Python's, an installed package's, or this project's."""
    file = getattr(module, "__file__", None)
    places = [file] if file else list(getattr(module, "__path__", ()))
    if not places:
        return True  # built in, or made without a file
    return any(str(place).startswith(_homes()) for place in places)


@lru_cache(maxsize=1)
def _homes() -> tuple[str, ...]:
    """What the files of such modules begin with."""
    known = [sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    known += [*site.getsitepackages(), site.getusersitepackages()]
    root = Path(__file__).resolve().parents[2]
    known += [str(root / name) for name in ("hpinet", "lam", "ui", "benchmarks")]
    folders = [place + os.sep for path in known for place in (path, os.path.realpath(path))]
    return (*dict.fromkeys(folders), str(root / "app.py"))


def _loaded(where: str, file: Path | None) -> ModuleType:
    if file is None:
        return importlib.import_module(where)
    spec = importlib.util.spec_from_file_location(file.stem, file.resolve())
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module  # dataclasses and pickles look there
    spec.loader.exec_module(module)
    return module


def _pair(built: Any, name: str) -> tuple[Any, dict[str, Any]]:
    """Module and options."""
    options: Any = {}
    if isinstance(built, tuple | list) and len(built) == 2:
        built, options = built
    if not isinstance(built, nn.Module) or not isinstance(options, Mapping):
        kind = f"{type(built).__name__}" if options == {} else f"a pair with {options!r}"
        raise ModelError(
            f"{name} returns {kind}: a torch.nn.Module was expected, or a pair of it and a dict of "
            f"options"
        )
    known = set(adapt.__kwdefaults__ or ())
    unknown = [key for key in options if key not in known]
    if unknown:
        raise ModelError(
            f"{name} gives the option {unknown[0]!r}; there are {', '.join(sorted(known))}"
        )
    return built, dict(options)


def _place(error: BaseException, folder: Path) -> str:
    """Where in the user's own code it failed."""
    frames = traceback.extract_tb(error.__traceback__)
    mine = [f for f in frames if Path(f.filename).is_relative_to(folder)]
    return f" in line {mine[-1].lineno} of {Path(mine[-1].filename).name}" if mine else ""


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {first_line(error)}"


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:_DIGITS]
