"""The API against its own description; the long form is `python tests/conformance/fuzz.py`."""

import re
from pathlib import Path

import pytest
from fuzz import ENDLESS, Fuzzer, as_route

from chargeport.api.routes import ROUTES

pytestmark = pytest.mark.service

LEFT_OUT = {ENDLESS, "getOpenApi"}  # Schemathesis reads the description itself, and asks for it no more
PHASES = ("Examples", "Coverage", "Fuzzing", "Stateful")
# Of 116 operations: 82 routes, 34 of them with a prefix and without. It was 49 before examples and links led to what there is.
# The other four need what the same route without its prefix has used up.
REACHED = 112


def test_no_request_that_the_description_makes_up_gets_an_answer_that_it_does_not_know(tmp_path: Path) -> None:
    found = Fuzzer(tmp_path, "--seed", "1", "--max-examples", "2").all()
    assert found.is_good, found.report[-20_000:]
    for phase in PHASES:
        assert f"✅ {phase}" in found.report
    counts = [tuple(map(int, each)) for each in re.findall(r"(\d+) generated, (\d+) passed", found.report)]
    assert len(counts) == len(found.runs)
    assert all(generated == passed for generated, passed in counts)
    assert sum(generated for generated, _ in counts) > 5000
    assert len(found.succeeded) >= REACHED, sorted(found.statuses.keys() - found.succeeded)
    routes = {f"{route.method} {route.path}" for route in ROUTES if route.name not in LEFT_OUT}
    assert {as_route(each) for each in found.succeeded} == routes, "each succeeds, with a prefix or without"
