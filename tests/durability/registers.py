"""Whether what clients saw of registers can have happened in some order, one operation after the other (linearizability).

A register keeps the greatest of the versions written to it, as a series keeps its newest observation. Each version is written
once. A write that was not acknowledged may take effect at any time after it began, or never; a read without an answer says
nothing. For such registers four rules are enough (`test_registers.py` holds them against trying every order):

1. A version that is read was written, and its write had begun before the read was over.
2. A read that begins after a write was acknowledged sees that version or a later one.
3. A read that begins after another one was over sees that one's version or a later one.
4. A version is not read if its write began when a later version had already been acknowledged or read.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from math import inf

import msgspec

Register = tuple[str, str]


class Operation(msgspec.Struct, frozen=True):
    """A read or a write of one client. Version 0 is that of a register to which nothing was written."""

    register: Register
    is_write: bool
    version: int
    begun: float
    over: float = inf
    """When the answer came; never where a write was not acknowledged."""
    client: int = 0


def violations(operations: Iterable[Operation]) -> Iterator[str]:
    """What no order of operations explains, register by register."""
    by_register: defaultdict[Register, list[Operation]] = defaultdict(list)
    for each in operations:
        by_register[each.register].append(each)
    for register, found in by_register.items():
        for what in _violations(found):
            yield f"{'/'.join(register)}: {what}"


def _violations(operations: Sequence[Operation]) -> Iterator[str]:
    begun = {each.version: each.begun for each in operations if each.is_write} | {0: -inf}
    sure = [each for each in operations if each.over < inf]
    # By the time of its end, the greatest version that was there; by version, when it or a later one was there at first.
    ends = sorted(sure, key=lambda each: each.over)
    greatest = list(accumulate((each.version for each in ends), max))
    versions = sorted(sure, key=lambda each: each.version)
    first = list(accumulate((each.over for each in reversed(versions)), min))[::-1]
    for read in (each for each in operations if not each.is_write):
        before = bisect_right(ends, read.begun, key=lambda each: each.over)
        known = greatest[before - 1] if before else 0
        later = bisect_right(versions, read.version, key=lambda each: each.version)
        if begun.get(read.version, inf) > read.over:
            yield f"version {read.version} was read before it was written"
        elif read.version < known:
            yield f"version {read.version} was read by client {read.client} after {known} was acknowledged or read"
        elif later < len(first) and first[later] < begun[read.version]:
            yield f"version {read.version} was read, whose write began when a later one was there already"
