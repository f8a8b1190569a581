"""Derivation: CPU per vehicle derived, and whether it grows with the number of vehicles that are known.

Some vehicles charge and report eight signals every ten seconds, after half an hour of which the measurement begins. The time of
the store and of derivation is counted apart; the clock is moved, so that nothing waits. Target: a vehicle derived costs at most
1.3 times as much among 100,000 as among 1,000.

    python -m benchmarks.derivation [--vehicles 1000 100000] [--charging 100] [--minutes 10] [--folder FOLDER]

Databases are made in FOLDER (benchmarks/data) and removed.
"""

import argparse
import asyncio
import time
from pathlib import Path

import msgspec

from benchmarks.fixture import build
from chargeport.clock import ManualClock
from chargeport.derivation.worker import Derivation
from chargeport.settings import Settings
from chargeport.signals import bodies
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.reading import Entry, Reading
from chargeport.store.sqlite import SqliteStore

EVERY_S = 10
WARM_UP_MIN = 30
GROWTH = 1.3
CONSTANT = {
    "charge-ischarging": True, "charge-ischargingcableconnected": True, "charge-isfastchargerpresent": False,
    "charge-detailedchargingstatus": "CHARGING",
}  # fmt: skip


class Cost(msgspec.Struct):
    """CPU seconds, and how many times the values of a vehicle were derived."""

    storing_s: float = 0.0
    deriving_s: float = 0.0
    derived: int = 0


def bundle(vehicle: str, number: int, at: int) -> list[Entry]:
    """Return what a charging vehicle reports at an instant."""
    values = CONSTANT | {
        "charge-wattage": 7_200 + 10 * (number % 7), "charge-voltage": 230 + number % 3, "charge-amperage": 31 + number % 2,
        "tractionbattery-stateofcharge": round(20 + number / 36, 1),
    }  # fmt: skip
    return [Reading(vehicle, BY_CODE[code], value, at, at + 100, "car") for code, value in values.items()]


def facts(vehicle: str, at: int) -> list[Entry]:
    """Return what it reported before: its capacity and limit."""
    known = {"tractionbattery-nominalcapacity": {"capacity": 60}, "charge-chargelimits": {"activeLimit": 80, "values": []}}
    return [Reading(vehicle, BY_CODE[code], bodies.parse(BY_CODE[code], body), at, at, "car") for code, body in known.items()]


async def no_wait(_: float) -> None:
    """Return at once."""


async def measure(path: Path, vehicles: list[str], minutes: float) -> Cost:
    """Have the vehicles charge, and derive after each bundle."""
    clock = ManualClock(int(time.time() * 1000))
    store = SqliteStore.open(path)
    derivation = Derivation(store, Settings(), clock, no_wait, rest=no_wait)
    store.readings.on_written(derivation.note)
    await derivation.resume()
    await store.readings.write([entry for vehicle in vehicles for entry in facts(vehicle, clock.now())])
    cost = Cost()
    for number in range(round((WARM_UP_MIN + minutes) * 60 / EVERY_S)):
        if number == WARM_UP_MIN * 60 // EVERY_S:
            cost = Cost()
        clock.move(EVERY_S)
        entries = [entry for vehicle in vehicles for entry in bundle(vehicle, number, clock.now() - 100)]
        begun = time.process_time()
        await store.readings.write(entries)
        written = time.process_time()
        while await derivation.work():
            pass
        cost.storing_s += written - begun
        cost.deriving_s += time.process_time() - written
        cost.derived += len(vehicles)
    await store.close()
    return cost


def main() -> None:
    """Measure each number of vehicles and print a table; end with 1 where the cost grows by too much."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vehicles", type=int, nargs="+", default=[1_000, 100_000])
    parser.add_argument("--charging", type=int, default=100)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent / "data")
    asked = parser.parse_args()
    asked.folder.mkdir(exist_ok=True)
    print("vehicles  charging  storing, us a vehicle  deriving, us a vehicle")
    costs = []
    for count in asked.vehicles:
        path = asked.folder / f"derivation-{count}.db"
        ids = build(path, count, age_s=86_400)
        cost = asyncio.run(measure(path, ids[:: max(1, count // asked.charging)][: asked.charging], asked.minutes))
        for suffix in ("", "-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        costs.append(cost.deriving_s / cost.derived)
        print(f"{count:8}  {asked.charging:8}  {cost.storing_s / cost.derived * 1e6:22.0f}  {costs[-1] * 1e6:23.0f}")
    if costs[-1] > GROWTH * costs[0]:
        raise SystemExit(f"A vehicle costs {costs[-1] / costs[0]:.2f} times as much among {asked.vehicles[-1]:,}.")


if __name__ == "__main__":
    main()
