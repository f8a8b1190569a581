"""`chargeport watch`: the changes of a car, a line each, as they are stored, and live values that end by silence."""

from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec
import typer

from chargeport.cli.database import with_store
from chargeport.cli.finding import vehicle_called
from chargeport.cli.options import Database, VehicleName
from chargeport.cli.output import NOTHING, print_json, say
from chargeport.cli.signals import named
from chargeport.cli.values import in_words
from chargeport.cli.vehicles import described
from chargeport.clock import Clock, SystemClock
from chargeport.signals.definition import Signal
from chargeport.signals.freshness import Freshness
from chargeport.signals.reading import AbsenceReason
from chargeport.staleness import cadence
from chargeport.staleness.expiry import Expiry, ExpiryWatch
from chargeport.store.effective_feed import EffectiveFeed
from chargeport.store.protocols import Store
from chargeport.store.records import Change
from chargeport.wire.provenance import shown
from chargeport.wire.status import WORDINGS

POLL_S: Final = 0.5  # whoever writes is another process, whose doorbell is not heard here
PORTION: Final = 1000  # changes read at once
FOLLOW_MS: Final = 60_000  # how often it is looked up what the server has learnt about staleness

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
    position = await store.readings.position()
    vehicle = await vehicle_called(store, name)
    if not as_json:
        say(f"{described(vehicle)}  {vehicle.id}: changes from now on; Ctrl-C ends it.", "bold")
    codes = {signal.code for signal in signals}
    async for step in followed(store, vehicle.id, position, SystemClock()):
        signal = step.signal if isinstance(step, Change) else step.state.signal
        if not codes or signal.code in codes:
            _print(step, store.readings.freshness, as_json)


async def followed(store: Store, vehicle_id: str, position: int, clock: Clock) -> AsyncIterator[Change | Expiry]:
    """Every change of a car after a position, and the end of every live value when its time runs out, for good."""
    endings = ExpiryWatch(store, clock, lambda each: each == vehicle_id)
    feed = EffectiveFeed(store)
    await cadence.follow(store)
    endings.watch([vehicle_id])
    looked_at = clock.now()
    while True:
        changes = await store.readings.changes(position, PORTION)
        endings.take(changes)
        for change in await feed.events([change for change in changes if change.vehicle_id == vehicle_id]):
            yield change
        position = changes[-1].position if changes else position
        if len(changes) == PORTION:
            continue
        for ending in await endings.look():
            yield ending
        await clock.sleep(POLL_S)
        if clock.now() - looked_at >= FOLLOW_MS:
            await cadence.follow(store)
            looked_at = clock.now()


def _print(step: Change | Expiry, freshness: Freshness, as_json: bool) -> None:
    if as_json:
        _print_json(step, freshness)
    elif isinstance(step, Change):
        say(_line(step.observed_at, step.signal, _told(step), shown(step.source, step.rule)))
    else:
        say(_line(step.at, step.state.signal, _ended(step), shown(step.state.source, step.state.rule)))


def _print_json(step: Change | Expiry, freshness: Freshness) -> None:
    from chargeport.api import events

    if isinstance(step, Change):
        text = events.data(step, "", freshness.of(step.source, step.signal), places=True)
    else:
        text = events.ending_data(step, "", places=True)
    print_json(msgspec.Raw(text.encode()))


def _line(at: int, signal: Signal, told: str, source: str | None) -> str:
    return f"{_local(at)}  {signal.name:<24}  {told}  ({source})"


def _ended(ending: Expiry) -> str:
    """Why the value does not hold any more, and what it was; or that it holds again."""
    value = NOTHING if ending.state.value is None else in_words(ending.state.signal, ending.state.value)
    if ending.has_returned:
        return value
    reason = AbsenceReason.UNREACHABLE
    return f"{NOTHING} {reason}: {WORDINGS[reason].detail} Last: {value}."


def _told(change: Change) -> str:
    """The value in words, or why there is none."""
    if change.absence is not None:
        return f"{NOTHING} {change.absence}: {WORDINGS[change.absence].detail}"
    return NOTHING if change.value is None else in_words(change.signal, change.value)


def _local(at: int) -> str:
    """An instant by the clock on the wall, to the second: cars are seldom more exact."""
    return datetime.fromtimestamp(at / 1000, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
