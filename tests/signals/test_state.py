"""Whether what is known of a signal may be shown as true now, and if not, why and since when."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chargeport.signals.catalogue import BY_CODE, CATALOGUE, IS_CHARGING
from chargeport.signals.definition import Cadence
from chargeport.signals.effective import Ranks, Unavailability, effective
from chargeport.signals.reading import AbsenceReason
from chargeport.signals.state import LIVE_FOR_MS, State, stale_at

T0 = 1_777_629_598_000
WATTAGE = BY_CODE["charge-wattage"]
ENERGY = BY_CODE["charge-energyadded"]
NOT_CHARGING, UNREACHABLE, NOT_CAPABLE = AbsenceReason.NOT_CHARGING, AbsenceReason.UNREACHABLE, AbsenceReason.NOT_CAPABLE

# Observed by the car's clock at T0, received by ours 7 ms later.
POWER = State(WATTAGE, value=7200, observed_at=T0, changed_at=T0, received_at=T0 + 7)
ADDED = State(ENERGY, value=35.6, observed_at=T0, changed_at=T0, received_at=T0 + 7)
NEVER_SEEN = State(WATTAGE, absence=NOT_CAPABLE, absence_at=T0, absence_received_at=T0 + 7)


def charging(value: bool, since: int, confirmed: int | None = None) -> State:
    return State(IS_CHARGING, value=value, changed_at=since, observed_at=confirmed or since, received_at=since + 20)


def against(state: State, charge: State | None, now: int) -> Unavailability | None:
    """What there is against a value, with what is known of charge-ischarging."""
    series = {state.signal.key: (state,)} if charge is None else {charge.signal.key: (charge,), state.signal.key: (state,)}
    found = effective(state.signal, series, Ranks(), now)
    assert found is not None
    assert found.state is state
    return found.unavailability


def without(state: State, at: int) -> State:
    """The state after the source said, at `at`, that the car has no such thing."""
    return State(
        state.signal, state.value, state.observed_at, state.changed_at, state.received_at,
        absence=NOT_CAPABLE, absence_at=at, absence_received_at=at + 9,
    )  # fmt: skip


ENDS = T0 + LIVE_FOR_MS
HELD, SILENT = None, Unavailability(UNREACHABLE, ENDS)
NEVER = Unavailability(NOT_CAPABLE, T0 + 7)
OVER, LACKS = Unavailability(NOT_CHARGING, T0 + 21), Unavailability(NOT_CAPABLE, T0 + 10)

TABLE = {
    "a live value just observed": (POWER, None, T0, HELD),
    "a live value the moment before it is stale": (POWER, None, ENDS - 1, HELD),
    "a live value at the bound": (POWER, None, ENDS, SILENT),
    "a live value long after": (POWER, None, T0 + 10**10, SILENT),
    "a live value from ahead of our clock": (POWER, None, T0 - 60_000, HELD),
    "a live value while charging": (POWER, charging(True, T0 - 5), T0, HELD),
    "a live value while charging, stale": (POWER, charging(True, T0 - 5, ENDS), ENDS, SILENT),
    "the session ended after the value": (POWER, charging(False, T0 + 1), T0 + 2, OVER),
    "the session ended after the value, long ago": (POWER, charging(False, T0 + 1), T0 + 10**10, OVER),
    "the session ended with the value": (POWER, charging(False, T0), T0 + 2, HELD),
    "the session ended before the value": (POWER, charging(False, T0 - 1), T0 + 2, HELD),
    "the end of an earlier session is confirmed later": (POWER, charging(False, T0 - 1, T0 + 5), T0 + 6, HELD),
    "the session ended before the value, stale": (POWER, charging(False, T0 - 1), ENDS, SILENT),
    "nobody knows whether the car charges": (POWER, NEVER_SEEN, T0, HELD),
    "ischarging is not ended by itself": (charging(False, T0), charging(False, T0), T0, HELD),
    "ischarging said to be false by a later state of itself": (charging(True, T0), charging(False, T0 + 1), T0 + 2, HELD),
    "ischarging, stale": (charging(False, T0), charging(False, T0), ENDS, SILENT),
    "ischarging, confirmed since": (charging(False, T0, T0 + 50), None, ENDS, HELD),
    "what lasts, long after": (ADDED, None, T0 + 10**12, HELD),
    "what lasts, after the session": (ADDED, charging(False, T0 + 1), T0 + 2, HELD),
    "an absence newer than the value": (without(POWER, T0 + 1), None, T0 + 2, LACKS),
    "an absence as old as the value": (without(POWER, T0), None, T0 + 2, HELD),
    "an absence older than the value": (without(POWER, T0 - 1), None, T0 + 2, HELD),
    "an absence older than the value, stale": (without(POWER, T0 - 1), None, ENDS, SILENT),
    "an absence older than the value, session over": (without(POWER, T0 - 1), charging(False, T0 + 1), T0 + 2, OVER),
    "an absence newer than the value, session over": (without(POWER, T0 + 1), charging(False, T0 + 1), T0 + 2, LACKS),
    "an absence newer than the value, stale": (without(POWER, T0 + 1), None, ENDS, LACKS),
    "an absence of what lasts": (without(ADDED, T0 + 1), None, T0 + 10**12, LACKS),
    "an absence and never a value": (NEVER_SEEN, None, T0 + 10**12, NEVER),
    "an absence and never a value, session over": (NEVER_SEEN, charging(False, T0 + 1), T0 + 2, NEVER),
}


@pytest.mark.parametrize(("state", "charge", "now", "expected"), TABLE.values(), ids=TABLE)
def test_a_value_stands_until(state: State, charge: State | None, now: int, expected: Unavailability | None) -> None:
    assert against(state, charge, now) == expected


@pytest.mark.parametrize("signal", CATALOGUE, ids=lambda signal: signal.code)
def test_only_what_is_live_goes_stale(signal: object) -> None:
    state = State(signal, value=1, observed_at=T0, changed_at=T0, received_at=T0)  # type: ignore[arg-type]
    live = state.signal.cadence is Cadence.LIVE
    assert stale_at(state) == (T0 + 30 * 60_000 if live else None)
    assert (against(state, None, T0 + 10**12) is None) == (not live)


def test_a_value_never_seen_has_no_time_to_go_stale_at() -> None:
    assert stale_at(NEVER_SEEN) is None


@given(now=st.integers(T0 - 10**9, T0 + 10**9))
def test_a_value_is_stale_from_the_instant_that_is_announced(now: int) -> None:
    announced = stale_at(POWER)
    assert announced is not None
    assert against(POWER, None, now) == (Unavailability(UNREACHABLE, announced) if now >= announced else None)


@given(ended=st.integers(T0 - 100, T0 + 100), now=st.integers(T0, T0 + 10**9))
def test_what_is_over_never_comes_back_by_waiting(ended: int, now: int) -> None:
    charge = charging(False, ended)
    if against(POWER, charge, now) is not None:
        assert against(POWER, charge, now + 1) == against(POWER, charge, now)


@given(live_for=st.integers(1, 10**10), now=st.integers(T0 - 10**9, T0 + 2 * 10**10), code=st.sampled_from(sorted(BY_CODE)))
def test_a_live_value_stands_for_as_long_as_its_state_says_and_a_lasting_one_for_good(
    live_for: int, now: int, code: str
) -> None:
    state = State(BY_CODE[code], value=1, observed_at=T0, changed_at=T0, received_at=T0, live_for_ms=live_for)
    if BY_CODE[code].cadence is Cadence.LIVE:
        assert stale_at(state) == T0 + live_for
        assert against(state, None, now) == (Unavailability(UNREACHABLE, T0 + live_for) if now >= T0 + live_for else None)
    else:
        assert stale_at(state) is None
        assert against(state, None, now) is None


@given(live_for=st.integers(1, 10**8), longer=st.integers(1, 10**8), now=st.integers(T0, T0 + 10**9))
def test_more_time_never_ends_a_value_sooner(live_for: int, longer: int, now: int) -> None:
    brief = State(WATTAGE, value=1, observed_at=T0, changed_at=T0, received_at=T0, live_for_ms=live_for)
    patient = State(WATTAGE, value=1, observed_at=T0, changed_at=T0, received_at=T0, live_for_ms=live_for + longer)
    if against(brief, None, now) is None:
        assert against(patient, None, now) is None


@given(live_for=st.integers(1, 10**8), ended=st.integers(T0 + 1, T0 + 100))
def test_a_session_that_is_over_ends_a_value_however_long_it_may_stand(live_for: int, ended: int) -> None:
    state = State(WATTAGE, value=1, observed_at=T0, changed_at=T0, received_at=T0, live_for_ms=live_for)
    assert against(state, charging(False, ended), ended) == Unavailability(NOT_CHARGING, ended + 20)
