"""Instants as the clock on the reader's wall has them, with the zone named."""

import re
from datetime import UTC, datetime
from typing import Final

_WRITTEN: Final = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d(?::\d\d)?) ([A-Z]{2,5}|[+-]\d\d(?:\d\d)?)", re.ASCII)


def local(at: int, *, seconds: bool = True) -> str:
    """Return an instant in local time, to the second or the minute: `2026-05-01 11:59:58 CEST`."""
    here = datetime.fromtimestamp(at / 1000, UTC).astimezone()
    return f"{here:%Y-%m-%d %H:%M:%S} {here.tzname()}" if seconds else f"{here:%Y-%m-%d %H:%M} {here.tzname()}"


def parse(text: str) -> int | None:
    """Return an instant as `local` writes it, in ms since 1970; None for any other text, and for another zone's name."""
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
