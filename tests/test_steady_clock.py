"""A server's clock follows the machine's, but not every leap of it."""

import logging

import pytest

from chargeport.clock import RELEASED_AT, SteadyClock

DAY = 86_400_000
NOW = RELEASED_AT + 10 * DAY
HOUR = 3_600_000


class Machine:
    """A machine's two clocks: the one that people set, and the one that counts from boot."""

    def __init__(self, wall: int = NOW, since_boot: int = HOUR) -> None:
        self.wall = wall
        self.since_boot = since_boot

    def clock(self) -> SteadyClock:
        return SteadyClock(lambda: self.wall, lambda: self.since_boot)

    def run(self, duration_ms: int) -> None:
        self.wall += duration_ms
        self.since_boot += duration_ms


@pytest.mark.parametrize("leap", [DAY, 20 * 365 * DAY, -DAY, -20 * 365 * DAY, HOUR])
def test_a_leap_is_not_followed_and_time_continues(leap: int) -> None:
    machine = Machine()
    clock = machine.clock()
    machine.wall += leap
    machine.run(5_000)
    assert clock.now() == NOW + 5_000
    machine.run(60_000)
    assert clock.now() == NOW + 65_000


def test_a_leap_that_goes_back_is_as_if_it_had_not_been(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine()
    clock = machine.clock()
    with caplog.at_level(logging.WARNING):
        machine.wall += 20 * 365 * DAY
        for _ in range(50):
            machine.run(1_000)
            clock.now()
        machine.wall -= 20 * 365 * DAY
        machine.run(1_000)
    assert clock.now() == machine.wall
    assert [each.levelname for each in caplog.records] == ["ERROR", "WARNING"], "told once"


def test_small_corrections_are_followed() -> None:
    machine = Machine()
    clock = machine.clock()
    for correction in (500, -400, 30_000, -20_000):
        machine.wall += correction
        machine.run(2_000)
        assert clock.now() == machine.wall


@pytest.mark.parametrize("was", [0, 946_684_800_000, RELEASED_AT - DAY])
def test_a_clock_that_was_never_set_is_followed_once_it_is(was: int) -> None:
    machine = Machine(wall=was)
    clock = machine.clock()
    clock.now()
    machine.wall = NOW
    machine.run(2_000)
    assert clock.now() == machine.wall


def test_a_board_without_a_battery_may_be_set_after_boot() -> None:
    machine = Machine(since_boot=30_000)
    clock = machine.clock()
    machine.wall += 3 * DAY
    machine.run(2_000)
    assert clock.now() == machine.wall


def test_time_in_which_the_machine_slept_is_no_leap() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.run(9 * HOUR)
    assert clock.now() == machine.wall


def test_a_leap_is_followed_when_a_source_s_own_time_agrees_with_it() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.wall += DAY
    machine.run(2_000)
    clock.now()
    clock.compared(NOW)
    assert clock.now() == NOW + 2_000, "a source that agrees with the time before is no reason"
    clock.compared(machine.wall - 20_000)
    assert clock.now() == machine.wall


def test_an_instant_ahead_says_nothing_while_the_clock_is_not_in_doubt() -> None:
    machine = Machine()
    clock = machine.clock()
    clock.compared(NOW + 20 * 365 * DAY)
    assert clock.now() == NOW


def test_time_does_not_begin_before_what_was_stored_last() -> None:
    machine = Machine(wall=NOW - 2 * DAY)
    clock = machine.clock()
    clock.begin(NOW)
    machine.run(5_000)
    assert clock.now() == NOW + 5_000
    machine.wall = NOW + 8_000
    machine.run(2_000)
    assert clock.now() == machine.wall


def test_a_clock_that_was_reset_to_1970_continues_from_what_was_stored_last() -> None:
    machine = Machine(wall=0)
    clock = machine.clock()
    clock.begin(NOW - 200 * DAY)
    assert clock.now() == NOW - 200 * DAY


def test_what_was_stored_decades_ahead_does_not_set_the_clock(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine()
    clock = machine.clock()
    with caplog.at_level(logging.ERROR):
        clock.begin(NOW + 20 * 365 * DAY)
    assert clock.now() == NOW
    assert "chargeport repair clock" in caplog.text


@pytest.mark.parametrize("years", [2, 20])
def test_a_clock_that_is_years_ahead_of_all_that_is_stored_is_not_believed(years: int) -> None:
    machine = Machine(wall=NOW + years * 365 * DAY)
    clock = machine.clock()
    clock.begin(NOW)
    machine.run(5_000)
    assert clock.now() == NOW + 5_000
    clock.compared(machine.wall)
    assert clock.now() == machine.wall, "a source's own time agrees with it"


def test_a_clock_that_somebody_said_is_right_is_believed() -> None:
    machine = Machine(wall=NOW + 3 * 365 * DAY)
    clock = machine.clock()
    clock.begin(NOW, confirmed_at=machine.wall - DAY)
    assert clock.now() == machine.wall


@pytest.mark.parametrize("stored_at", [0, NOW - 300 * DAY])
def test_a_server_that_was_off_for_months_or_has_nothing_stored_follows_its_clock(stored_at: int) -> None:
    machine = Machine(wall=NOW + DAY)
    clock = machine.clock()
    clock.begin(stored_at)
    assert clock.now() == machine.wall
