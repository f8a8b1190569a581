import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chargeport.store.protocols import Store
from chargeport.store.sqlite import SqliteStore


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """A new, empty store; every test of this folder runs on each kind there is."""
    opened = SqliteStore.open(tmp_path / "chargeport.db")
    yield opened
    await opened.close()


@pytest.fixture
async def new_store() -> AsyncIterator[Store]:
    """A store that all examples of one property share: each uses a vehicle of its own."""
    with tempfile.TemporaryDirectory() as folder:
        opened = SqliteStore.open(Path(folder) / "chargeport.db")
        yield opened
        await opened.close()
