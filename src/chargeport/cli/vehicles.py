"""`chargeport vehicle`: the cars of the server."""

import uuid
from collections.abc import Sequence
from typing import Annotated, Any, Final

import msgspec
import typer

from chargeport.cli import typed
from chargeport.cli.applications import names
from chargeport.cli.database import rewritten, with_store
from chargeport.cli.finding import ERASED, TRACES, UNWIPED, described, every, fields, vehicle_called
from chargeport.cli.options import Database, Json, Powertrain, Rewrite, VehicleName, Yes
from chargeport.cli.output import confirm, print_done, print_facts, print_json, print_table, say
from chargeport.cli.times import ago
from chargeport.cli.typed import quoted
from chargeport.clock import SystemClock
from chargeport.errors import ChargeportError, ConflictError, NotFoundError
from chargeport.store.protocols import Store
from chargeport.store.records import Connection, Erased, Vehicle

SPARE: Final = ("mode", "aliases", "powertrain", "year")  # columns to leave out first in a narrow terminal

MAKE: Final = typer.Option(parser=typed.label, metavar="TEXT", help="Its make.", show_default=False)
MODEL: Final = typer.Option(parser=typed.label, metavar="TEXT", help="Its model.", show_default=False)
YEAR: Final = typer.Option(parser=typed.year, metavar="YEAR", help="Its model year.", show_default=False)
NewVin = Annotated[
    str | None, typer.Option("--vin", parser=typed.vin, metavar="VIN", help="Replaces the present one.", show_default=False)
]
NewAliases = Annotated[
    list[str] | None,
    typer.Option("--alias", parser=typed.label, metavar="TEXT", help="A further name; may be repeated.", show_default=False),
]
RemovedAliases = Annotated[
    list[str] | None,
    typer.Option("--remove-alias", metavar="TEXT", help="A name to remove; may be repeated.", show_default=False),
]

group = typer.Typer(help="Vehicles: the cars of the server.", no_args_is_help=True)


@group.command("edit")
def edit(
    *,
    vehicle: VehicleName,
    make: Annotated[str | None, MAKE] = None,
    model: Annotated[str | None, MODEL] = None,
    year: Annotated[int | None, YEAR] = None,
    vin: NewVin = None,
    powertrain: Annotated[Powertrain | None, typer.Option(help="Its powertrain.", show_default=False)] = None,
    aliases: NewAliases = None,
    removed: RemovedAliases = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Change the facts of a vehicle. A running server uses its new names within seconds."""
    changes = {"make": make, "model": model, "year": year, "vin": vin, "powertrain": powertrain}
    facts = {name: value for name, value in changes.items() if value is not None}
    if not (facts or aliases or removed):
        raise ChargeportError("There is nothing to change: name an option, such as --model or --alias.")

    async def run(store: Store) -> Vehicle:
        found = await vehicle_called(store, vehicle)
        edited = msgspec.structs.replace(found, **facts, aliases=_aliases(found, added=aliases or (), removed=removed or ()))
        try:
            await store.vehicles.update_vehicle(edited)
        except ConflictError as error:
            raise ConflictError(f"{str(error).removesuffix('.')}: choose another name.") from error
        return edited

    edited = with_store(database, run)
    print_done(fields(edited), f"{edited.id} is {described(edited)} now.", as_json=as_json)


def _aliases(vehicle: Vehicle, *, added: Sequence[str], removed: Sequence[str]) -> tuple[str, ...]:
    """Return the aliases of a vehicle after a change, each once. Raises NotFoundError for an unknown one."""
    if strange := next((name for name in removed if name not in vehicle.aliases), None):
        raise NotFoundError(f"{described(vehicle)} has no alias {quoted(strange)}: chargeport vehicle show shows those it has.")
    remaining = [name for name in vehicle.aliases if name not in removed]
    return tuple(dict.fromkeys([*remaining, *added]))


@group.command("add")
def add(
    *,
    make: Annotated[str, MAKE],
    model: Annotated[str, MODEL],
    year: Annotated[int, YEAR],
    vehicle_id: Annotated[
        str | None,
        typer.Option("--id", parser=typed.uuid_text, metavar="UUID", help="By default a new one.", show_default=False),
    ] = None,
    vin: Annotated[
        str | None, typer.Option(parser=typed.vin, metavar="VIN", help="Sources may name the car by it.", show_default=False)
    ] = None,
    aliases: Annotated[
        list[str] | None,
        typer.Option("--alias", parser=typed.label, metavar="TEXT", help="Another name; may be repeated.", show_default=False),
    ] = None,
    powertrain: Annotated[Powertrain, typer.Option(help="Its powertrain.")] = "BEV",
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Add a car, so that readings of it are accepted."""
    vehicle = Vehicle(
        id=vehicle_id or str(uuid.uuid4()), make=make, model=model, year=year, vin=vin, powertrain=powertrain,
        aliases=tuple(dict.fromkeys(aliases or ())), created_at=SystemClock().now(),
    )  # fmt: skip
    try:
        with_store(database, lambda store: store.vehicles.add_vehicle(vehicle), create=True)
    except ConflictError as error:
        raise ConflictError(
            f"{str(error).removesuffix('.')}: choose another name; chargeport vehicle show shows it."
        ) from error
    print_done({"id": vehicle.id}, vehicle.id, as_json=as_json)


@group.command("list")
def list_vehicles(*, database: Database = None, as_json: Json = False) -> None:
    """List the vehicles."""
    found = with_store(database, lambda store: every(store.vehicles.vehicles))
    if as_json:
        print_json([fields(vehicle) for vehicle in found])
        return
    rows = [
        (vehicle.id, vehicle.make, vehicle.model, vehicle.year, vehicle.powertrain, vehicle.vin,
         ", ".join(vehicle.aliases), vehicle.mode)
        for vehicle in found
    ]  # fmt: skip
    columns = ("id", "make", "model", "year", "powertrain", "VIN", "aliases", "mode")
    print_table(columns, rows, "There is no vehicle yet: chargeport vehicle add makes one known.", spare=SPARE)


@group.command("show")
def show(*, vehicle: VehicleName, database: Database = None, as_json: Json = False) -> None:
    """Show a vehicle, and its connections."""

    async def look(store: Store) -> tuple[Vehicle, list[Connection], dict[str, str]]:
        found = await vehicle_called(store, vehicle)
        return found, await every(lambda page: store.access.connections(page, vehicle_id=found.id)), await names(store)

    found, connections, called = with_store(database, look)
    if as_json:
        print_json(fields(found) | {"connections": [_connected(connection) for connection in connections]})
        return
    facts = fields(found) | {"aliases": ", ".join(found.aliases)}
    del facts["created_at"]
    print_facts(facts | {"created": ago(found.created_at, SystemClock().now())})
    say("")
    rows = [(connection.id, called.get(connection.client_id), connection.user_id) for connection in connections]
    print_table(("connection", "application", "user"), rows, "No connection to it.")


@group.command("remove")
def remove(
    *,
    vehicle: VehicleName,
    yes: Yes = False,
    rewrite: Rewrite = True,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Erase a vehicle with its history, its connections and its issues."""

    async def run(store: Store) -> tuple[str, Erased | None, bool]:
        found = await vehicle_called(store, vehicle)
        if not confirm(f"Erase {described(found)} ({found.id}) with everything stored of it?", yes=yes):
            return found.id, None, False
        erased = await store.vehicles.remove_vehicle(found.id)
        return found.id, erased, rewrite and await rewritten(store, found.id)

    vehicle_id, erased, wiped = with_store(database, run)
    if erased is None:
        say("Nothing was removed.")
        raise typer.Exit(1)
    counts = msgspec.structs.asdict(erased)
    if as_json:
        print_json({"id": vehicle_id, "removed": True, "erased": counts, "rewritten": wiped})
        return
    counted = ", ".join(f"{count} {ERASED[kind]}" for kind, count in counts.items())
    say(f"{vehicle_id} is gone, and all that was stored of it: {counted}.")
    if not wiped:
        say(TRACES if rewrite else UNWIPED)


def _connected(connection: Connection) -> dict[str, Any]:
    return {"id": connection.id, "client_id": connection.client_id, "user_id": connection.user_id}
