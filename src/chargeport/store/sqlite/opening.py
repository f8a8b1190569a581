"""Opening a database: whether it is whole, what recovery dropped of its log, and the marker beside it."""

import logging
from pathlib import Path

import apsw

from chargeport.errors import StartError
from chargeport.store.sqlite.engine import Connection, connect, translated
from chargeport.store.sqlite.files import DatabaseFiles, mark
from chargeport.store.sqlite.log_frames import LogFrames, is_whole, logged
from chargeport.store.sqlite.migrations import migrate

_log = logging.getLogger("chargeport.store")


def opened(path: Path) -> Connection:
    """Open the file for writing; make it if it is not there, migrate it if it is old. Raises StartError, SchemaError."""
    try:
        before = logged(path)
    except OSError as error:
        raise StartError(
            f"The database {path} can't be opened: its log {path}-wal can't be read ({error.strerror})."
        ) from error
    connection = connect(path, create=True)
    try:
        _look_at_log(path, connection, before)
        migrate(connection, path)
        mark(path)
    except apsw.Error as error:
        connection.close()
        raise StartError(str(translated(error))) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _look_at_log(path: Path, connection: Connection, before: LogFrames) -> None:
    """Copy the log back, log what recovery dropped of it, and check the file where it is whole. Raises StartError."""
    try:
        frames, copied = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
    except apsw.BusyError:  # another process copies it just now, and has looked when it opened the file
        return
    if before.committed > frames and logged(path).salts == before.salts and not is_whole(path, before.committed):
        _log.error(
            "The log of the database %s is damaged: %d of its %d pages were dropped. What was stored last may be missing: "
            "compare with a backup.", path, before.committed - frames, before.committed,
        )  # fmt: skip
    if frames == copied:  # else pages that the file lacks may still lie in the log
        _check(path, connection)


def _check(path: Path, connection: Connection) -> None:
    damage = DatabaseFiles(path).damage(connection)
    if damage is not None:
        raise StartError(str(damage))
