import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from memory_store import MemoryStore

from chargeport.store.protocols import Store
from chargeport.store.sqlite import SqliteStore, feed, moving

KINDS = ["sqlite", "moved", "memory"]  # of stores that keep readings and their history; "moved": runs move on after each write


def opened(kind: str, folder: Path) -> Store:
    """A new, empty store of a kind. Of the store in memory the parts about readings are there."""
    return MemoryStore() if kind == "memory" else SqliteStore.open(folder / "chargeport.db")  # type: ignore[return-value]


@pytest.fixture
def _bounds(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few runs, and few positions of the feed, where a store moves them on; so it does all the time."""
    if "moved" in request.node.name:
        monkeypatch.setattr(moving, "MAX_RECENT", 2)
        monkeypatch.setattr(moving, "STEP_RUNS", 3)
        monkeypatch.setattr(moving, "FEED_CHANGES", 4)
        monkeypatch.setattr(feed, "OLD_PLACES", 5)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """A new, empty store with all its parts."""
    made = SqliteStore.open(tmp_path / "chargeport.db")
    yield made
    await made.close()


@pytest.fixture(params=KINDS)
async def any_store(request: pytest.FixtureRequest, tmp_path: Path, _bounds: None) -> AsyncIterator[Store]:
    """A new, empty store of each kind that keeps readings."""
    made = opened(request.param, tmp_path)
    yield made
    await made.close()


@pytest.fixture(params=KINDS)
async def new_store(request: pytest.FixtureRequest, _bounds: None) -> AsyncIterator[Store]:
    """The same, shared by all examples of one property: each uses a vehicle of its own."""
    with tempfile.TemporaryDirectory() as folder:
        made = opened(request.param, Path(folder))
        yield made
        await made.close()
