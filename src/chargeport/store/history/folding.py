"""Fold the runs of one group of a car's signals into hours, source by source, and delete the runs that are no longer needed.

    ── hours ──────────────────┤ raw_from                     (what is older is read from the hours)
      sentinel, head … holder ─┤◀ 30 min ▶├── runs, whole ──▶

Before `raw_from`, the runs of the last half hour remain, over which live values extend, and those of the value that
was valid then: its run (*holder*), the first run of the value (*head*), from which `changed_at` is known, and the run before
that (*sentinel*), at which the search for the head stops. If it was an absence, the same runs of the value before it.

A reading that arrives after its hour was folded (its position is greater than the fold's) is added to the hour and its
run deleted. An hour without data is then as if nothing had been folded, in any order within one round. In other
hours it counts for the bounds and for the value at the end, but has no weight and is not a change, because the following
sightings are not known. So sending anything again changes no hour.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, groupby, islice
from typing import Any, Final, NamedTuple, Protocol

from chargeport.signals.catalogue import CABLE_CONNECTED, IS_CHARGING
from chargeport.signals.definition import Cadence, Kind, Signal, Value
from chargeport.signals.freshness import Freshness
from chargeport.signals.ranks import Ranks
from chargeport.signals.reading import AbsenceReason
from chargeport.signals.state import LIVE_FOR_MS, State
from chargeport.signals.sweep import Report, Sweep
from chargeport.store.history.hours import HourRow, Known, Seen, hour_of, with_late
from chargeport.store.history.runs import ALWAYS, Rows, Run, head
from chargeport.store.retention_policy import DAY_MS, HOUR_MS

FLAGS: Final = (IS_CHARGING, CABLE_CONNECTED)
MAX_CARRIED: Final = 24 * 31
"""In how many hours a late value counts at most: one at rest, or while the cable is in, may be valid for long."""

_SOURCE: Final = "folded"  # the name of the one source that is folded
_RANKS: Final = Ranks()


class Fold(NamedTuple):
    """The range of a car's signals to be folded: [from_at, until). What is older, with a greater position, is late."""

    from_at: int
    until: int
    position: int
    hours_from: int = -ALWAYS


class Hours(Protocol):
    """The hours of one series."""

    def newest(self, hour: int) -> HourRow | None:
        """Return the newest one that is not later than this hour."""
        ...

    def between(self, first: int, end: int, limit: int) -> list[HourRow]:
        """Return up to `limit` from an hour on and before another, in order."""
        ...

    def write(self, hours: Sequence[HourRow]) -> None:
        """Write hours, in place of those of the same hours that exist."""
        ...


class Kept(NamedTuple):
    """Of the runs that begin until an instant, the positions of those that stay; `trimmed` lose all sightings but the first."""

    until: int
    positions: frozenset[int]
    trimmed: list[Run]


Parts = Mapping[tuple[Signal, str], tuple[Rows, Hours]]
"""The series of a car, by signal and source."""


def fold(series: Parts, what: Fold, freshness: Freshness) -> int:
    """Fold the series of a group of signals, those of one source together; return how many hours were written."""
    written = 0
    for source in dict.fromkeys(source for _, source in series):
        written += _fold_source({key[0]: each for key, each in series.items() if key[1] == source}, what, freshness)
    return written


def due(series: Parts, known: Fold | None, target: int) -> Fold | None:
    """Return what is to be folded up to `target`, where `until` may be earlier; None where there is nothing.

    `known` is what was folded before: nothing (None), or everything before its `until`.
    """
    if known is None:
        firsts = [run.observed_at for rows, _ in series.values() for run in islice(rows.onward(-ALWAYS), 1)]
        start = min(firsts, default=target) // HOUR_MS * HOUR_MS
        return Fold(start, target, 0) if firsts and min(firsts) < target else None
    what = known._replace(from_at=known.until, until=max(known.until, target))
    is_late = known.until < target or any(late(rows, hours, what) for rows, hours in series.values())
    return what if is_late else None


def _fold_source(series: Mapping[Signal, tuple[Rows, Hours]], what: Fold, freshness: Freshness) -> int:
    """Fold the reports of one source, with its own flags; return how many hours were written."""
    belated = {signal: late(rows, hours, what) for signal, (rows, hours) in series.items()}
    flags = {flag: series[flag][0] for flag in FLAGS if flag in series}
    written = 0
    for signal, (rows, hours) in series.items():
        fold = _SeriesFold(signal, flags, freshness)
        written += fold.late(hours, belated[signal], what)
        found = list(fold.hours(rows, what))
        hours.write(found)
        written += len(found)
    return written


def day(now: int, days: int) -> int:
    """Return the beginning of the UTC day that many days ago: horizons move once a day."""
    return (now - days * DAY_MS) // DAY_MS * DAY_MS


def reach(sizes: Iterable[tuple[int, int]], from_at: int, target: int, limit: int) -> int:
    """Return the end of one step: the hour in which there are `limit` sightings, but an hour at least.

    `sizes` are the first instants of runs from `from_at` on, each with the number of its sightings.
    """
    total = 0
    for observed_at, size in sorted(sizes):
        total += size
        if total > limit:
            return min(target, max(observed_at // HOUR_MS * HOUR_MS, from_at + HOUR_MS))
    return target


def _seen(runs: Iterable[Run], since_at: int | None = None, before: Run | None = None) -> Iterator[Seen]:
    """Yield all sightings of runs that follow each other, in order."""
    for run in runs:
        if since_at is None or before is None or not before.says(run.value, run.absence):
            since_at = run.observed_at
        for at in run.sightings():
            yield Seen(at, run.value, run.absence, since_at, run.rule)
        before = run


def _known(rows: Rows, at: int) -> Known:
    """Return what was known just before an instant, from the runs."""
    known, holding = Known(), next(rows.back(at, seen=True), None)
    value = rows.value_before(at) if holding is not None and holding.absence is not None else None
    for run in (value, holding):
        if run is not None:
            last_at = max(seen for seen in run.sightings() if seen < at)
            known = known.after(Seen(last_at, run.value, run.absence, head(rows, run)[0].observed_at, run.rule))
    return known


class _SeriesFold:
    """Folds one series. Whether a value was valid is decided as if its source were the only one."""

    def __init__(self, signal: Signal, flags: Mapping[Signal, Rows], freshness: Freshness) -> None:
        self._signal = signal
        self._flags = {flag: rows for flag, rows in flags.items() if flag is not signal}
        self._is_tied = signal.cadence is not Cadence.LASTING or signal in FLAGS
        self._freshness = freshness

    def hours(self, rows: Rows, what: Fold) -> Iterator[HourRow]:
        """Yield the hours in [from_at, until) that have data."""
        held = next(rows.back(what.from_at, seen=True), None)
        runs = chain([] if held is None else [held], _until(rows.onward(what.from_at, seen=True), what.until))
        since_at = None if held is None else head(rows, held)[0].observed_at
        seen = [each for each in _seen(runs, since_at, held) if what.from_at <= each.at < what.until]
        yield from self._between(_known(rows, what.from_at), seen, what.from_at // HOUR_MS, what.until // HOUR_MS)

    def late(self, hours: Hours, belated: Sequence[Seen], what: Fold) -> int:
        """Add late sightings to their hours; return how many hours were written."""
        written = 0
        groups = list(_by_hour(belated))
        theirs = {seen[0].at // HOUR_MS for seen in groups}
        for seen in groups:
            hour = seen[0].at // HOUR_MS
            row = hours.newest(hour)
            if row is not None and row.hour == hour and not _is_carried(row):
                found = [with_late(self._signal, row, seen)]
            else:
                end = hour + 1
                while end not in theirs and end * HOUR_MS < what.from_at and end - hour < MAX_CARRIED and _is_free(hours, end):
                    end += 1
                before = hours.newest(hour - 1)
                known = Known() if before is None else before.known
                found = list(self._between(known, seen, hour, end))
                found += _emptied(self._signal, hours, {each.hour for each in found}, hour, end)
            hours.write(found)
            written += len(found)
        return written

    def _between(self, known: Known, seen: Sequence[Seen], first: int, end: int) -> Iterator[HourRow]:
        """Return the rows of hours in [first, end) in which something was seen, or a tied value was valid."""
        stood = self._stood(known, seen, first * HOUR_MS, end * HOUR_MS)
        groups = {group[0].at // HOUR_MS: group for group in _by_hour(seen)}
        for hour in sorted(groups.keys() | (stood.keys() if self._signal.cadence is not Cadence.LASTING else set())):
            row = hour_of(self._signal, known, groups.get(hour, []), stood.get(hour, {}), hour)
            known = row.known
            yield row

    def _stood(self, known: Known, seen: Sequence[Seen], start: int, until: int) -> dict[int, dict[Any, int]]:
        """Return by hour for how many milliseconds each value was valid."""
        states = {self._signal.key: self._state(self._signal, known)}
        reports: dict[int, dict[str, list[Report]]] = {self._signal.key: {_SOURCE: _reports(self._signal, seen)}}
        for flag, rows in self._flags.items() if self._is_tied else ():
            states[flag.key] = self._state(flag, _known(rows, start))
            told = (each for each in _seen(_until(rows.onward(start, seen=True), until)) if each.at < until)
            reports[flag.key] = {_SOURCE: _reports(flag, told)}
        present = {key: (state,) for key, state in states.items() if state is not None}
        found: dict[int, dict[Any, int]] = {}
        for span in Sweep(self._signal, _RANKS, self._freshness, start, present).take(reports, until):
            counts = span.effective
            if counts is not None and counts.unavailability is None and counts.state.value is not None:
                _spread(found, counts.state.value, span.start, span.end)
        return found

    def _state(self, signal: Signal, known: Known) -> State | None:
        if known.newest_at is None:
            return None
        absence = None if known.absence is None else AbsenceReason(known.absence)
        return State(
            signal, _value(signal, known.value), known.value_at, known.since_at, known.value_at, _SOURCE, 0, absence,
            known.absence_at, known.absence_at, _SOURCE, self._freshness.of(_SOURCE, signal),
        )  # fmt: skip


def _is_carried(row: HourRow) -> bool:
    """Return whether nothing was seen in an hour: the earlier value continues in it."""
    return row.known.newest_at is None or row.known.newest_at < row.hour * HOUR_MS


def _is_free(hours: Hours, hour: int) -> bool:
    """Return whether nothing was seen in an hour."""
    row = hours.newest(hour)
    return row is None or row.hour != hour or _is_carried(row)


def _emptied(signal: Signal, hours: Hours, written: set[int], first: int, end: int) -> list[HourRow]:
    """Return the hours in which a value was valid that is no longer valid there, because another one was inserted before."""
    found = hours.between(first, end, end - first)
    return [hour_of(signal, row.known, (), {}, row.hour) for row in found if row.hour not in written]


def _spread(found: dict[int, dict[Any, int]], value: Value, at: int, end: int) -> None:
    """Add the time for which a value was valid to its hours."""
    while at < end:
        upto = min((at // HOUR_MS + 1) * HOUR_MS, end)
        stood_ms = found.setdefault(at // HOUR_MS, {})
        stood_ms[value] = stood_ms.get(value, 0) + upto - at
        at = upto


def _reports(signal: Signal, seen: Iterable[Seen]) -> list[Report]:
    return [
        Report(each.at, each.at, _value(signal, each.value), None if each.absence is None else AbsenceReason(each.absence))
        for each in seen
    ]


def _value(signal: Signal, value: Any) -> Value | None:
    """Return a value in its original type, from a database that has no booleans."""
    return bool(value) if signal.kind is Kind.FLAG and value is not None else value


def _until(runs: Iterator[Run], until: int) -> Iterator[Run]:
    for run in runs:
        if run.observed_at >= until:
            return
        yield run


def late(rows: Rows, hours: Hours, what: Fold) -> list[Seen]:
    """Return the sightings that arrived after their hour was folded, in order."""
    runs = list(_until(rows.onward(-ALWAYS, seen=True), what.from_at))
    found = ((run, each) for run, each in _seen_of(runs) if what.hours_from <= each.at < what.from_at)
    known_at: dict[int, int] = {}  # by hour, the newest instant that it includes
    return [each for run, each in found if run.position > what.position or _is_new(hours, each.at, known_at)]


def _seen_of(runs: Sequence[Run]) -> Iterator[tuple[Run, Seen]]:
    since_at, before = None, None
    for run in runs:
        for seen in _seen([run], since_at, before):
            yield run, seen
            since_at = seen.since_at
        before = run


def _is_new(hours: Hours, at: int, known_at: dict[int, int]) -> bool:
    """Return whether a sighting of a run that was not deleted is missing in its hour: a silent car sent buffered values."""
    hour = at // HOUR_MS
    if hour not in known_at:
        row = hours.newest(hour)
        known_at[hour] = -1 if row is None or row.known.newest_at is None else row.known.newest_at
    return known_at[hour] < at


def _by_hour(seen: Iterable[Seen]) -> Iterator[list[Seen]]:
    return (list(group) for _, group in groupby(seen, key=lambda each: each.at // HOUR_MS))


def kept(rows: Rows, folded_until: int) -> Kept:
    """Return the runs that remain of a series that is folded until an instant: those that are still needed."""
    until = folded_until - LIVE_FOR_MS
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
            if run is not holder:  # the run that ended the value stays, too: else it would seem valid until the holder began
                positions |= {each.position for each in islice(rows.onward(run.observed_at + 1), 1)}
    return Kept(until, frozenset(positions), trimmed)
