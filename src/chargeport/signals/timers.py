"""The body of charge-chargetimers: when charging may run and when the car is to be ready, in its local time."""

from typing import Literal

from chargeport.signals.documents import (
    Condition,
    ConditionType,
    Document,
    Weekday,
    check_condition,
    check_each,
    clock_time,
    distinct,
    short,
)
from chargeport.signals.violation import Rule, Violation

ScheduleType = Literal["DAILY", "WEEKLY", "WORKWEEK"]


class Schedule(Document, frozen=True):
    """A window in which charging may run, in the car's local time; it may cross midnight."""

    start: str | None = None
    end: str | None = None
    days: list[Weekday] | None = None

    def check(self, path: str) -> None:
        """Check that there is a start or an end, written HH:MM:SS."""
        if self.start is None and self.end is None:
            raise Violation(Rule.MISSING, "a schedule has a start, an end or both", f"{path}.start")
        clock_time(self.start, f"{path}.start")
        clock_time(self.end, f"{path}.end")
        distinct(self.days, f"{path}.days")


class DepartureTimer(Document, frozen=True):
    """A time at which the car is to be ready, in its local time."""

    time: str
    days: list[Weekday] | None = None

    def check(self, path: str) -> None:
        """Check that the time is written HH:MM:SS."""
        clock_time(self.time, f"{path}.time")
        distinct(self.days, f"{path}.days")


class ChargeTimer(Document, frozen=True):
    """One timer configuration."""

    type: ConditionType
    condition: Condition | None = None
    isOEMOptimizationEnabled: bool | None = None  # noqa: N815  (wire name)
    schedules: list[Schedule] | None = None
    departureTimers: list[DepartureTimer] | None = None  # noqa: N815  (wire name)
    scheduleId: str | None = None  # noqa: N815  (wire name)
    scheduleType: ScheduleType | None = None  # noqa: N815  (wire name)

    def check(self, path: str) -> None:
        """Check that the condition fits the type, and check every schedule and timer."""
        check_condition(self.type, self.condition, path)
        check_each(self.schedules, f"{path}.schedules")
        check_each(self.departureTimers, f"{path}.departureTimers")
        short(self.scheduleId, f"{path}.scheduleId")


class ChargeTimers(Document, frozen=True):
    """Body of charge-chargetimers."""

    values: list[ChargeTimer]

    def check(self, path: str) -> None:
        """Check every timer."""
        check_each(self.values, f"{path}.values")
