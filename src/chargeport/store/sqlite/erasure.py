"""Erasing a car: every row that is its own or tells of it, then every byte of those rows.

A deleted row's bytes stay in the file: on the page it stood on, on pages it was moved from as they grew full, in the log. Only
a file that is written anew holds nothing but what its tables hold; so that is what `wipe` does.
"""

import json
from pathlib import Path
from typing import Final

import apsw

from chargeport.store.audit import forget_subject
from chargeport.store.records import Erased
from chargeport.store.sql import Connection, fetch
from chargeport.store.sqlite.engine import connect, translated
from chargeport.store.sqlite.keys import OF_VEHICLE

LONG_NAME: Final = 8  # characters from which on a name is looked for anywhere in an issue: a shorter one is in other words, too

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
# What was reported under one of its names (?1), and what names it elsewhere: quoted in a message (?2) or, when ?3, anywhere.
_TELLS: Final = (
    " WHERE vehicle = ?1 OR instr(raw, ?2) > 0 OR subject = ?1"
    " OR (?3 AND (instr(raw, ?1) > 0 OR instr(subject, ?1) > 0"
    " OR instr(detail, ?1) > 0 OR instr(vehicle, ?1) > 0))"
)


def erase(connection: Connection, vehicle_id: str) -> Erased | None:
    """Delete the car, all rows of it and the issues that name it; None when there is none. Runs inside a transaction."""
    found = fetch(connection, "SELECT key FROM vehicles WHERE id = ?", (vehicle_id,))
    if not found:
        return None
    connection.lock_vehicles([found[0][0]])
    with connection.erasing():
        names = fetch(connection, "SELECT reference FROM vehicle_references WHERE vehicle_key = ?", found[0])
        issues = sum(_delete_issues(connection, name) for (name,) in names)
        counts = {table: _deleted(connection, f"DELETE FROM {table} WHERE {which}", found[0]) for table, which in _ROWS.items()}
        runs = sum(
            _deleted(connection, f"DELETE FROM {table} WHERE vehicle_key = ?1", found[0]) for table in connection.run_tables
        )
        if connection.has_places:
            connection.execute("DELETE FROM feed WHERE vehicle_key = ?1", found[0])
        counts["audited"] = forget_subject(connection, vehicle_id)
        connection.execute("DELETE FROM vehicles WHERE id = ?", (vehicle_id,))
    counts["names"] = counts.pop("vehicle_references")
    counts["edits"] = counts.pop("session_edits")
    counts["sessions"] += counts.pop("reported_sessions")
    counts["hours"] = counts.pop("hourly")
    del counts["share_links"]  # their connections are counted
    counts["connections"] += counts.pop("ended_connections")
    counts["connections"] += counts.pop("subscriptions")
    counts["events"] = counts.pop("webhook_events")
    del counts["webhook_attempts"]  # of these events
    del counts["horizons"], counts["erasures"]  # they say no more than how far back what is counted went
    return Erased(**counts, history=runs, issues=issues)


def wipe(path: Path) -> bool:
    """Write the file anew and empty its log; False when the log can't be emptied, because somebody reads an older state.

    Needs room for two more copies, in the temporary folder and in the log. Readers go on; writers wait. Raises StoreError.
    """
    connection = connect(path)
    try:
        connection.execute("PRAGMA temp_store = FILE").fetchall()  # the copy is as large as the database
        connection.execute("VACUUM").fetchall()
        try:
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        except apsw.BusyError:
            return False
    except apsw.Error as error:
        raise translated(error) from error
    finally:
        connection.close()
    return True


def _delete_issues(connection: Connection, name: str) -> int:
    bindings = (name, json.dumps(name, ensure_ascii=False), len(name) >= LONG_NAME)
    connection.execute(f"DELETE FROM issue_messages{_TELLS}", bindings)
    return _deleted(connection, f"DELETE FROM issues{_TELLS}", bindings)


def _deleted(connection: Connection, sql: str, bindings: tuple[object, ...]) -> int:
    connection.execute(sql, bindings)
    return connection.changes()
