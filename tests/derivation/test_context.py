"""What the rules are given: a long session in few samples, read seldom, that say the same as all of them."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from chargeport.derivation import histories
from chargeport.derivation.context import ContextReader, every_effective
from chargeport.derivation.samples import POINTS, thinned
from chargeport.derivation.vehicles import FactsReader
from chargeport.derive.live.inputs import Sample
from chargeport.derive.series import energy
from derived_cars import CAR, CHARGING, HOUR, MINUTE, SOC, T0, WATTAGE, House, reading

DAY = 24 * HOUR


def wavering(hours: int, every_s: int, pause: range = range(0)) -> list[Sample]:
    """Solar charging: power that goes up and down, and stops for some minutes."""
    rng = random.Random(1)
    found = []
    for at in range(0, hours * HOUR, every_s * 1000):
        power_w = 0.0 if at // MINUTE in pause else 2000.0 + 1000 * ((at // HOUR) % 3) + rng.uniform(-200, 200)
        found.append(Sample(T0 + at, power_w))
    return found


@pytest.mark.parametrize("every_s", [2, 10, 30])
@pytest.mark.parametrize("pause", [range(0), range(100, 140)])
def test_a_thinned_session_keeps_its_energy_and_its_ends(every_s: int, pause: range) -> None:
    whole = wavering(10, every_s, pause)
    few = thinned(WATTAGE, whole)
    assert len(few) < POINTS + 2 * 300 // every_s + 10
    assert [few[0], few[-1]] == [whole[0], whole[-1]]
    assert [sample.at for sample in few] == sorted({sample.at for sample in few})
    expected, found = energy(whole, T0), energy(few, T0)
    assert expected is not None
    assert found is not None
    assert found.kwh == pytest.approx(expected.kwh, rel=0.005)


def test_a_thinned_state_of_charge_never_runs_ahead() -> None:
    whole = [Sample(T0 + second * 1000, 20 + second // 600) for second in range(0, 36_000, 10)]
    few = thinned(SOC, whole)
    assert set(few) <= set(whole)
    assert few[-1] == whole[-1]
    assert len(few) < 400


def test_few_samples_stay_as_they_are() -> None:
    whole = wavering(1, 60)
    assert thinned(WATTAGE, whole) == whole


async def counting(house: House, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How often the course of a session was read from the store."""
    reads = 0
    original = histories.tracks

    async def counted(*args: Any) -> Any:
        nonlocal reads
        reads += 1
        return await original(*args)

    monkeypatch.setattr(histories, "tracks", counted)
    return lambda: reads


async def test_a_session_that_goes_on_is_read_seldom_and_known_to_its_newest_report(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = await counting(house, monkeypatch)
    contexts = ContextReader(house.store, FactsReader(house.store, house.settings, house.clock))
    await house.store.readings.write([reading(CHARGING, True, T0), reading(WATTAGE, 7000, T0)])
    for second in range(5, 3600, 5):
        at = T0 + second * 1000
        house.clock.move(5)
        await house.store.readings.write([reading(CHARGING, True, at), reading(WATTAGE, 7000 + second % 7, at)])
        found = await house.store.readings.signals(CAR.id)
        assert found is not None
        context = await contexts.of(found, every_effective(found, house.store.readings.ranks, at), house.clock.now())
        assert context is not None
        assert context.session is not None
        assert context.session.started_at == T0
        assert context.session.power[-1] == Sample(at, 7000 + second % 7)
    assert reads() < 160, "of 720 looks"
    assert len(context.session.power) < 1000  # type: ignore[union-attr]


async def test_a_new_session_has_nothing_of_the_one_before(house: House) -> None:
    contexts = ContextReader(house.store, FactsReader(house.store, house.settings, house.clock))

    async def course(at: int) -> list[float] | None:
        house.clock.move((at - house.clock.now()) / 1000)
        found = await house.store.readings.signals(CAR.id)
        assert found is not None
        context = await contexts.of(found, every_effective(found, house.store.readings.ranks, at), at)
        assert context is not None
        return None if context.session is None else [sample.value for sample in context.session.power]

    await house.store.readings.write([reading(CHARGING, True, T0), reading(WATTAGE, 7000, T0)])
    assert await course(T0 + 1000) == [7000]
    await house.store.readings.write([reading(CHARGING, False, T0 + MINUTE), reading(WATTAGE, 0, T0 + MINUTE)])
    assert await course(T0 + MINUTE + 1) is None
    await house.store.readings.write([reading(CHARGING, True, T0 + HOUR), reading(WATTAGE, 3000, T0 + HOUR)])
    assert await course(T0 + HOUR + 1) == [3000]


async def test_a_session_knows_when_its_source_last_denied_charging_and_the_state_of_charge_then(house: House) -> None:
    contexts = ContextReader(house.store, FactsReader(house.store, house.settings, house.clock))
    await house.store.readings.write(
        [
            *(reading(CHARGING, False, T0 + minute * MINUTE) for minute in (0, 5, 10)),
            *(reading(SOC, 50, T0 + minute * MINUTE) for minute in (0, 5, 10)),
            *(reading(CHARGING, True, T0 + minute * MINUTE) for minute in (15, 20)),
            *(reading(WATTAGE, 7000, T0 + minute * MINUTE) for minute in (15, 20)),
            *(reading(SOC, 51, T0 + minute * MINUTE) for minute in (15, 20)),
        ]
    )
    house.clock.move(20 * 60)
    found = await house.store.readings.signals(CAR.id)
    assert found is not None
    at = T0 + 20 * MINUTE
    context = await contexts.of(found, every_effective(found, house.store.readings.ranks, at), at)
    assert context is not None
    assert context.session is not None
    assert (context.session.started_at, context.session.idle_at, context.session.soc_before) == (
        T0 + 15 * MINUTE,
        T0 + 10 * MINUTE,
        50,
    )
    assert [sample.value for sample in context.session.soc] == [51, 51]
