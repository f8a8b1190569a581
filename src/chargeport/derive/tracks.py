"""What the store knows of one signal over time, in the form that derivations read: pieces, and the sightings in them."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from chargeport.signals.definition import Signal, Value


class Piece(msgspec.Struct, frozen=True):
    """A value (None: there was none, for the reason in `absence`), from when to when it was seen with nothing else between.

    `sightings` are the instants at which exactly this was reported; without them the first and the last stand for all.
    """

    observed_at: int
    last_seen_at: int
    value: Value | None
    source: str
    sightings: Sequence[int] = ()
    absence: str | None = None

    def instants(self) -> Sequence[int]:
        """Return every instant at which it is known to have been reported."""
        return self.sightings or sorted({self.observed_at, self.last_seen_at})


class Sample(NamedTuple):
    """A value at one instant at which it was reported."""

    at: int
    value: Value
    source: str


class Track(msgspec.Struct, frozen=True):
    """One signal's pieces, of all its sources: those that begin within the time asked for and the ones that held before."""

    signal: Signal
    pieces: tuple[Piece, ...]

    def samples(self, from_at: int | None = None, to_at: int | None = None) -> list[Sample]:
        """Return every sighting of a value from `from_at` to `to_at`, both included, by time and then by source.

        Of two values of one source at one instant the greater holds, as in the store (ADR 0003).
        """
        found: dict[tuple[int, str], Sample] = {}
        for piece in self.pieces:
            if piece.value is None:
                continue
            for at in piece.instants():
                sample = Sample(at, piece.value, piece.source)
                key = (at, piece.source)
                if key not in found or _holds(sample, found[key]):
                    found[key] = sample
        ordered = [found[key] for key in sorted(found)]
        start = 0 if from_at is None else bisect_left(ordered, from_at, key=lambda sample: sample.at)
        end = len(ordered) if to_at is None else bisect_right(ordered, to_at, key=lambda sample: sample.at)
        return ordered[start:end]


Tracks = Mapping[Signal, Track]


def _holds(one: Sample, other: Sample) -> bool:
    """Return whether `one` is the greater value."""
    if isinstance(one.value, str) or isinstance(other.value, str):
        return str(one.value) > str(other.value)
    return one.value > other.value


def samples(tracks: Tracks, signal: Signal) -> list[Sample]:
    """Return the sightings of a signal; none where there is no track of it."""
    track = tracks.get(signal)
    return [] if track is None else track.samples()


def between(found: Sequence[Sample], from_at: int, to_at: int) -> Sequence[Sample]:
    """Return those of the samples, which are by time, that lie from `from_at` to `to_at`, both included."""
    start = bisect_left(found, from_at, key=lambda sample: sample.at)
    return found[start : bisect_right(found, to_at, start, key=lambda sample: sample.at)]


def by_source(found: Sequence[Sample]) -> dict[str, list[Sample]]:
    """Return the samples of each source, by its name."""
    grouped: dict[str, list[Sample]] = {}
    for sample in found:
        grouped.setdefault(sample.source, []).append(sample)
    return dict(sorted(grouped.items()))


def number(sample: Sample) -> float:
    """Return the value of a sample of a quantity."""
    assert isinstance(sample.value, int | float), f"{sample.value!r} is no number"  # noqa: S101
    return sample.value
