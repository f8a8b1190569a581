"""The row of a series in `latest`, written anew from its history."""

from typing import Final

from chargeport.store.history.late import newest
from chargeport.store.sqlite.engine import Connection
from chargeport.store.sqlite.keys import LATEST, SeriesKey, slot_of
from chargeport.store.sqlite.series import Series

_INSERT: Final = f"INSERT INTO latest (slot, {LATEST}) VALUES ({','.join('?' * 12)})"


def write_newest(connection: Connection, key: SeriesKey) -> bool:
    """Write the row of a series anew; False when its history is empty, so that there is none."""
    slot = slot_of(*key)
    connection.execute("DELETE FROM latest WHERE slot = ?", (slot,))
    latest = newest(Series(connection, key))
    if latest is None:
        return False
    connection.execute(_INSERT, (slot, *latest.columns()))
    return True
