"""What only the store on PostgreSQL has to keep: several writers at once, a feed that loses nothing, a schema to distribute."""

import asyncio
import random
import re
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from memory_store import MemoryStore

from chargeport.errors import SchemaError, StartError, StoreError
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.reading import Absence, AbsenceReason, Entry, Reading
from chargeport.store.postgres import PostgresStore, migrations, positions, writer
from chargeport.store.postgres.connection import Connection
from chargeport.store.protocols import Store
from chargeport.store.records import Outcome, Page, Vehicle
from postgres_server import PostgresServer, asked, postgres_server

WATTAGE, SOC = BY_CODE["charge-wattage"], BY_CODE["tractionbattery-stateofcharge"]
T0 = 1_777_593_600_000
PROCESSES = 3
MANY_CARS = """
    INSERT INTO vehicles (id, key, mode, aliases, created_at)
      SELECT 'car-' || n, n, 'live', '[]', 0 FROM generate_series(1, 3000) n;
    INSERT INTO vehicle_references SELECT 'car-' || n, n FROM generate_series(1, 3000) n"""
UNIQUE = """
    SELECT c.relname, (
      SELECT string_agg(a.attname, ',' ORDER BY k.place) FROM unnest(i.indkey) WITH ORDINALITY AS k (num, place)
      JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.num)
    FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
    WHERE i.indisunique AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace"""
GROWING = """
    SELECT relname FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
    WHERE attname = 'vehicle_key' AND relkind IN ('r', 'p') AND NOT relispartition"""


@pytest.fixture
async def stores(postgres: PostgresServer) -> AsyncIterator[list[PostgresStore]]:
    """Stores of several processes on one new database."""
    url = postgres.database()
    opened = [PostgresStore.open(url) for _ in range(PROCESSES)]
    yield opened
    for each in opened:
        await each.close()


async def known(store: Store, cars: list[str]) -> list[Any]:
    """All that is told of cars, but for positions, which say in which order things came."""
    found: list[Any] = []
    for car in cars:
        series = await store.readings.signals(car)
        assert series is not None
        for states in series.series.values():
            found += [(car, each.signal.code, each.source, each.value, each.observed_at, each.changed_at) for each in states]
        for source in ("box", "car"):
            runs = await store.history.history(car, WATTAGE, source=source, limit=10_000)
            found += [(car, source, run.observed_at, run.last_seen_at, run.value) for run in runs]
    return sorted(found, key=repr)


def mixed(cars: list[str], size: int, chance: random.Random) -> list[Entry]:
    """Readings of few cars at few instants, so that many meet; in no order."""
    found: list[Entry] = []
    for _ in range(size):
        at, source = T0 + chance.randrange(400) * 60_000, chance.choice(["box", "car"])
        found.append(Reading(chance.choice(cars), WATTAGE, float(chance.randrange(4)), at, T0, source))
    return found


async def test_what_is_sent_again_is_not_looked_up_one_by_one(
    stores: list[PostgresStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    cars = [f"car-{number}" for number in range(40)]
    for car in cars:
        await stores[0].vehicles.add_vehicle(Vehicle(id=car))
    batch: list[Entry] = [Reading(car, WATTAGE, 7.5, T0, T0, "box") for car in cars]
    batch += [Absence(car, SOC, AbsenceReason.UNREACHABLE, T0, T0, "box") for car in cars]
    assert await stores[0].readings.write(batch) == [Outcome.ACCEPTED] * len(batch)
    round_trips, wait = 0, Connection.wait

    def counted(self: Connection, coroutine: Any) -> Any:
        nonlocal round_trips
        round_trips += 1
        return wait(self, coroutine)

    monkeypatch.setattr(Connection, "wait", counted)
    assert await stores[0].readings.write(batch) == [Outcome.UNCHANGED] * len(batch)
    assert round_trips < 12


@pytest.mark.parametrize("seed", range(3))
async def test_writers_of_several_processes_on_the_same_cars_agree_with_the_rule(
    stores: list[PostgresStore], seed: int
) -> None:
    chance, cars = random.Random(seed), [f"car-{number}" for number in range(4)]
    oracle = MemoryStore()
    for car in cars:
        await stores[0].vehicles.add_vehicle(Vehicle(id=car))
        await oracle.vehicles.add_vehicle(Vehicle(id=car))
    parts = [mixed(cars, 40, chance) for _ in range(12)]
    outcomes = await asyncio.gather(*(store.readings.write(part) for store, part in zip(stores * 4, parts, strict=True)))
    assert all(outcome is not Outcome.UNKNOWN_VEHICLE for found in outcomes for outcome in found)
    for part in parts:
        await oracle.readings.write(part)
    assert await known(stores[1], cars) == await known(oracle, cars)  # type: ignore[arg-type]


async def test_a_reader_of_the_feed_misses_no_change_of_writers_that_commit_in_another_order(
    stores: list[PostgresStore],
) -> None:
    cars = [f"car-{number}" for number in range(30)]
    for car in cars:
        await stores[0].vehicles.add_vehicle(Vehicle(id=car))
    is_over = asyncio.Event()

    async def write(store: PostgresStore, mine: list[str]) -> None:
        for number in range(40):
            await store.readings.write([Reading(car, WATTAGE, float(number), T0 + number, T0, "box") for car in mine])

    async def follow() -> list[int]:
        found: list[int] = []
        while True:
            over = is_over.is_set()
            changes = await stores[2].readings.changes(found[-1] if found else 0, 50)
            found += [change.position for change in changes]
            if over and not changes:
                return found
            await asyncio.sleep(0)

    following = asyncio.create_task(follow())
    await asyncio.gather(*(write(stores[number % 2], cars[number * 5 : number * 5 + 5]) for number in range(6)))
    is_over.set()
    found = await following
    assert len(found) == len(set(found)) == 30 * 40
    assert found == sorted(found)


async def test_processes_that_hear_the_same_source_put_down_how_it_is_at_once(stores: list[PostgresStore]) -> None:
    states = {"bus": "{}", "another": "{}"}
    for at in range(30):
        await asyncio.gather(*(store.notes.write_source_states(states, at) for store in stores))
    assert await stores[0].notes.source_states() == dict.fromkeys(states, ("{}", 29))
    await stores[0].notes.write_source_states({}, 30)
    assert await stores[0].notes.source_states() == {}


@pytest.fixture
def read_only(postgres: PostgresServer) -> Iterator[Callable[[bool], None]]:
    """Has the server take no writes, as a standby; or take them again."""

    def turn(is_on: bool) -> None:
        postgres.run(f"ALTER SYSTEM SET default_transaction_read_only = {'on' if is_on else 'off'}")
        postgres.run("SELECT pg_reload_conf()")

    yield turn
    turn(False)


async def test_a_server_that_turns_into_a_standby_refuses_writes_in_words_and_takes_them_again_by_itself(
    stores: list[PostgresStore], read_only: Callable[[bool], None]
) -> None:
    store = stores[0]
    numbers = iter(range(1000))  # its processes hear of it one after the other

    async def write() -> str:
        number = next(numbers)
        try:
            await store.readings.write([Reading("car", WATTAGE, float(number), T0 + number, T0 + number, "box")])
        except StoreError as error:
            return str(error)
        return ""

    await store.vehicles.add_vehicle(Vehicle(id="car"))
    assert await write() == ""
    read_only(True)
    while not (sent := await write()):
        pass
    assert sent == "The database takes no writes: the server is a standby, or set to be read only."
    assert await store.readings.signals("car") is not None, "reads go on"
    read_only(False)
    while await write():
        pass
    await store.ping()


async def test_the_feed_waits_for_a_transaction_that_began_earlier_and_is_still_open(stores: list[PostgresStore]) -> None:
    early, late, reader = stores
    for car in ("slow", "fast"):
        await early.vehicles.add_vehicle(Vehicle(id=car))
    before = await reader.readings.position()
    raw = await asyncpg.connect(early.url)
    held = raw.transaction()
    await held.start()
    await raw.execute("UPDATE sequences SET value = value WHERE name = 'message'")  # it has a number from here on
    await late.readings.write([Reading("fast", WATTAGE, 1.0, T0, T0, "box")])
    assert await reader.readings.signals("fast") is not None
    assert await reader.readings.changes(before, 10) == []  # what has a lesser position may still come
    await held.commit()
    await raw.close()
    assert [change.vehicle_id for change in await reader.readings.changes(before, 10)] == ["fast"]


async def test_the_feed_waits_for_it_also_when_another_process_starts_meanwhile(stores: list[PostgresStore]) -> None:
    early, late, reader = stores
    await early.vehicles.add_vehicle(Vehicle(id="fast"))
    before = await reader.readings.position()
    raw = await asyncpg.connect(early.url)
    held = raw.transaction()
    await held.start()
    await raw.execute("UPDATE sequences SET value = value WHERE name = 'message'")
    await late.readings.write([Reading("fast", WATTAGE, 1.0, T0, T0, "box")])
    await PostgresStore.open(early.url).close()
    assert await reader.readings.changes(before, 10) == []
    await held.commit()
    await raw.close()
    assert [change.vehicle_id for change in await reader.readings.changes(before, 10)] == ["fast"]


async def test_of_two_writes_of_one_car_the_later_has_the_greater_position(stores: list[PostgresStore]) -> None:
    await stores[0].vehicles.add_vehicle(Vehicle(id="a"))
    writes = [
        stores[number % 3].readings.write([Reading("a", SOC, float(number), T0 + number, T0, "box")]) for number in range(60)
    ]
    await asyncio.gather(*writes)
    await stores[0].readings.write([Reading("a", SOC, 99.5, T0 + 100, T0, "box")])
    changes = await stores[0].readings.changes(0, 1_000)
    assert changes[-1].value == 99.5
    assert {change.value for change in changes[:-1]} == {float(number) for number in range(60)}


async def test_more_cars_than_the_server_has_locks_for_are_written_in_one_call() -> None:
    with postgres_server("max_locks_per_transaction=10", "max_connections=20") as server:
        url = server.database()
        store = PostgresStore.open(url)
        asked(url, MANY_CARS)
        found = await store.readings.write([Reading(f"car-{number}", SOC, 50.0, T0, T0, "box") for number in range(1, 3_001)])
        assert found == [Outcome.ACCEPTED] * 3_000
        await store.close()


async def test_a_server_that_is_killed_loses_nothing_acknowledged_and_is_used_again_when_it_is_back() -> None:
    with postgres_server("fsync=on") as server:
        store = PostgresStore.open(server.database())
        await store.vehicles.add_vehicle(Vehicle(id="a"))
        acknowledged: list[float] = []
        is_busy = asyncio.Event()

        async def feed(first: int) -> None:
            for number in range(first, 100_000, 4):
                try:
                    await store.readings.write([Reading("a", WATTAGE, float(number), T0 + number, T0, "box")])
                except StoreError:
                    return
                acknowledged.append(float(number))
                if len(acknowledged) > 200:
                    is_busy.set()

        async def kill() -> None:
            await is_busy.wait()
            server.kill()

        await asyncio.gather(kill(), *(feed(first) for first in range(4)))
        with pytest.raises(StoreError, match="can't be reached"):
            await store.ping()
        server.start()
        await store.ping()
        runs = await store.history.history("a", WATTAGE, source="box", limit=100_000)
        assert set(acknowledged) <= {run.value for run in runs}
        assert {change.value for change in await store.readings.changes(0, 100_000)} == {run.value for run in runs}
        await store.close()


async def test_positions_go_on_behind_those_that_were_brought_from_elsewhere(postgres: PostgresServer) -> None:
    url = postgres.database()
    store = PostgresStore.open(url)
    await store.vehicles.add_vehicle(Vehicle(id="a"))
    await store.readings.write([Reading("a", SOC, 1.0, T0, T0, "box")])
    await store.close()
    asked(url, "UPDATE runs SET position = 1::bigint << 50")  # of a server that has done more
    store = PostgresStore.open(url)
    before = await store.readings.position()
    await store.readings.write([Reading("a", SOC, 2.0, T0 + 1, T0, "box")])
    assert [change.value for change in await store.readings.changes(before, 10)] == [2.0]
    await store.close()


async def test_a_database_that_is_newer_or_out_of_reach_is_told_in_one_sentence(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres.database()
    await PostgresStore.open(url).close()
    asked(url, "INSERT INTO schema_version VALUES (999)")
    with pytest.raises(SchemaError, match="has schema 999"):
        PostgresStore.open(url)
    with pytest.raises(StartError, match="can't be reached") as reported:
        PostgresStore.open("postgresql://me:secret@127.0.0.1:1/none")
    assert "secret" not in str(reported.value)
    with pytest.raises(StartError, match="chargeport migrate"):
        PostgresStore.open(postgres.database(), create=False)


async def test_two_processes_that_start_at_once_make_the_tables_once(postgres: PostgresServer) -> None:
    url = postgres.database()
    found = await asyncio.gather(*(migrations.migrate(url) for _ in range(4)))
    assert sorted(len(taken) for taken, _ in found) == [0, 0, 0, len(migrations.migrations())]


async def test_what_grows_with_vehicles_can_be_distributed_by_vehicle_key(postgres: PostgresServer) -> None:
    url = postgres.database()
    await PostgresStore.open(url).close()
    assert writer.MAX_GROUP_ENTRIES * 3 < 1 << 20  # positions of one transaction
    unique = asked(url, UNIQUE)
    keys = [line.split("|") for line in unique.splitlines()]
    assert {name for name, _ in keys} >= set(migrations.DISTRIBUTED)
    for name, columns in keys:
        if name in migrations.DISTRIBUTED:
            assert columns.split(",")[0] == migrations.COLUMN, f"{name} has a unique key without the vehicle's in front"
    assert set(asked(url, GROWING).split()) <= {*migrations.DISTRIBUTED, *migrations.EVERYWHERE}
    assert asked(url, f"{GROWING} AND attgenerated != ''") == ""  # Citus takes no generated column to distribute by


async def test_nothing_that_citus_does_not_spread_hangs_on_a_table(postgres: PostgresServer) -> None:
    url = postgres.database()
    await PostgresStore.open(url).close()
    assert asked(url, "SELECT conrelid::regclass FROM pg_constraint WHERE contype = 'f'") == ""
    assert asked(url, "SELECT tgrelid::regclass FROM pg_trigger WHERE NOT tgisinternal") == ""
    assert asked(url, "SELECT relname FROM pg_class WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace") == ""


def statements() -> Iterator[tuple[str, str]]:
    """The modules that write the SQL of PostgreSQL, each with its text in which no string is broken."""
    folder = Path(migrations.__file__).parents[1]
    for file in (*folder.glob("tables/*.py"), *folder.glob("postgres/*.py")):
        yield file.name, re.sub(r'"\s*f?"', "", file.read_text("utf-8"))


def test_no_statement_inserts_a_subquery_among_its_values() -> None:
    """Citus takes none. The modules of tables write their SQL in plain sight."""
    for name, text in statements():
        assert not re.findall(r"INSERT INTO [^\"]*VALUES \([^\"]*\(SELECT", text), name


def test_no_statement_joins_what_is_spread_to_the_outside_of_what_every_worker_has() -> None:
    """Citus 11 to 13 would collect the whole of the spread table on the coordinator first."""
    spread = rf"\b({'|'.join(('history', *migrations.DISTRIBUTED))})\b"
    for name, text in statements():
        for outside, inside in re.findall(r'"([^"]*) LEFT JOIN ([^"]*)"', text):
            assert re.search(spread, outside) or not re.search(spread, inside), (name, inside)


async def test_no_function_in_a_change_of_what_is_spread_gives_another_result_when_it_is_called_again(
    postgres: PostgresServer,
) -> None:
    """Citus takes no volatile function in UPDATE and DELETE, and no stable one of a column; INSERT it computes before."""
    url = postgres.database()
    await PostgresStore.open(url).close()
    named = "SELECT proname FROM pg_proc WHERE provolatile != 'i'"
    changing = set(asked(url, named).split()) - set(asked(url, "SELECT proname FROM pg_proc WHERE provolatile = 'i'").split())
    spread = "|".join(migrations.DISTRIBUTED)
    found = 0
    for name, text in statements():
        for statement in re.findall(rf'"((?:UPDATE|DELETE FROM) (?:{spread})\b[^"]*)"', text):
            found += 1
            assert not changing & set(re.findall(r"\b([a-z_]+)\(", statement)), (name, statement)
    assert found > 10


def test_nothing_changes_a_view_or_locks_rows_or_asks_what_citus_answers_from_one_worker_alone() -> None:
    alone = r'"[^"]*\b(?:FOR (?:NO KEY )?UPDATE|FOR (?:KEY )?SHARE|WITH RECURSIVE|GROUPING SETS|ROLLUP|TABLESAMPLE)\b'
    for name, text in statements():
        assert not re.search(r'"(?:UPDATE|DELETE FROM|INSERT INTO) history\b', text), name
        assert not re.search(alone, text), name


def test_the_end_of_the_feed_is_a_query_of_a_table_that_is_not_distributed() -> None:
    assert "sequences" not in {*migrations.DISTRIBUTED, *migrations.EVERYWHERE}
    for each in (positions.FIRST, positions.END):
        assert each.startswith("(SELECT ")
        assert " FROM sequences " in each


async def test_a_server_without_citus_is_told(postgres: PostgresServer) -> None:
    url = postgres.database()
    await PostgresStore.open(url).close()
    with pytest.raises(StartError, match="CREATE EXTENSION citus"):
        await migrations.distribute(url)


async def test_readings_of_any_year_find_their_partition(stores: list[PostgresStore]) -> None:
    store = stores[0]
    await store.vehicles.add_vehicle(Vehicle(id="a"))
    instants = [0, 86_400_000, 1_577_836_799_999, 1_577_836_800_000, 1_700_000_000_000, T0, T0 + 400 * 86_400_000]
    random.Random(1).shuffle(instants)
    for value, at in enumerate(instants):
        await store.readings.write([Reading("a", SOC, float(value), at, at, "box")])
    runs = await store.history.history("a", SOC, source="box", limit=100)
    assert [run.observed_at for run in runs] == sorted(instants)


async def test_a_text_that_has_a_nul_is_no_error(stores: list[PostgresStore]) -> None:
    assert await stores[0].vehicles.find_vehicle("a\0b") is None
    assert await stores[0].readings.write([Reading("a\0b", SOC, 1.0, T0, T0, "box")]) == [Outcome.UNKNOWN_VEHICLE]
    assert (await stores[0].vehicles.vehicles(Page()))[1] == 0
