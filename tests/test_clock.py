import asyncio

from chargeport.clock import ManualClock, ScaledClock, SystemClock


async def test_a_manual_clock_moves_only_when_told_and_when_somebody_sleeps() -> None:
    clock = ManualClock(1000)
    assert clock.now() == clock.now() == 1000
    clock.move(2.5)
    assert clock.now() == 3500
    await asyncio.wait_for(clock.sleep(3600), 1)
    assert clock.now() == 3_603_500


async def test_a_scaled_clock_sleeps_shorter_the_faster_it_runs() -> None:
    clock = ScaledClock(3600, at=5_000)
    await asyncio.wait_for(clock.sleep(36), 1)
    assert clock.now() - 5_000 >= 36_000


async def test_the_system_clock_sleeps_by_its_own_time() -> None:
    clock = SystemClock()
    before = clock.now()
    await clock.sleep(0.005)
    assert clock.now() - before >= 4
