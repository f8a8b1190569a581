"""The effective history of a signal: `effective` at every instant, from what each source reported in the course of time.

It is worked out when it is wanted and never stored.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import merge
from itertools import groupby
from typing import NamedTuple

import msgspec

from chargeport.signals.catalogue import BY_KEY
from chargeport.signals.definition import Signal, Value
from chargeport.signals.effective import Effective, effective, next_change_at
from chargeport.signals.flags import has_value
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


Reports = Mapping[int, Mapping[str, Sequence[Report]]]
"""By signal key and source, in order of time."""


class Span(NamedTuple):
    """From `start` on and before `end`, this was the effective state; None where nothing was known."""

    start: int
    end: int
    effective: Effective | None


class Step(NamedTuple):
    """From `at` on the effective value was this, or there was none for this reason."""

    at: int
    state: State
    value: Value | None
    absence: AbsenceReason | None


def sweep(signal: Signal, reports: Reports, ranks: Ranks, freshness: Freshness, until: int) -> Iterator[Span]:
    """The spans of a signal's effective history before `until`, from the first report on, one behind the other.

    `reports` holds those of this signal and of the flags that `effective` looks at.
    """
    states: dict[tuple[int, str], State] = {}
    at: int | None = None
    for next_at, together in groupby(_in_order(reports), key=lambda each: each[0]):
        if next_at >= until:
            break
        if at is not None:
            yield from _between(signal, _series(states), ranks, at, next_at)
        for _, key, source, report in together:
            states[key, source] = reported(states.get((key, source)), BY_KEY[key], source, report, freshness)
        at = next_at
    if at is not None:
        yield from _between(signal, _series(states), ranks, at, until)


def steps(spans: Iterable[Span]) -> Iterator[Step]:
    """The changes of the effective value: what grows stale, or is over with its session, is no change."""
    last: tuple[Value | None, AbsenceReason | None] | None = None
    for span in spans:
        found = span.effective
        if found is None or (found.unavailability is not None and has_value(found.state)):
            continue
        now_is = (found.state.value, None) if found.unavailability is None else (None, found.state.absence)
        if now_is != last:
            yield Step(span.start, found.state, *now_is)
            last = now_is


def reported(before: State | None, signal: Signal, source: str, report: Report, freshness: Freshness) -> State:
    """The state of a series after one more report, which is the newest."""
    at, received_at, value, absence = report
    known = before or State(signal, source=source, live_for_ms=freshness.of(source, signal))
    if absence is not None:
        return msgspec.structs.replace(
            known, absence=absence, absence_at=at, absence_received_at=received_at, absence_source=source
        )
    is_same = known.value == value and known.observed_at is not None and has_value(known)
    changed_at = known.changed_at if is_same else at
    return msgspec.structs.replace(known, value=value, observed_at=at, changed_at=changed_at, received_at=received_at)


def _in_order(reports: Reports) -> Iterator[tuple[int, int, str, Report]]:
    of_series = (
        [(report.at, key, source, report) for report in found]
        for key, sources in reports.items()
        for source, found in sources.items()
    )
    return merge(*of_series, key=lambda each: each[:3])


def _series(states: Mapping[tuple[int, str], State]) -> dict[int, list[State]]:
    series: dict[int, list[State]] = {}
    for (key, _), state in states.items():
        series.setdefault(key, []).append(state)
    return series


def _between(signal: Signal, series: Mapping[int, Sequence[State]], ranks: Ranks, start: int, end: int) -> Iterator[Span]:
    """The spans between two reports: time alone may change what is effective."""
    at = start
    while at < end:
        turn = next_change_at(signal, series, at)
        next_at = end if turn is None else min(turn, end)
        yield Span(at, next_at, effective(signal, series, ranks, at))
        at = next_at
