"""Which sources the settings prefer: readers of the store rank what each source reported by it."""

from collections.abc import Iterable
from typing import Final

from chargeport.ingest.dialects import ordered, stations
from chargeport.runtime.fleet import SOURCE
from chargeport.settings import Settings
from chargeport.signals.ranks import Ranks
from chargeport.store.protocols import Readings

PUSHED: Final = ("http", SOURCE)
"""What `meta.source` may say beside the names of sources and dialects: POST /ingest/readings, and the settings file."""


async def check(readings: Readings, settings: Settings, dialects: Iterable[str]) -> None:
    """Refuse an order that names a source that never reported: it would be a slip. Raises SettingError, StoreError."""
    names = {*PUSHED, *dialects, *_names(settings), *await readings.sources()}
    ordered(settings.precedence.order, names)


def prefer(readings: Readings, settings: Settings) -> None:
    """Have all readers of the store prefer sources as the settings say. Raises SettingError for what is no signal."""
    named = {name for names in settings.precedence.order.values() for name in names}
    readings.set_ranks(Ranks(ordered(settings.precedence.order, named), stations(settings)))


def _names(settings: Settings) -> set[str]:
    return {str(each["name"]) for each in settings.sources if "name" in each}
