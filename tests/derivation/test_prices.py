"""Where a session was and what it cost, as the settings say; and settings that say nonsense."""

from pathlib import Path

import pytest

from chargeport.derivation.prices import Prices
from chargeport.derive.sessions.power import Slot
from chargeport.derive.sessions.session import Session
from chargeport.errors import SettingError
from chargeport.settings import PlaceSettings, PriceSettings, TariffSettings
from chargeport.signals.records import Place
from derived_cars import HOUR, T0

HOME = PlaceSettings(name="Home", latitude=52.5, longitude=13.4, is_public=False, tariff="t", sources=["garage"])
FLAT = TariffSettings(name="t", currency="EUR", price=0.3)


def session(source: str = "car", place: Place | None = None) -> Session:
    """Ten kilowatt-hours from ten to twelve (UTC), evenly."""
    slots = tuple(Slot(T0 + quarter * HOUR // 4, 1.25) for quarter in range(8))
    return Session(
        started_at=T0, ended_at=T0 + 2 * HOUR, is_open=False, energy_drawn_kwh=10.0, sources=(source,), slots=slots, place=place
    )


def of(places: list[PlaceSettings], tariffs: list[TariffSettings], one: Session, folder: str = ".") -> Session:
    prices = Prices(places, tariffs, folder)
    return prices.priced(prices.placed(one))


def test_a_source_that_stands_at_a_place_says_where_its_sessions_were() -> None:
    placed = of([HOME], [FLAT], session("garage"))
    assert placed.place == Place(name="Home", latitude=52.5, longitude=13.4)
    assert placed.is_public is False
    assert placed.cost is not None
    assert (placed.cost.currency, placed.cost.energyAmount) == ("EUR", 3.0)


def test_a_session_at_no_known_place_has_no_cost_and_is_neither_public_nor_private() -> None:
    for one in (session(), session(place=Place(latitude=48.0, longitude=11.0))):
        placed = of([HOME], [FLAT], one)
        assert (placed.is_public, placed.cost) == (None, None)


def test_a_price_by_the_hour_holds_in_its_hours_in_its_own_zone() -> None:
    windows = [PriceSettings(start="13:00", end="06:00", price=0.1)]  # 11:00 UTC
    tariff = TariffSettings(name="t", currency="EUR", price=0.3, windows=windows, zone="Europe/Berlin", session_fee=0.5)
    placed = of([HOME], [tariff], session("garage"))
    assert placed.cost is not None
    assert (placed.cost.energyAmount, placed.cost.otherAmount) == (2.0, 0.5)


def test_a_series_of_prices_is_read_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "prices.csv").write_text("from,price\n2026-05-01T00:00:00Z,0.2\n\n2026-05-01T13:00:00+02:00,0.4\n")
    tariff = TariffSettings(name="t", currency="EUR", series="prices.csv")
    placed = of([HOME], [tariff], session("garage"), str(tmp_path))
    assert placed.cost is not None
    assert placed.cost.energyAmount == 3.0


def test_a_series_may_list_the_newest_price_first_and_repeat_one(tmp_path: Path) -> None:
    rows = ["2026-05-01T13:00:00+02:00,0.4", "2026-05-01T11:00:00Z,0.4", "2026-05-01T00:00:00Z,0.2"]
    (tmp_path / "prices.csv").write_text("\n".join(["from,price", *rows]))
    placed = of([HOME], [TariffSettings(name="t", currency="EUR", series="prices.csv")], session("garage"), str(tmp_path))
    assert placed.cost is not None
    assert placed.cost.energyAmount == 3.0


@pytest.mark.parametrize(
    ("line", "reported"),
    [
        ("2026-05-01T00:00:00,0.2", "line 2: the instant needs its offset"),
        ("2026-05-01T00:00:00Z", "line 2"),
        ("2026-05-01T00:00:00Z,cheap", "line 2"),
        ("2026-05-01T00:00:00Z,nan", "line 2: nan is no price"),
        ("2026-05-01T00:00:00Z,0.2\n2026-05-01T00:00:00Z,0.3", "there are two prices from 2026-05-01T00:00:00.000Z on"),
    ],
)
def test_a_series_that_can_t_be_read_is_named_with_its_line(tmp_path: Path, line: str, reported: str) -> None:
    (tmp_path / "prices.csv").write_text(f"from,price\n{line}\n")
    with pytest.raises(SettingError, match=r"tariffs\[0\].*" + reported):
        Prices([], [TariffSettings(name="t", currency="EUR", series="prices.csv")], str(tmp_path))


def test_what_names_nothing_stops_the_start() -> None:
    with pytest.raises(SettingError, match=r"places\[0\]\.tariff: there is no tariff 't'"):
        Prices([HOME], [], ".")
    with pytest.raises(SettingError, match=r"tariffs\[0\]\.series: gone.csv can't be read"):
        Prices([], [TariffSettings(name="t", currency="EUR", series="gone.csv")], ".")
    with pytest.raises(SettingError, match=r"tariffs\[0\].*no zone 'Mars'"):
        Prices([], [TariffSettings(name="t", currency="EUR", zone="Mars")], ".")
