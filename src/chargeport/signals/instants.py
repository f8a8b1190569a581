"""Parsing of instants and durations: ISO 8601 text to milliseconds."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND: Final = timedelta(milliseconds=1)

# ISO 8601 beyond RFC 3339, which msgspec reads: no seconds, a comma, an offset of hours and minutes without colon.
_ISO: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:[Zz]|[+-]\d\d:?\d\d)", re.ASCII)
# Durations in whole numbers: msgspec also reads fractions and signs, which are not accepted here.
_DURATION: Final = re.compile(r"P[0-9DTHMS]+", re.ASCII)
_WEEKS: Final = re.compile(r"P([0-9]{1,4})W", re.ASCII)


def instant_ms(text: str) -> int | None:
    """Return the instant of an ISO 8601 text with an offset, in milliseconds since the epoch; None for any other text.

    >>> instant_ms("2026-05-01T09:59:58Z"), instant_ms("2026-02-30T00:00:00Z"), instant_ms("2026-05-01T09:59:58")
    (1777629598000, None, None)
    """
    moment = _rfc3339(text)
    if moment is None and _ISO.fullmatch(text):
        try:
            moment = datetime.fromisoformat(text.upper())
        except ValueError:  # the 30th of February
            return None
    return None if moment is None or moment.tzinfo is None else ms_of(moment)


def ms_of(moment: datetime) -> int:
    """Return an aware datetime in milliseconds since the epoch.

    >>> ms_of(datetime(2026, 5, 1, 9, 59, 58, tzinfo=UTC))
    1777629598000
    """
    return (moment - EPOCH) // MILLISECOND


def duration_ms(text: str) -> int | None:
    """Return an ISO 8601 duration in milliseconds; None for any other text, and for fractions, years and months.

    >>> duration_ms("PT15M"), duration_ms("P1W"), duration_ms("15 min"), duration_ms("P1M")
    (900000, 604800000, None, None)
    """
    if weeks := _WEEKS.fullmatch(text):
        text = f"P{int(weeks[1]) * 7}D"
    if not _DURATION.fullmatch(text):
        return None
    try:
        return msgspec.convert(text, timedelta) // MILLISECOND
    except (msgspec.ValidationError, ValueError):
        return None


def _rfc3339(text: str) -> datetime | None:
    try:
        return msgspec.convert(text, datetime)
    except (msgspec.ValidationError, ValueError):
        return None
