"""What clients see of signals while servers are killed and paused; the long form is `linearizability.py --minutes 5`."""

import random
from pathlib import Path

import pytest
from linearizability import linearizability

pytestmark = [pytest.mark.service, pytest.mark.long]


@pytest.mark.parametrize("store", ["sqlite", "postgres"])
async def test_clients_see_registers_as_if_there_was_one_place_for_each(store: str, tmp_path: Path) -> None:
    seed = random.randrange(1_000_000)
    found = await linearizability(tmp_path, store, 2, 10, seed, pauses_s=(0.2, 1), rests_s=0.3)
    assert found.faults
    assert found.writes > 10, f"seed {seed}: hardly anything was written: {found}"
    assert found.reads > 10, f"seed {seed}: hardly anything was read: {found}"
    assert found.violations == [], f"seed {seed}"
