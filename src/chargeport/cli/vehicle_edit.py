"""`chargeport vehicle edit`: other facts and names for a vehicle; what is stored of it stays."""

from typing import Annotated

import msgspec
import typer

from chargeport.cli import typed
from chargeport.cli.database import with_store
from chargeport.cli.finding import vehicle_called
from chargeport.cli.options import Database, Json, Powertrain, VehicleName
from chargeport.cli.output import print_json, say
from chargeport.cli.typed import quoted
from chargeport.cli.vehicle_texts import described, fields
from chargeport.errors import ChargeportError, ConflictError, NotFoundError
from chargeport.store.protocols import Store
from chargeport.store.records import Vehicle


def edit(
    *,
    vehicle: VehicleName,
    make: Annotated[
        str | None, typer.Option(parser=typed.label, metavar="TEXT", help="Who made it.", show_default=False)
    ] = None,
    model: Annotated[
        str | None, typer.Option(parser=typed.label, metavar="TEXT", help="What it is called.", show_default=False)
    ] = None,
    year: Annotated[
        int | None, typer.Option(parser=typed.year, metavar="YEAR", help="Its model year.", show_default=False)
    ] = None,
    vin: Annotated[
        str | None, typer.Option(parser=typed.vin, metavar="VIN", help="In place of the one it has.", show_default=False)
    ] = None,
    powertrain: Annotated[Powertrain | None, typer.Option(help="What drives it.", show_default=False)] = None,
    aliases: Annotated[
        list[str] | None,
        typer.Option("--alias", parser=typed.label, metavar="TEXT", help="One more name; may be repeated.", show_default=False),
    ] = None,
    removed: Annotated[
        list[str] | None,
        typer.Option("--remove-alias", metavar="TEXT", help="A name it has no more; may be repeated.", show_default=False),
    ] = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Change what is known of a vehicle itself. A running server uses its new names within seconds."""
    changes = {"make": make, "model": model, "year": year, "vin": vin, "powertrain": powertrain}
    facts = {name: value for name, value in changes.items() if value is not None}
    if not (facts or aliases or removed):
        raise ChargeportError("There is nothing to change: name an option, such as --model or --alias.")

    async def run(store: Store) -> Vehicle:
        found = await vehicle_called(store, vehicle)
        if strange := next((name for name in removed or () if name not in found.aliases), None):
            raise NotFoundError(
                f"{described(found)} has no alias {quoted(strange)}: chargeport vehicle show shows those it has."
            )
        kept = [name for name in found.aliases if name not in (removed or ())]
        edited = msgspec.structs.replace(found, **facts, aliases=tuple(dict.fromkeys([*kept, *(aliases or ())])))
        try:
            await store.vehicles.update_vehicle(edited)
        except ConflictError as error:
            raise ConflictError(f"{str(error).removesuffix('.')}: choose another name.") from error
        return edited

    edited = with_store(database, run)
    if as_json:
        print_json(fields(edited))
    else:
        say(f"{edited.id} is {described(edited)} now.")
