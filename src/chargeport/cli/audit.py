"""`chargeport audit`: the audit log, for people, programs and tables."""

import csv
import sys
from typing import Annotated, Any, Final

import typer

from chargeport.cli import typed
from chargeport.cli.database import with_store
from chargeport.cli.local_clock import local
from chargeport.cli.options import Database, Json
from chargeport.cli.output import print_json, print_table
from chargeport.ingest.cells import shielded
from chargeport.store.audit import Act, Deed, Wanted
from chargeport.store.protocols import Store
from chargeport.store.records import Page
from chargeport.wire.envelope import iso

FIELDS: Final = ("number", "at", "last_at", "count", "act", "actor", "address", "subject", "detail")
PAGE: Final = 1000


def audit(
    *,
    act: Annotated[Act | None, typer.Option("--act", help="Only this.", show_default=False, show_choices=False)] = None,
    actor: Annotated[
        str | None,
        typer.Option("--actor", metavar="NAME", help="A client id, user:NAME, shell:NAME or server.", show_default=False),
    ] = None,
    subject: Annotated[
        str | None, typer.Option("--subject", metavar="ID", help="Only what was done to this.", show_default=False)
    ] = None,
    start: Annotated[
        int | None,
        typer.Option("--from", parser=typed.instant, metavar="TIME", help="Done then or later (UTC).", show_default=False),
    ] = None,
    end: Annotated[
        int | None, typer.Option("--to", parser=typed.instant, metavar="TIME", help="Done before that.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option(min=0, help="At most so many entries; 0 for all.")] = 50,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a table of comma-separated values.")] = False,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Show who did what, when and from where, newest first. Requests, tokens and wrong credentials are counted by day."""
    wanted = Wanted(act, actor, subject, start, end)
    found = with_store(database, lambda store: _deeds(store, wanted, limit))
    if as_json:
        print_json([_fields(each) for each in found])
    elif as_csv:
        table = csv.DictWriter(sys.stdout, FIELDS, lineterminator="\n")
        table.writeheader()
        table.writerows({name: shielded(value) for name, value in _fields(each).items()} for each in found)
    else:
        rows = [
            (local(each.last_at), each.act, each.actor, each.address, each.subject, each.detail, each.count) for each in found
        ]
        columns = ("when", "act", "actor", "address", "subject", "detail", "count")
        print_table(columns, rows, "Nothing was done yet that fits.", spare=("count", "address", "detail"))


async def _deeds(store: Store, wanted: Wanted, limit: int) -> list[Deed]:
    """Return the newest entries, at most so many; 0: all."""
    found: list[Deed] = []
    number = 1
    while True:
        part, total = await store.audit.deeds(wanted, Page(number, PAGE))
        found += part
        if limit and len(found) >= limit:
            return found[:limit]
        if not part or len(found) >= total:
            return found
        number += 1


def _fields(deed: Deed) -> dict[str, Any]:
    values = {name: getattr(deed, name) for name in FIELDS}
    return values | {"at": iso(deed.at), "last_at": iso(deed.last_at)}
