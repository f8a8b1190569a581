"""Reads beside a busy writer: another process stores 10,000 changes a second in the same database.

CPU per read and latency with and without it, in alternation. Targets: ≤ 1.25 times the CPU, p99 ≤ 3 ms.

    python -m benchmarks.beside [--vehicles 100000] [--rate 10000] [--rounds 3] [--seconds 4]
"""

import argparse
import asyncio
import itertools
import random
import subprocess
import sys
import time
from pathlib import Path

from benchmarks import fixture, load, read
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.reading import Reading
from chargeport.store.sqlite import SqliteStore

BATCH = 500
POWER = BY_CODE["charge-wattage"]


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vehicles", type=int, default=100_000)
    parser.add_argument("--rate", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent / "data")
    parser.add_argument("--write", type=Path, metavar="DATABASE", help="only the writer, until it is stopped (internal)")
    asked = parser.parse_args()
    if asked.write:
        asyncio.run(write(asked.write, asked.vehicles, asked.rate))
        return
    asked.folder.mkdir(exist_ok=True)
    measure(asked.folder / f"beside-{asked.vehicles}.db", asked)


def measure(file: Path, asked: argparse.Namespace) -> None:
    """Measure reads without and with the writer, round by round."""
    with read.served(file, asked.vehicles) as (target, paths):
        idle, beside = [], []
        for _ in range(asked.rounds):
            idle.append(load.get(target, paths, fixture.TOKEN, asked.seconds))
            command = ("--vehicles", str(asked.vehicles), "--rate", str(asked.rate), "--write", str(file))
            writer = subprocess.Popen([sys.executable, "-m", "benchmarks.beside", *command])
            try:
                time.sleep(1)  # until it has opened the database
                beside.append(load.get(target, paths, fixture.TOKEN, asked.seconds))
            finally:
                writer.terminate()
                writer.wait(15)
    print(f"{'writer':>10} {'µs CPU':>7} {'p50 ms':>7} {'p99 ms':>7}")
    for name, found in (("none", load.median(idle)), (f"{asked.rate}/s", load.median(beside))):
        print(f"{name:>10} {found.cpu_us:>7.1f} {found.p50_ms:>7.2f} {found.p99_ms:>7.2f}")
    print(f"CPU per read {load.median(beside).cpu_us / load.median(idle).cpu_us:.2f} times that without the writer")


async def write(file: Path, vehicles: int, rate: int) -> None:
    """Store changes at an even rate."""
    ids, draw = fixture.vehicle_ids(vehicles), random.Random(5)
    store = SqliteStore.open(file)
    start_s = time.monotonic()
    for number in itertools.count():
        await asyncio.sleep(max(0, start_s + number * BATCH / rate - time.monotonic()))
        now = int(time.time() * 1000)
        await store.readings.write([Reading(draw.choice(ids), POWER, number + 1, now, now, "writer") for _ in range(BATCH)])


if __name__ == "__main__":
    main()
