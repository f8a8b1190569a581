"""The whole history of a signal, of all its sources."""

from chargeport.signals.definition import Signal
from chargeport.store.protocols import Store
from chargeport.store.records import Run

LIMIT = 100_000


async def all_runs(store: Store, vehicle_id: str, signal: Signal) -> list[Run]:
    """The changes that each source reported, by time."""
    sources = await store.history.sources_of(vehicle_id, signal)
    found = [await store.history.history(vehicle_id, signal, source=source, limit=LIMIT) for source in sources]
    return sorted((run for runs in found for run in runs), key=lambda run: (run.observed_at, run.position))
