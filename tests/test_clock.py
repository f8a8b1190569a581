import asyncio
import math

from chargeport.clock import ManualClock, SimulatedClock, SteadyClock, SystemClock


async def test_a_manual_clock_moves_only_when_it_is_set_and_when_somebody_sleeps() -> None:
    clock = ManualClock(1000)
    assert clock.now() == clock.now() == 1000
    clock.move(2.5)
    assert clock.now() == 3500
    await asyncio.wait_for(clock.sleep(3600), 1)
    assert clock.now() == 3_603_500


async def test_a_simulated_clock_sleeps_shorter_the_faster_it_runs() -> None:
    clock = SimulatedClock(3600, at=5_000)
    await asyncio.wait_for(clock.sleep(36), 1)
    assert clock.now() - 5_000 >= 36_000


def test_a_clock_tells_how_long_it_takes_by_the_machines() -> None:
    assert SimulatedClock(60).machine_s(90) == 1.5
    assert SimulatedClock(0).machine_s(90) == math.inf
    assert [clock.machine_s(90) for clock in (SystemClock(), SteadyClock(), ManualClock(0))] == [90, 90, 90]


async def test_a_simulated_clock_at_speed_0_moves_only_when_it_is_set() -> None:
    clock = SimulatedClock(0, at=5_000)
    sleeper = asyncio.create_task(clock.sleep(60))
    await asyncio.sleep(0)
    clock.set(64_999)
    await asyncio.sleep(0)
    assert clock.now() == 64_999
    assert not sleeper.done()
    clock.set(65_000)
    await asyncio.wait_for(sleeper, 1)
    clock.set(1_000)
    assert clock.now() == 65_000, "it is never set back"


async def test_a_simulated_clock_continues_where_it_stopped() -> None:
    clock = SimulatedClock(0, at=5_000)
    sleeper = asyncio.create_task(clock.sleep(36))
    await asyncio.sleep(0)
    clock.run(3600)
    await asyncio.wait_for(sleeper, 1)
    clock.run(0)
    stopped_at = clock.now()
    assert stopped_at >= 41_000
    assert clock.now() == stopped_at


async def test_the_system_clock_sleeps_by_its_own_time() -> None:
    clock = SystemClock()
    before = clock.now()
    await clock.sleep(0.005)
    assert clock.now() - before >= 4
