"""The vehicles' tables."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from chargeport.errors import ConflictError, NotFoundError
from chargeport.store.audit import Act, recorded
from chargeport.store.records import Erased, Page, Vehicle
from chargeport.store.sql import Connection, Reader, Writer, fetch
from chargeport.store.tables import rows, visibility
from chargeport.store.tables.erasure import erase, rows_of

_BY_ID: Final = f"SELECT {rows.VEHICLE} FROM vehicles v WHERE v.id = ?"
_BY_REFERENCE: Final = (
    f"SELECT {rows.VEHICLE} FROM vehicle_references r JOIN vehicles v ON v.key = r.vehicle_key WHERE r.reference = ?"
)
_WRITABLE: Final = f"{_BY_REFERENCE} AND EXISTS ({rows.WRITING} v.key)"
REFERENCES_AT_ONCE: Final = 100  # in one statement; it takes SQLite 0.2 ms
_IDS: Final = (
    "SELECT r.reference, v.id FROM vehicle_references r JOIN vehicles v ON v.key = r.vehicle_key"
    f" WHERE r.reference IN ({','.join('?' * REFERENCES_AT_ONCE)})"
)
_CONNECTED: Final = (
    "WHERE v.key IN (SELECT vehicle_key FROM connections WHERE client_id = ?1 AND (CAST(?2 AS TEXT) IS NULL OR user_uuid = ?2))"
)

_NOT_ENDED: Final = "WHERE v.key NOT IN (SELECT vehicle_key FROM ended_connections WHERE client_id = ?)"


class VehicleTables:
    """`store.protocols.Vehicles` except `wipe`, which each database implements itself."""

    def __init__(self, reader: Reader, writer: Writer) -> None:
        self._reader = reader
        self._writer = writer

    async def add_vehicle(self, vehicle: Vehicle) -> None:
        """Store a new car under all its names."""
        await self._writer.call(recorded(Act.VEHICLE_ADDED, vehicle.id, lambda connection: _insert(connection, vehicle)))

    async def update_vehicle(self, vehicle: Vehicle) -> None:
        """Replace the facts and names of a known car."""
        await self._writer.call(recorded(Act.VEHICLE_EDITED, vehicle.id, lambda connection: _update(connection, vehicle)))

    async def vehicle(self, vehicle_id: str) -> Vehicle | None:
        """Return one car by its id."""
        row = await self._reader.select_row(_BY_ID, (vehicle_id,))
        return None if row is None else rows.vehicle(row)

    async def find_vehicle(self, reference: str, writable_by: str | None = None) -> Vehicle | None:
        """Return one car by any of its names (if an application may write to it)."""
        sql, given = (_BY_REFERENCE, ()) if writable_by is None else (_WRITABLE, (writable_by,))
        row = await self._reader.select_row(sql, (reference, *given))
        return None if row is None else rows.vehicle(row)

    async def ids_of(self, references: Sequence[str]) -> dict[str, str]:
        """Return the ids of the cars with these names, by name."""
        names = [name for name in references if name and "\0" not in name]  # no car has such a name
        ids: dict[str, str] = {}
        for start in range(0, len(names), REFERENCES_AT_ONCE):
            part = names[start : start + REFERENCES_AT_ONCE]
            part += [""] * (REFERENCES_AT_ONCE - len(part))
            ids.update(await self._reader.select(_IDS, tuple(part)))
            await asyncio.sleep(0)
        return ids

    async def vehicles(
        self, page: Page, connected_to: str | None = None, *, user_uuid: str | None = None, not_ended_by: str | None = None
    ) -> tuple[list[Vehicle], int]:
        """Return a page of cars by id, and how many there are."""
        where, bindings = _chosen(connected_to, user_uuid, not_ended_by)
        total = await self._reader.select_count(f"SELECT count(*) FROM vehicles v {where}", bindings)
        found = await self._reader.select(
            f"SELECT {rows.VEHICLE} FROM vehicles v {where} ORDER BY v.id LIMIT ? OFFSET ?",
            (*bindings, page.size, page.offset),
        )
        return [rows.vehicle(row) for row in found], total

    async def vehicles_after(
        self,
        after: str,
        limit: int,
        connected_to: str | None = None,
        *,
        user_uuid: str | None = None,
        not_ended_by: str | None = None,
    ) -> list[Vehicle]:
        """Return the next cars after an id, by id."""
        where, bindings = _chosen(connected_to, user_uuid, not_ended_by)
        behind = f"{where} AND v.id > ?" if where else "WHERE v.id > ?"
        found = await self._reader.select(
            f"SELECT {rows.VEHICLE} FROM vehicles v {behind} ORDER BY v.id LIMIT ?", (*bindings, after, limit)
        )
        return [rows.vehicle(row) for row in found]

    async def visibility(self) -> int:
        """Return the count of changes of the visibility of vehicles."""
        return await self._reader.select_count(visibility.COUNT)

    async def remove_vehicle(self, vehicle_id: str) -> Erased | None:
        """Erase a car and everything of it; `wipe` removes the remaining bytes."""
        do = recorded(Act.VEHICLE_ERASED, "", lambda connection: erase(connection, vehicle_id), _told, is_done=bool)
        return await self._writer.call(do)

    async def rows_of(self, vehicle_id: str) -> dict[str, list[dict[str, Any]]]:
        """Return the stored rows of a car except its readings."""
        return await self._writer.call(lambda connection: rows_of(connection, vehicle_id))


def _told(erased: Erased | None) -> str:
    """Return the text about an erasure for the audit log."""
    counts = msgspec.structs.asdict(erased) if erased is not None else {}
    return ", ".join(f"{name} {count}" for name, count in counts.items() if count)


def _chosen(connected_to: str | None, user_uuid: str | None, not_ended_by: str | None) -> tuple[str, tuple[str | None, ...]]:
    """Return the condition on the cars of a list, and its parameters."""
    if connected_to is not None:
        return _CONNECTED, (connected_to, user_uuid)
    return ("", ()) if not_ended_by is None else (_NOT_ENDED, (not_ended_by,))


def _insert(connection: Connection, vehicle: Vehicle) -> None:
    connection.execute("UPDATE sequences SET value = value + 1 WHERE name = 'vehicle'")
    key = int(fetch(connection, "SELECT value FROM sequences WHERE name = 'vehicle'")[0][0])
    _name(connection, key, vehicle)
    connection.execute(
        "INSERT INTO vehicles (id, key, vin, make, model, year, powertrain, mode, aliases, created_at)"
        " VALUES (?,?,?,?,?,?,?,?,?,?)",
        (
            vehicle.id, key, vehicle.vin, vehicle.make, vehicle.model, vehicle.year, vehicle.powertrain, vehicle.mode,
            json.dumps(vehicle.aliases), vehicle.created_at,
        ),
    )  # fmt: skip
    visibility.changed(connection)


def _update(connection: Connection, vehicle: Vehicle) -> None:
    found = fetch(connection, "SELECT key FROM vehicles WHERE id = ?", (vehicle.id,))
    if not found:
        raise NotFoundError(f"No vehicle has the id {vehicle.id}.")
    key = int(found[0][0])
    connection.execute("DELETE FROM vehicle_references WHERE vehicle_key = ?", (key,))
    _name(connection, key, vehicle)
    connection.execute(
        "UPDATE vehicles SET vin = ?, make = ?, model = ?, year = ?, powertrain = ?, aliases = ? WHERE key = ?",
        (vehicle.vin, vehicle.make, vehicle.model, vehicle.year, vehicle.powertrain, json.dumps(vehicle.aliases), key),
    )
    visibility.changed(connection)


def _name(connection: Connection, key: int, vehicle: Vehicle) -> None:
    for reference in dict.fromkeys(name for name in (vehicle.id, vehicle.vin, *vehicle.aliases) if name):
        connection.execute("INSERT INTO vehicle_references VALUES (?, ?) ON CONFLICT DO NOTHING", (reference, key))
        if connection.changes() == 0:
            raise ConflictError(f"A vehicle called {reference!r} exists already.")
