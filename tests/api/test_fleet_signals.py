"""The signals of all vehicles, a page at a time: each vehicle once, as its own list has it, as far as the client may see."""

from typing import Any

import pytest

from answers import detail
from chargeport.api import signals
from chargeport.api.cursors import of_vehicle
from chargeport.signals.definition import Permission
from world import EVERYTHING, HOST, READING, Client, World

PATH = "/v3/signals"


async def page(world: World, client: Client, path: str = PATH, user: str | None = None) -> dict[str, Any]:
    headers = client.headers | ({} if user is None else {"sc-user-id": user})
    response = await world.client.get(path, headers=headers)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def pages(world: World, client: Client, query: str = "", user: str | None = None) -> list[dict[str, Any]]:
    found = [await page(world, client, PATH + query, user)]
    while (following := found[-1]["links"]["next"]) is not None:
        found.append(await page(world, client, following.removeprefix(HOST), user))
    return found


def vehicles(of: list[dict[str, Any]]) -> list[str]:
    return [one["id"] for each in of for one in each["included"]["vehicles"]]


def whose(element: dict[str, Any]) -> str:
    return str(element["relationships"]["vehicle"]["data"]["id"])


async def test_every_vehicle_comes_once_as_its_own_list_has_it(world: World, app: Client) -> None:
    cars = [await world.car() for _ in range(7)]
    for car in cars[:5]:
        await world.report_all(car)
    await world.report(cars[5], "charge-voltage", {"value": 231})
    found = await pages(world, app, "?page[size]=2")
    assert vehicles(found) == sorted(car.id for car in cars[:6]), "that of which nothing is known is passed over"
    assert [len(each["included"]["vehicles"]) for each in found] == [2, 2, 2]
    for car in cars[:6]:
        own = await world.client.get(f"/v3/vehicles/{car.id}/signals", headers=app.headers)
        elements = [element for each in found for element in each["data"] if whose(element) == car.id]
        assert [{k: v for k, v in each.items() if k != "relationships"} for each in elements] == own.json()["data"]
    assert found[0]["meta"] == {"count": len(found[0]["data"]), "pageSize": 2}


async def test_a_filter_leaves_what_it_names_and_a_page_is_full_nevertheless(world: World, app: Client) -> None:
    cars = sorted([await world.car() for _ in range(9)], key=lambda car: car.id)
    for car in cars[::3]:
        await world.report(car, "charge-voltage", {"value": 231})
    for car in cars:
        await world.report(car, "charge-wattage", {"value": 7200})
    first, second = await pages(world, app, "?filter[code]=charge-voltage&page[size]=2")
    assert [whose(each) for each in first["data"] + second["data"]] == [car.id for car in cars[::3]]
    assert len(first["data"]) == 2
    assert "filter%5Bcode%5D=charge-voltage" in first["links"]["next"]


async def test_a_vehicle_that_goes_or_comes_meanwhile_moves_no_other(world: World, app: Client) -> None:
    cars = sorted([await world.car() for _ in range(6)], key=lambda car: car.id)
    for car in cars:
        await world.report(car, "charge-voltage", {"value": 231})
    first = await page(world, app, f"{PATH}?page[size]=3")
    await world.store.vehicles.remove_vehicle(cars[0].id)
    await world.store.vehicles.remove_vehicle(cars[2].id)
    await world.report(await world.car("zzz"), "charge-voltage", {"value": 1})
    second = await page(world, app, first["links"]["next"].removeprefix(HOST))
    assert vehicles([first, second]) == [car.id for car in cars]
    third = await page(world, app, second["links"]["next"].removeprefix(HOST))
    assert (vehicles([third]), third["links"]["next"]) == (["zzz"], None)


async def test_only_connected_vehicles_and_their_permissions_are_shown(world: World) -> None:
    client = await world.application(READING, connected_only=True)
    cars = sorted([await world.car() for _ in range(4)], key=lambda car: car.id)
    for car in cars:
        await world.report(car, "charge-voltage", {"value": 231})
        await world.report(car, "tractionbattery-stateofcharge", {"value": 50})
    await world.connect(client, cars[1], "ann")
    await world.connect(client, cars[2], "bob", EVERYTHING - {Permission.READ_BATTERY})
    (found,) = await pages(world, client)
    assert vehicles([found]) == [cars[1].id, cars[2].id]
    statuses = {(whose(each), each["id"]): each["attributes"]["status"]["value"] for each in found["data"]}
    assert statuses[cars[1].id, "tractionbattery-stateofcharge"] == "SUCCESS"
    assert statuses[cars[2].id, "tractionbattery-stateofcharge"] == "ERROR"
    (of_bob,) = await pages(world, client, user="bob")
    assert vehicles([of_bob]) == [cars[2].id]
    assert vehicles(await pages(world, client, user="nobody")) == []
    sees_all = await world.application()
    await world.connect(sees_all, cars[3], "ann")
    assert vehicles(await pages(world, sees_all, user="ann")) == [cars[3].id]


async def test_a_page_ends_early_where_it_grows_long_or_little_is_found(
    world: World, app: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    cars = sorted([await world.car() for _ in range(8)], key=lambda car: car.id)
    for car in cars[4:]:
        await world.report_all(car)
    monkeypatch.setattr(signals, "MAX_LOOKED_AT", 3)
    assert [len(each["included"]["vehicles"]) for each in await pages(world, app)] == [0, 2, 2]
    monkeypatch.setattr(signals, "MAX_LOOKED_AT", 100)
    monkeypatch.setattr(signals, "MAX_TEXT", 1)
    found = await pages(world, app)
    assert vehicles(found) == [car.id for car in cars[4:]]
    assert max(len(each["included"]["vehicles"]) for each in found) == 1


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("page[number]=2", "links.next"),
        ("page[size]=0", "whole number"),
        ("page[cursor]=x", "no cursor of this list"),
        (f"page[cursor]={of_vehicle('car')}x", "no cursor of this list"),
        ("filter[code]=charge-volts", "filter[code]"),
        ("filter[group]=Chargers", "filter[group]"),
        ("filter[state]=full", "no filter here"),
        ("source=", "source"),
    ],
)
async def test_a_query_that_makes_no_sense_is_refused_even_where_there_is_no_vehicle(
    world: World, app: Client, query: str, words: str
) -> None:
    assert words in detail(await world.client.get(f"{PATH}?{query}", headers=app.headers), 400)
