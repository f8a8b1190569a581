"""Instants and durations for people: in local time, or as an age."""

import re
from datetime import UTC, datetime
from typing import Final

_WRITTEN: Final = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d(?::\d\d)?) ([A-Z]{2,5}|[+-]\d\d(?:\d\d)?)", re.ASCII)

# The unit (in seconds) of durations from a number of seconds on.
_UNITS: Final = ((86_400 * 2, 86_400, "d"), (3600 * 2, 3600, "h"), (60 * 2, 60, "min"), (1, 1, "s"))


def local(at: int, *, seconds: bool = True) -> str:
    """Return an instant in local time, to the second or the minute: `2026-05-01 11:59:58 CEST`."""
    here = datetime.fromtimestamp(at / 1000, UTC).astimezone()
    return f"{here:%Y-%m-%d %H:%M:%S} {here.tzname()}" if seconds else f"{here:%Y-%m-%d %H:%M} {here.tzname()}"


def parse(text: str) -> int | None:
    """Parse an instant in the format of `local`, in ms since 1970; None for any other text, and for another zone's name."""
    found = _WRITTEN.fullmatch(text.strip())
    if found is None:
        return None
    try:
        wall = datetime.fromisoformat(f"{found[1]}T{found[2]}")
    except ValueError:
        return None
    candidates = [wall.replace(tzinfo=UTC), *(wall.replace(fold=fold).astimezone() for fold in (0, 1))]
    at = next((candidate for candidate in candidates if candidate.tzname() == found[3]), None)
    return None if at is None else round(at.timestamp() * 1000)


def ago(at: int | None, now: int) -> str | None:
    """Return the age of an instant; None without an instant. A car's clock may be ahead of ours.

    >>> ago(0, 12_000), ago(0, 250_000), ago(0, 26 * 3_600_000), ago(5000, 4900), ago(None, 0)
    ('12 s ago', '4 min ago', '26 h ago', 'just now', None)
    """
    if at is None:
        return None
    age_s = (now - at) // 1000
    return "just now" if age_s < 1 else f"{long(age_s)} ago"


def long(length_s: float) -> str:
    """Return a duration as text.

    >>> long(250), long(26 * 3600), long(0.2)
    ('4 min', '26 h', 'under 1 s')
    """
    for least, unit_s, name in _UNITS:
        if length_s >= least:
            return f"{int(length_s // unit_s)} {name}"
    return "under 1 s"
