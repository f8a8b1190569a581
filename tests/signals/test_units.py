"""Units are converted by name: every spelling of every dimension, and nothing that only looks like one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chargeport.signals import bodies, units
from chargeport.signals.catalogue import BY_CODE, CATALOGUE
from chargeport.signals.definition import Dimension
from chargeport.signals.violation import Rule, Violation

SPELLINGS = [(dimension, name) for dimension in Dimension for name in units.spellings(dimension)]
every_spelling = pytest.mark.parametrize(("dimension", "unit"), SPELLINGS, ids=str)

# What one of the unit is in the wire's: written out again here, from the definitions (SI; the international mile).
ONE = {
    Dimension.CURRENT: {"ampere A amp amps amperes": 1, "mA milliampere milliamperes": 1e-3},
    Dimension.VOLTAGE: {"volts V volt": 1, "mV millivolt millivolts": 1e-3, "kV kilovolt kilovolts": 1e3},
    Dimension.POWER: {"watts W watt": 1, "kW kilowatt kilowatts": 1e3, "MW megawatt megawatts": 1e6},
    Dimension.ENERGY: {
        "kWh kilowatt-hour kilowatt-hours kWhr": 1,
        "Wh watt-hour watt-hours": 1e-3,
        "MWh megawatt-hour megawatt-hours": 1e3,
        "MJ megajoule megajoules": 1e6 / 3.6e6,
        "kJ kilojoule kilojoules": 1e3 / 3.6e6,
        "J joule joules": 1 / 3.6e6,
    },
    Dimension.SPEED: {"km/h kph kmh kilometers-per-hour": 1, "mi/h mph miles-per-hour": 1.609344, "m/s": 3.6},
    Dimension.TIME: {
        "min minute minutes mins": 1,
        "s sec secs second seconds": 1 / 60,
        "h hr hrs hour hours": 60,
        "ms millisecond milliseconds": 1 / 60_000,
        "ns nanosecond nanoseconds": 1 / 60e9,
        "d day days": 1440,
    },
    Dimension.RATIO: {"percent % percentage pct": 1, "fraction ratio": 100},
    Dimension.DISTANCE: {
        "km kilometer kilometers kilometre kilometres": 1,
        "mi mile miles": 1.609344,
        "m meter meters metre metres": 1e-3,
    },
}
FACTORS = {(dimension, name): one for dimension, rows in ONE.items() for names, one in rows.items() for name in names.split()}


def test_exactly_the_spellings_written_here_are_taken() -> None:
    assert set(SPELLINGS) == set(FACTORS)


@every_spelling
@given(wire_value=st.floats(1, 1e6))
def test_a_unit_is_converted_by_name(dimension: Dimension, unit: str, wire_value: float) -> None:
    given_value = wire_value / FACTORS[dimension, unit]
    assert units.convert(given_value, dimension, unit) == pytest.approx(wire_value, rel=1e-6)


@every_spelling
@given(values=st.lists(st.floats(0, 1e9), min_size=2, max_size=6))
def test_a_conversion_keeps_the_order(dimension: Dimension, unit: str, values: list[float]) -> None:
    converted = [units.convert(value, dimension, unit) for value in sorted(values)]
    assert converted == sorted(converted)  # type: ignore[type-var]


@given(value=st.floats(allow_nan=False))
@pytest.mark.parametrize("dimension", Dimension)
def test_the_wire_s_own_unit_changes_nothing(dimension: Dimension, value: float) -> None:
    assert units.convert(value, dimension, units.WIRE_UNIT[dimension]) is value


def test_the_wire_s_units_are_spelled_letter_for_letter() -> None:
    assert units.WIRE_UNIT == {
        "current": "ampere",
        "voltage": "volts",
        "power": "watts",
        "energy": "kWh",
        "speed": "km/h",
        "time": "min",
        "ratio": "percent",
        "distance": "km",
    }
    assert all(units.spellings(dimension)[0] == unit for dimension, unit in units.WIRE_UNIT.items())


@pytest.mark.parametrize(
    ("dimension", "unit", "factor"),
    [
        (Dimension.POWER, "KW", 1000),
        (Dimension.POWER, "kw", 1000),
        (Dimension.POWER, "Kilowatts", 1000),
        (Dimension.POWER, "WATTS", 1),
        (Dimension.ENERGY, "kwh", 1),
        (Dimension.ENERGY, "KWH", 1),
        (Dimension.ENERGY, "WH", 0.001),
        (Dimension.SPEED, "KM/H", 1),
        (Dimension.SPEED, "MPH", 1.609344),
        (Dimension.CURRENT, "a", 1),
        (Dimension.CURRENT, "Milliampere", 0.001),
        (Dimension.VOLTAGE, "KV", 1000),
        (Dimension.TIME, "MIN", 1),
        (Dimension.RATIO, "Percent", 1),
        (Dimension.DISTANCE, "KM", 1),
    ],
)
def test_case_that_carries_no_meaning_is_folded(dimension: Dimension, unit: str, factor: float) -> None:
    assert units.factor_to_wire(dimension, unit) == factor


@pytest.mark.parametrize(
    ("dimension", "unit"),
    [
        (Dimension.CURRENT, "MA"),
        (Dimension.CURRENT, "ma"),
        (Dimension.VOLTAGE, "MV"),
        (Dimension.VOLTAGE, "mv"),
        (Dimension.POWER, "mW"),
        (Dimension.POWER, "mw"),
        (Dimension.ENERGY, "mJ"),
        (Dimension.ENERGY, "mWh"),
        (Dimension.ENERGY, "mwh"),
    ],
)
def test_a_prefix_whose_case_carries_meaning_is_taken_to_the_letter(dimension: Dimension, unit: str) -> None:
    assert units.factor_to_wire(dimension, unit) is None
    assert units.convert(1, dimension, unit) is None


@pytest.mark.parametrize(("dimension", "unit"), [(Dimension.POWER, "kWh"), (Dimension.ENERGY, "kW"), (Dimension.SPEED, "km")])
def test_a_unit_of_another_dimension_is_unknown(dimension: Dimension, unit: str) -> None:
    assert units.factor_to_wire(dimension, unit) is None


@pytest.mark.parametrize("unit", ["horses", "", " watts", "kilo watts", "W" * 500, "½"])
def test_an_unknown_unit_is_refused_with_the_list_of_known_ones(unit: str) -> None:
    for signal in CATALOGUE:
        if signal.dimension is None:
            continue
        with pytest.raises(Violation) as caught:
            bodies.parse(signal, {"value": 1, "unit": unit})
        assert (caught.value.rule, caught.value.path) == (Rule.UNKNOWN_UNIT, "body.unit")
        assert caught.value.detail.endswith(": use " + ", ".join(units.spellings(signal.dimension)))
        assert len(caught.value.detail) < 400


@pytest.mark.parametrize(
    ("code", "value", "unit", "canonical"),
    [
        ("charge-wattage", 7.2, "kW", 7200),
        ("charge-wattage", 0.0107, "kW", 10.7),
        ("charge-amperage", 16_000, "mA", 16),
        ("charge-voltage", 0.4, "kV", 400),
        ("charge-energyadded", 35_600, "Wh", 35.6),
        ("charge-chargerate", 30, "mph", 48.28032),
        ("charge-timetocomplete", 90, "s", 1.5),
        ("charge-timetocomplete", 2, "hours", 120),
        ("tractionbattery-stateofcharge", 0.57, "fraction", 57),
    ],
)
def test_a_converted_value_carries_no_dust_of_arithmetic(code: str, value: float, unit: str, canonical: float) -> None:
    converted = bodies.parse(BY_CODE[code], {"value": value, "unit": unit})
    assert repr(converted) == repr(canonical)


def test_a_missing_unit_and_a_null_unit_mean_the_wire_s() -> None:
    wattage = BY_CODE["charge-wattage"]
    assert [bodies.parse(wattage, text) for text in (b'{"value":7.2}', b'{"value":7.2,"unit":null}')] == [7.2, 7.2]


def test_a_conversion_is_checked_in_the_wire_s_unit() -> None:
    wattage = BY_CODE["charge-wattage"]
    assert bodies.parse(wattage, {"value": 4, "unit": "MW"}) == 4_000_000
    with pytest.raises(Violation) as caught:
        bodies.parse(wattage, {"value": 4.000001, "unit": "MW"})
    assert caught.value.rule is Rule.OUT_OF_BOUNDS
