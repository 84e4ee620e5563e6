"""A page of a tiny network in headless Chromium, as fixtures, and what tests do with it.

`conftest.py` hands the fixtures to all tests.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from contextlib import contextmanager
from pathlib import Path
from weakref import WeakKeyDictionary

import pytest
from helpers.catalogue import tiny_runtime

from hpinet import HPINetConfig

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
TINY = HPINetConfig(dim=8, qk_dim=4, ffn_dim=8, patch_sizes=(12, 16))
WAIT = 180_000  # milliseconds: generous, since the machine may be busy with other things


@pytest.fixture(scope="module")
def runtime(tmp_path_factory):
    """What a page shares; its network is tiny and random, so that every step is quick."""
    networks = {"Tiny-x4": TINY, "Tiny-x4-no-gpa": TINY.without_gpa(), "Without-a-twin": TINY}
    found = tiny_runtime(tmp_path_factory, networks)
    yield found
    found.close()


@pytest.fixture(scope="module")
def url(runtime):
    """The page's address."""
    from app import launch_options
    from ui.layout import build

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ui.tabs.maps.receptive_field.STEPS", 8)  # what a page computes on load
        demo = build(runtime).queue()
        _, address, _ = demo.launch(prevent_thread_lock=True, quiet=True, **launch_options())
        yield address
        demo.close()


WAITING = WeakKeyDictionary()
"""Requests of each page that are not answered yet, without those that tell that it is open."""


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    names = ("chromium", "chromium-browser", "google-chrome")
    path = os.environ.get("HPINET_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if not path or not Path(path).is_file():
        from conftest import missing  # which imports this module

        missing("no Chromium found: install Debian's chromium or set HPINET_CHROMIUM to one")
    with playwright.sync_playwright() as running:
        found = running.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield found
        found.close()


@pytest.fixture
def view(request):
    """Window size and theme; a test may ask for others by indirect parameters."""
    return getattr(request, "param", (1440, 900, "light"))


@pytest.fixture
def page(browser, url, view, request):
    """A fresh visitor. Afterwards: no error in the console, and nothing asked of other machines."""
    with visitor(browser, url, view) as found:
        yield found
        screenshot(found, re.sub(r"\W+", "-", request.node.name))


@contextmanager
def visitor(browser, url, view=(1440, 900, "light"), query="", touch=False):
    """A visitor with cookies and a session of their own, checked as `page` says."""
    width, height, theme = view
    context = browser.new_context(viewport={"width": width, "height": height}, has_touch=touch)
    found = context.new_page()
    found.set_default_timeout(WAIT)
    errors, outside = [], []
    found.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
    found.on("pageerror", lambda e: errors.append(str(e)))
    found.on("request", lambda r: None if _local(r.url, url) else outside.append(r.url))
    waiting = WAITING[found] = set()
    found.on("request", lambda r: None if "heartbeat" in r.url else waiting.add(r))
    for end in ("requestfinished", "requestfailed"):
        found.on(end, lambda r: waiting.discard(r))
    found.goto(f"{url}?__theme={theme}{query}")
    shown(
        found, "maps" if "tab=lam" in query else "matches" if "tab=matches" in query else "compare"
    )
    yield found
    context.close()
    # A page that is left, by reloading it, aborts what it was waiting for: no error of ours.
    aborted = ("signal is aborted", "Connection errored out")
    unexpected = [e for e in errors if not any(a in e for a in aborted)]
    assert not unexpected, unexpected
    assert not outside, outside


def screenshot(page, name, whole=False):
    """Write a screenshot as an artefact of the tests."""
    folder = os.environ.get("HPINET_ARTIFACTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=whole)


def _local(address, url):
    return address.startswith((url, "data:", "blob:"))


def tab(page, name):
    page.get_by_role("tab", name=name).click()


def number(page, name):
    return int(page.locator(f"#{name} input").input_value())


def status(page, text):
    page.wait_for_function(
        "text => document.querySelector('#lam-status')?.innerText.includes(text)", arg=text
    )


def set_steps(page, steps):
    page.locator("#steps input[type=number]").fill(str(steps))
    page.locator("#steps input[type=number]").press("Tab")


def shown(page, name):
    """Wait until a viewer shows something."""
    page.wait_for_function("n => document.querySelector(`#${n} .viewer`)?.dataset.shown", arg=name)


def place(page, name, x, y, pane=0):
    """Where image pixel (x, y) of a viewer's pane is on the screen, once there is one.

    Found and asked in one step: the page may put a new viewer there at any moment.
    """
    return page.wait_for_function(
        """([name, x, y, i]) => {
          const pane = document.querySelector(`#${name} .viewer`)?.viewer?.panes[i];
          if (!pane) return null;
          pane.canvas.scrollIntoView({ block: "center" });
          const box = pane.canvas.getBoundingClientRect(), { view } = pane;
          const k = view.scale(box.width, box.height);
          return [box.left + box.width / 2 + (x + 0.5 - view.x) * k,
                  box.top + box.height / 2 + (y + 0.5 - view.y) * k];
        }""",
        arg=[name, x, y, pane],
    ).json_value()


def click_at(page, name, x, y, pane=0):
    """Click image pixel (x, y) in a viewer's pane."""
    page.mouse.click(*place(page, name, x, y, pane))


def hover_at(page, name, x, y, pane=0):
    """Point at image pixel (x, y) in a viewer's pane, and wait for the next frame."""
    page.mouse.move(*place(page, name, x, y, pane))
    frame(page)


def frame(page):
    """Wait until what was asked for is drawn."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")


def settled(page, viewer):
    """Wait until a viewer shows the newest that it was given, and nothing of it is stale."""
    frame(page)
    page.wait_for_function(
        """(name) => document.querySelector(`#${name} .viewer[aria-busy=false]`)
            && !document.querySelector(`#${name} figure.dimmed`)""",
        arg=viewer,
    )
    frame(page)  # which draws it


def control(page, viewer, name):
    """A control of a viewer."""
    return page.locator(f'#{viewer} [name="{name}"]')


def pixels(page, viewer, pane):
    """A digest of what a pane's canvas shows."""
    return page.evaluate(
        "([n, i]) => document.querySelector(`#${n} .viewer`).viewer.panes[i].canvas.toDataURL()",
        [viewer, pane],
    )


def quiet(page, seconds=2.0):
    """Wait until the page has waited for no answer, and asked for nothing, for a while."""
    since = time.monotonic()
    while time.monotonic() - since < seconds:
        page.wait_for_timeout(100)  # milliseconds, in which requests are noted
        if WAITING[page]:
            since = time.monotonic()


@contextmanager
def no_requests(page):
    """Nothing may be asked of the server meanwhile; what was asked for before may still come."""
    quiet(page)
    found = []

    def note(request):
        if "heartbeat" not in request.url:
            found.append(request.url)

    page.on("request", note)
    yield
    page.remove_listener("request", note)
    assert not found, found


def says(page, name, text):
    """Wait until an element says something."""
    page.wait_for_function(
        "([n, t]) => document.querySelector(`#${n}`)?.innerText.includes(t)", arg=[name, text]
    )


def choose(page, name, option):
    """Choose from a list."""
    page.locator(f"#{name} input").click()
    page.locator("[role=listbox]").get_by_role("option", name=option, exact=True).click()
    page.wait_for_function(
        "!document.querySelector('[role=listbox] [role=option]')"
    )  # it fades out


def upload(page, name, path):
    """Put a file into an upload field."""
    page.locator(f"#{name} input[type=file]").set_input_files(str(path))
