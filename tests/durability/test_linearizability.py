"""What clients see of signals while servers are killed and paused; the long form is `linearizability.py --minutes 5`."""

import random
from pathlib import Path

import pytest
from linearizability import linearizability

LEAST = 60  # operations of each kind, however slow the machine is

pytestmark = [pytest.mark.service, pytest.mark.long]


@pytest.mark.parametrize("store", ["sqlite", "postgres"])
async def test_clients_see_registers_as_if_there_was_one_place_for_each(store: str, tmp_path: Path) -> None:
    seed = random.randrange(1_000_000)
    found = await linearizability(tmp_path, store, 2, 10, seed, pauses_s=(0.2, 1), rests_s=0.3, least=LEAST)
    assert found.faults
    assert min(found.writes, found.reads) >= LEAST, f"seed {seed}: {found}"
    assert found.violations == [], f"seed {seed}"
