"""`chargeport record`: what a person knows better of a charging session. Originals stay, and every edit can be taken back."""

from typing import Annotated, Any, Final

import msgspec
import typer

from chargeport.cli import record_adding, typed
from chargeport.cli.ages import ago
from chargeport.cli.database import with_store
from chargeport.cli.options import Database, Json, VehicleName
from chargeport.cli.output import print_json, print_table, say
from chargeport.cli.records import made_of
from chargeport.cli.signals import states_of
from chargeport.clock import SystemClock
from chargeport.derive.records.edits import Annotate, Change, Edit, Merge, Remove, Seen, Split, Undo, edited, seen
from chargeport.derive.records.records import Record
from chargeport.errors import ChargeportError, NotFoundError
from chargeport.signals.records import MAX_ENERGY_KWH, Cost
from chargeport.signals.violation import Violation
from chargeport.store.protocols import Store
from chargeport.store.records import KeptEdit

_TWO: Final = 2

RecordId = Annotated[str, typer.Argument(metavar="RECORD", help="Its id, as records shows it.", show_default=False)]

group = typer.Typer(
    help="Records: add, import, remove, split, merge or annotate charging sessions; the originals stay.", no_args_is_help=True
)
group.command("add")(record_adding.add)
group.command("import")(record_adding.import_list)


@group.command("split")
def split(
    *,
    vehicle: VehicleName,
    record: RecordId,
    at: Annotated[int, typer.Option("--at", parser=typed.instant, metavar="TIME", help="When the second began.")],
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Make two of a record; its energy and cost are shared out."""
    _add(database, vehicle, [record], lambda found: Split(found[0], at), as_json)


@group.command("merge")
def merge(
    *,
    vehicle: VehicleName,
    records: Annotated[list[str], typer.Argument(metavar="RECORD...", help="Two ids or more.", show_default=False)],
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Make one of several records."""
    if len(set(records)) < _TWO:
        raise typer.BadParameter("two records or more are wanted.")
    _add(database, vehicle, records, lambda found: Merge(tuple(found)), as_json)


@group.command("remove")
def remove(*, vehicle: VehicleName, record: RecordId, database: Database = None, as_json: Json = False) -> None:
    """Hide a record. It is kept, and record undo shows it again."""
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
        typer.Option("--place", parser=typed.label, metavar="NAME", help="What the place is called.", show_default=False),
    ] = None,
    public: Annotated[bool | None, typer.Option("--public/--private", help="Whose charger it was.", show_default=False)] = None,
    energy: Annotated[
        float | None,
        typer.Option("--energy", min=0, max=MAX_ENERGY_KWH, metavar="KWH", help="Energy added.", show_default=False),
    ] = None,
    cost: Annotated[float | None, typer.Option(min=0, metavar="AMOUNT", help="What it cost.", show_default=False)] = None,
    currency: Annotated[str | None, typer.Option(metavar="CODE", help="Of the cost: EUR.", show_default=False)] = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Say what is known better of a record; what is not said stays as it was."""
    if (cost is None) is not (currency is None):
        raise typer.BadParameter("--cost and --currency are needed both, or neither.")
    paid = None if cost is None else Cost(currency=currency, energyAmount=cost)
    try:
        if paid is not None:
            paid.check("--cost")
    except Violation as violation:
        raise typer.BadParameter(f"{violation.detail}.") from None
    if all(each is None for each in (note, place, public, energy, paid)):
        raise typer.BadParameter("nothing is said of the record: use --note, --place, --public, --energy or --cost.")

    def change(found: list[Seen]) -> Edit:
        return Annotate(
            record=found[0], note=note, place_name=place, is_public=public, cost=paid, energy_added_kwh=energy
        )  # fmt: skip

    _add(database, vehicle, [record], change, as_json)


@group.command("edits")
def edits(*, vehicle: VehicleName, database: Database = None, as_json: Json = False) -> None:
    """List what people changed, oldest first."""

    async def look(store: Store) -> list[KeptEdit]:
        return await store.sessions.edits((await states_of(store, vehicle)).vehicle.id)

    found = with_store(database, look)
    if as_json:
        print_json(
            [{"number": each.number, "made_at": each.made_at, "edit": msgspec.Raw(each.body.encode())} for each in found]
        )
        return
    now = SystemClock().now()
    rows = [(each.number, ago(each.made_at, now), each.body) for each in found]
    print_table(("number", "made", "edit"), rows, "Nobody has changed a record of it.")


@group.command("undo")
def undo(
    *,
    vehicle: VehicleName,
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="The edit, as record edits shows it.", show_default=False)],
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Take an edit back."""

    async def take_back(store: Store) -> int:
        car = (await states_of(store, vehicle)).vehicle
        known = {each.number: each for each in await store.sessions.edits(car.id)}
        if number not in known or isinstance(msgspec.json.decode(known[number].body, type=Change), Undo):
            raise NotFoundError(f"No edit of its records has the number {number}: chargeport record edits lists them.")
        return await store.sessions.add_edit(car.id, SystemClock().now(), msgspec.json.encode(Undo(number)).decode())

    _told(with_store(database, take_back), as_json)


def _add(database: str | None, name: str, ids: list[str], change: Any, as_json: bool) -> None:
    """Keep an edit of these records, if it fits. A server that runs shows it within seconds."""

    async def add(store: Store) -> int:
        found = await states_of(store, name)
        made = {each.id: each for each in await made_of(store, found)}
        wanted: Edit = change([_seen(made, each) for each in ids])
        if edited(list(made.values()), [wanted]).unused:
            raise ChargeportError("A split lies between the start and the end of its record: chargeport records shows them.")
        return await store.sessions.add_edit(found.vehicle.id, SystemClock().now(), msgspec.json.encode(wanted).decode())

    _told(with_store(database, add), as_json)


def _seen(made: dict[str, Record], record_id: str) -> Seen:
    if record_id not in made:
        raise NotFoundError(f"No record has the id {typed.quoted(record_id)}: chargeport records shows those there are.")
    return seen(made[record_id])


def _told(number: int, as_json: bool) -> None:
    if as_json:
        print_json({"number": number})
    else:
        say(f"Kept as edit {number}; chargeport record undo takes it back.")
