"""`chargeport watch`: the changes of a car, a line each, as they are stored, and the expiry of live values."""

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated, Final

import msgspec
import typer

from chargeport.cli import live_view
from chargeport.cli.database import with_store
from chargeport.cli.finding import called, described, fleet, vehicle_called
from chargeport.cli.options import Database, Fleet, Signals
from chargeport.cli.output import NOTHING, console, cut, print_json, say
from chargeport.cli.rows import in_words
from chargeport.cli.signals import named
from chargeport.cli.times import local
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
from chargeport.wire.status import ERROR_STATUSES

POLL_S: Final = 0.5  # changes are written by another process, which can't wake this one
CAR: Final = 18  # characters of a car's name, if several are watched
PORTION: Final = 1000  # changes read at a time
FOLLOW_MS: Final = 60_000  # between two reads of what the server has learnt about staleness

Lines = Annotated[bool, typer.Option("--json", help="Print one JSON document a change, as /stream sends it.")]


def watch(
    *,
    vehicle: Fleet = None,
    signal: Signals = None,
    plain: Annotated[bool, typer.Option("--lines", help="Print a line for each change, also in a terminal.")] = False,
    database: Database = None,
    as_json: Lines = False,
) -> None:
    """Show a vehicle, or all, as they change. Ctrl-C ends it.

    In a terminal, show a view of each vehicle with the newest changes below; else, and with --lines, print a line for each
    change: time, value and source.
    """
    signals = frozenset(named(code) for code in signal or ())
    with suppress(KeyboardInterrupt):  # the normal end
        if console().is_terminal and not (plain or as_json):
            with_store(database, lambda store: _view(store, vehicle, signals))
        else:
            with_store(database, lambda store: _watch(store, vehicle, signals, as_json))


async def _view(store: Store, name: str | None, signals: frozenset[Signal]) -> None:
    vehicles = await fleet(store) if name is None else [await vehicle_called(store, name)]
    names = {vehicle.id: called(vehicle) for vehicle in vehicles} if name is None else {}
    codes, position, clock = {signal.code for signal in signals}, await store.readings.position(), SystemClock()

    async def lines() -> AsyncIterator[str]:
        async for step in followed(store, None if name is None else vehicles[0].id, position, clock):
            signal = step.signal if isinstance(step, Change) else step.state.signal
            if not codes or signal.code in codes:
                yield _text(step, names.get(step.vehicle_id, step.vehicle_id) if names else None)

    await live_view.show(store, vehicles, lines(), clock)


async def _watch(store: Store, name: str | None, signals: frozenset[Signal], as_json: bool) -> None:
    position = await store.readings.position()
    vehicle = None if name is None else await vehicle_called(store, name)
    if not as_json:
        whose = "All vehicles" if vehicle is None else f"{described(vehicle)}  {vehicle.id}"
        say(f"{whose}: changes from now on; Ctrl-C ends it.", "bold")
    names = {vehicle.id: called(vehicle) for vehicle in await fleet(store)} if vehicle is None else {}
    codes = {signal.code for signal in signals}
    async for step in followed(store, None if vehicle is None else vehicle.id, position, SystemClock()):
        signal = step.signal if isinstance(step, Change) else step.state.signal
        if not codes or signal.code in codes:
            _print(step, store.readings.freshness, names, as_json)


async def followed(store: Store, vehicle_id: str | None, position: int, clock: Clock) -> AsyncIterator[Change | Expiry]:
    """Yield every change of a car, or of all, after a position, and every expiry of a live value."""
    endings = ExpiryWatch(store, clock, lambda id_: vehicle_id in (None, id_))
    feed = EffectiveFeed(store)
    await cadence.follow(store)
    endings.watch(None if vehicle_id is None else [vehicle_id])
    looked_at = clock.now()
    while True:
        changes = await store.readings.changes(position, PORTION)
        endings.take(changes)
        for change in await feed.events([change for change in changes if vehicle_id in (None, change.vehicle_id)]):
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


def _print(step: Change | Expiry, freshness: Freshness, names: dict[str, str], as_json: bool) -> None:
    """Print a change; with the name of its car if all are watched."""
    if as_json:
        _print_json(step, freshness)
    else:
        say(_text(step, names.get(step.vehicle_id, step.vehicle_id) if names else None))


def _text(step: Change | Expiry, car: str | None) -> str:
    """Return a change as a line."""
    if isinstance(step, Change):
        return _line(step.observed_at, car, step.signal, _content(step), shown(step.source, step.rule))
    return _line(step.at, car, step.state.signal, _ended(step), shown(step.state.source, step.state.rule))


def _print_json(step: Change | Expiry, freshness: Freshness) -> None:
    from chargeport.api import events

    if isinstance(step, Change):
        text = events.data(step, "", freshness.of(step.source, step.signal), places=True)
    else:
        text = events.ending_data(step, "", places=True)
    print_json(msgspec.Raw(text.encode()))


def _line(at: int, car: str | None, signal: Signal, value: str, source: str | None) -> str:
    """Return a line, without wrapping."""
    if car is None:
        return f"{local(at)}  {signal.name:<24}  {value}  ({source})"
    return f"{local(at).partition(' ')[2]}  {cut(car, CAR):<{CAR}}  {signal.name:<16}  {value}  ({source})"


def _ended(ending: Expiry) -> str:
    """Return why the value is no longer valid, and what it was; or the value if it is valid again."""
    value = NOTHING if ending.state.value is None else in_words(ending.state.signal, ending.state.value)
    if ending.has_returned:
        return value
    reason = AbsenceReason.UNREACHABLE
    return f"{NOTHING} {reason}: {ERROR_STATUSES[reason].detail} Last: {value}."


def _content(change: Change) -> str:
    """Return the value as text, or why there is none."""
    if change.absence is not None:
        return f"{NOTHING} {change.absence}: {ERROR_STATUSES[change.absence].detail}"
    return NOTHING if change.value is None else in_words(change.signal, change.value)
