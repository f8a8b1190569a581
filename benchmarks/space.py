"""Bytes on disk for each stored change, by table: many cars charge at once, and every other report repeats the one before.

The rows go through the store's own writer in the order of time, so that pages fill as they do in life. Target: ≤ 40 bytes for a
change outside the feed's window without repeats; a repeat costs no row, but its run remembers when it was seen.

    python -m benchmarks.space [--cars 300] [--days 2]
"""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

from benchmarks import history
from chargeport.store.records import Vehicle
from chargeport.store.sqlite import SqliteStore
from chargeport.store.sqlite.engine import connect, fetch

TABLES = ("settled", "recent", "feed", "latest")
REPORTS = 2  # of each car in a batch
_SIZE = "SELECT coalesce(sum(pgsize), 0), coalesce(sum(unused), 0) FROM dbstat WHERE name = ?"


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cars", type=int, default=300)
    parser.add_argument("--days", type=int, default=2)
    asked = parser.parse_args()
    print(f"{'repeats':>8} {'table':>8} {'rows':>9} {'bytes/row':>10} {'unused':>7} {'µs CPU/reading':>15}")
    for repeats in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder) / "space.db", asked.cars, asked.days, repeats=repeats)


def measure(file: Path, cars: int, days: int, *, repeats: bool) -> None:
    """Fill a database and print what its tables take."""
    cpu_us = asyncio.run(fill(file, cars, days, repeats=repeats))
    connection = connect(file)
    for table in TABLES:
        rows = fetch(connection, f"SELECT count(*) FROM {table}")[0][0]
        size, unused = fetch(connection, _SIZE, (table,))[0]
        print(
            f"{'yes' if repeats else 'no':>8} {table:>8} {rows:>9} {size / rows:>10.1f} {unused / rows:>7.1f} {cpu_us:>15.2f}"
        )
    connection.close()


async def fill(file: Path, cars: int, days: int, *, repeats: bool) -> float:
    """Write what the cars report, all of them side by side; µs of CPU for a reading."""
    store = SqliteStore.open(file)
    for number in range(cars):
        await store.vehicles.add_vehicle(Vehicle(id=f"car-{number + 1}"))
    spent_s, readings, size = 0.0, 0, REPORTS * len(history.CODES)
    for day in range(days):
        reported = [history.day_of(number, day, repeats=repeats) for number in range(cars)]
        for start in range(0, len(reported[0]), size):
            batch = [reading for each in reported for reading in each[start : start + size]]
            before_s = time.process_time()
            await store.readings.write(batch)
            spent_s += time.process_time() - before_s
            readings += len(batch)
    await store.close()
    return spent_s / readings * 1e6


if __name__ == "__main__":
    main()
