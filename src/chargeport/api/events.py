"""Server-sent events: how a change, a heartbeat and the end of a stream are written.

A client that was told a position (`id:`) may resume from it. A block with an id and no data moves that position on and is no
event for the client (HTML, 9.2.6): so a stream of rare changes does not read half the feed again when it resumes.
"""

from functools import lru_cache
from typing import Final

from chargeport.api.answer import encode
from chargeport.api.envelope import View
from chargeport.errors import Problem
from chargeport.signals.definition import Kind, Permission
from chargeport.signals.state import State
from chargeport.store.records import Change, Vehicle, VehicleStates

RETRY: Final = b"retry: 3000\n"  # milliseconds after which a browser that was cut off comes back
HEARTBEAT: Final = b": heartbeat\n"

_EVERYTHING: Final = frozenset(Permission)
_NO_PLACES: Final = _EVERYTHING - {Permission.READ_CHARGE_LOCATIONS}


def signal_event(change: Change, base: str, *, places: bool) -> bytes:
    """A change as an event, for a reader who may see its signal; places in it are for those who may see `places`."""
    # Documents can be large, and the same one is seldom wanted twice: only what is small is remembered.
    write = _event if change.signal.kind is Kind.DOCUMENT else _remembered_event
    return write(change, base, places)


def data(change: Change, base: str, *, places: bool) -> str:
    """A change as JSON on one line: the vehicle's id, and the signal as the envelope has it, as it was reported."""
    found = VehicleStates(Vehicle(id=change.vehicle_id), {})
    # Told as of its own instant: whether the value has become stale since is for those who read, not for those who follow.
    view = View(found, _EVERYTHING if places else _NO_PLACES, change.observed_at, base)
    return f'{{"vehicle":"{change.vehicle_id}","signal":{view.element(_state(change))}}}'


def place(position: int) -> bytes:
    """Tells the client how far the feed has come, without an event."""
    return b"id: %d\n\n" % position


def end(problem: Problem) -> bytes:
    """The last event of a stream, with the reason."""
    why = {"reason": problem.kind.code or problem.kind.type, "detail": problem.detail}
    return b"event: end\ndata: " + encode(why) + b"\n\n"


def _event(change: Change, base: str, places: bool) -> bytes:
    return f"id: {change.position}\nevent: signal\ndata: {data(change, base, places=places)}\n\n".encode()


_remembered_event: Final = lru_cache(1024)(_event)


def _state(change: Change) -> State:
    """What was known of the signal at the moment of the change, and nothing else."""
    if change.absence is None:
        return State(
            change.signal, change.value, change.observed_at, change.observed_at, change.received_at, change.source,
            change.position,
        )  # fmt: skip
    return State(
        change.signal,
        absence=change.absence,
        absence_at=change.observed_at,
        absence_received_at=change.received_at,
        absence_source=change.source,
    )
