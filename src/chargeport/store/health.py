"""The state of the writer: the failure that lasts until a write succeeds, and how many readings wait to be written."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from chargeport.errors import StoreError

_log = logging.getLogger("chargeport.store.health")

MOST_WAITING: Final = 200_000  # readings: some 100 MB, and seconds of work for a healthy store


@contextmanager
def unlogged() -> Iterator[None]:
    """Log no failure meanwhile: the caller reports the error that ends its work."""

    def refuse(_: logging.LogRecord) -> bool:
        return False

    _log.addFilter(refuse)
    try:
        yield
    finally:
        _log.removeFilter(refuse)


class Health:
    """Stores the current failure. Used by the writer's thread and by readers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failure: StoreError | None = None
        self._is_lasting = False

    @property
    def failure(self) -> StoreError | None:
        """The current failure; None when the last write succeeded."""
        return self._failure

    @property
    def is_lasting(self) -> bool:
        """Whether the current failure can't be ended by a successful write."""
        return self._is_lasting

    def failed(self, failure: StoreError, *, lasting: bool = False) -> None:
        """Note a failure. One that is `lasting`, such as damage, is not ended by a write that succeeds."""
        with self._lock:
            if str(failure) != str(self._failure):
                _log.error("%s", failure)
            if lasting or not self._is_lasting:
                self._failure, self._is_lasting = failure, lasting

    def worked(self) -> None:
        """Note that a write succeeded."""
        if self._failure is None or self._is_lasting:
            return
        with self._lock:
            self._failure = None
        _log.warning("The database takes writes again")


class Backlog:
    """Counts the readings that wait. Several event loops may use it."""

    def __init__(self, most: int = MOST_WAITING) -> None:
        self._most = most
        self._waiting = 0
        self._lock = threading.Lock()

    @contextmanager
    def of(self, count: int) -> Iterator[None]:
        """Count the readings while they wait; a single batch may have any size. Raises StoreError where too many wait."""
        with self._lock:
            if self._waiting and self._waiting + count > self._most:
                raise StoreError(f"The store is slow: {self._waiting} readings wait to be written. Send these again later.")
            self._waiting += count
        try:
            yield
        finally:
            with self._lock:
                self._waiting -= count
