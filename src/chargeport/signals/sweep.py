"""The effective history of a signal: `effective` at every instant, from what each source reported in the course of time.

It is worked out when it is wanted and never stored.
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
from chargeport.signals.flags import Series, has_value
from chargeport.signals.freshness import Freshness
from chargeport.signals.ranks import Ranks
from chargeport.signals.reading import AbsenceReason
from chargeport.signals.state import State


class Report(NamedTuple):
    """What a source reported of a signal at one instant: a value or, with None, the reason why there is none."""

    at: int
    received_at: int
    value: Value | None
    absence: AbsenceReason | None = None
    rule: str | None = None


Reports = Mapping[int, Mapping[str, Sequence[Report]]]
"""By signal key and source, in order of time."""


class Span(NamedTuple):
    """From `start` on and before `end`, this was the effective state; None where nothing was known."""

    start: int
    end: int
    effective: Effective | None


Content = tuple[Value | None, AbsenceReason | None]
"""A value, or why there is none."""


class Step(NamedTuple):
    """From `at` on the effective value was this, or there was none for this reason."""

    at: int
    state: State
    value: Value | None
    absence: AbsenceReason | None


class Sweep:
    """Goes through time once, from what was known at `start`: the series of the signal and of the flags."""

    def __init__(self, signal: Signal, ranks: Ranks, freshness: Freshness, start: int, series: Series | None = None) -> None:
        self._signal = signal
        self._ranks = ranks
        self._freshness = freshness
        self._at = start
        self._series = {key: {str(state.source): state for state in states} for key, states in (series or {}).items()}
        self._known: dict[int, Sequence[State]] = {key: tuple(states.values()) for key, states in self._series.items()}

    def take(self, reports: Reports, until: int) -> Iterator[Span]:
        """Yield the spans until then. The reports are all those that were observed meanwhile."""
        for at, together in groupby(_in_order(reports), key=itemgetter(0)):
            if at >= until:
                break
            yield from self._go_on(at)
            for _, key, source, report in together:
                states = self._series.setdefault(key, {})
                states[source] = reported(states.get(source), BY_KEY[key], source, report, self._freshness)
                self._known[key] = tuple(states.values())
        yield from self._go_on(until)

    def _go_on(self, until: int) -> Iterator[Span]:
        """Yield the spans in which nothing is reported: time alone may change what is effective."""
        while self._at < until:
            turn = next_change_at(self._signal, self._known, self._at)
            end = until if turn is None else min(turn, until)
            yield Span(self._at, end, effective(self._signal, self._known, self._ranks, self._at))
            self._at = end


def steps(spans: Iterable[Span]) -> Iterator[Step]:
    """Yield the changes of the effective value: what grows stale, or is over with its session, is no change."""
    last: Content | None = None
    for span in spans:
        step = step_of(span)
        if step is not None and (step.value, step.absence) != last:
            yield step
            last = step.value, step.absence


def step_of(span: Span) -> Step | None:
    """Return what a span shows; None where it shows nothing that anybody reported as true then."""
    found = span.effective
    if found is None or (found.unavailability is not None and has_value(found.state)):
        return None
    if found.unavailability is None:
        return Step(span.start, found.state, found.state.value, None)
    return Step(span.start, found.state, None, found.state.absence)


def said_before(span: Span) -> Content | None:
    """Return what was shown last in a span or before it, as far as the states tell: where nothing holds, what ended."""
    found = span.effective
    if found is None:
        return None
    return (found.state.value, None) if has_value(found.state) else (None, found.state.absence)


def reported(before: State | None, signal: Signal, source: str, report: Report, freshness: Freshness) -> State:
    """Return the state of a series after one more report, which is the newest."""
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
        [(report.at, key, source, report) for report in found]
        for key, sources in reports.items()
        for source, found in sources.items()
    )
    return merge(*series, key=itemgetter(0, 1, 2))
