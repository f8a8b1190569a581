"""Readings in any order, cut anywhere, repeated, with restarts and kills between writes leave what one go leaves."""

import random
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest

from chargeport.derivation.context import DERIVABLE
from chargeport.signals.effective import effective
from chargeport.signals.reading import AbsenceReason, Entry
from derived_cars import (
    AMPERAGE,
    CABLE,
    CAPACITY,
    CAR,
    CHARGING,
    ENERGY,
    HOUR,
    LOCATION,
    MINUTE,
    PHASES,
    RECORDS,
    SOC,
    STATUS,
    T0,
    VOLTAGE,
    House,
    absent,
    night,
    reading,
)  # fmt: skip
from mortal_store import KilledError, Mortal

DAY = 24 * HOUR
EVER = 1 << 62


def life_of(rng: random.Random) -> list[Entry]:
    """Some days of a car and a wallbox: nights of charging, a status only, a climb of the charge, a list, positions."""
    entries: list[Entry] = [reading(CAPACITY, {"capacity": rng.choice([40, 60, 77])}, T0 - DAY)]
    for day in range(rng.randint(1, 3)):
        start = T0 + day * DAY
        kinds = rng.sample(["box", "car", "status", "climb", "list", "counter"], rng.randint(1, 3))
        hours = rng.choice([0.5, 1, 2])
        if "box" in kinds:
            entries += night(start, hours=hours, every_s=900)
        if "car" in kinds:
            entries += night(start + 2 * MINUTE, hours=hours, every_s=1200, source="car")
        if "status" in kinds:
            entries += [
                reading(STATUS, "CHARGING", start + 8 * HOUR, "app"),
                reading(STATUS, "DISCONNECTED", start + 9 * HOUR, "app"),
            ]
        if "climb" in kinds:
            entries += [reading(SOC, 20 + 5 * step, start + 14 * HOUR + step * 10 * MINUTE, "car") for step in range(7)]
        if "counter" in kinds:
            entries += counter_of(rng, start + rng.choice([0, 6 * HOUR]))
        if "list" in kinds:
            own = {"startTime": f"2026-04-{20 + day}T10:00:00.000Z", "endTime": f"2026-04-{20 + day}T11:00:00.000Z"}
            entries.append(
                reading(
                    RECORDS,
                    {"values": [own | {"energyAdded": 5.0 + day, "meterStart": 100, "meterEnd": 109, "id": f"e{day}"}]},
                    start + HOUR,
                    "evcc",
                )
            )
    for _ in range(rng.randint(0, 4)):
        at, source = T0 + rng.randrange(-DAY, 3 * DAY), rng.choice(["box", "car"])
        entries.append(reading(LOCATION, {"latitude": rng.choice([48.0, 52.5]), "longitude": 13.4}, at, source))
        if rng.random() < 0.3:
            entries.append(absent(LOCATION, rng.choice([*AbsenceReason]), at + rng.randrange(DAY), source))
    last = max(each.observed_at for each in entries) + HOUR
    entries += [reading(CABLE, True, last), reading(CHARGING, True, last), reading(PHASES, 3, last)]
    entries += [reading(VOLTAGE, 230, last + MINUTE), reading(AMPERAGE, 16, last + MINUTE), reading(SOC, 60, last + MINUTE)]
    return entries


def counter_of(rng: random.Random, start: int) -> list[Entry]:
    """A counter of a third source: from zero or not, gone for a while, back late, or begun anew; its charging said or not."""
    base, anew, gone = rng.choice([0, 4, 31]), rng.choice([99, 6]), rng.choice([99, 3, 9])
    kwh = [base + step if step < anew else step - anew for step in range(10)]
    entries = [
        reading(ENERGY, 0 if step == gone else each, start + step * 10 * MINUTE, "meter") for step, each in enumerate(kwh)
    ]
    if rng.random() < 0.5:
        entries += [reading(CHARGING, step < 10, start + step * 10 * MINUTE, "meter") for step in range(11)]
    if rng.random() < 0.3:
        entries += [reading(ENERGY, kwh[-1], start + 2 * HOUR, "meter"), reading(ENERGY, 0, start + 3 * HOUR, "meter")]
    return entries


async def outcome(house: House) -> dict[str, Any]:
    """Sessions, records, total and the derived values that are shown."""
    found = await house.store.readings.signals(CAR.id)
    assert found is not None
    shown = {}
    for signal in DERIVABLE:
        each = effective(signal, found.series, house.store.readings.ranks, house.clock.now())
        if each is not None and each.unavailability is None:
            shown[signal.code] = (each.state.value, each.state.source)
    sessions = [
        (each.started_at, msgspec.json.decode(each.body)) for each in await house.store.sessions.sessions(CAR.id, 0, EVER)
    ]
    return {"sessions": sessions, "records": await house.records(), "total": await house.total_kwh(), "values": shown}


async def settled(house: House, entries: Sequence[Entry]) -> dict[str, Any]:
    """What is known a while after the last report, once all is derived."""
    house.clock.move(max(0, max(each.observed_at for each in entries) + 2 * MINUTE - house.clock.now()) / 1000)
    for _ in range(2):  # a value may follow from a session that was found only now
        house.clock.move(61)
        await house.work()
    return await outcome(house)


async def killed_at_times(house: House, portions: Sequence[Sequence[Entry]], rng: random.Random) -> None:
    """Hand on the portions; the process is killed at some of its writes, or ends. What was not acknowledged comes again."""
    index = 0
    while index < len(portions):
        house.restart(Mortal(house.store, rng.randint(1, 40), after=rng.random() < 0.5))
        try:
            await house.derivation.resume()
            while index < len(portions):
                now = house.clock.now()
                await house.take(msgspec.structs.replace(each, received_at=now) for each in portions[index])  # type: ignore[type-var]
                index += 1
                if rng.random() < 0.7:
                    await house.work()
                if rng.random() < 0.1:
                    break
        except KilledError:
            continue
    house.restart()
    await house.derivation.resume()


@pytest.mark.parametrize("seed", [*range(12), 1032, 1049])  # the last two end with another open session than they had
async def test_any_arrival_leaves_what_one_go_leaves(seed: int) -> None:
    rng = random.Random(seed)
    life = life_of(rng)
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        at = max(each.observed_at for each in life) + MINUTE
        whole, torn = await House.open(Path(one), at=at), await House.open(Path(other), at=at)
        try:
            await whole.take(life)
            expected = await settled(whole, life)
            again = [*life, *rng.sample(life, len(life) // 4)]
            rng.shuffle(again)
            cuts = sorted(rng.sample(range(1, len(again)), min(len(again) - 1, rng.randint(1, 12))))
            portions = [again[start:end] for start, end in zip([0, *cuts], [*cuts, len(again)], strict=True)]
            await killed_at_times(torn, portions, rng)
            assert await settled(torn, life) == expected
        finally:
            await whole.store.close()
            await torn.store.close()


@pytest.mark.parametrize("seed", range(3))
async def test_a_life_as_it_happens_leaves_what_one_go_leaves(tmp_path: Path, seed: int) -> None:
    """Reported as it is observed, with restarts, and derived all the time."""
    rng = random.Random(seed)
    life: list[Entry] = [reading(CAPACITY, {"capacity": 60}, T0 - DAY), *night(hours=1, every_s=300)]
    life = sorted([*life, *night(T0 + 6 * HOUR, hours=2, every_s=300, source="car")], key=lambda each: each.observed_at)
    for folder in ("whole", "lived"):
        (tmp_path / folder).mkdir()
    whole = await House.open(tmp_path / "whole", at=max(each.observed_at for each in life) + MINUTE)
    await whole.take(life)
    expected = await settled(whole, life)
    lived = await House.open(tmp_path / "lived", at=T0 - DAY)
    for entry in life:
        lived.clock.move(max(0, entry.observed_at + 300 - lived.clock.now()) / 1000)
        await lived.take([entry])
        if rng.random() < 0.2:
            lived.restart()
            await lived.derivation.resume()
        if rng.random() < 0.6:
            await lived.work()
    found = await settled(lived, life)
    assert {name: found[name] for name in ("sessions", "records", "total")} == {
        name: expected[name] for name in ("sessions", "records", "total")
    }
    for house in (whole, lived):
        await house.store.close()


@pytest.mark.parametrize("seed", range(8))
async def test_forgetting_any_one_source_leaves_what_the_others_alone_would_have_given(tmp_path: Path, seed: int) -> None:
    """Sessions, records, the total and derived values too, whether or not they were derived before."""
    rng = random.Random(seed)
    life = life_of(rng)
    gone = rng.choice(sorted({each.source for each in life if each.signal is not CAPACITY}))
    rest = [each for each in life if each.source != gone]
    for folder in ("all", "rest"):
        (tmp_path / folder).mkdir()
    at = max(each.observed_at for each in life) + MINUTE
    whole, others = await House.open(tmp_path / "all", at=at), await House.open(tmp_path / "rest", at=at)
    try:
        rng.shuffle(life)
        for start in range(0, len(life), 40):
            await whole.take(life[start : start + 40])
            if rng.random() < 0.5:
                await whole.work()
        forgotten = await whole.store.readings.forget(gone)
        assert forgotten.history > 0
        if rng.random() < 0.5:
            whole.restart()
            await whole.derivation.resume()
        await others.take(rest)
        assert await settled(whole, life) == await settled(others, life)
    finally:
        await whole.store.close()
        await others.store.close()
