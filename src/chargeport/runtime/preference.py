"""The order of sources in the settings, by which readers of the store rank their values."""

from collections.abc import Iterable
from typing import Final

from chargeport.ingest.dialects import ordered, stations
from chargeport.runtime.fleet import SOURCE
from chargeport.settings import Settings
from chargeport.signals.ranks import Ranks
from chargeport.store.protocols import Readings

OTHER_NAMES: Final = ("http", SOURCE)
"""`meta.source` of POST /ingest/readings and of the settings file."""


async def check(readings: Readings, settings: Settings, dialects: Iterable[str]) -> None:
    """Refuse an order with a name that is no known source. Raises SettingError, StoreError."""
    configured = {str(source["name"]) for source in settings.sources if "name" in source}
    names = {*OTHER_NAMES, *dialects, *configured, *await readings.sources()}
    ordered(settings.precedence.order, names)


def prefer(readings: Readings, settings: Settings) -> None:
    """Set the settings' order for all readers of the store. Raises SettingError for an unknown signal."""
    names = {name for order in settings.precedence.order.values() for name in order}
    readings.set_ranks(Ranks(ordered(settings.precedence.order, names), stations(settings)))
