"""Whether a car charges now, as the store knows it: a hint for sources that ask more often while it does."""

from chargeport.clock import Clock
from chargeport.signals.catalogue import IS_CHARGING
from chargeport.signals.held import held
from chargeport.signals.state import standing
from chargeport.store.protocols import Store


class ChargingNow:
    """Answers `sources.base.Charging`."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def of(self, name: str) -> bool:
        """Whether the car with this name is known to charge; False where nothing is known."""
        vehicle = await self._store.vehicles.find_vehicle(name)
        found = None if vehicle is None else await self._store.readings.signals(vehicle.id)
        now = self._clock.now()
        state = None if found is None else held(found.series, IS_CHARGING, now)
        return state is not None and state.value is True and standing(state, None, now) is None
