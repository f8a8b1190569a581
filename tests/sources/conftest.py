from collections.abc import AsyncIterator

import pytest
from home_assistant_peers import House


@pytest.fixture
async def house() -> AsyncIterator[House]:
    running = House()
    await running.start()
    yield running
    await running.stop()
