"""Connections: which users' vehicles an application may read, as Smartcar lists them."""

from typing import Any

import pytest

from answers import detail, typed_error
from chargeport.signals.definition import Permission
from chargeport.store.records import Connection, Vehicle, user_uuid_of
from world import HOST, READING, T0, Client, World


async def listed(world: World, client: Client, **more: Any) -> dict[str, Any]:
    response = await world.client.get("/v3/connections", headers=client.headers | more.pop("headers", {}), **more)
    assert response.status_code == 200, response.text
    document: dict[str, Any] = response.json()
    return document


def ids(document: dict[str, Any]) -> list[str]:
    return [each["id"] for each in document["data"]]


@pytest.fixture
async def three(world: World, app: Client, car: Vehicle) -> list[Connection]:
    """Three connections, a second apart, the newest first."""
    simulated = await world.car(mode="simulated")
    made = []
    for vehicle, user in ((car, "owner"), (car, "driver"), (simulated, "owner")):
        made.append(await world.connect(app, vehicle, user, frozenset({Permission.READ_CHARGE, Permission.READ_BATTERY})))
        world.clock.move(1)
    return made[::-1]


async def test_a_connection_looks_as_smartcars_does(world: World, app: Client, car: Vehicle) -> None:
    connection = await world.connect(app, car, "owner", frozenset({Permission.READ_CHARGE, Permission.READ_BATTERY}))
    expected = {
        "id": connection.id,
        "type": "connection",
        "attributes": {
            "permissions": ["read_battery", "read_charge"],
            "vehicle": {"make": "ACME", "model": "Bolt One", "year": 2026, "mode": "live", "powertrainType": "BEV"},
            "user": {"id": user_uuid_of("owner"), "externalId": "owner"},
        },
        "relationships": {
            "vehicle": {
                "data": {"id": car.id, "type": "vehicle"},
                "links": {"related": f"{HOST}/v3/vehicles/{car.id}"},
            },
            "user": {"data": {"id": user_uuid_of("owner"), "type": "user"}},
        },
        "meta": {"createdAt": "2026-05-01T09:59:58.000Z", "updatedAt": "2026-05-01T09:59:58.000Z"},
        "links": {"self": f"{HOST}/v3/connections/{connection.id}"},
    }
    page = f"{HOST}/v3/connections?page%5Bnumber%5D=1&page%5Bsize%5D=10"
    assert await listed(world, app) == {
        "data": [expected],
        "meta": {"totalCount": 1, "pageSize": 10, "pageNumber": 1, "orderBy": "createdAt", "orderDirection": "DESC"},
        "links": {"self": page, "first": page, "last": page, "next": None, "prev": None},
    }
    one = await world.client.get(f"/v3/connections/{connection.id}", headers=app.headers)
    assert one.json() == {"data": expected}


async def test_the_newest_comes_first(world: World, app: Client, three: list[Connection]) -> None:
    assert ids(await listed(world, app)) == [connection.id for connection in three]


async def test_filters_choose_by_user_vehicle_and_mode(
    world: World, app: Client, three: list[Connection], car: Vehicle
) -> None:
    simulated, driver, owner = (connection.id for connection in three)

    async def chosen(**query: str) -> list[str]:
        names = {"user": "filter[userId]", "vehicle": "filter[vehicleId]", "mode": "filter[vehicle.mode]"}
        return ids(await listed(world, app, params={names[name]: value for name, value in query.items()}))

    assert await chosen(user="owner") == [simulated, owner]
    assert await chosen(vehicle=car.id) == [driver, owner]
    assert await chosen(mode="simulated") == [simulated]
    assert await chosen(mode="live", user="driver") == [driver]
    assert await chosen(user="nobody") == []
    assert ids(await listed(world, app, headers={"sc-user-id": "driver"})) == [driver]
    both = await listed(world, app, headers={"sc-user-id": "driver"}, params={"filter[userId]": "owner"})
    assert ids(both) == [simulated, owner], "a filter says it more plainly than a header"


async def test_pages_follow_their_links(world: World, app: Client, three: list[Connection]) -> None:
    first = await listed(world, app, params={"page[size]": "2", "filter[vehicle.mode]": "live"})
    assert (first["meta"]["totalCount"], first["links"]["next"]) == (2, None)
    at: str | None = "/v3/connections?page[size]=2"
    seen: list[str] = []
    while at is not None:
        document = (await world.client.get(at, headers=app.headers)).json()
        seen += ids(document)
        at = document["links"]["next"]
    assert seen == [connection.id for connection in three]


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_a_connection_of_another_application_does_not_exist(
    world: World, app: Client, three: list[Connection], method: str
) -> None:
    other = await world.application(connected_only=True)
    assert ids(await listed(world, other)) == []
    foreign, unknown = [
        detail(
            await world.client.request(method, f"/v3/connections/{name}", headers=other.headers),
            404,
            "RESOURCE_NOT_FOUND/CONNECTION_NOT_FOUND",
        )
        for name in (three[0].id, "nobody")
    ]
    assert foreign == unknown
    assert len(ids(await listed(world, app))) == 3


async def test_a_deleted_connection_is_gone_and_what_it_let_see_as_well(world: World, car: Vehicle) -> None:
    await world.report(car, "charge-voltage", {"value": 231})
    client = await world.application(connected_only=True)
    connection = await world.connect(client, car)
    path = f"/v3/vehicles/{car.id}/signals/charge-voltage"
    assert (await world.client.get(path, headers=client.headers)).status_code == 200
    assert (await world.client.delete(f"/v3/connections/{connection.id}", headers=client.headers)).status_code == 204
    typed_error(await world.client.get(path, headers=client.headers), 404, "RESOURCE_NOT_FOUND/VEHICLE_NOT_FOUND")
    typed_error(await world.client.delete(f"/v3/connections/{connection.id}", headers=client.headers), 404)


async def test_connecting_again_changes_the_permissions_and_keeps_the_id(world: World, app: Client, car: Vehicle) -> None:
    first = await world.connect(app, car, permissions=READING)
    again = await world.connect(app, car, permissions=frozenset({Permission.READ_CHARGE}))
    assert again.id == first.id
    (shown,) = (await listed(world, app))["data"]
    assert shown["attributes"]["permissions"] == ["read_charge"]
    assert first.created_at == T0


async def test_an_application_that_sees_every_vehicle_has_a_connection_with_each(
    world: World, app: Client, car: Vehicle
) -> None:
    other = await world.car()
    found = (await listed(world, app))["data"]
    assert {each["relationships"]["vehicle"]["data"]["id"] for each in found} == {car.id, other.id}
    assert {each["attributes"]["user"]["id"] for each in found} == {user_uuid_of(app.id)}
    assert {tuple(each["attributes"]["permissions"]) for each in found} == {tuple(sorted(app.application.permissions))}
    for each in found:
        one = await world.client.get(f"/v3/connections/{each['id']}", headers=app.headers)
        assert one.json()["data"] == each


async def test_its_own_user_opens_every_vehicle_and_another_user_none(world: World, app: Client, car: Vehicle) -> None:
    await world.report(car, "charge-voltage", {"value": 231})
    (found,) = (await listed(world, app))["data"]
    path = f"/v3/vehicles/{car.id}/signals/charge-voltage"
    own = app.headers | {"sc-user-id": found["attributes"]["user"]["id"]}
    assert (await world.client.get(path, headers=own)).status_code == 200
    typed_error(await world.client.get(path, headers=app.headers | {"sc-user-id": user_uuid_of("bob")}), 404)


async def test_a_connection_that_was_made_takes_the_place_of_the_application_s_own(
    world: World, app: Client, car: Vehicle
) -> None:
    made = await world.connect(app, car, "ann")
    assert ids(await listed(world, app)) == [made.id]
    await world.report(car, "charge-voltage", {"value": 231})
    path = f"/v3/vehicles/{car.id}/signals/charge-voltage"
    for user in ("ann", user_uuid_of("ann"), user_uuid_of(app.id)):
        assert (await world.client.get(path, headers=app.headers | {"sc-user-id": user})).status_code == 200


async def test_pages_of_every_vehicle_have_each_once(world: World, app: Client, car: Vehicle) -> None:
    cars = {car.id} | {(await world.car()).id for _ in range(6)}
    at: str | None = "/v3/connections?page[size]=3"
    seen: list[str] = []
    while at is not None:
        document = (await world.client.get(at, headers=app.headers)).json()
        assert document["meta"]["totalCount"] == 7
        seen += ids(document)
        at = document["links"]["next"]
    assert len(seen) == 7
    assert set(seen) == cars


@pytest.mark.parametrize("name", ["filter[user.id]", "filter[user_id]", "filter[userId]"])
async def test_the_spellings_of_a_user_s_filter(world: World, app: Client, three: list[Connection], name: str) -> None:
    assert len(ids(await listed(world, app, params={name: user_uuid_of("owner")}))) == 2
    assert len(ids(await listed(world, app, params={name: user_uuid_of("nobody")}))) == 0


@pytest.mark.parametrize("name", ["filter[vehicle.id]", "filter[vehicle_id]", "filter[vehicleId]"])
async def test_the_spellings_of_a_vehicle_s_filter(
    world: World, app: Client, three: list[Connection], car: Vehicle, name: str
) -> None:
    assert len(ids(await listed(world, app, params={name: car.id}))) == 2


async def test_filters_by_external_id_and_mode(world: World, app: Client, three: list[Connection]) -> None:
    assert len(ids(await listed(world, app, params={"filter[user.externalId]": "owner"}))) == 2
    assert len(ids(await listed(world, app, params={"filter[mode]": "SIMULATED"}))) == 1
    assert len(ids(await listed(world, app, params={"filter[region]": "EU", "filter[anything]": ""}))) == 3


async def test_a_page_larger_than_allowed_is_cut(world: World, app: Client, car: Vehicle) -> None:
    document = await listed(world, app, params={"page[size]": "5000"})
    assert document["meta"]["pageSize"] == 100


async def test_a_connection_of_its_own_that_is_ended_takes_the_vehicle_along(world: World, app: Client, car: Vehicle) -> None:
    other = await world.car()
    await world.report(car, "charge-voltage", {"value": 231})
    for path in (f"/v3/connections/{car.id}", f"/v3/vehicles/{car.id}"):
        assert (await world.client.get(path, headers=app.headers)).status_code == 200
    assert (await world.client.delete(f"/v3/connections/{car.id}", headers=app.headers)).status_code == 204
    for path in (f"/v3/connections/{car.id}", f"/v3/vehicles/{car.id}", f"/v3/vehicles/{car.id}/signals/charge-voltage"):
        typed_error(await world.client.get(path, headers=app.headers), 404)
    vehicles = (await world.client.get("/v3/vehicles", headers=app.headers)).json()
    assert [each["id"] for each in vehicles["data"]] == [other.id]
    assert ids(await listed(world, app)) == [other.id]
    await world.connect(app, car, "ann")
    assert (await world.client.get(f"/v3/vehicles/{car.id}", headers=app.headers)).status_code == 200


async def test_a_user_s_connections_end_together(world: World, app: Client, three: list[Connection]) -> None:
    ended = await world.client.delete(f"/v3/users/{user_uuid_of('owner')}", headers=app.headers)
    assert (ended.status_code, ended.content) == (204, b"")
    assert len(ids(await listed(world, app))) == 1
    again = await world.client.delete(f"/v3/users/{user_uuid_of('owner')}", headers=app.headers)
    typed_error(again, 404, "RESOURCE_NOT_FOUND/USER_NOT_FOUND")


async def test_the_application_s_own_user_ends_with_every_vehicle(world: World, app: Client, car: Vehicle) -> None:
    assert (await world.client.delete(f"/v3/users/{user_uuid_of(app.id)}", headers=app.headers)).status_code == 204
    assert ids(await listed(world, app)) == []
    new = await world.car()
    assert ids(await listed(world, app)) == [new.id]
