import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from memory_store import MemoryStore

from chargeport.store.protocols import Store
from chargeport.store.sqlite import SqliteStore, feed, moving
from new_database import new_database
from postgres_server import PostgresServer

WHOLE = ["sqlite", "postgres"]  # kinds of stores with all their parts
KINDS = [*WHOLE, "moved", "memory"]  # that keep readings and their history; "moved": runs move on after each write


def opened(kind: str, folder: Path, request: pytest.FixtureRequest) -> Store:
    """A new, empty store of a kind."""
    if kind in ("sqlite", "moved"):
        return SqliteStore.open(new_database(folder / "chargeport.db"))
    if kind == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres")
        from chargeport.store.postgres import PostgresStore

        return PostgresStore.open(server.database())
    return MemoryStore()  # type: ignore[return-value]


@pytest.fixture
def _bounds(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few runs, and few positions of the feed, where a store moves them on; so it does all the time."""
    if "moved" in request.node.name:
        monkeypatch.setattr(moving, "MAX_RECENT", 2)
        monkeypatch.setattr(moving, "STEP_RUNS", 3)
        monkeypatch.setattr(moving, "FEED_CHANGES", 4)
        monkeypatch.setattr(feed, "OLD_PLACES", 5)


@pytest.fixture(params=WHOLE)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """A new, empty store with all its parts."""
    made = opened(request.param, tmp_path, request)
    yield made
    await made.close()


@pytest.fixture(params=KINDS)
async def any_store(request: pytest.FixtureRequest, tmp_path: Path, _bounds: None) -> AsyncIterator[Store]:
    """A new, empty store of each kind that keeps readings."""
    made = opened(request.param, tmp_path, request)
    yield made
    await made.close()


@pytest.fixture(params=KINDS)
async def new_store(request: pytest.FixtureRequest, _bounds: None) -> AsyncIterator[Store]:
    """The same, shared by all examples of one property: each uses a vehicle of its own."""
    with tempfile.TemporaryDirectory() as folder:
        made = opened(request.param, Path(folder), request)
        yield made
        await made.close()
