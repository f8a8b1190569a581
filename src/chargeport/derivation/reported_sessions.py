"""Sessions that sources report in lists of records: read from history, and stored."""

from collections.abc import Container, Sequence

import msgspec

from chargeport.derivation import histories
from chargeport.derive.records.reported import RECORDS, Listed, Reported, identified, lists
from chargeport.derive.sessions.session import Evidence, Session
from chargeport.signals.effective import DERIVED
from chargeport.store.protocols import Store
from chargeport.store.records import ReportedSession, VehicleSeries


async def take(store: Store, vehicle: VehicleSeries, from_at: int, to_at: int) -> bool:
    """Store the sessions of lists that were observed between two instants; return whether any is new or changed."""
    if all((state.observed_at or 0) < from_at for state in vehicle.series.get(RECORDS.key, ()) if state.source != DERIVED):
        return False  # no list is so new: history need not be read
    listed = lists(await histories.track(store.history, vehicle, RECORDS, from_at, to_at, every=False))
    return await keep(store, vehicle.vehicle.id, listed)


async def keep(store: Store, vehicle_id: str, listed: Sequence[Listed]) -> bool:
    """Store the sessions of lists; return whether any is new or changed."""
    if not listed:
        return False
    known = [_reported(stored) for stored in await store.sessions.reported_sessions(vehicle_id, 0)]
    changed = identified(known, listed)
    if changed:
        await store.sessions.keep_reported(vehicle_id, [_stored(session) for session in changed])
    before = {(session.source, session.name): _content(session) for session in known}
    return any(before.get((session.source, session.name)) != _content(session) for session in changed)


async def since(store: Store, vehicle_id: str, from_at: int, without: Container[tuple[str, int]] = ()) -> list[Session]:
    """Return the reported sessions that started at `from_at` or later, except those `without` lists (source, report)."""
    stored = await store.sessions.reported_sessions(vehicle_id, from_at)
    return [_reported(session).session for session in stored if (session.source, session.reported_at) not in without]


def _content(reported: Reported) -> Session:
    return msgspec.structs.replace(reported.session, evidence=Evidence())


def _stored(reported: Reported) -> ReportedSession:
    body = msgspec.json.encode(reported.session).decode()
    return ReportedSession(reported.source, reported.name, reported.at, reported.session.started_at, body)


def _reported(stored: ReportedSession) -> Reported:
    return Reported(stored.source, stored.name, stored.reported_at, msgspec.json.decode(stored.body, type=Session))
