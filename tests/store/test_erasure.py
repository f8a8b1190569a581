"""A car that was removed is gone: from every table and every index, and, byte by byte, from the file and its log."""

import json
import random
from pathlib import Path
from typing import Any

import apsw
import pytest

from chargeport.signals import bodies
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.definition import Permission
from chargeport.signals.reading import Absence, AbsenceReason, Issue, Reading
from chargeport.store.protocols import Store
from chargeport.store.records import Application, Connection, Erased, ReportedSession, StoredSession, Vehicle
from chargeport.store.sqlite import SqliteStore
from postgres_server import asked

T0 = 1_777_629_598_000
CAR = Vehicle(
    id="5ec2e700-0000-4000-8000-000000000001", make="ACME", model="One", year=2026, vin="5ECRET00000000017", aliases=("geheim",)
)
OTHER = Vehicle(id="0b0c6b0e-1b5e-4d6e-9b3f-2f8f5f2a7c11", vin="WVWZZZ00000000001", aliases=("Käfer",))
PLACE = "Secret Cottage No"
STATUS, RECORDS, LIMITS = (
    BY_CODE[code] for code in ("charge-detailedchargingstatus", "charge-chargerecords", "charge-chargelimits")
)
OID = "SELECT oid FROM pg_database WHERE datname = current_database()"
TABLES = "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace"
TRACES = [CAR.id, CAR.vin, "geheim", PLACE, "TELLTALE", "owner-of-the-secret"]


def limits_at(number: int) -> Any:
    """A document that names a place."""
    place = {"type": "LOCATION", "condition": {"name": f"{PLACE} {number}"}, "limit": 50 + number % 40}
    return bodies.parse(LIMITS, {"values": [place], "activeLimit": 50})


@pytest.fixture
async def filled(store: Store) -> Store:
    """Two cars whose rows lie between each other, written in many small steps so that pages were split and moved."""
    for car in (CAR, OTHER):
        await store.vehicles.add_vehicle(car)
    app = Application(client_id="app", name="App", permissions=frozenset(Permission))
    await store.access.add_application(app, b"hash")
    for car, user in ((CAR, "owner-of-the-secret"), (OTHER, "another")):
        made = Connection(
            id=f"c-{user}", client_id="app", user_id=user, vehicle=car, permissions=app.permissions, created_at=T0
        )
        await store.access.add_connection(made)
    steps = list(range(400))
    random.Random(7).shuffle(steps)  # late ones, too: they split runs and rewrite rows
    for number in steps:
        at = T0 + number * 1000
        await store.readings.write([
            Reading(CAR.id, STATUS, f"TELLTALE {number % 7}", at, at, "box"),
            Reading(CAR.id, LIMITS, limits_at(number), at, at, "box"),
            Absence(CAR.vin or "", RECORDS, AbsenceReason.UNREADABLE, at, at, "box"),
            Reading(OTHER.id, STATUS, f"OPEN {number % 5}", at, at, "box"),
        ])  # fmt: skip
    raw = json.dumps({"vin": CAR.vin, "place": PLACE})
    await store.issues.add_issues([
        Issue("box", "field", "unknown field", "{}", T0, vehicle="geheim"),
        Issue("box", "field", "unknown field", raw, T0, vehicle=None),
        Issue("box", f"cars/{CAR.id}/x", "unknown topic", "{}", T0, vehicle=None),
        Issue("box", "field", "named", json.dumps({"car": "geheim"}), T0, vehicle=OTHER.id),
        Issue("box", "field", "of the other", "{}", T0, vehicle=OTHER.id),
    ])  # fmt: skip
    secret = json.dumps({"place": PLACE})
    for car in (CAR, OTHER):
        body = secret if car is CAR else "{}"
        await store.sessions.replace_sessions(
            car.id, 0, T0, [StoredSession(1, "CHG-1", True, body), StoredSession(2, "CHG-2", False, body)]
        )
        await store.sessions.keep_reported(car.id, [ReportedSession("box", "told", T0, 1, body)])
        await store.sessions.add_edit(car.id, T0, body)
    return store


def files(store: Store) -> list[Path]:
    if isinstance(store, SqliteStore):
        return [file for file in sorted(store.path.parent.iterdir()) if file.name.startswith(store.path.name)]
    url: str = store.url  # type: ignore[attr-defined]
    asked(url, "CHECKPOINT")
    folder, oid = (
        asked(url, "SHOW data_directory"),
        asked(url, "SELECT oid FROM pg_database WHERE datname = current_database()"),
    )
    return sorted((Path(folder) / "base" / oid).iterdir())


def in_bytes(store: Store) -> set[str]:
    """Which traces the files have anywhere."""
    data = b"".join(file.read_bytes() for file in files(store))
    return {trace for trace in TRACES if trace and trace.encode() in data}


def in_rows(store: Store) -> list[tuple[str, str]]:
    """Which tables and indices have a trace in any row, or a row of the car's key."""
    return in_rows_of_file(store.path) if isinstance(store, SqliteStore) else in_rows_of_server(store)


def in_rows_of_server(store: Store) -> list[tuple[str, str]]:
    url: str = store.url  # type: ignore[attr-defined]
    found = []
    for name in asked(
        url, "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace"
    ).split():
        reported = asked(url, f"SELECT n.* FROM {name} n")
        found += [(name, trace) for trace in TRACES if trace and trace in reported]
        if asked(url, f"SELECT 1 FROM pg_attribute WHERE attrelid = '{name}'::regclass AND attname = 'vehicle_key'"):
            found += [(name, "key")] * int(asked(url, f"SELECT count(*) FROM {name} WHERE vehicle_key = 1"))
    return found


def in_rows_of_file(path: Path) -> list[tuple[str, str]]:
    connection = apsw.Connection(str(path))
    found = []
    for kind, name, table, sql in connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema").fetchall():
        if kind in {"view", "trigger"}:  # they hold nothing: their tables are looked through
            continue
        assert kind in {"table", "index"}, "something new, that has to be looked through, too"
        if kind == "index" and " WHERE " in (sql or ""):  # a part of the table: SQLite does not walk it for all rows
            continue
        by = f" INDEXED BY {name}" if kind == "index" and not name.startswith("sqlite_") else ""
        cursor = connection.execute(f"SELECT * FROM {table}{by}")
        rows = cursor.fetchall()
        columns = [column[0] for column in connection.execute(f"SELECT name FROM pragma_table_xinfo('{table}')")]
        reported = " ".join(map(str, rows))
        found += [(name, trace) for trace in TRACES if trace and trace in reported]
        if "vehicle_key" in columns:
            mine = connection.execute(f"SELECT count(*) FROM {table}{by} WHERE vehicle_key = 1").fetchall()[0][0]
            found += [(name, "key")] * mine
    connection.close()
    return found


async def test_everything_is_there_before(filled: Store) -> None:
    assert in_bytes(filled) == set(TRACES)
    runs = {"recent", "feed"} if isinstance(filled, SqliteStore) else {"runs"}
    assert {name for name, _ in in_rows(filled)} >= {
        "vehicles", "vehicle_references", "latest", "connections", "issues", "sessions", "reported_sessions",
        "session_edits", *runs,
    }  # fmt: skip


async def test_no_table_and_no_byte_of_the_file_has_anything_left(filled: Store) -> None:
    before = await filled.readings.signals(OTHER.id)
    erased = await filled.vehicles.remove_vehicle(CAR.id)
    assert erased == Erased(
        latest=3, history=erased.history if erased else 0, connections=1, names=3, issues=4, sessions=3, edits=1,
        audited=3,
    )  # fmt: skip
    assert erased.history > 700
    assert in_rows(filled) == []
    assert await filled.vehicles.wipe()
    assert in_bytes(filled) == set()
    assert await filled.readings.signals(OTHER.id) == before
    assert [each.issue.detail for each in (await filled.issues.issues(page()))[0]] == ["of the other"]
    assert (await filled.readings.write([Reading(OTHER.id, STATUS, "OPEN 9", T0 * 2, T0 * 2, "box")]))[0] == "accepted"


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_a_reader_of_an_older_state_is_told_of(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from chargeport.store.sqlite import engine

    monkeypatch.setattr(engine, "BUSY_TIMEOUT_MS", 10)
    assert isinstance(filled, SqliteStore)
    reader = engine.connect(filled.path)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM vehicles").fetchall()
    await filled.vehicles.remove_vehicle(CAR.id)
    assert not await filled.vehicles.wipe()
    reader.close()
    assert await filled.vehicles.wipe()
    assert in_bytes(filled) == set()


async def test_nobody_is_erased_by_a_name_that_is_nobodys(filled: Store) -> None:
    assert await filled.vehicles.remove_vehicle("nobody") is None
    assert in_bytes(filled) == set(TRACES)


def page() -> Any:
    from chargeport.store.records import Page

    return Page(1, 100)
