"""What was acknowledged survives `kill -9`; the long form is `python tests/durability/kill_nine.py`."""

from pathlib import Path

import pytest
from kill_nine import SYNCED, Crashes, seeds

from postgres_server import postgres_server

pytestmark = pytest.mark.service


async def test_what_was_acknowledged_survives_a_kill_and_no_request_is_half_there(tmp_path: Path) -> None:
    seed = next(seeds())
    found = await Crashes(tmp_path / "crash.db", writers=8, seed=seed).run(4, 0.1, 0.5)
    assert found.acknowledged > 100, f"seed {seed}: hardly anything was sent: {found}"
    assert found.unanswered, f"seed {seed}: no kill came in the middle of a request"
    assert (found.wrong, found.integrity) == ([], "ok"), f"seed {seed}"


@pytest.mark.parametrize("victim", ["server", "database"])
@pytest.mark.long
async def test_on_postgresql_it_survives_a_kill_of_the_server_and_of_the_database(victim: str) -> None:
    seed = next(seeds())
    with postgres_server(*SYNCED) as database:
        found = await Crashes(database, writers=8, seed=seed, kills_database=victim == "database").run(2, 0.1, 0.5)
    assert found.acknowledged, f"seed {seed}: nothing was acknowledged: {found}"
    assert found.unanswered or found.refused, f"seed {seed}: no kill came in the middle of a request"
    assert found.wrong == [], f"seed {seed}"
