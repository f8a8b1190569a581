"""The windows of a charge schedule, as described by the parameters of a command, for all sources."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

WEEK: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_WORKDAYS: Final = 5


class Window(NamedTuple):
    """Begin and end, as HH:MM by the local clock, and the weekdays on which it begins."""

    start: str
    stop: str
    days: tuple[str, ...]


def windows(parameters: Mapping[str, Any]) -> list[Window]:
    """Return the windows of a schedule that is created; none of one that is deleted."""
    return [Window(each["startTime"], each["stopTime"], days) for each, days in _described(parameters)]


def _described(parameters: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, str], tuple[str, ...]]]:
    match parameters.get("scheduleType"):
        case "daily":
            yield parameters, WEEK
        case "weekly":
            for day, window in parameters["days"].items():
                yield window, (day.lower(),)
        case "workweek":
            for name, days in (("weekdays", WEEK[:_WORKDAYS]), ("weekends", WEEK[_WORKDAYS:])):
                if (window := parameters.get(name)) is not None:
                    yield window, days
