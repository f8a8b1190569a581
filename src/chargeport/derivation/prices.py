"""Places and costs of sessions, by the settings' places and tariffs."""

import csv
from collections.abc import Iterable, Sequence
from datetime import datetime, time
from itertools import pairwise
from math import isfinite
from pathlib import Path

import msgspec

from chargeport.derive.records.geofences import Geofence, fence_of, located
from chargeport.derive.records.records import wire_instant
from chargeport.derive.records.tariffs import WEEKDAYS, Price, PriceWindow, Tariff, priced, series_of
from chargeport.derive.sessions.session import Session
from chargeport.errors import SettingError
from chargeport.settings import PlaceSettings, TariffSettings
from chargeport.signals.records import Place


class Prices:
    """The settings' places and tariffs."""

    def __init__(self, places: Sequence[PlaceSettings], tariffs: Sequence[TariffSettings], folder: str) -> None:
        """Read places and tariffs. Raises SettingError for an unknown tariff, or one that can't be read."""
        self._tariffs = [_tariff(tariff, number, folder) for number, tariff in enumerate(tariffs)]
        names = {tariff.name for tariff in self._tariffs}
        for number, place in enumerate(places):
            if place.tariff is not None and place.tariff not in names:
                raise SettingError(f"places[{number}].tariff: there is no tariff {place.tariff!r}.")
        self._places = list(places)
        self._fences = [
            Geofence(
                name=place.name, latitude=place.latitude, longitude=place.longitude, radius_m=place.radius_m,
                is_public=place.is_public, tariff=place.tariff,
            )
            for place in places
        ]  # fmt: skip

    def placed(self, session: Session) -> Session:
        """Return the session with its place, if known: as reported, or the place that lists one of its sources."""
        if session.place is None:
            here = next((place for place in self._places if set(place.sources) & set(session.sources)), None)
            if here is not None:
                place = Place(name=here.name, latitude=here.latitude, longitude=here.longitude)
                session = msgspec.structs.replace(session, place=place)
        return located(session, self._fences)

    def priced(self, session: Session) -> Session:
        """Return the session with its cost by the tariff of its place, if there is one."""
        fence = fence_of(session.place, self._fences)
        if fence is None or fence.tariff is None:
            return session
        return priced([session], self._tariffs, fence.tariff)[0]


def _tariff(settings: TariffSettings, number: int, folder: str) -> Tariff:
    where = f"tariffs[{number}]"
    try:
        prices = [] if settings.series is None else list(_prices(Path(folder) / settings.series))
        return Tariff(
            name=settings.name,
            currency=settings.currency,
            price=settings.price,
            windows=tuple(
                PriceWindow(
                    time.fromisoformat(window.start),
                    time.fromisoformat(window.end),
                    window.price,
                    tuple(window.days) or WEEKDAYS,
                )
                for window in settings.windows
            ),
            zone=settings.zone,
            series=series_of(_in_order(prices), settings.series_kind),
            session_fee=settings.session_fee,
        )
    except OSError as error:
        raise SettingError(f"{where}.series: {settings.series} can't be read: {error.strerror}.") from error
    except ValueError as error:
        raise SettingError(f"{where}: {error}.") from error


def _in_order(prices: Iterable[Price]) -> list[Price]:
    """Return prices by time, repeated ones once: a supplier may list the newest first, and files of two days may overlap.

    Raises ValueError for two prices of one instant.
    """
    ordered = sorted(set(prices), key=lambda price: price.from_at)
    for before, price in pairwise(ordered):
        if before.from_at == price.from_at:
            raise ValueError(f"there are two prices from {wire_instant(price.from_at)} on: remove one")
    return ordered


def _prices(file: Path) -> Iterable[Price]:
    """Yield the prices of a CSV file: a header, then instant and price. Raises ValueError that names the line."""
    with file.open(encoding="utf-8", newline="") as lines:
        for number, row in enumerate(csv.reader(lines), 1):
            if number == 1 or not row:
                continue
            try:
                at = datetime.fromisoformat(row[0].strip())
                if at.tzinfo is None:
                    raise ValueError("the instant needs its offset from UTC")  # noqa: TRY301
                price = float(row[1])
                if not isfinite(price):
                    raise ValueError(f"{row[1]} is no price")  # noqa: TRY301
                yield Price(round(at.timestamp() * 1000), price)
            except (ValueError, IndexError) as error:
                raise ValueError(f"{file.name}, line {number}: {error}: write 2026-05-01T00:00:00Z,0.29") from None
