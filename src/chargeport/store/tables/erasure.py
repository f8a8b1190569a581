"""The stored data of a car: all rows that are its own or name it, exported or erased; and rows that name a person.

`Vehicles.wipe` removes the bytes that erased rows leave in the files.
"""

import json
from typing import Any, Final

from chargeport.signals.catalogue import BY_KEY
from chargeport.store.audit import forget_subject
from chargeport.store.records import Erased
from chargeport.store.sql import Connection, fetch
from chargeport.store.tables import visibility
from chargeport.store.tables.keys import OF_VEHICLE

LONG_NAME: Final = 8  # characters from which on a name is searched anywhere in an issue: a shorter one is part of other words

# Each table that has rows of a car, and which rows those are: ?1 is the vehicle's key.
_ROWS: Final = {
    "share_links": "client_id IN (SELECT client_id FROM connections WHERE vehicle_key = ?1)",
    "latest": OF_VEHICLE,
    "hourly": "vehicle_key = ?1",
    "horizons": "vehicle_key = ?1",
    "connections": "vehicle_key = ?1",
    "ended_connections": "vehicle_key = ?1",
    "sessions": "vehicle_key = ?1",
    "reported_sessions": "vehicle_key = ?1",
    "session_edits": "vehicle_key = ?1",
    "subscriptions": "vehicle_key = ?1",
    "webhook_attempts": "event_id IN (SELECT id FROM webhook_events WHERE vehicle_key = ?1)",
    "webhook_events": "vehicle_key = ?1",
    "commands": "vehicle_key = ?1",
    "erasures": "vehicle_key = ?1",
    "vehicle_references": "vehicle_key = ?1",
}
# Notes of sources and workers that name it, as a key (?1) or a quoted text (?2), or, when ?3, anywhere. What was announced over
# MQTT stays noted until it is withdrawn there.
_NOTED: Final = (
    " WHERE owner <> 'mqtt_out' AND (key = ?1 OR key LIKE '%/' || ?1 OR instr(value, ?2) > 0 OR (?3 AND instr(value, ?1) > 0))"
)
_NOTED_BY_KEY: Final = "DELETE FROM remembered WHERE owner <> 'mqtt_out' AND (key = ?1 OR key LIKE '%/' || ?1)"
_UNNAMED: Final = "UPDATE remembered SET value = replace(replace(value, ?2, '\"\"'), CASE WHEN ?3 THEN ?1 ELSE ?2 END, '')"
_MADE_FROM: Final = frozenset({"latest", "connections", "vehicle_references"})  # exported in a readable form of their own
# What was reported under one of its names (?1), and what names it elsewhere: quoted in a message (?2) or, when ?3, anywhere.
_TELLS: Final = (
    " WHERE vehicle = ?1 OR instr(raw, ?2) > 0 OR subject = ?1"
    " OR (?3 AND (instr(raw, ?1) > 0 OR instr(subject, ?1) > 0"
    " OR instr(detail, ?1) > 0 OR instr(vehicle, ?1) > 0))"
)


# Rows that name a person (?1: their UUID) among those of vehicles that others have, too.
_OF_PERSON: Final = {
    "webhook_attempts": "event_id IN (SELECT id FROM webhook_events WHERE instr(document, ?1) > 0)",
    "webhook_events": "instr(document, ?1) > 0",
    "commands": "user_uuid = ?1",
}


def erase(connection: Connection, vehicle_id: str) -> Erased | None:
    """Delete the car, all rows of it and the issues that name it; return None if there is none. Runs inside a transaction."""
    found = fetch(connection, "SELECT key FROM vehicles WHERE id = ?", (vehicle_id,))
    if not found:
        return None
    connection.lock_vehicles([found[0][0]])
    with connection.erasing():
        names = fetch(connection, "SELECT reference FROM vehicle_references WHERE vehicle_key = ?", found[0])
        issues = sum(_delete_issues(connection, name) for (name,) in names)
        notes = sum(_unname_notes(connection, name) for (name,) in names)
        counts = {table: _deleted(connection, f"DELETE FROM {table} WHERE {which}", found[0]) for table, which in _ROWS.items()}
        runs = sum(
            _deleted(connection, f"DELETE FROM {table} WHERE vehicle_key = ?1", found[0]) for table in connection.run_tables
        )
        for table in connection.order_tables:
            connection.execute(f"DELETE FROM {table} WHERE vehicle_key = ?1", found[0])
        counts["audited"] = forget_subject(connection, vehicle_id)
        connection.execute("DELETE FROM vehicles WHERE id = ?", (vehicle_id,))
        visibility.changed(connection)
    counts["names"] = counts.pop("vehicle_references")
    counts["edits"] = counts.pop("session_edits")
    counts["sessions"] += counts.pop("reported_sessions")
    counts["hours"] = counts.pop("hourly")
    del counts["share_links"]  # their connections are counted
    counts["connections"] += counts.pop("ended_connections")
    counts["connections"] += counts.pop("subscriptions")
    counts["events"] = counts.pop("webhook_events")
    del counts["webhook_attempts"]  # of these events
    del counts["horizons"], counts["erasures"]  # they only have the bounds of what is counted
    return Erased(**counts, history=runs, issues=issues, notes=notes)


def rows_of(connection: Connection, vehicle_id: str) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of a car that `erase` would delete, by table, with their columns' names.

    Left out are hashes of secrets, and what is exported in a form of its own: readings, names and connections.
    """
    found = fetch(connection, "SELECT key FROM vehicles WHERE id = ?", (vehicle_id,))
    if not found:
        return {}
    names = fetch(connection, "SELECT reference FROM vehicle_references WHERE vehicle_key = ?", found[0])
    told: dict[str, list[dict[str, Any]]] = {
        table: _rows(connection, table, f" WHERE {which}", found[0])
        for table, which in _ROWS.items()
        if table not in _MADE_FROM
    }
    for table, which in (("issues", _TELLS), ("issue_messages", _TELLS), ("remembered", _NOTED)):
        rows = [row for (name,) in names for row in _rows(connection, table, which, _looked_for(name))]
        told[table] = [row for number, row in enumerate(rows) if row not in rows[:number]]
    told["audit"] = _rows(connection, "audit", " WHERE subject = ?", (vehicle_id,))
    sources = dict(fetch(connection, "SELECT key, name FROM sources"))
    return {table: [_readable(row, sources) for row in rows] for table, rows in told.items()}


def erase_person(connection: Connection, user_uuid: str) -> int:
    """Delete the events that name a person, delivered or not, and the name in commands; return how many events there were."""
    connection.execute(f"DELETE FROM webhook_attempts WHERE {_OF_PERSON['webhook_attempts']}", (user_uuid,))
    events = _deleted(connection, f"DELETE FROM webhook_events WHERE {_OF_PERSON['webhook_events']}", (user_uuid,))
    connection.execute(f"UPDATE commands SET user_uuid = NULL WHERE {_OF_PERSON['commands']}", (user_uuid,))
    return events + connection.changes()


def rows_of_person(connection: Connection, user_uuid: str) -> dict[str, list[dict[str, Any]]]:
    """Return the rows that `erase_person` deletes or changes, by table."""
    cars = dict(fetch(connection, "SELECT key, id FROM vehicles"))
    found = {table: _rows(connection, table, f" WHERE {which}", (user_uuid,)) for table, which in _OF_PERSON.items()}
    return {
        table: [_readable(row, {}) | ({"vehicle_id": cars[row["vehicle_key"]]} if "vehicle_key" in row else {}) for row in rows]
        for table, rows in found.items()
    }


def _readable(row: dict[str, Any], sources: dict[int, str]) -> dict[str, Any]:
    """Return a row with the names of signal and source instead of their numbers, and without the vehicle's own."""
    named = {name: value for name, value in row.items() if name not in ("vehicle_key", "signal_key", "source_key")}
    if "signal_key" in row:
        named["signal"] = BY_KEY[row["signal_key"]].code
    if row.get("source_key") is not None:
        named["source"] = sources[row["source_key"]]
    return named


def _rows(connection: Connection, table: str, where: str, bindings: tuple[object, ...]) -> list[dict[str, Any]]:
    columns = connection.columns(table)
    quoted = ", ".join(f'"{name}"' for name in columns)
    rows = [dict(zip(columns, row, strict=True)) for row in fetch(connection, f"SELECT {quoted} FROM {table}{where}", bindings)]
    return [{name: value for name, value in row.items() if not isinstance(value, bytes)} for row in rows]


def _delete_issues(connection: Connection, name: str) -> int:
    bindings = _looked_for(name)
    connection.execute(f"DELETE FROM issue_messages{_TELLS}", bindings)
    return _deleted(connection, f"DELETE FROM issues{_TELLS}", bindings)


def _unname_notes(connection: Connection, name: str) -> int:
    """Remove a name from notes. The rest of a note is still needed: a station has other cars, too."""
    bindings = _looked_for(name)
    return _deleted(connection, _NOTED_BY_KEY, bindings[:1]) + _deleted(connection, f"{_UNNAMED}{_NOTED}", bindings)


def _looked_for(name: str) -> tuple[str, str, bool]:
    """Return the forms in which a name is searched for: itself, quoted; and whether it is long enough to search anywhere."""
    return name, json.dumps(name, ensure_ascii=False), len(name) >= LONG_NAME


def _deleted(connection: Connection, sql: str, bindings: tuple[object, ...]) -> int:
    connection.execute(sql, bindings)
    return connection.changes()
