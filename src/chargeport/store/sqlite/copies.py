"""Copies of a database: made page by page of one instant, checked, and put in place as a whole or not at all."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import apsw
import msgspec

from chargeport.errors import SchemaError, StoreError
from chargeport.store.sqlite.engine import Connection, fetch
from chargeport.store.sqlite.migrations import migrations, version

STEP_PAGES: Final = 2_560  # 10 MiB: often enough for a progress bar, at negligible cost

# Tables that a Chargeport database has had from its first schema on, and the names under which their rows are counted.
_COUNTED: Final = {"vehicles": "vehicles", "history": "changes", "applications": "applications", "connections": "connections"}


class Contents(msgspec.Struct, frozen=True):
    """The contents of a database: the number of its schema, the counts, and its size."""

    schema: int
    counts: dict[str, int]
    size_bytes: int


@contextmanager
def beside(target: Path) -> Iterator[Path]:
    """Make an empty file in the target's folder that only its owner may read; remove it at the end unless it was renamed."""
    handle, name = tempfile.mkstemp(dir=target.absolute().parent, prefix=f".{target.name}.", suffix=".partial")
    os.close(handle)
    file = Path(name)
    try:
        yield file
    finally:
        file.unlink(missing_ok=True)


def copy_pages(source: Connection, target: Path, progress: Callable[[float], None]) -> Connection:
    """Copy a database into an empty file; `progress` is called with the share done. Return the open copy, without a log.

    The source is read in one snapshot: else every write of another connection would make SQLite restart.
    """
    copy = Connection(str(target))
    try:
        copy.execute("PRAGMA synchronous = OFF").fetchall()  # synced once, as a whole, when it is complete
        source.execute("BEGIN")
        fetch(source, "SELECT count(*) FROM sqlite_schema")
        with copy.backup("main", source, "main") as under_way:
            while not under_way.done:
                under_way.step(STEP_PAGES)
                progress(1 - under_way.remaining / max(under_way.page_count, 1))
        source.execute("COMMIT")
        copy.execute("PRAGMA journal_mode = DELETE").fetchall()
    except BaseException:
        copy.close()
        raise
    return copy


def examined(connection: Connection, name: Path) -> Contents:
    """Return the contents of a database, once it is found to be undamaged and ours. Raises StoreError, SchemaError."""
    try:
        (found,) = fetch(connection, "PRAGMA integrity_check(1)")[0]
        if found != "ok":
            first = str(found).replace("\n", " ").removeprefix("*** in database main *** ")
            raise StoreError(f"{name} is damaged: {first.rstrip('.')[:120]}.")
        schema = version(connection)
        newest = migrations()[-1][0]
        tables = {table for (table,) in fetch(connection, "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')")}
        if schema == 0 or not tables.issuperset(_COUNTED):
            raise StoreError(f"{name} is not a database of Chargeport's.")
        if schema > newest:
            raise SchemaError(
                f"{name} has schema {schema}, but this Chargeport supports at most {newest}: use the newer one that wrote it."
            )
        counts = {said: fetch(connection, f"SELECT count(*) FROM {table}")[0][0] for table, said in _COUNTED.items()}
        pages, size = (fetch(connection, f"PRAGMA {each}")[0][0] for each in ("page_count", "page_size"))
    except apsw.NotADBError as error:
        raise StoreError(f"{name} is not an SQLite database, or its beginning is damaged.") from error
    except apsw.Error as error:
        raise StoreError(f"{name} is damaged: {str(error).rstrip('.')}.") from error
    return Contents(schema, counts, pages * size)


def sync(path: Path) -> None:
    """Sync a file, or a folder's list of names, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
