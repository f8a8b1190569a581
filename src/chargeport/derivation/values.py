"""Whose values are to be worked out, and when: cars that were heard of, each a while after the last time, and silent ones."""

import logging
from heapq import heappop, heappush
from typing import Final

from chargeport.clock import Clock
from chargeport.derivation.deriving import ValueDeriver
from chargeport.derivation.progress import Names
from chargeport.derivation.throttle import Throttle
from chargeport.errors import StoreError
from chargeport.ingest.batch import Batch
from chargeport.ingest.pipeline import Pipeline
from chargeport.signals.reading import Entry
from chargeport.store.protocols import Store

WRITTEN: Final = 200  # derived values written at once
MAX_TOUCHED: Final = 200_000  # cars that wait; of more, the feed still tells what changed
VALUES_EVERY_MS: Final = 1_000
FULL_EVERY_MS: Final = 60_000  # of a car that reports all by itself

_log = logging.getLogger("chargeport.derivation")


class Values:
    """Works out the values of cars, one after the other; `touched` are those that wait, by any of their names."""

    def __init__(self, store: Store, clock: Clock, deriver: ValueDeriver, names: Names) -> None:
        self._pipeline = Pipeline(store, clock)
        self._clock = clock
        self._deriver = deriver
        self._names = names
        self.touched: dict[str, None] = {}
        self.not_before: dict[str, int] = {}
        """When a car may be looked at again."""
        self._silences: list[tuple[int, str]] = []  # when a car's silence matters, the first first

    async def work(self, throttle: Throttle) -> None:
        """Derive the values of the cars that were heard of, or have been silent for too long."""
        now = self._clock.now()
        while self._silences and self._silences[0][0] <= now:
            self.touched[heappop(self._silences)[1]] = None
        gathered: list[Entry] = []
        try:
            for name in list(self.touched):
                now = self._clock.now()
                if self.not_before.get(name, now) > now:
                    continue
                throttle.begin()
                gathered += await self._value(name, now)
                del self.touched[name]
                await throttle.end()
                if len(gathered) >= WRITTEN:
                    await self._pipeline.write(Batch.of(gathered))
                    gathered = []
            if gathered:
                await self._pipeline.write(Batch.of(gathered))
        except StoreError:
            self.touched |= {each.vehicle: None for each in gathered}
            raise
        if len(self.not_before) > MAX_TOUCHED:
            self.not_before.clear()

    async def _value(self, name: str, now: int) -> list[Entry]:
        vehicle_id = await self._names.id_of(name)
        if vehicle_id is None:
            return []
        try:
            entries, silent_at, is_wanting = await self._deriver.of(vehicle_id, now)
        except StoreError:
            raise
        except Exception:  # noqa: BLE001  (a rule that fails must not end all others)
            _log.exception("the values of a car can't be derived")
            return []
        self.not_before[name] = now + (VALUES_EVERY_MS if is_wanting else FULL_EVERY_MS)
        if silent_at is not None and len(self._silences) < MAX_TOUCHED:
            heappush(self._silences, (silent_at, vehicle_id))
        return entries
