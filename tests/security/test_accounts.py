"""Wrong passwords are slowed down, and nobody is locked out for long."""

from __future__ import annotations

import asyncio

import pytest

from ui.server.accounts import FREE, KEPT, PATIENCE, SLOWEST, Accounts, Throttle, TooManyTries


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    """A clock that waiting moves on."""
    clock = Clock()

    async def sleep(seconds):
        clock.now += seconds

    monkeypatch.setattr("ui.server.accounts.asyncio.sleep", sleep)
    return clock


@pytest.fixture
def accounts(clock):
    return Accounts({"ann": "right", "bob": "other"}, Throttle(clock), clock)


def login(accounts, name, password, address="1.2.3.4", known=""):
    return asyncio.run(accounts.login(name, password, address, known))


def test_a_right_password_gives_a_login_that_can_be_ended(accounts, clock):
    token = login(accounts, " ann ", "right")
    assert accounts.name(token) == "ann" and login(accounts, "ann", "right") != token
    assert accounts.name("another") is None and accounts.name(None) is None
    accounts.logout(token)
    assert accounts.name(token) is None
    token = login(accounts, "ann", "right")
    clock.now += 8 * 86400
    assert accounts.name(token) is None


def test_two_hundred_wrong_passwords_take_minutes(accounts, clock):
    for number in range(200):
        assert login(accounts, "ann", f"wrong {number}") is None
    assert clock.now > 190 * SLOWEST * 0.9
    began = clock.now
    assert login(accounts, "ann", "right") and clock.now - began <= SLOWEST


def test_neither_other_addresses_nor_other_names_are_a_way_round(accounts, clock):
    for number in range(50):
        login(accounts, "ann", "wrong", address=f"10.0.0.{number}")
    assert clock.now > 40 * SLOWEST * 0.9
    began = clock.now
    for number in range(50):
        login(accounts, f"name {number}", "wrong", address="5.6.7.8")
    assert clock.now - began > 40 * SLOWEST * 0.9


def test_tries_that_come_together_are_counted_together():
    throttle = Throttle(Clock())
    waits = []
    with pytest.raises(TooManyTries) as refused:
        for _ in range(200):
            waits.append(throttle.turn(["name ann"]))
    assert len(waits) < FREE + 10 and max(waits) <= PATIENCE
    assert 0 < refused.value.seconds < PATIENCE + 2 * SLOWEST


def test_others_hold_nobody_up_who_came_in_before(accounts, clock):
    known = accounts.known("ann")
    for number in range(100):
        login(accounts, "ann", "wrong", address=f"10.0.0.{number}")
    began = clock.now
    assert login(accounts, "ann", "right", "9.9.9.9", known) and clock.now == began
    assert login(accounts, "bob", "other", "9.9.9.9") and clock.now == began
    login(accounts, "bob", "wrong", "10.0.0.1", known)  # another's mark is worth nothing
    assert accounts.known("bob") != known


def test_right_passwords_are_never_slowed_down(accounts, clock):
    for _ in range(50):
        assert login(accounts, "ann", "right")
    assert clock.now == 0


def test_wrong_passwords_are_forgotten(accounts, clock):
    for _ in range(10):
        login(accounts, "ann", "wrong")
    clock.now += 7200
    began = clock.now
    assert login(accounts, "ann", "wrong") is None and clock.now == began


def test_memory_of_names_is_bounded():
    throttle = Throttle(Clock())
    for number in range(KEPT + 100):
        throttle.turn([f"{number} " * 100])
    assert len(throttle) == KEPT


def test_accents_are_compared_however_they_are_written():
    accounts = Accounts({"zo\u00eb": "x"})
    assert login(accounts, "zoe\u0308", "x")
