"""The effective history of a signal, computed on request from the series of all sources. Works on any backend."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Final

from chargeport.signals.catalogue import CABLE_CONNECTED, IS_CHARGING
from chargeport.signals.definition import Cadence, Signal
from chargeport.signals.effective import DERIVED
from chargeport.signals.ranks import is_derived
from chargeport.signals.state import State
from chargeport.signals.sweep import Content, Report, Reports, Span, Step, Sweep, last_content, step_of
from chargeport.store.protocols import Store
from chargeport.store.records import Run, RunStart
from chargeport.store.retention_policy import Horizon, Hour

PIECES: Final = 128  # runs of a series read at a time: at a sighting a second they are a month, and 22 MB
_CHANGES: Final = 1_000  # read at a time where one source alone reports


class EffectiveHistory:
    """Reads the history of a car's signals until now. With `only`, as if this source were the only one."""

    def __init__(self, store: Store, now: int, only: str | None = None) -> None:
        self._store = store
        self._now = now
        self._only = only

    async def sources(self, vehicle_id: str, signal: Signal) -> list[str]:
        """Return the sources that reported the signal, the derived values last."""
        found = await self._store.history.sources_of(vehicle_id, signal)
        return sorted((each for each in found if self._only in (None, each)), key=lambda each: (is_derived(each), each))

    async def steps(
        self,
        vehicle_id: str,
        signal: Signal,
        from_at: int | None,
        to_at: int | None,
        *,
        after: RunStart | None = None,
        limit: int,
    ) -> list[Step]:
        """Return up to `limit` changes of the effective value from `from_at` on, or after `after`, and before `to_at`."""
        alone = await self._alone(vehicle_id, signal)
        if alone is not None:
            return await self._changes(vehicle_id, signal, from_at, to_at, alone, after=after, limit=limit)
        start = max(after.observed_at + 1 if after is not None else 0, from_at or 0)
        found: list[Step] = []
        last: Content | None = None
        async for spans in self.spans(vehicle_id, signal, start - 1, await self._until(vehicle_id, signal, to_at)):
            for span in spans:
                step = step_of(span)
                if span.start < start:
                    last = last_content(span)
                elif step is not None and (step.value, step.absence) != last:
                    last = step.value, step.absence
                    found.append(step)
                    if len(found) == limit:
                        return found
        return found

    async def spans(self, vehicle_id: str, signal: Signal, start: int, until: int) -> AsyncIterator[list[Span]]:
        """Yield the spans between two instants, in parts. The first begins with what was known at the first instant."""
        signals = [signal] if signal.cadence is Cadence.LASTING and signal is not CABLE_CONNECTED else _with_flags(signal)
        series = [(each, source) for each in signals for source in await self.sources(vehicle_id, each)]
        readings = self._store.readings
        at = start + 1
        sweep = Sweep(signal, readings.ranks, readings.freshness, start, await self._known(vehicle_id, signals, start))
        while at < until:
            upto, reports = await self._reports(vehicle_id, series, at, until)
            yield await asyncio.to_thread(_taken, sweep, reports, upto)
            at = upto

    async def horizon(self, vehicle_id: str, signal: Signal) -> Horizon | None:
        """Return since when the signal's runs are complete. See `store.protocols.History`."""
        return await self._store.history.horizon(vehicle_id, signal)

    async def hours(self, vehicle_id: str, signal: Signal, from_at: int, to_at: int, *, limit: int) -> list[Hour]:
        """Return the stored hours: of several sources the preferred one's; of a flag the one in which it was true longest."""
        found: dict[int, list[Hour]] = {}
        cut_at = None
        for source in await self.sources(vehicle_id, signal):
            hours = await self._store.history.hours(vehicle_id, signal, from_at, to_at, source=source, limit=limit)
            if len(hours) >= limit:
                cut_at = min(hours[-1].start, cut_at or hours[-1].start)
            for hour in hours:
                found.setdefault(hour.start, []).append(hour)
        starts = sorted(start for start in found if cut_at is None or start <= cut_at)
        return [self._preferred(signal, found[start]) for start in starts]

    def _preferred(self, signal: Signal, hours: Sequence[Hour]) -> Hour:
        ranks = self._store.readings.ranks
        if ranks.is_either(signal):
            return max(hours, key=lambda hour: (not is_derived(hour.source), hour.shares.get(True, 0), hour.held_ms))
        return min(hours, key=lambda hour: (not hour.held_ms, is_derived(hour.source), ranks.rank(signal, hour.source)))

    async def _until(self, vehicle_id: str, signal: Signal, to_at: int | None) -> int:
        """Return where history ends: now, or after the newest report where that is ahead of the clock."""
        known = await self._store.readings.signal(vehicle_id, signal)
        series = () if known is None else known.series.values()
        reported = [max(state.observed_at or 0, state.absence_at or 0) for states in series for state in states]
        end = max(self._now, *reported, 0) + 1
        return end if to_at is None else min(to_at, end)

    async def first_at(self, vehicle_id: str, signal: Signal) -> int | None:
        """Return since when the signal is known in its finest form; None where it is not."""
        found = [
            run.observed_at
            for source in await self.sources(vehicle_id, signal)
            for run in await self._store.history.history(vehicle_id, signal, source=source, limit=1)
        ]
        return min(found, default=None)

    async def _alone(self, vehicle_id: str, signal: Signal) -> str | None:
        """Return the only source that reported the signal, where no other source reported a flag; else None."""
        sources = await self.sources(vehicle_id, signal)
        if len(sources) != 1:
            return None
        tied = () if signal.cadence is Cadence.LASTING and signal is not CABLE_CONNECTED else (IS_CHARGING, CABLE_CONNECTED)
        others = {each for flag in tied for each in await self.sources(vehicle_id, flag)} - {DERIVED}
        return sources[0] if others <= set(sources) else None

    async def _changes(
        self,
        vehicle_id: str,
        signal: Signal,
        from_at: int | None,
        to_at: int | None,
        source: str,
        *,
        after: RunStart | None,
        limit: int,
    ) -> list[Step]:
        runs: list[Run] = []
        while len(runs) < limit:
            behind = RunStart(runs[-1].observed_at, runs[-1].position) if runs else after
            wanted = min(limit - len(runs), _CHANGES)
            part = await self._store.history.history(
                vehicle_id, signal, from_at, to_at, source=source, after=behind, limit=wanted
            )  # fmt: skip
            runs += part
            if len(part) < wanted:
                break
        return [_step(signal, run) for run in runs]

    async def _known(self, vehicle_id: str, signals: Sequence[Signal], at: int) -> dict[int, tuple[State, ...]]:
        found = await self._store.history.series_at(vehicle_id, at)
        if found is None:
            return {}
        keys = {signal.key for signal in signals}
        return {key: self._wanted(states) for key, states in found.series.items() if key in keys}

    def _wanted(self, states: Iterable[State]) -> tuple[State, ...]:
        return tuple(state for state in states if self._only in (None, state.source))

    async def _reports(
        self, vehicle_id: str, series: Sequence[tuple[Signal, str]], at: int, until: int
    ) -> tuple[int, Reports]:  # fmt: skip
        """Return the reports of the series from `at` on, as far as one read reaches, and up to where that is."""
        counts = Counter(signal for signal, _ in series)
        found: dict[tuple[Signal, str], list[Run]] = {}
        for every in (True, False):
            chosen = [one for one in series if (one[0].cadence is Cadence.LIVE or counts[one[0]] > 1) is every]
            if chosen:
                pieces = await self._store.history.pieces(vehicle_id, chosen, at, until, limit=PIECES, every=every)
                found |= zip(chosen, pieces, strict=True)
        for runs in found.values():
            if sum(run.observed_at >= at for run in runs) == PIECES:  # the last one may continue: it is read again next time
                until = min(until, runs[-1].observed_at)
        reports: dict[int, dict[str, list[Report]]] = {}
        for signal, source in series:
            seen = (each for run in found[signal, source] for each in _seen(run))
            reports.setdefault(signal.key, {})[source] = [each for each in seen if at <= each.at < until]
        return until, reports


def _with_flags(signal: Signal) -> list[Signal]:
    return list(dict.fromkeys((signal, IS_CHARGING, CABLE_CONNECTED)))


def _taken(sweep: Sweep, reports: Reports, until: int) -> list[Span]:
    return list(sweep.take(reports, until))


def _seen(run: Run) -> Iterable[Report]:
    """Yield the reports of a run; without its sightings only the first one."""
    for at in run.sightings or (run.observed_at,):
        yield Report(at, run.received_at, run.value, run.absence, run.rule)


def _step(signal: Signal, run: Run) -> Step:
    at, source, received_at = run.observed_at, run.source, run.received_at
    if run.absence is not None:
        state = State(
            signal, source=source, position=run.position, absence=run.absence, absence_at=at, absence_received_at=received_at,
            absence_source=source, rule=run.rule,
        )  # fmt: skip
    else:
        state = State(signal, run.value, at, at, received_at, source, run.position, rule=run.rule)
    return Step(at, state, run.value, run.absence)
