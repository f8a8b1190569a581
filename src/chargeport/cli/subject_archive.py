"""The archive of `chargeport data export`: everything that is stored of a vehicle or a person, with a README.md."""

import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final
from zipfile import ZIP_DEFLATED, ZipFile

import msgspec

from chargeport.cli import configuration
from chargeport.cli.finding import every, fields
from chargeport.cli.records import made_of
from chargeport.derivation.record_fields import fields as record_fields
from chargeport.derivation.record_fields import shown_of
from chargeport.errors import NotFoundError
from chargeport.ingest.export_forms import opened
from chargeport.store.audit import AuditFilter
from chargeport.store.protocols import Store
from chargeport.store.records import Connection, Selection, Vehicle, user_uuid_of
from chargeport.wire.envelope import iso

ABOUT: Final = {
    "vehicle.json": "The vehicle: its id, names, make, model, and who is connected to it with which permissions.",
    "readings.ndjson": "Every reading and every report of it, an item a line: vehicle, signal, observedAt (the vehicle's or"
    " source's clock), receivedAt (the server's), source, and body or status. `chargeport import` takes it back.",
    "records.json": "The charging sessions as they are shown, with people's edits: energy, cost, place, and how each is known.",
    "hourly.json": "Older history by the hour, where retention has folded it: changes, least, most, mean, held_ms, value.",
    "horizons.json": "Since when history is whole, by group of signals.",
    "sessions.json": "The charging sessions as they were computed (document).",
    "reported_sessions.json": "Charging sessions that sources reported as such (document).",
    "session_edits.json": "What people changed about charging sessions (document), and when (made_at).",
    "share_links.json": "Links that show the vehicle on the page: label, when made, until when. The links are not stored.",
    "ended_connections.json": "Applications that ended their own connection, and when.",
    "subscriptions.json": "Webhooks that are subscribed to the vehicle, and what was sent last (sent).",
    "webhook_events.json": "Events for webhooks (document), and whether they were delivered.",
    "webhook_attempts.json": "Attempts to deliver these events, and the receivers' answers.",
    "commands.json": "Commands to the vehicle: who sent them (client_id), when, with which parameters, and their outcomes.",
    "issues.json": "What sources sent and could not be understood, counted.",
    "issue_messages.json": "The messages behind these issues.",
    "erasures.json": "Spans of time in which readings were erased.",
    "remembered.json": "Notes of sources that name the vehicle.",
    "audit.json": "Acts on it: act, actor (who), address (from where), detail, count, at and last_at.",
    "person.json": "The person: the name in applications or on the page, sign-in, sessions of the page, connections.",
    "deeds.json": "Acts of the person, from the audit log: act, subject, address, detail, count, at and last_at.",
}
"""The contents of each file of an archive."""
_INSTANTS: Final = "Numbers whose names end in `_at` are milliseconds since 1970, UTC; texts are ISO 8601."


class Archive:
    """A zip file that is being written."""

    def __init__(self, file: Path) -> None:
        self._zip = ZipFile(file, "w", ZIP_DEFLATED)
        self.counts: dict[str, int] = {}
        """The number of entries of each file."""

    async def add_vehicle(self, store: Store, vehicle: Vehicle, folder: str = "") -> None:
        """Add all that is stored of a vehicle."""
        connections = await every(lambda page: store.access.connections(page, vehicle_id=vehicle.id))
        self._add(
            f"{folder}vehicle.json", [fields(vehicle) | {"connections": [_connected(connection) for connection in connections]}]
        )
        with tempfile.TemporaryFile() as rows:
            count = 0
            with opened("ndjson", rows) as sink:
                async for stretch in store.readings.sightings(Selection(vehicle_ids=frozenset([vehicle.id]), every=True)):
                    sink(stretch.sightings)
                    count += len(stretch.sightings)
            rows.seek(0)
            with self._zip.open(f"{folder}readings.ndjson", "w", force_zip64=True) as target:
                while part := rows.read(1 << 20):
                    target.write(part)
        self.counts[f"{folder}readings.ndjson"] = count
        known = await store.readings.signals(vehicle.id)
        if known is not None:
            shown = shown_of(known)
            made = await made_of(store, known, configuration.settings())
            self._add(f"{folder}records.json", [record_fields(record, shown.get(record.id), evidence=True) for record in made])
        for table, found in (await store.vehicles.rows_of(vehicle.id)).items():
            self._add(f"{folder}{table}.json", [_opened(row) for row in found])

    async def add_person(self, store: Store, name: str) -> list[Connection]:
        """Add all that is stored of a person; return their connections. Raises NotFoundError."""
        connections = await every(lambda page: store.access.connections(page, user_uuid=user_uuid_of(name)))
        user = await store.sign_in.user(name)
        if user is None and not connections:
            raise NotFoundError(f"No user is called {name[:80]!r}: chargeport user list shows those there are.")
        sessions = [msgspec.structs.asdict(session) for session in await store.sign_in.sessions(name)] if user else []
        signs_in = user is not None and {"created_at": iso(user.created_at), "has_password": user.password_hash is not None}
        person = {"name": name, "uuid": user_uuid_of(name), "signs_in": signs_in, "sessions": sessions}
        self._add("person.json", [person | {"connections": [_connected(connection) for connection in connections]}])
        actions = await every(lambda page: store.audit.entries(AuditFilter(actor=f"user:{name}"), page))
        changes = await every(lambda page: store.audit.entries(AuditFilter(subject=name), page))
        self._add("deeds.json", [msgspec.structs.asdict(entry) for entry in actions])
        self._add("audit.json", [msgspec.structs.asdict(entry) for entry in changes])
        for table, found in (await store.sign_in.rows_of_user(name)).items():
            self._add(f"{table}.json", [_opened(row) for row in found])
        return connections

    def close(self, whose: str, made_at: int) -> None:
        """Write README.md, which explains the files, and close the archive."""
        listed = [f"- `{name}` ({count}): {ABOUT[name.rpartition('/')[2]]}" for name, count in sorted(self.counts.items())]
        page = [f"# What Chargeport stores of {whose}", f"Made {iso(made_at)}. {_INSTANTS}", "\n".join(listed)]
        self._zip.writestr("README.md", "\n\n".join(page) + "\n")
        self._zip.close()

    def _add(self, name: str, rows: Iterable[Any]) -> None:
        listed = list(rows)
        self.counts[name] = len(listed)
        self._zip.writestr(name, json.dumps(listed, ensure_ascii=False, indent=1) + "\n")


def _connected(connection: Connection) -> dict[str, Any]:
    return {
        "id": connection.id, "client_id": connection.client_id, "user": connection.user_id, "vehicle_id": connection.vehicle.id,
        "permissions": sorted(connection.permissions), "created_at": iso(connection.created_at),
    }  # fmt: skip


def _opened(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with its document as JSON instead of a text, if it has one."""
    try:
        return row | {"document": json.loads(row["document"])} if "document" in row else row
    except ValueError:
        return row
