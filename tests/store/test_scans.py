"""Scans of SQLite in threads: what their end means for the file."""

import asyncio
import threading
from pathlib import Path

from chargeport.store.sqlite import SqliteStore


async def test_a_closed_store_has_no_log_left_although_the_caller_of_a_scan_was_cancelled(tmp_path: Path) -> None:
    """A log that is left has pages that were erased from the file since."""
    store = SqliteStore.open(tmp_path / "cars.db")
    began, may_end = threading.Event(), threading.Event()

    def scan(connection: object) -> None:
        began.set()
        may_end.wait(10)

    reading = asyncio.create_task(store._scans.run(scan))
    await asyncio.to_thread(began.wait, 10)
    reading.cancel()
    await asyncio.wait([reading])
    closing = asyncio.create_task(store.close())
    finished, _ = await asyncio.wait([closing], timeout=0.2)
    assert not finished, "the scan has the file open"
    may_end.set()
    await closing
    assert not (tmp_path / "cars.db-wal").exists()
