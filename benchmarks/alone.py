"""Surroundings for a source that is measured alone, without a store and without anybody who asks how it is."""

from chargeport.clock import SystemClock
from chargeport.sources.base import Surroundings


class Nobody:
    """The memory of a source that has none, and whom it tells how it is."""

    async def get(self, key: str) -> str | None:
        """Nothing was put."""
        raise AssertionError(f"a source that is measured remembers nothing: {key}")

    async def put(self, key: str, value: str | None) -> None:
        """Nothing can be put."""
        raise AssertionError(f"a source that is measured remembers nothing: {key}, {value}")

    def connected(self) -> None:
        """Good to know."""

    def lag(self, behind: int) -> None:
        """Good to know."""


async def _never_charges(_car: str) -> bool:
    return False


def surroundings(*topics: str) -> Surroundings:
    """What a source is given beside its settings."""
    nobody = Nobody()
    return Surroundings(
        name="benchmark",
        dialect="none",
        clock=SystemClock(),
        memory=nobody,
        told=nobody,
        charging=_never_charges,
        topics=topics,
    )
