"""A limit on the bytes of bodies being read from callers without a token, in total and by address."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from chargeport.attempts import network
from chargeport.errors import OVERLOADED, Problem

SHARE: Final = 4  # one address may have a quarter of it


class BodyBudget:
    """Count the bytes in memory of bodies that are not complete yet."""

    def __init__(self, most: int) -> None:
        self.used = 0
        self._most = most
        self._by_address: Counter[str] = Counter()

    @contextmanager
    def held(self, address: str) -> "Iterator[Held]":
        """Count a body while it is being read."""
        body = Held(self, network(address))
        try:
            yield body
        finally:
            self.take(body.address, -body.size)

    def take(self, address: str, size: int) -> None:
        """Add `size` bytes to the count."""
        self.used += size
        self._by_address[address] += size
        if not self._by_address[address]:
            del self._by_address[address]

    def is_spent(self, address: str) -> bool:
        """Return whether the limit is exceeded, in total or for this address."""
        return self.used > self._most or self._by_address[address] > self._most // SHARE


class Held:
    """One body that is being read."""

    def __init__(self, budget: BodyBudget, address: str) -> None:
        self.address = address
        self.size = 0
        self._budget = budget

    def add(self, size: int) -> None:
        """Count a received part. Raises Problem (503) if the limit is exceeded."""
        self.size += size
        self._budget.take(self.address, size)
        if self._budget.is_spent(self.address):
            raise Problem(OVERLOADED, "Too many bodies are being read of callers without a token.", retry_after_s=5)
