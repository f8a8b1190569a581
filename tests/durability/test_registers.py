"""The checker of registers finds what no order of operations explains, and nothing else."""

from collections.abc import Sequence
from itertools import permutations
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st
from registers import Operation, violations

R = ("car", "signal")


def write(version: int, begun: float, over: float = inf) -> Operation:
    return Operation(R, True, version, begun, over)


def read(version: int, begun: float, over: float) -> Operation:
    return Operation(R, False, version, begun, over)


@pytest.mark.parametrize(
    ("operations", "words"),
    [
        ([write(1, 0, 1), read(0, 2, 3)], "after 1 was acknowledged"),
        ([write(1, 0), read(1, 1, 2), read(0, 3, 4)], "after 1 was acknowledged or read"),
        ([read(1, 0, 1), write(1, 2, 3)], "before it was written"),
        ([read(1, 0, 1)], "before it was written"),
        ([write(2, 0, 1), write(1, 2, 3), read(1, 0.5, 4)], "a later one was there already"),
    ],
)
def test_what_no_order_explains_is_found(operations: list[Operation], words: str) -> None:
    (found,) = violations(operations)
    assert words in found


def test_registers_are_judged_each_by_itself() -> None:
    other = Operation(("car", "other"), False, 0, 2, 3)
    assert not list(violations([write(1, 0, 1), other]))


def can_be_ordered(operations: Sequence[Operation]) -> bool:
    """Whether some order explains what was read, tried one by one; a write without an answer may be left out."""
    open_writes = [each for each in operations if each.over == inf]
    for left_out in range(1 << len(open_writes)):
        dropped = [each for number, each in enumerate(open_writes) if left_out >> number & 1]
        if any(explains(order) for order in permutations([each for each in operations if each not in dropped])):
            return True
    return False


def explains(order: Sequence[Operation]) -> bool:
    version = 0
    for place, each in enumerate(order):
        if any(later.over < each.begun for later in order[place + 1 :]):
            return False
        if each.is_write:
            version = max(version, each.version)
        elif each.version != version:
            return False
    return True


@st.composite
def histories(draw: st.DrawFn) -> list[Operation]:
    """A few writes and reads that overlap in any way."""
    versions = draw(st.permutations([1, 2, 3]))[: draw(st.integers(1, 3))]
    instants = iter(draw(st.permutations(range(12))))
    found = []
    for version in versions:
        begun, over = sorted((next(instants), next(instants)))
        found.append(write(version, begun, inf if draw(st.booleans()) else over))
    for _ in range(draw(st.integers(1, 3))):
        begun, over = sorted((next(instants), next(instants)))
        found.append(read(draw(st.sampled_from([0, *versions])), begun, over))
    return found


@given(histories())
def test_the_rules_find_just_what_trying_every_order_finds(operations: list[Operation]) -> None:
    assert bool(list(violations(operations))) is not can_be_ordered(operations)
