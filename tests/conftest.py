import asyncio
import gc
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from chargeport.store.records import Vehicle
from postgres_server import PostgresServer, postgres_server
from tidy_loop import TidyPolicy
from world import Client, World

# How long an example takes says something of the machine, not of the code. HYPOTHESIS=thorough looks ten times as hard;
# "brief", of make check, half as hard.
settings.register_profile("brief", deadline=None, max_examples=40)
settings.register_profile("quick", deadline=None, max_examples=40)
settings.register_profile("thorough", deadline=None, max_examples=400)
settings.load_profile(os.environ.get("HYPOTHESIS", "quick"))
BRIEF = 2  # the divisor of the examples of every property
FEW = 10  # examples of a property on PostgreSQL: each costs some hundred round trips, and the rules are the same functions

asyncio.set_event_loop_policy(TidyPolicy())

LONGEST = "tests/conformance/test_fuzz.py"  # takes a minute


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the longest test first: at the end, the other processes would wait for it."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


def pytest_collection_finish() -> None:
    """Leave what the collection created out of the garbage collector, which would search it again and again."""
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Try fewer examples on PostgreSQL and in a brief run, unless all are asked for (HYPOTHESIS=thorough)."""
    test = getattr(item, "obj", None)
    test = getattr(test, "__func__", test)
    chosen = getattr(test, "_hypothesis_internal_use_settings", None)
    profile = settings.get_current_profile_name()
    if chosen is None or profile == "thorough":
        return
    whole = _WHOLE.setdefault(test, chosen)
    most = min(FEW, whole.max_examples) if "[postgres" in item.name else whole.max_examples
    test._hypothesis_internal_use_settings = settings(whole, max_examples=-(-most // BRIEF) if profile == "brief" else most)


_WHOLE: dict[object, settings] = {}


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server for all tests of this process."""
    with postgres_server() as server:
        yield server


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A service on a new database, with its own clock."""
    opened = World.open(tmp_path)
    yield opened
    await opened.close()


@pytest.fixture(params=["fast path", "router"])
async def either(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """The same, once answered by the fast path and once by the router alone."""
    opened = World.open(tmp_path, fast_path=request.param == "fast path")
    yield opened
    await opened.close()


@pytest.fixture
async def app(world: World) -> Client:
    """An application that may do everything with every car."""
    return await world.application()


@pytest.fixture
async def car(world: World) -> Vehicle:
    """A car of which nothing is known yet."""
    return await world.car("0b0c6b0e-1b5e-4d6e-9b3f-2f8f5f2a7c11", aliases=("WVWZZZ00000000001",))
