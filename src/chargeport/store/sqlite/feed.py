"""The feed of changes: positions, and the place in history of each.

The table `feed` has the newest positions only. Consumers that are further behind read history itself: one pass over all of it,
in a thread, finds the places of the next ten thousand.
"""

import json
from typing import Final

from chargeport.signals.definition import Signal
from chargeport.signals.effective import DERIVED
from chargeport.store.records import Change, DirtyVehicle
from chargeport.store.sqlite.engine import Connection, Row, fetch
from chargeport.store.sqlite.reader import Reader
from chargeport.store.sqlite.scans import Scans
from chargeport.store.tables import rows

OLD_PLACES: Final = 10_000  # found at once

_SAME: Final = " AND ".join(
    f"{{0}}.{column} = f.{column}" for column in ("vehicle_key", "signal_key", "source_key", "observed_at", "position")
)
# A run is in one of the two tables: the second is only looked at where the first has none.
_CHANGES: Final = (
    "SELECT f.position, v.id, f.signal_key, f.observed_at, f.observed_at + coalesce(a.lag, b.lag), s.name,"
    " coalesce(a.value, b.value), coalesce(a.absence, b.absence), r.text"
    " FROM {feed} f JOIN vehicles v ON v.key = f.vehicle_key JOIN sources s ON s.key = f.source_key"
    f" LEFT JOIN recent a ON {_SAME.format('a')} LEFT JOIN settled b ON a.lag IS NULL AND {_SAME.format('b')}"
    " LEFT JOIN rules r ON r.key = coalesce(a.rule_key, b.rule_key)"
    " WHERE f.position > ?1 AND coalesce(a.lag, b.lag) IS NOT NULL AND coalesce(a.continues, b.continues) IS NULL"
    " ORDER BY f.position LIMIT ?2"
)
_NEW: Final = _CHANGES.format(feed="feed")
_OLD: Final = _CHANGES.format(
    feed="(SELECT value ->> 0 AS position, value ->> 1 AS vehicle_key, value ->> 2 AS signal_key, value ->> 3 AS source_key,"
    " value ->> 4 AS observed_at FROM json_each(?3))"
)
_PLACES: Final = (
    "SELECT position, vehicle_key, signal_key, source_key, observed_at FROM history"
    " WHERE position > ? AND position <= ? AND continues IS NULL ORDER BY position LIMIT ?"
)
_CHANGED: Final = (
    "SELECT v.id, min(CASE WHEN {observed} THEN f.observed_at END), max(CASE WHEN {observed} THEN f.observed_at END)"
    " FROM {feed} f JOIN vehicles v ON v.key = f.vehicle_key WHERE f.position > ? AND f.position <= ?"
    f" AND f.source_key != (SELECT key FROM sources WHERE name = '{DERIVED}') GROUP BY f.vehicle_key"
)
_SEQUENCES: Final = "SELECT name, value FROM sequences"
_FLOOR: Final = "SELECT value FROM sequences WHERE name = 'feed'"


class Feed:
    """Reads the feed."""

    def __init__(self, reader: Reader, scans: Scans) -> None:
        self._reader = reader
        self._scans = scans
        self._old_after = 0
        self._old: list[tuple[int, ...]] = []  # the places of the changes that follow that position

    async def changes(self, after: int, limit: int) -> list[Change]:
        """Return the stored changes after a position, oldest first."""
        found: list[Row] = []
        while after < (floor := self._floor()) and len(found) < limit:
            places = await self._old_places(after, limit - len(found), floor)
            found += self._reader.rows(_OLD, (after, limit, json.dumps(places)))  # what was erased meanwhile is missing
            after = places[-1][0] if places else floor
        if len(found) < limit:
            found += self._reader.rows(_NEW, (after, limit - len(found)))
        return [rows.change(row) for row in found]

    def _floor(self) -> int:
        """Return up to which position the table was shortened; later reads of this turn of the loop see the same state."""
        self._reader.share()
        return self._reader.count(_FLOOR)

    async def _old_places(self, after: int, limit: int, floor: int) -> list[tuple[int, ...]]:
        """Return the places of the changes after a position that are too old for the table; none where there are no others."""
        if not self._old or not self._old_after <= after < self._old[-1][0]:
            bindings = (after, floor, OLD_PLACES)
            self._old = await self._scans.run(lambda connection: fetch(connection, _PLACES, bindings))
            self._old_after = after
        return [place for place in self._old if place[0] > after][:limit]

    async def changed_since(self, after: int, limit: int, signals: frozenset[Signal]) -> tuple[list[DirtyVehicle], int]:
        """Return the cars with reports among the next changes. See `store.sessions.Sessions`."""
        observed = f"f.signal_key IN ({', '.join(str(signal.key) for signal in signals)})"

        def scan(connection: Connection) -> tuple[list[DirtyVehicle], int]:
            sequences: dict[str, int] = dict(fetch(connection, _SEQUENCES))
            feed, reached = "feed", min(sequences["position"], after + limit)
            if after < sequences["feed"]:  # all older ones together: each search reads all of history
                feed, reached = "history", sequences["feed"]
            found = fetch(connection, _CHANGED.format(observed=observed, feed=feed), (after, reached))
            return [DirtyVehicle(*row) for row in found], max(after, reached)

        return await self._scans.run(scan)
