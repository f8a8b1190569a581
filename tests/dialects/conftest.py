from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chargeport.store.protocols import Store
from chargeport.store.sqlite import SqliteStore
from new_database import new_database

# Payloads of other people's systems, for comparison; not part of the project.
OTHERS = Path(__file__).parents[3] / "shared" / "data" / "recordings"


@pytest.fixture
def others() -> Path:
    """The folder with recorded payloads of other people's systems; skips where there is none."""
    if not OTHERS.is_dir():
        pytest.skip("no recorded payloads of other people's systems on this machine")
    return OTHERS


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """A new, empty store."""
    opened = SqliteStore.open(new_database(tmp_path / "chargeport.db"))
    yield opened
    await opened.close()
