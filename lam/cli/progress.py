"""Progress of long computations on stderr; hidden where that is no terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from tqdm import tqdm

Result = TypeVar("Result")


@contextmanager
def percent_bar(about: str = "") -> Iterator[Callable[[float], Any]]:
    """A progress bar that takes shares from 0 to 1."""
    layout = "{l_bar}{bar}|"
    with tqdm(total=100, desc=about, unit="%", leave=False, disable=None, bar_format=layout) as bar:
        yield lambda share: bar.update(int(100 * share) - bar.n)


def followed(results: Iterable[Result]) -> Result:
    """The last of results that are refined step by step, each with its ``progress``."""
    with percent_bar() as show:
        for result in results:
            show(result.progress)  # type: ignore[attr-defined]
    return result
