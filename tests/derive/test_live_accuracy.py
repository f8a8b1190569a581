"""The stated errors of derived energy, time and rate, in short: `python -m benchmarks.accuracy` has the whole table."""

import pytest
from benchmarks import accuracy


def test_the_check_session_is_the_one_that_was_measured() -> None:
    course = accuracy.check_course()
    wall_kwh = sum(voltage_v * current_a for voltage_v, current_a, _ in course) / 3_600_000
    assert wall_kwh == pytest.approx(10.61, abs=0.05)
    assert wall_kwh * accuracy.CHECK_EFFICIENCY == pytest.approx(10.06, abs=0.06)
    assert 60 <= len(course) / 60 <= 75


@pytest.mark.parametrize("every_s", [60, 300])
def test_the_check_session_is_within_the_targets_for_a_car_nothing_was_learnt_of(every_s: int) -> None:
    usual = accuracy.usual(accuracy.check_errors(every_s, offsets=5))
    assert accuracy.misses(usual, every_s) == [], usual


@pytest.mark.parametrize("every_s", [60, 300])
def test_the_check_session_is_within_the_targets_once_the_efficiency_is_learnt(every_s: int) -> None:
    usual = accuracy.usual(accuracy.check_errors(every_s, accuracy.check_learnt(), offsets=5))
    assert accuracy.misses(usual, every_s) == [], usual


@pytest.mark.parametrize("whole_kw", [False, True])
@pytest.mark.parametrize("is_learnt", [False, True])
def test_the_check_session_is_near_its_target_at_the_worst_times_of_polls_too(is_learnt: bool, whole_kw: bool) -> None:
    car = accuracy.check_learnt(whole_kw=whole_kw) if is_learnt else accuracy.CHECK_CAR
    worst = accuracy.worst(accuracy.check_errors(300, car, whole_kw=whole_kw))
    assert accuracy.misses(worst, 300, is_worst=True) == [], worst


@pytest.mark.parametrize("every_s", [60, 300, 900])
@pytest.mark.parametrize("case", accuracy.CASES, ids=lambda case: case.name)
def test_a_simulated_session_is_within_the_targets(case: accuracy.Case, every_s: int) -> None:
    errors = accuracy.simulated_errors(case, every_s, accuracy.facts(case))
    assert accuracy.misses(errors, every_s, is_dc=case.station.kind == "DC") == [], errors


@pytest.mark.parametrize("case", accuracy.CASES[2:4], ids=lambda case: case.name)
def test_so_it_is_with_what_two_sessions_taught_in_place_of_a_curve(case: accuracy.Case) -> None:
    errors = accuracy.simulated_errors(case, 60, accuracy.learnt_facts(case, 60))
    assert accuracy.misses(errors, 60) == [], errors
    assert any("learnt" in rule for rule in errors.rules)
