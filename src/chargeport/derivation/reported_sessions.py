"""The sessions that sources reported by themselves: taken from their lists, and kept."""

from collections.abc import Container, Sequence

import msgspec

from chargeport.derivation import histories
from chargeport.derive.records.reported import RECORDS, Listed, Reported, identified, lists
from chargeport.derive.sessions.session import Evidence, Session
from chargeport.store.protocols import Store
from chargeport.store.records import ReportedSession


async def take(store: Store, vehicle_id: str, from_at: int, to_at: int) -> bool:
    """Keep what the lists that were observed between two instants report; return whether any of it is news."""
    found = lists(await histories.track(store.history, vehicle_id, RECORDS, from_at, to_at, every=False))
    return await keep(store, vehicle_id, found)


async def keep(store: Store, vehicle_id: str, found: Sequence[Listed]) -> bool:
    """Keep what lists report; return whether any of it is news."""
    if not found:
        return False
    known = [_reported(each) for each in await store.sessions.reported_sessions(vehicle_id, 0)]
    changed = identified(known, found)
    if changed:
        await store.sessions.keep_reported(vehicle_id, [_kept(each) for each in changed])
    before = {(each.source, each.name): _content(each) for each in known}
    return any(before.get((each.source, each.name)) != _content(each) for each in changed)


async def since(store: Store, vehicle_id: str, from_at: int, without: Container[tuple[str, int]] = ()) -> list[Session]:
    """Return what was reported of sessions that started from then on, `without` that of a source at an instant."""
    kept = await store.sessions.reported_sessions(vehicle_id, from_at)
    return [_reported(each).session for each in kept if (each.source, each.reported_at) not in without]


def _content(each: Reported) -> Session:
    return msgspec.structs.replace(each.session, evidence=Evidence())


def _kept(each: Reported) -> ReportedSession:
    body = msgspec.json.encode(each.session).decode()
    return ReportedSession(each.source, each.name, each.at, each.session.started_at, body)


def _reported(each: ReportedSession) -> Reported:
    return Reported(each.source, each.name, each.reported_at, msgspec.json.decode(each.body, type=Session))
