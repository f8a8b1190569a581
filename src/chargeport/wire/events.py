"""Server-sent events: how a change, a heartbeat and the end of a stream are written.

A client that was sent a position (`id:`) may resume from it. A block with an id and no data moves that position on and is no
event for the client (HTML, 9.2.6): so a stream of rare changes does not read half the feed again when it resumes.
"""

from typing import Final

from chargeport.errors import Problem
from chargeport.signals.definition import Permission
from chargeport.signals.effective import Effective
from chargeport.wire.encoding import encode
from chargeport.wire.envelope import Vehicle, View
from chargeport.wire.provenance import Provenance

RETRY: Final = b"retry: 3000\n"  # milliseconds after which a browser that was cut off comes back
HEARTBEAT: Final = b": heartbeat\n"

SIGNAL, ENDED, VEHICLES = "signal", "ended", "vehicles"
"""The kinds of events: something changed; a value's time has run out; the list of vehicles is another one."""

_EVERYTHING: Final = frozenset(Permission)
_NO_PLACES: Final = _EVERYTHING - {Permission.READ_CHARGE_LOCATIONS}


def data(vehicle: Vehicle, found: Effective, base: str, provenance: Provenance, *, places: bool) -> str:
    """Return the vehicle's id and the signal, as in the envelope, as JSON on one line; `places`: with the places in it."""
    view = View(vehicle, _EVERYTHING if places else _NO_PLACES, base, provenance)
    return f'{{"vehicle":"{vehicle.id}","signal":{view.element(found)}}}'


def block(kind: str, data_line: str) -> bytes:
    """Return an event, to be sent behind its position. What time alone brought about has none, for it is no change."""
    return f"event: {kind}\ndata: {data_line}\n\n".encode()


def reached(position: str) -> bytes:
    """Return what tells the client how far the feed has come, without an event."""
    return identified(position) + b"\n"


def identified(position: str) -> bytes:
    """Return the line with the position, sealed; it stands in front of an event or alone."""
    return b"id: %b\n" % position.encode()


def end(problem: Problem) -> bytes:
    """Return the last event of a stream, with the reason."""
    why = {"reason": problem.kind.code or problem.kind.type, "detail": problem.detail}
    return b"event: end\ndata: " + encode(why) + b"\n\n"
