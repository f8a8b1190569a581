"""Lists of sessions as people and programs of several countries write them."""

import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from chargeport.cli.list_vehicles import names_of
from chargeport.cli.session_lists import Read, read
from chargeport.derive.sessions.session import Session
from chargeport.errors import ChargeportError
from chargeport.signals.records import Cost, Place
from chargeport.store.records import Vehicle

LATER = 1_800_000_000_000
SESSION = {"start": "2026-05-04T18:00:00Z", "end": "2026-05-04T20:00:00Z", "energy": 9.1}
FROM_TO = "2026-05-04 18:00:00;2026-05-04 20:00:00"


def listed(text: str, currency: str | None = "EUR", zone: ZoneInfo | None = None, **form: Any) -> Read:
    return read(text, "import", LATER, **{"columns": {}, "zone": zone, "currency": currency, **form})


def only(text: str, currency: str | None = "EUR", zone: ZoneInfo | None = None, **form: Any) -> Session:
    utc = (
        text if zone is not None else text.replace("18:00:00", "18:00:00Z").replace("20:00:00", "20:00:00Z").replace("ZZ", "Z")
    )
    found = listed(utc, currency, zone, **form)
    assert (len(found.sessions), found.refused) == (1, [])
    return found.sessions[0]


@pytest.mark.parametrize(
    ("written", "kwh"),
    [
        ("12,5 kWh", 12.5), ("12.5kWh", 12.5), ("12500 Wh", 12.5), ("1 012,5 Wh", 1.0125), ("1\u202f012,5 Wh", 1.0125),
        ("1'012.5 Wh", 1.0125), ("1.012,5 Wh", 1.0125),
    ],
)  # fmt: skip
def test_a_cell_may_group_its_digits_and_bear_its_unit(written: str, kwh: float) -> None:
    assert only(f"Start;End;Energy\n{FROM_TO};{written}").energy_added_kwh == pytest.approx(kwh)


def test_the_unit_of_a_cell_counts_before_that_of_its_header() -> None:
    assert only(f"Start;End;Energy (Wh)\n{FROM_TO};9,1 kWh").energy_added_kwh == pytest.approx(9.1)
    one = only(f"Start;End;Energy;Start SoC;Mileage\n{FROM_TO};9;20 %;100 mi")
    assert (one.start_soc, one.odometer_km) == (20, pytest.approx(160.9344))


def test_sessions_of_the_hour_that_comes_twice_are_not_moved_to_either_in_a_list_from_the_newest_to_the_oldest() -> None:
    starts = ["25 09:00:00", "25 02:50:00", "25 02:10:00", "24 22:00:00"]
    rows = [f"2026-10-{start};{kwh}" for kwh, start in enumerate(starts, 1)]
    for listed_rows in (rows, rows[::-1]):
        text = "\n".join(["Start;Energy", *listed_rows])
        found = read(text, "import", LATER * 2, columns={}, zone=ZoneInfo("Europe/Berlin"), currency=None)
        assert sorted(each.energy_added_kwh or 0 for each in found.sessions) == [1, 4]
        assert all("came twice" in each.reason for each in found.refused)


@pytest.mark.parametrize("nothing", ["-", "--", "?", "n/a", "unknown", "<nil>", ""])
def test_a_cell_that_says_there_is_no_value_costs_no_session(nothing: str) -> None:
    one = only(f"Start;End;Energy;Cost;Odometer\n{FROM_TO};9,1;{nothing};{nothing}")
    assert (one.energy_added_kwh, one.cost, one.odometer_km) == (pytest.approx(9.1), None, None)


def test_a_list_of_evcc_has_its_headers_in_german_or_in_english() -> None:
    german = only(
        "Startzeit;Endzeit;Ladepunkt;Kennung;Fahrzeug;Kilometerstand (km);Anfangszählerstand (kWh);Endzählerstand (kWh);"
        f"Energie (kWh);Ladedauer;Preis\n{FROM_TO};Garage;;Blue;18919;1500,5;1504,8;4,3;1h50m;1,29"
    )
    english = only(
        "Created;Finished;Charging point;Identifier;Vehicle;Mileage (km);Meter start (kWh);Meter stop (kWh);"
        f"Energy (kWh);Charging duration;Price\n{FROM_TO};Garage;;Blue;18919;1500,5;1504,8;4,3;1h50m;1,29"
    )
    assert german == english
    assert (german.odometer_km, german.meter_start_kwh, german.meter_end_kwh) == (18_919, 1_500.5, 1_504.8)
    assert (german.cost, german.place) == (Cost("EUR", 1.29), Place("Garage"))


OF_TWO_CARS = """Start;End;Energy;Vehicle
2026-05-04 18:00:00Z;2026-05-04 20:00:00Z;9,1;Family  ID.3
2026-05-04 18:10:00Z;2026-05-04 20:10:00Z;4,2;e-Golf
2026-05-05 18:00:00Z;2026-05-05 20:00:00Z;7,3;
"""


def test_of_a_list_of_several_cars_only_the_rows_of_the_named_one_are_read() -> None:
    car = Vehicle(id="1", aliases=("evcc:Family ID.3", "ours"))
    found = read(OF_TWO_CARS, "import", LATER, columns={}, zone=None, currency=None, names=names_of(car))
    assert [each.energy_added_kwh for each in found.sessions] == [9.1]
    assert found.others == {"e-Golf": 1, "no name": 1}


def test_a_list_of_several_cars_none_of_which_is_known_is_refused_with_the_way_out() -> None:
    car = Vehicle(id="1", make="VW", model="ID.3")
    with pytest.raises(ChargeportError, match=r"'Family  ID.3', 'e-Golf'.* --alias"):
        read(OF_TWO_CARS, "import", LATER, columns={}, zone=None, currency=None, names=names_of(car))


def test_a_list_of_one_car_by_any_name_is_of_the_car_that_a_person_names() -> None:
    assert len(listed(OF_TWO_CARS.replace("e-Golf", "Family  ID.3")).sessions) == 3


@pytest.mark.parametrize(
    ("header", "written", "minutes"),
    [
        ("Duration", "2:15:00", 135), ("Duration", "1 day, 0:30:00", 1470), ("Duration", "3h5m30s", 185.5),
        ("Duration", "PT2H30M", 150), ("Duration", "1,5 h", 90), ("Ladedauer", "1 Std. 30 Min.", 90),
        ("duration_min", "95", 95), ("Duration (h)", "1.5", 90), ("Duration [s]", "5400", 90), ("Duration seconds", "5400", 90),
    ],
)  # fmt: skip
def test_a_session_without_an_end_ends_after_its_duration(header: str, written: str, minutes: float) -> None:
    [session] = listed(f"Start;{header};Energy\n2026-05-04 18:00:00Z;{written};9,1").sessions
    assert session.ended_at is not None
    assert session.ended_at - session.started_at == minutes * 60_000


@pytest.mark.parametrize("written", ["150", "2:30"])
def test_a_duration_without_a_unit_is_refused_unless_the_end_is_known(written: str) -> None:
    alone = listed(f"Start;Duration;Energy\n2026-05-04 18:00:00Z;{written};9,1")
    assert (alone.sessions, "Duration (min)" in alone.refused[0].reason) == ([], True)
    assert only(f"Start;End;Energy;Duration\n{FROM_TO};9,1;{written}").energy_added_kwh == pytest.approx(9.1)


@pytest.mark.parametrize(
    ("cells", "odometer"),
    [("18.919;1,29", 18_919), ("18,919;1.29", 18_919), ("18.919;1.29", 18.919), ("18.919,5;1,29", 18_919.5),
     ("1.018.919;1,29", 1_018_919), ("18919;1,29", 18_919)],
)  # fmt: skip
def test_three_digits_after_a_sign_are_a_group_where_the_list_has_the_other_decimal_sign(cells: str, odometer: float) -> None:
    assert only(f"Start;End;Odometer;Cost\n{FROM_TO};{cells}").odometer_km == pytest.approx(odometer)


@pytest.mark.parametrize(
    ("header", "cells", "reason"),
    [
        ("Energy (Wh)", "7.200", "Energy (Wh): '7.200' may mean 7200 or 7.200: write one of these"),
        ("Energy;Odometer", "9,123;18.919", "Energy: '9,123' may mean 9123 or 9.123: write one of these"),
    ],
)
def test_a_number_that_may_be_a_thousand_times_another_is_refused(header: str, cells: str, reason: str) -> None:
    found = listed(f"Start;End;{header}\n2026-05-04 18:00:00Z;2026-05-04 20:00:00Z;{cells}")
    assert (found.sessions, [each.reason for each in found.refused]) == ([], [reason])
    sure = listed(f"Start;End;Cost;{header}\n2026-05-04 18:00:00Z;2026-05-04 20:00:00Z;1,29;{cells}")
    assert (len(sure.sessions), sure.refused) == (1, [])


def test_coordinates_have_a_point_also_in_a_list_whose_amounts_have_a_comma() -> None:
    one = only(f"Start;End;Energy;Lat;Lon\n{FROM_TO};1,234;52.520;13.4050")
    assert (one.energy_added_kwh, one.place) == (1.234, Place(None, None, 52.52, 13.405))


def test_a_number_of_a_document_is_what_it_says() -> None:
    assert listed(json.dumps([SESSION | {"odometer": 18.919, "cost": "1,29"}])).sessions[0].odometer_km == 18.919


@pytest.mark.parametrize(
    ("header", "written", "currency", "cost"),
    [
        ("Cost", "3.10", "EUR", Cost("EUR", 3.1)), ("Cost", "3,10 CHF", "EUR", Cost("CHF", 3.1)),
        ("Cost", "CHF 3.10", "EUR", Cost("CHF", 3.1)), ("Cost", "\u00a33.10", "EUR", Cost("GBP", 3.1)),
        ("Cost", "3.10 €", None, Cost("EUR", 3.1)), ("Cost (SEK)", "3.10", "EUR", Cost("SEK", 3.1)),
        ("Cost", "45,50 kr", "NOK", Cost("NOK", 45.5)), ("Cost", "45,50 kr", None, None),
        ("Cost", "12,30 zł", "EUR", Cost("PLN", 12.3)),
        ("Price (ct)", "310", "EUR", Cost("EUR", 3.1)), ("Cost (\u00a3)", "3.10", "EUR", Cost("GBP", 3.1)),
        ("Cost", "$3.10", "CAD", Cost("CAD", 3.1)), ("Cost", "$3.10", None, None), ("Cost", "3.10", None, None),
    ],
)  # fmt: skip
def test_a_cost_is_in_the_currency_that_it_names(header: str, written: str, currency: str | None, cost: Cost | None) -> None:
    text = f"Start;End;Energy;{header}\n2026-05-04 18:00:00Z;2026-05-04 20:00:00Z;9,1;{written}"
    [session] = listed(text, currency).sessions
    assert session.cost == cost


@pytest.mark.parametrize(
    "header",
    [
        "€/kWh",
        "Price (€/kWh)",
        "Cost / kWh",
        "Price (EUR per kWh)",
        "Energy (kWh/100 km)",
        "Energy [Ah]",
        "Charged (kW)",
        "Odometer (m)",
    ],
)
def test_a_rate_or_a_quantity_in_other_units_is_none_of_the_amounts_of_a_session(header: str) -> None:
    found = listed(f"Start;End;{header};Charged (MJ)\n2026-05-04 18:00:00Z;2026-05-04 20:00:00Z;0,35;32,4")
    assert (found.unknown, found.refused) == ([header], [])
    [one] = found.sessions
    assert (one.energy_added_kwh, one.energy_drawn_kwh, one.cost, one.odometer_km) == (pytest.approx(9), None, None, None)


def test_a_column_in_other_units_that_a_person_names_is_refused() -> None:
    text = "Start;End;Charge (Ah)\n2026-05-04 18:00:00Z;2026-05-04 20:00:00Z;40"
    found = read(text, "import", LATER, columns={"energy": "Charge (Ah)"}, zone=None, currency=None)
    assert (found.sessions, found.refused[0].reason) == ([], "Charge (Ah): Ah is none of kWh, Wh, MWh, MJ, km, mi and %")


def test_crowns_are_no_euros() -> None:
    found = listed("Start;End;Cost\n2026-05-04 18:00:00Z;2026-05-04 20:00:00Z;45,50 kr")
    assert (found.sessions, found.refused[0].reason) == ([], "Cost: '45,50 kr' is in kr, not in EUR")


def test_dollars_are_no_euros() -> None:
    found = listed("Start;End;Cost\n2026-05-04 18:00:00Z;2026-05-04 20:00:00Z;$3.10")
    assert (found.sessions, found.refused[0].reason) == ([], "Cost: '$3.10' is in dollars, not in EUR")


@pytest.mark.parametrize(
    "before", ["sep=;\n", "\n", "\n;;\n"], ids=["the separator of Excel", "an empty line", "a line of empty cells"]
)
def test_the_header_is_the_first_line_with_names(before: str) -> None:
    assert only(f"{before}Start;End;Energy\n{FROM_TO};9,1").energy_added_kwh == pytest.approx(9.1)


@pytest.mark.parametrize(
    "document",
    [
        {"errors": [], "data": [SESSION]}, {"data": {"car": {"id": 1}, "charges": [SESSION], "units": {}}}, [[], SESSION],
        SESSION,
    ],
)  # fmt: skip
def test_the_sessions_of_a_document_are_the_objects_of_its_first_list_of_objects(document: object) -> None:
    assert [each.energy_added_kwh for each in listed(json.dumps(document)).sessions] == [9.1]


def test_members_of_objects_in_a_session_are_its_own_except_the_names_of_these() -> None:
    objects = {
        "battery": {"start_soc": 40, "end_soc": 60}, "charger": {"id": "box", "name": "Garage", "type": "AC"},
        "place": {"name": "Home", "latitude": 52.5, "longitude": 13.4}, "cost": {"amount": 3.1, "currency": "CHF"},
    }  # fmt: skip
    [one] = listed(json.dumps([SESSION | objects])).sessions
    assert (one.start_soc, one.end_soc, one.cost) == (40, 60, Cost("CHF", 3.1))
    assert (one.place, one.reported_id, one.charging_type) == (Place("Home", None, 52.5, 13.4), None, None)


def test_a_table_may_have_bars_between_its_columns_and_of_two_columns_of_a_name_the_first_counts() -> None:
    assert only(f"Start|End|Energy|Energy\n{FROM_TO}|9.1|8.1".replace(";", "|")).energy_added_kwh == pytest.approx(9.1)


@pytest.mark.parametrize(
    ("start", "reason"),
    [("2099-05-04 18:00:00Z", "start: 2099-05-04T18:00:00.000Z is in the future"),
     ("1970-01-01 00:00:00Z", "start: 1970-01-01T00:00:00.000Z lies before the year 2000")],
)  # fmt: skip
def test_a_session_of_a_clock_that_was_wrong_is_refused(start: str, reason: str) -> None:
    found = listed(f"Start;Energy\n{start};9,1")
    assert ([each.reason for each in found.refused], found.sessions) == ([reason], [])


def test_a_value_out_of_bounds_is_refused_with_its_name() -> None:
    found = listed("Start;End;Start SoC\n2026-05-04 18:00:00Z;2026-05-04 20:00:00Z;-1")
    assert found.refused[0].reason == "startStateOfCharge: -1 is not within 0 to 100"


def test_a_cost_below_zero_as_of_a_negative_price_costs_no_session() -> None:
    assert only(f"Start;End;Energy;Cost\n{FROM_TO};9,1;-0,45").cost == Cost("EUR", -0.45)


@pytest.mark.parametrize(
    ("written", "readings"),
    [("0;0", (None, None)), ("0;1504,8", (None, 1504.8)), ("1495,7;0", (1495.7, None)), ("0;9,2", (0, 9.2)),
     ("1495,7;1504,8", (1495.7, 1504.8))],
)  # fmt: skip
def test_a_meter_that_shows_0_was_not_read_unless_it_counts_from_there(
    written: str, readings: tuple[float | None, float]
) -> None:
    one = only(f"Start;End;Energy;Meter start;Meter end;Odometer\n{FROM_TO};9,1;{written};0")
    assert (one.meter_start_kwh, one.meter_end_kwh, one.odometer_km) == (*readings, None)


def test_coordinates_of_0_are_no_place() -> None:
    assert only(f"Start;End;Lat;Lon\n{FROM_TO};0;0").place is None
    place = only(f"Start;End;Lat;Lon\n{FROM_TO};52,5200;0").place
    assert place == Place(None, None, 52.52, 0)


def test_times_may_be_in_utc_by_name_and_in_fractions_of_a_second() -> None:
    first = listed("Start;End\n2026-05-04 18:00:00 UTC;2026-05-04 20:00:00 UTC").sessions
    second = listed("Start;End\n1777917600.25;1777924800").sessions
    assert (first[0].started_at, second[0].started_at) == (1_777_917_600_000, 1_777_917_600_250)


@pytest.mark.parametrize("written", ["1.234.567", "12,5 apples", "twelve"])
def test_what_is_no_number_is_refused_with_its_column(written: str) -> None:
    found = listed(f"Start;End;Energy\n2026-05-04 18:00:00Z;2026-05-04 20:00:00Z;{written}")
    assert (found.sessions, [each.number for each in found.refused]) == ([], [2])
    assert "Energy" in found.refused[0].reason


@pytest.mark.parametrize(
    ("start", "end", "lasted", "found"),
    [
        ("02:30:00", "03:45:00", "2:15:00", ("00:30", "02:45")),
        ("02:30:00", "03:45:00", "1:15:00", ("01:30", "02:45")),
        ("02:30:00", "03:45:00", "1:50:00", ("00:30", "02:45")),  # it charged for less than it was plugged in
        ("01:30:00", "02:30:00", "2:00:00", ("23:30", "01:30")),
        ("01:30:00", "02:30:00", "1:00:00", ("23:30", "00:30")),
        ("02:10:00", "02:20:00", "1:10:00", ("00:10", "01:20")),
    ],
)
def test_a_duration_tells_the_repeated_hour_of_autumn_apart(start: str, end: str, lasted: str, found: tuple[str, str]) -> None:
    session = only(f"Start;End;Duration;kWh\n2026-10-25 {start};2026-10-25 {end};{lasted};9,1", zone=ZoneInfo("Europe/Berlin"))
    times = [datetime.fromtimestamp(at / 1000, UTC).strftime("%H:%M") for at in (session.started_at, session.ended_at)]
    assert tuple(times) == found


@pytest.mark.parametrize(("end", "lasted"), [("02:40:00", "0:30:00"), ("03:45:00", "0:20:00"), ("03:45:00", "soon")])
def test_a_duration_that_fits_both_hours_tells_nothing(end: str, lasted: str) -> None:
    text = f"Start;End;Duration;kWh\n2026-10-25 02:10:00;2026-10-25 {end};{lasted};9,1"
    (refused,) = listed(text, zone=ZoneInfo("Europe/Berlin")).refused
    assert "came twice" in refused.reason


@pytest.mark.parametrize(
    ("header", "cells", "form", "lasted_h"),
    [
        ("Date;Start;End;kWh", "2026-05-04;18:00;20:30;9,1", None, 2.5),
        ("Date;Start Time;End Time;kWh", "2026-05-04;6:00 PM;08:30 pm;9,1", None, 2.5),
        ("Start Date;Start Time;End Date;End Time;kWh", "2026-05-04;18:00;2026-05-06;20:30;9,1", None, 50.5),
        ("Date;Start;End;kWh", "2026-05-04;18:00;06:15;9,1", None, 12.25),
        ("Date;Time;Duration;kWh", "2026-05-04;18:00:00;2h30m;9,1", None, 2.5),
        ("Datum;Uhrzeit;Dauer (min);kWh", "04.05.2026;18:00;150;9,1", "%d.%m.%Y %H:%M", 2.5),
        ("Day;Start;End;kWh", "2026-05-04;12:00 AM;12:30 PM;9,1", None, 12.5),
    ],
)
def test_dates_and_times_of_day_may_have_columns_of_their_own(
    header: str, cells: str, form: str | None, lasted_h: float
) -> None:
    columns = {"duration": "Dauer (min)"} if "Dauer (min)" in header else {}
    session = only(f"{header}\n{cells}", zone=ZoneInfo("UTC"), columns=columns, time_format=form)
    assert datetime.fromtimestamp(session.started_at / 1000, UTC).strftime("%Y-%m-%d %H") in ("2026-05-04 18", "2026-05-04 00")
    assert (session.ended_at - session.started_at) / 3_600_000 == lasted_h


def test_a_date_beside_a_full_start_is_not_used() -> None:
    session = only("Date;Start;End;kWh\n2026-05-09;2026-05-04 18:00:00Z;2026-05-04 20:00:00Z;9,1")
    assert session.started_at == only(f"Start;End;kWh\n{FROM_TO};9,1").started_at


@pytest.mark.parametrize(
    ("cells", "charge"),
    [
        ("0.4;0.83", (40, 83)),
        ("0,4;1", (40, 100)),
        ("1;0", (1, 0)),
        ("0.4;83", (0.4, 83)),
        ("0.4%;1%", (0.4, 1)),
        (";0.5", (None, 50)),
    ],
)
def test_states_of_charge_may_be_shares(cells: str, charge: tuple[float | None, float]) -> None:
    session = only(f"Start;End;Start SoC;End SoC\n{FROM_TO};{cells}")
    assert (session.start_soc, session.end_soc) == (pytest.approx(charge[0]) if charge[0] else None, pytest.approx(charge[1]))


@pytest.mark.parametrize("written", ["Free", "free", "kostenlos", "gratis"])
def test_what_is_free_costs_nothing(written: str) -> None:
    assert only(f"Start;End;Energy;Cost\n{FROM_TO};9,1;{written}", currency="EUR").cost == Cost("EUR", 0)


@pytest.mark.parametrize("header", ["cost_eur", "Cost EUR", "Cost (EUR)"])
def test_a_header_may_end_with_its_currency(header: str) -> None:
    assert only(f"Start;End;Energy;{header}\n{FROM_TO};9,1;-1,38", currency=None).cost == Cost("EUR", -1.38)
