"""`chargeport migrate`: the database brought up to date."""

from chargeport.cli.database import resolved
from chargeport.cli.options import Database, Json
from chargeport.cli.output import print_json, say


def migrate(*, database: Database = None, as_json: Json = False) -> None:
    """Bring the database's schema up to date, or make a new database. The server does the same when it starts."""
    from chargeport.store.sqlite import engine, migrations

    file = resolved(database)
    connection = engine.connect(file, create=True)
    try:
        taken = migrations.migrate(connection, file)
        schema = migrations.version(connection)
    finally:
        connection.close()
    if as_json:
        print_json({"database": str(file), "schema": schema, "steps": taken})
    elif taken:
        say(f"The database {file} has schema {schema} now; steps taken: {', '.join(taken)}.")
    else:
        say(f"The database {file} is up to date: it has schema {schema}.")
