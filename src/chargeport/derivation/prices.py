"""What sessions cost and where they were: the settings' places and tariffs, laid over sessions."""

import csv
from collections.abc import Iterable, Sequence
from datetime import datetime, time
from math import isfinite
from pathlib import Path

import msgspec

from chargeport.derive.records.geofences import Geofence, fence_of, located
from chargeport.derive.records.tariffs import WEEKDAYS, Price, PriceWindow, Tariff, priced, series_of
from chargeport.derive.sessions.session import Session
from chargeport.errors import SettingError
from chargeport.settings import PlaceSettings, TariffSettings
from chargeport.signals.records import Place


class Prices:
    """Places and tariffs."""

    def __init__(self, places: Sequence[PlaceSettings], tariffs: Sequence[TariffSettings], folder: str) -> None:
        """Raise SettingError where a place names a tariff that is not there, or a tariff can't be read."""
        self._tariffs = [_tariff(each, number, folder) for number, each in enumerate(tariffs)]
        names = {each.name for each in self._tariffs}
        for number, place in enumerate(places):
            if place.tariff is not None and place.tariff not in names:
                raise SettingError(f"places[{number}].tariff: there is no tariff {place.tariff!r}.")
        self._places = list(places)
        self._fences = [
            Geofence(
                name=each.name, latitude=each.latitude, longitude=each.longitude, radius_m=each.radius_m,
                is_public=each.is_public, tariff=each.tariff,
            )
            for each in places
        ]  # fmt: skip

    def placed(self, session: Session) -> Session:
        """Return the session with its place, where that is known: as reported, or where a source of it stands."""
        if session.place is None:
            here = next((each for each in self._places if set(each.sources) & set(session.sources)), None)
            if here is not None:
                place = Place(name=here.name, latitude=here.latitude, longitude=here.longitude)
                session = msgspec.structs.replace(session, place=place)
        return located(session, self._fences)

    def priced(self, session: Session) -> Session:
        """Return the session with its cost by the tariff of its place; without a place that names one there is none."""
        fence = fence_of(session.place, self._fences)
        if fence is None or fence.tariff is None:
            return session
        return priced([session], self._tariffs, fence.tariff)[0]


def _tariff(settings: TariffSettings, number: int, folder: str) -> Tariff:
    where = f"tariffs[{number}]"
    try:
        return Tariff(
            name=settings.name,
            currency=settings.currency,
            price=settings.price,
            windows=tuple(
                PriceWindow(
                    time.fromisoformat(each.start), time.fromisoformat(each.end), each.price, tuple(each.days) or WEEKDAYS
                )
                for each in settings.windows
            ),
            zone=settings.zone,
            series=series_of(_series(settings.series, folder), settings.series_kind),
            session_fee=settings.session_fee,
        )
    except OSError as error:
        raise SettingError(f"{where}.series: {settings.series} can't be read: {error.strerror}.") from error
    except ValueError as error:
        raise SettingError(f"{where}: {error}.") from error


def _series(name: str | None, folder: str) -> list[Price]:
    return [] if name is None else list(_lines(Path(folder) / name))


def _lines(file: Path) -> Iterable[Price]:
    """Yield the prices of a file: a header, then lines of instant and price. Raises ValueError that names the line."""
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
