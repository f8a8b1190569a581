"""`store.protocols.History` on SQLite: changes by time, sightings by time, and what was known at an instant."""

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final, TypeVar

import msgspec

from chargeport.signals.catalogue import IS_CHARGING
from chargeport.signals.definition import Cadence, Signal
from chargeport.signals.reading import AbsenceReason
from chargeport.signals.state import State
from chargeport.store.records import Place, Run, VehicleSeries
from chargeport.store.retention_policy import HOUR_MS, Horizon, Hour
from chargeport.store.sqlite import hourly, late, rows
from chargeport.store.sqlite.engine import Connection, fetch
from chargeport.store.sqlite.reader import Reader
from chargeport.store.sqlite.readings import ReadingTables
from chargeport.store.sqlite.scans import Scans
from chargeport.store.sqlite.series import ALWAYS, Series
from chargeport.store.sqlite.slot import MAX_SOURCES, SOURCE_BITS, VEHICLE_SHIFT, SeriesKey

_HORIZON_OF: Final = (
    "SELECT h.raw_from, h.hours_from FROM vehicles v JOIN horizons h ON h.vehicle_key = v.key"
    " WHERE v.id = ? AND h.signal_group = ?"
)
_KEYS: Final = "SELECT v.key, s.key FROM vehicles v, sources s WHERE v.id = ? AND s.name = ?"
_SOURCES_OF: Final = (
    "SELECT l.source_key FROM vehicles v JOIN latest l ON l.slot BETWEEN"
    f" (v.key << {VEHICLE_SHIFT}) + (?2 << {SOURCE_BITS})"
    f" AND (v.key << {VEHICLE_SHIFT}) + (?2 << {SOURCE_BITS}) + {MAX_SOURCES}"
    " WHERE v.id = ?1"
)

T = TypeVar("T")


class HistoryTables:
    """`store.protocols.History` on SQLite."""

    def __init__(self, reader: Reader, scans: Scans, readings: ReadingTables) -> None:
        self._reader = reader
        self._scans = scans
        self._readings = readings

    async def history(
        self,
        vehicle_id: str,
        signal: Signal,
        from_at: int | None = None,
        to_at: int | None = None,
        *,
        source: str,
        after: Place | None = None,
        limit: int,
    ) -> list[Run]:
        """The changes of a series, oldest first. See `store.protocols.History`."""
        start, end = -ALWAYS if from_at is None else from_at, ALWAYS if to_at is None else to_at
        if after is not None and after.observed_at < start:
            after = None
        return await self._series_scan(vehicle_id, signal, source, lambda series: _changes(series, start, end, after, limit))

    async def pieces(
        self, vehicle_id: str, signal: Signal, from_at: int, to_at: int, *, source: str, limit: int, every: bool
    ) -> list[Run]:
        """The runs as they are stored. See `store.protocols.History`."""

        def scan(series: Series) -> list[late.Run]:
            before = list(islice(series.back(from_at, seen=every), 1))
            onward = islice(series.onward(from_at, seen=every), limit)
            return before + [run for run in onward if run.observed_at < to_at]

        return await self._series_scan(vehicle_id, signal, source, scan, every=every)

    async def sources_of(self, vehicle_id: str, signal: Signal) -> list[str]:
        """The sources that have a series of the signal, by name. See `store.protocols.History`."""
        found = self._reader.rows(_SOURCES_OF, (vehicle_id, signal.key))
        return sorted(self._reader.source(key) for (key,) in found)

    async def series_at(self, vehicle_id: str, at: int) -> VehicleSeries | None:
        """The car with what was known of it at an instant. See `store.protocols.History`."""
        present = await self._readings.signals(vehicle_id)
        if present is None:
            return None
        states = [state for series in present.series.values() for state in series]
        overtaken = [each for each in states if max(each.observed_at or -1, each.absence_at or -1) > at]
        if not overtaken:
            return present
        past = await self._states_before(vehicle_id, overtaken, at)
        freshness, series = self._readings.freshness, dict[int, tuple[State, ...]]()
        for state in (*(each for each in states if each not in overtaken), *past):
            known = msgspec.structs.replace(state, live_for_ms=freshness.of(state.source, state.signal))
            series[state.signal.key] = (*series.get(state.signal.key, ()), known)
        return VehicleSeries(present.vehicle, series)

    async def horizon(self, vehicle_id: str, signal: Signal) -> Horizon | None:
        """Since when the signal's runs are whole. See `store.protocols.History`."""
        row = self._reader.row(_HORIZON_OF, (vehicle_id, signal.group))
        return None if row is None else Horizon(*row)

    async def hours(self, vehicle_id: str, signal: Signal, from_at: int, to_at: int, *, source: str, limit: int) -> list[Hour]:
        """The hours that are kept. See `store.protocols.History`."""

        def scan(connection: Connection) -> list[Hour]:
            key = _key(connection, vehicle_id, signal, source)
            if key is None:
                return []
            first, rules = from_at // HOUR_MS, _rules(connection)
            before = hourly.newest(connection, key, first - 1)
            kept = hourly.between(connection, key, first, -(-to_at // HOUR_MS), limit)
            return [hourly.record(signal, row, source, rules) for row in ([] if before is None else [before]) + kept]

        return await self._scans.run(scan)

    async def _states_before(self, vehicle_id: str, states: list[State], at: int) -> list[State]:
        """What was known at an instant of series of which something newer is known now.

        From hours where runs are no longer kept; what is not known any more is left out. The runs are read first: if they were
        folded meanwhile, the horizon that is read then says so.
        """
        found = await self._scans.run(lambda connection: _past(connection, vehicle_id, states, at))
        coarse = await self._scans.run(lambda connection: dict(_coarse(connection, vehicle_id, states, at)))
        for signal, source in [key for key, past in coarse.items() if isinstance(past, _Lost)]:
            if signal is IS_CHARGING:  # nobody knows which of the source's sessions were over
                coarse |= {key: _LOST for key in coarse if key[1] == source and key[0].cadence is Cadence.LIVE}
        kept = [state for state in found if (state.signal, state.source) not in coarse]
        return kept + [past for past in coarse.values() if isinstance(past, State)]

    async def _series_scan(
        self, vehicle_id: str, signal: Signal, source: str, scan: Callable[[Series], list[late.Run]], *, every: bool = False
    ) -> list[Run]:
        """The rows that `scan` finds in a series, as records; none when there is no such series."""

        def run(connection: Connection) -> list[Run]:
            key = _key(connection, vehicle_id, signal, source)
            if key is None:
                return []
            rules = _rules(connection)
            return [_record(signal, source, row, rules, every=every) for row in scan(Series(connection, key))]

        return await self._scans.run(run)


def _key(connection: Connection, vehicle_id: str, signal: Signal, source: str) -> SeriesKey | None:
    """The key of a series; None when there is no such car or source."""
    found = fetch(connection, _KEYS, (vehicle_id, source))
    return (found[0][0], signal.key, found[0][1]) if found else None


def _rules(connection: Connection) -> dict[int, str]:
    return dict(fetch(connection, "SELECT key, text FROM rules"))


def _rule(run: late.Run, rules: dict[int, str]) -> str | None:
    return None if run.rule_key is None else rules[run.rule_key]


def _record(signal: Signal, source: str, run: late.Run, rules: dict[int, str], *, every: bool) -> Run:
    return Run(
        run.observed_at, run.ends_at, run.received_at, source, run.position, rows.value(signal.key, run.value),
        None if run.absence is None else AbsenceReason(run.absence), array("q", run.sightings()) if every else (),
        _rule(run, rules),
    )  # fmt: skip


def _changes(series: Series, start: int, end: int, after: Place | None, limit: int) -> list[late.Run]:
    """The changes in [start, end), those behind `after`, each with the time when it was seen last before the next."""
    if after is None:
        before = next(series.back(start), None)
    else:  # its own instant is looked at again: a greater value may have come since
        start, before = after.observed_at, series.at(*after)
    found: list[late.Run] = []
    for run in series.onward(start):
        if before is None or not before.says(run.value, run.absence):
            if len(found) == limit or run.observed_at >= end:
                break
            found.append(run)
        elif found:
            found[-1] = found[-1]._replace(last_seen_at=run.ends_at)
        before = run
    return found


def _past(connection: Connection, vehicle_id: str, states: list[State], at: int) -> list[State]:
    rules = _rules(connection)
    found: list[State] = []
    for state in states:
        key = _key(connection, vehicle_id, state.signal, state.source or "")
        past = None if key is None else _state_at(Series(connection, key), state, at, rules)
        if past is not None:
            found.append(past)
    return found


def _state_at(series: Series, state: State, at: int, rules: dict[int, str]) -> State | None:
    """A series' state at an instant; None when nothing was known of it yet."""
    holding = next(series.back(at + 1), None)
    if holding is None:
        return None
    known = _value_at(series, state, at, rules)
    if holding.absence is None:
        return known
    known = known or State(state.signal, source=state.source, rule=_rule(holding, rules))
    if state.absence_at is not None and state.absence_at <= at:
        return _absent(known, holding.absence, state.absence_at, state.absence_received_at)
    absent_at = max(seen for seen in holding.sightings() if seen <= at)
    return _absent(known, holding.absence, absent_at, holding.received_at)


def _value_at(series: Series, state: State, at: int, rules: dict[int, str]) -> State | None:
    """The newest value until an instant, with the times that it had then; None when there was none."""
    if state.observed_at is not None and state.observed_at <= at:
        return State(
            state.signal, state.value, state.observed_at, state.changed_at, state.received_at, state.source, state.position,
            rule=state.rule,
        )  # fmt: skip
    run = series.value_before(at + 1)
    if run is None:
        return None
    sightings = run.sightings()
    observed_at = sightings[bisect_right(sightings, at) - 1]
    changed_at = run.observed_at
    for before in series.back(run.observed_at):
        if not before.says(run.value, None):
            break
        changed_at = before.observed_at
    # When a later sighting came in was not kept; it was not before the car had seen it.
    received_at = run.received_at if observed_at == run.observed_at else max(run.received_at, observed_at)
    value = rows.value(state.signal.key, run.value)
    return State(state.signal, value, observed_at, changed_at, received_at, state.source, run.position, rule=_rule(run, rules))


def _absent(state: State, reason: str, at: int, received_at: int | None) -> State:
    return msgspec.structs.replace(
        state, absence=AbsenceReason(reason), absence_at=at, absence_received_at=received_at, absence_source=state.source
    )


class _Lost:
    """In the place of a state that is not known any more, as against one that never was."""


_LOST: Final = _Lost()


def _coarse(
    connection: Connection, vehicle_id: str, states: list[State], at: int
) -> Iterator[tuple[tuple[Signal, str], State | _Lost | None]]:
    """By signal and source, what hours say of the instant for series whose runs are not kept any more."""
    rules = _rules(connection)
    for state in states:
        signal, source = state.signal, state.source or ""
        horizon = fetch(connection, _HORIZON_OF, (vehicle_id, signal.group))
        key = _key(connection, vehicle_id, signal, source)
        if not horizon or key is None or at >= horizon[0][0]:
            continue
        row = hourly.newest(connection, key, at // HOUR_MS)
        if row is None:
            yield (signal, source), None if horizon[0][1] is None or at >= horizon[0][1] else _LOST
        else:
            yield (signal, source), _state(signal, hourly.record(signal, row, source, rules), at)


def _state(signal: Signal, hour: Hour, at: int) -> State | _Lost:
    """What was known at an instant when this hour was the newest, if nothing was heard later in that hour."""
    newest_at = hour.value_at if hour.absence_at is None else hour.absence_at
    if at < hour.start + HOUR_MS and (newest_at is None or at < newest_at):
        return _LOST
    return State(
        signal, hour.value, hour.value_at, hour.since_at, hour.value_at, hour.source,
        absence=hour.absence, absence_at=hour.absence_at, absence_received_at=hour.absence_at,
        absence_source=None if hour.absence is None else hour.source, rule=hour.rule,
    )  # fmt: skip
