"""Where a car was, from its history: what sessions take their places from, and which sessions a change of it concerns."""

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
from chargeport.store.records import KeptSession, VehicleSeries
from chargeport.store.retention_policy import DAY_MS

LOCATION: Final = BY_CODE["location-preciselocation"]
LOOKED_BACK_MS: Final = 30 * DAY_MS  # for sessions that a confirmation places

_SILENT: Final = (AbsenceReason.UNREACHABLE, AbsenceReason.SOURCE_FAILED)
"""With these nothing is said of the position: a car that sleeps stands where it stood."""


async def fixes(history: History, found: VehicleSeries, window: Window) -> list[Fix]:
    """Return where the car was during the sessions that started in a window, and before, by time."""
    from_at, to_at, every = window.from_at - NEAR_MS, window.to_at + DAY_MS, list[Fix]()
    for source in histories.sources(found, LOCATION):
        pieces = await histories.pieces(history, found, LOCATION, from_at, to_at, source=source)
        told = [piece for piece in pieces if piece.observed_at >= from_at and piece.absence not in _SILENT]
        ends = (await _told_before(history, found, source, from_at), await _told_after(history, found, source, to_at))
        words = [piece for piece in (ends[0], *told, ends[1]) if piece is not None]
        every += [_fix(*each) for each in zip_longest(words, words[1:]) if each[0].value is not None]
    return sorted(every, key=lambda fix: (fix.at, fix.source))


async def concerned(store: Store, found: VehicleSeries, first_at: int, last_at: int) -> list[Window]:
    """Return where the sessions began that lie outside of these times, and take their place from a position told within them.

    A position that is told again held all the time since it was told first. One that comes late holds until the next one.
    """
    begun, newest_at = set[int](), _newest_at(found)
    for source in histories.sources(found, LOCATION):
        told = await _told_before(store.history, found, source, last_at + 1)
        if told is None or told.last_seen_at < first_at:
            continue
        before = await _told_before(store.history, found, source, first_at)
        if before is not None and before.value == told.value:
            since_at = max(before.observed_at, first_at - LOOKED_BACK_MS)
            earlier = await store.sessions.sessions(found.vehicle.id, since_at, first_at)
            begun |= {each.started_at for each in earlier if not _is_placed(each, told)}
        if newest_at > last_at:
            after = await _told_after(store.history, found, source, last_at + 1)
            until_at = EVER_AT if after is None else after.observed_at
            begun |= {each.started_at for each in await store.sessions.sessions(found.vehicle.id, last_at + 1, until_at)}
    return [Window(at, at) for at in sorted(begun)]


def _newest_at(found: VehicleSeries) -> int:
    """Return when something was observed last that sessions are made from."""
    return max((each.observed_at or 0 for signal in SIGNALS for each in found.series.get(signal.key, ())), default=0)


async def _told_before(history: History, found: VehicleSeries, source: str, at: int) -> Piece | None:
    """Return the last position, or word that there is none, of before an instant."""
    while True:
        pieces = await histories.pieces(history, found, LOCATION, at, at, source=source)
        if not pieces or pieces[0].absence not in _SILENT:
            return pieces[0] if pieces else None
        at = pieces[0].observed_at


async def _told_after(history: History, found: VehicleSeries, source: str, at: int) -> Piece | None:
    """Return the first position, or word that there is none, of an instant or later."""
    while True:
        after = await histories.next_piece(history, found, LOCATION, at, source=source)
        if after is None or after.absence not in _SILENT:
            return after
        at = after.observed_at + 1


def _where(piece: Piece) -> PreciseLocation:
    return msgspec.json.decode(str(piece.value), type=PreciseLocation)


def _fix(piece: Piece, after: Piece | None) -> Fix:
    """Return a position with until when it was seen: what is stored in two pieces, for it came in another order, is one."""
    where, until = _where(piece), piece.last_seen_at
    withdrawn_at = None if after is None or after.value is not None else after.observed_at
    if after is not None and after.value == piece.value:
        until = after.last_seen_at
    return Fix(piece.observed_at, where.latitude, where.longitude, until, piece.source, withdrawn_at)


def _is_placed(kept: KeptSession, told: Piece) -> bool:
    place = msgspec.json.decode(kept.body, type=Session).place
    if told.value is None or place is None:
        return told.value is None
    where = _where(told)
    return (place.latitude, place.longitude) == (where.latitude, where.longitude)
