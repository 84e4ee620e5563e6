"""Heavy work one job at a time."""

from __future__ import annotations

import gradio as gr
import pytest

from ui.compute.job_queue import JobQueue
from ui.events.queued import queued
from ui.state.session import Session

NOTHING = {"status": gr.skip()}


def work(session, name):
    for step in range(2):
        yield {"name": name, "status": f"step {step}"}


def waiting(queue, session, name, handler=work, **options):
    return queued(handler, queue, "status", lambda s: s.maps_job, **options)(session, name)


def test_one_job_at_a_time_and_the_others_are_told():
    queue = JobQueue()
    first, second, third = (
        waiting(queue, Session(), name) for name in ("first", "second", "third")
    )
    assert next(first) == {"name": "first", "status": "step 0"}
    told = next(second)
    assert list(told) == ["status"] and "1 job is before yours" in told["status"]
    assert "2 jobs are before yours" in next(third)["status"]
    assert [v["status"] for v in first] == ["step 1"]
    assert next(second)["status"] == "step 0"
    assert "1 job is before yours" in next(third)["status"]
    second.close()  # its visitor went away
    assert [v["status"] for v in third] == ["step 0", "step 1"]


def test_who_asks_for_something_else_leaves_the_queue():
    queue, session = JobQueue(), Session()
    first, second = waiting(queue, Session(), "a"), waiting(queue, session, "b")
    next(first), next(second)
    session.maps_job.begin()
    assert list(second) == [NOTHING]  # and not what it said last once more
    third = waiting(queue, session, "c", stale=lambda session: "maps of something else")
    assert "maps of something else" in next(third)["status"]
    assert session.maps_job.stop()
    (told,) = third
    assert "Stopped before it began" in told["status"] and "something else" in told["status"]
    assert len(list(first)) == 1


def test_a_job_that_is_out_of_date_when_its_turn_comes_does_not_begin():
    queue, session = JobQueue(), Session()
    first, second = waiting(queue, Session(), "a"), waiting(queue, session, "b")
    next(first), next(second)
    first.close()
    session.maps_job.begin()
    assert list(second) == [NOTHING]


def test_an_overtaken_job_ends_without_a_value():
    queue, session = JobQueue(), Session()

    def beginning(session, name):
        run = session.maps_job.begin()
        while session.maps_job.run == run:
            yield {"status": name}

    job = waiting(queue, session, "old", beginning)
    assert next(job) == {"status": "old"}
    session.maps_job.begin()
    assert list(job) == [NOTHING]
    job = waiting(queue, session, "stopped", beginning)
    next(job), session.maps_job.stop()
    assert list(job) == []


def test_errors_give_the_place_up():
    queue = JobQueue()

    def fails(session, name):
        yield {"status": ""}
        raise ValueError("no")

    running = waiting(queue, Session(), "a", fails)
    next(running)
    with pytest.raises(ValueError, match="no"):
        next(running)
    assert next(waiting(queue, Session(), "next"))["status"] == "step 0"


def test_the_dead_do_not_block_the_queue():
    queue = JobQueue(lost=0.0)
    with queue.ticket(), queue.ticket() as second:
        assert queue.wait(second, 0.05) == 0


def test_a_long_step_lets_no_second_job_start_beside_it():
    now = [0.0]
    queue = JobQueue(lost=60.0, clock=lambda: now[0])
    with queue.ticket() as first, queue.ticket() as second:
        with queue.step(first) as current:
            assert current
            now[0] = 10_000.0  # seconds of computing
            assert queue.wait(second, 0) == 1
        now[0] += 59.0
        assert queue.wait(second, 0) == 1
        now[0] += 2.0  # nobody asked for the next step: its visitor went away
        assert queue.wait(second, 0) == 0
        with queue.step(first) as current:
            assert not current  # it may not go on beside the second
        with queue.step(second) as current:
            assert current


def test_nobody_listens_to_a_job_that_waits(monkeypatch):
    queue, heard = JobQueue(), [True]
    monkeypatch.setattr("ui.events.queued.has_listener", lambda: heard[0])
    first, second = (waiting(queue, Session(), name) for name in ("a", "b"))
    next(first), next(second)
    heard[0] = False
    assert list(second) == []  # before its turn
    assert list(first) == []  # after its current step
    heard[0] = True
    assert next(waiting(queue, Session(), "c"))["status"] == "step 0"
