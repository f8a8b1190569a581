"""Values that nobody reports are worked out and told apart; what is reported always beats them, in any order."""

import asyncio
import importlib
import random
from collections.abc import Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chargeport import tasks
from chargeport.clock import ManualClock
from chargeport.derivation.context import DERIVABLE
from chargeport.derivation.worker import Derivation
from chargeport.errors import StoreError
from chargeport.service import Service
from chargeport.settings import DatabaseSettings, Settings
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.effective import DERIVED
from chargeport.signals.ranks import derived_of
from chargeport.signals.reading import AbsenceReason, Entry
from chargeport.store.records import Outcome
from derived_cars import (
    AMPERAGE,
    CABLE,
    CAPACITY,
    CAR,
    CHARGING,
    FAST,
    HOUR,
    MINUTE,
    PHASES,
    RECORDS,
    SOC,
    STATUS,
    T0,
    TOTAL,
    VOLTAGE,
    WATTAGE,
    House,
    absent,
    night,
    reading,
)  # fmt: skip

DAY = 24 * HOUR
LIMITS, TIME = BY_CODE["charge-chargelimits"], BY_CODE["charge-timetocomplete"]


class Rounds:
    """Has derivation wait after each round until it is told to go on."""

    def __init__(self) -> None:
        self.idle, self._more = asyncio.Event(), asyncio.Event()

    async def wait(self, _: float) -> None:
        self.idle.set()
        await self._more.wait()
        self._more.clear()

    def next(self) -> None:
        self.idle.clear()
        self._more.set()


def volts_and_amperes(at: int = T0) -> list[Entry]:
    """What a car says that gives no power: on three phases at 16 A."""
    return [
        reading(CHARGING, True, at), reading(CABLE, True, at), reading(FAST, False, at), reading(PHASES, 3, at),
        reading(VOLTAGE, 230, at), reading(AMPERAGE, 16, at),
    ]  # fmt: skip


async def test_power_follows_from_voltage_current_and_phases_and_says_so(house: House) -> None:
    await house.take(volts_and_amperes())
    await house.work()
    shown = await house.read(WATTAGE)
    assert shown["attributes"]["body"] == {"value": 11_040, "unit": "watts"}
    assert shown["attributes"]["status"] == {"value": "SUCCESS"}
    assert shown["meta"]["source"] == "derived:wattage/voltage-amperage-phases@1"
    assert set(shown["meta"]["derivedFrom"]) >= {"charge-voltage", "charge-amperage", "charge-chargerphases"}
    assert shown["meta"]["oemUpdatedAt"] == "2026-05-01T10:00:00.000Z"
    assert "derivedFrom" not in (await house.read(VOLTAGE))["meta"]


async def test_what_waits_is_counted_until_all_that_follows_from_it_is_stored(house: House) -> None:
    rounds, stored = Rounds(), asyncio.Event()
    derivation = Derivation(house.store, house.settings, house.clock, rounds.wait, rest=asyncio.sleep)
    derivation.note(volts_and_amperes(), [Outcome.ACCEPTED] * 6)
    assert derivation.waiting == 0, "another process may derive"
    running = asyncio.create_task(derivation.run())
    await rounds.idle.wait()
    assert derivation.waiting == 0
    house.store.readings.on_written(lambda entries, _: stored.set() if entries[0].source == DERIVED else None)
    for power in (volts_and_amperes(), [reading(AMPERAGE, 10, T0 + MINUTE)], [reading(VOLTAGE, 230, T0 + 2 * MINUTE)]):
        house.clock.move(MINUTE)
        derivation.note(power, await house.store.readings.write(power))
        assert derivation.waiting > 0
        rounds.next()
        await rounds.idle.wait()
        assert derivation.waiting == 0
    assert stored.is_set()
    await tasks.end(running)
    derivation.note(volts_and_amperes(), [Outcome.ACCEPTED] * 6)
    assert derivation.waiting == 0


async def no_names(references: Sequence[str]) -> dict[str, str]:
    """`ids_of` where it must not be needed."""
    assert not references
    return {}


async def test_a_change_is_collected_from_the_feed_alone(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await house.take(volts_and_amperes())
    with monkeypatch.context() as patch:
        patch.setattr(house.store.vehicles, "ids_of", no_names)
        await house.derivation.work()
    assert (await house.read(WATTAGE))["attributes"]["body"]["value"] == 11_040


async def test_what_a_value_is_derived_from_are_the_reported_signals_it_went_by_this_time(house: House) -> None:
    await house.take([reading(VOLTAGE, 230, T0), reading(AMPERAGE, 16, T0), reading(PHASES, 3, T0), reading(CABLE, True, T0)])
    await house.work()
    assert (await house.read(WATTAGE))["meta"]["derivedFrom"] == ["charge-amperage", "charge-chargerphases", "charge-voltage"]
    charging = (await house.read(CHARGING))["meta"]  # no state of charge was told, though the rule would heed it
    assert charging["source"] == "derived:ischarging/wattage@1"
    assert "tractionbattery-stateofcharge" not in charging["derivedFrom"]


async def test_the_time_left_needs_nobody_to_say_that_it_is_ac_and_names_limit_and_capacity(house: House) -> None:
    reported: list[Entry] = [
        reading(CAPACITY, {"capacity": 60}, T0 - HOUR),
        reading(LIMITS, {"activeLimit": 80, "values": []}, T0 - HOUR),
        reading(SOC, 50, T0),
    ]
    for minute in range(15):
        at = T0 - minute * MINUTE
        reported += [reading(CHARGING, True, at), reading(WATTAGE, 7200, at)]
    await house.take(reported)
    await house.work()
    await house.work()
    shown = await house.read(TIME)
    assert shown["attributes"]["body"]["value"] == pytest.approx(18 / (7.2 * 0.925) * 60, rel=0.05)
    assert {"charge-chargelimits", "tractionbattery-nominalcapacity"} <= set(shown["meta"]["derivedFrom"])


async def test_the_phases_are_enough_to_tell_a_mains_voltage(house: House) -> None:
    await house.take([reading(WATTAGE, 7360, T0), reading(AMPERAGE, 32, T0), reading(PHASES, 1, T0)])
    await house.work()
    assert (await house.read(VOLTAGE))["attributes"]["body"]["value"] == 230


async def test_a_car_of_which_only_old_values_were_known_is_not_kept_waiting(house: House) -> None:
    await house.take([reading(WATTAGE, 5000, T0 - 5 * HOUR)])
    await house.derivation.resume()
    await house.derivation.work()
    house.clock.move(2)
    await house.take([reading(VOLTAGE, 230, T0), reading(AMPERAGE, 10, T0), reading(PHASES, 1, T0)])
    await house.derivation.work()
    assert (await house.read(WATTAGE))["attributes"]["body"]["value"] == 2300


async def test_what_comes_a_few_seconds_later_is_worked_out_a_few_seconds_later(house: House) -> None:
    reported = night()
    house.clock.move(24 * 3600)
    await house.take([each for each in reported if each.observed_at <= T0 + HOUR])
    await house.derivation.work()
    assert await house.records() == []  # the cable is in, for all that is known
    house.clock.move(3)
    await house.take([each for each in reported if each.observed_at > T0 + HOUR])
    await house.derivation.work()
    (record,) = await house.records()
    assert record["endTime"] == "2026-05-01T12:00:00.000Z"


async def test_a_session_of_unknown_energy_makes_no_total(house: House) -> None:
    reported = [each for each in night() if each.signal in (CHARGING, CABLE)]
    await house.take(reported)
    house.clock.move(24 * 3600)
    await house.work()
    assert len(await house.records()) == 1
    assert await house.total_kwh() is None


@pytest.mark.parametrize("reported_at", [T0, T0 + MINUTE])
@pytest.mark.parametrize("comes_first", [True, False])
async def test_a_reported_value_beats_a_derived_one_whenever_it_comes(
    house: House, reported_at: int, comes_first: bool
) -> None:
    reported = reading(WATTAGE, 10_700, reported_at, "meter")
    if comes_first:
        await house.take([reported])
    await house.take(volts_and_amperes())
    await house.work()
    if not comes_first:
        await house.take([reported])
    house.clock.move(60)
    await house.work()
    shown = await house.read(WATTAGE)
    assert shown["attributes"]["body"]["value"] == 10_700
    assert shown["meta"]["source"] == "meter"
    if comes_first:
        assert await house.derived(WATTAGE) is None, "nothing is derived for what was reported"


async def test_a_value_from_before_the_charging_began_gives_way_to_a_derived_one(house: House) -> None:
    await house.take([reading(WATTAGE, 10_700, T0 - 3 * MINUTE, "meter"), *volts_and_amperes()])
    await house.work()
    shown = await house.read(WATTAGE)
    assert (shown["attributes"]["body"]["value"], shown["meta"]["source"].split(":")[0]) == (11_040, "derived")


async def test_the_same_readings_in_any_order_show_the_same_values(house: House) -> None:
    reported = [*volts_and_amperes(), reading(WATTAGE, 10_700, T0, "meter")]
    seen = set()
    for number, order in enumerate(random.Random(3).sample(list(permutations(reported)), 12)):
        at = T0 + number * HOUR
        house.clock.move((at - house.clock.now()) / 1000)
        for each in order:
            await house.take([reading(each.signal, each.value, at, each.source)])  # type: ignore[union-attr]
            await house.work()
        shown = [await house.read(signal) for signal in (WATTAGE, VOLTAGE, CHARGING)]
        seen.add(tuple((each["attributes"]["body"]["value"], each["meta"]["source"]) for each in shown))
    assert seen == {((10_700, "meter"), (230, "box"), (True, "box"))}


async def test_a_derived_live_value_is_over_with_the_session(house: House) -> None:
    await house.take(volts_and_amperes())
    await house.work()
    await house.take([reading(CHARGING, False, T0 + MINUTE)])
    house.clock.move(61)
    assert (await house.read(WATTAGE))["attributes"]["status"]["error"]["code"] == "NOT_CHARGING"
    await house.work()
    shown = await house.read(WATTAGE)
    assert shown["attributes"]["status"]["value"] == "ERROR"
    assert "body" not in shown["attributes"] or shown["attributes"]["status"]["error"]["code"] == "NOT_CHARGING"


async def test_a_derived_live_value_ends_when_what_it_follows_from_grows_stale(house: House) -> None:
    """Its inputs stand for three minutes here, and it for no longer, though nothing is reported at their end."""
    from chargeport.signals.freshness import Freshness

    codes = {signal.code: 3 * MINUTE for signal in (VOLTAGE, AMPERAGE)}
    house.store.readings.set_freshness(Freshness(learnt={"box": codes}))
    await house.take(volts_and_amperes())
    await house.work()
    assert (await house.read(WATTAGE))["attributes"]["status"]["value"] == "SUCCESS"
    house.clock.move(181)
    await house.work()
    shown = await house.read(WATTAGE)
    assert shown["attributes"]["status"]["value"] == "ERROR"
    assert shown["meta"]["ingestedAt"] >= "2026-05-01T10:03:00.000Z"
    await house.take([reading(VOLTAGE, 230, T0 + 4 * MINUTE), reading(AMPERAGE, 16, T0 + 4 * MINUTE)])
    house.clock.move(60)
    await house.work()
    assert (await house.read(WATTAGE))["attributes"]["body"]["value"] == 11_040, "and is back with them"


async def test_a_car_with_nothing_but_a_status_charges_and_has_a_cable_in(house: House) -> None:
    await house.take([reading(STATUS, "CHARGING", T0)])
    await house.work()
    for signal in (CHARGING, CABLE):
        shown = await house.read(signal)
        assert shown["attributes"]["body"]["value"] is True
        assert shown["meta"]["derivedFrom"] == ["charge-detailedchargingstatus"]
    await house.take([reading(STATUS, "DISCONNECTED", T0 + MINUTE)])
    house.clock.move(61)
    await house.work()
    assert (await house.read(CHARGING))["attributes"]["body"]["value"] is False
    assert (await house.read(CABLE))["attributes"]["body"]["value"] is False


async def test_a_cable_that_was_seen_by_its_charging_is_unknown_after_it(house: House) -> None:
    await house.take([reading(CHARGING, True, T0)])
    await house.work()
    assert (await house.read(CABLE))["attributes"]["body"]["value"] is True
    await house.take([reading(CHARGING, False, T0 + MINUTE)])
    house.clock.move(61)
    await house.work()
    shown = await house.read(CABLE)
    assert shown["attributes"]["status"]["value"] == "ERROR", "it may be in or out"


async def test_confirmations_keep_a_derived_value_alive(house: House) -> None:
    await house.take(volts_and_amperes())
    await house.work()
    for minute in range(5, 61, 5):
        house.clock.move(300)
        await house.take(volts_and_amperes(T0 + minute * MINUTE))
        await house.work()
    assert (await house.read(WATTAGE))["meta"]["oemUpdatedAt"] == "2026-05-01T11:00:00.000Z"
    assert len(await house.store.history.history(CAR.id, WATTAGE, source=DERIVED, limit=10)) == 1, (
        "no row for what is unchanged"
    )


async def test_what_a_source_says_it_can_t_tell_is_derived_all_the_same(house: House) -> None:
    await house.take([absent(WATTAGE, AbsenceReason.NOT_CAPABLE, T0), *volts_and_amperes()])
    await house.work()
    assert (await house.read(WATTAGE))["attributes"]["body"]["value"] == 11_040


async def test_a_car_that_reports_everything_costs_no_derivation(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = [reading(signal, signal.example["value"], T0) for signal in DERIVABLE]
    await house.take(everything)
    await house.work()
    found = await house.store.readings.signals(CAR.id)
    assert found is not None
    assert not [state for states in found.series.values() for state in states if state.source == DERIVED]
    house.derivation.note(everything, [Outcome.UNCHANGED] * len(everything))
    house.clock.move(30)
    with monkeypatch.context() as patch:
        patch.setattr("chargeport.derivation.values.ValueDeriver.of", None)
        assert not await house.derivation.work(), "it is not looked at again for a minute"


async def test_energy_and_time_of_a_whole_session_are_worked_out_as_it_goes(house: House) -> None:
    capacity = reading(BY_CODE["tractionbattery-nominalcapacity"], {"capacity": 60}, T0 - HOUR)
    await house.take([capacity, reading(BY_CODE["charge-chargelimits"], {"activeLimit": 80, "values": []}, T0 - HOUR)])
    reported = night(hours=2)
    energies = []
    for at in range(T0, T0 + 2 * HOUR, 5 * MINUTE):
        house.clock.move((at - house.clock.now()) / 1000 + 1)
        await house.take([each for each in reported if at - 5 * MINUTE < each.observed_at <= at or each.observed_at < T0 == at])
        await house.work()
        found = await house.state(BY_CODE["charge-energyadded"])
        energies.append(0.0 if found is None else float(found.value))  # type: ignore[arg-type]
    assert energies == sorted(energies)
    assert energies[-1] == pytest.approx(7.4 * 115 / 60 * 0.9, rel=0.05)
    left = await house.state(BY_CODE["charge-timetocomplete"])
    assert left is not None
    assert left.source is not None
    assert left.rule is not None
    assert left.rule.startswith("timetocomplete/")


async def test_a_running_service_derives_and_keeps_records_by_itself(tmp_path: Path) -> None:
    """With its own clock, doorbell and tasks; and lets go at once when it is closed."""
    settings = Settings(database=DatabaseSettings(url=f"sqlite:///{tmp_path}/a.db"))
    service = Service.open(settings, ManualClock(T0 + DAY))
    await service.store.vehicles.add_vehicle(CAR)
    await service.start()
    try:
        await service.store.readings.write([*night(), *volts_and_amperes(T0 + DAY)])
        async with asyncio.timeout(10):
            while True:
                found = await service.store.readings.signals(CAR.id)
                assert found is not None
                if all(derived_of(found.series, signal) for signal in (WATTAGE, RECORDS, TOTAL)):
                    break
                await service.doorbell.wait(0.1)
    finally:
        await service.close()


@pytest.mark.parametrize("broken", ["values.derive", "sessions.recompute"])
async def test_a_car_that_can_t_be_worked_out_holds_up_no_other(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, broken: str
) -> None:
    other = msgspec.structs.replace(CAR, id="0b0c6b0e-1b5e-4d6e-9b3f-2f8f5f2a7c99", vin=None)
    await house.store.vehicles.add_vehicle(other)
    module, _, name = broken.partition(".")
    original, calls = getattr(importlib.import_module(f"chargeport.derivation.{module}"), name), []

    def fail_at_first(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 1:
            raise ZeroDivisionError
        return original(*arguments)

    monkeypatch.setattr(f"chargeport.derivation.{broken}", fail_at_first)
    readings = [*night(T0 - DAY), *volts_and_amperes()]
    await house.take([*readings, *(msgspec.structs.replace(each, vehicle=other.id) for each in readings)])  # type: ignore[type-var]
    await house.work()
    assert len(calls) >= 2
    assert f"the {'values' if name == 'derive' else 'sessions'} of vehicle " in caplog.text
    states = [await house.store.readings.signals(each.id) for each in (CAR, other)]
    signal = WATTAGE if name == "derive" else RECORDS
    assert [derived_of(found.series, signal) is not None for found in states if found is not None] == [False, True]


async def test_a_store_that_fails_loses_no_work(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await house.take([*night(T0 - DAY), *volts_and_amperes()])
    for part, name in (
        ("sessions", "changed_since"), ("readings", "signals"), ("sessions", "replace_sessions"), ("readings", "write"),
        ("notes", "remember"),
    ):  # fmt: skip

        async def fail(*_: Any) -> None:
            raise StoreError("the disk is full")

        with monkeypatch.context() as patch:
            patch.setattr(getattr(house.store, part), name, fail)
            assert await house.derivation._tried(house.derivation.work) is None
    await house.work()
    assert (await house.read(WATTAGE))["attributes"]["body"]["value"] == 11_040
    assert len(await house.records()) == 1


async def test_what_is_derived_is_told_by_its_own_past(house: House) -> None:
    """`?at=` and history know the twin."""
    await house.take(volts_and_amperes())
    await house.work()
    house.clock.move(600)
    past = await house.store.history.series_at(CAR.id, T0 + MINUTE)
    assert past is not None
    assert past.series[WATTAGE.key][0].value == 11_040


async def test_what_is_derived_of_many_cars_in_a_round_is_one_write(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write wakes every stream of the fleet."""
    cars = [msgspec.structs.replace(CAR, id=f"car-{number}", vin=None) for number in range(5)]
    for car in cars:
        await house.store.vehicles.add_vehicle(car)
        await house.take([msgspec.structs.replace(entry, vehicle=car.id) for entry in night()])
    writes = []
    write = house.store.readings.write

    async def counted(entries: Sequence[Entry], only_for: str | None = None) -> list[Outcome]:
        writes.append({entry.vehicle for entry in entries})
        return await write(entries, only_for)

    monkeypatch.setattr(house.store.readings, "write", counted)
    await house.work()
    assert writes == [{car.id for car in cars}]
