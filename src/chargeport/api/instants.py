"""Instants and durations in a query: ISO 8601 or epoch milliseconds, in; milliseconds, out. What is wrong is said by name."""

import re
from typing import Final

from chargeport.api.paging import Query
from chargeport.errors import MALFORMED, Problem
from chargeport.ingest.times import OLDEST_AT
from chargeport.signals import instants

AT: Final = "at"
MINUTE_MS: Final = 60_000
DAY_MS: Final = 86_400_000
SHORTEST_MS: Final = MINUTE_MS
LONGEST_MS: Final = 31 * DAY_MS

_DIGITS: Final = re.compile(r"[0-9]{1,15}")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def instant(name: str, text: str) -> int:
    """Return the instant that a parameter names (a day: its beginning, UTC), in ms since the epoch. Raises Problem (400)."""
    if _DIGITS.fullmatch(text):
        at = int(text)
        if 0 < at < OLDEST_AT:
            raise Problem(MALFORMED, f"{name}: {text!r} looks like seconds: write milliseconds since 1970, or ISO 8601.")
        return at
    whole = f"{text}T00:00Z" if _DAY.fullmatch(text) else text.replace(" ", "+")  # an unescaped plus arrives as a blank
    at_or_none = instants.instant_ms(whole)
    if at_or_none is None or at_or_none < 0:
        raise Problem(
            MALFORMED,
            f"{name}: {text[:40]!r} is no instant since 1970: write 2026-05-01T09:59:58Z, or milliseconds since 1970.",
        )
    return at_or_none


def asked_at(query: Query, now: int) -> int | None:
    """Return the instant as of which the request asks; None where it asks for now. Raises Problem (400)."""
    text = dict(query).get(AT)
    if text is None:
        return None
    at = instant(AT, text)
    if at > now:
        raise Problem(MALFORMED, f"{AT}: {text[:40]!r} lies in the future: leave it out to read what is so now.")
    return at


def duration_ms(name: str, text: str) -> int:
    """Return the duration in ms that a parameter names, in ISO 8601, from a minute to 31 days. Raises Problem (400)."""
    length_ms = instants.duration_ms(text)
    if length_ms is None or not SHORTEST_MS <= length_ms <= LONGEST_MS:
        raise Problem(
            MALFORMED, f"{name}: {text[:40]!r} is neither raw nor a duration from PT1M to P31D, such as PT15M, PT1H or P1D."
        )
    return length_ms
