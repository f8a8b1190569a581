"""Whether a car charges now, as the store knows it: a hint for sources that ask more often while it does."""

from chargeport.clock import Clock
from chargeport.signals.catalogue import IS_CHARGING
from chargeport.signals.effective import effective
from chargeport.store.protocols import Store


class ChargingNow:
    """Answers `sources.base.Charging`."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def of(self, name: str) -> bool:
        """Whether the car with this name is known to charge; False where nothing is known."""
        vehicle = await self._store.vehicles.find_vehicle(name)
        readings = self._store.readings
        found = None if vehicle is None else await readings.signal(vehicle.id, IS_CHARGING)
        counts = None if found is None else effective(IS_CHARGING, found.series, readings.ranks, self._clock.now())
        return counts is not None and counts.unavailability is None and counts.state.value is True
