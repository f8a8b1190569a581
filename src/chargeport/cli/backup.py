"""`chargeport backup` and `chargeport restore`: copy the whole database to a file and back."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chargeport.cli.database import audit_in, existing, file_for
from chargeport.cli.options import Database, Json
from chargeport.cli.output import print_done, print_json, progress, say
from chargeport.store.audit import Act

if TYPE_CHECKING:
    from chargeport.store.sqlite.copies import Contents


def backup(
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to.", show_default=False)],
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Copy the whole database into one file, also while a server writes, and check the copy.

    The copy has everything that was acknowledged before, including secrets: only its owner may read it.
    """
    source = existing("backup", database, "use pg_dump")
    from chargeport.store.sqlite.backup import back_up

    with progress("Backing up") as show:
        contents = back_up(source, file, show, force=force)
    audit_in(source, Act.EXPORTED, "backup of the whole database")
    print_done(
        _fields(contents) | {"file": str(file)}, f"{file} is a whole copy of {source}: {_described(contents)}.", as_json=as_json
    )


def restore(
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A backup.", show_default=False)],
    keep: Annotated[bool, typer.Option("--keep/--no-keep", help="Keep the former database as FILE.before-restore.")] = True,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Replace the database by a backup, once the backup was checked. The server has to be stopped.

    The replacement is atomic: the database is either the old one or the new one.
    """
    target = file_for("restore", database, "use pg_restore")
    from chargeport.store.sqlite.restore import restore as put_back

    with progress("Restoring") as show:
        contents, kept = put_back(file, target, show, keep=keep)
    audit_in(target, Act.RESTORED, f"from a backup with schema {contents.schema}")
    if as_json:
        print_json(_fields(contents) | {"database": str(target), "kept": None if kept is None else str(kept)})
        return
    say(f"{target} is as {file} has it: {_described(contents)}.")
    if kept is not None:
        say(f"What was there before is {kept}.")


def _described(contents: "Contents") -> str:
    counts = ", ".join(f"{count} {name}" for name, count in contents.counts.items())
    return f"schema {contents.schema}, {counts}, {contents.size_bytes / (1 << 20):.1f} MiB"


def _fields(contents: "Contents") -> dict[str, Any]:
    return {"schema": contents.schema, "counts": contents.counts, "size_bytes": contents.size_bytes}
