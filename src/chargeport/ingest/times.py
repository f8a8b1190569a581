"""When something was observed: ISO 8601 or epoch milliseconds, in; epoch milliseconds, out."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from chargeport.signals.violation import Rule, Violation

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# The first car that could report its charge over the air is younger than this. What lies before is a clock that was never set.
OLDEST_AT: Final = 946_684_800_000  # 2000-01-01

_MILLISECOND = timedelta(milliseconds=1)
_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)")


def observed_at(given: Any, now: int, max_future_s: float, path: str = "observedAt") -> int:
    """Return the instant in milliseconds since the epoch; `now` when none is given, or one ahead of it. Raises Violation.

    A stamp ahead of our clock would hold as the latest for as long as it is ahead: it counts as of now, and more than
    `max_future_s` ahead it is refused.
    """
    if given is None:
        return now
    at = _instant(given, path)
    if at > now + max_future_s * 1000:
        raise Violation(Rule.IN_THE_FUTURE, f"{given!r:.40} lies more than {max_future_s:g} s in the future", path)
    if at < OLDEST_AT:
        hint = ": milliseconds are wanted, these look like seconds" if at > OLDEST_AT // 1000 else ""
        raise Violation(Rule.TOO_OLD, f"{given!r:.40} lies before the year 2000{hint}", path)
    return min(at, now)


def as_of(stamp: Any, received_at: int) -> int | None:
    """Return when a source's message counts; None where it has no usable stamp: it counts as of its receipt then.

    A stamp ahead of our clock, or from before such cars, is of a clock that is wrong or was never set. Raises Violation.
    """
    at = None if stamp is None else _instant(stamp, "observedAt")
    return None if at is None or not OLDEST_AT <= at <= received_at else at


def _instant(given: Any, path: str) -> int:
    if type(given) is int:
        return given
    if isinstance(given, str):
        return _from_iso(given, path)
    if isinstance(given, float) and given.is_integer():
        return int(given)
    detail = f"{given!r:.40} is no instant: write ISO 8601 with an offset, or whole milliseconds since 1970"
    raise Violation(Rule.WRONG_TYPE, detail, path)


def _from_iso(text: str, path: str) -> int:
    at = iso_instant(text)
    if at is None:
        raise Violation(Rule.BAD_FORMAT, f"{text[:40]!r} is no instant: write 2026-05-01T09:59:58.000Z", path)
    return at


def iso_instant(text: str) -> int | None:
    """Return the instant that a text in ISO 8601 with an offset names, in milliseconds since the epoch; None if it names none.

    >>> iso_instant("2026-05-01T09:59:58Z"), iso_instant("2026-02-30T00:00:00Z")
    (1777629598000, None)
    """
    if _ISO.fullmatch(text):
        try:
            return (datetime.fromisoformat(text) - EPOCH) // _MILLISECOND
        except (ValueError, OverflowError):  # the 30th of February
            pass
    return None
