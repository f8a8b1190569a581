"""Readings, history and retention in memory: what a backend has to do beside `store.history`, in plain Python.

The parts that know no series are in `memory_access` and `memory_parts`. Sign-in, Connect and webhooks it lacks.
"""

from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from typing import Any

from memory_access import MemoryAccess, MemoryVehicles
from memory_parts import MemoryIssues, MemoryNotes, MemorySessions

from chargeport.signals.catalogue import BY_KEY, CABLE_CONNECTED, IS_CHARGING
from chargeport.signals.definition import Cadence, Signal
from chargeport.signals.effective import DERIVED
from chargeport.signals.freshness import Freshness
from chargeport.signals.ranks import Ranks
from chargeport.signals.reading import AbsenceReason, Entry
from chargeport.signals.state import State
from chargeport.store import records
from chargeport.store.history import folding, hours, reading
from chargeport.store.history.late import Edits, newest, put, without
from chargeport.store.history.latest import Latest, finish
from chargeport.store.history.runs import ALWAYS, Run, holding
from chargeport.store.retention_policy import HOUR_MS, Horizon, Hour, Policy, Progress

Key = tuple[str, Signal, str]
FLAGS = frozenset({IS_CHARGING, CABLE_CONNECTED})


class Rows:
    """`store.history.runs.Rows` on a list; with what `latest` knows of them."""

    def __init__(self, series: "Series", latest: Latest | None) -> None:
        self._series, self._latest = series, latest

    @property
    def runs(self) -> list[Run]:
        whole = self._series.runs if self._latest is None else map(self._latest.whole, self._series.runs)
        return sorted(whole, key=lambda run: run[:2])

    def onward(self, from_at: int, *, seen: bool = False) -> Iterator[Run]:  # noqa: ARG002
        found = list(holding(run for run in self.runs if run.observed_at >= from_at))
        if found and self._latest is not None:
            found[-1] = self._latest.whole_newest(found[-1])
        return iter(found)

    def back(self, before: int, *, seen: bool = False) -> Iterator[Run]:  # noqa: ARG002
        return self._back(run for run in self.runs if run.observed_at < before)

    def value_before(self, before: int) -> Run | None:
        return next(self._back(run for run in self.runs if run.observed_at < before and run.absence is None), None)

    def absence_before(self, before: int) -> Run | None:
        return next(self._back(run for run in self.runs if run.observed_at < before and run.absence is not None), None)

    def _back(self, runs: Iterator[Run]) -> Iterator[Run]:
        return reversed(list(holding(runs)))

    def at(self, observed_at: int, position: int) -> Run | None:
        return next((run for run in self.runs if run[:2] == (observed_at, position)), None)

    def around(self, at: int) -> list[Run]:
        found = [run for run in self.runs if run.observed_at <= at]
        return [run for run in found if run.observed_at == found[-1].observed_at]

    def every(self, start: int, end: int) -> list[Run]:
        """All that begin before `end`, from the newest on that begins until `start`, whether they hold or not."""
        first, gone = next(self.back(start + 1), None), self.absence_before(ALWAYS)
        found = [run for run in self.runs if run.observed_at < end and (first is None or run.observed_at >= first.observed_at)]
        return [run if run != gone or self._latest is None else self._latest.whole_newest(run) for run in found]


class Series:
    """One series: `Editor` and `Hours` of `store.history`."""

    def __init__(self, key: Key, next_position: Callable[[], int]) -> None:
        self.key, self.next_position, self.latest = key, next_position, Latest()
        self.runs: list[Run] = []
        self.by_hour: dict[int, hours.HourRow] = {}

    @property
    def rows(self) -> Rows:
        return Rows(self, self.latest)

    def begin(self, latest: Latest, entry: Entry, value: Any, absence: str | None, rule: Any, *, continues: int | None) -> int:  # noqa: ARG002
        position = self.next_position()
        self.runs.append(Run(entry.observed_at, position, entry.received_at, value, absence, None, None, continues, rule))
        return position

    def extend(self, latest: Latest) -> None:
        self.runs = [latest.whole(run) for run in self.runs]

    def extend_absence(self, latest: Latest) -> None:
        gone, at = Rows(self, None).absence_before(ALWAYS), latest.absence_at
        if gone is not None and at is not None and at > gone.observed_at:
            self.replace(gone, gone._replace(last_seen_at=at))

    def flush(self, latest: Latest) -> Rows:
        finish(latest, self)
        self.extend_absence(latest)
        return Rows(self, None)

    def edit(self, latest: Latest, edits: Edits) -> None:  # noqa: ARG002
        for before, after in edits.changed:
            self.replace(before, after)
        self.runs += edits.added

    def replace(self, before: Run, after: Run | None) -> None:
        self.runs = [run for run in self.runs if run[:2] != before[:2]] + ([] if after is None else [after])

    def newest(self, hour: int) -> hours.HourRow | None:
        return self.by_hour[max(known)] if (known := [each for each in self.by_hour if each <= hour]) else None

    def between(self, first: int, end: int, limit: int) -> list[hours.HourRow]:
        return [self.by_hour[each] for each in sorted(self.by_hour) if first <= each < end][:limit]

    def write(self, rows: Sequence[hours.HourRow]) -> None:
        self.by_hour |= {row.hour: row for row in rows}

    def state(self, live_for_ms: int) -> State:
        value, observed, changed, received, position, _, gone, *gone_at, rule, _ = self.latest.columns()
        absence = (None, None, None, None) if gone is None else (AbsenceReason(gone), *gone_at, self.key[2])
        return State(self.key[1], value, observed, changed, received, self.key[2], position, *absence, live_for_ms, rule)

    def record(self, run: Run, *, every: bool = False) -> records.Run:
        absence, seen = None if run.absence is None else AbsenceReason(run.absence), run.sightings() if every else ()
        return records.Run(run.observed_at, run.ends_at, run.received_at, self.key[2], run.position, run.value, absence, seen,
                         run.rule)  # fmt: skip

    def hour(self, row: hours.HourRow) -> Hour:
        return hours.hour(self.key[1], row, self.key[2], lambda value: value, row.known.rule)

    def forget(self, start: int, end: int) -> records.Forgotten:
        rows, old = self.flush(self.latest), self.latest
        seen_within = [run for run in rows.runs if any(start <= at < end for at in run.sightings())]
        for before, after in without(rows, seen_within, start, end):
            self.replace(before, after)
        hours_within = range(start // HOUR_MS, (end - 1) // HOUR_MS + 1)
        known = [(hour, row.known.value_at or -ALWAYS, row.known.absence_at or -ALWAYS) for hour, row in self.by_hour.items()]
        gone = [hour for hour, *ats in known if hour in hours_within or any(start <= at < end and at != -ALWAYS for at in ats)]
        self.by_hour = {hour: row for hour, row in self.by_hour.items() if hour not in gone}
        self.latest = newest(Rows(self, None)) or Latest()
        is_new = old.columns()[:2] + old.columns()[6:8] != self.latest.columns()[:2] + self.latest.columns()[6:8]
        return records.Forgotten(latest=int(is_new), history=len(seen_within), hours=len(gone))


class MemoryStore:
    """Parts of `store.protocols.Store`."""

    def __init__(self) -> None:
        self.vehicles = cars = MemoryVehicles()
        self.readings = self.history = self.retention = parts = Parts(cars)
        self.access = MemoryAccess(cars)
        self.sessions = MemorySessions(cars, parts.changes, parts.states)
        self.issues, self.notes = MemoryIssues(cars), MemoryNotes()

    async def close(self) -> None:
        """Nothing to let go of."""


class Parts:
    """The methods of all parts that know series."""

    def __init__(self, cars: MemoryVehicles) -> None:
        self.freshness, self.ranks = Freshness(), Ranks()
        self._vehicles, self._cars = cars, cars.cars
        self._series: dict[Key, Series] = {}
        self._horizons: dict[tuple[str, str], folding.Fold] = {}
        self._position = 0
        cars.erasers.append(self._erase)

    def _erase(self, car: records.Vehicle) -> dict[str, int]:
        gone = [self._series.pop(key) for key in list(self._series) if key[0] == car.id]
        return {"latest": len(gone), "history": sum(len(one.runs) for one in gone)}

    def _next(self) -> int:
        self._position += 1
        return self._position

    def _of(self, vehicle_id: str) -> list[Series]:
        return [series for key, series in self._series.items() if key[0] == vehicle_id and series.runs]

    def _one(self, *key: Any) -> Series:
        return self._series.get(key) or Series(key, self._next)

    async def write(self, entries: Sequence[Entry], only_for: str | None = None) -> list[records.Outcome]:
        return [await self._placed(entry, self._vehicles.named(entry.vehicle), only_for) for entry in entries]

    async def _placed(self, entry: Entry, car: records.Vehicle | None, only_for: str | None) -> records.Outcome:
        if car is not None and only_for is not None and not await self._vehicles.access.may_write(only_for, car.id):
            return records.Outcome.NOT_PERMITTED
        key = ("" if car is None else car.id, entry.signal, entry.source)
        series = self._series.setdefault(key, Series(key, self._next))
        return records.Outcome.UNKNOWN_VEHICLE if car is None else put(series.latest, entry, entry.rule, series)

    def states(self, vehicle_id: str) -> list[State]:
        return [each.state(self.freshness.of(each.key[2], each.key[1])) for each in self._of(vehicle_id)]

    async def signals(self, vehicle_id: str) -> records.VehicleSeries | None:
        found: dict[int, tuple[State, ...]] = {}
        for state in self.states(vehicle_id):
            found[state.signal.key] = (*found.get(state.signal.key, ()), state)
        return records.VehicleSeries(self._cars[vehicle_id], found) if vehicle_id in self._cars else None

    async def signals_of(self, vehicle_ids: Sequence[str]) -> dict[str, records.VehicleSeries]:
        return {each: found for each in vehicle_ids if (found := await self.signals(each)) is not None}

    async def signal(self, vehicle_id: str, signal: Signal) -> records.VehicleSeries | None:
        found = await self.signals(vehicle_id)
        wanted = {signal, *(() if signal.cadence is Cadence.LASTING and signal not in FLAGS else FLAGS)}
        kept = {key: each for key, each in found.series.items() if BY_KEY[key] in wanted} if found else {}
        return found and records.VehicleSeries(found.vehicle, kept)

    async def changes(self, after: int, limit: int) -> list[records.Change]:
        found = sorted(((run, each.key) for each in self._series.values() for run in each.runs if run.position > after
                        and run.continues is None), key=lambda one: one[0].position)  # fmt: skip
        return [records.Change(run.position, car, signal, run.observed_at, run.received_at, source, run.value,
                       None if run.absence is None else AbsenceReason(run.absence), run.rule)
                for run, (car, signal, source) in found[:limit]]  # fmt: skip

    async def position(self) -> int:
        return self._position

    async def sightings(self, selection: records.Selection) -> AsyncGenerator[records.Stretch, None]:
        start, end = (-ALWAYS if selection.start is None else selection.start), selection.end or ALWAYS
        cars, signals, found = selection.vehicle_ids, selection.signals, list[records.Sighting]()
        for one in sorted(self._series.values(), key=lambda one: (one.key[0], one.key[1].code, one.key[2])):
            car, signal, source = one.key
            if source != DERIVED and (cars is None or car in cars) and (signals is None or signal in signals):
                runs = one.rows.every(start, end)
                for at, value, gone, received in reading.sightings(runs, one.latest, start, end, every=selection.every):
                    found.append(records.Sighting(car, signal, at, value, gone and AbsenceReason(gone), received, source))
        yield records.Stretch(found, 1.0)

    async def forget(self, source: str, vehicle_id: str, from_at: int = -ALWAYS, to_at: int = ALWAYS) -> records.Forgotten:
        parts = [each.forget(from_at, to_at) for each in self._of(vehicle_id) if each.key[2] == source]
        found = records.Forgotten(vehicles=int(any(each.history + each.hours for each in parts)))
        for part in parts:
            found = found.plus(part)
        return found

    async def history(
        self, vehicle_id: str, signal: Signal, from_at: int | None = None, to_at: int | None = None, *, source: str, **more: Any
    ) -> list[records.Run]:
        one = self._one(vehicle_id, signal, source)
        return [one.record(run) for run in reading.changes(one.rows, from_at, to_at, more.get("after"), more["limit"])]

    async def pieces(
        self, vehicle_id: str, series: Sequence[tuple[Signal, str]], *bounds: int, limit: int, every: bool
    ) -> list[list[records.Run]]:
        ones = [self._one(vehicle_id, signal, source) for signal, source in series]
        return [
            [one.record(run, every=every) for run in reading.pieces(one.rows, *bounds, limit=limit, every=every)]
            for one in ones
        ]

    async def sources_of(self, vehicle_id: str, signal: Signal) -> list[str]:
        return sorted(each.key[2] for each in self._of(vehicle_id) if each.key[1] is signal)

    async def series_at(self, vehicle_id: str, at: int) -> records.VehicleSeries | None:
        present = await self.signals(vehicle_id)
        states = [each for states in present.series.values() for each in states] if present else []
        horizons = {state.signal: await self.horizon(vehicle_id, state.signal) for state in states}
        past = Past({each.key[1:]: each for each in self._of(vehicle_id)}, horizons)
        return present and records.VehicleSeries(present.vehicle, reading.states_at(states, past, at, self.freshness))

    async def horizon(self, vehicle_id: str, signal: Signal) -> Horizon | None:
        what = self._horizons.get((vehicle_id, signal.group))
        return None if what is None else Horizon(what.until)

    async def hours(self, vehicle_id: str, signal: Signal, from_at: int, to_at: int, *, source: str, limit: int) -> list[Hour]:
        one, first = self._one(vehicle_id, signal, source), from_at // HOUR_MS
        before = one.newest(first - 1)
        return [one.hour(row) for row in ([before] if before else []) + one.between(first, -(-to_at // HOUR_MS), limit)]

    async def fold(self, policy: Policy, now: int, after: int = 0) -> Progress:  # noqa: ARG002
        runs = written = 0
        for car, group in [(car, group) for car in self._cars for group, keep in policy.groups.items() if keep.raw_days]:
            series = [each for each in self._of(car) if each.key[1].group == group]
            parts = {each.key[1:]: (each.rows, each) for each in series}
            what = folding.due(parts, self._horizons.get((car, group)), folding.day(now, policy.groups[group].raw_days or 0))
            if what is not None:
                written += folding.fold(parts, what, self.freshness)
                self._horizons[car, group] = what._replace(position=self._position)
                for each in series:
                    kept, before = folding.kept(each.rows, what.until), len(each.runs)
                    trims = {run.position for run in kept.trimmed}
                    left = [run for run in each.runs if run.observed_at > kept.until or run.position in kept.positions]
                    each.runs = [run._replace(seen=None, last_seen_at=None) if run.position in trims else run for run in left]
                    runs += before - len(each.runs)
        return Progress(runs, written)


class Past:
    """`store.history.reading.Past` in memory; a value and a rule are what they are."""

    def __init__(self, series: dict[tuple[Signal, str], Series], horizons: dict[Signal, Horizon | None]) -> None:
        self._series, self.horizon = series, horizons.get
        self.value, self.rule = (lambda _, value: value), (lambda rule: rule)

    def rows(self, signal: Signal, source: str) -> Rows:
        return self._series[signal, source].rows

    def hour_before(self, signal: Signal, source: str, at: int) -> Hour | None:
        one = self._series[signal, source]
        return None if (row := one.newest(at // HOUR_MS)) is None else one.hour(row)
