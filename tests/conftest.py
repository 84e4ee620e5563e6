"""Shared fixtures and how the suite is spread over processes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from helpers.browser import browser, page, runtime, url, view  # noqa: F401 - fixtures for all tests

REQUIRE_ALL = os.environ.get("HPINET_REQUIRE_ALL") == "1"
MOST_PROCESSES = 4  # each holds torch and gradio, some 700 MB
A_WORKER = "PYTEST_XDIST_WORKER" in os.environ  # set by xdist before this file is read


def pytest_configure(config: pytest.Config) -> None:
    """One thread for each of several processes: more would only wait for each other."""
    if A_WORKER:
        torch.set_num_threads(1)
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # for the processes that tests start


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Spread the whole suite over the cores, file by file, where pytest-xdist is installed.

    A file or a test that is named runs in this process: starting others would take longer. `-n 0`
    and `--pdb` keep the whole suite here, too. A worker never starts workers of its own.
    """
    options = config.option
    whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    if A_WORKER or not whole or options.collectonly:
        return
    if getattr(options, "numprocesses", 0) is None:
        options.numprocesses = "auto"
        options.maxprocesses = options.maxprocesses or MOST_PROCESSES
        options.dist = "loadfile" if options.dist == "no" else options.dist
        options.loadscopereorder = False  # files in the order of pytest_collection_modifyitems


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first, so that no process is left with one at the end."""
    slow = {
        item.path for item in items if {"slow", "browser"} & {m.name for m in item.iter_markers()}
    }
    items.sort(key=lambda item: item.path not in slow)


def missing(what: str) -> None:
    """Skip with a reason, or fail where everything is required (HPINET_REQUIRE_ALL=1)."""
    if REQUIRE_ALL:
        pytest.fail(f"{what} (HPINET_REQUIRE_ALL=1 turns this skip into a failure)", pytrace=False)
    pytest.skip(what)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with reference data (goldens, benchmarks, released checkpoints)."""
    folder = os.environ.get("HPINET_SHARED")
    if not folder or not Path(folder).is_dir():
        missing("reference data not found: set HPINET_SHARED to its folder")
    return Path(str(folder)).resolve()
