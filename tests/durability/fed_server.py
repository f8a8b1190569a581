"""`chargeport serve --config` with a source, and a load of counted readings that waits for nobody.

Each car reports its power, which is a counter; each report has an instant of its own. So what is lost is missing in the
history, and what is doubled stands there twice.
"""

import asyncio
import json
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import Any, Final, Protocol

from chargeport.clock import SystemClock
from chargeport.signals.catalogue import BY_CODE
from chargeport.store.sqlite import SqliteStore
from histories import all_runs
from servers import Server

CARS: Final = [f"car-{number}" for number in range(5)]
POWER: Final = BY_CODE["charge-wattage"]
START_AT: Final = SystemClock().now() - 3_600_000
WITHIN_S: Final = 15  # from the end of the load until all of it is stored
LOOK_S: Final = 0.2
TICK_S: Final = 0.01

Histories = dict[str, list[float]]


class Fed(Server):
    """A server that hears a source, on a folder; what it logs is in `server.log` there."""

    def __init__(self, folder: Path, source: str) -> None:
        settings = folder / "chargeport.toml"
        super().__init__(folder / "cars.db", options=("--config", str(settings)), log=folder / "server.log")
        cars = "".join(f'[[vehicles]]\naliases = ["{car}"]\n\n' for car in CARS)
        settings.write_text(f"{cars}[[sources]]\n{source}")

    def logged(self) -> str:
        """The end of what it logged."""
        return self.log.read_text()[-2000:]

    async def histories(self) -> Histories:
        """What is stored of each car: the values of its changes, in order of time."""
        store = SqliteStore.open(self.database)
        found: Histories = {}
        for car in CARS:
            vehicle = await store.vehicles.find_vehicle(car)
            runs = [] if vehicle is None else await all_runs(store, vehicle.id, POWER)
            found[car] = [run.value for run in runs]  # type: ignore[misc]
        await store.close()
        return found

    async def holds(self, expected: Histories, within_s: float = WITHIN_S) -> Histories:
        """What is stored once it is what is expected, or once it should be."""
        for _ in range(round(within_s / LOOK_S)):
            if (found := await self.histories()) == expected:
                break
            await asyncio.sleep(LOOK_S)
        return found


class Publisher(Protocol):
    """A client of a broker."""

    def publish(self, number: int) -> None:
        """Hand the message of this number over, to be sent as soon as there is somebody to take it."""
        ...

    def acknowledged(self) -> int:
        """How many the broker has taken."""
        ...

    def close(self) -> None: ...


def message(number: int) -> dict[str, Any]:
    """The message of this number, from 1 on, in the generic dialect."""
    return {"vehicle": CARS[number % len(CARS)], "at": START_AT + number, "wattage": number}


def expected(count: int) -> Histories:
    """What is to be stored after so many messages."""
    found: defaultdict[str, list[float]] = defaultdict(list)
    for number in range(1, count + 1):
        found[CARS[number % len(CARS)]].append(number)
    return dict(found)


class Load(threading.Thread):
    """Publishes `count` messages, `per_s` a second, in a thread of its own."""

    def __init__(self, publisher: Publisher, count: int, per_s: int) -> None:
        super().__init__(daemon=True)
        self.handed_over = 0
        self._publisher = publisher
        self._count = count
        self._per_tick = max(1, round(per_s * TICK_S))

    def run(self) -> None:
        while self.handed_over < self._count:
            for _ in range(min(self._per_tick, self._count - self.handed_over)):
                self._publisher.publish(self.handed_over + 1)
                self.handed_over += 1
            time.sleep(TICK_S)

    async def reaches(self, number: int) -> None:
        """Returns when the broker has taken so many."""
        ends = time.monotonic() + WITHIN_S
        while self._publisher.acknowledged() < number:
            assert time.monotonic() < ends, f"the broker took {self._publisher.acknowledged()} of {number}"
            await asyncio.sleep(TICK_S)


def differences(found: Histories, wanted: Histories) -> dict[str, Any]:
    """What is lost and what is doubled, by car, for the words of a failure."""
    return {
        car: {
            "lost": sorted(set(wanted[car]) - set(found[car]))[:10],
            "doubled": sorted({value for value in found[car] if found[car].count(value) > 1})[:10],
            "counts": (len(found[car]), len(wanted[car])),
        }
        for car in wanted
        if found[car] != wanted[car]
    }


def as_json(number: int) -> bytes:
    return json.dumps(message(number)).encode()
