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

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby, islice
from typing import Final, NamedTuple

from chargeport.signals.catalogue import BY_KEY, IS_CHARGING
from chargeport.signals.definition import Cadence, Signal, Value
from chargeport.signals.spans import not_charging
from chargeport.signals.state import LIVE_FOR_MS
from chargeport.store.retention_policy import HOUR_MS
from chargeport.store.sqlite import hourly, rows
from chargeport.store.sqlite.engine import Connection
from chargeport.store.sqlite.hourly import HourRow, Known, Seen
from chargeport.store.sqlite.late import Run
from chargeport.store.sqlite.series import ALWAYS, Series
from chargeport.store.sqlite.slot import SeriesKey

_DELETE: Final = (
    "DELETE FROM history WHERE vehicle_key = ? AND signal_key = ? AND source_key = ? AND observed_at <= ?"
    " AND position NOT IN ({})"
)
_TRIM: Final = (
    "UPDATE history SET seen = NULL, last_seen_at = NULL WHERE vehicle_key = ? AND signal_key = ? AND source_key = ?"
    " AND observed_at = ? AND position = ? AND last_seen_at IS NOT NULL"
)

Pauses = list[tuple[int, int]]


class Fold(NamedTuple):
    """What is to be folded of a car: [from_at, until); what is older and has a position greater than this came late."""

    vehicle_key: int
    from_at: int
    until: int
    position: int
    hours_from: int


def fold(connection: Connection, series: Sequence[SeriesKey], what: Fold) -> tuple[int, int]:
    """Fold these series, of one group of signals; how many runs were deleted and hours written. Runs inside a transaction."""
    hours = 0
    for source_key in dict.fromkeys(key[2] for key in series):
        hours += _fold_source(connection, [key for key in series if key[2] == source_key], what)
    return sum(_delete(connection, key, what.until - LIVE_FOR_MS) for key in series), hours


def _fold_source(connection: Connection, series: Sequence[SeriesKey], what: Fold) -> int:
    """Fold the series of one source, with the pauses of charging that it reported itself; how many hours were written."""
    belated = {key: late(connection, key, what) for key in series}
    starts = [what.from_at, *(seen[0].at for seen in belated.values() if seen)]
    charging = (what.vehicle_key, IS_CHARGING.key, series[0][2])
    pauses = _pauses(Series(connection, charging), min(starts) - LIVE_FOR_MS, what.until)
    hours = 0
    for key in series:
        signal = BY_KEY[key[1]]
        mine = pauses if _may_pause(signal) else []
        hours += _fold_late(connection, what, key, belated[key], mine)
        found = list(_hours(Series(connection, key), signal, mine, what))
        hourly.write(connection, key, found)
        hours += len(found)
    return hours


def _may_pause(signal: Signal) -> bool:
    return signal.cadence is Cadence.LIVE and signal is not IS_CHARGING


def _pauses(series: Series, start: int, until: int) -> Pauses:
    """The pauses of charging, from the changes of charge-ischarging as `History.history` tells them."""
    changes: list[tuple[int, Value | None]] = []
    before = next(series.back(start), None)
    for run in series.onward(start):
        if run.observed_at >= until:
            break
        if before is None or not before.says(run.value, run.absence):
            changes.append((run.observed_at, rows.value(IS_CHARGING.key, run.value)))
        before = run
    return not_charging(changes, until)


def _seen(runs: Iterable[Run], since_at: int | None = None, before: Run | None = None) -> Iterator[Seen]:
    """All sightings of runs that follow each other, in order."""
    for run in runs:
        if since_at is None or before is None or not before.says(run.value, run.absence):
            since_at = run.observed_at
        for at in run.sightings():
            yield Seen(at, run.value, run.absence, since_at, run.rule_key)
        before = run


def _head(series: Series, run: Run) -> tuple[Run, Run | None]:
    """The first run of those that say the same up to this one, and the one before it."""
    head = run
    for before in series.back(run.observed_at):
        if not before.says(run.value, run.absence):
            return head, before
        head = before
    return head, None


def _known(series: Series, at: int) -> Known:
    """What was known just before an instant, from the runs."""
    known, holding = Known(), next(series.back(at, seen=True), None)
    value = series.value_before(at) if holding is not None and holding.absence is not None else None
    for run in (value, holding):
        if run is not None:
            last_at = max(seen for seen in run.sightings() if seen < at)
            known = known.after(Seen(last_at, run.value, run.absence, _head(series, run)[0].observed_at, run.rule_key))
    return known


def _hours(series: Series, signal: Signal, pauses: Pauses, what: Fold) -> Iterator[HourRow]:
    """The hours in [from_at, until) of which there is something to say."""
    held = next(series.back(what.from_at, seen=True), None)
    runs = chain([] if held is None else [held], _until(series.onward(what.from_at, seen=True), what.until))
    since_at = None if held is None else _head(series, held)[0].observed_at
    seen = (each for each in _seen(runs, since_at, held) if what.from_at <= each.at < what.until)
    known = _known(series, what.from_at)
    start = what.from_at // HOUR_MS
    for group in _by_hour(seen):
        hour = group[0].at // HOUR_MS
        if start < hour:
            yield from _carried(signal, known, pauses, start)
        row = hourly.hour_of(signal, known, group, pauses, hour)
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
        row = hourly.hour_of(signal, known, (), pauses, hour)
        if row.held_ms:
            yield row


def late(connection: Connection, key: SeriesKey, what: Fold) -> list[Seen]:
    """What came when its hour was folded already, in order."""
    runs = list(_until(Series(connection, key).onward(-ALWAYS, seen=True), what.from_at))
    found = ((run, each) for run, each in _seen_of(runs) if what.hours_from <= each.at < what.from_at)
    known_at: dict[int, int] = {}  # by hour, the newest instant that it knows of
    return [each for run, each in found if run.position > what.position or _is_new(connection, key, each.at, known_at)]


def _seen_of(runs: Sequence[Run]) -> Iterator[tuple[Run, Seen]]:
    since_at, before = None, None
    for run in runs:
        for seen in _seen([run], since_at, before):
            yield run, seen
            since_at = seen.since_at
        before = run


def _is_new(connection: Connection, key: SeriesKey, at: int, known_at: dict[int, int]) -> bool:
    """Whether a sighting of a run that stayed behind is not in its hour: a silent car sent what it had kept."""
    hour = at // HOUR_MS
    if hour not in known_at:
        row = hourly.newest(connection, key, hour)
        known_at[hour] = -1 if row is None or row.known.newest_at is None else row.known.newest_at
    return known_at[hour] < at


def _by_hour(seen: Iterable[Seen]) -> Iterator[list[Seen]]:
    return (list(group) for _, group in groupby(seen, key=lambda each: each.at // HOUR_MS))


def _fold_late(connection: Connection, what: Fold, key: SeriesKey, belated: Sequence[Seen], pauses: Pauses) -> int:
    """Put late sightings into their hours; how many were written."""
    signal, written = BY_KEY[key[1]], 0
    groups = list(_by_hour(belated))
    theirs = {seen[0].at // HOUR_MS for seen in groups}
    for seen in groups:
        hour = seen[0].at // HOUR_MS
        before = hourly.newest(connection, key, hour)
        if before is not None and before.hour == hour:
            found = [hourly.with_late(signal, before, seen)]
        else:
            found = [hourly.hour_of(signal, Known() if before is None else before.known, seen, pauses, hour)]
            behind = hour + 1
            if (
                behind not in theirs
                and behind * HOUR_MS < what.from_at
                and not hourly.between(connection, key, behind, behind + 1, 1)
            ):
                found += _carried(signal, found[0].known, pauses, behind)
        hourly.write(connection, key, found)
        written += len(found)
    return written


def _delete(connection: Connection, key: SeriesKey, cut: int) -> int:
    """Delete the runs that begin until `cut`, but for those that something leans on; how many they were."""
    series = Series(connection, key)
    holder = next(series.back(cut + 1), None)
    value = holder if holder is None or holder.absence is None else series.value_before(cut + 1)
    kept: set[int] = set()
    for run in (holder, value):
        if run is not None:
            head, sentinel = _head(series, run)
            kept |= {each.position for each in (run, head, sentinel) if each is not None}
            if head.position != run.position:
                connection.execute(_TRIM, (*key, head.observed_at, head.position))
            if run is not holder:  # what ended the value stays, too: else it would seem to have held until the holder began
                kept |= {each.position for each in islice(series.onward(run.observed_at + 1), 1)}
    connection.execute(_DELETE.format(",".join("?" * len(kept))), (*key, cut, *kept))
    return connection.changes()
