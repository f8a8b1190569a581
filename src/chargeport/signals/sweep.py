"""The effective history of a signal: the result of `effective` over time, from the reports of each source.

It is computed for each read and never stored.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import merge
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

import msgspec

from chargeport.signals.catalogue import BY_KEY
from chargeport.signals.definition import Signal, Value
from chargeport.signals.effective import Effective, effective, next_change_at
from chargeport.signals.flags import has_value
from chargeport.signals.freshness import Freshness
from chargeport.signals.ranks import Ranks
from chargeport.signals.reading import AbsenceReason
from chargeport.signals.state import Series, State


class Report(NamedTuple):
    """The report of a source about a signal at one instant: a value, or None and the reason of the absence."""

    at: int
    received_at: int
    value: Value | None
    absence: AbsenceReason | None = None
    rule: str | None = None


Reports = Mapping[int, Mapping[str, Sequence[Report]]]
"""By signal key and source, ordered by time."""


class Span(NamedTuple):
    """The effective state from `start` until before `end`; None where there was no series."""

    start: int
    end: int
    effective: Effective | None


Content = tuple[Value | None, AbsenceReason | None]
"""A value, or the reason of an absence."""


class Step(NamedTuple):
    """A change of the effective value: from `at` on the signal has this value, or is absent for this reason."""

    at: int
    state: State
    value: Value | None
    absence: AbsenceReason | None


class Sweep:
    """Compute the effective states of a signal in one pass over time.

    `series` are those of the signal and of the flags at `start`.
    """

    def __init__(self, signal: Signal, ranks: Ranks, freshness: Freshness, start: int, series: Series | None = None) -> None:
        self._signal = signal
        self._ranks = ranks
        self._freshness = freshness
        self._at = start
        self._series = {key: {str(state.source): state for state in states} for key, states in (series or {}).items()}
        self._known: dict[int, Sequence[State]] = {key: tuple(states.values()) for key, states in self._series.items()}

    def take(self, reports: Reports, until: int) -> Iterator[Span]:
        """Yield the spans until then; `reports` are all reports of this time."""
        for at, together in groupby(_in_order(reports), key=itemgetter(0)):
            if at >= until:
                break
            yield from self._advance(at)
            for _, key, source, report in together:
                states = self._series.setdefault(key, {})
                states[source] = reported(states.get(source), BY_KEY[key], source, report, self._freshness)
                self._known[key] = tuple(states.values())
        yield from self._advance(until)

    def _advance(self, until: int) -> Iterator[Span]:
        """Yield the spans without reports: time alone may change the effective state, such as when a value becomes stale."""
        while self._at < until:
            change_at = next_change_at(self._signal, self._known, self._at)
            end = until if change_at is None else min(change_at, until)
            yield Span(self._at, end, effective(self._signal, self._known, self._ranks, self._at))
            self._at = end


def steps(spans: Iterable[Span]) -> Iterator[Step]:
    """Yield the changes of the effective value. A value that becomes stale, or whose session ends, is no change."""
    last: Content | None = None
    for span in spans:
        step = step_of(span)
        if step is not None and (step.value, step.absence) != last:
            yield step
            last = step.value, step.absence


def step_of(span: Span) -> Step | None:
    """Return the value or absence of a span; None where there is no series, or its value is unavailable."""
    counted = span.effective
    if counted is None or (counted.unavailability is not None and has_value(counted.state)):
        return None
    if counted.unavailability is None:
        return Step(span.start, counted.state, counted.state.value, None)
    return Step(span.start, counted.state, None, counted.state.absence)


def last_content(span: Span) -> Content | None:
    """Return the last value or absence of a span, whether it is available or not; None without a series."""
    if span.effective is None:
        return None
    state = span.effective.state
    return (state.value, None) if has_value(state) else (None, state.absence)


def reported(before: State | None, signal: Signal, source: str, report: Report, freshness: Freshness) -> State:
    """Return the state of a series after a report that is newer than it."""
    at, received_at, value, absence, rule = report
    known = before or State(signal, source=source, live_for_ms=freshness.of(source, signal))
    if absence is not None:
        return msgspec.structs.replace(
            known, absence=absence, absence_at=at, absence_received_at=received_at, absence_source=source
        )
    is_same = known.value == value and known.observed_at is not None and has_value(known)
    changed_at = known.changed_at if is_same else at
    return msgspec.structs.replace(
        known, value=value, observed_at=at, changed_at=changed_at, received_at=received_at, rule=rule
    )


def _in_order(reports: Reports) -> Iterator[tuple[int, int, str, Report]]:
    series = (
        [(report.at, key, source, report) for report in own]
        for key, sources in reports.items()
        for source, own in sources.items()
    )
    return merge(*series, key=itemgetter(0, 1, 2))
