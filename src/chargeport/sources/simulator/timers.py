"""Charge timers: the windows in which a car may charge on AC, in its own local time.

A schedule's weekday is the day its window begins: FRIDAY 22:00 to 06:00 ends on Saturday morning. A schedule whose start
equals its end lasts all day. Without weekdays a schedule applies every day, or Monday to Friday when its type is WORKWEEK.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Annotated, Any, Literal

import msgspec

from chargeport.sources.simulator.conditions import Conditional

Weekday = Literal["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"]

WEEK: tuple[Weekday, ...] = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
WORKWEEK = WEEK[:5]

LocalTime = Annotated[str, msgspec.Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?$")]
"""A wall-clock time, "HH:MM:SS" as on the wire; seconds may be left out."""

DAYS_AHEAD = 8
"""A weekly window recurs within seven days; one more for the day on which the search begins."""

FOREVER = 2**62
"""An instant that is never reached."""


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """A window that opens at `start` on each of `days` and closes at the `end` that follows."""

    start: LocalTime
    end: LocalTime
    days: tuple[Weekday, ...] = ()


class DepartureTimer(msgspec.Struct, frozen=True, kw_only=True):
    """The time at which the car is to be ready on each of `days`."""

    time: LocalTime
    days: tuple[Weekday, ...] = ()


class Timer(Conditional, frozen=True, kw_only=True):
    """One entry of the wire's charge timers."""

    is_oem_optimization_enabled: bool = msgspec.field(default=False, name="isOEMOptimizationEnabled")
    schedules: tuple[Schedule, ...] = ()
    departure_timers: tuple[DepartureTimer, ...] = ()
    schedule_id: str | None = None
    schedule_type: Literal["DAILY", "WEEKLY", "WORKWEEK"] | None = None

    def days(self, days: tuple[Weekday, ...]) -> tuple[Weekday, ...]:
        """Return the weekdays of an entry that lists `days`."""
        return days or (WORKWEEK if self.schedule_type == "WORKWEEK" else WEEK)


def timers_from_the_wire(values: Sequence[Any]) -> tuple[Timer, ...]:
    """Read timers from entries in the wire's format. Raises msgspec.ValidationError (a ValueError) for an invalid one.

    >>> timers_from_the_wire([{"type": "GLOBAL", "departureTimers": [{"time": "07:30:00"}]}])[0].departure_timers[0].time
    '07:30:00'
    """
    return msgspec.convert([msgspec.to_builtins(value) for value in values], tuple[Timer, ...])


def timers_on_the_wire(timers: Sequence[Timer]) -> dict[str, Any]:
    """Return the timers as a car reports them: weekdays spelled out, the optimisation flag included even where it is off."""
    return {"values": [_on_the_wire(timer) for timer in timers]}


def _on_the_wire(timer: Timer) -> dict[str, Any]:
    entry: dict[str, Any] = msgspec.to_builtins(timer)
    entry["isOEMOptimizationEnabled"] = timer.is_oem_optimization_enabled
    for name, parts in (("schedules", timer.schedules), ("departureTimers", timer.departure_timers)):
        if parts:
            entry[name] = [{**msgspec.to_builtins(part), "days": list(timer.days(part.days))} for part in parts]
    return entry


def local_instant(day: date, wall_time: str, zone: tzinfo) -> int:
    """Return the instant at which clocks in `zone` show `wall_time` on `day`, in epoch milliseconds.

    On the day clocks go forward, a time they skip counts as the same interval after midnight (02:30 becomes 03:30); on the
    day they go back, the first of two equal times is meant. Both are the behaviour of Python's `fold=0`.
    """
    local = datetime.combine(day, time.fromisoformat(wall_time), zone)
    return round(local.timestamp() * 1000)


def local_day(at: int, zone: tzinfo) -> date:
    """Return the date that clocks in `zone` show at an instant."""
    return datetime.fromtimestamp(at / 1000, UTC).astimezone(zone).date()


def _days_around(at: int, zone: tzinfo) -> Iterator[tuple[date, Weekday]]:
    today = local_day(at, zone)
    for ahead in range(-1, DAYS_AHEAD + 1):
        day = today + timedelta(days=ahead)
        yield day, WEEK[day.weekday()]


def _ends_the_same_day(schedule: Schedule) -> bool:
    return time.fromisoformat(schedule.end) > time.fromisoformat(schedule.start)


def windows(timer: Timer, at: int, zone: tzinfo) -> list[tuple[int, int]]:
    """Return the windows of a timer's schedules from the day before `at` to a week ahead: (opens, closes), in order."""
    found = []
    for day, weekday in _days_around(at, zone):
        for schedule in timer.schedules:
            if weekday in timer.days(schedule.days):
                closing_day = day + timedelta(days=0 if _ends_the_same_day(schedule) else 1)
                found.append((local_instant(day, schedule.start, zone), local_instant(closing_day, schedule.end, zone)))
    return sorted(found)


def next_departure_at(timer: Timer, at: int, zone: tzinfo) -> int:
    """Return the first departure after `at`; never, where the timer has none."""
    return min(
        (
            leaves_at
            for day, weekday in _days_around(at, zone)
            for departure in timer.departure_timers
            if weekday in timer.days(departure.days) and (leaves_at := local_instant(day, departure.time, zone)) > at
        ),
        default=FOREVER,
    )
