"""What the energy of a session costs: a flat price, prices by the time of the week, or a series of prices.

Cost is of what was drawn from the grid. Where that is not known, or a price is not, there is no cost: never zero as a guess.
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
    """A price of a kWh on some days of the week, from a local time to another; past midnight where that is earlier."""

    start: time
    end: time
    price: float
    days: tuple[Weekday, ...] = WEEKDAYS

    def holds(self, at: datetime) -> bool:
        """Return whether the price holds at a local time. A window past midnight belongs to the day on which it begins."""
        today, yesterday = WEEKDAYS[at.weekday()], WEEKDAYS[at.weekday() - 1]
        now = at.time()
        if self.start < self.end:
            return today in self.days and self.start <= now < self.end
        return (today in self.days and now >= self.start) or (yesterday in self.days and now < self.end)


class Price(msgspec.Struct, frozen=True):
    """The price of a kWh from an instant on, until another (None: for ever) or the next one of the series."""

    from_at: int
    price: float
    until: int | None = None


SeriesKind = Literal["slots", "changes"]
"""A series of slots, such as day-ahead hours, ends with its last slot; a list of tariff changes holds on."""

LONGEST_SLOT_MS: Final = 25 * HOUR_MS
"""A day, on which clocks are put back."""
REGULAR: Final = 1.5
"""A gap that is longer than its neighbours by this factor is a hole in a series of slots."""
FEW: Final = 3


def series_of(prices: Sequence[Price], kind: SeriesKind | None = None) -> tuple[Price, ...]:
    """Return the prices, which are by time, each with its end. Without a kind it follows from how far they lie apart."""
    gaps = [other.from_at - one.from_at for one, other in pairwise(prices)]
    if not gaps or (kind or _kind(gaps)) == "changes":
        return tuple(prices)
    usual = median(gaps)
    ends = []
    for index, gap in enumerate(gaps):
        near = [*gaps[max(0, index - 1) : index], *gaps[index + 1 : index + 2]] or [gap]
        is_hole = gap > REGULAR * max(near) and gap > REGULAR * usual
        ends.append(round(min(*near, usual)) if is_hole else gap)
    ends.append(ends[-1])
    return tuple(msgspec.structs.replace(each, until=each.from_at + end) for each, end in zip(prices, ends, strict=True))


def _kind(gaps: Sequence[int]) -> SeriesKind:
    """Return the kind of a series: its slots are at most an hour long, or follow each other evenly within days."""
    usual = median(gaps)
    is_even = len(gaps) >= FEW and all(usual / REGULAR <= gap <= usual * REGULAR for gap in gaps)
    return "slots" if usual <= HOUR_MS or (is_even and usual <= LONGEST_SLOT_MS) else "changes"


class Tariff(msgspec.Struct, frozen=True, kw_only=True):
    """Prices of a kWh in a currency (ISO 4217), with a fee for each session.

    A `series` counts first, then the first of the `windows` that holds, then the flat `price`.
    """

    name: str
    currency: str
    price: float | None = None
    windows: tuple[PriceWindow, ...] = ()
    zone: str = "UTC"
    series: tuple[Price, ...] = ()
    session_fee: float | None = None

    def __post_init__(self) -> None:
        """Refuse a zone that does not exist and a series out of order, with ValueError."""
        try:
            ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"tariff {self.name!r}: zone {self.zone!r} is none: use a name like Europe/Berlin") from None
        if any(one.from_at >= other.from_at for one, other in zip(self.series, self.series[1:], strict=False)):
            raise ValueError(f"tariff {self.name!r}: the series is not in order of time: sort it by from_at")

    def price_at(self, at: int) -> float | None:
        """Return the price of a kWh at an instant; None where the tariff does not tell."""
        index = bisect_right(self.series, at, key=lambda price: price.from_at) - 1
        if index >= 0:
            until = self.series[index].until
            if until is None or at < until:
                return self.series[index].price
        local = datetime.fromtimestamp(at / 1000, _zone(self.zone)) if self.windows else None
        held = [window.price for window in self.windows if local is not None and window.holds(local)]
        return held[0] if held else self.price

    def changes_within(self, slot: Slot) -> list[int]:
        """Return the instants within a slot, its begin and end left out, at which the price may change."""
        first = bisect_right(self.series, slot.at, key=lambda price: price.from_at)
        found = []
        for price in self.series[max(0, first - 1) :]:
            if price.from_at >= slot.at + SLOT_MS:
                break
            found += [price.from_at, price.until or slot.at]
        clocks = _off_quarter(self.windows)
        if clocks:
            local = datetime.fromtimestamp(slot.at / 1000, _zone(self.zone))
            minute = 60 * local.hour + local.minute
            found += [slot.at + round((clock - minute) * MINUTE_MS) for clock in clocks]
        return sorted({at for at in found if slot.at < at < slot.at + SLOT_MS})


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


@lru_cache(maxsize=64)
def _off_quarter(windows: tuple[PriceWindow, ...]) -> tuple[float, ...]:
    """Return the minutes of the day at which a window begins or ends within a quarter of an hour."""
    clocks = {60 * clock.hour + clock.minute + clock.second / 60 for each in windows for clock in (each.start, each.end)}
    return tuple(sorted(clock for clock in clocks if clock % 15))


def cost(session: Session, tariff: Tariff) -> Cost | None:
    """Return what the session costs by a tariff; None where its grid energy, or a price of its time, is not known."""
    if session.energy_drawn_kwh is None or not session.slots:
        return None
    amount = 0.0
    for slot in session.slots:
        cuts = [slot.at, *tariff.changes_within(slot), slot.at + SLOT_MS]
        charged = [session.charged_ms(one, other) for one, other in pairwise(cuts)]
        whole = sum(charged)
        lengths = charged if whole else [other - one for one, other in pairwise(cuts)]
        for at, long_ms in zip(cuts, lengths, strict=False):
            price = tariff.price_at(at)
            if price is None and long_ms:
                return None
            amount += (price or 0.0) * slot.kwh * long_ms / sum(lengths)
    fee = None if tariff.session_fee is None else round(tariff.session_fee, 2)
    return Cost(currency=tariff.currency, energyAmount=round(amount, 2), otherAmount=fee)


def priced(found: Sequence[Session], tariffs: Sequence[Tariff], named: str | None = None) -> list[Session]:
    """Return the sessions with their cost by the tariff of that name (None: the only one); a cost that is known stays."""
    chosen = [tariff for tariff in tariffs if named is None or tariff.name == named]
    if len(chosen) != 1:
        return list(found)
    return [one if one.cost else msgspec.structs.replace(one, cost=cost(one, chosen[0])) for one in found]
