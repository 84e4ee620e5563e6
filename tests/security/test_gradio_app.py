"""What is used of gradio beyond its documentation is still there, and does what it did."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest
from helpers.small_page import Visitor, served

from ui.server import gradio_app
from ui.server.maintenance import TOO_LARGE, TOO_OLD, Maintenance, prune
from ui.visitors.registry import GRACE, VISITORS, Visitors, identity_of, note_identity


@pytest.fixture(scope="module")
def page():
    with served() as found:
        yield found


def until(true, seconds=30.0):
    """Wait until something is so; false after so many seconds."""
    end = time.monotonic() + seconds
    while not (found := true()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


def test_a_session_is_found_measured_and_forgotten(page):
    app, one = page.demo.app, Visitor(page.url)
    assert one.call("read", one.upload()) == ["7"]
    (session,) = gradio_app.values(app, one.session)
    assert session.uploaded and one.session in gradio_app.sessions(app)
    gradio_app.forget_session(app, one.session)
    assert one.session not in gradio_app.sessions(app) and page.gone[-1] is session
    assert gradio_app.values(app, one.session) == []
    assert gradio_app.started(app)


def test_a_session_works_without_its_copy_of_the_page(page):
    app, one = page.demo.app, Visitor(page.url)
    one.call("read", one.upload())
    before = one.call("subject")
    copy = app.state_holder.session_data[one.session].config_values
    assert copy
    Maintenance(app).end_sessions()
    assert not copy and one.call("subject") == before


def test_many_visitors_are_no_reason_to_forget_one(page):
    first = Visitor(page.url)
    first.call("read", first.upload())
    for number in range(70):
        assert first.join("subject", session=f"another {number}").status_code == 200
    assert "a.png" in str(first.call("subject"))


def test_sessions_end_by_age_and_by_memory_and_their_visitors_are_told(page):
    app, visitors = page.demo.app, [Visitor(page.url) for _ in range(3)]
    for visitor in visitors:
        visitor.call("read", visitor.upload())
        gradio_app.values(app, visitor.session)[0].opened = object()
    old, other, last = (visitor.session for visitor in visitors)
    known = SimpleNamespace(
        open=lambda s: s == last,
        idle=lambda s: {old: 4000.0, other: 9.0, last: 5.0}.get(s, 4001.0),
        end=VISITORS.end,
    )
    # So little that a closed page may keep nothing.
    maintenance = Maintenance(app, known, limit=2**18)
    maintenance.end_sessions()
    assert gradio_app.sessions(app) == [last]
    assert VISITORS.ended(old) == TOO_OLD and VISITORS.ended(other) == TOO_LARGE
    begun = visitors[0].join("subject").json()["event_id"]
    with visitors[0].http.stream("GET", f"/gradio_api/call/subject/{begun}") as answer:
        assert "ended because it was not used for long" in answer.read().decode()


def test_a_job_that_nobody_listens_to_is_dropped(page, monkeypatch):
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(VISITORS, "clock", lambda: clock.now)
    running, waiting = Visitor(page.url), Visitor(page.url)
    for visitor in (running, waiting):
        assert visitor.join("job").status_code == 200
        assert until(lambda: page.steps > 2)
    assert {e[1] for e in gradio_app.waiting_events(page.demo.app)} >= {running.session}
    clock.now = GRACE + 1
    assert until(lambda: not list(gradio_app.waiting_events(page.demo.app)))
    steps = page.steps
    time.sleep(0.5)
    assert page.steps == steps


def test_answers_that_nobody_fetches_are_forgotten(page):
    app, one = page.demo.app, Visitor(page.url)
    one.join("subject")
    assert until(lambda: one.session in gradio_app.sessions_with_answers(app))
    gradio_app.drop_answers(app, [one.session])
    assert one.session not in gradio_app.sessions_with_answers(app)


def test_empty_folders_of_uploads_go(tmp_path):
    (tmp_path / "own-a" / "b").mkdir(parents=True)
    (tmp_path / "own-c").mkdir()
    (tmp_path / "own-c" / "file").write_text("x")
    prune(tmp_path, age=-1.0)
    assert [p.name for p in tmp_path.iterdir()] == ["own-c"]


def test_a_registry_knows_who_listens():
    now = [0.0]
    visitors = Visitors(lambda: now[0])
    assert visitors.use("s", "user ann") and not visitors.use("s", "user bob")
    with visitors.listening("s"):
        now[0] = 100.0
        assert not visitors.is_abandoned("s") and visitors.idle("s") == 0 and visitors.open("s")
    assert not visitors.is_abandoned("s")
    now[0] += GRACE + 1
    assert visitors.is_abandoned("s") and visitors.idle("s") == GRACE + 1
    assert not visitors.is_abandoned("unknown") and not visitors.is_abandoned(None)
    visitors.end("s", "why")
    assert [visitors.take_end_notice("s") for _ in range(2)] == ["why", ""]
    assert visitors.ended("s") == "why"
    scope = {}
    note_identity(scope, "user ann")
    assert identity_of(SimpleNamespace(scope=scope)) == "user ann"
