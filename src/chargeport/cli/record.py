"""`chargeport record`: people's edits of charging sessions. Originals are retained, and every edit can be undone."""

from collections.abc import Callable
from typing import Annotated, Final

import msgspec
import typer

from chargeport.cli import record_adding, typed
from chargeport.cli.database import with_store
from chargeport.cli.options import Database, Json, VehicleName
from chargeport.cli.output import print_done, print_json, print_table
from chargeport.cli.records import made_of
from chargeport.cli.signals import states_of
from chargeport.cli.times import ago
from chargeport.clock import SystemClock
from chargeport.derivation import record_changes
from chargeport.derive.records.edits import Annotate, Edit, Merge, Remove, Seen, Split
from chargeport.signals.records import MAX_ENERGY_KWH, Cost
from chargeport.signals.violation import Violation
from chargeport.store.protocols import Store
from chargeport.store.records import StoredEdit

_TWO: Final = 2

RecordId = Annotated[str, typer.Argument(metavar="RECORD", help="Its id, as records shows it.", show_default=False)]

group = typer.Typer(
    help="Records: add, import, remove, split, merge or annotate charging sessions; the originals are retained.",
    no_args_is_help=True,
)
group.command("add")(record_adding.add)
group.command("import")(record_adding.import_list)


@group.command("split")
def split(
    *,
    vehicle: VehicleName,
    record: RecordId,
    at: Annotated[int, typer.Option("--at", parser=typed.instant, metavar="TIME", help="Start of the second record.")],
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Split a record in two; its energy and cost are divided."""
    _add(database, vehicle, [record], lambda found: Split(found[0], at), as_json)


@group.command("merge")
def merge(
    *,
    vehicle: VehicleName,
    records: Annotated[list[str], typer.Argument(metavar="RECORD...", help="At least two ids.", show_default=False)],
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Merge several records into one."""
    if len(set(records)) < _TWO:
        raise typer.BadParameter("two records or more are wanted.")
    _add(database, vehicle, records, lambda found: Merge(tuple(found)), as_json)


@group.command("remove")
def remove(*, vehicle: VehicleName, record: RecordId, database: Database = None, as_json: Json = False) -> None:
    """Hide a record. It is retained, and record undo shows it again."""
    _add(database, vehicle, [record], lambda found: Remove(found[0]), as_json)


@group.command("edit")
@group.command("annotate")
def annotate(
    *,
    vehicle: VehicleName,
    record: RecordId,
    note: Annotated[str | None, typer.Option(parser=typed.label, metavar="TEXT", help="A note.", show_default=False)] = None,
    place: Annotated[
        str | None,
        typer.Option("--place", parser=typed.label, metavar="NAME", help="Name of the place.", show_default=False),
    ] = None,
    public: Annotated[
        bool | None, typer.Option("--public/--private", help="Whether the charger was public.", show_default=False)
    ] = None,
    energy: Annotated[
        float | None,
        typer.Option("--energy", min=0, max=MAX_ENERGY_KWH, metavar="KWH", help="Energy added.", show_default=False),
    ] = None,
    cost: Annotated[float | None, typer.Option(min=0, metavar="AMOUNT", help="Its cost.", show_default=False)] = None,
    currency: Annotated[str | None, typer.Option(metavar="CODE", help="Of the cost: EUR.", show_default=False)] = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Correct members of a record; the others are not changed."""
    if (cost is None) is not (currency is None):
        raise typer.BadParameter("--cost and --currency are needed both, or neither.")
    paid = None if cost is None else Cost(currency=currency, energyAmount=cost)
    try:
        if paid is not None:
            paid.check("--cost")
    except Violation as violation:
        raise typer.BadParameter(f"{violation.detail}.") from None
    if all(value is None for value in (note, place, public, energy, paid)):
        raise typer.BadParameter("there is nothing to change: use --note, --place, --public, --energy or --cost.")

    def change(found: list[Seen]) -> Edit:
        return Annotate(
            record=found[0], note=note, place_name=place, is_public=public, cost=paid, energy_added_kwh=energy
        )  # fmt: skip

    _add(database, vehicle, [record], change, as_json)


@group.command("edits")
def edits(*, vehicle: VehicleName, database: Database = None, as_json: Json = False) -> None:
    """List what people changed, oldest first."""

    async def look(store: Store) -> list[StoredEdit]:
        return await store.sessions.edits((await states_of(store, vehicle)).vehicle.id)

    found = with_store(database, look)
    if as_json:
        print_json(
            [{"number": edit.number, "made_at": edit.made_at, "edit": msgspec.Raw(edit.body.encode())} for edit in found]
        )
        return
    now = SystemClock().now()
    rows = [(edit.number, ago(edit.made_at, now), edit.body) for edit in found]
    print_table(("number", "made", "edit"), rows, "Nobody has changed a record of it.")


@group.command("undo")
def undo(
    *,
    vehicle: VehicleName,
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="The edit, as record edits shows it.", show_default=False)],
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Undo an edit."""

    async def undone(store: Store) -> int:
        car = (await states_of(store, vehicle)).vehicle
        return await record_changes.take_back(store, car.id, number, SystemClock().now())

    _print_edit(with_store(database, undone), as_json)


def _add(database: str | None, name: str, ids: list[str], change: Callable[[list[Seen]], Edit], as_json: bool) -> None:
    """Store an edit of these records, if it applies. A running server shows it within seconds."""

    async def add(store: Store) -> int:
        found = await states_of(store, name)
        of = record_changes.Of(found.vehicle.id, await made_of(store, found))
        return await record_changes.keep(store, of, ids, change, SystemClock().now())

    _print_edit(with_store(database, add), as_json)


def _print_edit(number: int, as_json: bool) -> None:
    print_done({"number": number}, f"Stored as edit {number}; chargeport record undo takes it back.", as_json=as_json)
