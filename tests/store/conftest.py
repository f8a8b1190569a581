import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from memory_store import MemoryStore

from chargeport.store.protocols import Store
from chargeport.store.sqlite import SqliteStore

KINDS = ["sqlite", "memory"]  # of stores that keep readings and their history


def opened(kind: str, folder: Path) -> Store:
    """A new, empty store of a kind. Of the store in memory the parts about readings are there."""
    return SqliteStore.open(folder / "chargeport.db") if kind == "sqlite" else MemoryStore()  # type: ignore[return-value]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """A new, empty store with all its parts."""
    made = SqliteStore.open(tmp_path / "chargeport.db")
    yield made
    await made.close()


@pytest.fixture(params=KINDS)
async def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """A new, empty store of each kind that keeps readings."""
    made = opened(request.param, tmp_path)
    yield made
    await made.close()


@pytest.fixture(params=KINDS)
async def new_store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    """The same, shared by all examples of one property: each uses a vehicle of its own."""
    with tempfile.TemporaryDirectory() as folder:
        made = opened(request.param, Path(folder))
        yield made
        await made.close()
