"""Times of observation: ISO 8601 or epoch milliseconds in, epoch milliseconds out; and the rule for times in the future.

A time ahead of the server's clock counts as of its receipt: otherwise it would outrank all reports until then. An item of the
API or of a file that is far ahead is rejected, as its sender can correct its clock. A message of a source is never rejected
for its time: the clock of a car can't be corrected. The next report of the same source, whose time may be shortly before that
receipt, still counts as newer: see `AheadTimes`.
"""

from typing import Any, Final

from cachetools import LRUCache

from chargeport.signals.instants import instant_ms
from chargeport.signals.violation import Rule, Violation

# No car reported its charge over the air before this. An earlier time is that of a clock that was never set.
OLDEST_AT: Final = 946_684_800_000  # 2000-01-01
UNSURE_MS: Final = 5 * 60_000
"""How much older than the receipt of a time ahead the next report may be, and still count as newer."""
MAX_AHEAD: Final = 10_000  # reporters whose times were ahead, the last ones

Reporter = tuple[str | None, str, str]
"""An application (if any), a source and a vehicle: an application must not change how the input of others is read."""


def observed_at(given: Any, now: int, max_future_s: float, path: str = "observedAt") -> int:
    """Return the instant of an item in milliseconds since the epoch; `now` when none is given, or one ahead of it.

    Raises Violation for an instant more than `max_future_s` ahead of `now` or before OLDEST_AT, and for no instant.
    """
    return min(stamp_of(given, now, max_future_s, path), now)


def stamp_of(given: Any, now: int, max_future_s: float, path: str = "observedAt") -> int:
    """Return the same instant, even if it is ahead of `now`. Raises Violation."""
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
    """Return when a source's message counts; None where its timestamp is unusable, and it counts as of its receipt.

    A timestamp after the receipt, or before OLDEST_AT, is of a clock that is wrong or was never set. Raises Violation.
    """
    at = None if stamp is None else _instant(stamp, "observedAt")
    return None if at is None or not OLDEST_AT <= at <= received_at else at


class AheadTimes:
    """Times that were ahead of the server's clock and count as of receipt; the next report counts after them.

    A time that was ahead by d may belong to any instant up to d before its receipt, and the clock of its source may have been
    set since. The next report of the same source on the same vehicle that was observed within d, or within UNSURE_MS, before
    that receipt is the newer one.
    """

    def __init__(self) -> None:
        self._last: LRUCache[Reporter, tuple[int, int]] = LRUCache(MAX_AHEAD)  # its earliest possible instant, when it counts

    def counted_at(self, by: Reporter, stamp: int, received_at: int) -> int:
        """Return when a report with this timestamp counts: then, unless it is ahead or follows one that was ahead."""
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
