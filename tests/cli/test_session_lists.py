"""Lists of sessions as people and programs of several countries write them."""

import pytest

from chargeport.cli.session_lists import Read, read
from chargeport.derive.sessions.session import Session
from chargeport.signals.records import Cost, Place

FROM_TO = "2026-05-04 18:00:00;2026-05-04 20:00:00"


def listed(text: str) -> Read:
    return read(text, "import", 1_790_000_000_000, columns={}, zone=None, currency="EUR")


def only(text: str) -> Session:
    found = listed(text.replace("18:00:00", "18:00:00Z").replace("20:00:00", "20:00:00Z"))
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


@pytest.mark.parametrize("nothing", ["-", "n/a", "unknown", ""])
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


@pytest.mark.parametrize("written", ["1.234.567", "12,5 apples", "twelve"])
def test_what_is_no_number_is_refused_with_its_column(written: str) -> None:
    found = listed(f"Start;End;Energy\n2026-05-04 18:00:00Z;2026-05-04 20:00:00Z;{written}")
    assert (found.sessions, [each.number for each in found.refused]) == ([], [2])
    assert "Energy" in found.refused[0].reason
