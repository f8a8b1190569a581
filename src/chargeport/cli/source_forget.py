"""`chargeport source forget`: erase what a source reported, where an import was wrong or a box reported the wrong car."""

from typing import Annotated, Final

import msgspec
import typer

from chargeport.cli import typed
from chargeport.cli.database import with_store
from chargeport.cli.finding import TRACES, UNWIPED, recognised, vehicle_called
from chargeport.cli.options import Database, Json, Rewrite, Yes
from chargeport.cli.output import confirm, print_json, say
from chargeport.errors import NotFoundError, StoreError
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
        str | None, typer.Option(metavar="VEHICLE", help="Only what it reported of this one.", show_default=False)
    ] = None,
    start: Annotated[
        int | None,
        typer.Option("--from", parser=typed.instant, metavar="TIME", help="Observed then or later (UTC).", show_default=False),
    ] = None,
    end: Annotated[
        int | None,
        typer.Option("--to", parser=typed.instant, metavar="TIME", help="Observed before that.", show_default=False),
    ] = None,
    yes: Yes = False,
    rewrite: Rewrite = True,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Erase what a source reported, for good. Other sources' readings stay; records and totals follow when a server runs.

    Exits with 1 when nothing was erased.
    """

    async def run(store: Store) -> tuple[Forgotten | None, bool]:
        car = None if vehicle is None else await vehicle_called(store, vehicle)
        what = f"of {'all vehicles' if car is None else recognised(car)}{_time(start, end)}"
        if not confirm(f"Erase what {name} reported {what}?", yes=yes):
            return None, False
        found = await store.readings.forget(name, None if car is None else car.id, start, end)
        if not any(msgspec.structs.asdict(found).values()):
            hint = "chargeport coverage shows the sources"
            raise NotFoundError(f"Nothing is stored that {typed.quoted(name)} reported {what}: {hint}.")
        try:
            return found, rewrite and await store.vehicles.wipe()
        except StoreError as error:
            raise StoreError(f"It is erased, but the file could not be written anew: {error}") from error

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


def _time(start: int | None, end: int | None) -> str:
    """Return the bounds in words."""
    bounds = [(word, at) for word, at in (("from", start), ("before", end)) if at is not None]
    return "".join(f" {word} {(EPOCH + at * MILLISECOND):%Y-%m-%d %H:%M:%S} UTC" for word, at in bounds)
