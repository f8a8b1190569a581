"""Sessions that sources report as lists of records: recognise them when they are reported again, and end open ones.

In: the lists of a source (charge-chargerecords) and the sessions that are known from earlier lists. Out: the new and the
changed sessions. The steps:

1. Each record becomes a session; those of one list that are the same session become one (`listed`).
2. A session is recognised by its id, its time or its energy, and keeps its name (`identified`).
3. An open session ends when a later one begins, or when it is no longer reported (`closed`).
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec

from chargeport.derive.series import HOUR_MS, MINUTE_MS
from chargeport.derive.sessions.session import Evidence, Fact, Session
from chargeport.derive.tracks import Track
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.documents import instant
from chargeport.signals.records import ChargeRecord, ChargeRecords

RECORDS: Final = BY_CODE["charge-chargerecords"]

SAME_SESSION_SHARE: Final = 0.5
"""Two reports that share more than this of the shorter one's time are of the same session."""
ROUNDED_SHARE: Final = 0.05
"""Two sessions that follow each other may overlap by up to this because their times are rounded."""
SAME_ENERGY_SHARE: Final = 0.05
SAME_DURATION_MS: Final = 5 * MINUTE_MS
"""Two reports under one id are of the same session if their energies differ by at most this share; where one is unknown, if
their durations differ by at most this."""
MAX_ZONE_MS: Final = 14 * HOUR_MS
"""The correction of a list in local time moves its sessions by at most this."""
UNIQUE_ID_LENGTH: Final = 16
"""An id of at least this many characters is never used for another session."""
OPEN_FOR_MS: Final = 36 * HOUR_MS
"""An open session that was not reported for longer than this has ended."""

_NO_ID = re.compile(
    r"[\W_0]*|-1|-9+|\W*n\W?a\W*|none|null|nil|nan|unknown( \w+)?|undefined|not available|tbd|string|id|x+|0x0+|true|false",
    re.IGNORECASE,
)


class Reported(NamedTuple):
    """A session as a source reported it last, at `at`; its `name` is unique among the sessions of the source."""

    source: str
    name: str
    at: int
    session: Session


class Listed(NamedTuple):
    """The sessions of one list of a source, which was observed at `at`."""

    source: str
    at: int
    sessions: list[Session]


def lists(track: Track | None) -> list[Listed]:
    """Return the lists that sources reported, by time."""
    found = []
    for sample in [] if track is None else track.samples():
        records = msgspec.json.decode(str(sample.value), type=ChargeRecords).values
        found.append(listed(sample.source, sample.at, records))
    return found


def listed(source: str, at: int, records: Iterable[ChargeRecord]) -> Listed:
    """Return the sessions of a list, each once. An id that several of them have is ignored."""
    sessions = [session for session in (from_record(record, source, at) for record in records) if session is not None]
    kept = distinct(sessions)
    ids = [each.reported_id for each in kept]
    kept = [msgspec.structs.replace(each, reported_id=None) if ids.count(each.reported_id) > 1 else each for each in kept]
    return Listed(source, at, kept)


def distinct(sessions: Sequence[Session]) -> list[Session]:
    """Return the sessions of one source, by time, without those that are the same as a longer one."""
    kept: list[Session] = []
    for session in sorted(_ended_by_the_next(sessions), key=_longest_first):
        if not any(overlap(session, longer) > SAME_SESSION_SHARE for longer in kept):
            kept.append(session)
    return sorted(kept, key=lambda session: (session.started_at, session.ended_at))


def _ended_by_the_next(sessions: Sequence[Session]) -> list[Session]:
    """Return the sessions of one list; an open one ends at the latest when the next one begins."""
    starts = sorted(session.started_at for session in sessions)
    found = []
    for session in sessions:
        later = bisect_left(starts, session.started_at + SAME_DURATION_MS)
        if session.is_open and later < len(starts) and starts[later] < session.ended_at:
            session = msgspec.structs.replace(session, ended_at=starts[later])  # noqa: PLW2901
        found.append(session)
    return found


def _longest_first(session: Session) -> tuple[int, float, str]:
    return session.started_at - session.ended_at, -(session.energy_added_kwh or 0.0), session.reported_id or ""


def identified(known: Sequence[Reported], found: Sequence[Listed]) -> list[Reported]:
    """Return the sessions of lists that are new or changed, under the names of the known sessions.

    A known session that a list leaves out is retained.
    """
    newest = {(each.source, each.name): each for each in known}
    changed: dict[tuple[str, str], Reported] = {}
    for source_list in sorted(found, key=lambda each: (each.at, each.source)):
        source, at = source_list.source, source_list.at
        own = [each for each in newest.values() if each.source == source]
        for session, before in _paired(source_list, own):
            name = _name(session, own) if before is None else before.name
            reported = Reported(source, name, at, session if before is None else _updated(session, before.session))
            if before is not None and (at < before.at or reported == before):
                continue
            newest[source, name] = changed[source, name] = reported
            own = [*(other for other in own if other.name != name), reported]
    return list(changed.values())


def _paired(source_list: Listed, own: Sequence[Reported]) -> list[tuple[Session, Reported | None]]:
    """Return each session of a list with the same known session; None if it is new."""
    left = list(own)
    pairs: list[tuple[Session, Reported | None]] = []
    for session in source_list.sessions:
        same = [each for each in left if _is_same(session, each.session)]
        best = max(same, key=lambda each: (_has_id(session, each.session), overlap(session, each.session)), default=None)
        left = [each for each in left if each is not best]
        pairs.append((session, best))
    return [(session, before or _moved(session, source_list, left)) for session, before in pairs]


def _has_id(one: Session, other: Session) -> bool:
    return one.reported_id is not None and one.reported_id == other.reported_id


def _is_same(one: Session, other: Session) -> bool:
    """Return whether two reports of one source are of the same session: by time, or by id if nothing contradicts it."""
    if overlap(one, other) > SAME_SESSION_SHARE:
        return True
    if not _has_id(one, other):
        return False
    if len(one.reported_id or "") >= UNIQUE_ID_LENGTH or one.is_open or other.is_open or overlap(one, other):
        return True
    if abs(one.started_at - other.started_at) > MAX_ZONE_MS:
        return False  # such an id may be a line number, or the same for every last session
    return _has_same_energy(one, other) or (not _has_two_energies(one, other) and _has_same_duration(one, other))


def _has_two_energies(one: Session, other: Session) -> bool:
    return bool(one.energy_added_kwh and other.energy_added_kwh)


def _has_same_energy(one: Session, other: Session) -> bool:
    kwh, other_kwh = one.energy_added_kwh or 0.0, other.energy_added_kwh or 0.0
    return _has_two_energies(one, other) and abs(kwh - other_kwh) <= SAME_ENERGY_SHARE * kwh


def _has_same_duration(one: Session, other: Session) -> bool:
    durations_ms = [each.ended_at - each.started_at for each in (one, other)]
    return abs(durations_ms[0] - durations_ms[1]) <= SAME_DURATION_MS


def _moved(session: Session, source_list: Listed, left: Sequence[Reported]) -> Reported | None:
    """Return the known session that a list now shows at another time; it is within the time of the list, but not in it."""
    first_at, last_at = source_list.sessions[0].started_at, source_list.sessions[-1].started_at
    found = [
        each
        for each in left
        if session.energy_added_kwh is not None
        and session.energy_added_kwh == each.session.energy_added_kwh
        and session.ended_at - session.started_at == each.session.ended_at - each.session.started_at
        and 0 < abs(session.started_at - each.session.started_at) <= MAX_ZONE_MS
        and first_at - MAX_ZONE_MS <= each.session.started_at <= last_at + MAX_ZONE_MS
        and session.reported_id == each.session.reported_id
    ]
    return found[0] if len(found) == 1 else None


def _name(session: Session, own: Sequence[Reported]) -> str:
    """Return a name that no other session of the source has: its id, else its start."""
    taken = {each.name for each in own}
    name = session.reported_id or str(session.started_at)
    if name in taken:
        name = f"{name} {session.started_at}"
    return name


def _updated(session: Session, before: Session) -> Session:
    """Return a session that is reported again. The end of an open one moves only if its energy has changed."""
    if session.is_open and before.is_open and session.energy_added_kwh == before.energy_added_kwh:
        session = msgspec.structs.replace(session, ended_at=max(session.started_at, min(session.ended_at, before.ended_at)))
    same = msgspec.structs.replace(session, evidence=before.evidence) == before
    return before if same else session


def closed(reported: Sequence[Session], detected: Sequence[Session], now: int) -> list[Session]:
    """Return reported sessions; an open one has ended if a later session began, or it was not reported for long.

    Its end is then estimated: when its last change was reported.
    """
    starts = sorted(session.started_at for session in [*reported, *detected])
    found = []
    for session in reported:
        later = next((at for at in starts if at > session.started_at), None)
        is_over = now - session.ended_at > OPEN_FOR_MS or (later is not None and later >= session.ended_at)
        if session.is_open and is_over:
            session = msgspec.structs.replace(session, is_open=False, estimated=True)  # noqa: PLW2901
        found.append(session)
    return found


def from_record(record: ChargeRecord, source: str, at: int) -> Session | None:
    """Return a record as a session; None without a start. Without an end it is open, and has lasted until `at`."""
    if record.startTime is None:
        return None
    started_at = _milliseconds(record.startTime)
    ended_at = max(started_at, at) if record.endTime is None else _milliseconds(record.endTime)
    return Session(
        started_at=started_at,
        ended_at=ended_at,
        is_open=record.endTime is None,
        start_soc=record.startStateOfCharge,
        end_soc=record.endStateOfCharge,
        energy_added_kwh=record.energyAdded,
        energy_method=None if record.energyAdded is None else "reported",
        charging_type=record.chargingType,
        place=record.location,
        is_public=record.isPublicCharger,
        cost=record.cost,
        odometer_km=record.odometer,
        meter_start_kwh=record.meterStart,
        meter_end_kwh=record.meterEnd,
        sources=(source,),
        reported_id=None if record.id is None or _NO_ID.fullmatch(record.id.strip()) else record.id,
        evidence=Evidence((Fact("reported", (RECORDS.code,), at, at, 1),)),
    )


def _milliseconds(text: str) -> int:
    return round(instant(text, "startTime").timestamp() * 1000)


def overlap(one: Session, other: Session) -> float:
    """Return the share of the shorter session's time that both have in common; 1 for an instant within the other."""
    start, end = max(one.started_at, other.started_at), min(one.ended_at, other.ended_at)
    if end < start:
        return 0.0
    shorter_ms = min(one.ended_at - one.started_at, other.ended_at - other.started_at)
    return 1.0 if not shorter_ms else (end - start) / shorter_ms


def is_same_session(one: Session, other: Session) -> bool:
    """Return whether two reports of any sources are of the same session.

    They overlap for the most part, because a car is in one session at a time. Two with different clocks or zones overlap less,
    but have the same energy and the same duration.
    """
    share = overlap(one, other)
    return share > SAME_SESSION_SHARE or (
        share > ROUNDED_SHARE and _has_same_energy(one, other) and _has_same_duration(one, other)
    )


def overlapping_groups(ordered: Sequence[Session]) -> list[list[Session]]:
    """Return sessions, which are ordered by time, in groups that do not overlap with each other."""
    groups: list[list[Session]] = []
    ended_at = 0
    for session in ordered:
        if session.started_at > ended_at or not groups:
            groups.append([])
        groups[-1].append(session)
        ended_at = max(ended_at, session.ended_at)
    return groups
