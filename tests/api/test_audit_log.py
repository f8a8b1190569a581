"""Who did what over the API: under the right name and address, counted where it is routine, told to operators alone."""

from typing import Any

import pytest

from answers import detail
from chargeport.api.session import COOKIE
from world import Client, World, bearer

PAGE = {"X-Chargeport-Page": "1"}


async def log(world: World, app: Client, query: str = "") -> list[dict[str, Any]]:
    answer = await world.client.get(f"/admin/audit?page[size]=100&{query}", headers=app.headers)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["data"])


async def test_a_deed_is_recorded_under_the_application_and_its_address(world: World, app: Client) -> None:
    made = await world.client.post("/admin/applications", json={"name": "Charts"}, headers=app.headers)
    client_id = made.json()["data"]["client_id"]
    await world.client.delete(f"/admin/applications/{client_id}", headers=app.headers)
    revoked, created = await log(world, app, f"filter[subject]={client_id}")
    assert (created["act"], revoked["act"]) == ("application.created", "application.revoked")
    assert {(each["actor"], each["address"]) for each in (created, revoked)} == {(app.id, "203.0.113.9")}
    assert made.json()["data"]["client_secret"] not in str(await log(world, app))


async def test_what_is_done_on_the_page_is_the_persons_deed(world: World, app: Client) -> None:
    people = world.service.sign_in
    await people.add_user("Ada")
    answer = await world.client.post("/session", json={"link": await people.link("Ada")}, headers=PAGE)
    cookie = {"Cookie": f"{COOKIE}={answer.cookies[COOKIE]}"}
    token = (await world.client.post("/session/token", json={}, headers=PAGE | cookie)).json()["access_token"]
    await world.client.post("/admin/applications", json={"name": "Charts"}, headers=bearer(token))
    await world.client.delete("/session", headers=PAGE | cookie)
    acts = {each["act"] for each in await log(world, app, "filter[actor]=user:Ada")}
    assert acts == {"session.begun", "token.issued", "application.created", "session.ended"}
    (page,) = await log(
        world, app, "filter[act]=application.created&filter[actor]=server&filter[subject]=" + await page_id(world)
    )
    assert page["detail"] != ""
    assert await log(world, app, "filter[actor]=unknown") == []


async def page_id(world: World) -> str:
    found = await world.service.sign_in.page_application()
    assert found is not None
    return found


async def test_requests_are_counted_by_application_and_wrong_credentials_by_address(world: World, app: Client) -> None:
    car = await world.car()
    await world.report(car, "charge-voltage", {"value": 230, "unit": "volts"})
    for _ in range(3):
        await world.client.get(f"/v3/vehicles/{car.id}/signals/charge-voltage", headers=app.headers)
    await world.client.get(f"/v3/vehicles/{car.id}/signals/charge-voltage?source=box", headers=app.headers)  # by the router
    await world.client.get(f"/v3/vehicles/{car.id}/signals?source=box", headers=app.headers)
    await world.client.get("/v3/vehicles", headers=app.headers)
    for name in (app.id, "hunter2-typed-as-a-name"):
        await world.client.post(
            "/oauth2/token", json={"grant_type": "client_credentials", "client_id": name, "client_secret": "wrong"}
        )
    await world.client.get("/v3/vehicles", headers=bearer("cpt_wrong"))
    await world.service.access.counts.write()
    (requests,) = await log(world, app, "filter[act]=requests")
    assert (requests["actor"], requests["count"]) == (app.id, 6)
    refused = await log(world, app, "filter[act]=credential.refused")
    assert sorted((each["actor"], each["subject"], each["address"]) for each in refused) == [
        (app.id, "secret", "203.0.113.9"), ("unknown", "secret", "203.0.113.9"), ("unknown", "token", "203.0.113.9"),
    ]  # fmt: skip
    assert "hunter2" not in str(refused)


async def test_files_that_leave_the_server_are_recorded(world: World, app: Client) -> None:
    car = await world.car()
    await world.client.get("/records?format=csv", headers=app.headers)
    await world.client.get("/admin/backup", headers=app.headers)
    backup, records = await log(world, app, "filter[act]=data.exported")
    assert (records["subject"], records["detail"]) == (car.id, "0 records as csv")
    assert backup["detail"] == "backup of the whole database"


@pytest.mark.parametrize(
    ("query", "named"), [("filter[act]=vehicle.erase", "vehicle.erased"), ("from=soon", "from"), ("to=1", "seconds")]
)
async def test_a_filter_that_is_wrong_is_named(world: World, app: Client, query: str, named: str) -> None:
    assert named in detail(await world.client.get(f"/admin/audit?{query}", headers=app.headers), 400)


async def test_counts_that_can_not_be_written_are_not_lost(world: World, app: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    from chargeport.errors import StoreError

    async def fail(_: Any) -> None:
        raise StoreError("The disk is full.")

    await world.client.get("/v3/vehicles", headers=app.headers)
    counts = world.service.access.counts
    with monkeypatch.context() as patch:
        patch.setattr(world.store.audit, "count", fail)
        with pytest.raises(StoreError):
            await counts.write()
    await counts.write()
    assert [each["count"] for each in await log(world, app, "filter[act]=requests")] == [1]
