"""Server-sent events: how a change, a heartbeat and the end of a stream are written.

A client that was told a position (`id:`) may resume from it. A block with an id and no data moves that position on and is no
event for the client (HTML, 9.2.6): so a stream of rare changes does not read half the feed again when it resumes.
"""

from functools import lru_cache
from typing import Final

from chargeport.derivation.provenance import PROVENANCE
from chargeport.errors import Problem
from chargeport.signals.definition import Kind, Permission
from chargeport.signals.effective import Effective, Unavailability
from chargeport.signals.freshness import Freshness
from chargeport.signals.state import State
from chargeport.staleness.expiry import Expiry
from chargeport.store.records import Change, Vehicle
from chargeport.wire.encoding import encode
from chargeport.wire.envelope import View

RETRY: Final = b"retry: 3000\n"  # milliseconds after which a browser that was cut off comes back
HEARTBEAT: Final = b": heartbeat\n"

_EVERYTHING: Final = frozenset(Permission)
_NO_PLACES: Final = _EVERYTHING - {Permission.READ_CHARGE_LOCATIONS}


def signal_event(change: Change, base: str, freshness: Freshness, *, places: bool) -> bytes:
    """A change as an event without its id, for a reader who may see its signal; places in it are for who may see `places`."""
    # Documents can be large, and the same one is seldom wanted twice: only what is small is remembered.
    write = _event if change.signal.kind is Kind.DOCUMENT else _remembered_event
    return write(change, base, places, freshness.of(change.source, change.signal))


def data(change: Change, base: str, live_for_ms: int, *, places: bool) -> str:
    """A change as JSON on one line: the vehicle's id, and the signal as the envelope has it, as it was reported.

    If it is a live value, it stands for `live_for_ms`.
    """
    # Told as of its own instant: when a value's time has run out since, that is an event of its own.
    return _data(change.vehicle_id, _of_change(change, live_for_ms), base, places=places)


def ending_event(ending: Expiry, base: str, *, places: bool) -> bytes:
    """A live value whose time has run out, or that holds again unchanged, as an event. It has no id: it is no change."""
    kind = "signal" if ending.has_returned else "ended"
    return f"event: {kind}\ndata: {ending_data(ending, base, places=places)}\n\n".encode()


def ending_data(ending: Expiry, base: str, *, places: bool) -> str:
    """The same as JSON on one line: the vehicle's id, and the signal as the envelope has it at that moment."""
    return _data(ending.vehicle_id, ending.effective, base, places=places)


def place(position: str) -> bytes:
    """Tells the client how far the feed has come, without an event."""
    return identified(position) + b"\n"


def identified(position: str) -> bytes:
    """The line with the position, sealed; it stands in front of an event or alone."""
    return b"id: %b\n" % position.encode()


def end(problem: Problem) -> bytes:
    """The last event of a stream, with the reason."""
    why = {"reason": problem.kind.code or problem.kind.type, "detail": problem.detail}
    return b"event: end\ndata: " + encode(why) + b"\n\n"


def _data(vehicle_id: str, found: Effective, base: str, *, places: bool) -> str:
    view = View(Vehicle(id=vehicle_id), _EVERYTHING if places else _NO_PLACES, base, PROVENANCE)
    return f'{{"vehicle":"{vehicle_id}","signal":{view.element(found)}}}'


def _event(change: Change, base: str, places: bool, live_for_ms: int) -> bytes:
    return f"event: signal\ndata: {data(change, base, live_for_ms, places=places)}\n\n".encode()


_remembered_event: Final = lru_cache(1024)(_event)


def _of_change(change: Change, live_for_ms: int) -> Effective:
    """What was known of the signal at the moment of the change, and nothing else."""
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
