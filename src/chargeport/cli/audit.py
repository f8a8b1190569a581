"""`chargeport audit`: the audit log, for people, programs and tables."""

import csv
import sys
from functools import partial
from typing import Annotated, Any, Final

import typer

from chargeport.cli import typed
from chargeport.cli.database import with_store
from chargeport.cli.finding import every
from chargeport.cli.options import Database, Json
from chargeport.cli.output import print_json, print_table
from chargeport.cli.times import local
from chargeport.ingest.cells import escape_formula
from chargeport.store.audit import Act, AuditEntry, AuditFilter
from chargeport.wire.envelope import iso

FIELDS: Final = ("number", "at", "last_at", "count", "act", "actor", "address", "subject", "detail")

ActorName = Annotated[
    str | None,
    typer.Option("--actor", metavar="NAME", help="A client id, user:NAME, shell:NAME or server.", show_default=False),
]
Subject = Annotated[str | None, typer.Option("--subject", metavar="ID", help="Only acts on this object.", show_default=False)]
From = Annotated[
    int | None,
    typer.Option("--from", parser=typed.instant, metavar="TIME", help="At this time or later (UTC).", show_default=False),
]
To = Annotated[
    int | None, typer.Option("--to", parser=typed.instant, metavar="TIME", help="Before this time.", show_default=False)
]


def audit(
    *,
    act: Annotated[Act | None, typer.Option("--act", help="Only this.", show_default=False, show_choices=False)] = None,
    actor: ActorName = None,
    subject: Subject = None,
    start: From = None,
    end: To = None,
    limit: Annotated[int, typer.Option(min=0, help="Maximum number of entries; 0 for all.")] = 50,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a table of comma-separated values.")] = False,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Show who did what, when and from where, newest first. Requests, tokens and wrong credentials are counted by day."""
    selection = AuditFilter(act, actor, subject, start, end)
    entries = with_store(database, lambda store: every(partial(store.audit.entries, selection), limit))
    if as_json:
        print_json([_fields(entry) for entry in entries])
    elif as_csv:
        table = csv.DictWriter(sys.stdout, FIELDS, lineterminator="\n")
        table.writeheader()
        table.writerows({name: escape_formula(value) for name, value in _fields(entry).items()} for entry in entries)
    else:
        rows = [
            (local(entry.last_at), entry.act, entry.actor, entry.address, entry.subject, entry.detail, entry.count)
            for entry in entries
        ]
        columns = ("when", "act", "actor", "address", "subject", "detail", "count")
        print_table(columns, rows, "Nothing was done yet that fits.", spare=("count", "address", "detail"))


def _fields(entry: AuditEntry) -> dict[str, Any]:
    values = {name: getattr(entry, name) for name in FIELDS}
    return values | {"at": iso(entry.at), "last_at": iso(entry.last_at)}
