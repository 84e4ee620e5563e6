"""``python -m hpinet cache``: the caches of training images that are there, and their removal."""

from __future__ import annotations

import argparse

from hpinet.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give a parser the arguments of `run`."""
    parser.add_argument("--cache", metavar="DIR", help="where they are; as for train")
    parser.add_argument("--remove", nargs="+", metavar="NAME", help="delete caches by name")
    parser.add_argument(
        "--unused-for", type=float, metavar="DAYS", help="delete those not used for so long"
    )


def run(options: argparse.Namespace) -> int:
    """List the caches, after deleting what the arguments name.

    Raises:
        UserError: If there is no cache of a name.
    """
    from hpinet.data.image_cache import list_caches, remove_cache
    from hpinet.home import cache_folder

    folder = options.cache or cache_folder()
    names = list(options.remove or [])
    if options.unused_for is not None:
        if not options.unused_for >= 0:
            raise UserError(f"--unused-for counts days from 0 up, not {options.unused_for}")
        names += [c.name for c in list_caches(folder) if c.days >= options.unused_for]
    for name in dict.fromkeys(names):
        remove_cache(folder, name)
        print(f"removed {name}")
    known = list_caches(folder)
    for cache in known:
        print(
            f"{cache.name}  {cache.size / 1e6:.1f} MB, used {cache.days:.0f} days ago, "
            f"from {cache.source}"
        )
    print(f"{len(known)} caches in {folder}, {sum(c.size for c in known) / 1e6:.1f} MB")
    return 0
