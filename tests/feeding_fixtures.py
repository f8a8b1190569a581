"""Fixtures of the tests that feed a store: stores, clocks and a house with derivation."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from chargeport.clock import ManualClock
from chargeport.store.protocols import Store
from chargeport.store.sqlite import SqliteStore
from derived_cars import House
from feeding import CAR, OTHER
from new_database import new_database


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """A store that knows two cars and nothing of them."""
    opened = SqliteStore.open(new_database(tmp_path / "chargeport.db"))
    await opened.vehicles.add_vehicle(CAR)
    await opened.vehicles.add_vehicle(OTHER)
    yield opened
    await opened.close()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that all examples of one property share."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@pytest.fixture
def clock() -> ManualClock:
    from feeding import T0

    return ManualClock(T0)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A store with a car of which nothing is known yet, and what works things out on it."""
    opened = await House.open(tmp_path)
    yield opened
    await opened.store.close()
