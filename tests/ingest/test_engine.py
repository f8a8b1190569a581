from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chargeport.dialects.simulator import SIMULATOR
from chargeport.dialects.table import Dialect, Gate, dialect, row
from chargeport.ingest.engine import normalise
from chargeport.ingest.field_values import is_nothing
from chargeport.ingest.memory import HELD_MS, CarMemory
from chargeport.signals.catalogue import CATALOGUE
from chargeport.signals.reading import Absence, AbsenceReason, Reading
from chargeport.sources.base import RawMessage
from chargeport.sources.simulator.snapshot import FIELDS

NOW = 1_777_629_598_000


def message(fields: dict[str, Any], observed_at: int | None = NOW, name: str = "simulator") -> RawMessage:
    return RawMessage(source="test", dialect=name, vehicle="car", fields=fields, received_at=NOW, observed_at=observed_at)


def test_the_simulators_table_has_a_row_for_each_field_it_can_report_and_for_each_signal() -> None:
    assert set(SIMULATOR.by_field) == set(FIELDS)
    told = {each for each in CATALOGUE if each.group in {"Charge", "TractionBattery"}}
    assert {each.signal for each in SIMULATOR.rows} == told


def test_a_field_becomes_a_reading_with_the_cars_time_ours_and_the_source() -> None:
    found = normalise(message({"power_w": 7200}, NOW - 5000), SIMULATOR)
    assert found.issues == []
    [reading] = found.entries
    assert isinstance(reading, Reading)
    assert (reading.signal.code, reading.value, reading.vehicle) == ("charge-wattage", 7200, "car")
    assert (reading.observed_at, reading.received_at, reading.source) == (NOW - 5000, NOW, "test")


def test_an_unknown_field_is_an_issue_that_keeps_the_message_and_costs_no_other_field() -> None:
    found = normalise(message({"power_w": 7200, "mood": "good"}), SIMULATOR)
    assert [entry.signal.code for entry in found.entries] == ["charge-wattage"]
    [issue] = found.issues
    assert issue.subject == "mood"
    assert '"mood":"good"' in issue.raw


def test_a_value_out_of_bounds_is_an_issue_and_never_a_reading() -> None:
    found = normalise(message({"soc_percent": 140}), SIMULATOR)
    assert found.entries == []
    assert found.issues[0].subject == "soc_percent"
    assert "100" in found.issues[0].detail


def test_what_the_car_cannot_report_becomes_an_absence_not_a_value() -> None:
    found = normalise(message({"not_capable": ["port_color", "phases"]}), SIMULATOR)
    assert {(entry.signal.name, getattr(entry, "reason", None)) for entry in found.entries} == {
        ("ChargePortStatusColor", AbsenceReason.NOT_CAPABLE),
        ("ChargerPhases", AbsenceReason.NOT_CAPABLE),
    }
    assert all(isinstance(entry, Absence) for entry in found.entries)


def test_an_ignored_field_is_neither_a_reading_nor_an_issue() -> None:
    quiet: Dialect = dialect("quiet", row("w", "charge-wattage", "W"), ignored=frozenset({"heartbeat"}))
    assert normalise(message({"heartbeat": 1}, name="quiet"), quiet) == ([], [])


@pytest.mark.parametrize("stamp", [NOW + 1, NOW + 400_000, 253_402_300_799_000, 0, 86_400_000])
def test_a_stamp_ahead_of_our_clock_or_of_a_clock_that_was_never_set_counts_as_of_receipt(stamp: int) -> None:
    found = normalise(message({"power_w": 1, "phases": 3}, stamp), SIMULATOR)
    assert {entry.observed_at for entry in found.entries} == {NOW}
    assert found.issues == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*FIELDS, "not_capable", "other"]), json_values, max_size=8))
def test_no_message_makes_an_error(fields: dict[str, Any]) -> None:
    found = normalise(message(fields), SIMULATOR)
    answered = {issue.subject for issue in found.issues} | {
        each.fields[0] for each in SIMULATOR.rows if each.signal in {entry.signal for entry in found.entries}
    }
    told = {name for name, value in fields.items() if not is_nothing(value)}
    assert told - {"not_capable"} <= answered


LATE = dialect(
    "late",
    row("on", "charge-ischarging"),
    row("kw", "charge-wattage", "kW", gate=Gate.LIVE),
    row("left", "charge-timetocomplete", "min", gate=Gate.CHARGING),
)


def heard(memory: CarMemory, at: int, **fields: Any) -> dict[str, tuple[int, Any]]:
    said = RawMessage(source="test", dialect="late", vehicle="car", fields=fields, received_at=at)
    return {
        each.signal.name: (each.observed_at, each.value if isinstance(each, Reading) else each.reason)
        for each in normalise(said, LATE, memory).entries
    }


def test_what_counts_only_while_charging_counts_too_when_it_comes_just_before_the_word_that_the_car_charges() -> None:
    memory = CarMemory()
    assert heard(memory, NOW, on=False, kw=0)["Wattage"] == (NOW, 0)
    assert heard(memory, NOW + 10, kw=11) == {"Wattage": (NOW + 10, AbsenceReason.NOT_CHARGING)}
    heard(memory, NOW + 15, left=90)
    told = heard(memory, NOW + 20, on=True)
    assert told == {"IsCharging": (NOW + 20, True), "Wattage": (NOW + 20, 11_000), "TimeToComplete": (NOW + 20, 90)}
    assert heard(memory, NOW + 30, kw=7)["Wattage"] == (NOW + 30, 7000)
    assert "Wattage" not in heard(memory, NOW + 40, on=True)


@pytest.mark.parametrize(("between_ms", "then"), [(HELD_MS + 1, {}), (10, {"kw": None}), (10, {"kw": "nan"})])
def test_what_was_said_long_before_charging_or_taken_back_does_not_count(between_ms: int, then: dict[str, Any]) -> None:
    memory = CarMemory()
    heard(memory, NOW, on=False, kw=11)
    heard(memory, NOW + 5, **then)
    assert "Wattage" not in heard(memory, NOW + between_ms, on=True)


def test_of_what_is_heard_in_one_instant_without_a_time_of_its_own_the_last_word_holds() -> None:
    memory = CarMemory()
    times = [heard(memory, NOW, on=on)["IsCharging"] for on in (True, False, True, False, False)]
    assert times == [(NOW, True), (NOW + 1, False), (NOW + 2, True), (NOW + 3, False), (NOW + 3, False)]
    assert heard(memory, NOW, kw=0)["Wattage"] == (NOW, 0), "another field waits for nobody"
    assert heard(memory, NOW + 2, on=True)["IsCharging"] == (NOW + 4, True)
    assert heard(memory, NOW - 5, on=False)["IsCharging"] == (NOW - 5, False), "late is late"
    assert heard(memory, NOW + 9, on=False)["IsCharging"] == (NOW + 9, False)
