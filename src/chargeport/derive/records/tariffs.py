"""What the energy of a session costs: a flat price, prices by the time of the week, or a series of prices.

Cost is of what was drawn from the grid. Where that is not known, or a price is not, there is no cost: never zero as a guess.
"""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, time
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

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
        """Whether the price holds at a local time. A window past midnight belongs to the day on which it begins."""
        today, yesterday = WEEKDAYS[at.weekday()], WEEKDAYS[at.weekday() - 1]
        now = at.time()
        if self.start < self.end:
            return today in self.days and self.start <= now < self.end
        return (today in self.days and now >= self.start) or (yesterday in self.days and now < self.end)


class Price(msgspec.Struct, frozen=True):
    """The price of a kWh from an instant on, until the next one of the series."""

    from_at: int
    price: float


class Tariff(msgspec.Struct, frozen=True, kw_only=True):
    """Prices of a kWh in a currency (ISO 4217), with a fee for each session.

    A `series` counts first, then the first of the `windows` that holds, then the flat `price`. The last price of a series
    holds until `series_until` (None: for ever).
    """

    name: str
    currency: str
    price: float | None = None
    windows: tuple[PriceWindow, ...] = ()
    zone: str = "UTC"
    series: tuple[Price, ...] = ()
    series_until: int | None = None
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
        """The price of a kWh at an instant; None where the tariff does not tell."""
        index = bisect_right(self.series, at, key=lambda price: price.from_at) - 1
        if index >= 0 and (self.series_until is None or at < self.series_until):
            return self.series[index].price
        local = datetime.fromtimestamp(at / 1000, ZoneInfo(self.zone)) if self.windows else None
        held = [window.price for window in self.windows if local is not None and window.holds(local)]
        return held[0] if held else self.price


def cost(session: Session, tariff: Tariff) -> Cost | None:
    """What the session costs by a tariff; None where its grid energy, or a price of its time, is not known."""
    if session.energy_drawn_kwh is None or not session.slots:
        return None
    amount = 0.0
    for slot in session.slots:
        price = tariff.price_at(slot.at)
        if price is None:
            return None
        amount += price * slot.kwh
    fee = None if tariff.session_fee is None else round(tariff.session_fee, 2)
    return Cost(currency=tariff.currency, energyAmount=round(amount, 2), otherAmount=fee)


def priced(found: Sequence[Session], tariffs: Sequence[Tariff], named: str | None = None) -> list[Session]:
    """The sessions with their cost by the tariff of that name (None: the only one there is); a cost that is known stays."""
    chosen = [tariff for tariff in tariffs if named is None or tariff.name == named]
    if len(chosen) != 1:
        return list(found)
    return [one if one.cost else msgspec.structs.replace(one, cost=cost(one, chosen[0])) for one in found]
