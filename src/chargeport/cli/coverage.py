"""`chargeport coverage`: the signals that each car has, and the reasons why others are missing."""

from collections import Counter
from typing import Annotated, Any, Final, NamedTuple

import typer

from chargeport.cli import rows
from chargeport.cli.database import with_store
from chargeport.cli.finding import described, every
from chargeport.cli.options import Database, Json
from chargeport.cli.output import print_json, print_table, say
from chargeport.cli.signals import known_of
from chargeport.cli.times import ago
from chargeport.clock import SystemClock
from chargeport.signals.catalogue import CATALOGUE
from chargeport.signals.definition import Permission, Signal
from chargeport.store.protocols import Store
from chargeport.store.records import Page, Vehicle

Maybe = Annotated[
    str | None, typer.Argument(metavar="[VEHICLE]", help="Id, VIN or alias; else all, a line each.", show_default=False)
]


MAX_ISSUES: Final = 10_000  # the number of different issues that the store retains
SHOWS: Final = "chargeport source issues shows them."


class Summary(NamedTuple):
    """A summary of a car: signals by their present state, the last receipt, the number of issues that name it."""

    vehicle: Vehicle
    counts: Counter[str]
    heard_at: int | None
    issues: int = 0


def coverage(*, vehicle: Maybe = None, database: Database = None, as_json: Json = False) -> None:
    """Show which signals a vehicle has, and why others are missing; without VEHICLE, the number of each vehicle."""
    if vehicle is None:
        _print_all(with_store(database, _summaries), as_json)
        return
    found, issues = with_store(database, lambda store: _one(store, vehicle))
    now = SystemClock().now()
    if as_json:
        from chargeport.api.vehicles import coverage as document

        print_json(document(found.found, frozenset(Permission), found.ranks, now))
        return
    say(f"{described(found.vehicle)}  {found.vehicle.id}", "bold")
    rows.print_rows(row for signal in CATALOGUE for row in _rows(signal, found, now))
    if issues:
        say(f"{_counted(issues)} this vehicle: {SHOWS}")


def _rows(signal: Signal, found: rows.Known, now: int) -> list[rows.Row]:
    """Return the row of a signal, followed by those of other sources."""
    return [rows.row(signal, found, now), *rows.other_rows(signal, found, now)]


async def _one(store: Store, name: str) -> tuple[rows.Known, int]:
    found = await known_of(store, name)
    return found, _concerning(found, await _issues(store))


async def _issues(store: Store) -> Counter[str | None]:
    """Count the different issues that name each vehicle."""
    found, _ = await store.issues.issues(Page(1, MAX_ISSUES))
    return Counter(count.issue.vehicle or None for count in found)


def _concerning(known: rows.Known, issues: Counter[str | None]) -> int:
    """Count the issues that name a car; for a car that has never reported, also those without a car."""
    vehicle = known.found.vehicle
    named = sum(issues[name] for name in {vehicle.id, vehicle.vin, *vehicle.aliases} - {None})
    return named if known.found.series else named + issues[None]


def _counted(issues: int) -> str:
    return "1 issue may be about" if issues == 1 else f"{issues} issues may be about"


async def _summaries(store: Store) -> list[Summary]:
    now, ranks = SystemClock().now(), store.readings.ranks
    found = [await store.readings.signals(vehicle.id) for vehicle in await every(store.vehicles.vehicles)]
    issues = await _issues(store)
    known = [rows.Known(series, ranks) for series in found if series is not None]
    return [_summary(vehicle, _concerning(vehicle, issues), now) for vehicle in known]


def _summary(known: rows.Known, issues: int, now: int) -> Summary:
    found = known.found
    counts = Counter(rows.status(known.of(signal, now)) for signal in CATALOGUE)
    received = [state.received_at for states in found.series.values() for state in states if state.received_at is not None]
    return Summary(found.vehicle, counts, max(received, default=None), issues)


def _print_all(summaries: list[Summary], as_json: bool) -> None:
    if as_json:
        print_json([_fields(summary) for summary in summaries])
        return
    now = SystemClock().now()
    lines = [
        (summary.vehicle.id, described(summary.vehicle), summary.counts[rows.SUCCESS], _others(summary.counts),
         summary.counts[rows.NOT_REPORTED], ago(summary.heard_at, now))
        for summary in summaries
    ]  # fmt: skip
    columns = ("vehicle", "", "values", "without, and why", "never", "last received")
    print_table(columns, lines, "There is no vehicle yet: chargeport vehicle add makes one known.", short={"vehicle": 8})
    for summary in summaries:
        if summary.heard_at is None and summary.issues:
            say(f"{described(summary.vehicle)} has never reported, and {_counted(summary.issues)} it: {SHOWS}")


def _others(counts: Counter[str]) -> str:
    reasons = sorted((why, count) for why, count in counts.items() if why not in (rows.SUCCESS, rows.NOT_REPORTED))
    return ", ".join(f"{count} {why}" for why, count in reasons) or "0"


def _fields(summary: Summary) -> dict[str, Any]:
    from chargeport.wire.envelope import iso

    vehicle = summary.vehicle
    return {
        "id": vehicle.id,
        "make": vehicle.make,
        "model": vehicle.model,
        "year": vehicle.year,
        "issues": summary.issues,
        "counts": dict(sorted(summary.counts.items())),
        "heard_at": None if summary.heard_at is None else iso(summary.heard_at),
    }
