"""`chargeport coverage`: which signals each car has, and why not the others."""

from collections import Counter
from typing import Annotated, Any, NamedTuple

import typer

from chargeport.cli import rows
from chargeport.cli.ages import ago
from chargeport.cli.database import with_store
from chargeport.cli.finding import every
from chargeport.cli.options import Database, Json
from chargeport.cli.output import print_json, print_table, say
from chargeport.cli.signals import states_of
from chargeport.cli.vehicles import described
from chargeport.clock import SystemClock
from chargeport.signals.catalogue import CATALOGUE
from chargeport.signals.definition import Permission
from chargeport.signals.held import held
from chargeport.store.protocols import Store
from chargeport.store.records import Vehicle, VehicleSeries

Maybe = Annotated[
    str | None, typer.Argument(metavar="[VEHICLE]", help="Id, VIN or alias; else all, a line each.", show_default=False)
]


class Summary(NamedTuple):
    """How much is known of a car: signals by what they can tell now, and when it was last heard of."""

    vehicle: Vehicle
    counts: Counter[str]
    heard_at: int | None


def coverage(*, vehicle: Maybe = None, database: Database = None, as_json: Json = False) -> None:
    """Show which signals a vehicle has, and why not the others; without VEHICLE, how many each one has."""
    if vehicle is None:
        _print_all(with_store(database, _summaries), as_json)
        return
    found = with_store(database, lambda store: states_of(store, vehicle))
    now = SystemClock().now()
    if as_json:
        from chargeport.api.vehicles import coverage as document

        print_json(document(found, frozenset(Permission), now))
        return
    say(f"{described(found.vehicle)}  {found.vehicle.id}", "bold")
    rows.print_rows(rows.row(signal, found, now) for signal in CATALOGUE)


async def _summaries(store: Store) -> list[Summary]:
    now = SystemClock().now()
    found = [await store.readings.signals(vehicle.id) for vehicle in await every(store.vehicles.vehicles)]
    return [_summary(each, now) for each in found if each is not None]


def _summary(found: VehicleSeries, now: int) -> Summary:
    counts = Counter(rows.status(held(found.series, signal, now), found, now) for signal in CATALOGUE)
    heard = [state.received_at for states in found.series.values() for state in states if state.received_at is not None]
    return Summary(found.vehicle, counts, max(heard, default=None))


def _print_all(summaries: list[Summary], as_json: bool) -> None:
    if as_json:
        print_json([_fields(summary) for summary in summaries])
        return
    now = SystemClock().now()
    lines = [
        (each.vehicle.id, described(each.vehicle), each.counts[rows.SUCCESS], _others(each.counts),
         each.counts[rows.NOT_REPORTED], ago(each.heard_at, now))
        for each in summaries
    ]  # fmt: skip
    columns = ("vehicle", "", "values", "without, and why", "never", "last heard of")
    print_table(columns, lines, "There is no vehicle yet: chargeport vehicle add makes one known.", short={"vehicle": 8})


def _others(counts: Counter[str]) -> str:
    told = sorted((why, count) for why, count in counts.items() if why not in (rows.SUCCESS, rows.NOT_REPORTED))
    return ", ".join(f"{count} {why}" for why, count in told) or "0"


def _fields(summary: Summary) -> dict[str, Any]:
    from chargeport.api.envelope import iso

    vehicle = summary.vehicle
    return {
        "id": vehicle.id,
        "make": vehicle.make,
        "model": vehicle.model,
        "year": vehicle.year,
        "counts": dict(sorted(summary.counts.items())),
        "heard_at": None if summary.heard_at is None else iso(summary.heard_at),
    }
