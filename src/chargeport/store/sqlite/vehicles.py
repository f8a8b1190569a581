"""The vehicles on SQLite, where erased data must be removed from the file, too.

A deleted row's bytes stay in the file: on its page, on pages that it was moved from as they grew full, in the log. Only
a rewritten file contains nothing but the rows of its tables; so `wipe` rewrites it.
"""

import asyncio
from pathlib import Path

import apsw

from chargeport.store.sql import Reader, Writer
from chargeport.store.sqlite.engine import connect, translated
from chargeport.store.tables.vehicles import VehicleTables


class SqliteVehicles(VehicleTables):
    """`store.protocols.Vehicles` on SQLite."""

    def __init__(self, path: Path, reader: Reader, writer: Writer) -> None:
        super().__init__(reader, writer)
        self._path = path

    async def wipe(self) -> bool:
        """Rewrite the file without its free space. Raises StoreError when the disk has no room for that."""
        return await asyncio.to_thread(wipe, self._path)


def wipe(path: Path) -> bool:
    """Rewrite the file and empty its log; return False if the log can't be emptied, because a reader has an older snapshot.

    Needs room for two more copies, in the temporary folder and in the log. Readers continue; writers wait. Raises StoreError.
    """
    connection = connect(path)
    try:
        connection.execute("PRAGMA temp_store = FILE").fetchall()  # the copy is as large as the database
        connection.execute("VACUUM").fetchall()
        try:
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        except apsw.BusyError:
            return False
    except apsw.Error as error:
        raise translated(error) from error
    finally:
        connection.close()
    return True
