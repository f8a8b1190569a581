"""What callers that have shown no token may have in bodies that are being read, together and from one address."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from chargeport.attempts import network
from chargeport.errors import OVERLOADED, Problem

SHARE: Final = 4  # one address may have a quarter of it


class BodyBudget:
    """Counts the bytes that wait in memory until the rest of their body is there."""

    def __init__(self, most: int) -> None:
        self.used = 0
        self._most = most
        self._by_address: Counter[str] = Counter()

    @contextmanager
    def held(self, address: str) -> "Iterator[Held]":
        """Count a body for as long as it is being read."""
        body = Held(self, network(address))
        try:
            yield body
        finally:
            self.take(body.address, -body.size)

    def take(self, address: str, size: int) -> None:
        """Count so many bytes more."""
        self.used += size
        self._by_address[address] += size
        if not self._by_address[address]:
            del self._by_address[address]

    def is_spent(self, address: str) -> bool:
        """Return whether too much waits, in all or of this address."""
        return self.used > self._most or self._by_address[address] > self._most // SHARE


class Held:
    """One body that is being read."""

    def __init__(self, budget: BodyBudget, address: str) -> None:
        self.address = address
        self.size = 0
        self._budget = budget

    def add(self, size: int) -> None:
        """Count a part that has come. Raises Problem (503) where too much waits."""
        self.size += size
        self._budget.take(self.address, size)
        if self._budget.is_spent(self.address):
            raise Problem(OVERLOADED, "Too many bodies are being read of callers without a token.", retry_after_s=5)
