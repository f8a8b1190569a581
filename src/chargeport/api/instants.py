"""Parse instants and durations of a query: ISO 8601 or epoch milliseconds to milliseconds. An error names the parameter."""

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
LATEST_AT: Final = 253_402_300_799_999  # the end of the year 9999: ISO 8601 has no later one

_DATE: Final = "(19[7-9][0-9]|[2-9][0-9]{3})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_CLOCK: Final = "([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.,][0-9]{1,9})?)?"
_OFFSET: Final = "([Zz]|[+ -]([01][0-9]|2[0-3]):?[0-5][0-9])"
_EPOCH_MS: Final = "0|9[4-9][0-9]{10}|[1-9][0-9]{12,13}|1[0-9]{14}|2[0-4][0-9]{13}|25[0-2][0-9]{12}"
INSTANT_PATTERN: Final = f"^({_EPOCH_MS}|{_DATE}([Tt]{_CLOCK}{_OFFSET})?)$"
"""The texts that `instant` accepts, as far as a pattern can express it: not the length of months."""
STAMP_PATTERN: Final = f"^{_DATE}[Tt]{_CLOCK}([Zz]|[+-]([01][0-9]|2[0-3]):?[0-5][0-9])$"
"""The texts of an item's `observedAt`, as far as a pattern can express it."""
_YEAR: Final = "(19[7-9][0-9]|[2-9][0-9]{3})"
_LEAP: Final = "(19(7[26]|8[048]|9[26])|[2-9][0-9](0[48]|[2468][048]|[13579][26])|(2[048]|[3579][26]|[468][048])00)"
_DAYS: Final = "(0[1-9]|1[0-9]|2[0-8])"
_MONTHS: Final = f"((0[13578]|1[02])-({_DAYS}|29|30|31)|(0[469]|11)-({_DAYS}|29|30)|02-{_DAYS})"
RFC3339_PATTERN: Final = (
    f"^({_YEAR}-{_MONTHS}|{_LEAP}-02-29)[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{{1,6}})?"
    "([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
)
"""Instants in bodies; without the rule that the zone may not move an instant out of the calendar."""
MILLISECONDS: Final = {"anyOf": [{"const": 0}, {"minimum": OLDEST_AT, "maximum": LATEST_AT}]}
"""The numbers that `instant` accepts as milliseconds."""
DURATION_PATTERN: Final = "^(P[0-9]{1,4}W|P[0-9]+D|P([0-9]+D)?T([0-9]+H)?([0-9]+M)?([0-9]+S)?)$"
"""The texts that `duration_ms` accepts, without the bounds."""

_DIGITS: Final = re.compile(r"[0-9]{1,15}")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def instant(name: str, text: str) -> int:
    """Return the instant of a parameter (of a day: its beginning, UTC), in ms since the epoch. Raises Problem (400)."""
    if _DIGITS.fullmatch(text):
        at = int(text)
        if 0 < at < OLDEST_AT:
            raise Problem(MALFORMED, f"{name}: {text!r} looks like seconds: write milliseconds since 1970, or ISO 8601.")
        return _in_range(name, text, at)
    complete = f"{text}T00:00Z" if _DAY.fullmatch(text) else text.replace(" ", "+")  # an unescaped plus is received as a space
    return _in_range(name, text, instants.instant_ms(complete))


def _in_range(name: str, text: str, at: int | None) -> int:
    if at is None or not 0 <= at <= LATEST_AT:
        raise Problem(
            MALFORMED,
            f"{name}: {text[:40]!r} is no instant from 1970 to 9999: write 2026-05-01T09:59:58Z, or milliseconds since 1970.",
        )
    return at


def requested_at(query: Query, now: int) -> int | None:
    """Return the instant that a query requests (`?at=`); None for now. Raises Problem (400)."""
    text = dict(query).get(AT)
    if text is None:
        return None
    at = instant(AT, text)
    if at > now:
        raise Problem(MALFORMED, f"{AT}: {text[:40]!r} is in the future: leave it out to read what is so now.")
    return at


def duration_ms(name: str, text: str) -> int:
    """Return the duration of a parameter in ms; it is in ISO 8601, from a minute to 31 days. Raises Problem (400)."""
    length_ms = instants.duration_ms(text)
    if length_ms is None or not SHORTEST_MS <= length_ms <= LONGEST_MS:
        raise Problem(
            MALFORMED, f"{name}: {text[:40]!r} is neither raw nor a duration from PT1M to P31D, such as PT15M, PT1H or P1D."
        )
    return length_ms
