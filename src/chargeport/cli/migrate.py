"""`chargeport migrate`: upgrade a database's schema, copy a database to a server, or distribute it over several."""

from typing import Annotated, Any

import typer

from chargeport.cli.database import audit_in, resolved
from chargeport.cli.options import Database, Json
from chargeport.cli.output import print_json, progress, say
from chargeport.errors import SettingError
from chargeport.store import backends, urls
from chargeport.store.audit import Act


def migrate(
    *,
    source: Annotated[str | None, typer.Option("--from", metavar="URL", help="Copy all of this SQLite database.")] = None,
    target: Annotated[str | None, typer.Option("--to", metavar="URL", help="Copy it to this PostgreSQL database.")] = None,
    distribute: Annotated[bool, typer.Option("--distribute", help="Spread the tables over a Citus cluster's workers.")] = False,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Upgrade the database's schema, or create a new database. The server does the same when it starts.

    With --from and --to, also copy a database. An interrupted copy is continued; at the end both are compared.
    """
    if (source is None) != (target is None):
        raise SettingError("--from and --to belong together: name the SQLite database and the PostgreSQL database.")
    url = target or resolved(database)
    if (distribute or target) and not urls.is_server(url):
        raise SettingError(
            f"{'--distribute' if distribute else '--to'} needs a PostgreSQL database, such as postgresql://HOST/NAME."
        )
    taken, schema = _brought_up_to_date(url)
    report: dict[str, Any] = {"database": urls.shown(url), "schema": schema, "steps": taken}
    if distribute:
        report |= {"distributed": _distributed(url)}
    if source is not None:
        report |= {"from": urls.shown(source), "rows": _copied(source, url)}
    if as_json:
        print_json(report)
    elif source is not None:
        rows = sum(report["rows"].values())
        say(f"{report['database']} has all of {report['from']}: {rows} rows, the same counts and sums.")
    elif distribute:
        say(f"The tables of {report['database']} are distributed: {', '.join(report['distributed'])}.")
    elif taken:
        say(f"The database {report['database']} has schema {schema} now; steps taken: {', '.join(taken)}.")
    else:
        say(f"The database {report['database']} is up to date: it has schema {schema}.")


def _brought_up_to_date(url: str) -> tuple[list[str], int]:
    if urls.is_server(url):
        backends.require_driver()
        from chargeport.store.postgres.store import brought_up_to_date

        return brought_up_to_date(url)
    from chargeport.store.sqlite import engine, migrations
    from chargeport.store.urls import database_file

    file = database_file(url)
    connection = engine.connect(file, create=True)
    try:
        return migrations.migrate(connection, file), migrations.version(connection)
    finally:
        connection.close()


def _copied(source: str, target: str) -> dict[str, int]:
    """Copy a database; return the number of rows of each table."""
    import asyncio

    if urls.is_missing(source):
        raise urls.missing(source)
    file = urls.file_of(source, "--from", "name a file, such as sqlite:///chargeport.db")
    from chargeport.store.postgres.copying import copy

    with progress("Copying") as show:
        counts = asyncio.run(copy(file, target, show))
    audit_in(file, Act.EXPORTED, f"the whole database to {urls.shown(target)}")
    return counts


def _distributed(url: str) -> list[str]:
    import asyncio

    from chargeport.store.postgres.migrations import distribute

    return asyncio.run(distribute(url))
