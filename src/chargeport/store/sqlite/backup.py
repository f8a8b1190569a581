"""A backup: a copy of the database at one instant, made while others write, and checked before it is put in place.

It has everything that was acknowledged before it began, and exists as a whole or not at all.
"""

from collections.abc import Callable
from pathlib import Path

import apsw

from chargeport.errors import ConflictError, StartError
from chargeport.store.sqlite.copies import Contents, beside, copy_pages, examined, sync
from chargeport.store.sqlite.engine import connect, translated
from chargeport.store.sqlite.seal import seal


def back_up(database: Path, target: Path, progress: Callable[[float], None], *, force: bool = False) -> Contents:
    """Copy `database` to `target`; return the contents of the copy. Raises ConflictError if the file exists, unless `force`.

    Raises StartError if the database can't be opened or the target not be written, StoreError if the copy is damaged.
    """
    if target.exists() and (not force or not target.is_file() or target.samefile(database)):
        way_out = "name another file" if force else "name another file, or use --force to replace it"
        raise ConflictError(f"{target} exists already: {way_out}.")
    source = connect(database)
    try:
        with beside(target) as partial:
            copy = copy_pages(source, partial, progress)
            try:
                contents = examined(copy, database)
            finally:
                copy.close()
            seal(partial)
            sync(partial)
            partial.replace(target)
            sync(target.absolute().parent)
    except apsw.Error as error:
        raise translated(error) from error
    except OSError as error:
        raise StartError(f"The backup {target} can't be written: {error.strerror or error}.") from error
    finally:
        source.close()
    return contents
