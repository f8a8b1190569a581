"""Scans: reads that may take long, made in threads, so that the event loop continues with the short ones.

Each has a snapshot and a connection of its own. Few run at a time: the others wait.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

import apsw

from chargeport.store.health import Health
from chargeport.store.sqlite.engine import Connection, connect, is_damage, translated

MAX_SCANS: Final = 4  # at once; more would slow down reads of the latest values
CACHE_KIB: Final = 8_192  # a page of history is seldom read twice

T = TypeVar("T")


class Scans:
    """Runs functions of a read-only connection in threads. Belongs to one event loop."""

    def __init__(self, path: Path, health: Health) -> None:
        self._path = path
        self._health = health
        self._idle: list[Connection] = []
        self._threads = ThreadPoolExecutor(MAX_SCANS, "chargeport-scan")

    async def run(self, scan: Callable[[Connection], T]) -> T:
        """Return the result of `scan` in a snapshot. Raises StoreError."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._run, scan)

    def _run(self, scan: Callable[[Connection], T]) -> T:
        try:
            connection = self._taken()
            try:
                connection.execute("BEGIN")
                return scan(connection)
            finally:
                self._give_back(connection)
        except (apsw.Error, UnicodeDecodeError) as error:
            failure = translated(error)
            if is_damage(error):
                self._health.failed(failure, lasting=True)
            raise failure from error

    def _taken(self) -> Connection:
        try:
            return self._idle.pop()
        except IndexError:
            connection = connect(self._path)
            connection.execute(f"PRAGMA query_only = ON; PRAGMA cache_size = -{CACHE_KIB}").fetchall()
            return connection

    def _give_back(self, connection: Connection) -> None:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        self._idle.append(connection)

    async def close(self) -> None:
        """Wait for the scans in progress, also those whose caller was cancelled, and close the file."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
        while self._idle:
            self._idle.pop().close()
