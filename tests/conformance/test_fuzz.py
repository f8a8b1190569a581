"""The API against its own description; the long form is `python tests/conformance/fuzz.py`."""

import re
from pathlib import Path

import pytest
from fuzz import fuzz

pytestmark = pytest.mark.service


def test_no_request_that_the_description_makes_up_gets_an_answer_that_it_does_not_know(tmp_path: Path) -> None:
    done = fuzz(tmp_path, "--seed", "1", "--max-examples", "2")
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr
    for phase in ("Examples", "Coverage", "Fuzzing", "Stateful"):
        assert f"✅ {phase}" in done.stdout
    count = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    assert count, done.stdout
    assert int(count[1]) > 500
    assert count[1] == count[2]
