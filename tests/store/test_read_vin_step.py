"""The step of the schema that brings read_vin: who could read everything still can, nobody else gets more."""

from contextlib import closing
from pathlib import Path

import apsw

from chargeport.signals.definition import USUAL, Permission
from chargeport.store.records import Application, Connection, Page, Vehicle
from chargeport.store.sqlite import SqliteStore
from chargeport.store.sqlite.migrations import migrations

CAR = Vehicle(id="6f1d2c3b-0000-4000-8000-000000000001")
READ_VIN_STEP = 10
BEFORE = USUAL - {Permission.READ_VIN}


async def test_who_could_read_everything_can_read_the_vin(tmp_path: Path) -> None:
    path = tmp_path / "cars.db"
    held = {
        "client_every": BEFORE,
        "client_reads": BEFORE - {Permission.WRITE_READINGS},
        "client_some": BEFORE - {Permission.READ_LOCATION},
    }
    store = SqliteStore.open(path)
    await store.vehicles.add_vehicle(CAR)
    for client_id, permissions in held.items():
        await store.access.add_application(Application(client_id=client_id, name="App", permissions=permissions), b"")
        connection = Connection(
            id=client_id, client_id=client_id, user_id="owner", vehicle=CAR, permissions=permissions, created_at=0
        )
        await store.access.add_connection(connection)
    await store.close()
    (step,) = [sql for number, _, sql in migrations() if number == READ_VIN_STEP]
    with closing(apsw.Connection(str(path))) as database:
        database.execute(step)
    store = SqliteStore.open(path)
    after = {one.client_id: one.permissions for one in await store.access.applications()}
    connected = {one.client_id: one.permissions for one in (await store.access.connections(Page()))[0]}
    await store.close()
    assert (
        after
        == connected
        == held
        | {
            "client_every": USUAL,
            "client_reads": USUAL - {Permission.WRITE_READINGS},
        }
    )


def test_every_step_has_a_number_of_its_own() -> None:
    assert [number for number, _, _ in migrations()] == list(range(1, len(migrations()) + 1))
