"""History that moves from its recent table to the settled one: nobody who reads can tell, whatever happens in between."""

import apsw
import pytest

from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.reading import Reading
from chargeport.store.records import DirtyVehicle, Selection, Vehicle
from chargeport.store.sqlite import SqliteStore, engine, feed, moving

T0 = 1_777_629_598_000
CARS = [f"0b0c6b0e-1b5e-4d6e-9b3f-2f8f5f2a7c1{number}" for number in range(3)]
WATTAGE = BY_CODE["charge-wattage"]
RUNS = 12  # of each car

pytestmark = pytest.mark.parametrize("store", ["sqlite"], indirect=True)  # the other databases have one table


@pytest.fixture
async def moved(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> SqliteStore:
    """A store that keeps four runs where they were written, and six positions of the feed."""
    for name, bound in (("MAX_RECENT", 4), ("STEP_RUNS", 5), ("FEED_CHANGES", 6)):
        monkeypatch.setattr(moving, name, bound)
    monkeypatch.setattr(feed, "OLD_PLACES", 7)
    for car in CARS:
        await store.vehicles.add_vehicle(Vehicle(id=car))
    for number in range(RUNS):
        await store.readings.write([Reading(car, WATTAGE, float(number), T0 + number, T0 + number, "box") for car in CARS])
    for _ in range(4):  # behind all that is moved after the last write: at least a step before each next one
        await store.ping()
    return store


def count(store: SqliteStore, table: str) -> int:
    connection = apsw.Connection(str(store.path))
    found = connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]
    connection.close()
    assert isinstance(found, int)
    return found


async def test_runs_that_are_too_many_move_on_and_all_of_them_are_read(moved: SqliteStore) -> None:
    assert count(moved, "recent") <= 4
    assert count(moved, "recent") + count(moved, "settled") == count(moved, "history") == RUNS * len(CARS)
    for car in CARS:
        runs = await moved.history.history(car, WATTAGE, source="box", limit=100)
        assert [run.value for run in runs] == list(range(RUNS))


async def test_the_feed_is_whole_from_every_position_on(moved: SqliteStore) -> None:
    assert count(moved, "feed") < RUNS * len(CARS)
    everything = await moved.readings.changes(0, 1000)
    assert [change.position for change in everything] == list(range(1, RUNS * len(CARS) + 1))
    for after in range(RUNS * len(CARS)):
        assert await moved.readings.changes(after, 4) == everything[after : after + 4]


async def test_a_feed_that_is_shortened_between_two_reads_of_it_is_whole(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.vehicles.add_vehicle(Vehicle(id=CARS[0]))
    await store.readings.write([Reading(CARS[0], WATTAGE, float(at), T0 + at, T0 + at, "box") for at in range(RUNS)])
    await store.ping()
    read = store._reader.count

    def shortened_behind(sql: str, bindings: tuple[object, ...] = ()) -> int:
        found = read(sql, bindings)
        connection = apsw.Connection(str(store.path))
        connection.execute(
            "BEGIN; DELETE FROM feed WHERE position <= 5; UPDATE sequences SET value = 5 WHERE name = 'feed'; COMMIT"
        )
        connection.close()
        return found

    monkeypatch.setattr(store._reader, "count", shortened_behind)
    assert [change.value for change in await store.readings.changes(0, 100)] == list(range(RUNS))


async def test_what_was_erased_is_in_no_part_of_the_feed(moved: SqliteStore) -> None:
    await moved.readings.changes(0, 2)  # the places of the next ones are remembered
    await moved.vehicles.remove_vehicle(CARS[1])
    found = await moved.readings.changes(0, 1000)
    assert {change.vehicle_id for change in found} == {CARS[0], CARS[2]}
    assert len(found) == 2 * RUNS


async def test_who_follows_from_before_the_feed_is_told_of_every_vehicle(moved: SqliteStore) -> None:
    changed, reached = await moved.sessions.changed_since(0, 2, frozenset({WATTAGE}))
    assert {each.vehicle_id for each in changed} == set(CARS)
    rest: list[DirtyVehicle] = []
    while reached < await moved.readings.position():  # more than one part where more was moved meanwhile
        found, reached = await moved.sessions.changed_since(reached, 1000, frozenset({WATTAGE}))
        rest += found
    assert rest[-1] == DirtyVehicle(CARS[2], rest[-1].first_at, T0 + RUNS - 1)


async def test_what_comes_late_changes_a_run_wherever_it_is(moved: SqliteStore) -> None:
    for number in range(RUNS):
        for early_ms in (0, 5):
            at = T0 - 10 * number - early_ms
            await moved.readings.write([Reading(CARS[0], WATTAGE, 99.0, at, T0, "box")])
    runs = await moved.history.history(CARS[0], WATTAGE, source="box", limit=100)
    assert [(run.value, run.observed_at - T0) for run in runs] == [(99.0, -115), *((each, each) for each in range(1, RUNS))]
    seen = [
        each.observed_at - T0
        async for part in moved.readings.sightings(Selection(vehicle_ids=frozenset(CARS[:1]), every=True))
        for each in part.sightings
    ]
    assert seen == [*range(-115, 0, 5), 0, 0, *range(1, RUNS)]


async def test_a_move_that_fails_leaves_every_run_where_it_was(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    await store.vehicles.add_vehicle(Vehicle(id=CARS[0]))
    monkeypatch.setattr(moving, "MAX_RECENT", 0)
    monkeypatch.setattr(moving, "_REMOVE", "DELETE FROM nowhere WHERE {}")
    await store.readings.write([Reading(CARS[0], WATTAGE, 1.0, T0, T0, "box")])
    await store.ping()
    assert (count(store, "recent"), count(store, "settled")) == (1, 0)
    await store.readings.write([Reading(CARS[0], WATTAGE, 2.0, T0 + 1, T0 + 1, "box")])
    assert len(await store.history.history(CARS[0], WATTAGE, source="box", limit=9)) == 2


async def test_the_feed_is_shortened_while_there_are_runs_to_move(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    filled = SqliteStore.open(store.path.with_name("filled.db"))
    await filled.vehicles.add_vehicle(Vehicle(id=CARS[0]))
    await filled.readings.write([Reading(CARS[0], WATTAGE, float(at), T0 + at, T0 + at, "box") for at in range(RUNS)])
    await filled.close()  # its writer moves nothing on now
    for name, bound in (("MAX_RECENT", 0), ("STEP_RUNS", 1), ("FEED_CHANGES", 6)):
        monkeypatch.setattr(moving, name, bound)
    connection = engine.connect(filled.path)
    mover = moving.Mover(connection)
    for _ in range(RUNS - 6):
        assert mover.step()
    connection.close()
    assert (count(filled, "feed"), count(filled, "recent")) == (6, RUNS)
