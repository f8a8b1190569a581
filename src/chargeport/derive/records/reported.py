"""Sessions that sources report as records: which of them are the same session, and when one without an end was over."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final, NamedTuple

import msgspec

from chargeport.derive.series import HOUR_MS, MINUTE_MS
from chargeport.derive.sessions.session import Evidence, Fact, Session
from chargeport.derive.tracks import Track
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.documents import instant
from chargeport.signals.records import ChargeRecord, ChargeRecords

RECORDS: Final = BY_CODE["charge-chargerecords"]

JOINS_FROM: Final = 0.5
"""Two that share more of the shorter one's time are one session."""
ROUNDED_SHARE: Final = 0.05
"""Two that follow each other may have as much in common by rounded times."""
SAME_KWH: Final = 0.05
SAME_LENGTH_MS: Final = 5 * MINUTE_MS
"""Two reports under one id differ by no more, as a share or as a time, where one corrects the other."""
ZONES_MS: Final = 14 * HOUR_MS
"""A list in local time that is corrected moves by no more."""
UNIQUE_LENGTH: Final = 16
"""An id of so many characters is never given again to another session."""
OPEN_FOR_MS: Final = 36 * HOUR_MS
"""A session that was reported without an end is over once nobody has reported it for so long."""

_NO_ID = re.compile(r"[\W_0]*|-1|-9+|\?+|n/?a|none|null|nil|nan|unknown|undefined|not available|tbd|string|id", re.IGNORECASE)


class Reported(NamedTuple):
    """A session as a source reported it last, at `at`, under the name that tells it from the source's others."""

    source: str
    name: str
    at: int
    session: Session


class Listed(NamedTuple):
    """The sessions of one list of a source, as it was observed at `at`."""

    source: str
    at: int
    sessions: list[Session]


def lists(track: Track | None, ours: str | None = None) -> list[Listed]:
    """Return the lists that sources reported, by time. `ours` is the source that we publish under."""
    found = []
    for sample in [] if track is None else track.samples():
        if sample.source != ours:
            records = msgspec.json.decode(str(sample.value), type=ChargeRecords).values
            found.append(listed(sample.source, sample.at, records))
    return found


def listed(source: str, at: int, records: Iterable[ChargeRecord]) -> Listed:
    """Return the sessions of a list, each once. A text that stands for several of them is no id."""
    sessions = [session for session in (from_record(record, source, at) for record in records) if session is not None]
    kept = distinct(sessions)
    ids = [one.reported_id for one in kept]
    kept = [msgspec.structs.replace(one, reported_id=None) if ids.count(one.reported_id) > 1 else one for one in kept]
    return Listed(source, at, kept)


def distinct(sessions: Sequence[Session]) -> list[Session]:
    """Return the sessions of one source without those that are the same as a longer one."""
    kept: list[Session] = []
    for one in sorted(_until_the_next(sessions), key=_length_first):
        if not any(overlap(one, other) > JOINS_FROM for other in kept):
            kept.append(one)
    return sorted(kept, key=lambda one: (one.started_at, one.ended_at))


def _until_the_next(sessions: Sequence[Session]) -> list[Session]:
    """Return sessions of one list, those without an end no longer than until the next one began."""
    starts = sorted(one.started_at for one in sessions)
    found = []
    for one in sessions:
        later = bisect_left(starts, one.started_at + SAME_LENGTH_MS)
        if one.is_open and later < len(starts) and starts[later] < one.ended_at:
            one = msgspec.structs.replace(one, ended_at=starts[later])  # noqa: PLW2901
        found.append(one)
    return found


def _length_first(one: Session) -> tuple[int, float, str]:
    return one.started_at - one.ended_at, -(one.energy_added_kwh or 0.0), one.reported_id or ""


def identified(known: Sequence[Reported], found: Sequence[Listed]) -> list[Reported]:
    """Return what lists report that is new, or newer than what is known, under the names of the known sessions.

    A session is known again by its id, its times or its energy. A list that leaves a session out takes nothing back.
    """
    newest = {(each.source, each.name): each for each in known}
    changed: dict[tuple[str, str], Reported] = {}
    for one in sorted(found, key=lambda each: (each.at, each.source)):
        own = [each for each in newest.values() if each.source == one.source]
        for session, before in _paired(one, own):
            name = _name(session, own) if before is None else before.name
            each = Reported(one.source, name, one.at, session if before is None else _again(session, before.session))
            if before is not None and (one.at < before.at or each == before):
                continue
            newest[one.source, name] = changed[one.source, name] = each
            own = [*(other for other in own if other.name != name), each]
    return list(changed.values())


def _paired(one: Listed, own: Sequence[Reported]) -> list[tuple[Session, Reported | None]]:
    """Return each session of a list with the known one that it is."""
    left = list(own)
    pairs: list[tuple[Session, Reported | None]] = []
    for session in one.sessions:
        same = [each for each in left if _is_same(session, each.session)]
        best = max(same, key=lambda each: (_has_id(session, each.session), overlap(session, each.session)), default=None)
        left = [each for each in left if each is not best]
        pairs.append((session, best))
    return [(session, before or _moved(session, one, left)) for session, before in pairs]


def _has_id(one: Session, other: Session) -> bool:
    return one.reported_id is not None and one.reported_id == other.reported_id


def _is_same(one: Session, other: Session) -> bool:
    """Return whether two reports of one source are of the same session."""
    if overlap(one, other) > JOINS_FROM:
        return True
    if not _has_id(one, other):
        return False
    if len(one.reported_id or "") >= UNIQUE_LENGTH or one.is_open or other.is_open or overlap(one, other):
        return True
    if abs(one.started_at - other.started_at) > ZONES_MS:
        return False  # the number of a line, or of the last session
    return _has_energy_of(one, other) or _is_as_long(one, other)


def _has_energy_of(one: Session, other: Session) -> bool:
    if not one.energy_added_kwh or not other.energy_added_kwh:
        return False
    return abs(one.energy_added_kwh - other.energy_added_kwh) <= SAME_KWH * one.energy_added_kwh


def _is_as_long(one: Session, other: Session) -> bool:
    lengths = [each.ended_at - each.started_at for each in (one, other)]
    return abs(lengths[0] - lengths[1]) <= SAME_LENGTH_MS


def _moved(session: Session, one: Listed, left: Sequence[Reported]) -> Reported | None:
    """Return the known session that this list shows at another time: it would have to be in the list, and is not."""
    first_at, last_at = one.sessions[0].started_at, one.sessions[-1].started_at
    found = [
        each
        for each in left
        if session.energy_added_kwh is not None
        and session.energy_added_kwh == each.session.energy_added_kwh
        and session.ended_at - session.started_at == each.session.ended_at - each.session.started_at
        and 0 < abs(session.started_at - each.session.started_at) <= ZONES_MS
        and first_at - ZONES_MS <= each.session.started_at <= last_at + ZONES_MS
        and session.reported_id == each.session.reported_id
    ]
    return found[0] if len(found) == 1 else None


def _name(session: Session, own: Sequence[Reported]) -> str:
    """Return a name that no other session of the source has."""
    taken = {each.name for each in own}
    name = session.reported_id or str(session.started_at)
    if name in taken:
        name = f"{name} {session.started_at}"
    return name


def _again(session: Session, before: Session) -> Session:
    """Return a session that is reported again. Its end stays unknown since when nothing new was said of it."""
    if session.is_open and before.is_open and session.energy_added_kwh == before.energy_added_kwh:
        session = msgspec.structs.replace(session, ended_at=max(session.started_at, min(session.ended_at, before.ended_at)))
    same = msgspec.structs.replace(session, evidence=before.evidence) == before
    return before if same else session


def closed(found: Sequence[Session], others: Sequence[Session], now: int) -> list[Session]:
    """Return reported sessions without those that go on although a later one began, or nobody has reported them for long.

    Such a session ended when it was last reported to have changed, as far as is known.
    """
    starts = sorted(one.started_at for one in [*found, *others])
    over = []
    for one in found:
        later = next((at for at in starts if at > one.started_at), None)
        if one.is_open and (now - one.ended_at > OPEN_FOR_MS or (later is not None and later >= one.ended_at)):
            one = msgspec.structs.replace(one, is_open=False, estimated=True)  # noqa: PLW2901
        over.append(one)
    return over


def from_record(record: ChargeRecord, source: str, at: int) -> Session | None:
    """Return a record as a session; None where it does not say when it began. Without an end it went on until now."""
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
    """Return which share of the shorter one's time both have in common; an instant within the other is all of it."""
    start, end = max(one.started_at, other.started_at), min(one.ended_at, other.ended_at)
    if end < start:
        return 0.0
    shorter_ms = min(one.ended_at - one.started_at, other.ended_at - other.started_at)
    return 1.0 if not shorter_ms else (end - start) / shorter_ms


def is_one(one: Session, other: Session) -> bool:
    """Return whether two reports of any sources are of one session: in time, or by as long and as much at once with it.

    A car is in one session at a time. By a clock that is wrong, or in another zone, they have less in common.
    """
    share = overlap(one, other)
    return share > JOINS_FROM or (share > ROUNDED_SHARE and _has_energy_of(one, other) and _is_as_long(one, other))


def in_groups(ordered: Sequence[Session]) -> list[list[Session]]:
    """Return sessions, which are by time, in groups of those that overlap with one before them."""
    reached, number = 0, 0
    numbered = []
    for each in ordered:
        if each.started_at > reached:
            number += 1
        reached = max(reached, each.ended_at)
        numbered.append((number, each))
    return [[each for _, each in group] for _, group in groupby(numbered, key=lambda pair: pair[0])]
