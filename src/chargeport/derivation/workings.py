"""All that works things out for a service, put together from its settings: what is known of cars, and the ledger."""

from pathlib import Path
from typing import Any

import msgspec

from chargeport.clock import Clock
from chargeport.derivation.prices import Prices
from chargeport.derivation.sessions import Ledger
from chargeport.derivation.vehicles import Cars
from chargeport.errors import SettingError
from chargeport.ingest.dialects import STATIONS
from chargeport.settings import Settings
from chargeport.store.protocols import Store


class Workings:
    """Cars and their ledger. Raises SettingError where a setting of them is wrong."""

    def __init__(self, store: Store, settings: Settings, clock: Clock) -> None:
        stations = {str(each.get("name")) for each in settings.sources if each.get("dialect", each.get("type")) in STATIONS}
        self.cars = Cars(store, clock, _models(settings), frozenset(stations | STATIONS))
        self.ledger = Ledger(store, clock, self.cars, Prices(settings.places, settings.tariffs, settings.folder))


def _models(settings: Settings) -> Any:
    """The decoded file of car models, if the settings name one."""
    if settings.derive.models is None:
        return None
    file = Path(settings.folder) / settings.derive.models
    try:
        return msgspec.json.decode(file.read_bytes())
    except OSError as error:
        raise SettingError(f"A setting is wrong: derive.models: {file} can't be read: {error.strerror}.") from error
    except msgspec.DecodeError as error:
        raise SettingError(f"A setting is wrong: derive.models: {file} is not JSON: {error}.") from error
