"""Positions of a car in history, which give sessions their places, and the sessions that a change of them affects."""

from itertools import zip_longest
from typing import Final

import msgspec

from chargeport.derivation import histories
from chargeport.derivation.queue import EVER_AT
from chargeport.derive.records.geofences import NEAR_MS, Fix
from chargeport.derive.sessions.detection import SIGNALS
from chargeport.derive.sessions.session import Session
from chargeport.derive.sessions.window import Window
from chargeport.derive.tracks import Piece
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.position import PreciseLocation
from chargeport.signals.reading import AbsenceReason
from chargeport.store.protocols import History, Store
from chargeport.store.records import StoredSession, VehicleSeries
from chargeport.store.retention_policy import DAY_MS

LOCATION: Final = BY_CODE["location-preciselocation"]
LOOKED_BACK_MS: Final = 30 * DAY_MS  # for sessions whose place a confirmation changes

_SILENT: Final = (AbsenceReason.UNREACHABLE, AbsenceReason.SOURCE_FAILED)
"""Absences that do not end a position: a car that sleeps has not moved."""


async def fixes(history: History, found: VehicleSeries, window: Window) -> list[Fix]:
    """Return the positions during the sessions that started in a window, and shortly before, by time."""
    from_at, to_at, all_fixes = window.from_at - NEAR_MS, window.to_at + DAY_MS, list[Fix]()
    for source in histories.sources(found, LOCATION):
        pieces = await histories.pieces(history, found, LOCATION, from_at, to_at, source=source)
        within = [piece for piece in pieces if piece.observed_at >= from_at and piece.absence not in _SILENT]
        ends = (await _piece_before(history, found, source, from_at), await _piece_after(history, found, source, to_at))
        ordered = [piece for piece in (ends[0], *within, ends[1]) if piece is not None]
        all_fixes += [_fix(piece, after) for piece, after in zip_longest(ordered, ordered[1:]) if piece.value is not None]
    return sorted(all_fixes, key=lambda fix: (fix.at, fix.source))


async def affected(store: Store, found: VehicleSeries, first_at: int, last_at: int) -> list[Window]:
    """Return the begins, as windows, of sessions outside of these times that take their place from a position within them.

    A confirmed position held since it was first reported. One that arrives late holds until the next one.
    """
    begun, newest_at = set[int](), _newest_at(found)
    for source in histories.sources(found, LOCATION):
        newest = await _piece_before(store.history, found, source, last_at + 1)
        if newest is None or newest.last_seen_at < first_at:
            continue
        before = await _piece_before(store.history, found, source, first_at)
        if before is not None and before.value == newest.value:
            since_at = max(before.observed_at, first_at - LOOKED_BACK_MS)
            earlier = await store.sessions.sessions(found.vehicle.id, since_at, first_at)
            begun |= {session.started_at for session in earlier if not _has_place(session, newest)}
        if newest_at > last_at:
            after = await _piece_after(store.history, found, source, last_at + 1)
            until_at = EVER_AT if after is None else after.observed_at
            later = await store.sessions.sessions(found.vehicle.id, last_at + 1, until_at)
            begun |= {session.started_at for session in later}
    return [Window(at, at) for at in sorted(begun)]


def _newest_at(found: VehicleSeries) -> int:
    """Return the newest instant of the signals that sessions are computed from."""
    return max((state.observed_at or 0 for signal in SIGNALS for state in found.series.get(signal.key, ())), default=0)


async def _piece_before(history: History, found: VehicleSeries, source: str, at: int) -> Piece | None:
    """Return the last position or absence before an instant."""
    while True:
        pieces = await histories.pieces(history, found, LOCATION, at, at, source=source)
        if not pieces or pieces[0].absence not in _SILENT:
            return pieces[0] if pieces else None
        at = pieces[0].observed_at


async def _piece_after(history: History, found: VehicleSeries, source: str, at: int) -> Piece | None:
    """Return the first position or absence at an instant or later."""
    while True:
        after = await histories.next_piece(history, found, LOCATION, at, source=source)
        if after is None or after.absence not in _SILENT:
            return after
        at = after.observed_at + 1


def _where(piece: Piece) -> PreciseLocation:
    return msgspec.json.decode(str(piece.value), type=PreciseLocation)


def _fix(piece: Piece, after: Piece | None) -> Fix:
    """Return a position with its last sighting, also where it is stored as two pieces because of the order of arrival."""
    where, until = _where(piece), piece.last_seen_at
    withdrawn_at = None if after is None or after.value is not None else after.observed_at
    if after is not None and after.value == piece.value:
        until = after.last_seen_at
    return Fix(piece.observed_at, where.latitude, where.longitude, until, piece.source, withdrawn_at)


def _has_place(kept: StoredSession, piece: Piece) -> bool:
    """Return whether a session has the place of a piece."""
    place = msgspec.json.decode(kept.body, type=Session).place
    if piece.value is None or place is None:
        return piece.value is None
    where = _where(piece)
    return (place.latitude, place.longitude) == (where.latitude, where.longitude)
