"""Charge schedules of stations: windows of local time as recurring charging profiles, and their stored form.

A profile recurs by UTC, a window by the local clock. So a profile is sent again when the local clock has been changed.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from chargeport.sources.charge_windows import WEEK, Window, windows

MINUTE_S: Final = 60
DAY_S: Final = 86_400
WEEK_S: Final = 7 * DAY_S
_THURSDAY: Final = 3  # the weekday of the epoch, counted from Monday


class Schedule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A schedule that a connector has. `windows` are begin and length in seconds since local Monday, or midnight if daily.

    `utc_offset_s` is that of the local clock when it was sent last. It is of a connector, which the settings fix to a car.
    `car` is the name of that car; "" once the vehicle was erased: then the schedule is to be deleted at the station.
    """

    id: str
    car: str | None = None
    windows: tuple[tuple[int, int], ...]
    is_daily: bool = False
    utc_offset_s: int = 0

    @property
    def recurs_s(self) -> int:
        """The period after which it begins again."""
        return DAY_S if self.is_daily else WEEK_S

    def begin_s(self, now_s: int) -> int:
        """Return when its present round began, in seconds since the epoch."""
        local_s = now_s + self.utc_offset_s
        if not self.is_daily:
            return now_s - (local_s + _THURSDAY * DAY_S) % WEEK_S
        return now_s - (local_s - self.windows[0][0]) % DAY_S

    def spans(self) -> list[tuple[int, int]]:
        """Return from when to when it lets a car charge, in seconds since its begin; in order, disjoint."""
        if self.is_daily:
            return [(0, self.windows[0][1])]
        parts: list[tuple[int, int]] = []
        for start_s, length_s in self.windows:
            end_s = start_s + length_s
            parts.append((start_s, min(end_s, WEEK_S)))
            if end_s > WEEK_S:  # from Sunday into Monday
                parts.append((0, end_s - WEEK_S))
        found: list[tuple[int, int]] = []
        for start_s, end_s in sorted(parts):
            if found and start_s <= found[-1][1]:
                found[-1] = found[-1][0], max(found[-1][1], end_s)
            else:
                found.append((start_s, end_s))
        return found

    def periods(self, limit_a: float) -> list[dict[str, Any]]:
        """Return the periods of its profile: this current within a window, none outside."""
        spans = self.spans()
        periods = [] if spans[0][0] == 0 else [{"startPeriod": 0, "limit": 0.0}]
        for start_s, end_s in spans:
            periods.append({"startPeriod": start_s, "limit": limit_a})
            if end_s < self.recurs_s:
                periods.append({"startPeriod": end_s, "limit": 0.0})
        return periods


def asked_for(parameters: Mapping[str, Any]) -> Schedule:
    """Return the schedule that the parameters of a command describe."""
    is_daily = parameters["scheduleType"] == "daily"
    found = [
        _window(WEEK.index(day), window) for window in windows(parameters) for day in (WEEK[:1] if is_daily else window.days)
    ]
    return Schedule(id=parameters["scheduleId"], windows=tuple(found), is_daily=is_daily)


def utc_offset_s(zone: ZoneInfo, at: int) -> int:
    """Return how far clocks of a zone are ahead of UTC at an instant."""
    offset = datetime.fromtimestamp(at / 1000, UTC).astimezone(zone).utcoffset()
    return 0 if offset is None else round(offset.total_seconds())


def _window(day: int, window: Window) -> tuple[int, int]:
    start_s, stop_s = _seconds(window.start), _seconds(window.stop)
    return day * DAY_S + start_s, (stop_s - start_s) % DAY_S or DAY_S


def _seconds(local_time: str) -> int:
    hours, minutes = local_time.split(":")
    return (int(hours) * 60 + int(minutes)) * MINUTE_S
