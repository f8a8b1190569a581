"""The sessions that sources told of by themselves: taken from their lists, kept, and made one with those that we worked out."""

from collections.abc import Iterator, Sequence

import msgspec

from chargeport.derivation import histories
from chargeport.derive.records.joined import RECORDS, joined, reported
from chargeport.derive.sessions.session import Evidence, Session
from chargeport.store.protocols import Store
from chargeport.store.records import ReportedSession


async def take(store: Store, vehicle_id: str, from_at: int, to_at: int) -> bool:
    """Keep what the lists that were observed between two instants tell; whether any of it is news."""
    track = await histories.track(store.history, vehicle_id, RECORDS, from_at, to_at, every=False)
    lists = reported(track)
    if not lists:
        return False
    known = {(each.source, each.name): each for each in await store.sessions.reported_sessions(vehicle_id, 0)}
    told = [_told(each) for each in lists]
    later = [each for each in told if _is_later(each, known.get((each.source, each.name)))]
    if later:
        await store.sessions.keep_reported(vehicle_id, later)
    return any(_says_other(each, known.get((each.source, each.name))) for each in later)


async def since(store: Store, vehicle_id: str, from_at: int) -> list[Session]:
    """What was told of sessions that started from then on."""
    return [_session(each) for each in await store.sessions.reported_sessions(vehicle_id, from_at)]


def as_one(own: Sequence[Session], told: Sequence[Session]) -> list[Session]:
    """All sessions, by time, each once. Only those that lie together in time are compared: the lists may be long."""
    if not told:
        return sorted(own, key=lambda each: (each.started_at, each.ended_at))
    theirs = {id(each) for each in told}
    found: list[Session] = []
    for group in _together(sorted([*own, *told], key=lambda each: (each.started_at, each.ended_at))):
        found += joined([each for each in group if id(each) not in theirs], [each for each in group if id(each) in theirs])
    return found


def _together(ordered: Sequence[Session]) -> Iterator[list[Session]]:
    """Sessions that overlap with one before them, in groups."""
    group: list[Session] = []
    ends_at = 0
    for each in ordered:
        if group and each.started_at > ends_at:
            yield group
            group = []
        ends_at = max(ends_at, each.ended_at) if group else each.ended_at
        group.append(each)
    if group:
        yield group


def _told(session: Session) -> ReportedSession:
    told_at = max(fact.last_at for fact in session.evidence.facts)
    name = session.reported_id or str(session.started_at)
    body = msgspec.json.encode(session).decode()
    return ReportedSession(session.sources[0], name, told_at, session.started_at, body)


def _session(told: ReportedSession) -> Session:
    return msgspec.json.decode(told.body, type=Session)


def _is_later(one: ReportedSession, known: ReportedSession | None) -> bool:
    return known is None or one.told_at > known.told_at or (one.told_at == known.told_at and one.body != known.body)


def _says_other(one: ReportedSession, known: ReportedSession | None) -> bool:
    """Whether it says something else, and not the same once more."""
    if known is None:
        return True
    one_session, other = (msgspec.structs.replace(_session(each), evidence=Evidence()) for each in (one, known))
    return one_session != other
