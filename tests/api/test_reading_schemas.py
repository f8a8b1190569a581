"""The bounds of readings in the description of the API, in every unit."""

from typing import Any

import pytest

from chargeport.api.reading_schemas import item_schemas
from chargeport.signals import bodies
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.violation import Violation

BODIES = item_schemas()["Bundle"]["properties"]["signals"]["properties"]
IN_UNITS = [(code, form["properties"]) for code, body in BODIES.items() for form in body.get("anyOf", ())]
IDS = [f"{code} in {form['unit'].get('enum', ['the unit of the wire'])[0]}" for code, form in IN_UNITS]


def is_accepted(code: str, value: float, unit: str | None) -> bool:
    try:
        bodies.parse(BY_CODE[code], {"value": value, "unit": unit})
    except Violation:
        return False
    return True


def test_there_are_bodies_in_several_units() -> None:
    assert len(IN_UNITS) > len(BODIES)


@pytest.mark.parametrize(("code", "form"), IN_UNITS, ids=IDS)
def test_the_described_bounds_are_those_of_the_check(code: str, form: dict[str, Any]) -> None:
    lowest, highest = form["value"]["minimum"], form["value"]["maximum"]
    unit = form["unit"].get("enum", [None])[0]
    assert [is_accepted(code, value, unit) for value in (lowest, highest)] == [True, True]
    assert [is_accepted(code, value, unit) for value in (lowest - 1, highest + 1)] == [False, False]
