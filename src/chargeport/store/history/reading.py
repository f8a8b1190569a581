"""Reads of the runs and hours of a series: changes, pieces, what was known at an instant, every sighting."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple, Protocol

import msgspec

from chargeport.signals.catalogue import IS_CHARGING
from chargeport.signals.definition import Cadence, Signal, Value
from chargeport.signals.freshness import Freshness
from chargeport.signals.reading import AbsenceReason
from chargeport.signals.state import State
from chargeport.store.history.latest import Latest
from chargeport.store.history.runs import ALWAYS, Rows, Run, head
from chargeport.store.records import RunStart
from chargeport.store.retention_policy import HOUR_MS, Horizon, Hour


def changes(rows: Rows, from_at: int | None, to_at: int | None, after: RunStart | None, limit: int) -> list[Run]:
    """Return the changes in [from_at, to_at) after `after`, each with when it was last seen before the next."""
    start, end = -ALWAYS if from_at is None else from_at, ALWAYS if to_at is None else to_at
    if after is None or after.observed_at < start:
        before = next(rows.back(start), None)
    else:  # its own instant is read again: a greater value may have been stored since
        start, before = after.observed_at, rows.at(*after)
    found: list[Run] = []
    for run in rows.onward(start):
        if before is None or not before.says(run.value, run.absence):
            if len(found) == limit or run.observed_at >= end:
                break
            found.append(run)
        elif found:
            found[-1] = found[-1]._replace(last_seen_at=run.ends_at)
        before = run
    return found


def pieces(rows: Rows, from_at: int, to_at: int, *, limit: int, every: bool) -> list[Run]:
    """Return the run that was valid just before an instant, then up to `limit` that begin in [from_at, to_at)."""
    before = list(islice(rows.back(from_at, seen=every), 1))
    return before + [run for run in islice(rows.onward(from_at, seen=every), limit) if run.observed_at < to_at]


class Past(Protocol):
    """The stored series of a car, in a snapshot."""

    def rows(self, signal: Signal, source: str) -> Rows:
        """Return the runs of a series."""
        ...

    def horizon(self, signal: Signal) -> Horizon | None:
        """Return since when the runs of a signal are whole; None where nothing was folded."""
        ...

    def hour_before(self, signal: Signal, source: str, at: int) -> Hour | None:
        """Return the newest hour of a series until that of an instant."""
        ...

    def value(self, signal: Signal, value: Any) -> Value | None:
        """Return a value of a run in the form for readers."""
        ...

    def rule(self, rule: Any) -> str | None:
        """Return a run's rule in the form for readers."""
        ...


def states_at(present: Iterable[State], past: Past, at: int, freshness: Freshness) -> dict[int, tuple[State, ...]]:
    """Return what was known at an instant, by signal key, of the series that have these states now.

    Where only hours are stored, a series that changed after the instant in its hour is left out: its value then is unknown.
    If that is charge-ischarging, so are the live values of the same source: which of its sessions had ended is unknown.
    """
    found: dict[int, tuple[State, ...]] = {}
    lost: set[str | None] = set()
    for state in sorted(present, key=lambda each: each.signal is not IS_CHARGING):
        known: State | None = state
        if max(state.observed_at or -1, state.absence_at or -1) > at:
            known = _then(state, past, at)
            if known is None and state.signal is IS_CHARGING and _is_lost(state, past, at):
                lost.add(state.source)
        if known is None or (known is not state and state.source in lost and state.signal.cadence is Cadence.LIVE):
            continue
        known = msgspec.structs.replace(known, live_for_ms=freshness.of(state.source, state.signal))
        found[state.signal.key] = (*found.get(state.signal.key, ()), known)
    return found


def _then(present: State, past: Past, at: int) -> State | None:
    """Return what was known of a series at an instant before its newest entry."""
    signal, source = present.signal, present.source or ""
    horizon = past.horizon(signal)
    if horizon is not None and at < horizon.raw_from:
        hour = past.hour_before(signal, source, at)
        return None if hour is None or _is_behind(hour, at) else _state_of(present, hour)
    found = _state_at(past.rows(signal, source), present, at)
    if found is None:
        return None
    return msgspec.structs.replace(found, value=past.value(signal, found.value), rule=past.rule(found.rule))


def _is_lost(present: State, past: Past, at: int) -> bool:
    """Return whether a value of a series was known at an instant, but is no longer stored."""
    horizon = past.horizon(present.signal)
    if horizon is None or at >= horizon.raw_from:
        return False
    hour = past.hour_before(present.signal, present.source or "", at)
    return hour is not None or (horizon.hours_from is not None and at < horizon.hours_from)


def _state_at(rows: Rows, present: State, at: int) -> State | None:
    """Return the state of a series at an instant; the value and the rule are the backend's. None if nothing was known."""
    holding = next(rows.back(at + 1), None)
    if holding is None:
        return None
    known = _value_at(rows, present, at)
    if holding.absence is None:
        return known
    known = known or State(present.signal, source=present.source, rule=holding.rule)
    if present.absence_at is not None and present.absence_at <= at:
        return _absent(known, holding.absence, present.absence_at, present.absence_received_at)
    absent_at = max(seen for seen in holding.sightings() if seen <= at)
    return _absent(known, holding.absence, absent_at, holding.received_at)


def _value_at(rows: Rows, present: State, at: int) -> State | None:
    """Return the newest value until an instant, with the times that it had then; None if there was none."""
    run = rows.value_before(at + 1)
    if run is None:
        return None
    sightings = run.sightings()
    observed_at, changed_at = sightings[bisect_right(sightings, at) - 1], head(rows, run)[0].observed_at
    if observed_at == present.observed_at:
        received_at = present.received_at
    else:  # the receipt of later sightings is not stored; it was not before their observation
        received_at = run.received_at if observed_at == run.observed_at else max(run.received_at, observed_at)
    return State(present.signal, run.value, observed_at, changed_at, received_at, present.source, run.position, rule=run.rule)


def _absent(state: State, reason: str, at: int, received_at: int | None) -> State:
    return msgspec.structs.replace(
        state, absence=AbsenceReason(reason), absence_at=at, absence_received_at=received_at, absence_source=state.source
    )


def _is_behind(hour: Hour, at: int) -> bool:
    """Return whether something was observed later than an instant in its hour, so that the value at the instant is unknown."""
    newest_at = hour.value_at if hour.absence_at is None else hour.absence_at
    return at < hour.start + HOUR_MS and (newest_at is None or at < newest_at)


def _state_of(present: State, hour: Hour) -> State:
    return State(
        present.signal, hour.value, hour.value_at, hour.since_at, hour.value_at, hour.source,
        absence=hour.absence, absence_at=hour.absence_at, absence_received_at=hour.absence_at,
        absence_source=None if hour.absence is None else hour.source, rule=hour.rule,
    )  # fmt: skip


class Seen(NamedTuple):
    """A value or an absence at one instant, as the backend has it."""

    at: int
    value: Any
    absence: str | None
    received_at: int | None = None

    def rank(self) -> tuple[Any, ...]:
        """Return its order at one instant: the greater is valid, and a value is greater than an absence."""
        return (0, self.absence) if self.absence is not None else (1, self.value)


def sightings(runs: Iterable[Run], latest: Latest, start: int, end: int, *, every: bool) -> Iterator[Seen]:
    """Yield the sightings in [start, end) of runs in the order of their first instants; at one instant the valid one first.

    Of each run the first and the last within the bounds, or every one. `runs` are all that begin before `end`, from the newest
    on that begins until `start`, each with the sightings that only `latest` has.
    """
    held: list[Seen] = []  # a run's are held back until the next one begins: it may begin earlier
    for run in runs:
        ready = [seen for seen in held if seen.at < run.observed_at]
        held = [seen for seen in held if seen.at >= run.observed_at]
        held += _seen(run, latest, start, end, every=every)
        yield from _sorted(ready)
    yield from _sorted(held)


def _seen(run: Run, latest: Latest, start: int, end: int, *, every: bool) -> list[Seen]:
    """Return the requested sightings of a run. The receipt is known of the first, and of the newest of all."""
    first = Seen(run.observed_at, run.value, run.absence, run.received_at)
    known = {run.observed_at: first}
    if run.position == latest.position and run.absence is None and latest.observed_at is not None:
        known[latest.observed_at] = first._replace(at=latest.observed_at, received_at=latest.received_at)
    if run.absence is not None and latest.absence_at == run.ends_at:
        known[run.ends_at] = first._replace(at=run.ends_at, received_at=latest.absence_received_at)
    wanted = [at for at in run.sightings() if start <= at < end]
    if not every:
        wanted = [*wanted[:1], *wanted[-1:]][: len(wanted)]
    return [known.get(at) or Seen(at, run.value, run.absence) for at in wanted]


def _sorted(found: list[Seen]) -> list[Seen]:
    """Order by time; at one instant the valid one first, so that storing them in this order never splits a run."""
    if len(found) > 1:
        found.sort(key=Seen.rank, reverse=True)
        found.sort(key=lambda seen: seen.at)
    return found
