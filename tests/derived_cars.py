"""What the tests of derivation share: a store with a car, a clock that is moved, and what works things out."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from chargeport.api.access import Access
from chargeport.api.reads import ReadRequest, Reads
from chargeport.clock import ManualClock
from chargeport.derivation.worker import Derivation
from chargeport.settings import Settings
from chargeport.signals import bodies
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.definition import Permission, Signal
from chargeport.signals.effective import effective
from chargeport.signals.ranks import derived_of
from chargeport.signals.reading import Absence, AbsenceReason, Entry, Reading
from chargeport.signals.state import State
from chargeport.store.protocols import Store
from chargeport.store.records import Vehicle
from chargeport.store.sqlite import SqliteStore
from new_database import new_database

T0 = 1_777_629_600_000  # 2026-05-01T10:00:00Z
MINUTE = 60_000
HOUR = 60 * MINUTE
CAR = Vehicle(id="0b0c6b0e-1b5e-4d6e-9b3f-2f8f5f2a7c11", make="ACME", model="One", year=2026, vin="WVWZZZ00000000001")

AMPERAGE, VOLTAGE, WATTAGE = (BY_CODE[f"charge-{name}"] for name in ("amperage", "voltage", "wattage"))
CHARGING, CABLE, FAST = (
    BY_CODE[f"charge-{name}"] for name in ("ischarging", "ischargingcableconnected", "isfastchargerpresent")
)
PHASES, STATUS, ENERGY = (BY_CODE[f"charge-{name}"] for name in ("chargerphases", "detailedchargingstatus", "energyadded"))
RECORDS, SOC = BY_CODE["charge-chargerecords"], BY_CODE["tractionbattery-stateofcharge"]
CAPACITY, TOTAL = BY_CODE["tractionbattery-nominalcapacity"], BY_CODE["chargeport-energytotal"]
LOCATION = BY_CODE["location-preciselocation"]


def reading(signal: Signal, value: Any, at: int, source: str = "box", car: str = CAR.id) -> Reading:
    """A report; of a document the body."""
    known = bodies.parse(signal, value) if isinstance(value, dict) else value
    return Reading(car, signal, known, at, at + 250, source)


def absent(signal: Signal, reason: AbsenceReason, at: int, source: str = "box") -> Absence:
    return Absence(CAR.id, signal, reason, at, at + 250, source)


async def nothing(_: float) -> None:
    """Rest without resting."""


async def catch_up(derivation: Derivation) -> None:
    """Derive all that changed until now, whatever was derived a moment ago."""
    await derivation._collector.collect()
    for job in sorted(derivation._queue._jobs.values(), key=lambda job: job.reason):
        job.not_before = 0
        if job.changed is not None:
            derivation._queue._push(job, 0)
    await derivation.work()


class House:
    """A store with what works things out on it."""

    def __init__(self, store: Store, settings: Settings | None = None, at: int = T0) -> None:
        self.store = store
        self.settings = settings or Settings()
        self.clock = ManualClock(at)
        self.reads = Reads(store, Access(store, self.clock), self.clock)
        self.restart()

    @classmethod
    async def open(cls, folder: Path, settings: Settings | None = None, at: int = T0) -> "House":
        store = SqliteStore.open(new_database(folder / "house.db"))
        await store.vehicles.add_vehicle(CAR)
        return cls(store, settings, at)

    def restart(self, store: Store | None = None) -> None:
        """What works things out has forgotten all that it had in memory."""
        of = store or self.store
        self.derivation = Derivation(of, self.settings, self.clock, nothing, rest=nothing)

    async def take(self, entries: Iterable[Entry]) -> None:
        """Store them in one go."""
        reported = list(entries)
        self.derivation.note(reported, await self.store.readings.write(reported))

    async def work(self) -> None:
        await catch_up(self.derivation)

    async def state(self, signal: Signal) -> State | None:
        """The state that speaks for a signal of the car, now."""
        found = await self.store.readings.signals(CAR.id)
        now, ranks = self.clock.now(), self.store.readings.ranks
        counts = None if found is None else effective(signal, found.series, ranks, now)
        return None if counts is None else counts.state

    async def derived(self, signal: Signal) -> State | None:
        """What was derived of a signal."""
        found = await self.store.readings.signals(CAR.id)
        return None if found is None else derived_of(found.series, signal)

    async def read(self, signal: Signal, permissions: frozenset[Permission] = frozenset(Permission)) -> Any:
        """The signal as the API answers it: attributes and meta."""
        read = ReadRequest(CAR.id, signal.code, base="", request_id="", authorization=None)
        return msgspec.json.decode(await self.reads.document(read, permissions))["data"]

    async def records(self) -> list[dict[str, Any]]:
        """The charge records that are shown."""
        state = await self.state(RECORDS)
        return [] if state is None else msgspec.json.decode(str(state.value))["values"]

    async def total_kwh(self) -> float | None:
        state = await self.state(TOTAL)
        if state is None or (state.absence_at or 0) > (state.observed_at or 0):
            return None
        return float(state.value)  # type: ignore[arg-type]


def night(
    start: int = T0, *, hours: float = 2, power_w: float = 7400, every_s: int = 300, source: str = "box", soc: float = 40
) -> list[Reading]:
    """A session at 7.4 kW: cable in, power, state of charge of a 60 kWh battery, cable out."""
    end = start + round(hours * HOUR)
    reported = [reading(CABLE, False, start - HOUR, source), reading(CHARGING, False, start - HOUR, source)]
    reported += [reading(SOC, soc, start - 2 * MINUTE, source), reading(CABLE, True, start - MINUTE, source)]
    for at in range(start, end, every_s * 1000):
        share = (at - start) / HOUR * power_w * 0.9 / 60_000 * 100
        reported += [reading(CHARGING, True, at, source), reading(WATTAGE, power_w, at, source)]
        reported += [reading(SOC, round(soc + share, 1), at, source), reading(VOLTAGE, 230, at, source)]
    reported += [reading(CHARGING, False, end, source), reading(WATTAGE, 0, end, source)]
    return [*reported, reading(CABLE, False, end + 10 * MINUTE, source)]
