"""The feed for readers: the changes that were effective at their instant, and the stored position of each consumer."""

from collections.abc import Sequence
from typing import Final

from chargeport.signals.definition import Signal
from chargeport.signals.effective import Effective, effective
from chargeport.signals.flags import has_value
from chargeport.signals.ranks import DERIVED_FIRST, is_derived
from chargeport.store.protocols import Store
from chargeport.store.records import Change, VehicleSeries

MAX_CARS: Final = 100_000  # whose reporting sources are cached: some 20 MB

_KEY: Final = "cursor"


class EffectiveFeed:
    """Selects the changes that are events. Of a car with one source, nearly every change is one."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._reporting: dict[str, frozenset[str]] = {}

    async def events(self, changes: Sequence[Change]) -> list[Change]:
        """Return the changes that were effective at the instant at which they were observed. Raises StoreError."""
        return [change for change in changes if await self._is_alone(change) or await self._is_effective(change)]

    async def _is_alone(self, change: Change) -> bool:
        """Return whether no value can take precedence over the change: only its source reports the car."""
        known = self._reporting.get(change.vehicle_id)
        if known is None:
            found = await self._store.readings.signals(change.vehicle_id)
            if len(self._reporting) >= MAX_CARS:
                self._reporting.clear()
            states = () if found is None else (state for each in found.series.values() for state in each)
            known = frozenset(str(state.source) for state in states if not is_derived(state.source))
            self._reporting[change.vehicle_id] = known
        if is_derived(change.source) or change.signal in DERIVED_FIRST:
            return not known
        if change.source not in known:
            known = self._reporting[change.vehicle_id] = known | {change.source}
        return len(known) == 1

    async def _is_effective(self, change: Change) -> bool:
        counts = await self._counted(change.vehicle_id, change.signal, change.observed_at)
        if counts is None or counts.state.source != change.source:
            return False
        if change.absence is not None:
            return not has_value(counts.state) and counts.state.absence is change.absence
        return counts.unavailability is None and counts.state.value == change.value

    async def _counted(self, vehicle_id: str, signal: Signal, at: int) -> Effective | None:
        """Return the effective value of the signal at an instant; the latest states suffice if nothing newer is known."""
        found = await self._store.readings.signal(vehicle_id, signal)
        if found is not None and _is_newer(found, at):
            found = await self._store.history.series_at(vehicle_id, at)
        return None if found is None else effective(signal, found.series, self._store.readings.ranks, at)


def _is_newer(found: VehicleSeries, at: int) -> bool:
    """Return whether anything was reported after an instant."""
    return any(max(state.observed_at or 0, state.absence_at or 0) > at for each in found.series.values() for state in each)


class FeedCursor:
    """The position in the feed up to which a consumer has processed it, stored under the consumer's name."""

    def __init__(self, store: Store, consumer: str) -> None:
        self._store = store
        self._consumer = consumer

    async def position(self) -> int:
        """Return the position up to which the feed was processed; a first start begins at its end. Raises StoreError."""
        known = await self._store.notes.recall(self._consumer, _KEY)
        if known is not None:
            return int(known)
        position = await self._store.readings.position()
        await self.keep(position)
        return position

    async def keep(self, position: int) -> None:
        """Store that everything up to this position is processed. Raises StoreError."""
        await self._store.notes.remember(self._consumer, _KEY, str(position))
