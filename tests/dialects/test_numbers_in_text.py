"""Numbers as sources write them in text: with a decimal comma, with their unit, as a duration; and 0 that is no value."""

from typing import Any

import pytest
from recorded import outcome_of, values

from chargeport.dialects.all import ALL
from chargeport.dialects.user import from_table

BOX = from_table(
    {
        "name": "box",
        "rows": [
            {"field": "power", "signal": "charge-wattage", "unit": "kW"},
            {"field": "soc", "signal": "tractionbattery-stateofcharge"},
            {"field": "left", "signal": "charge-timetocomplete"},
            {"field": "volts", "signal": "charge-voltage"},
            {"field": "phases", "signal": "charge-chargerphases"},
            {"field": "size", "signal": "tractionbattery-nominalcapacity"},
        ],
    },
    "box.toml",
)


@pytest.mark.parametrize(
    ("field", "text", "signal", "number"),
    [
        ("power", "7,4", "wattage", 7400),
        ("power", "0,125", "wattage", 125),
        ("power", "7.4 kW", "wattage", 7400),
        ("power", "3680W", "wattage", 3680),
        ("power", "7,4 kW", "wattage", 7400),
        ("soc", "61,5 %", "stateofcharge", 61.5),
        ("soc", "0.615 ratio", "stateofcharge", 61.5),
        ("volts", "230.4 V", "voltage", 230.4),
        ("left", "PT1H30M", "timetocomplete", 90),
        ("left", "90 min", "timetocomplete", 90),
        ("left", "1.5 h", "timetocomplete", 90),
        ("left", "5400000000000 ns", "timetocomplete", 90),
    ],
)
def test_a_text_with_a_decimal_comma_a_unit_or_a_duration_is_a_number(
    field: str, text: str, signal: str, number: float
) -> None:
    outcome = outcome_of(BOX, {field: text})
    assert (values(outcome).get(signal), outcome.issues) == (number, [])


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("power", "1,234"),
        ("power", "1.234,5"),
        ("power", "7.4 parsecs"),
        ("power", "7.4 V"),
        ("power", "7.4kW-"),
        ("left", "P"),
        ("left", "PARTLY"),
        ("volts", "230 400 V"),
    ],
)
def test_a_text_that_may_be_two_numbers_or_has_another_unit_is_an_issue(field: str, text: str) -> None:
    outcome = outcome_of(BOX, {field: text})
    assert outcome.entries == []
    assert [issue.subject for issue in outcome.issues] == [field]


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("box", {"phases": 0, "size": 0}),
        ("generic", {"chargerphases": 0, "nominalcapacity": 0}),
        ("tesla", {"ChargerPhases": 0, "NominalFullPackEnergyKwh": 0}),
        ("carconnectivity", {"drives/primary/battery/total_capacity": 0}),
    ],
)
def test_0_phases_and_a_capacity_of_0_are_no_values_and_no_issues(name: str, sent: dict[str, Any]) -> None:
    outcome = outcome_of((ALL | {"box": BOX})[name], sent)
    assert (outcome.entries, outcome.issues) == ([], [])
