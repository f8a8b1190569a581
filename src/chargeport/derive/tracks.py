"""The history of signals in the form that derivations read: a track of each signal, in pieces with their sightings."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Final, NamedTuple

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


AT: Final = itemgetter(0)
"""The instant of a sample, or of another tuple that begins with one. In bisections a function takes twice as long."""


class Track(msgspec.Struct, frozen=True):
    """The pieces of one signal, of all its sources: those that begin in a range, and those that held at its start."""

    signal: Signal
    pieces: tuple[Piece, ...]

    def samples(self, from_at: int | None = None, to_at: int | None = None) -> list[Sample]:
        """Return every report of a value from `from_at` to `to_at`, both included, ordered by time and source.

        Of two values of one source at one instant the greater one counts, as in the store (ADR 0003).
        """
        every = [
            Sample(at, piece.value, piece.source) for piece in self.pieces if piece.value is not None for at in piece.instants()
        ]
        every.sort(key=_AT_AND_SOURCE)
        ordered = every[:1]
        for sample in every[1:]:
            last = ordered[-1]
            if sample.at != last.at or sample.source != last.source:
                ordered.append(sample)
            elif _is_greater(sample, last):
                ordered[-1] = sample
        start = 0 if from_at is None else bisect_left(ordered, from_at, key=AT)
        end = len(ordered) if to_at is None else bisect_right(ordered, to_at, key=AT)
        return ordered[start:end]


_AT_AND_SOURCE: Final = itemgetter(0, 2)  # of a sample

Tracks = Mapping[Signal, Track]


def _is_greater(sample: Sample, than: Sample) -> bool:
    if isinstance(sample.value, str) or isinstance(than.value, str):
        return str(sample.value) > str(than.value)
    return sample.value > than.value


def sightings(tracks: Tracks) -> int:
    """Return the number of reports in these tracks."""
    return sum(max(1, len(piece.sightings)) for track in tracks.values() for piece in track.pieces)


def samples(tracks: Tracks, signal: Signal) -> list[Sample]:
    """Return the samples of a signal; none where it has no track."""
    track = tracks.get(signal)
    return [] if track is None else track.samples()


def between(found: Sequence[Sample], from_at: int, to_at: int) -> Sequence[Sample]:
    """Return those of the samples, ordered by time, from `from_at` to `to_at`, both included."""
    start = bisect_left(found, from_at, key=AT)
    return found[start : bisect_right(found, to_at, start, key=AT)]


def by_source(found: Sequence[Sample]) -> dict[str, list[Sample]]:
    """Return the samples of each source, by its name."""
    grouped: dict[str, list[Sample]] = {}
    for sample in found:
        grouped.setdefault(sample.source, []).append(sample)
    return dict(sorted(grouped.items()))


def number(sample: Sample) -> float:
    """Return the value of a sample of a quantity."""
    assert isinstance(sample.value, (int, float)), f"{sample.value!r} is not a number"  # noqa: S101
    return sample.value
