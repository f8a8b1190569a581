"""Stored changes, and endings of live values, as events of a stream."""

from functools import lru_cache
from typing import Final

from chargeport.derivation.provenance import PROVENANCE
from chargeport.signals.definition import Kind
from chargeport.signals.effective import Effective, Unavailability
from chargeport.signals.freshness import Freshness
from chargeport.signals.state import State
from chargeport.staleness.expiry import Expiry
from chargeport.store.records import Change, Vehicle
from chargeport.wire import events


def signal_event(change: Change, base: str, freshness: Freshness, *, places: bool) -> bytes:
    """Return a change as an event without its id, for a reader of its signal; with `places` the places in it are shown."""
    # Documents can be large, and the same one is seldom wanted twice: only what is small is remembered.
    write = _event if change.signal.kind is Kind.DOCUMENT else _remembered_event
    return write(change, base, places, freshness.of(change.source, change.signal))


def data(change: Change, base: str, live_for_ms: int, *, places: bool) -> str:
    """Return a change as JSON on one line, as it was reported. If it is a live value, it stands for `live_for_ms`."""
    # As of its own instant: when a value's time has run out since, that is an event of its own.
    return events.data(Vehicle(id=change.vehicle_id), _of_change(change, live_for_ms), base, PROVENANCE, places=places)


def ending_event(ending: Expiry, base: str, *, places: bool) -> bytes:
    """Return a live value whose time has run out, or that holds again unchanged, as an event."""
    return events.block(events.SIGNAL if ending.has_returned else events.ENDED, ending_data(ending, base, places=places))


def ending_data(ending: Expiry, base: str, *, places: bool) -> str:
    """Return the same as JSON on one line: the vehicle's id, and the signal as the envelope has it at that moment."""
    return events.data(Vehicle(id=ending.vehicle_id), ending.effective, base, PROVENANCE, places=places)


def _event(change: Change, base: str, places: bool, live_for_ms: int) -> bytes:
    return events.block(events.SIGNAL, data(change, base, live_for_ms, places=places))


_remembered_event: Final = lru_cache(1024)(_event)


def _of_change(change: Change, live_for_ms: int) -> Effective:
    """Return what was known of the signal at the moment of the change, and nothing else."""
    if change.absence is None:
        state = State(
            change.signal, change.value, change.observed_at, change.observed_at, change.received_at, change.source,
            change.position, live_for_ms=live_for_ms, rule=change.rule,
        )  # fmt: skip
        return Effective(state)
    state = State(
        change.signal, source=change.source, absence=change.absence, absence_at=change.observed_at,
        absence_received_at=change.received_at, absence_source=change.source, rule=change.rule,
    )  # fmt: skip
    return Effective(state, Unavailability(change.absence, change.received_at))
