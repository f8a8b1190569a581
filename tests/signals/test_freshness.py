"""For how long a live value stands: what a person fixed, else what was learnt of its source, else the usual."""

from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.effective import DERIVED
from chargeport.signals.freshness import Freshness
from chargeport.signals.state import LIVE_FOR_MS

POWER, VOLTAGE = BY_CODE["charge-wattage"], BY_CODE["charge-voltage"]


def test_what_is_fixed_goes_before_what_was_learnt_and_that_before_the_usual() -> None:
    fresh = Freshness(9, {"charge-wattage": 1}, {"box": {"charge-wattage": 2, "charge-voltage": 3}})
    assert fresh.of("box", POWER) == fresh.of("car", POWER) == fresh.of(None, POWER) == 1
    assert (fresh.of("box", VOLTAGE), fresh.of("car", VOLTAGE), fresh.of(None, VOLTAGE)) == (3, 9, 9)


def test_a_derived_value_has_the_usual_time_unless_its_signal_has_a_fixed_one() -> None:
    fresh = Freshness(9, {"charge-wattage": 1}, {"box": {"charge-voltage": 3}})
    assert fresh.of(DERIVED, POWER) == 1
    assert fresh.of(DERIVED, VOLTAGE) == 9


def test_where_nothing_is_known_a_value_stands_for_the_usual_half_hour() -> None:
    assert Freshness().of("box", POWER) == LIVE_FOR_MS == Freshness().longest_ms


def test_the_longest_time_is_that_of_the_slowest_source_or_signal() -> None:
    assert Freshness(9, {"charge-wattage": 11}, {"box": {"charge-voltage": 10}}).longest_ms == 11
    assert Freshness(9, {}, {"box": {"charge-voltage": 10}, "car": {"charge-voltage": 7}}).longest_ms == 10
