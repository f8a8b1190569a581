"""The partitions of history, each a quarter of a year of time of observation.

There is no default partition: with one PostgreSQL could not read a series in order from one partition after the other. So each
is created before anything is written to it.
"""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from chargeport.store.postgres.connection import LOCKS, Connection

FIRST_YEAR: Final = 2020  # older data is one partition
LAST_YEAR: Final = 2100  # newer data is one, too

_MAKE: Final = "CREATE TABLE IF NOT EXISTS {name} (LIKE runs INCLUDING ALL)"
_ATTACH: Final = "ALTER TABLE runs ATTACH PARTITION {name} FOR VALUES FROM ({start}) TO ({end})"
_ATTACHED: Final = (
    "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'runs'::regclass"
)
_LOCK: Final = "SELECT pg_advisory_xact_lock($1::bigint)"


class Partitions:
    """Tracks up to when there are partitions."""

    def __init__(self) -> None:
        self._until = -1
        self._making = threading.Lock()

    def ensure(self, connection: Connection, newest_at: int) -> None:
        """Create the partitions up to that of an instant. Outside a transaction: others see them immediately."""
        if newest_at < self._until:
            return
        with self._making, connection.transaction():
            connection.fetch(_LOCK, LOCKS - 1)
            attached = {row[0] for row in connection.fetch(_ATTACHED)}
            for name, start, end, end_at in _partitions(newest_at):
                if name not in attached:
                    connection.execute(_MAKE.format(name=name))
                    connection.execute(_ATTACH.format(name=name, start=start, end=end))
                until = end_at
        self._until = until


def _partitions(newest_at: int) -> Iterator[tuple[str, str, str, int]]:
    """Yield name, bounds in SQL, and end, from the first partition to that of an instant."""
    starts = [(year, quarter) for year in range(FIRST_YEAR, LAST_YEAR + 1) for quarter in range(4)]
    bounds = [int(datetime(year, 3 * quarter + 1, 1, tzinfo=UTC).timestamp() * 1000) for year, quarter in starts]
    yield "runs_before", "MINVALUE", str(bounds[0]), bounds[0]
    for (year, quarter), start, end in zip(starts, bounds, bounds[1:], strict=False):
        if start > newest_at:
            return
        yield f"runs_{year}_q{quarter + 1}", str(start), str(end), end
    yield "runs_behind", str(bounds[-1]), "MAXVALUE", 1 << 62
