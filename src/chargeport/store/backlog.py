"""What waits to be written: bounded, so that a slow disk or database fills no memory."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from chargeport.errors import StoreError

MOST_WAITING: Final = 200_000  # readings: some 100 MB, and seconds of work for a healthy store


class Backlog:
    """Counts the readings that wait. Several event loops may use it."""

    def __init__(self, most: int = MOST_WAITING) -> None:
        self._most = most
        self._waiting = 0
        self._lock = threading.Lock()

    @contextmanager
    def of(self, count: int) -> Iterator[None]:
        """Count so many while they wait; what is alone may be as large as it likes. Raises StoreError where too many wait."""
        with self._lock:
            if self._waiting and self._waiting + count > self._most:
                raise StoreError(f"The store is slow: {self._waiting} readings wait to be written. Send these again later.")
            self._waiting += count
        try:
            yield
        finally:
            with self._lock:
                self._waiting -= count
