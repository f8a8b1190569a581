"""Several processes on one database survive whatever is killed or paused; the long form is `nemesis.py --minutes 10`."""

import random
from pathlib import Path

import pytest
from nemesis import nemesis

pytest.importorskip("nats", reason="chargeport[nats] is not installed")
pytest.importorskip("asyncpg", reason="chargeport[postgres] is not installed")
pytestmark = [pytest.mark.service, pytest.mark.long]


async def test_processes_database_and_broker_are_killed_under_load_and_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    seed = random.randrange(1_000_000)
    sent: list[str] = []
    found = await nemesis(tmp_path, 6, 1, seed, say=sent.append, pauses_s=(0.2, 1.5), rests_s=0.5)
    assert found.faults
    assert found.reports > 50, f"seed {seed}: hardly anything was reported: {found}"
    assert found.records, f"seed {seed}: no car charged"
    assert found.wrong == [], f"seed {seed}: {sent}"
