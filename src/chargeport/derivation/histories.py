"""Reading of tracks, the input of derivation, from the store's history."""

from collections.abc import Iterable, Sequence
from typing import Final

from chargeport.derivation.queue import EVER_AT
from chargeport.derive.tracks import Piece, Track, Tracks
from chargeport.signals.definition import Signal
from chargeport.signals.effective import DERIVED
from chargeport.store.protocols import History
from chargeport.store.records import Run, VehicleSeries

PORTION: Final = 500  # runs read at once


async def tracks(
    history: History, found: VehicleSeries, signals: Iterable[Signal], from_at: int, to_at: int, *, every: bool = True
) -> Tracks:
    """Return the tracks of these signals between two instants, with the piece of each source that held at `from_at`.

    `every`: with all sightings, else the first and last of each piece. A signal without any piece has no track.
    """
    series = [(signal, source) for signal in signals for source in sources(found, signal)]
    read: dict[Signal, list[Run]] = {}
    for (signal, _), runs in zip(
        series, await _runs(history, found.vehicle.id, series, from_at, to_at, every=every), strict=True
    ):
        read.setdefault(signal, []).extend(runs)
    return {signal: _track(signal, runs) for signal, runs in read.items() if runs}


async def track(
    history: History, found: VehicleSeries, signal: Signal, from_at: int, to_at: int, *, every: bool = True
) -> Track:
    """Return the track of one signal, without pieces if there are none. See `tracks`."""
    read = await tracks(history, found, (signal,), from_at, to_at, every=every)
    return read.get(signal, Track(signal, ()))


async def pieces(
    history: History, found: VehicleSeries, signal: Signal, from_at: int, to_at: int, *, source: str
) -> list[Piece]:
    """Return the pieces of a signal by one source: the one that held at `from_at`, and those that begin until `to_at`."""
    (runs,) = await _runs(history, found.vehicle.id, [(signal, source)], from_at, to_at, every=False)
    return [_piece(run) for run in sorted(runs, key=lambda run: run.observed_at)]


async def next_piece(history: History, found: VehicleSeries, signal: Signal, from_at: int, *, source: str) -> Piece | None:
    """Return the first piece of a source that begins at `from_at` or later; None where there is none."""
    (runs,) = await history.pieces(found.vehicle.id, [(signal, source)], from_at, EVER_AT, limit=1, every=False)
    return next((_piece(run) for run in runs if run.observed_at >= from_at), None)


async def first_at(history: History, found: VehicleSeries, signal: Signal) -> int | None:
    """Return the first instant of a signal in history; None where it has none."""
    firsts = [await history.history(found.vehicle.id, signal, source=source, limit=1) for source in sources(found, signal)]
    return min((first[0].observed_at for first in firsts if first), default=None)


def sources(found: VehicleSeries, signal: Signal) -> list[str]:
    """Return the sources that have reported a signal, sorted."""
    names = {state.source for state in found.series.get(signal.key, ()) if state.source is not None}
    return sorted(names - {DERIVED})


async def _runs(
    history: History, vehicle_id: str, series: Sequence[tuple[Signal, str]], from_at: int, to_at: int, *, every: bool
) -> list[list[Run]]:
    """Return all runs of these series: the first of all in one read, the rest of long ones in further reads."""
    if not series:
        return []
    found = await history.pieces(vehicle_id, series, from_at, to_at, limit=PORTION, every=every)
    for one, runs in zip(series, found, strict=True):
        part, known = runs, {run.position for run in runs}
        while len(part) >= PORTION:
            begin = part[-1].observed_at  # read again, because several runs may begin at one instant
            (part,) = await history.pieces(vehicle_id, [one], begin, to_at, limit=PORTION, every=every)
            fresh = [run for run in part if run.position not in known]
            if not fresh:
                break
            runs.extend(fresh)
            known.update(run.position for run in fresh)
    return found


def _track(signal: Signal, runs: list[Run]) -> Track:
    runs.sort(key=lambda run: (run.observed_at, run.position))
    return Track(signal, tuple(map(_piece, runs)))


def _piece(run: Run) -> Piece:
    absence = None if run.absence is None else run.absence.value
    return Piece(run.observed_at, run.last_seen_at, run.value, run.source, run.sightings, absence)
