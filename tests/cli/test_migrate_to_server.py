"""`chargeport migrate --from --to`: a whole SQLite database on a PostgreSQL server, however often it is interrupted."""

import random
from pathlib import Path
from typing import Any

import pytest

from chargeport.errors import ConflictError, StoreError
from chargeport.signals.catalogue import BY_CODE, IS_CHARGING
from chargeport.signals.definition import Permission
from chargeport.signals.reading import Absence, AbsenceReason, Issue, Reading
from chargeport.store.postgres import PostgresStore, copying
from chargeport.store.protocols import Store
from chargeport.store.records import Application, Connection, Page, ReportedSession, Selection, StoredSession, Vehicle
from chargeport.store.retention_policy import HOUR_MS, KeepFor, Policy
from chargeport.store.sqlite import SqliteStore
from postgres_server import PostgresServer, asked

WATTAGE, SOC, STATUS = (
    BY_CODE[code] for code in ("charge-wattage", "tractionbattery-stateofcharge", "charge-detailedchargingstatus")
)
T0 = 1_777_593_600_000
CARS = [Vehicle(id=f"car-{number}", vin=f"WVWZZZ0000000000{number}", year=2020 + number, created_at=T0) for number in range(3)]


@pytest.fixture
async def file(tmp_path: Path) -> Path:
    """A database that has something of everything."""
    file = tmp_path / "cars.db"
    store = SqliteStore.open(file)
    chance = random.Random(5)
    for car in CARS:
        await store.vehicles.add_vehicle(car)
        for number in chance.sample(range(200), 200):
            at = T0 + number * 1_200_000
            await store.readings.write([
                Reading(car.id, WATTAGE, float(chance.randrange(5)), at, at + 5, "box"),
                Reading(car.id, IS_CHARGING, chance.random() < 0.7, at, at + 5, "box"),
                Reading(car.id, STATUS, chance.choice(["CHARGING", "Lädt · 充电"]), at, at + 5, "car"),
                Absence(car.id, SOC, AbsenceReason.UNREACHABLE, at, at + 5, "car"),
            ])  # fmt: skip
        sessions = [StoredSession(T0 + number, f"s{number}", number == 2, "{}") for number in range(3)]
        await store.sessions.replace_sessions(car.id, T0, T0 + HOUR_MS, sessions)
        await store.sessions.keep_reported(car.id, [ReportedSession("box", "1", T0, T0, "{}")])
        await store.sessions.add_edit(car.id, T0, '{"note":"mine"}')
    while (await store.retention.fold(Policy({"Charge": KeepFor(1)}), T0 + 72 * HOUR_MS)).more:
        pass
    await store.readings.forget("box", CARS[2].id, T0 + 60 * HOUR_MS, T0 + 61 * HOUR_MS)
    application = Application(client_id="app", name="App", permissions=frozenset(Permission), created_at=T0)
    await store.access.add_application(application, b"\x00hash")
    await store.access.add_connection(
        Connection(id="c1", client_id="app", user_id="me", vehicle=CARS[0], permissions=application.permissions, created_at=T0)
    )
    await store.issues.add_issues([Issue("box", "power", "no number", '{"power":"?"}', T0, CARS[1].id)] * 3)
    await store.notes.remember("box", "last", "17")
    await store.close()
    return file


async def everything(store: Store) -> list[Any]:
    """What a store tells of all that `file` put into it."""
    found: list[Any] = [await store.vehicles.vehicles(Page(1, 100)), await store.access.applications()]
    found += [
        await store.access.connections(Page()),
        await store.issues.issues(Page()),
        await store.issues.issue_messages(0, 10),
    ]
    found += [
        await store.notes.recall("box", "last"),
        await store.sessions.erased_since(0),
        await store.sessions.edited_since(0),
    ]
    found += [
        await store.readings.changes(0, 100_000),
        [each async for each in store.readings.sightings(Selection(every=True))],
    ]
    for car in CARS:
        series = await store.readings.signals(car.id)
        assert series is not None
        found.append({key: sorted(states, key=repr) for key, states in series.series.items()})
        found += [await store.sessions.sessions(car.id, 0, T0 * 2), await store.sessions.reported_sessions(car.id, 0)]
        found += [await store.sessions.edits(car.id), await store.history.horizon(car.id, WATTAGE)]
        found.append(await store.history.hours(car.id, WATTAGE, T0, T0 + 100 * HOUR_MS, source="box", limit=1_000))
        found.append(await store.history.series_at(car.id, T0 + 65 * HOUR_MS))
    return found


async def content_of(store: Store) -> list[Any]:
    try:
        return await everything(store)
    finally:
        await store.close()


async def test_a_copied_database_has_the_same_content_and_takes_more(file: Path, postgres: PostgresServer) -> None:
    url = postgres.database()
    PostgresStore.open(url)
    shares: list[float] = []
    counts = await copying.copy(file, url, shares.append)
    assert shares == sorted(shares)
    assert counts["session_edits"] == 3
    assert counts["hourly"] > 100
    expected = await content_of(SqliteStore.open(file))
    assert await content_of(PostgresStore.open(url)) == expected
    store = PostgresStore.open(url)
    before = await store.readings.position()
    await store.vehicles.add_vehicle(Vehicle(id="new"))
    await store.readings.write([Reading("new", WATTAGE, 1.0, T0, T0, "another box")])
    assert [change.vehicle_id for change in await store.readings.changes(before, 10)] == ["new"]
    assert await store.sessions.add_edit("new", T0, "{}") == 4
    await store.close()


async def test_a_copy_that_was_interrupted_continues(
    file: Path, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres.database()
    PostgresStore.open(url)
    monkeypatch.setattr(copying, "PART", 10)
    begun = 0
    for stop_after in (3, 9, 20):
        seen: list[float] = []

        def interrupt(share: float, seen: list[float] = seen, stop_after: int = stop_after) -> None:
            seen.append(share)
            if len(seen) == stop_after:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            await copying.copy(file, url, interrupt)
        copied = int(asked(url, "SELECT sum(rows) FROM copying"))
        assert copied > begun
        begun = copied
    await copying.copy(file, url, lambda _: None)
    assert await content_of(PostgresStore.open(url)) == await content_of(SqliteStore.open(file))


async def test_a_target_with_data_is_left_alone(file: Path, postgres: PostgresServer) -> None:
    url = postgres.database()
    store = PostgresStore.open(url)
    await store.vehicles.add_vehicle(Vehicle(id="mine"))
    await store.close()
    with pytest.raises(ConflictError, match="vehicle_references, vehicles"):
        await copying.copy(file, url, lambda _: None)


async def test_a_difference_is_found(file: Path, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    url = postgres.database()
    PostgresStore.open(url)
    whole = copying._Copy._converted

    def wrong(self: Any, table: copying.Table, row: Any) -> list[Any]:
        found = whole(self, table, row)
        if table.name == "latest":
            found[list(table.columns).index("observed_at")] = T0
        return found

    monkeypatch.setattr(copying._Copy, "_converted", wrong)
    with pytest.raises(StoreError, match="latest differs in observed_at"):
        await copying.copy(file, url, lambda _: None)
