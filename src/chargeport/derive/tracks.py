"""The history of signals in the form that derivations read: a track of each signal, in pieces with their sightings."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from chargeport.signals.definition import Signal, Value


class Piece(msgspec.Struct, frozen=True):
    """A run of a series: a value (None: an absence, with its reason), from its first report to its last.

    `sightings` are the instants of all its reports; where they are not given, only the first and the last are known.
    """

    observed_at: int
    last_seen_at: int
    value: Value | None
    source: str
    sightings: Sequence[int] = ()
    absence: str | None = None

    def instants(self) -> Sequence[int]:
        """Return every known instant of its reports."""
        return self.sightings or sorted({self.observed_at, self.last_seen_at})


class Sample(NamedTuple):
    """A reported value and the instant of the report."""

    at: int
    value: Value
    source: str


class Track(msgspec.Struct, frozen=True):
    """The pieces of one signal, of all its sources: those that begin in a range, and those that held at its start."""

    signal: Signal
    pieces: tuple[Piece, ...]

    def samples(self, from_at: int | None = None, to_at: int | None = None) -> list[Sample]:
        """Return every report of a value from `from_at` to `to_at`, both included, ordered by time and source.

        Of two values of one source at one instant the greater one counts, as in the store (ADR 0003).
        """
        found: dict[tuple[int, str], Sample] = {}
        for piece in self.pieces:
            if piece.value is None:
                continue
            for at in piece.instants():
                sample = Sample(at, piece.value, piece.source)
                key = (at, piece.source)
                if key not in found or _is_greater(sample, found[key]):
                    found[key] = sample
        ordered = [found[key] for key in sorted(found)]
        start = 0 if from_at is None else bisect_left(ordered, from_at, key=lambda sample: sample.at)
        end = len(ordered) if to_at is None else bisect_right(ordered, to_at, key=lambda sample: sample.at)
        return ordered[start:end]


Tracks = Mapping[Signal, Track]


def _is_greater(sample: Sample, than: Sample) -> bool:
    if isinstance(sample.value, str) or isinstance(than.value, str):
        return str(sample.value) > str(than.value)
    return sample.value > than.value


def samples(tracks: Tracks, signal: Signal) -> list[Sample]:
    """Return the samples of a signal; none where it has no track."""
    track = tracks.get(signal)
    return [] if track is None else track.samples()


def between(found: Sequence[Sample], from_at: int, to_at: int) -> Sequence[Sample]:
    """Return those of the samples, ordered by time, from `from_at` to `to_at`, both included."""
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
    assert isinstance(sample.value, int | float), f"{sample.value!r} is not a number"  # noqa: S101
    return sample.value
