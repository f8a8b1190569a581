"""The files of an open database: whether they still exist, are the same ones, and are undamaged.

A database is three files: the pages, the log (`-wal`) and the log's index (`-shm`). SQLite continues with files that were
removed or replaced under it, so that its commits are in files that are never opened again.
"""

import os
import struct
import time
from pathlib import Path
from typing import Final

from chargeport.errors import StartError, StoreError
from chargeport.store.sqlite.engine import Connection

MARKER: Final = ".created"
PARTS: Final = ("", "-wal", "-shm")
GROWS_WITHIN_S: Final = 0.2  # a file that a checkpoint of another process lets grow

_MAGIC: Final = b"SQLite format 3\0"
_HEADER_BYTES: Final = 100
_VERSION_AT: Final = 60  # where the header has PRAGMA user_version
_LARGEST_PAGE: Final = 65_536  # written as 1
_WAY_OUT: Final = "stop Chargeport and bring back a backup with chargeport restore"

Identity = tuple[int, int]


class DatabaseFiles:
    """The files as they were when they were opened."""

    def __init__(self, path: Path) -> None:
        """Store the identity of the files. A connection has the database open in WAL mode and has read it."""
        self._paths = [f"{path}{part}" for part in PARTS]
        self._opened = [_identity(part) for part in self._paths]
        self._version = 0  # of the schema, in the header as read last: it only grows

    def missing(self) -> StoreError | None:
        """Return the error for a file that was removed or replaced; None when all are those that were opened."""
        for path, opened in zip(self._paths, self._opened, strict=True):
            found = _identity(path)
            if found != opened:
                what = "removed" if found is None else "replaced by another"
                return StoreError(
                    f"The database file {path} was {what} while Chargeport runs: nothing is stored until it is put back. "
                    f"Put it back, or {_WAY_OUT}."
                )
        return None

    def damage(self, connection: Connection) -> StoreError | None:
        """Return the error for a damaged file of pages: cut off, written over, or with an invalid header.

        Must not run during a checkpoint of this process, which writes the header first and then extends the file. While one
        of another process does so, this waits.
        """
        path = self._paths[0]
        is_whole, header = connection.read("main", 0, 0, _HEADER_BYTES)
        if not is_whole or not header.startswith(_MAGIC):
            return StoreError(f"The database file {path} is damaged at its beginning: {_WAY_OUT}.")
        page_size, pages = struct.unpack(">H10xI", header[16:32])
        expected = (_LARGEST_PAGE if page_size == 1 else page_size) * pages
        size = _grown(path, expected)
        if size < expected:
            return StoreError(f"The database file {path} was cut off: it has {size} of {expected} bytes; {_WAY_OUT}.")
        (version,) = struct.unpack_from(">I", header, _VERSION_AT)
        if version < self._version:
            return StoreError(f"The database file {path} was written over with another database: {_WAY_OUT}.")
        self._version = version
        return None


def refuse_new(path: Path) -> None:
    """Raise StartError if there was a database once and now there is none, or an empty file.

    A new one in its place would look as if nothing had ever been stored.
    """
    marker = _marker(path)
    if marker.exists() and (not path.exists() or path.stat().st_size == 0):
        raise StartError(
            f"The database {path} is gone: {marker} shows that there was one. Put it back, bring back a backup with "
            f"chargeport restore, or start with chargeport serve --create to begin with an empty one."
        )


def mark(path: Path) -> None:
    """Write a marker that there is a database, for `refuse_new`."""
    marker = _marker(path)
    if marker.exists():
        return
    text = (
        f"Chargeport made the database {path.name} here. While this file is here, no empty "
        "database is made in its place. Remove it together with the database.\n"
    )
    try:
        handle = os.open(marker, os.O_WRONLY | os.O_CREAT, 0o600)
    except OSError:  # a folder that can't be written is reported when the database is opened
        return
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)


def _marker(path: Path) -> Path:
    return Path(f"{path}{MARKER}")


def _grown(path: str, expected: int) -> int:
    """Return the size of a file, once it is as large as expected or does not grow any more."""
    before, size = -1, Path(path).stat().st_size
    while before < size < expected:
        time.sleep(GROWS_WITHIN_S)
        before, size = size, Path(path).stat().st_size
    return size


def _identity(path: str) -> Identity | None:
    """Return device and inode of a file; None where there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116  (run before every answer to a write: a third of the cost of Path.stat)
    except OSError:
        return None
    return found.st_dev, found.st_ino
