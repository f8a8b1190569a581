"""How the database file is opened: pragmas and permissions.

Each way in which opening can fail has one sentence. This module imports no table's module.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Final

import apsw

from chargeport.errors import StartError, StoreError

BUSY_TIMEOUT_MS: Final = 10_000  # another process (a command, a backup) may hold the write lock for a moment
CACHE_KIB: Final = 262_144

_NOT_OURS: Final = ("no such table", "no such column")  # written over with another database, or its schema is

Row = tuple[Any, ...]


class Connection(apsw.Connection):
    """A connection to a file. See `store.sql.Connection`."""

    run_tables: ClassVar = ("recent", "settled")
    has_places: ClassVar = True
    order_tables: ClassVar = ("feed",)

    def columns(self, table: str, /) -> list[str]:
        """Return the names of a table's columns, in their order."""
        return [str(row[1]) for row in self.execute(f"PRAGMA table_info({table})").fetchall()]

    def lock_vehicles(self, keys: Sequence[int], /) -> None:
        """Do nothing: there is one writer."""

    @contextmanager
    def erasing(self) -> Iterator[None]:
        """Overwrite what is deleted meanwhile, so that little remains even without a `wipe`."""
        self.execute("PRAGMA secure_delete = ON").fetchall()
        try:
            yield
        finally:
            self.execute("PRAGMA secure_delete = OFF").fetchall()


def fetch(connection: apsw.Connection, sql: str, bindings: tuple[Any, ...] = ()) -> list[Row]:
    """Return all rows of a query. The query is closed: an open one would prevent the checkpoint of the log."""
    return connection.execute(sql, bindings).fetchall()


def connect(path: Path, *, create: bool = False, is_of_one_thread: bool = False) -> Connection:
    """Return a connection with the pragmas that every one has. Raises StartError with one sentence.

    SQLite locks a connection at each column of each row: a quarter of a read of twenty rows. One that `is_of_one_thread` omits
    the locks. Then its cursors must end in that thread, too; one that an error's traceback refers to may end in any.
    """
    flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if create else 0)
    if is_of_one_thread:
        flags |= apsw.SQLITE_OPEN_NOMUTEX
    try:
        if create:
            _create_private(path)
        connection = Connection(str(path), flags=flags)
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        # The file is not mapped into memory: a mapped file that is truncated ends the process (SIGBUS), and with a busy
        # writer mapped reads cost twice as much.
        # Built with STAT4, as ours is, SQLite prepares a statement again whenever a value in its WHERE changes, to plan for
        # it. With the planner held stable a key read takes 6 µs instead of 30.
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
        for pragma in ("journal_mode = WAL", "synchronous = FULL", f"cache_size = -{CACHE_KIB}", "temp_store = MEMORY"):
            connection.execute(f"PRAGMA {pragma}").fetchall()
    except (apsw.Error, OSError) as error:
        raise StartError(f"The database {path} can't be opened: {reason(path, error)}.") from error
    return connection


def _create_private(path: Path) -> None:
    """Make the file readable for its owner only: it holds tokens' hashes, places and signing keys."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def reason(path: Path, error: Exception) -> str:
    """Return why a database can't be opened, in a few words."""
    if not path.parent.is_dir():
        return f"the folder {path.parent} does not exist"
    if isinstance(error, apsw.NotADBError):
        return "the file is not an SQLite database; if it was one, it is damaged: bring back a backup with chargeport restore"
    if isinstance(error, apsw.Error) and is_damage(error):
        return f"it is damaged ({error}): bring back a backup with chargeport restore"
    if path.is_dir():
        return "it is a folder"
    if isinstance(error, apsw.ReadOnlyError | PermissionError) or not os.access(path.parent, os.W_OK):
        return "it can't be written"
    return str(error).removesuffix(".") or type(error).__name__


def translated(error: apsw.Error | UnicodeDecodeError) -> StoreError:
    """Return an error of SQLite's, or of an invalid text in the file, as one of ours."""
    if isinstance(error, apsw.FullError):
        return StoreError("The disk is full: nothing can be stored until there is room.")
    if isinstance(error, apsw.BusyError):
        return StoreError("Another program holds the database's write lock.")
    if is_damage(error):
        what = "a text in it is not UTF-8" if isinstance(error, UnicodeDecodeError) else error
        return StoreError(f"The database is damaged ({what}): stop Chargeport and bring back a backup with chargeport restore.")
    return StoreError(f"The database failed: {error}.")


@contextmanager
def translating() -> Iterator[None]:
    """Raise errors of SQLite as ours."""
    try:
        yield
    except (apsw.Error, UnicodeDecodeError) as error:
        raise translated(error) from error


def is_damage(error: apsw.Error | UnicodeDecodeError) -> bool:
    """Return whether an error means that the file is damaged: trying again does not help."""
    return (
        isinstance(error, apsw.CorruptError | apsw.NotADBError | UnicodeDecodeError)
        or (isinstance(error, apsw.SQLError) and str(error).startswith(_NOT_OURS))
        or getattr(error, "extendedresult", 0) == apsw.SQLITE_IOERR_SHORT_READ
    )
