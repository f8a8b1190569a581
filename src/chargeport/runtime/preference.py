"""Which sources the settings prefer: told to the store, whose readers weigh what each source said by it."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from chargeport.ingest.dialects import STATIONS, ordered
from chargeport.runtime.fleet import SOURCE
from chargeport.settings import Settings
from chargeport.signals.ranks import Ranks
from chargeport.store.protocols import Readings

PUSHED: Final = ("http", SOURCE)
"""What `meta.source` may say beside the names of sources and dialects: POST /ingest/readings, and the settings file."""


async def check(readings: Readings, settings: Settings, dialects: Iterable[str]) -> None:
    """Refuse an order that names a source that nobody has heard of: it would be a slip. Raises SettingError, StoreError."""
    names = {*PUSHED, *dialects, *_names(settings), *await readings.sources()}
    ordered(settings.precedence.order, names)


def prefer(readings: Readings, settings: Settings) -> None:
    """Have all readers of the store prefer sources as the settings say. Raises SettingError for what is no signal."""
    named = {name for names in settings.precedence.order.values() for name in names}
    readings.set_ranks(Ranks(ordered(settings.precedence.order, named), stations(settings)))


def stations(settings: Settings) -> frozenset[str]:
    """The names of the sources on the charger's side: by their dialect, or because they stand at a place."""
    at_places = {name for place in settings.places for name in place.sources}
    return STATIONS | at_places | {str(each["name"]) for each in settings.sources if "name" in each and _is_station(each)}


def _names(settings: Settings) -> set[str]:
    return {str(each["name"]) for each in settings.sources if "name" in each}


def _is_station(source: Mapping[str, Any]) -> bool:
    return source.get("dialect", source.get("type")) in STATIONS
