"""A day of a wallbox made of the OCPP package's own charge point, whose clock is two hours off; everything equals its meter.

The station has a meter, a clock and a queue of its own. It charges in the morning, loses its connection in the middle of a
session, charges through noon while nobody hears it, and hands over what it queued when it is back.
"""

import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest
from ocpp.v16 import call
from ocpp_peers import PASSWORD, Central, Station16, central
from source_world import T0

from chargeport.clock import ManualClock
from chargeport.dialects.ocpp import OCPP
from chargeport.ingest import engine
from chargeport.ingest.memory import CarMemory
from chargeport.signals.reading import Entry, Issue, Reading
from chargeport.sources.base import Delivery
from chargeport.sources.ocpp.settings import OcppSettings, StationSettings

pytestmark = pytest.mark.service

HOUR_S = 3_600
SAMPLE_S = 60
NEAR_MS = 2_000
POWER_W = 7_200
SETTINGS = OcppSettings(stations={"box": StationSettings(password=PASSWORD, connectors={"1": "car"})}, accept_unknown_tags=True)


class Truth(NamedTuple):
    """A session as the station's own meter knows it: instants by the true clock, and energy."""

    started_at: int
    ended_at: int
    energy_wh: int


class Wallbox:
    """A wallbox with one connector: what it has to say waits until somebody hears it."""

    def __init__(self, clock: ManualClock, offset_s: int) -> None:
        self.clock = clock
        self.offset_s = offset_s
        self.register_wh = 4_076_400.0
        self.station: Station16 | None = None
        self.queue: list[Any] = []
        self.transaction: int | None = None  # as the central system gave it; None while it does not know of it
        self.truths: list[Truth] = []
        self.energy_at: dict[int, int] = {}

    def stamp(self) -> str:
        at_s = self.clock.now() / 1000 + self.offset_s
        return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    async def say(self, message: Any) -> None:
        self.queue.append(message)
        await self.flush()

    async def flush(self) -> None:
        """Hand over what waits, in its order; the id of a session that began offline is known from its start's answer on."""
        while self.station is not None and self.queue:
            message = self.queue.pop(0)
            if isinstance(message, call.MeterValues | call.StopTransaction):
                message.transaction_id = self.transaction
            answer = await self.station.call(message)
            if isinstance(message, call.StartTransaction):
                self.transaction = answer.transaction_id

    async def status(self, word: str) -> None:
        """Tell how the connector is; while nobody hears it, only the last word of it is kept."""
        self.queue = [one for one in self.queue if not isinstance(one, call.StatusNotification) or self.station is not None]
        await self.say(call.StatusNotification(connector_id=1, error_code="NoError", status=word, timestamp=self.stamp()))

    async def charge(self, hours: float) -> AsyncIterator[int]:
        """A session; yields after each sample so that something may happen in between."""
        await self.status("Preparing")
        start_wh, started_at = round(self.register_wh), self.clock.now()
        begun = call.StartTransaction(connector_id=1, id_tag="CARD", meter_start=start_wh, timestamp=self.stamp())
        await self.say(begun)
        await self.status("Charging")
        for number in range(round(hours * HOUR_S / SAMPLE_S)):
            self.clock.move(SAMPLE_S)
            self.register_wh += POWER_W * SAMPLE_S / HOUR_S
            self.energy_at[self.clock.now()] = round(self.register_wh) - start_wh
            samples = [
                {"value": str(round(self.register_wh)), "measurand": "Energy.Active.Import.Register", "unit": "Wh"},
                {"value": str(POWER_W), "measurand": "Power.Active.Import", "unit": "W"},
            ]
            value = {"timestamp": self.stamp(), "sampledValue": samples}
            await self.say(call.MeterValues(connector_id=1, meter_value=[value], transaction_id=None))
            yield number
        stop_wh = round(self.register_wh)
        await self.say(call.StopTransaction(transaction_id=0, meter_stop=stop_wh, timestamp=self.stamp()))
        self.truths.append(Truth(started_at, self.clock.now(), stop_wh - start_wh))
        await self.status("Finishing")
        self.clock.move(SAMPLE_S)
        await self.status("Available")


@contextlib.asynccontextmanager
async def connected(system: Central, box: Wallbox, *, boots: bool = False) -> AsyncIterator[None]:
    async with system.station() as station:
        box.station = station
        if boots:
            await station.call(call.BootNotification(charge_point_model="One", charge_point_vendor="ACME"))
        await station.call(call.Heartbeat())
        await box.flush()
        try:
            yield
        finally:
            box.station = None


def meaning(deliveries: list[Delivery]) -> list[Entry]:
    """What the deliveries come to; nothing of it may be an issue."""
    memory, found = CarMemory(), list[Entry]()
    for delivery in deliveries:
        messages = engine.read(delivery, OCPP)
        assert not isinstance(messages, Issue), messages
        for message in messages:
            entries, issues = engine.normalise(message, OCPP, memory)
            assert issues == []
            found += entries
    return found


def readings(entries: list[Entry], code: str) -> Iterator[Reading]:
    return (each for each in entries if isinstance(each, Reading) and each.signal.code == code)


async def day(system: Central, box: Wallbox) -> None:
    """A session, one that outlasts two connections, and one that nobody hears; three reconnects."""
    clock = box.clock
    async with connected(system, box, boots=True):
        for _ in range(4):
            clock.move(SAMPLE_S)
            await box.status("Available")
        async for _ in box.charge(1):
            pass
    clock.move(HOUR_S)
    session = box.charge(1)
    async with connected(system, box):
        await anext(session)
        for _ in range(19):
            await anext(session)
    for _ in range(20):
        await anext(session)
    async with connected(system, box):
        async for _ in session:
            pass
        clock.move(HOUR_S)
    async for _ in box.charge(3):
        pass
    clock.move(HOUR_S)
    async with connected(system, box):
        assert box.queue == []


OFFSETS = pytest.mark.parametrize(
    "offset_s", [0, 2 * HOUR_S, -2 * HOUR_S], ids=["right", "two hours ahead", "two hours behind"]
)  # fmt: skip


@OFFSETS
async def test_a_day_with_three_reconnects_and_an_offline_session_equals_the_station_s_own_meter(offset_s: int) -> None:
    clock = ManualClock(T0 // 1000 * 1000)
    box = Wallbox(clock, offset_s)
    async with central(SETTINGS, clock=clock) as system:
        await day(system, box)
        entries = meaning(system.received.deliveries)
        shown = system.reporter.stations["box"].clock_offset_ms
    assert shown is not None
    assert abs(shown - offset_s * 1000) < NEAR_MS
    records = [json.loads(str(each.value))["values"][0] for each in readings(entries, "charge-chargerecords")]
    found = [Truth(at(each["startTime"]), at(each["endTime"]), round(each["energyAdded"] * 1000)) for each in records]
    assert [each.energy_wh for each in found] == [each.energy_wh for each in box.truths]
    for one, other in zip(found, box.truths, strict=True):
        assert abs(one.started_at - other.started_at) < NEAR_MS
        assert abs(one.ended_at - other.ended_at) < NEAR_MS
    energies = [(each.observed_at, round(float(str(each.value)) * 1000)) for each in readings(entries, "charge-energyadded")]
    for known_at, energy_wh in box.energy_at.items():
        assert any(abs(told_at - known_at) < NEAR_MS and told_wh == energy_wh for told_at, told_wh in energies), known_at
    assert {round(float(str(each.value))) for each in readings(entries, "charge-wattage")} == {POWER_W}
    assert max(each.observed_at for each in entries) <= clock.now()


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


async def idle(box: Wallbox) -> None:
    """Four minutes in which the station reports that it is free."""
    for _ in range(4):
        box.clock.move(SAMPLE_S)
        await box.status("Available")


async def all_of(session: AsyncIterator[int]) -> None:
    async for _ in session:
        pass


async def some_of(session: AsyncIterator[int], samples: int) -> None:
    for _ in range(samples):
        await anext(session)


async def two_sessions_offline(system: Central, box: Wallbox) -> None:
    async with connected(system, box, boots=True):
        await idle(box)
        await all_of(box.charge(0.5))
    box.clock.move(HOUR_S)
    await all_of(box.charge(1))
    box.clock.move(HOUR_S)
    await all_of(box.charge(0.7))
    async with connected(system, box):
        await all_of(box.charge(0.3))


async def a_reboot_in_a_session(system: Central, box: Wallbox) -> None:
    session = box.charge(1)
    async with connected(system, box, boots=True):
        await idle(box)
        await some_of(session, 30)
    async with connected(system, box, boots=True):
        await all_of(session)


async def a_reboot_that_loses_the_end(system: Central, box: Wallbox) -> None:
    """The station forgets its transaction: the next begin is all that shows that it is over."""
    session = box.charge(1)
    async with connected(system, box, boots=True):
        await idle(box)
        await some_of(session, 30)
    now = box.clock.now()
    box.truths.append(Truth(now - 30 * SAMPLE_S * 1_000, now, 30 * POWER_W * SAMPLE_S // HOUR_S))
    box.queue.clear()
    box.clock.move(2 * SAMPLE_S)
    async with connected(system, box, boots=True):
        await all_of(box.charge(0.5))


async def a_meter_that_begins_anew(system: Central, box: Wallbox) -> None:
    async with connected(system, box, boots=True):
        await idle(box)
        session = box.charge(1)
        await some_of(session, 20)
        box.register_wh = 0.0
        await all_of(session)
    [truth] = box.truths
    box.truths = [truth._replace(energy_wh=POWER_W)]


async def an_end_and_a_begin_offline(system: Central, box: Wallbox) -> None:
    first = box.charge(0.5)
    async with connected(system, box, boots=True):
        await idle(box)
        await some_of(first, 10)
    await all_of(first)
    box.clock.move(HOUR_S)
    second = box.charge(0.5)
    await some_of(second, 5)
    async with connected(system, box):
        await all_of(second)


async def sessions_before_the_first_connection(system: Central, box: Wallbox) -> None:
    """What it reports after the boot comes before the queue, and shows the clock."""
    for _ in range(2):
        await all_of(box.charge(0.5))
        box.clock.move(HOUR_S)
    waiting, box.queue = box.queue, []
    async with system.station() as station:
        await station.call(call.BootNotification(charge_point_model="One", charge_point_vendor="ACME"))
        box.station = station
        await box.status("Available")
        box.clock.move(2)
        await box.status("Available")
        box.queue = waiting
        await box.flush()
        box.station = None


@OFFSETS
@pytest.mark.parametrize(
    "day",
    [
        two_sessions_offline,
        a_reboot_in_a_session,
        a_reboot_that_loses_the_end,
        a_meter_that_begins_anew,
        an_end_and_a_begin_offline,
        sessions_before_the_first_connection,
    ],
)
async def test_records_equal_the_station_s_own_meter_on_other_days(
    day: Callable[[Central, Wallbox], Awaitable[None]], offset_s: int
) -> None:
    clock = ManualClock(T0 // 1000 * 1000)
    box = Wallbox(clock, offset_s)
    async with central(SETTINGS, clock=clock) as system:
        await day(system, box)
        entries = meaning(system.received.deliveries)
    records = {
        one["id"]: one for each in readings(entries, "charge-chargerecords") for one in json.loads(str(each.value))["values"]
    }
    found = sorted(
        Truth(at(one["startTime"]), at(one["endTime"]), round(one["energyAdded"] * 1000)) for one in records.values()
    )
    assert [each.energy_wh for each in found] == [each.energy_wh for each in sorted(box.truths)]
    for one, other in zip(found, sorted(box.truths), strict=True):
        assert abs(one.started_at - other.started_at) < NEAR_MS
        assert abs(one.ended_at - other.ended_at) < NEAR_MS
