"""Shared fixtures: where the reference data is, and what to do without it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from helpers.browser import browser, page, runtime, url, view  # noqa: F401 - fixtures for all tests

REQUIRE_ALL = os.environ.get("HPINET_REQUIRE_ALL") == "1"


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
