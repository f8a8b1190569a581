"""The table of hours."""

from collections.abc import Sequence
from typing import Final

from chargeport.store.history.hours import HourRow, Known
from chargeport.store.sql import Connection, Row, fetch
from chargeport.store.tables.keys import SeriesKey

_COLUMNS: Final = "hour, changes, held_ms, least, most, mean, shares, value, value_at, since_at, rule_key, absence, absence_at"
_OF: Final = f"SELECT {_COLUMNS} FROM hourly WHERE vehicle_key = ? AND signal_key = ? AND source_key = ? AND hour"
_BEFORE: Final = f"{_OF} <= ? ORDER BY hour DESC LIMIT 1"
_FROM: Final = f"{_OF} >= ? AND hour < ? ORDER BY hour LIMIT ?"
_REPLACE: Final = (
    f"INSERT INTO hourly (vehicle_key, signal_key, source_key, {_COLUMNS}) VALUES ({','.join('?' * 16)})"
    " ON CONFLICT (vehicle_key, signal_key, source_key, hour) DO UPDATE SET "
    + ", ".join(f"{column} = excluded.{column}" for column in _COLUMNS.split(", ")[1:])
)


class HourTable:
    """The hours of one series. `store.history.folding.Hours` on SQLite."""

    def __init__(self, connection: Connection, key: SeriesKey) -> None:
        self._connection = connection
        self._key = key

    def newest(self, hour: int) -> HourRow | None:
        """Return the newest row of this hour or an earlier one."""
        found = fetch(self._connection, _BEFORE, (*self._key, hour))
        return _row(found[0]) if found else None

    def between(self, first: int, end: int, limit: int) -> list[HourRow]:
        """Return up to `limit` rows from an hour on and before another, in order."""
        return [_row(row) for row in fetch(self._connection, _FROM, (*self._key, first, end, limit))]

    def write(self, hours: Sequence[HourRow]) -> None:
        """Write rows, in place of those of the same hours that exist."""
        self._connection.executemany(_REPLACE, [(*self._key, *hour[:-1], *hour.known) for hour in hours])


def _row(columns: Row) -> HourRow:
    return HourRow._make((*columns[:7], Known(*columns[7:])))
