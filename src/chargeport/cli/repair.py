"""`chargeport repair`: correct data that a fault of the machine left in the database."""

from collections import Counter
from typing import Final

import msgspec
import typer

from chargeport.cli.database import with_store
from chargeport.cli.finding import every, recognised
from chargeport.cli.options import Database, Json, Yes
from chargeport.cli.output import confirm, print_json, print_table, say
from chargeport.clock import CONFIRMED, Clock, SystemClock
from chargeport.signals.instants import EPOCH, MILLISECOND
from chargeport.store.audit import Act
from chargeport.store.protocols import Store
from chargeport.store.records import Vehicle

AHEAD_MS: Final = 300_000  # by which a source's clock may be ahead

group = typer.Typer(help="Repairs: correct data that a fault of the machine left in the database.", no_args_is_help=True)


class Ahead(msgspec.Struct, frozen=True):
    """The values that a source reported of a vehicle with times ahead of the clock: their number, and the last time."""

    vehicle: Vehicle
    source: str
    values: int
    until_at: int


@group.command("clock")
def clock(*, yes: Yes = False, database: Database = None, as_json: Json = False) -> None:
    """Find and remove values that were stored with times ahead of the machine's clock, after a leap of it.

    Such a value is the latest of its signal until its time. Check first that the clock is right now: this also confirms
    the clock for a server that starts with a clock years ahead of the stored values.
    """
    now_of = SystemClock()

    async def run(store: Store) -> tuple[list[Ahead], bool]:
        found = await ahead(store, now_of)
        if not found:
            await store.notes.remember(*CONFIRMED, str(now_of.now()))
            return [], False
        if not as_json:
            _print(found)
        if not confirm(f"Remove what is ahead of {_text(now_of.now())}?", yes=yes):
            return found, False
        for series in found:
            await store.readings.forget(series.source, series.vehicle.id, now_of.now() + AHEAD_MS)
        await store.notes.remember(*CONFIRMED, str(now_of.now()))
        await store.audit.add(Act.CLOCK_REPAIRED, detail=f"{len(found)} series")
        return found, True

    found, removed = with_store(database, run)
    if as_json:
        shown = [{"vehicle": series.vehicle.id, "source": series.source, "values": series.values} for series in found]
        print_json({"ahead": shown, "removed": removed})
    elif not found:
        say(f"Nothing is stored with a time ahead of {_text(now_of.now())}.")
    else:
        say("They are removed: each signal has its newest remaining value." if removed else "Nothing was removed.")
    if found and not removed:
        raise typer.Exit(1)


async def ahead(store: Store, clock: Clock) -> list[Ahead]:
    """Return the values with times ahead of the clock, by source and vehicle."""
    limit, found = clock.now() + AHEAD_MS, []
    for vehicle in await every(store.vehicles.vehicles):
        known = await store.readings.signals(vehicle.id)
        values: Counter[str] = Counter()
        until: dict[str, int] = {}
        for state in (state for states in (known.series.values() if known else ()) for state in states):
            at, source = max(state.observed_at or 0, state.absence_at or 0), state.source or state.absence_source
            if at > limit and source is not None:
                values[source] += 1
                until[source] = max(at, until.get(source, 0))
        found += [Ahead(vehicle, source, values[source], until[source]) for source in sorted(values)]
    return found


def _print(found: list[Ahead]) -> None:
    rows = [(recognised(series.vehicle), series.source, series.values, _text(series.until_at)) for series in found]
    print_table(("vehicle", "source", "values ahead", "up to"), rows, "")


def _text(at: int) -> str:
    return f"{EPOCH + at * MILLISECOND:%Y-%m-%d %H:%M:%S} UTC"
