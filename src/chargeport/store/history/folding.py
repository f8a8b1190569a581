"""Folding the runs of one group of a car's signals into hours, source by source, and deleting what nothing leans on any more.

    ── hours ──────────────────┤ raw_from                     (what is older is read from the hours)
      sentinel, head … holder ─┤◀ 30 min ▶├── runs, whole ──▶

Behind `raw_from` stay the runs of the half hour before it, which live values and pauses of charging reach over, and of what
held then: the run that held (*holder*), the first of its value (*head*), by which `changed_at` is known, and the run before
that (*sentinel*), at which whoever looks for the head stops. If it was an absence, the same of the value before it.

A reading that comes when its hour was folded already (it has a position greater than the fold's) is put into the hour and its
run deleted. An hour of which nothing was known is then as if nothing had been folded, in any order within one round. In other
hours it counts for the bounds and for what was known at the end, but has no weight and is no change, for when it was followed
by what is not known. So sending anything again changes no hour.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, groupby, islice
from typing import NamedTuple, Protocol

from chargeport.signals.catalogue import IS_CHARGING
from chargeport.signals.definition import Cadence, Signal, Value
from chargeport.signals.spans import not_charging
from chargeport.signals.state import LIVE_FOR_MS
from chargeport.store.history.hours import HourRow, Known, Seen, hour_of, with_late
from chargeport.store.history.runs import ALWAYS, Rows, Run, head
from chargeport.store.retention_policy import DAY_MS, HOUR_MS

Pauses = list[tuple[int, int]]


class Fold(NamedTuple):
    """What is to be folded of a group of a car's signals: [from_at, until). What is older and has a greater position was late."""

    from_at: int
    until: int
    position: int
    hours_from: int = -ALWAYS


class Hours(Protocol):
    """The hours of one series."""

    def newest(self, hour: int) -> HourRow | None:
        """The newest one until this hour."""
        ...

    def between(self, first: int, end: int, limit: int) -> list[HourRow]:
        """Up to `limit` from an hour on and before another, in order."""
        ...

    def write(self, hours: Sequence[HourRow]) -> None:
        """Put them in the place of those that there may be of the same hours."""
        ...


class Kept(NamedTuple):
    """The positions of the runs that stay of those that begin until an instant; `trimmed` lose all sightings but the first."""

    positions: frozenset[int]
    trimmed: list[Run]


def fold(series: Mapping[Signal, tuple[Rows, Hours]], charging: Rows, what: Fold) -> int:
    """Fold what one source reported, with the pauses of charging that it reported itself; how many hours were written."""
    belated = {signal: late(rows, hours, what) for signal, (rows, hours) in series.items()}
    starts = [what.from_at, *(seen[0].at for seen in belated.values() if seen)]
    pauses = _pauses(charging, min(starts) - LIVE_FOR_MS, what.until)
    written = 0
    for signal, (rows, hours) in series.items():
        mine = pauses if _may_pause(signal) else []
        written += _fold_late(signal, hours, what, belated[signal], mine)
        found = list(_hours(rows, signal, mine, what))
        hours.write(found)
        written += len(found)
    return written


def day(now: int, days: int) -> int:
    """The beginning of the UTC day that many days ago: horizons move once a day."""
    return (now - days * DAY_MS) // DAY_MS * DAY_MS


def reach(sizes: Iterable[tuple[int, int]], from_at: int, target: int, limit: int) -> int:
    """How far one step gets: to the hour in which there are `limit` sightings, but an hour at least.

    `sizes` are the first instants of runs from `from_at` on, each with how many sightings it has.
    """
    total = 0
    for observed_at, size in sorted(sizes):
        total += size
        if total > limit:
            return min(target, max(observed_at // HOUR_MS * HOUR_MS, from_at + HOUR_MS))
    return target


def _may_pause(signal: Signal) -> bool:
    return signal.cadence is Cadence.LIVE and signal is not IS_CHARGING


def _pauses(rows: Rows, start: int, until: int) -> Pauses:
    """The pauses of charging, from the changes of charge-ischarging as `History.history` tells them."""
    changes: list[tuple[int, Value | None]] = []
    before = next(rows.back(start), None)
    for run in rows.onward(start):
        if run.observed_at >= until:
            break
        if before is None or not before.says(run.value, run.absence):
            changes.append((run.observed_at, None if run.value is None else bool(run.value)))
        before = run
    return not_charging(changes, until)


def _seen(runs: Iterable[Run], since_at: int | None = None, before: Run | None = None) -> Iterator[Seen]:
    """All sightings of runs that follow each other, in order."""
    for run in runs:
        if since_at is None or before is None or not before.says(run.value, run.absence):
            since_at = run.observed_at
        for at in run.sightings():
            yield Seen(at, run.value, run.absence, since_at, run.rule)
        before = run


def _known(rows: Rows, at: int) -> Known:
    """What was known just before an instant, from the runs."""
    known, holding = Known(), next(rows.back(at, seen=True), None)
    value = rows.value_before(at) if holding is not None and holding.absence is not None else None
    for run in (value, holding):
        if run is not None:
            last_at = max(seen for seen in run.sightings() if seen < at)
            known = known.after(Seen(last_at, run.value, run.absence, head(rows, run)[0].observed_at, run.rule))
    return known


def _hours(rows: Rows, signal: Signal, pauses: Pauses, what: Fold) -> Iterator[HourRow]:
    """The hours in [from_at, until) of which there is something to say."""
    held = next(rows.back(what.from_at, seen=True), None)
    runs = chain([] if held is None else [held], _until(rows.onward(what.from_at, seen=True), what.until))
    since_at = None if held is None else head(rows, held)[0].observed_at
    seen = (each for each in _seen(runs, since_at, held) if what.from_at <= each.at < what.until)
    known = _known(rows, what.from_at)
    start = what.from_at // HOUR_MS
    for group in _by_hour(seen):
        hour = group[0].at // HOUR_MS
        if start < hour:
            yield from _carried(signal, known, pauses, start)
        row = hour_of(signal, known, group, pauses, hour)
        yield row
        known, start = row.known, hour + 1
    if start * HOUR_MS < what.until:
        yield from _carried(signal, known, pauses, start)


def _until(runs: Iterator[Run], until: int) -> Iterator[Run]:
    for run in runs:
        if run.observed_at >= until:
            return
        yield run


def _carried(signal: Signal, known: Known, pauses: Pauses, hour: int) -> Iterator[HourRow]:
    """The hour in which a live value goes on that was seen before it, and nothing else is."""
    if signal.cadence is Cadence.LIVE and known.newest_at is not None:
        row = hour_of(signal, known, (), pauses, hour)
        if row.held_ms:
            yield row


def late(rows: Rows, hours: Hours, what: Fold) -> list[Seen]:
    """What came when its hour was folded already, in order."""
    runs = list(_until(rows.onward(-ALWAYS, seen=True), what.from_at))
    found = ((run, each) for run, each in _seen_of(runs) if what.hours_from <= each.at < what.from_at)
    known_at: dict[int, int] = {}  # by hour, the newest instant that it knows of
    return [each for run, each in found if run.position > what.position or _is_new(hours, each.at, known_at)]


def _seen_of(runs: Sequence[Run]) -> Iterator[tuple[Run, Seen]]:
    since_at, before = None, None
    for run in runs:
        for seen in _seen([run], since_at, before):
            yield run, seen
            since_at = seen.since_at
        before = run


def _is_new(hours: Hours, at: int, known_at: dict[int, int]) -> bool:
    """Whether a sighting of a run that stayed behind is not in its hour: a silent car sent what it had kept."""
    hour = at // HOUR_MS
    if hour not in known_at:
        row = hours.newest(hour)
        known_at[hour] = -1 if row is None or row.known.newest_at is None else row.known.newest_at
    return known_at[hour] < at


def _by_hour(seen: Iterable[Seen]) -> Iterator[list[Seen]]:
    return (list(group) for _, group in groupby(seen, key=lambda each: each.at // HOUR_MS))


def _fold_late(signal: Signal, hours: Hours, what: Fold, belated: Sequence[Seen], pauses: Pauses) -> int:
    """Put late sightings into their hours; how many were written."""
    written = 0
    groups = list(_by_hour(belated))
    theirs = {seen[0].at // HOUR_MS for seen in groups}
    for seen in groups:
        hour = seen[0].at // HOUR_MS
        before = hours.newest(hour)
        if before is not None and before.hour == hour:
            found = [with_late(signal, before, seen)]
        else:
            found = [hour_of(signal, Known() if before is None else before.known, seen, pauses, hour)]
            behind = hour + 1
            if behind not in theirs and behind * HOUR_MS < what.from_at and not hours.between(behind, behind + 1, 1):
                found += _carried(signal, found[0].known, pauses, behind)
        hours.write(found)
        written += len(found)
    return written


def kept(rows: Rows, until: int) -> Kept:
    """Of the runs that begin until an instant, those that something leans on."""
    holder = next(rows.back(until + 1), None)
    value = holder if holder is None or holder.absence is None else rows.value_before(until + 1)
    positions: set[int] = set()
    trimmed: list[Run] = []
    for run in (holder, value):
        if run is not None:
            first, sentinel = head(rows, run)
            positions |= {each.position for each in (run, first, sentinel) if each is not None}
            if first.position != run.position:
                trimmed.append(first)
            if run is not holder:  # what ended the value stays, too: else it would seem to have held until the holder began
                positions |= {each.position for each in islice(rows.onward(run.observed_at + 1), 1)}
    return Kept(frozenset(positions), trimmed)
