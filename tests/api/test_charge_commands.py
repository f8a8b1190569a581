"""Commands over the API: a car that nobody can command, and the log of those that were given."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from answers import typed_error
from chargeport.dashboard import page
from chargeport.errors import StoreError
from chargeport.signals.definition import Permission
from chargeport.sources.base import Command, CommandError, Done
from chargeport.store.command_log import StoredCommand
from chargeport.store.records import Vehicle
from chargeport.store.sqlite.backup import back_up
from world import Client, World


async def test_a_car_that_nobody_can_command_says_so(world: World, app: Client, car: Vehicle) -> None:
    answer = await world.client.post(f"/v3/vehicles/{car.id}/commands/charge/start", headers=app.headers)
    error = typed_error(answer, 501, "COMPATIBILITY/VEHICLE_NOT_CAPABLE")
    assert "docs/commands.md" in error["description"]


async def test_a_car_that_is_not_there_has_no_commands(world: World, app: Client) -> None:
    answer = await world.client.post("/v3/vehicles/nobody/commands/charge/stop", headers=app.headers)
    error = typed_error(answer, 404, "RESOURCE_NOT_FOUND/VEHICLE_NOT_FOUND")
    assert error["description"] == "No vehicle with this id is known to this server."


class Box:
    """A source that can do everything once it is let; `fails_with` is raised instead."""

    def __init__(self) -> None:
        self.name = "box"
        self.asked, self.let = asyncio.Event(), asyncio.Event()
        self.fails_with: Exception | None = None
        self.done = Done.OBEYED

    async def command(self, _: Command) -> Done | None:
        self.asked.set()
        await self.let.wait()
        if self.fails_with is not None:
            raise self.fails_with
        return self.done


@pytest.fixture
def box(world: World, monkeypatch: pytest.MonkeyPatch) -> Box:
    made = Box()
    made.let.set()
    monkeypatch.setattr(world.service, "_commandable", lambda: [made])
    world.client = world.client_of(world.service.app(page.handlers()))
    return made


async def logged(world: World, app: Client, car: Vehicle, query: str = "") -> list[dict[str, Any]]:
    answer = await world.client.get(f"/v3/vehicles/{car.id}/commands{query}", headers=app.headers)
    assert answer.status_code == 200, answer.text
    data: list[dict[str, Any]] = answer.json()["data"]
    return data


async def give(world: World, app: Client, car: Vehicle, what: str = "start", **body: Any) -> Any:
    path = f"/v3/vehicles/{car.id}/commands/charge/{what}"
    return await world.client.post(path, headers=app.headers, json={"data": {"attributes": body}} if body else None)


async def test_each_command_is_logged_with_what_came_of_it(world: World, app: Client, car: Vehicle, box: Box) -> None:
    given = (await give(world, app, car, "set-limit", percent=80)).json()["data"]
    world.clock.move(1)
    box.done = Done.TAKEN
    assert (await give(world, app, car)).status_code == 202
    world.clock.move(1)
    box.fails_with = CommandError("VEHICLE_STATE", "FULLY_CHARGED", "It is full.")
    typed_error(await give(world, app, car), 409, "VEHICLE_STATE/FULLY_CHARGED")
    refused, promised, done = await logged(world, app, car)
    assert done["id"] == given["id"]
    assert done["attributes"] == given["attributes"]
    assert done["meta"] == {**given["meta"], "source": "box", "clientId": app.id}
    assert promised["attributes"]["status"] == {"value": "PENDING"}
    error = {"type": "VEHICLE_STATE", "code": "FULLY_CHARGED", "detail": "It is full."}
    assert refused["attributes"]["status"] == {"value": "ERROR", "error": error}
    assert [each["id"] for each in await logged(world, app, car, "?page[size]=1&page[number]=2")] == [promised["id"]]


async def test_a_source_that_cannot_leaves_it_to_the_next_and_says_why_where_none_can(
    world: World, app: Client, car: Vehicle, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    unable, refusing = Box(), Box()
    for each, type_ in ((unable, "COMPATIBILITY"), (refusing, "UPSTREAM")):
        each.name = type_
        each.let.set()
    unable.fails_with = CommandError("COMPATIBILITY", "VEHICLE_NOT_CAPABLE", "It has no windows.")
    refusing.fails_with = CommandError("UPSTREAM", "UNKNOWN_ISSUE", "It refused.")

    async def given_by(*sources: Box) -> tuple[str, str | None]:
        monkeypatch.setattr(world.service, "_commandable", lambda: sources)
        world.client = world.client_of(world.service.app(page.handlers()))
        answer = (await give(world, app, car)).json()
        (entry, *_) = await logged(world, app, car)
        world.clock.move(1)
        return answer.get("description", "done"), entry["meta"]["source"]

    assert await given_by(unable, box) == ("done", "box")
    assert await given_by(unable, refusing, box) == ("It refused.", "UPSTREAM")
    assert await given_by(unable) == ("It has no windows.", "COMPATIBILITY")


async def test_what_nobody_could_do_is_logged_without_a_source(world: World, app: Client, car: Vehicle) -> None:
    await give(world, app, car)
    (entry,) = await logged(world, app, car)
    assert entry["attributes"]["status"]["error"]["code"] == "VEHICLE_NOT_CAPABLE"
    assert entry["meta"]["source"] is None


async def test_a_command_is_in_progress_and_after_a_crash_unknown(
    world: World, app: Client, car: Vehicle, box: Box, tmp_path: Path
) -> None:
    box.let.clear()
    giving = asyncio.create_task(give(world, app, car))
    await box.asked.wait()
    (under_way,) = await logged(world, app, car)
    assert under_way["attributes"]["status"] == {"value": "IN_PROGRESS"}
    assert "completedAt" not in under_way["meta"]
    after_the_crash = tmp_path / "after"
    after_the_crash.mkdir()
    back_up(world.database, after_the_crash / "world.db", lambda _: None)  # what is on disk at this instant
    again = World.open(after_the_crash)
    (unknown,) = await logged(again, app, car)
    assert unknown == {**under_way, "attributes": {**under_way["attributes"], "status": {"value": "UNKNOWN"}}}
    await again.close()
    box.let.set()
    assert (await giving).status_code == 200
    assert (await logged(world, app, car))[0]["attributes"]["status"] == {"value": "SUCCESS"}


async def test_a_source_that_breaks_leaves_the_outcome_unknown(world: World, app: Client, car: Vehicle, box: Box) -> None:
    box.fails_with = ZeroDivisionError()
    assert (await give(world, app, car)).status_code == 500
    assert (await logged(world, app, car))[0]["attributes"]["status"] == {"value": "UNKNOWN"}


async def test_an_application_sees_its_own_commands_and_who_may_manage_all(
    world: World, app: Client, car: Vehicle, box: Box
) -> None:
    other = await world.application(frozenset({Permission.CONTROL_CHARGE}))
    await give(world, other, car)
    await give(world, app, car)
    assert [each["meta"]["clientId"] for each in await logged(world, other, car)] == [other.id]
    assert {each["meta"]["clientId"] for each in await logged(world, app, car)} == {app.id, other.id}
    blind = await world.application(frozenset({Permission.READ_BATTERY}))
    answer = await world.client.get(f"/v3/vehicles/{car.id}/commands", headers=blind.headers)
    typed_error(answer, 403, "PERMISSION/None")


async def test_no_command_is_sent_while_none_can_be_logged(
    world: World, app: Client, car: Vehicle, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(_: StoredCommand) -> None:
        raise StoreError("The disk is full.")

    monkeypatch.setattr(world.store.commands, "begin", full)
    assert (await give(world, app, car)).status_code == 503
    assert not box.asked.is_set()
    monkeypatch.undo()
    monkeypatch.setattr(world.store.commands, "end", full)
    assert (await give(world, app, car)).status_code == 200, "it has happened"
