"""`chargeport watch`: the changes of a car, a line each, as they are stored."""

from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec
import typer

from chargeport.api.absences import WORDINGS
from chargeport.cli.database import with_store
from chargeport.cli.finding import vehicle_called
from chargeport.cli.options import Database, VehicleName
from chargeport.cli.output import NOTHING, print_json, say
from chargeport.cli.signals import named
from chargeport.cli.values import in_words
from chargeport.cli.vehicles import described
from chargeport.clock import Clock, SystemClock
from chargeport.signals.definition import Signal
from chargeport.store.base import Store
from chargeport.store.records import Change

POLL_S: Final = 0.5  # whoever writes is another process, whose doorbell is not heard here
PORTION: Final = 1000  # changes read at once

Codes = Annotated[
    list[str] | None,
    typer.Option("--signal", metavar="CODE", help="Only this one; may be repeated.", show_default=False),
]
Lines = Annotated[bool, typer.Option("--json", help="Print one JSON document a change, as /stream sends it.")]


def watch(*, vehicle: VehicleName, signal: Codes = None, database: Database = None, as_json: Lines = False) -> None:
    """Show the changes of a vehicle as they are stored, by whomever: observed when, what, from whom. Ctrl-C ends it."""
    signals = frozenset(named(code) for code in signal or ())
    with suppress(KeyboardInterrupt):  # the way to end it, so no failure
        with_store(database, lambda store: _watch(store, vehicle, signals, as_json))


async def _watch(store: Store, name: str, signals: frozenset[Signal], as_json: bool) -> None:
    position = await store.position()
    vehicle = await vehicle_called(store, name)
    if not as_json:
        say(f"{described(vehicle)}  {vehicle.id}: changes from now on; Ctrl-C ends it.", "bold")
    async for change in followed(store, position, SystemClock()):
        if change.vehicle_id == vehicle.id and (not signals or change.signal in signals):
            _print(change, as_json)


async def followed(store: Store, position: int, clock: Clock) -> AsyncIterator[Change]:
    """Every change after a position, for good."""
    while True:
        changes = await store.changes(position, PORTION)
        for change in changes:
            yield change
            position = change.position
        if len(changes) < PORTION:
            await clock.sleep(POLL_S)


def _print(change: Change, as_json: bool) -> None:
    if as_json:
        from chargeport.api.events import data

        print_json(msgspec.Raw(data(change, base="", places=True).encode()))
        return
    say(f"{_local(change.observed_at)}  {change.signal.name:<24}  {_told(change)}  ({change.source})")


def _told(change: Change) -> str:
    """The value in words, or why there is none."""
    if change.absence is not None:
        return f"{NOTHING} {change.absence}: {WORDINGS[change.absence].detail}"
    return NOTHING if change.value is None else in_words(change.signal, change.value)


def _local(at: int) -> str:
    """An instant by the clock on the wall, to the second: cars are seldom more exact."""
    return datetime.fromtimestamp(at / 1000, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
