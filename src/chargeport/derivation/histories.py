"""From the store's history to the tracks that derivations read."""

from collections.abc import Iterable
from typing import Final

from chargeport.derive.tracks import Piece, Track, Tracks
from chargeport.signals.definition import Signal
from chargeport.signals.effective import DERIVED
from chargeport.store.protocols import History
from chargeport.store.records import Run

PORTION: Final = 500  # runs read at once


async def tracks(history: History, vehicle_id: str, signals: Iterable[Signal], from_at: int, to_at: int) -> Tracks:
    """The tracks of these signals between two instants, each with the piece that held before."""
    found = {signal: await track(history, vehicle_id, signal, from_at, to_at) for signal in signals}
    return {signal: each for signal, each in found.items() if each.pieces}


async def track(history: History, vehicle_id: str, signal: Signal, from_at: int, to_at: int, *, every: bool = True) -> Track:
    """What all sources reported of a signal; `every`: with all sightings, else the first and the last of each piece."""
    found: list[Run] = []
    for source in await history.sources_of(vehicle_id, signal):
        if source != DERIVED:
            found += await _runs(history, vehicle_id, signal, from_at, to_at, source=source, every=every)
    found.sort(key=lambda run: (run.observed_at, run.position))
    return Track(signal, tuple(map(_piece, found)))


async def first_at(history: History, vehicle_id: str, signal: Signal) -> int | None:
    """When a signal was reported first; None where nothing of it is kept."""
    sources = [source for source in await history.sources_of(vehicle_id, signal) if source != DERIVED]
    firsts = [await history.history(vehicle_id, signal, source=source, limit=1) for source in sources]
    return min((first[0].observed_at for first in firsts if first), default=None)


async def _runs(
    history: History, vehicle_id: str, signal: Signal, from_at: int, to_at: int, *, source: str, every: bool
) -> list[Run]:
    found: dict[int, Run] = {}
    begin = from_at
    while True:
        runs = await history.pieces(vehicle_id, signal, begin, to_at, source=source, limit=PORTION, every=every)
        fresh = [run for run in runs if run.position not in found]
        found |= {run.position: run for run in fresh}
        if len(runs) < PORTION or not fresh:
            return list(found.values())
        begin = runs[-1].observed_at  # again, for several may begin at one instant


def _piece(run: Run) -> Piece:
    absence = None if run.absence is None else run.absence.value
    return Piece(run.observed_at, run.last_seen_at, run.value, run.source, run.sightings, absence)
