"""`chargeport connection`: the connections of applications to users' vehicles."""

import uuid
from typing import Annotated, Any

import typer

from chargeport.cli import typed
from chargeport.cli.applications import names, permissions_shown
from chargeport.cli.database import with_store
from chargeport.cli.finding import application_with, described, every, vehicle_called
from chargeport.cli.options import App, Database, Json, Permissions
from chargeport.cli.output import print_done, print_json, print_table
from chargeport.cli.times import ago
from chargeport.clock import SystemClock
from chargeport.errors import NotFoundError
from chargeport.store.protocols import Store
from chargeport.store.records import Connection

User = Annotated[
    str,
    typer.Option(
        "--user", parser=typed.label, metavar="USER", help="The application's name for the owner.", show_default=False
    ),
]
Car = Annotated[str, typer.Option("--vehicle", metavar="VEHICLE", help="Its id, VIN or alias.", show_default=False)]

group = typer.Typer(help="Connections: which application may read which user's vehicle.", no_args_is_help=True)


@group.command("add")
def add(
    *,
    app: App,
    user: User,
    vehicle: Car,
    permissions: Permissions = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Connect an application to a user's vehicle; without --permission, with all permissions of the application.

    If the three are connected already, the connection keeps its id and gets these permissions.
    """

    async def connect(store: Store) -> Connection:
        application = await application_with(store, app)
        new = Connection(
            id=str(uuid.uuid4()), client_id=application.client_id, user_id=user, vehicle=await vehicle_called(store, vehicle),
            permissions=frozenset(permissions or application.permissions), created_at=SystemClock().now(),
        )  # fmt: skip
        return await store.access.add_connection(new)

    made = with_store(database, connect)
    print_done(_fields(made), made.id, as_json=as_json)


@group.command("list")
def list_connections(*, database: Database = None, as_json: Json = False) -> None:
    """List the connections, newest first."""

    async def look(store: Store) -> tuple[list[Connection], dict[str, str]]:
        return await every(store.access.connections), await names(store)

    found, called = with_store(database, look)
    if as_json:
        print_json([_fields(connection) for connection in found])
        return
    now = SystemClock().now()
    columns = ("id", "application", "user", "vehicle", "permissions", "created")
    rows = [
        (
            connection.id, called.get(connection.client_id), connection.user_id, described(connection.vehicle),
            permissions_shown(connection.permissions), ago(connection.created_at, now),
        )
        for connection in found
    ]  # fmt: skip
    print_table(
        columns,
        rows,
        "There is no connection yet: chargeport connection add makes one.",
        spare=("created", "permissions", "application"),
    )


@group.command("remove")
def remove(
    *,
    connection_id: Annotated[str, typer.Argument(metavar="ID", help="As connection list shows it.", show_default=False)],
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Delete a connection; the data of the vehicle are retained."""
    if not with_store(database, lambda store: store.access.remove_connection(connection_id)):
        raise NotFoundError(
            f"No connection has the id {typed.quoted(connection_id)}: chargeport connection list shows those there are."
        )
    print_done({"id": connection_id, "removed": True}, f"{connection_id} is gone.", as_json=as_json)


def _fields(connection: Connection) -> dict[str, Any]:
    from chargeport.wire.envelope import iso

    return {
        "id": connection.id,
        "client_id": connection.client_id,
        "user_id": connection.user_id,
        "vehicle_id": connection.vehicle.id,
        "permissions": sorted(connection.permissions),
        "created_at": iso(connection.created_at),
    }
