"""What whoever runs the server asks over the API: nothing secret is told, and nobody else is answered."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from answers import detail
from chargeport.api.routes import ROUTES
from chargeport.settings import ServerSettings, Settings, SmartcarSettings
from chargeport.signals.definition import READS, Permission
from chargeport.signals.reading import Issue
from world import EVERYTHING, T0, Client, World

MANAGED = [route for route in ROUTES if route.path.startswith("/admin/")]


async def got(world: World, app: Client, path: str) -> Any:
    response = await world.client.get(path, headers=app.headers)
    assert response.status_code == 200, response.text
    return response.json()


@pytest.mark.parametrize("route", MANAGED, ids=lambda route: route.name)
async def test_only_who_may_manage_is_answered(world: World, route: Any) -> None:
    other = await world.application(EVERYTHING - {Permission.MANAGE})
    path = route.path.format(client_id="a", connection_id="b", webhook_id="c", delivery_id="d")
    response = await world.client.request(route.method, path, headers=other.headers)
    assert "manage" in detail(response, 403)


async def test_settings_say_what_is_in_use_and_nothing_secret(tmp_path: Path) -> None:
    settings = Settings(
        server=ServerSettings(log="debug"), smartcar=SmartcarSettings(management_token="very-secret"),
        sources=[{"name": "broker", "type": "http", "url": "mqtt://ada:very-secret@broker", "password": "very-secret"}],
    )  # fmt: skip
    from chargeport.api.administration import _open

    shown = _open(
        "settings", {"smartcar": {"management_token": settings.smartcar.management_token}, "sources": settings.sources}
    )
    assert "very-secret" not in str(shown)
    assert "ada" in str(shown)
    world = World.open(tmp_path, server=ServerSettings(log="debug"))
    found = {each["name"]: each for each in (await got(world, await world.application(), "/admin/settings"))["data"]}
    assert found["server.log"] == {"name": "server.log", "value": "debug", "isDefault": False}
    assert found["server.port"]["isDefault"] is True
    await world.close()


async def test_an_application_is_made_gets_a_token_and_is_ended(world: World, app: Client) -> None:
    made = (await world.client.post("/admin/applications", json={"name": "Charts"}, headers=app.headers)).json()["data"]
    assert made["client_secret"].startswith("cps_")
    assert set(made["permissions"]) == READS | {Permission.WRITE_READINGS}
    path = f"/admin/applications/{made['client_id']}"
    token = (await world.client.post(f"{path}/token", headers=app.headers)).json()["data"]["access_token"]
    assert (await world.client.get("/v3/vehicles", headers={"Authorization": f"Bearer {token}"})).status_code == 200
    assert "client_secret" not in str(await got(world, app, "/admin/applications"))
    assert (await world.client.delete(path, headers=app.headers)).status_code == 204
    assert (await world.client.get("/v3/vehicles", headers={"Authorization": f"Bearer {token}"})).status_code == 401
    refused = await world.client.delete(f"/admin/applications/{app.id}", headers=app.headers)
    assert "own application" in detail(refused, 409)


async def test_issues_are_listed_with_their_message_and_read_again(world: World, app: Client) -> None:
    await world.store.issues.add_issues([Issue("box", "Meter", "is no number", '{"raw":1}', T0, None)])
    (issue,) = (await got(world, app, "/admin/issues"))["data"]
    assert (issue["source"], issue["subject"], issue["count"], issue["message"]) == ("box", "Meter", 1, '{"raw":1}')
    answer = await world.client.post("/admin/issues/replay", headers=app.headers)
    assert answer.json()["data"]["rejected"] == 1


async def test_a_backup_is_the_whole_database(world: World, app: Client, tmp_path: Path) -> None:
    car = await world.car()
    answer = await world.client.get("/admin/backup", headers=app.headers)
    assert answer.headers["content-disposition"].startswith('attachment; filename="chargeport-2026-05-01')
    file = tmp_path / "copy.db"
    file.write_bytes(answer.content)
    copy = sqlite3.connect(file)
    assert copy.execute("SELECT id FROM vehicles").fetchall() == [(car.id,)]
    copy.close()
