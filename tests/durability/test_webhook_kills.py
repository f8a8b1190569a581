"""Every effective change reaches a receiver though the server is killed; the long form is `webhook_kills.py`."""

import random
from pathlib import Path

import pytest
from webhook_kills import WebhookKills

pytestmark = pytest.mark.service


async def test_a_server_that_is_killed_while_it_delivers_loses_no_event(tmp_path: Path) -> None:
    seed = random.randrange(1_000_000)
    found = await WebhookKills(tmp_path, cars=4, seed=seed).run(3, 0.5, 1.0)
    assert found.kills == 3
    assert found.acknowledged > 30, f"seed {seed}: hardly anything was reported: {found}"
    assert (found.lost, found.differing) == ([], []), f"seed {seed}"
