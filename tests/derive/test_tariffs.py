"""What sessions cost, from what they drew from the grid, and when."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import msgspec
import pytest
from charging_days import CHARGING, HOUR, MINUTE, POWER, T0, course, steady, tracks_of

from chargeport.derive.records.records import records, to_body
from chargeport.derive.records.tariffs import Price, PriceWindow, Tariff, cost, priced
from chargeport.derive.sessions.energy import Slot
from chargeport.derive.sessions.session import Session, sessions
from chargeport.signals.records import Cost

FLAT = Tariff(name="home", currency="EUR", price=0.30, session_fee=1.0)


def drawing(slots: list[tuple[int, float]]) -> Session:
    end = max((at for at, _ in slots), default=T0) + 15 * MINUTE
    told = tuple(Slot(at, kwh) for at, kwh in slots)
    return Session(started_at=T0, ended_at=end, is_open=False, energy_drawn_kwh=sum(kwh for _, kwh in slots), slots=told)


def local(text: str, zone: str = "Europe/Berlin") -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def test_a_flat_price_is_for_what_was_drawn_and_not_for_what_was_added() -> None:
    told = [*steady(CHARGING, range(0, 121, 5), value=True), *steady(POWER, range(0, 121, 5), 10_000)]
    (one,) = sessions(tracks_of([*told, *course(CHARGING, {125: False})]), T0 + 9 * HOUR)
    assert one.energy_drawn_kwh == pytest.approx(10 * 125 / 60)
    assert one.energy_added_kwh is not None
    assert one.energy_added_kwh < one.energy_drawn_kwh
    assert cost(one, FLAT) == Cost("EUR", round(0.30 * 10 * 125 / 60, 2), 1.0)


def test_without_known_grid_energy_there_is_no_cost() -> None:
    one = Session(started_at=T0, ended_at=T0 + HOUR, is_open=False, energy_added_kwh=10.0)
    assert cost(one, FLAT) is None


def test_prices_by_the_local_time_split_the_energy_where_they_change() -> None:
    night = PriceWindow(start=time(22), end=time(6), price=0.10)
    tariff = Tariff(name="night", currency="EUR", price=0.40, windows=(night,), zone="Europe/Berlin")
    one = drawing([(local("2026-05-04 21:45"), 2.0), (local("2026-05-04 22:00"), 3.0), (local("2026-05-05 05:45"), 1.0)])
    assert cost(one, tariff) == Cost("EUR", 1.2)
    late = drawing([(local("2026-05-05 06:00"), 1.0)])
    assert cost(late, tariff) == Cost("EUR", 0.4)


def test_a_window_past_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    friday_night = PriceWindow(start=time(22), end=time(6), price=0.1, days=("FRIDAY",))
    tariff = Tariff(name="week", currency="EUR", price=0.4, windows=(friday_night,), zone="Europe/Berlin")
    prices = [
        tariff.price_at(local(f"2026-05-{day}T{clock}")) for day, clock in [("08", "03:00"), ("08", "23:00"), ("09", "03:00")]
    ]
    assert prices == [0.4, 0.1, 0.1]  # the 8th of May 2026 is a Friday


def test_clocks_that_are_put_forward_move_the_window_with_them() -> None:
    tariff = Tariff(
        name="n", currency="EUR", price=0.4, windows=(PriceWindow(start=time(2), end=time(5), price=0.1),), zone="Europe/Berlin"
    )
    winter, summer = datetime(2026, 3, 28, 4, 30, tzinfo=UTC), datetime(2026, 3, 29, 2, 30, tzinfo=UTC)
    assert tariff.price_at(round(winter.timestamp() * 1000)) == 0.4  # 5:30 by the winter's clock
    assert tariff.price_at(round(summer.timestamp() * 1000)) == 0.1  # 4:30 by the summer's


def test_a_series_holds_from_price_to_price_and_where_it_ends_nothing_is_known() -> None:
    series = (Price(T0, 0.10), Price(T0 + HOUR, 0.20))
    tariff = Tariff(name="spot", currency="SEK", series=series, series_until=T0 + 2 * HOUR)
    one = drawing([(T0 + 45 * MINUTE, 5.0), (T0 + HOUR, 5.0)])
    assert cost(one, tariff) == Cost("SEK", 1.5)
    assert cost(drawing([(T0 - 15 * MINUTE, 5.0)]), tariff) is None
    assert cost(drawing([(T0 + 2 * HOUR, 5.0)]), tariff) is None


def test_a_cost_below_zero_is_kept_and_not_shown_since_the_wire_has_no_word_for_it() -> None:
    spot = Tariff(name="spot", currency="EUR", price=-0.05)
    (one,) = priced([drawing([(T0, 10.0)])], [spot])
    assert one.cost == Cost("EUR", -0.5)
    (shown,) = to_body(records("car", [one]))["values"]
    assert "cost" not in shown


def test_a_cost_that_a_source_knows_stays() -> None:
    known = msgspec.structs.replace(drawing([(T0, 1.0)]), cost=Cost("EUR", 9.0))
    one, other = priced([known, drawing([(T0, 1.0)])], [FLAT], "home")
    assert (one.cost, other.cost) == (Cost("EUR", 9.0), Cost("EUR", 0.3, 1.0))
    (none,) = priced([drawing([(T0, 1.0)])], [FLAT], "another")
    assert none.cost is None


@pytest.mark.parametrize(
    ("changes", "word"),
    [({"zone": "Mars/Phobos"}, "zone"), ({"zone": "../etc"}, "zone"), ({"series": (Price(5, 1.0), Price(5, 2.0))}, "series")],
)
def test_a_tariff_that_cannot_be_is_refused_by_name(changes: dict[str, object], word: str) -> None:
    with pytest.raises(ValueError, match=f"'home'.*{word}"):
        msgspec.convert({"name": "home", "currency": "EUR"} | msgspec.to_builtins(changes), Tariff)
