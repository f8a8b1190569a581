"""`chargeport command`: commands to vehicles, and their outcomes."""

from typing import Annotated, Any

import msgspec
import typer

from chargeport.cli.applications import names
from chargeport.cli.database import with_store
from chargeport.cli.finding import called, fleet, vehicle_called
from chargeport.cli.options import Database, Json
from chargeport.cli.output import print_json, print_table
from chargeport.cli.times import ago
from chargeport.clock import SystemClock
from chargeport.store.command_log import StoredCommand
from chargeport.store.protocols import Store
from chargeport.store.records import Page
from chargeport.wire.envelope import iso

group = typer.Typer(help="Commands: commands to vehicles, and their outcomes.", no_args_is_help=True)


@group.command("list")
def list_commands(
    *,
    vehicle: Annotated[str | None, typer.Argument(metavar="[VEHICLE]", help="Only those to it: id, VIN or alias.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="Maximum number, newest first.")] = 20,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """List the newest commands of all applications; one whose server was stopped in between has an unknown outcome."""

    async def look(store: Store) -> tuple[list[StoredCommand], dict[str, str], dict[str, str]]:
        only = None if vehicle is None else (await vehicle_called(store, vehicle)).id
        found, _ = await store.commands.commands(Page(size=limit), only)
        return found, await names(store), {vehicle.id: called(vehicle) for vehicle in await fleet(store)}

    found, applications, vehicles = with_store(database, look)
    if as_json:
        print_json([_shown(command) for command in found])
        return
    now = SystemClock().now()
    rows = [
        (
            ago(command.started_at, now), vehicles.get(command.vehicle_id), command.kind, _value(command.parameters),
            applications.get(command.client_id), command.source, command.outcome or "unknown",
        )
        for command in found
    ]  # fmt: skip
    heads = ("given", "vehicle", "command", "to", "by", "source", "outcome")
    print_table(heads, rows, "No command was given yet: docs/commands.md says how.")


def _shown(each: StoredCommand) -> dict[str, Any]:
    return {
        "id": each.id, "vehicle": each.vehicle_id, "application": each.client_id, "user": each.user_uuid, "command": each.kind,
        "parameters": msgspec.json.decode(each.parameters), "source": each.source, "outcome": each.outcome,
        "detail": each.detail, "startedAt": iso(each.started_at),
        "endedAt": None if each.ended_at is None else iso(each.ended_at),
    }  # fmt: skip


def _value(parameters: str) -> str | None:
    """Return the limit to set, or the kind of schedule; None for other commands."""
    decoded = msgspec.json.decode(parameters)
    return f"{decoded['percent']} %" if "percent" in decoded else decoded.get("scheduleType")
