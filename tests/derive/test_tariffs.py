"""What sessions cost, from what they drew from the grid, and when."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import msgspec
import pytest
from charging_days import CHARGING, DAY, HOUR, MINUTE, POWER, T0, course, steady, tracks_of

from chargeport.derive.records.records import records, to_body
from chargeport.derive.records.tariffs import Price, PriceWindow, SeriesKind, Tariff, cost, priced, series_of
from chargeport.derive.sessions.detection import sessions
from chargeport.derive.sessions.power import Slot
from chargeport.derive.sessions.session import Session
from chargeport.derive.sessions.stretches import Stretch
from chargeport.signals.records import Cost

FLAT = Tariff(name="home", currency="EUR", price=0.30, session_fee=1.0)


def drawing(slots: list[tuple[int, float]]) -> Session:
    end = max((at for at, _ in slots), default=T0) + 15 * MINUTE
    reported = tuple(Slot(at, kwh) for at, kwh in slots)
    return Session(started_at=T0, ended_at=end, is_open=False, energy_drawn_kwh=sum(kwh for _, kwh in slots), slots=reported)


def local(text: str, zone: str = "Europe/Berlin") -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def test_a_flat_price_is_for_what_was_drawn_and_not_for_what_was_added() -> None:
    reported = [*steady(CHARGING, range(0, 121, 5), value=True), *steady(POWER, range(0, 121, 5), 10_000)]
    (one,) = sessions(tracks_of([*reported, *course(CHARGING, {125: False})]), T0 + 9 * HOUR)
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
    tariff = Tariff(name="spot", currency="SEK", series=series_of([Price(T0, 0.10), Price(T0 + HOUR, 0.20)]))
    one = drawing([(T0 + 45 * MINUTE, 5.0), (T0 + HOUR, 5.0)])
    assert cost(one, tariff) == Cost("SEK", 1.5)
    assert cost(drawing([(T0 - 15 * MINUTE, 5.0)]), tariff) is None
    assert cost(drawing([(T0 + 2 * HOUR, 5.0)]), tariff) is None


@pytest.mark.parametrize("step", [15 * MINUTE, 30 * MINUTE, HOUR, DAY])
def test_slots_that_follow_each_other_evenly_end_with_the_last_and_changes_hold_on(step: int) -> None:
    day_ahead = Tariff(name="spot", currency="EUR", series=series_of([Price(T0 + each * step, 0.1) for each in range(6)]))
    assert day_ahead.price_at(T0 + 6 * step - 1) == 0.1
    assert day_ahead.price_at(T0 + 6 * step) is None
    changes = series_of([Price(T0 + days * DAY, price) for days, price in [(0, 0.3), (31, 0.32), (200, 0.29)]])
    assert Tariff(name="home", currency="EUR", series=changes).price_at(T0 + 900 * DAY) == 0.29


def test_a_slot_that_is_missing_has_no_price_of_its_neighbour() -> None:
    spot = Tariff(name="spot", currency="EUR", series=series_of([Price(T0 + each * HOUR, 0.1) for each in (0, 1, 2, 5, 6)]))
    assert [spot.price_at(T0 + each * HOUR + 1) for each in range(7)] == [0.1, 0.1, 0.1, None, None, 0.1, 0.1]
    from_hours_to_quarters = [
        *(Price(T0 + each * HOUR, 0.1) for each in range(4)),
        *(Price(T0 + 4 * HOUR + each * 15 * MINUTE, 0.1) for each in range(9)),
    ]
    mixed = Tariff(name="spot", currency="EUR", series=series_of(from_hours_to_quarters))
    assert all(mixed.price_at(T0 + minute * MINUTE) == 0.1 for minute in range(0, 6 * 60, 5))


@pytest.mark.parametrize(("kind", "price"), [("slots", None), ("changes", 0.2), (None, None)])
def test_the_setting_says_what_a_series_is_and_else_its_spacing(kind: SeriesKind | None, price: float | None) -> None:
    series = series_of([Price(T0, 0.1), Price(T0 + HOUR, 0.2)], kind)
    assert Tariff(name="spot", currency="EUR", series=series).price_at(T0 + 3 * HOUR) == price


@pytest.mark.parametrize("minute", [1, 7, 14, 16, 59])
def test_a_price_holds_from_its_minute_on(minute: int) -> None:
    start = local("2026-05-04 22:00")
    window = PriceWindow(start=time(22, minute), end=time(23, 30), price=0.10)
    stretch = (Stretch(start, start + HOUR),)
    one = msgspec.structs.replace(drawing([(start + each * 15 * MINUTE, 1.5) for each in range(4)]), stretches=stretch)
    by_clock = Tariff(name="night", currency="EUR", price=0.40, windows=(window,), zone="Europe/Berlin")
    by_list = Tariff(name="list", currency="EUR", series=(Price(T0, 0.4), Price(start + minute * MINUTE, 0.1)))
    expected = round(6 * (0.4 * minute + 0.1 * (60 - minute)) / 60, 2)
    assert cost(one, by_clock) == cost(one, by_list) == Cost("EUR", expected)


def test_within_a_quarter_of_an_hour_the_price_is_that_of_the_minutes_that_charged() -> None:
    window = PriceWindow(start=time(0, 5), end=time(6, 0), price=0.1)
    night = Tariff(name="night", currency="EUR", price=0.4, windows=(window,))
    at = local("2026-05-05 00:00", "UTC")
    late = msgspec.structs.replace(drawing([(at, 2.0)]), stretches=(Stretch(at + 5 * MINUTE, at + 15 * MINUTE),))
    assert cost(late, night) == Cost("EUR", 0.2)


def test_a_cost_below_zero_is_kept_and_shown() -> None:
    spot = Tariff(name="spot", currency="EUR", price=-0.05)
    (one,) = priced([drawing([(T0, 10.0)])], [spot])
    assert one.cost == Cost("EUR", -0.5)
    (shown,) = to_body(records("car", [one]))["values"]
    assert shown["cost"] == {"currency": "EUR", "energyAmount": -0.5}


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
