"""Put a backup in the place of a database: checked first, swapped in one step, and the old database is kept.

At every instant the name refers to the old database or to the new one, both complete. A database that another process has open
can't be replaced: SQLite detects it by the locks that every connection holds for as long as it is open.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import apsw

from chargeport.errors import ConflictError, StartError, StoreError
from chargeport.store.sqlite.copies import Contents, beside, copy_pages, examined, sync
from chargeport.store.sqlite.engine import Connection, fetch
from chargeport.store.sqlite.seal import is_broken

KEPT: Final = ".before-restore"
COMPANIONS: Final = ("-wal", "-shm", "-journal")  # of the old database: next to the new one they would be used as its own
PATIENCE_MS: Final = 1_000  # for a command that is about to end; a server does not end


def restore(
    backup: Path, database: Path, progress: Callable[[float], None], *, keep: bool = True
) -> tuple[Contents, Path | None]:
    """Put the backup in the database's place; return its contents, and the path at which the old database is kept.

    Raises StoreError or SchemaError when the backup is damaged, foreign or newer, ConflictError when the database is in use,
    StartError when something can't be read or written. Then nothing has changed.
    """
    if database.exists() and backup.exists() and database.samefile(backup):
        raise ConflictError(f"{backup} is the database itself: name a backup of it.")
    try:
        with beside(database) as partial, _opened(backup) as source:
            contents = _copied(source, backup, partial, progress)
            sync(partial)
            with _alone(database):
                kept = _keep(database) if keep and database.exists() else None
                try:
                    _put_aside(database, kept)
                    partial.replace(database)
                except BaseException:
                    _put_back(database, kept)
                    raise
            sync(database.absolute().parent)
    except OSError as error:
        raise StartError(f"{backup} can't be restored to {database}: {error.strerror or error}.") from error
    except apsw.Error as error:
        raise StartError(f"{backup} can't be restored to {database}: {str(error).rstrip('.')}.") from error
    return contents, kept


@contextmanager
def _opened(backup: Path) -> Iterator[Connection]:
    """Open the backup read-only. Without a log next to it nobody writes to it, so no file is created next to it."""
    if not backup.is_file():
        raise StartError(f"The backup {backup} does not exist.")
    if is_broken(backup):
        raise StoreError(f"The backup {backup} is damaged, or was changed after it was made: its checksum does not fit.")
    log = Path(f"{backup}-wal")
    alone = "" if log.exists() else "&immutable=1"
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    connection = Connection(f"{backup.absolute().as_uri()}?mode=ro{alone}", flags=flags)
    try:
        yield connection
    finally:
        connection.close()


def _copied(source: Connection, backup: Path, partial: Path, progress: Callable[[float], None]) -> Contents:
    """Copy the backup and check the copy, because the copy will be used."""
    try:
        copy = copy_pages(source, partial, progress)
    except apsw.NotADBError as error:
        raise StoreError(f"The backup {backup} is not an SQLite database, or its beginning is damaged.") from error
    except apsw.Error as error:
        raise StoreError(f"The backup {backup} can't be read: {str(error).rstrip('.')}.") from error
    try:
        return examined(copy, backup)
    finally:
        copy.close()


@contextmanager
def _alone(database: Path) -> Iterator[None]:
    """Hold the database so that no other process has it. Run a checkpoint, unless it is too damaged to be opened.

    Raises ConflictError when another connection is open: only the last one may leave the log.
    """
    if not database.exists():
        yield
        return
    connection = Connection(str(database))
    try:
        connection.set_busy_timeout(PATIENCE_MS)
        try:
            fetch(connection, "PRAGMA journal_mode = DELETE")
            connection.execute("BEGIN EXCLUSIVE")
        except apsw.BusyError:
            raise ConflictError(f"The database {database} is in use: stop the server and all programs that use it.") from None
        except (apsw.NotADBError, apsw.CorruptError, apsw.IOError):  # a reason to restore; its locks are of no use
            pass
        yield
    finally:
        connection.close()


def _keep(database: Path) -> Path:
    """Give the old file a second name, one that is free, so that the first can be replaced in one step."""
    number = 1
    while True:
        kept = Path(f"{database}{KEPT}" if number == 1 else f"{database}{KEPT}-{number}")
        try:
            os.link(database, kept)
        except FileExistsError:
            number += 1
        except OSError:  # a file system without links
            shutil.copy2(database, kept)
            sync(kept)
            return kept
        else:
            return kept


def _put_aside(database: Path, kept: Path | None) -> None:
    """Move the remaining files of a database that could not be opened along with it, or remove them."""
    for companion in COMPANIONS:
        file = Path(f"{database}{companion}")
        if kept is not None and companion != "-shm" and file.exists():
            file.replace(f"{kept}{companion}")
        else:
            file.unlink(missing_ok=True)


def _put_back(database: Path, kept: Path | None) -> None:
    """Move back the files that were moved aside, if the swap did not happen."""
    if kept is None:
        return
    for companion in COMPANIONS:
        file = Path(f"{kept}{companion}")
        if file.exists():
            file.replace(f"{database}{companion}")
    kept.unlink()
