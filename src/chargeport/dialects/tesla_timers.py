"""Tesla's scheduled charging and departure as charge-chargetimers, as far as they are in the car's local time.

The time of day of an instant depends on the car's zone, which no source of Tesla's reports. So a schedule that is known by its
instant alone is a timer without times: its existence is known, its start is not.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from chargeport.dialects.field_values import number
from chargeport.dialects.table import Decoded

_CLOCK: Final = re.compile(r"(\d\d?):(\d\d)(?::(\d\d))?")
_DAY_MIN: Final = 1440
_WORKDAYS: Final = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY")
_WEEK: Final = (*_WORKDAYS, "SATURDAY", "SUNDAY")


def clock_time(content: Any) -> str | None:
    """Return a time of day as HH:MM:SS, from such a text or {hour, minute, second}; None for anything else, instants too."""
    if isinstance(content, Mapping):
        parts = [content.get(name, 0) for name in ("hour", "minute", "second")]
        whole = all(type(part) is int for part in parts)
        return "{:02}:{:02}:{:02}".format(*parts) if whole else None
    found = _CLOCK.fullmatch(content.strip()) if isinstance(content, str) else None
    return None if found is None else f"{int(found[1]):02}:{found[2]}:{found[3] or '00'}"


def after_midnight(minutes: Any) -> str | None:
    """Return a time of day as HH:MM:SS, from minutes after midnight; None for null. Raises ValueError or TypeError."""
    if minutes is None:
        return None
    count = number(minutes)
    if not (0 <= count < _DAY_MIN and count.is_integer()):
        raise ValueError("a count of minutes after midnight is wanted")
    return f"{int(count) // 60:02}:{int(count) % 60:02}:00"


def days(content: Any) -> list[str] | None:
    """Return the weekdays that a value represents; None for an unknown value."""
    match str(content).strip().casefold():
        case "weekdays" | "week_days":
            return list(_WORKDAYS)
        case "all_week" | "allweek":
            return list(_WEEK)
    return None


def timers(
    mode: str,
    start: str | None,
    departure: str | None,
    *,
    departure_days: list[str] | None = None,
    window: Mapping[str, Any] | None = None,
) -> Decoded:
    """Return the body of charge-chargetimers: by `mode` (Off, StartAt, DepartBy) with the times that are known.

    `window` is when charging for a departure may run.
    """
    if mode == "Off":
        return {"values": []}
    timer: dict[str, Any] = {"type": "GLOBAL"}
    if mode == "StartAt" and start is not None:
        timer["schedules"] = [{"start": start}]
    if mode == "DepartBy" and departure is not None:
        timer["departureTimers"] = [{"time": departure} | ({} if departure_days is None else {"days": departure_days})]
    if mode == "DepartBy" and window is not None:
        timer["schedules"] = [dict(window)]
    return {"values": [timer]}
