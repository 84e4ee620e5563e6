"""Where a visitor may begin: three places of the page, and a tour; each is an address."""

from __future__ import annotations

from .html import render

PRESETS = [
    ("a far window helps", "example=Facade&tab=lam"),
    ("switch GPA off", "example=Brick&tab=lam&without=own"),
    ("matches collapse on a hub", "example=Brick&tab=matches&matches.block=6&matches.show=hubs"),
]

TOUR = [
    (
        ("Bicubic beside the network", "drag the line; the wheel zooms, a double click shows all."),
        "example=Facade&tab=sr",
    ),
    (
        ("Where they differ", "the original is a contender, too: choose it as the second."),
        "example=Facade&tab=sr&compare.mode=difference&compare.b=original",
    ),
    (
        (
            "What a window was made from",
            "bright pixels gave it its detail. A pixel that you click is blurred, to see what the "
            "window loses without it.",
        ),
        "example=Facade&tab=lam",
    ),
    (
        (
            "With GPA and without",
            "GPA (Global Pixel Access) lets a patch attend to the one patch most like it. The twin "
            "was trained without that, at the same size.",
        ),
        "example=Facade&tab=lam&maps.last=difference",
    ),
    (
        ("Who attends to whom", "move the pointer; digits choose blocks; f forces a match."),
        "example=Facade&tab=matches",
    ),
]


def way_in() -> str:
    """The page's title with presets and tour, as HTML."""
    return render("way_in", presets=PRESETS, tour=TOUR)
