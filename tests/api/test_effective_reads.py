"""Readings of three sources on one car, in any order, cut anywhere, repeated: every reader says what an oracle says."""

import random
from collections.abc import Iterator
from typing import Any

import pytest

from chargeport.signals.catalogue import BY_KEY, CABLE_CONNECTED, IS_CHARGING
from chargeport.signals.definition import Signal, Value
from chargeport.signals.effective import Ranks
from chargeport.signals.instants import instant_ms
from chargeport.signals.reading import Reading
from chargeport.signals.sweep import Report, Reports
from chargeport.store.records import Vehicle
from effective_oracle import HOME, MIN, OFFICE, WATTAGE, Oracle
from listening import Listener
from world import T0, Client, World

SOURCES = (HOME, OFFICE, "car")
SIGNALS = (WATTAGE, IS_CHARGING, CABLE_CONNECTED)
VALUES: dict[Signal, list[Value]] = {WATTAGE: [0, 3000, 11_000], IS_CHARGING: [True, False], CABLE_CONNECTED: [True, False]}
ORDERS: list[dict[Signal, list[str]]] = [{}, {WATTAGE: ["car", HOME]}, {IS_CHARGING: ["car", HOME]}]
BEGIN, LENGTH = T0 - T0 % (60 * MIN) - 300 * MIN, 240  # minutes
CASES = [(seed, order) for seed in range(4) for order in range(len(ORDERS))]

pytestmark = pytest.mark.parametrize(("seed", "order"), CASES)


class Case:
    """Some readings, stored in any order, and what the oracle says of them."""

    def __init__(self, car: Vehicle, seed: int, order: int) -> None:
        self.chance = random.Random(seed)
        self.ranks = Ranks(ORDERS[order], (HOME, OFFICE))
        self.readings = list(self._readings(car))
        self.reports: Reports = self._reports()

    def _readings(self, car: Vehicle) -> Iterator[Reading]:
        places = [(signal, source, minute) for signal in SIGNALS for source in SOURCES for minute in range(LENGTH)]
        for signal, source, minute in self.chance.sample(places, 90):
            at = BEGIN + minute * MIN
            yield Reading(car.id, signal, self.chance.choice(VALUES[signal]), at, at, source)

    def _reports(self) -> dict[int, dict[str, list[Report]]]:
        found: dict[int, dict[str, list[Report]]] = {}
        for each in sorted(self.readings, key=lambda reading: reading.observed_at):
            report = Report(each.observed_at, each.received_at, each.value)
            found.setdefault(each.signal.key, {}).setdefault(each.source, []).append(report)
        return found

    def at(self, minute: int) -> Oracle:
        return Oracle(self.reports, self.ranks, BEGIN + minute * MIN)

    async def stored(self, world: World) -> None:
        """Shuffled, cut anywhere, a third of it twice."""
        world.store.readings.set_ranks(self.ranks)
        sent = self.readings + self.chance.sample(self.readings, len(self.readings) // 3)
        self.chance.shuffle(sent)
        while sent:
            cut = self.chance.randrange(1, 20)
            await world.store.readings.write(sent[:cut])
            sent = sent[cut:]


async def get(world: World, app: Client, path: str) -> Any:
    response = await world.client.get(path, headers=app.headers)
    assert response.status_code in (200, 404), response.text
    return response.json()


def value_of(resource: dict[str, Any]) -> tuple[Any, Any] | None:
    attributes = resource["attributes"]
    if attributes["status"]["value"] != "SUCCESS":
        return None
    return attributes["body"]["value"], resource["meta"]["source"]


async def test_both_reads_are_what_the_oracle_says_now_and_at_any_instant(
    world: World, app: Client, car: Vehicle, seed: int, order: int
) -> None:
    case = Case(car, seed, order)
    await case.stored(world)
    path = f"/v3/vehicles/{car.id}/signals"
    world.clock.move((BEGIN + (LENGTH - 1) * MIN - T0) / 1000)
    for minute in [*case.chance.sample(range(LENGTH), 25), None]:
        at = "" if minute is None else f"?at={BEGIN + minute * MIN}"
        oracle = case.at(LENGTH - 1 if minute is None else minute)
        listed = {each["id"]: value_of(each) for each in (await get(world, app, path + at))["data"]}
        for signal in SIGNALS:
            source = oracle.source(signal)
            expected = None if source is None else (oracle.last(signal, source)[0], source)
            single = await get(world, app, f"{path}/{signal.code}{at}")
            assert (value_of(single["data"]) if "data" in single else None) == listed.get(signal.code) == expected


async def test_values_and_stretches_are_what_the_oracle_says_minute_by_minute(
    world: World, app: Client, car: Vehicle, seed: int, order: int
) -> None:
    case = Case(car, seed, order)
    await case.stored(world)
    for signal in SIGNALS:
        path = f"/v3/vehicles/{car.id}/signals/{signal.code}/values?page[size]=1000"
        shown = [case.at(minute).shown(signal) for minute in range(LENGTH)]
        steps: list[tuple[int, Value]] = []
        for minute, value in enumerate(shown):
            if value is not None and (not steps or steps[-1][1] != value):
                steps.append((minute, value))
        until = BEGIN + LENGTH * MIN
        got = [each for each in (await get(world, app, f"{path}&to={until}"))["data"] if "body" in each]
        assert [(minute_of(each["meta"]["oemUpdatedAt"]), each["body"]["value"]) for each in got] == steps
        stretches = (await get(world, app, f"{path}&resolution=PT15M&from={BEGIN}&to={until}"))["data"]
        held = {start: sum(value is not None for value in shown[start : start + 15]) for start in range(0, LENGTH, 15)}
        assert {minute_of(each["from"]): each["heldSeconds"] / 60 for each in stretches} == {
            start: minutes for start, minutes in held.items() if minutes
        }


async def test_a_stream_from_the_beginning_has_the_changes_that_were_effective(
    world: World, app: Client, car: Vehicle, seed: int, order: int
) -> None:
    case = Case(car, seed, order)
    await case.stored(world)
    changes = await world.store.readings.changes(0, 1000)
    expected = [
        (each.position, each.value)
        for each in changes
        if case.at((each.observed_at - BEGIN) // MIN).source(each.signal) == each.source
    ]
    assert 0 < len(expected) < len(changes)
    async with Listener(world.app, app.headers, last_id=0) as stream:
        events = await stream.events_of(len(expected))
        assert [(event.id, event.value) for event in events] == expected


async def test_one_source_alone_is_as_if_the_others_had_reported_nothing(
    world: World, app: Client, car: Vehicle, seed: int, order: int
) -> None:
    case = Case(car, seed, order)
    await case.stored(world)
    alone = {key: {HOME: sources[HOME]} for key, sources in case.reports.items() if HOME in sources}
    path = f"/v3/vehicles/{car.id}/signals"
    for minute in case.chance.sample(range(LENGTH), 10):
        at = BEGIN + minute * MIN
        oracle = Oracle(alone, case.ranks, at)
        listed = {each["id"]: value_of(each) for each in (await get(world, app, f"{path}?at={at}&source={HOME}"))["data"]}
        for key in alone:
            value = oracle.shown(BY_KEY[key])
            assert listed.get(BY_KEY[key].code) == (None if value is None else (value, HOME))


def minute_of(text: str) -> int:
    at = instant_ms(text)
    assert at is not None
    return (at - BEGIN) // MIN
