"""When a value stood: the spans of time in which `state.standing` had nothing to say against it, from its sightings alone.

Agrees with `standing` at every instant; a property test holds the two together.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from chargeport.signals.catalogue import IS_CHARGING
from chargeport.signals.definition import Cadence, Signal, Value
from chargeport.signals.state import LIVE_FOR_MS


class Span(NamedTuple):
    """A value stood from `start` on and before `end`."""

    start: int
    end: int
    value: Value


def stood(
    signal: Signal,
    seen: Iterable[tuple[int, Value | None]],
    pauses: Sequence[tuple[int, int]],
    until: int,
    live_for_ms: int = LIVE_FOR_MS,
) -> Iterator[Span]:
    """The spans in which each value stood, in order; what is next to each other may be of the same value.

    `seen` are the sightings in order (None: an absence); of a lasting signal the first of each run will do. `pauses` are
    those of `not_charging`. Nothing is said of `until` and later. A live value stands for `live_for_ms` after each sighting.
    """
    is_live, ends_with_session = signal.cadence is Cadence.LIVE, signal is not IS_CHARGING
    for (at, value), (next_at, _) in _pairs(seen, until):
        if value is None:
            continue
        end = min(next_at, until, at + live_for_ms) if is_live else min(next_at, until)
        if is_live and ends_with_session:
            yield from _without(pauses, at, end, value)
        elif at < end:
            yield Span(at, end, value)


def not_charging(changes: Iterable[tuple[int, Value | None]], until: int) -> list[tuple[int, int]]:
    """The pauses of charging, each from when it turned false to its next value, from the changes of charge-ischarging.

    An absence (None) says nothing on whether the session is over: the last value goes on to.
    """
    values = [change for change in changes if change[1] is not None]
    return [(at, next_at) for (at, value), (next_at, _) in _pairs(values, until) if value is False]


def _pairs(
    seen: Iterable[tuple[int, Value | None]], until: int
) -> Iterator[tuple[tuple[int, Value | None], tuple[int, Value | None]]]:
    """Each with the one that follows it."""
    last: tuple[int, Value | None] | None = None
    for each in seen:
        if last is not None:
            yield last, each
        last = each
    if last is not None:
        yield last, (until, None)


def _without(pauses: Sequence[tuple[int, int]], start: int, end: int, value: Value) -> Iterator[Span]:
    """The span without the pauses that began after its sighting, for a pause that is older does not concern it."""
    at = start
    for paused_at, goes_on_at in pauses[bisect_right(pauses, start, key=lambda pause: pause[0]) :]:
        if paused_at >= end:
            break
        if at < paused_at:
            yield Span(at, paused_at, value)
        at = max(at, goes_on_at)
    if at < end:
        yield Span(at, end, value)
