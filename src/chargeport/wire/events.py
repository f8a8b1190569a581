"""Server-sent events: how a change, a heartbeat and the end of a stream are written.

A client resumes from the last position (`id:`) that it received. A block with an id and no data sets that position and is no
event for the client (HTML, 9.2.6), so that a stream of rare changes does not read much of the feed again when it resumes.
"""

from typing import Final

from chargeport.errors import Problem
from chargeport.signals.definition import Permission
from chargeport.signals.effective import Effective
from chargeport.wire.encoding import encode
from chargeport.wire.envelope import Vehicle, View
from chargeport.wire.provenance import Provenance

RETRY: Final = b"retry: 3000\n"  # milliseconds until a browser reconnects
HEARTBEAT: Final = b": heartbeat\n"

SIGNAL, ENDED, VEHICLES = "signal", "ended", "vehicles"
"""The kinds of events: a signal changed; a value expired; the list of vehicles changed."""

_EVERYTHING: Final = frozenset(Permission)
_NO_PLACES: Final = _EVERYTHING - {Permission.READ_CHARGE_LOCATIONS}


def data(vehicle: Vehicle, found: Effective, base: str, provenance: Provenance, *, places: bool) -> str:
    """Return the vehicle's id and the signal, as in the envelope, as JSON on one line; with `places`, places are included."""
    view = View(vehicle, _EVERYTHING if places else _NO_PLACES, base, provenance)
    return f'{{"vehicle":"{vehicle.id}","signal":{view.element(found)}}}'


def block(kind: str, data_line: str) -> bytes:
    """Return an event, to be sent after its position. An expiry has none, as it is no change of the feed."""
    return f"event: {kind}\ndata: {data_line}\n\n".encode()


def reached(position: str) -> bytes:
    """Return a position without an event: how far the feed was read."""
    return identified(position) + b"\n"


def identified(position: str) -> bytes:
    """Return the line with a sealed position."""
    return b"id: %b\n" % position.encode()


def end(problem: Problem) -> bytes:
    """Return the last event of a stream, with the reason."""
    reason = {"reason": problem.kind.code or problem.kind.type, "detail": problem.detail}
    return b"event: end\ndata: " + encode(reason) + b"\n\n"
