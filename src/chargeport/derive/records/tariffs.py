"""The cost of a session: by a flat price, prices by the time of the week, or a series of prices.

The cost is that of the energy drawn from the grid. Where this energy or a price is unknown, the cost is unknown, not zero.
"""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, time
from functools import lru_cache
from itertools import pairwise
from statistics import median
from typing import Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from chargeport.derive.series import HOUR_MS, MINUTE_MS
from chargeport.derive.sessions.power import SLOT_MS, Slot
from chargeport.derive.sessions.session import Session
from chargeport.signals.documents import Weekday
from chargeport.signals.records import Cost

WEEKDAYS: Final[tuple[Weekday, ...]] = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")


class PriceWindow(msgspec.Struct, frozen=True):
    """The price of a kWh on some days of the week, from `start` to `end` in local time; past midnight if `end` is earlier."""

    start: time
    end: time
    price: float
    days: tuple[Weekday, ...] = WEEKDAYS

    def applies(self, at: datetime) -> bool:
        """Return whether the price applies at a local time. A window past midnight belongs to the day on which it begins."""
        today, yesterday = WEEKDAYS[at.weekday()], WEEKDAYS[at.weekday() - 1]
        now = at.time()
        if self.start < self.end:
            return today in self.days and self.start <= now < self.end
        return (today in self.days and now >= self.start) or (yesterday in self.days and now < self.end)


class Price(msgspec.Struct, frozen=True):
    """The price of a kWh from an instant on, until another one (None: without end) or the next price of the series."""

    from_at: int
    price: float
    until: int | None = None


SeriesKind = Literal["slots", "changes"]
"""A series of slots, such as day-ahead hours, ends with its last slot; the last of a list of changes has no end."""

LONGEST_SLOT_MS: Final = 25 * HOUR_MS
"""A day on which clocks are set back has 25 hours."""
REGULAR: Final = 1.5
"""An interval longer than its neighbours by this factor is a gap in a series of slots."""
MIN_SLOTS: Final = 3


def series_of(prices: Sequence[Price], kind: SeriesKind | None = None) -> tuple[Price, ...]:
    """Return the prices, which are ordered by time, each with its end. Without a kind, their intervals decide it."""
    intervals = [after.from_at - before.from_at for before, after in pairwise(prices)]
    if not intervals or (kind or _kind(intervals)) == "changes":
        return tuple(prices)
    usual = median(intervals)
    lengths = []
    for index, interval in enumerate(intervals):
        neighbours = [*intervals[max(0, index - 1) : index], *intervals[index + 1 : index + 2]] or [interval]
        is_gap = interval > REGULAR * max(neighbours) and interval > REGULAR * usual
        lengths.append(round(min(*neighbours, usual)) if is_gap else interval)
    lengths.append(lengths[-1])
    return tuple(
        msgspec.structs.replace(price, until=price.from_at + length) for price, length in zip(prices, lengths, strict=True)
    )


def _kind(intervals: Sequence[int]) -> SeriesKind:
    """Return "slots" where they are at most an hour long, or regular and at most a day long; else "changes"."""
    usual = median(intervals)
    is_regular = len(intervals) >= MIN_SLOTS and all(usual / REGULAR <= each <= usual * REGULAR for each in intervals)
    return "slots" if usual <= HOUR_MS or (is_regular and usual <= LONGEST_SLOT_MS) else "changes"


class Tariff(msgspec.Struct, frozen=True, kw_only=True):
    """Prices of a kWh in a currency (ISO 4217), with a fee for each session.

    A price of the `series` takes precedence, then the first of the `windows` that applies, then the flat `price`.
    """

    name: str
    currency: str
    price: float | None = None
    windows: tuple[PriceWindow, ...] = ()
    zone: str = "UTC"
    series: tuple[Price, ...] = ()
    session_fee: float | None = None

    def __post_init__(self) -> None:
        """Raise ValueError for a zone that does not exist, and for a series out of order."""
        try:
            ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"tariff {self.name!r}: there is no zone {self.zone!r}: use a name like Europe/Berlin") from None
        if any(before.from_at >= after.from_at for before, after in pairwise(self.series)):
            raise ValueError(f"tariff {self.name!r}: the series is not in order of time: sort it by from_at")

    def price_at(self, at: int) -> float | None:
        """Return the price of a kWh at an instant; None where the tariff has none."""
        index = bisect_right(self.series, at, key=lambda price: price.from_at) - 1
        if index >= 0:
            until = self.series[index].until
            if until is None or at < until:
                return self.series[index].price
        local = datetime.fromtimestamp(at / 1000, _zone(self.zone)) if self.windows else None
        prices = [window.price for window in self.windows if local is not None and window.applies(local)]
        return prices[0] if prices else self.price

    def changes_within(self, slot: Slot) -> list[int]:
        """Return the instants within a slot, its start and end excluded, at which the price may change."""
        first = bisect_right(self.series, slot.at, key=lambda price: price.from_at)
        changes = []
        for price in self.series[max(0, first - 1) :]:
            if price.from_at >= slot.at + SLOT_MS:
                break
            changes += [price.from_at, price.until or slot.at]
        minutes = _minutes_within_quarters(self.windows)
        if minutes:
            local = datetime.fromtimestamp(slot.at / 1000, _zone(self.zone))
            start = 60 * local.hour + local.minute
            changes += [slot.at + round((minute - start) * MINUTE_MS) for minute in minutes]
        return sorted({at for at in changes if slot.at < at < slot.at + SLOT_MS})


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


@lru_cache(maxsize=64)
def _minutes_within_quarters(windows: tuple[PriceWindow, ...]) -> tuple[float, ...]:
    """Return the minutes of the day at which a window begins or ends, except those at a full quarter of an hour."""
    times = [time for window in windows for time in (window.start, window.end)]
    minutes = {60 * time.hour + time.minute + time.second / 60 for time in times}
    return tuple(sorted(minute for minute in minutes if minute % 15))


def cost(session: Session, tariff: Tariff) -> Cost | None:
    """Return the cost of the session by a tariff; None where its drawn energy, or a price of its time, is unknown."""
    if session.energy_drawn_kwh is None or not session.slots:
        return None
    amount = 0.0
    for slot in session.slots:
        cuts = [slot.at, *tariff.changes_within(slot), slot.at + SLOT_MS]
        charged_ms = [session.charged_ms(start, end) for start, end in pairwise(cuts)]
        parts_ms = charged_ms if sum(charged_ms) else [end - start for start, end in pairwise(cuts)]
        for at, part_ms in zip(cuts, parts_ms, strict=False):
            price = tariff.price_at(at)
            if price is None and part_ms:
                return None
            amount += (price or 0.0) * slot.kwh * part_ms / sum(parts_ms)
    fee = None if tariff.session_fee is None else round(tariff.session_fee, 2)
    return Cost(currency=tariff.currency, energyAmount=round(amount, 2), otherAmount=fee)


def priced(sessions: Sequence[Session], tariffs: Sequence[Tariff], name: str | None = None) -> list[Session]:
    """Return the sessions with their cost by the tariff of that name (None: the only tariff); a known cost is not changed."""
    chosen = [tariff for tariff in tariffs if name is None or tariff.name == name]
    if len(chosen) != 1:
        return list(sessions)
    return [each if each.cost else msgspec.structs.replace(each, cost=cost(each, chosen[0])) for each in sessions]
