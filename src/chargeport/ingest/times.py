"""When something was observed: ISO 8601 or epoch milliseconds in, epoch milliseconds out; and the one rule for future times.

A time ahead of our clock counts as of receipt: as the latest it would outrank whatever is observed until then. Whoever sends
readings that it made itself (the API's items, a file that is imported) can mend its clock, so far ahead its item is refused.
A message of a source is never refused for its clock, ahead or never set: a car can't be told.
Nor does a time ahead outrank what is reported next, whose stamp may lie shortly before that receipt: see `AheadTimes`.
"""

from typing import Any, Final

from cachetools import LRUCache

from chargeport.signals.instants import instant_ms
from chargeport.signals.violation import Rule, Violation

# The first car that could report its charge over the air is younger than this. What lies before is a clock that was never set.
OLDEST_AT: Final = 946_684_800_000  # 2000-01-01
UNSURE_MS: Final = 5 * 60_000
"""What comes after a time that lay ahead is the newer one, though its own time be so much older than that receipt."""
MAX_AHEAD: Final = 10_000  # reporters are remembered whose times lay ahead last

Reporter = tuple[str | None, str, str]
"""An application (if one sent it), a source and a vehicle: what one application sends must not change how others are read."""


def observed_at(given: Any, now: int, max_future_s: float, path: str = "observedAt") -> int:
    """Return the instant of an item in milliseconds since the epoch; `now` when none is given, or one ahead of it.

    Raises Violation for more than `max_future_s` ahead of `now`, and for what is no instant of such cars.
    """
    return min(stamp_of(given, now, max_future_s, path), now)


def stamp_of(given: Any, now: int, max_future_s: float, path: str = "observedAt") -> int:
    """Return the same as it is written, ahead of `now` or not. Raises Violation."""
    if given is None:
        return now
    at = given if type(given) is int else _instant(given, path)
    if at > now + max_future_s * 1000:
        raise Violation(Rule.IN_THE_FUTURE, f"{given!r:.40} lies more than {max_future_s:g} s in the future", path)
    if at < OLDEST_AT:
        hint = ": milliseconds are wanted, these look like seconds" if at > OLDEST_AT // 1000 else ""
        raise Violation(Rule.TOO_OLD, f"{given!r:.40} lies before the year 2000{hint}", path)
    return at


def as_of(stamp: Any, received_at: int) -> int | None:
    """Return when a source's message counts; None where it has no usable stamp: it counts as of its receipt then.

    A stamp ahead of its receipt, or from before such cars, is of a clock that is wrong or was never set. Raises Violation.
    """
    at = None if stamp is None else _instant(stamp, "observedAt")
    return None if at is None or not OLDEST_AT <= at <= received_at else at


class AheadTimes:
    """Remembers times that lay ahead of our clock and were counted as of receipt: what is reported next counts after them.

    A time that lay ahead by d was of an instant up to d before its receipt, as far as anybody knows, and a clock that is ahead
    may have been set since. The next report of the same source on the same vehicle, observed within that stretch or within
    UNSURE_MS, is the newer one all the same.
    """

    def __init__(self) -> None:
        self._last: LRUCache[Reporter, tuple[int, int]] = LRUCache(MAX_AHEAD)  # since when it may have been, when it counts

    def counted_at(self, by: Reporter, stamp: int, received_at: int) -> int:
        """Return when a report counts that is stamped so: its stamp, unless that lies ahead or follows one that did."""
        if stamp > received_at:
            self._last[by] = received_at - max(stamp - received_at, UNSURE_MS), received_at
            return received_at
        if not self._last or (last := self._last.get(by)) is None:
            return stamp
        unsure_from, counted_at = last
        if not unsure_from <= stamp <= counted_at < received_at:
            return stamp
        self._last[by] = unsure_from, counted_at + 1
        return counted_at + 1


def _instant(given: Any, path: str) -> int:
    if type(given) is int:
        return given
    if isinstance(given, str):
        at = instant_ms(given)
        if at is None:
            raise Violation(Rule.BAD_FORMAT, "is no instant: write 2026-05-01T09:59:58.000Z", path, given=f"{given[:40]!r}")
        return at
    if isinstance(given, float) and given.is_integer():
        return int(given)
    detail = "is no instant: write ISO 8601 with an offset, or whole milliseconds since 1970"
    raise Violation(Rule.WRONG_TYPE, detail, path, given=f"{given!r:.40}")
