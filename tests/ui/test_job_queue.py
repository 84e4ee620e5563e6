"""Heavy work in turns."""

from __future__ import annotations

import time

import gradio as gr
import pytest

from ui.events.job_queue import Line, in_turn
from ui.state.session import Session


def work(session, name):
    for step in range(2):
        yield name, f"step {step}"


def test_one_job_at_a_time_and_the_others_are_told():
    line = Line()
    first, second, third = (
        in_turn(work, 1, line)(Session(), name) for name in ("first", "second", "third")
    )
    assert next(first) == ("first", "step 0")
    blank, text = next(second)
    assert blank == gr.skip() and "1 job is before yours" in text
    assert "2 jobs are before yours" in next(third)[1]
    assert list(first) == [("first", "step 1")]
    assert next(second) == ("second", "step 0")
    assert "1 job is before yours" in next(third)[1]
    second.close()  # its visitor went away
    assert list(third) == [("third", "step 0"), ("third", "step 1")]


def test_who_asks_for_something_else_leaves_the_line():
    line, session = Line(), Session()
    first, second = in_turn(work, 1, line)(Session(), "a"), in_turn(work, 1, line)(session, "b")
    next(first), next(second)
    session.run += 1
    assert list(second) == []
    third = in_turn(work, 0, line)(session, "c")
    assert "1 job is before" in next(third)  # a status alone, where there is nothing else
    session.run, session.stopped = session.run + 1, True
    assert ["Stopped before it began" in text for text in third] == [True]
    assert len(list(first)) == 1


def test_errors_give_the_place_up():
    line = Line()

    def fails(session):
        yield 1, ""
        raise ValueError("no")

    running = in_turn(fails, 1, line)(Session())
    next(running)
    with pytest.raises(ValueError, match="no"):
        next(running)
    assert next(in_turn(work, 1, line)(Session(), "next")) == ("next", "step 0")


def test_the_dead_do_not_block_the_line(monkeypatch):
    line = Line()
    with line.ticket():
        in_an_hour = time.monotonic() + 3600
        monkeypatch.setattr(time, "monotonic", lambda: in_an_hour)
        with line.ticket() as second:
            assert line.wait(second, 0.05) == 0
