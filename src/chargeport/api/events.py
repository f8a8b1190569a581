"""Server-sent events: the format of a change, an expiry, a heartbeat and the end of a stream.

A client resumes from the last position (`id:`) that it received. A block with an id and no data sets that position without
an event for the client (HTML, 9.2.6), so that a stream of rare changes need not read much of the feed again when it resumes.
"""

from functools import lru_cache
from typing import Final

from chargeport.api.cursors import Positions
from chargeport.derivation.provenance import PROVENANCE
from chargeport.errors import Problem
from chargeport.signals.definition import Permission
from chargeport.signals.effective import Effective, Unavailability
from chargeport.signals.freshness import Freshness
from chargeport.signals.state import State
from chargeport.staleness.expiry import Expiry
from chargeport.store.records import Change, Vehicle
from chargeport.wire.encoding import encode
from chargeport.wire.envelope import View

RETRY: Final = b"retry: 3000\n"  # milliseconds until a browser reconnects
HEARTBEAT: Final = b": heartbeat\n"

SIGNAL, ENDED, VEHICLES = "signal", "ended", "vehicles"
"""The kinds of events: a signal changed; a value expired; the list of vehicles changed."""

_SMALL_TEXT: Final = 2048  # characters of a value: many events of small values are cached, and few of large ones
_SMALL_EVENTS, _LARGE_EVENTS = 1024, 4

_EVERYTHING: Final = frozenset(Permission)
_NO_PLACES: Final = _EVERYTHING - {Permission.READ_CHARGE_LOCATIONS}


class IdentifiedEvents:
    """The newest small events with their ids, each created once for all streams that send the same.

    To hash the change, seal its position and join both was a quarter of the CPU of a server with 300 streams of all vehicles
    (`benchmarks.stream`, load `fleet`).
    """

    def __init__(self) -> None:
        self._known: dict[tuple[int, str, str, bool], tuple[Change, bytes]] = {}
        self._freshness: Freshness | None = None

    def event(  # noqa: PLR0917  (called for each event of each stream)
        self, change: Change, client_id: str, base: str, places: bool, freshness: Freshness, positions: Positions
    ) -> bytes:
        """Return a change as an event with its id, for the streams of an application.

        `base` is the address in its links; with `places`, its places are included.
        """
        if freshness is not self._freshness:
            self._known.clear()
            self._freshness = freshness
        key = (change.position, client_id, base, places)
        found = self._known.get(key)
        if found is not None and found[0] is change:
            return found[1]
        sealed = positions.seal(change.position, client_id, always_alike=True)
        event = identified(sealed) + signal_event(change, base, freshness, places=places)
        if len(event) <= _SMALL_TEXT:
            if len(self._known) >= _SMALL_EVENTS:
                self._known.clear()
            self._known[key] = change, event
        return event


def signal_event(change: Change, base: str, freshness: Freshness, *, places: bool) -> bytes:
    """Return a change as an event without its id, for a reader of its signal; with `places`, its places are included."""
    is_large = isinstance(change.value, str) and len(change.value) > _SMALL_TEXT
    write = _large_event if is_large else _small_event
    return write(change, base, places, freshness.of(change.source, change.signal))


def data(change: Change, base: str, live_for_ms: int, *, places: bool) -> str:
    """Return a change as JSON on one line, as it was reported. A live value is valid for `live_for_ms`."""
    # As of its own instant: the later expiry of a value is a separate event.
    return _as_json(change.vehicle_id, _of_change(change, live_for_ms), base, places=places)


def ending_event(ending: Expiry, base: str, *, places: bool) -> bytes:
    """Return the expiry of a live value, or its renewed validity, as an event."""
    return block(SIGNAL if ending.has_returned else ENDED, ending_data(ending, base, places=places))


def ending_data(ending: Expiry, base: str, *, places: bool) -> str:
    """Return the same as JSON on one line: the vehicle's id, and the signal as a resource at that instant."""
    return _as_json(ending.vehicle_id, ending.effective, base, places=places)


def _as_json(vehicle_id: str, found: Effective, base: str, *, places: bool) -> str:
    view = View(Vehicle(id=vehicle_id), _EVERYTHING if places else _NO_PLACES, base, PROVENANCE)
    return f'{{"vehicle":"{vehicle_id}","signal":{view.element(found)}}}'


def _event(change: Change, base: str, places: bool, live_for_ms: int) -> bytes:
    return block(SIGNAL, data(change, base, live_for_ms, places=places))


_small_event: Final = lru_cache(_SMALL_EVENTS)(_event)
_large_event: Final = lru_cache(_LARGE_EVENTS)(_event)


def _of_change(change: Change, live_for_ms: int) -> Effective:
    """Return the state of the signal at the instant of the change, without other series."""
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


def block(kind: str, data_line: str) -> bytes:
    """Return an event, to be sent after its position. An expiry has none, as it is not a change of the feed."""
    return f"event: {kind}\ndata: {data_line}\n\n".encode()


def reached(position: str) -> bytes:
    """Return a position without an event: up to where the feed was read."""
    return identified(position) + b"\n"


def identified(position: str) -> bytes:
    """Return the line with a sealed position."""
    return b"id: %b\n" % position.encode()


def end(problem: Problem) -> bytes:
    """Return the last event of a stream, with the reason."""
    reason = {"reason": problem.kind.code or problem.kind.type, "detail": problem.detail}
    return b"event: end\ndata: " + encode(reason) + b"\n\n"
