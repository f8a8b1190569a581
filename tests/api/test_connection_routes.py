"""Connections: which users' vehicles an application may read, as Smartcar lists them."""

from typing import Any

import pytest

from answers import detail, typed_error
from chargeport.signals.definition import Permission
from chargeport.store.records import Connection, Vehicle
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
            "user": {"id": "owner"},
        },
        "relationships": {
            "vehicle": {
                "data": {"id": car.id, "type": "vehicle"},
                "links": {"related": f"{HOST}/v3/vehicles/{car.id}"},
            },
            "user": {"data": {"id": "owner", "type": "user"}},
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
    other = await world.application()
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
