import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from memory_store import MemoryStore

from chargeport.store.protocols import Store
from chargeport.store.sqlite import SqliteStore
from postgres_server import PostgresServer

WHOLE = ["sqlite", "postgres"]  # kinds of stores with all their parts
KINDS = [*WHOLE, "memory"]  # of stores that keep readings and their history


def opened(kind: str, folder: Path, request: pytest.FixtureRequest) -> Store:
    """A new, empty store of a kind. Of the store in memory the parts about readings are there."""
    if kind == "sqlite":
        return SqliteStore.open(folder / "chargeport.db")
    if kind == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres")
        from chargeport.store.postgres import PostgresStore

        return PostgresStore.open(server.database())
    return MemoryStore()  # type: ignore[return-value]


def reopened(store: Store) -> Store:
    """Another store on the same database."""
    if isinstance(store, SqliteStore):
        return SqliteStore.open(store.path)
    return type(store).open(store.url)  # type: ignore[attr-defined,no-any-return]


@pytest.fixture(params=WHOLE)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """A new, empty store with all its parts."""
    made = opened(request.param, tmp_path, request)
    yield made
    await made.close()


@pytest.fixture(params=KINDS)
async def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """A new, empty store of each kind that keeps readings."""
    made = opened(request.param, tmp_path, request)
    yield made
    await made.close()


@pytest.fixture(params=KINDS)
async def new_store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    """The same, shared by all examples of one property: each uses a vehicle of its own."""
    with tempfile.TemporaryDirectory() as folder:
        made = opened(request.param, Path(folder), request)
        yield made
        await made.close()
