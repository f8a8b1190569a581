"""The budget of a source that polls."""

from hypothesis import given
from hypothesis import strategies as st
from source_world import T0, KeptMemory

from chargeport.clock import ManualClock
from chargeport.sources.budget import DAY_MS, HOUR_MS, Budget

Steps = st.lists(st.tuples(st.floats(0, 40_000), st.booleans()), max_size=60)


@given(Steps, st.integers(1, 5), st.integers(1, 8))
async def test_within_no_hour_and_no_day_are_there_more_requests_than_allowed_however_often_it_restarts(
    steps: list[tuple[float, bool]], per_hour: int, per_day: int
) -> None:
    memory, clock = KeptMemory(), ManualClock(T0)
    budget = Budget(memory, clock, "car", per_hour=per_hour, per_day=per_day)
    made: list[int] = []
    for wait_s, restart in steps:
        clock.move(wait_s)
        if restart:
            budget = Budget(memory, clock, "car", per_hour=per_hour, per_day=per_day)
        left = await budget.left()
        assert left is not None
        allowed = await budget.spend()
        assert allowed is (left > 0)
        if allowed:
            made.append(clock.now())
            assert await budget.left() == left - 1
    for at in made:
        assert sum(at - HOUR_MS < one <= at for one in made) <= per_hour
        assert sum(at - DAY_MS < one <= at for one in made) <= per_day


async def test_a_request_is_possible_again_exactly_when_it_says_so() -> None:
    clock = ManualClock(T0)
    budget = Budget(KeptMemory(), clock, "car", per_hour=2)
    assert await budget.spend()
    clock.move(600)
    assert await budget.spend()
    assert not await budget.spend()
    assert await budget.next_at() == T0 + HOUR_MS
    clock.move(2999.999)
    assert await budget.left() == 0
    clock.move(0.001)
    assert await budget.left() == 1
    assert await budget.spend()


async def test_silence_that_was_asked_for_outlasts_a_restart_and_is_not_shortened() -> None:
    memory, clock = KeptMemory(), ManualClock(T0)
    await Budget(memory, clock, "car").silence(900)
    again = Budget(memory, clock, "car")
    await again.silence(10)
    assert await again.left() == 0
    assert not await again.spend()
    clock.move(900)
    assert await again.spend()
    assert await again.left() is None


async def test_without_limits_nothing_is_counted_and_what_is_not_ours_is_forgotten() -> None:
    memory = KeptMemory()
    memory.kept["car"] = "[broken"
    budget = Budget(memory, ManualClock(T0), "car")
    assert all([await budget.spend() for _ in range(1000)])
    assert len(memory.kept["car"]) < 100


def test_half_of_the_budget_is_kept_for_charging() -> None:
    budget = Budget(KeptMemory(), ManualClock(T0), "car", per_hour=60, per_day=50)
    assert budget.idle_interval_s(300) == 2 * 86_400 / 50
    assert budget.idle_interval_s(5000) == 5000
    assert Budget(KeptMemory(), ManualClock(T0), "car").idle_interval_s(300) == 300
