"""The spans in which a value stood are the instants at which its standing has nothing against it."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chargeport.signals.catalogue import BY_CODE, IS_CHARGING
from chargeport.signals.definition import Signal, Value
from chargeport.signals.reading import AbsenceReason
from chargeport.signals.spans import Span, not_charging, stood
from chargeport.signals.state import LIVE_FOR_MS, State, standing

STEP = LIVE_FOR_MS // 5
UNTIL = 40 * STEP

sightings = st.dictionaries(st.integers(0, 39), st.one_of(st.none(), st.integers(1, 2)), max_size=20).map(
    lambda seen: [(step * STEP, value) for step, value in sorted(seen.items())]
)
turns = st.dictionaries(st.integers(0, 39), st.sampled_from([True, False, None]), max_size=12).map(
    lambda seen: [(step * STEP, value) for step, value in sorted(seen.items())]
)

Seen = list[tuple[int, Value | None]]


def changes(seen: Seen) -> Seen:
    return [each for before, each in zip([(-1, "nothing"), *seen], seen, strict=False) if before[1] != each[1]]


def state_at(signal: Signal, seen: Seen, at: int) -> State | None:
    """The state as the store has it: newest value with first and last sighting, newest absence."""
    known = [each for each in seen if each[0] <= at]
    values = [each for each in known if each[1] is not None]
    gone = [each[0] for each in known if each[1] is None]
    if not known:
        return None
    times: dict[str, int] = {}
    if values:
        began = [each for each in changes(known) if each[1] is not None][-1][0]
        times = {"observed_at": values[-1][0], "changed_at": began, "received_at": began}
    absence = AbsenceReason.UNREADABLE if gone else None
    absence_at = gone[-1] if gone else None
    return State(signal, values[-1][1] if values else None, absence=absence, absence_at=absence_at, **times)


@pytest.mark.parametrize("code", ["charge-wattage", "tractionbattery-stateofcharge", "charge-ischarging"])
@given(seen=sightings, charging=turns)
def test_a_value_stood_whenever_its_standing_has_nothing_against_it(code: str, seen: Seen, charging: Seen) -> None:
    signal = BY_CODE[code]
    if signal is IS_CHARGING:
        seen = charging
    found = list(stood(signal, seen, not_charging(changes(charging), UNTIL), UNTIL))
    assert all(before.end <= after.start for before, after in pairwise(found))
    for at in range(0, UNTIL, STEP // 2):
        state = state_at(signal, seen, at)
        is_true = (
            state is not None and state.value is not None and standing(state, state_at(IS_CHARGING, charging, at), at) is None
        )
        spans = [span.value for span in found if span.start <= at < span.end]
        assert spans == ([state.value] if state is not None and is_true else [])


def test_nothing_is_said_of_the_end_and_later() -> None:
    lasting = BY_CODE["tractionbattery-stateofcharge"]
    assert list(stood(lasting, [(5, 1), (9, 2), (20, 3)], [], 15)) == [Span(5, 9, 1), Span(9, 15, 2)]


def test_a_live_value_stood_for_as_long_as_it_is_said_to_stand() -> None:
    power = BY_CODE["charge-wattage"]
    assert list(stood(power, [(0, 1), (100, 2), (1000, 3)], [], 5000, 250)) == [
        Span(0, 100, 1), Span(100, 350, 2), Span(1000, 1250, 3),
    ]  # fmt: skip
