"""The tables of charging sessions, and of their edits by people; and the cars with sessions to be computed."""

from collections.abc import Sequence
from functools import partial
from typing import Final, Protocol

from chargeport.errors import NotFoundError
from chargeport.signals.definition import Signal
from chargeport.signals.effective import DERIVED
from chargeport.store.audit import Act, recorded
from chargeport.store.records import DirtyVehicle, ErasedSpan, ReportedSession, StoredEdit, StoredSession
from chargeport.store.sql import Connection, Reader, Scans, Writer, fetch
from chargeport.store.tables.keys import VEHICLE_SHIFT

_KEY: Final = "(SELECT key FROM vehicles WHERE id = ?1)"
_DERIVED: Final = f"(SELECT key FROM sources WHERE name = '{DERIVED}')"
_CARS: Final = "SELECT key FROM vehicles WHERE key > ? ORDER BY key LIMIT ?"
HEARD_FROM: Final = (  # by the range of slots: joined from the vehicles' side, SQLite reads the whole table for each part
    "SELECT v.id, min(l.observed_at), max(l.observed_at) FROM latest l JOIN vehicles v ON v.key = l.vehicle_key"
    " WHERE l.vehicle_key > ?1 AND l.vehicle_key <= ?2 AND l.slot BETWEEN ?3 AND ?4 AND l.received_at >= ?5"
    f" AND l.source_key != {_DERIVED} GROUP BY v.id"
)


class Feed(Protocol):
    """The feed, which has the order of all changes."""

    async def changed_since(self, after: int, limit: int, signals: frozenset[Signal]) -> tuple[list[DirtyVehicle], int]:
        """Return the cars with reports among the next changes. See `store.sessions.Sessions`."""
        ...


class SessionTables:
    """`store.sessions.Sessions`."""

    def __init__(self, reader: Reader, writer: Writer, scans: Scans, feed: Feed) -> None:
        self._reader = reader
        self._writer = writer
        self._scans = scans
        self._feed = feed

    async def replace_sessions(self, vehicle_id: str, from_at: int, to_at: int, sessions: Sequence[StoredSession]) -> None:
        """Replace all sessions that started in the window by these, in one transaction."""
        await self._writer.call(lambda connection: _replace(connection, vehicle_id, (from_at, to_at), sessions))

    async def sessions(self, vehicle_id: str, from_at: int, to_at: int) -> list[StoredSession]:
        """Return the sessions that started from `from_at` on and before `to_at`, oldest first."""
        found = await self._reader.select(
            f"SELECT started_at, id, is_open, document FROM sessions WHERE vehicle_key = {_KEY}"
            " AND started_at >= ?2 AND started_at < ?3 ORDER BY started_at, id",
            (vehicle_id, from_at, to_at),
        )
        return [StoredSession(row[0], row[1], bool(row[2]), row[3]) for row in found]

    async def cars_with_open_sessions(self) -> list[tuple[str, int]]:
        """Return the ids of cars with a session that may still be open, and when that began."""
        found = await self._reader.select(
            "SELECT v.id, min(s.started_at) FROM sessions s JOIN vehicles v ON v.key = s.vehicle_key"
            " WHERE s.is_open GROUP BY v.id"
        )
        return [(row[0], row[1]) for row in found]

    async def keep_reported(self, vehicle_id: str, sessions: Sequence[ReportedSession]) -> None:
        """Store the sessions of sources, unless newer ones are known."""
        await self._writer.call(lambda connection: _keep_reported(connection, vehicle_id, sessions))

    async def reported_sessions(self, vehicle_id: str, from_at: int) -> list[ReportedSession]:
        """Return the reported sessions that started from `from_at` on, oldest first."""
        found = await self._reader.select(
            f"SELECT source, name, reported_at, started_at, document FROM reported_sessions WHERE vehicle_key = {_KEY}"
            " AND started_at >= ?2 ORDER BY started_at, source, name",
            (vehicle_id, from_at),
        )
        return [ReportedSession(*row) for row in found]

    async def changed_since(self, after: int, limit: int, signals: frozenset[Signal]) -> tuple[list[DirtyVehicle], int]:
        """Return the cars with reports among the next changes. See `store.sessions.Sessions`."""
        return await self._feed.changed_since(after, limit, signals)

    async def received_since(self, since_at: int, after: int, limit: int) -> tuple[list[DirtyVehicle], int | None]:
        """Return the cars with reports received since then. See `store.sessions.Sessions`."""

        def scan(connection: Connection) -> tuple[list[DirtyVehicle], int | None]:
            keys = [key for (key,) in fetch(connection, _CARS, (after, limit))]
            if not keys:
                return [], None
            slots = (after + 1) << VEHICLE_SHIFT, ((keys[-1] + 1) << VEHICLE_SHIFT) - 1
            found = [DirtyVehicle(*row) for row in fetch(connection, HEARD_FROM, (after, keys[-1], *slots, since_at))]
            return found, keys[-1] if len(keys) == limit else None

        return await self._scans.run(scan)

    async def edited_since(self, number: int) -> list[tuple[str, int]]:
        """Return the ids of cars with newer edits, and the number of each car's last."""
        found = await self._reader.select(
            "SELECT v.id, max(e.number) FROM session_edits e JOIN vehicles v ON v.key = e.vehicle_key"
            " WHERE e.number > ? GROUP BY v.id ORDER BY max(e.number)",
            (number,),
        )
        return [(row[0], row[1]) for row in found]

    async def erased_since(self, number: int) -> list[ErasedSpan]:
        """Return what was erased after the erasure with this number. See `store.sessions.Sessions`."""
        found = await self._reader.select(
            "SELECT e.number, v.id, e.first_at, e.last_at FROM erasures e JOIN vehicles v ON v.key = e.vehicle_key"
            " WHERE e.number > ? ORDER BY e.number",
            (number,),
        )
        return [ErasedSpan(*row) for row in found]

    async def edits(self, vehicle_id: str) -> list[StoredEdit]:
        """Return the edits of a car's sessions, in the order in which they were made."""
        found = await self._reader.select(
            f"SELECT number, made_at, document FROM session_edits WHERE vehicle_key = {_KEY} ORDER BY number", (vehicle_id,)
        )
        return [StoredEdit(*row) for row in found]

    async def add_edit(self, vehicle_id: str, made_at: int, body: str) -> int:
        """Store an edit; return its number. Raises NotFoundError."""
        do = partial(_add_edit, vehicle_id=vehicle_id, made_at=made_at, body=body)
        return await self._writer.call(recorded(Act.RECORD_EDITED, vehicle_id, do, "edit {}".format))


def _key_of(connection: Connection, vehicle_id: str) -> int | None:
    found = fetch(connection, "SELECT key FROM vehicles WHERE id = ?", (vehicle_id,))
    return int(found[0][0]) if found else None


def _replace(connection: Connection, vehicle_id: str, window: tuple[int, int], sessions: Sequence[StoredSession]) -> None:
    key = _key_of(connection, vehicle_id)
    if key is None:  # removed meanwhile
        return
    connection.execute("DELETE FROM sessions WHERE vehicle_key = ? AND started_at >= ? AND started_at < ?", (key, *window))
    connection.executemany(
        "INSERT INTO sessions VALUES (?, ?, ?, ?, ?) ON CONFLICT (vehicle_key, started_at, id) DO UPDATE SET"
        " is_open = excluded.is_open, document = excluded.document",
        [(key, each.started_at, each.id, each.is_open, each.body) for each in sessions],
    )


def _keep_reported(connection: Connection, vehicle_id: str, sessions: Sequence[ReportedSession]) -> None:
    key = _key_of(connection, vehicle_id)
    if key is not None:
        connection.executemany(
            "INSERT INTO reported_sessions VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (vehicle_key, source, name) DO UPDATE SET"
            " reported_at = excluded.reported_at, started_at = excluded.started_at, document = excluded.document"
            " WHERE excluded.reported_at >= reported_sessions.reported_at",
            [(key, each.source, each.name, each.reported_at, each.started_at, each.body) for each in sessions],
        )


def _add_edit(connection: Connection, vehicle_id: str, made_at: int, body: str) -> int:
    key = _key_of(connection, vehicle_id)
    if key is None:
        raise NotFoundError(f"No vehicle has the id {vehicle_id}.")
    insert = "INSERT INTO session_edits (vehicle_key, made_at, document) VALUES (?, ?, ?) RETURNING number"
    return int(fetch(connection, insert, (key, made_at, body))[0][0])
