"""The row of a series in `latest`, rewritten from its history."""

from typing import Final

from chargeport.store.history.late import newest
from chargeport.store.sql import Slots
from chargeport.store.tables.keys import OF_SLOT, SeriesKey, slot_of
from chargeport.store.tables.series import Series

_DELETE: Final = f"DELETE FROM latest WHERE {OF_SLOT}"


def write_newest(slots: Slots, key: SeriesKey) -> bool:
    """Rewrite the row of a series; return False if its history is empty, so that there is none."""
    slots.connection.execute(_DELETE, (key[0], slot_of(*key)))
    latest = newest(Series(slots.connection, key))
    if latest is None:
        return False
    slots.put(slot_of(*key), latest)
    return True
