"""`chargeport source forget`: erase the readings of a source, such as after a wrong import or reports of the wrong car."""

from typing import Annotated, Final

import msgspec
import typer

from chargeport.cli import typed
from chargeport.cli.database import rewritten, with_store
from chargeport.cli.finding import TRACES, UNWIPED, recognised, vehicle_called
from chargeport.cli.options import Database, From, Json, Rewrite, To, Yes
from chargeport.cli.output import confirm, print_json, say
from chargeport.errors import NotFoundError
from chargeport.signals.instants import EPOCH, MILLISECOND
from chargeport.store.protocols import Store
from chargeport.store.records import Forgotten

FORGOTTEN: Final = {
    "latest": "latest values", "history": "runs of history", "hours": "hours of older history", "sessions": "reported sessions",
    "issues": "issues",
}  # fmt: skip


def forget(
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The source, as coverage shows it.", show_default=False)],
    vehicle: Annotated[
        str | None, typer.Option(metavar="VEHICLE", help="Only its reports of this vehicle.", show_default=False)
    ] = None,
    start: From = None,
    end: To = None,
    yes: Yes = False,
    rewrite: Rewrite = True,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Erase the readings of a source permanently, not those of others. A running server computes records and totals again.

    Exits with 1 when nothing was erased.
    """

    async def run(store: Store) -> tuple[Forgotten | None, bool]:
        found = await _forget(store, name, vehicle, (start, end), yes=yes)
        return found, found is not None and rewrite and await rewritten(store, "It")

    found, wiped = with_store(database, run)
    if found is None:
        say("Nothing was erased.")
        raise typer.Exit(1)
    counts = msgspec.structs.asdict(found)
    if as_json:
        print_json({"source": name, "erased": counts, "rewritten": wiped})
        return
    counted = ", ".join(f"{counts[kind]} {what}" for kind, what in FORGOTTEN.items())
    say(f"The readings of {name} are erased, of {counts['vehicles']} vehicles: {counted}.")
    say("A running server computes the records again.")
    if not wiped:
        say(TRACES if rewrite else UNWIPED)


async def _forget(
    store: Store, name: str, vehicle: str | None, bounds: tuple[int | None, int | None], *, yes: bool
) -> Forgotten | None:
    """Erase the readings of a source, if confirmed; return their counts. Raises NotFoundError if there is nothing to erase."""
    car = None if vehicle is None else await vehicle_called(store, vehicle)
    what = f"of {'all vehicles' if car is None else recognised(car)}{_time(*bounds)}"
    if not confirm(f"Erase what {name} reported {what}?", yes=yes):
        return None
    found = await store.readings.forget(name, None if car is None else car.id, *bounds)
    if not any(msgspec.structs.asdict(found).values()):
        hint = "chargeport coverage shows the sources"
        raise NotFoundError(f"Nothing is stored that {typed.quoted(name)} reported {what}: {hint}.")
    return found


def _time(start: int | None, end: int | None) -> str:
    """Return the bounds as text."""
    bounds = [(word, at) for word, at in (("from", start), ("before", end)) if at is not None]
    return "".join(f" {word} {(EPOCH + at * MILLISECOND):%Y-%m-%d %H:%M:%S} UTC" for word, at in bounds)
