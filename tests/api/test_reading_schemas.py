"""The bounds of readings in the description of the API, in every unit."""

import pytest

from chargeport.api.reading_schemas import _in_unit
from chargeport.signals import bodies, units
from chargeport.signals.catalogue import CATALOGUE
from chargeport.signals.definition import Kind, Signal
from chargeport.signals.violation import Violation

IN_UNITS = [
    (signal, factor, names)
    for signal in CATALOGUE
    if signal.kind is Kind.QUANTITY and signal.dimension is not None
    for factor, names in units.factors(signal.dimension).items()
]


def is_accepted(signal: Signal, value: float, unit: str) -> bool:
    try:
        bodies.parse(signal, {"value": value, "unit": unit})
    except Violation:
        return False
    return True


@pytest.mark.parametrize(("signal", "factor", "names"), IN_UNITS, ids=lambda each: getattr(each, "code", None))
def test_the_bounds_of_the_description_are_those_of_the_check(signal: Signal, factor: float, names: tuple[str, ...]) -> None:
    bounds = _in_unit(signal, factor, names)["properties"]["value"]
    lowest, highest = bounds["minimum"], bounds["maximum"]
    assert [is_accepted(signal, value, names[0]) for value in (lowest, highest)] == [True, True]
    assert [is_accepted(signal, value, names[0]) for value in (lowest - 1, highest + 1)] == [False, False]
