"""History: a day's series of one signal in stretches of 15 minutes, of random cars in a large database.

Cars charge every day, for some hours at a power that changes nearly every minute; between reports that change a value there is
one that repeats it. The first rows go through the store's own writer; the others are the same rows with other keys, positions
and times, copied in SQL. Target: p99 ≤ 50 ms with 20 M rows. What a change takes on disk is measured by `benchmarks.space`.

    python -m benchmarks.history [--rows 20000000] [--reads 2000] [--resolution PT15M] [--no-repeats] [--folder FOLDER]

A repeated value costs no row, but its run remembers when it was seen last: --no-repeats tells what that comes to.
Databases are kept in FOLDER (benchmarks/data) and take about 80 bytes a row.
"""

import argparse
import asyncio
import random
import time
from pathlib import Path

from chargeport.api.history import HistorySelection, page_of
from chargeport.api.instants import duration_ms
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.definition import Permission, Signal, Value
from chargeport.signals.reading import Reading
from chargeport.store.effective_history import EffectiveHistory
from chargeport.store.records import Vehicle
from chargeport.store.retention_policy import DAY_MS
from chargeport.store.sqlite import SqliteStore
from chargeport.store.sqlite.engine import Connection, connect, fetch

DAY0 = 1_777_593_600_000  # 2026-05-01T00:00:00Z
DAYS = 10  # of each car
CARS = 20  # written by the store; the others are copies
CHARGING_MINUTES = 240
CODES = ("charge-wattage", "charge-amperage", "charge-voltage", "charge-energyadded", "charge-timetocomplete",
         "charge-chargerate", "tractionbattery-stateofcharge", "charge-ischarging")  # fmt: skip
MEASURED = BY_CODE["charge-wattage"]
COLUMNS = "vehicle_key, signal_key, source_key, observed_at, position, lag, value, absence, lasted, continues, rule_key, seen"
MOVED = (
    "vehicle_key + ?1, signal_key, source_key, observed_at + ?3, position + ?2, lag, value, absence, lasted, continues,"
    " rule_key, seen"
)


def main() -> None:
    """Build what is not there, measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--reads", type=int, default=2_000)
    parser.add_argument("--resolution", default="PT15M")
    parser.add_argument("--repeats", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent / "data")
    asked = parser.parse_args()
    asked.folder.mkdir(exist_ok=True)
    file = asked.folder / f"history-{asked.rows}{'' if asked.repeats else '-once'}.db"
    if not file.exists():
        asyncio.run(build(file, asked.rows, repeats=asked.repeats))
    connection = connect(file)
    rows = fetch(connection, "SELECT count(*) FROM history WHERE continues IS NULL")[0][0]
    cars = fetch(connection, "SELECT count(*) FROM vehicles")[0][0]
    connection.close()
    taken = sorted(asyncio.run(measure(file, asked.reads, duration_ms("resolution", asked.resolution))))
    print(f"{'changes':>10} {'cars':>7} {'bytes/change':>13} {'p50 ms':>7} {'p99 ms':>7} {'max ms':>7}")
    p50, p99 = (taken[int(len(taken) * share)] for share in (0.50, 0.99))
    print(f"{rows:>10} {cars:>7} {file.stat().st_size / rows:>13.1f} {p50:>7.2f} {p99:>7.2f} {taken[-1]:>7.2f}")


async def build(file: Path, rows: int, *, repeats: bool) -> None:
    """Make the database under another name, so that a broken-off one is never measured."""
    partial = file.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    store = SqliteStore.open(partial)
    for number in range(CARS):
        await store.vehicles.add_vehicle(Vehicle(id=f"car-{number + 1}", make="ACME", model="Bolt One", year=2026))
    for day in range(DAYS):
        for number in range(CARS):
            await store.readings.write(day_of(number, day, repeats=repeats))
    await store.close()
    connection = connect(partial)
    copy(connection, rows)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    connection.close()
    partial.rename(file)


def day_of(number: int, day: int, *, repeats: bool) -> list[Reading]:
    """Return what a car reports on a day: while it charges, twice a minute, or once without repeats."""
    draw = random.Random(number * 1000 + day)
    start = DAY0 + day * DAY_MS + draw.randrange(DAY_MS - CHARGING_MINUTES * 60_000)
    found = []
    for half in range(0, CHARGING_MINUTES * 2, 1 if repeats else 2):
        at, minute = start + half * 30_000, half // 2
        power = 11_000 - minute * 7 + minute * 7_919 % 97
        values: tuple[Value, ...] = (
            power, round(power / 690, 2), 228 + minute * 31 % 9, round(minute * 0.18, 2), CHARGING_MINUTES - minute,
            50 + minute % 7, 20 + minute // 4, minute < CHARGING_MINUTES - 1,
        )  # fmt: skip
        told = zip(signals(), values, strict=True)
        found += [Reading(f"car-{number + 1}", signal, value, at, at + 400, "box") for signal, value in told]
    return found


def signals() -> list[Signal]:
    """Return the signals that are reported."""
    return [BY_CODE[code] for code in CODES]


def copy(connection: Connection, rows: int) -> None:
    """Copy the cars, all with their rows, until there are enough rows."""
    have, last = fetch(connection, "SELECT count(*), max(position) FROM history")[0]
    connection.execute("PRAGMA synchronous = OFF").fetchall()
    with connection:
        connection.execute(f"INSERT INTO settled ({COLUMNS}) SELECT {COLUMNS} FROM recent")
        connection.execute("DELETE FROM recent")
    copies = max(1, round(rows / have))
    for number in range(1, copies):
        keys, positions, at = number * CARS, number * last, number * 1_009
        with connection:
            connection.execute(
                f"INSERT INTO settled ({COLUMNS}) SELECT {MOVED} FROM settled WHERE vehicle_key <= ?4",
                (keys, positions, at, CARS),
            )
            connection.execute(
                "INSERT INTO latest SELECT slot + (?1 << 28), value, observed_at + ?3, changed_at + ?3, received_at,"
                " position + ?2, run_at + ?3, absence, absence_at, absence_received_at, rule_key, seen"
                " FROM latest WHERE vehicle_key <= ?4",
                (keys, positions, at, CARS),
            )
            connection.execute(
                "INSERT INTO vehicles (id, key, vin, make, model, year, powertrain, mode, aliases, created_at)"
                " SELECT 'car-' || (key + ?1), key + ?1, vin, make, model, year, powertrain, mode, aliases, created_at"
                " FROM vehicles WHERE key <= ?2",
                (keys, CARS),
            )
    connection.execute("DELETE FROM feed")
    connection.execute("UPDATE sequences SET value = ? WHERE name IN ('position', 'feed')", (copies * last,))
    connection.execute("UPDATE sequences SET value = ? WHERE name = 'vehicle'", (copies * CARS,))


async def measure(file: Path, reads: int, step_ms: int) -> list[float]:
    """How long each read took, in milliseconds: what a route does between its checks and the wire."""
    store = SqliteStore.open(file)
    connection = connect(file)
    cars = fetch(connection, "SELECT count(*) FROM vehicles")[0][0]
    connection.close()
    draw, taken, history = random.Random(4), [], EffectiveHistory(store, DAY0 + 2 * DAYS * DAY_MS)
    for _ in range(reads):
        start = DAY0 + draw.randrange(DAYS) * DAY_MS
        asked = HistorySelection(start, start + DAY_MS, step_ms, 1000, None)
        car = f"car-{draw.randrange(cars) + 1}"
        begun = time.perf_counter()
        page = await page_of(history, car, MEASURED, asked, allowed=frozenset(Permission), now=DAY0 + 2 * DAYS * DAY_MS)
        taken.append((time.perf_counter() - begun) * 1000)
        assert page.elements
    await store.close()
    return taken


if __name__ == "__main__":
    main()
