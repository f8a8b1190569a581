"""The log of commands: begun before it is given, ended with what came of it, gone with the vehicle."""

import msgspec
import pytest

from chargeport.errors import NotFoundError
from chargeport.store.command_log import StoredCommand
from chargeport.store.protocols import Store
from chargeport.store.records import Page, Vehicle
from chargeport.store.tables import command_log

T0 = 1_777_629_600_000
CAR = Vehicle(id="car-1", make="ACME", model="One", year=2026)
OTHER = Vehicle(id="car-2", make="ACME", model="Two", year=2026)


def begun(number: int, vehicle: Vehicle = CAR, client_id: str = "app", user_uuid: str | None = None) -> StoredCommand:
    return StoredCommand(
        id=f"exec_{number}", vehicle_id=vehicle.id, client_id=client_id, user_uuid=user_uuid, kind="charge-set-limit",
        parameters='{"percent":80}', started_at=T0 + number * 1000,
    )  # fmt: skip


@pytest.fixture
async def log(store: Store) -> Store:
    for car in (CAR, OTHER):
        await store.vehicles.add_vehicle(car)
    return store


async def test_a_command_is_kept_before_and_after_it_was_given(log: Store) -> None:
    await log.commands.begin(begun(1))
    assert await log.commands.commands(Page()) == ([begun(1)], 1)
    ended = msgspec.structs.replace(
        begun(1), source="box", ended_at=T0 + 3000, outcome="UPSTREAM/NO_RESPONSE", detail="Nobody answered."
    )
    await log.commands.end(ended)
    assert await log.commands.commands(Page()) == ([ended], 1)


async def test_commands_are_told_apart_by_vehicle_application_and_user(log: Store) -> None:
    kept = [begun(1), begun(2, OTHER), begun(3, client_id="another"), begun(4, user_uuid="me"), begun(5)]
    for each in kept:
        await log.commands.begin(each)
    assert await log.commands.commands(Page(size=2)) == ([kept[4], kept[3]], 5)
    assert await log.commands.commands(Page(2, 2)) == ([kept[2], kept[1]], 5)
    assert await log.commands.commands(Page(), CAR.id, "app") == ([kept[4], kept[3], kept[0]], 3)
    assert await log.commands.commands(Page(), client_id="app", user_uuid="me") == ([kept[3]], 1)


async def test_a_vehicle_that_is_not_there_has_no_commands(log: Store) -> None:
    with pytest.raises(NotFoundError, match="nobody"):
        await log.commands.begin(begun(1, Vehicle(id="nobody", make="A", model="B", year=2026)))
    assert await log.commands.commands(Page()) == ([], 0)


async def test_an_erased_vehicle_takes_its_commands_along(log: Store) -> None:
    await log.commands.begin(begun(1))
    await log.commands.begin(begun(2, OTHER))
    erased = await log.vehicles.remove_vehicle(CAR.id)
    assert erased is not None
    assert erased.commands == 1
    assert await log.commands.commands(Page()) == ([begun(2, OTHER)], 1)


async def test_the_oldest_commands_of_a_vehicle_go(log: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_log, "MAX_KEPT", 3)
    await log.commands.begin(begun(0, OTHER))
    for number in range(1, 6):
        await log.commands.begin(begun(number))
    found, total = await log.commands.commands(Page())
    assert [each.id for each in found] == ["exec_5", "exec_4", "exec_3", "exec_0"]
    assert total == 4
