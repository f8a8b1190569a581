"""Series that are asked for at the same time, on PostgreSQL: one statement for all, and to each its own."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from chargeport.errors import StoreError
from chargeport.signals.catalogue import BY_CODE, CABLE_CONNECTED, IS_CHARGING
from chargeport.signals.reading import Entry, Reading
from chargeport.store.postgres import PostgresStore
from chargeport.store.postgres.reader import MAX_STATEMENTS, MOST, Lookups, Reader, SlotRange
from chargeport.store.records import Vehicle
from postgres_server import PostgresServer, postgres_server

VOLTAGE, WATTAGE = BY_CODE["charge-voltage"], BY_CODE["charge-wattage"]
T0 = 1_777_593_600_000
CARS = 100


@pytest.fixture
async def store(postgres: PostgresServer) -> AsyncIterator[PostgresStore]:
    opened = PostgresStore.open(postgres.database())
    entries: list[Entry] = []
    for number in range(CARS):
        await opened.vehicles.add_vehicle(Vehicle(id=f"car-{number}"))
        entries += [Reading(f"car-{number}", signal, number + signal.key / 100, T0, T0, "box") for signal in (VOLTAGE, WATTAGE)]
        entries.append(Reading(f"car-{number}", IS_CHARGING, number % 2 == 0, T0, T0, "box"))
    await opened.readings.write(entries)
    yield opened
    await opened.close()


async def test_reads_at_the_same_time_share_statements_and_each_has_its_own(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.readings.signals("car-0")  # from here on the names of sources are known
    statements, select = 0, Reader.select

    async def counted(self: Reader, sql: str, bindings: tuple[object, ...] = ()) -> list[object]:
        nonlocal statements
        statements += 1
        return await select(self, sql, bindings)

    monkeypatch.setattr(Reader, "select", counted)
    asked = [(f"car-{number}", signal) for number in range(CARS) for signal in (VOLTAGE, WATTAGE)]
    found = await asyncio.gather(*(store.readings.signal(*each) for each in asked))
    assert statements <= -(-len(asked) // MOST) + MAX_STATEMENTS
    for (car, signal), series in zip(asked, found, strict=True):
        assert series is not None
        assert series.vehicle.id == car
        number = int(car.removeprefix("car-"))
        values = {key: [state.value for state in states] for key, states in series.series.items()}
        assert values == {signal.key: [number + signal.key / 100], IS_CHARGING.key: [number % 2 == 0]}


async def test_a_vehicle_that_is_unknown_or_has_nothing_is_told_from_others(store: PostgresStore) -> None:
    await store.vehicles.add_vehicle(Vehicle(id="empty"))
    found = await asyncio.gather(*(store.readings.signals(car) for car in ("empty", "nobody", "car-1\0", "car-1")))
    assert [each and (each.vehicle.id, len(each.series)) for each in found] == [("empty", 0), None, None, ("car-1", 3)]


async def test_the_cable_is_read_with_itself_once(store: PostgresStore) -> None:
    await store.readings.write([Reading("car-1", CABLE_CONNECTED, True, T0, T0, "box")])
    found = await store.readings.signal("car-1", CABLE_CONNECTED)
    assert found is not None
    assert [len(states) for states in found.series.values()] == [1, 1]


async def test_who_reads_after_a_write_sees_it_however_many_ask(store: PostgresStore) -> None:
    others = [asyncio.ensure_future(store.readings.signals(f"car-{number}")) for number in range(CARS)]
    for step in range(1, 20):
        await store.readings.write([Reading("car-5", VOLTAGE, 200.0 + step, T0 + step, T0 + step, "box")])
        others += [asyncio.ensure_future(store.readings.signals(f"car-{number}")) for number in range(20)]
        found = await store.readings.signal("car-5", VOLTAGE)
        assert found is not None
        assert found.series[VOLTAGE.key][0].value == 200.0 + step
    assert all(await asyncio.gather(*others))


class Paused:
    """A reader whose statements end when they are told to."""

    def __init__(self) -> None:
        self.ends: list[asyncio.Future[list[object]]] = []

    async def select(self, _sql: str, _bindings: tuple[object, ...] = ()) -> list[object]:
        self.ends.append(asyncio.get_running_loop().create_future())
        return await self.ends[-1]


async def test_who_asks_at_the_moment_when_all_statements_end_is_answered_too() -> None:
    reader = Paused()
    lookups = Lookups(reader)  # type: ignore[arg-type]
    asked = []
    for number in range(MAX_STATEMENTS):
        asked.append(asyncio.ensure_future(lookups.find([SlotRange(f"car-{number}")])))
        while len(reader.ends) == number:  # noqa: ASYNC110  (a statement tells nobody that it begins)
            await asyncio.sleep(0)
    for end in reader.ends:
        end.set_result([])
    last = asyncio.ensure_future(lookups.find([SlotRange("another")]))  # begins behind the ends of the statements
    async with asyncio.timeout(5):
        while len(reader.ends) == MAX_STATEMENTS:  # noqa: ASYNC110  (as above)
            await asyncio.sleep(0)
    reader.ends[-1].set_result([])
    assert await asyncio.gather(*asked, last) == [[]] * (MAX_STATEMENTS + 1)


async def test_one_that_is_given_up_leaves_the_others_their_answers_and_an_error_reaches_all() -> None:
    with postgres_server() as server:
        store = PostgresStore.open(server.database())
        await store.vehicles.add_vehicle(Vehicle(id="a"))
        first, second = (asyncio.ensure_future(store.readings.signals("a")) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        assert await second is not None
        server.kill()
        ends = await asyncio.gather(*(store.readings.signals("a") for _ in range(3)), return_exceptions=True)
        assert [type(end) for end in ends] == [StoreError] * 3
        server.start()
        assert await store.readings.signals("a") is not None
        await store.close()
