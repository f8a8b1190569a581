"""Open a database: check whether it is complete, what recovery dropped of its log, and the marker next to it."""

import logging
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

import apsw

from chargeport.errors import StartError
from chargeport.store.sqlite.engine import Connection, connect, translated
from chargeport.store.sqlite.files import DatabaseFiles, mark
from chargeport.store.sqlite.log_frames import LogFrames, is_whole, logged
from chargeport.store.sqlite.migrations import migrate

_log = logging.getLogger("chargeport.store")


class _Recoveries:
    """Counts the recoveries of a log that SQLite makes in this process. It reports each one, to one listener only.

    Frames that SQLite has not recovered are damage only then. While another process has the file open, they are uncommitted
    frames of a killed process that are being overwritten.
    """

    def __init__(self) -> None:
        self._count = 0
        self._is_told = False
        with suppress(apsw.MisuseError):  # SQLite is in use already, by a program that imports us
            apsw.config(apsw.SQLITE_CONFIG_LOG, self._hear)
            self._is_told = True
            sys.unraisablehook = partial(_unraisable, sys.unraisablehook)

    def __call__(self) -> int:
        """Return a number that changes with each recovery; or with each call, if SQLite does not report them."""
        self._count += not self._is_told
        return self._count

    def _hear(self, code: int, _message: str) -> None:
        self._count += code == apsw.SQLITE_NOTICE_RECOVER_WAL


def _unraisable(others: Callable[[Any], Any], raised: Any) -> None:
    """Print nothing if apsw can't pass on a message because a damaged schema in it is not text: opening reports the damage."""
    if not (isinstance(raised.exc_value, UnicodeDecodeError) and raised.object is None):
        others(raised)


_recoveries: Final = _Recoveries()


def opened(path: Path) -> Connection:
    """Open the file for writing; create it if it is missing, migrate it if it is old. Raises StartError, SchemaError."""
    try:
        before = logged(path)
    except OSError as error:
        raise StartError(
            f"The database {path} can't be opened: its log {path}-wal can't be read ({error.strerror})."
        ) from error
    recoveries = _recoveries()
    connection = connect(path, create=True)
    try:
        _look_at_log(path, connection, before, recoveries)
        migrate(connection, path)
        mark(path)
    except (apsw.Error, UnicodeDecodeError) as error:
        connection.close()
        raise StartError(str(translated(error))) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _look_at_log(path: Path, connection: Connection, before: LogFrames, recoveries: int) -> None:
    """Run a checkpoint, log what recovery dropped, and check the file if it is complete. Raises StartError."""
    try:
        frames, copied = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
    except apsw.BusyError:  # another process runs a checkpoint, and checked the file when it opened it
        return
    has_recovered = not frames or _recoveries() != recoveries  # SQLite does not report a log that is dropped as a whole
    is_same = logged(path).salts == before.salts
    if before.committed > frames and has_recovered and is_same and not is_whole(path, before.committed):
        _log.error(
            "The log of the database %s is damaged: %d of its %d pages were dropped. What was stored last may be missing: "
            "compare with a backup.", path, before.committed - frames, before.committed,
        )  # fmt: skip
    if frames == copied:  # else pages that the file lacks may still be in the log
        _check(path, connection)


def _check(path: Path, connection: Connection) -> None:
    damage = DatabaseFiles(path).damage(connection)
    if damage is not None:
        raise StartError(str(damage))
