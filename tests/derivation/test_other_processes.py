"""What one process stores is derived by another one, also what only confirms what was known."""

import json
from collections.abc import AsyncIterator

import pytest

from chargeport.clock import ManualClock
from chargeport.derivation.worker import Derivation
from chargeport.settings import Settings
from chargeport.signals.effective import DERIVED
from chargeport.store.postgres import PostgresStore
from chargeport.store.records import Outcome
from derived_cars import CAR, MINUTE, T0, WATTAGE, catch_up, nothing, reading
from postgres_server import PostgresServer, asked


@pytest.fixture
async def stores(postgres: PostgresServer) -> AsyncIterator[list[PostgresStore]]:
    """Stores of two processes on one new database."""
    url = postgres.database()
    opened = [PostgresStore.open(url) for _ in range(2)]
    await opened[0].vehicles.add_vehicle(CAR)
    yield opened
    for each in opened:
        await each.close()


async def ended_at(store: PostgresStore) -> list[int]:
    """When the sessions of the car ended."""
    return [json.loads(each.body)["ended_at"] for each in await store.sessions.sessions(CAR.id, 0, 1 << 62)]


async def test_what_another_process_saw_late_is_derived_and_is_no_change(stores: list[PostgresStore]) -> None:
    hearing, deriving = stores
    derivation = Derivation(deriving, Settings(), ManualClock(T0 + 60 * MINUTE), nothing, rest=nothing)
    await derivation.resume()
    charge = [reading(WATTAGE, 7000.0, T0 + minute * MINUTE) for minute in range(10)]
    await hearing.readings.write([*charge, reading(WATTAGE, 0.0, T0 + 20 * MINUTE)])
    await catch_up(derivation)
    assert await ended_at(deriving) == [T0 + 9 * MINUTE], "what was until the end is not known yet"
    changes = await deriving.readings.changes(0, 100)
    late = [reading(WATTAGE, 7000.0, T0 + minute * MINUTE) for minute in (16, 12, 14)]
    assert await hearing.readings.write(late) == [Outcome.SUPERSEDED] * 3
    await catch_up(derivation)
    assert await ended_at(deriving) == [T0 + 20 * MINUTE]
    own = {each.position for each in await deriving.readings.changes(0, 100) if each.source != DERIVED}
    assert own == {each.position for each in changes if each.source != DERIVED}
    assert await deriving.vehicles.remove_vehicle(CAR.id)
    assert asked(deriving.url, "SELECT count(*) FROM late_sightings") == "0"


async def test_of_days_that_are_told_late_again_and_again_one_row_is_kept(stores: list[PostgresStore]) -> None:
    hearing, deriving = stores
    await hearing.readings.write([reading(WATTAGE, value, T0 + value * MINUTE) for value in (0.0, 600.0)])
    for minute in (5, 9, 1, 7):
        await hearing.readings.write([reading(WATTAGE, 0.0, T0 + minute * MINUTE)])
        reported, reached = await deriving.sessions.changed_since(0, 1000, frozenset({WATTAGE}))
        assert [each.vehicle_id for each in reported] == [CAR.id]
        assert await deriving.sessions.changed_since(reached, 1000, frozenset({WATTAGE})) == ([], reached)
    row = asked(deriving.url, "SELECT first_at, last_at FROM late_sightings")
    assert row == f"{T0 + MINUTE}|{T0 + 9 * MINUTE}"
