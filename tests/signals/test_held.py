"""Who speaks for a signal: what was reported, as long as it stands; else what we derived."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chargeport.signals.catalogue import BY_CODE, IS_CHARGING, TWINS
from chargeport.signals.definition import Signal, Value
from chargeport.signals.held import SILENT_MS, charging_of, held, recorded
from chargeport.signals.reading import AbsenceReason
from chargeport.signals.state import LIVE_FOR_MS, State, standing

WATTAGE, CABLE = BY_CODE["charge-wattage"], BY_CODE["charge-ischargingcableconnected"]
RECORDS = BY_CODE["charge-chargerecords"]
NOW = 10_000_000


def known(signal: Signal, at: int, value: Value | None = 7000.0, absence_at: int | None = None) -> dict[int, State]:
    reason = None if absence_at is None else AbsenceReason.UNREADABLE
    seen_at = None if value is None else at
    return {signal.key: State(signal, value, seen_at, seen_at, seen_at, "x", absence=reason, absence_at=absence_at)}


def test_a_reported_value_that_stands_beats_a_derived_one_that_is_newer() -> None:
    states = known(WATTAGE, NOW - 1000, 1.0) | known(TWINS[WATTAGE], NOW, 2.0)
    assert held(states, WATTAGE, NOW) is states[WATTAGE.key]


def test_a_derived_value_speaks_where_what_was_reported_is_stale_or_gone() -> None:
    twin = known(TWINS[WATTAGE], NOW, 2.0)
    for reported in (known(WATTAGE, NOW - LIVE_FOR_MS), known(WATTAGE, NOW, absence_at=NOW + 1), known(WATTAGE, 0, None, NOW)):
        assert held(reported | twin, WATTAGE, NOW) is twin[TWINS[WATTAGE].key]
    assert held(twin, WATTAGE, NOW) is twin[TWINS[WATTAGE].key]


def test_where_neither_stands_the_reported_one_tells_why() -> None:
    states = known(WATTAGE, 0, 1.0) | known(TWINS[WATTAGE], 1, 2.0)
    assert held(states, WATTAGE, NOW) is states[WATTAGE.key]
    assert held({}, WATTAGE, NOW) is None


def test_derived_records_hold_the_reported_ones_too() -> None:
    states = known(RECORDS, NOW, "{}") | known(TWINS[RECORDS], NOW - 1000, "{}")
    assert held(states, RECORDS, NOW) is states[TWINS[RECORDS].key]


def test_what_ends_live_values_is_the_reported_flag_unless_it_fell_silent_long_before() -> None:
    twin = known(TWINS[IS_CHARGING], NOW, False)
    for reported_at, expected in ((NOW - SILENT_MS, IS_CHARGING), (NOW - SILENT_MS - 1, TWINS[IS_CHARGING])):
        charging = charging_of(known(IS_CHARGING, reported_at, True) | twin)
        assert charging is not None
        assert charging.signal is expected
    assert charging_of(known(IS_CHARGING, 0, None, NOW) | twin) is twin[TWINS[IS_CHARGING].key]
    assert charging_of({}) is None


@pytest.mark.parametrize("flag", [IS_CHARGING, TWINS[IS_CHARGING]])
def test_a_derived_live_value_is_over_once_the_car_stopped_whoever_knows_that(flag: Signal) -> None:
    states = known(flag, NOW, False) | known(TWINS[WATTAGE], NOW - 1, 2.0)
    state = held(states, WATTAGE, NOW)
    assert state is not None
    found = standing(state, charging_of(states), NOW)
    assert found is not None
    assert found.reason is AbsenceReason.NOT_CHARGING


@given(st.integers(0, 2 * NOW), st.integers(0, 2 * NOW), st.integers(0, 2 * NOW))
def test_what_is_held_never_stands_less_than_what_was_reported(reported_at: int, derived_at: int, now: int) -> None:
    states = known(CABLE, reported_at, True) | known(TWINS[CABLE], derived_at, False)
    state = held(states, CABLE, now)
    assert state is states[CABLE.key], "a lasting value that was reported is never overruled"


def test_history_is_that_of_the_reported_signal_unless_only_we_ever_knew_a_value() -> None:
    twin, absent = known(TWINS[WATTAGE], NOW), known(WATTAGE, 0, None, NOW)
    assert recorded(known(WATTAGE, 0), WATTAGE) is WATTAGE
    assert recorded(known(WATTAGE, 0) | twin, WATTAGE) is WATTAGE
    assert recorded(absent | twin, WATTAGE) is TWINS[WATTAGE]
    assert recorded(twin, WATTAGE) is TWINS[WATTAGE]
    assert recorded({}, WATTAGE) is WATTAGE
    assert recorded(known(RECORDS, NOW, "{}") | known(TWINS[RECORDS], NOW, "{}"), RECORDS) is TWINS[RECORDS]
