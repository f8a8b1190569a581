"""The API against its own description; the long form is `python tests/conformance/fuzz.py`."""

import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from fuzz import EACH_BUT_COVERAGE, ENDLESS, Fuzzed, Fuzzer, as_route

from chargeport.api.routes import ROUTES

pytestmark = pytest.mark.service

LEFT_OUT = {ENDLESS, "getOpenApi"}  # Schemathesis reads the description itself, and asks for it no more
SEEDED = ("--seed", "1", "--max-examples", "2")
# Of 116 operations: 82 routes, 34 of them with a prefix and without. It was 49 before examples and links led to what there is.
# The other four need what the same route without its prefix has used up.
REACHED = 112


def generated(found: Fuzzed, *phases: str) -> int:
    """The number of generated requests, after a check that the phases were run and each request was answered as described."""
    assert found.is_good, found.report[-20_000:]
    for phase in phases:
        assert f"✅ {phase}" in found.report
    counts = [tuple(map(int, each)) for each in re.findall(r"(\d+) generated, (\d+) passed", found.report)]
    assert len(counts) == len(found.runs)
    assert all(generated == passed for generated, passed in counts)
    return sum(generated for generated, _ in counts)


def routes_of(operations: Iterable[str]) -> set[str]:
    return {as_route(each) for each in operations}


ALL_ROUTES = {f"{route.method} {route.path}" for route in ROUTES if route.name not in LEFT_OUT}


def test_generated_requests_are_answered_as_the_description_says(tmp_path: Path) -> None:
    found = Fuzzer(tmp_path, *SEEDED, each=EACH_BUT_COVERAGE).all()
    assert generated(found, "Examples", "Fuzzing", "Stateful") > 1000
    assert routes_of(found.succeeded) == ALL_ROUTES


@pytest.mark.long
def test_requests_with_each_boundary_of_the_description_are_answered_as_it_says(tmp_path: Path) -> None:
    found = Fuzzer(tmp_path, *SEEDED).all()
    assert generated(found, "Examples", "Coverage", "Fuzzing", "Stateful") > 5000
    assert len(found.succeeded) >= REACHED, sorted(found.statuses.keys() - found.succeeded)
    assert routes_of(found.succeeded) == ALL_ROUTES, "each succeeds, with a prefix or without"
