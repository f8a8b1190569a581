from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from simulated_server import Simulated, simulated


@pytest.fixture
async def simulation(tmp_path: Path) -> AsyncIterator[Simulated]:
    async with simulated(tmp_path, charging_every_s=60.0) as opened:
        yield opened
