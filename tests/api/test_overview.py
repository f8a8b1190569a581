"""`GET /fleet`: every vehicle that an application may see, searched, filtered and sorted by what counts now."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from answers import detail
from chargeport.api import fleet as module
from chargeport.api import overview
from chargeport.signals.definition import READS, Permission
from chargeport.signals.reading import AbsenceReason
from world import T0, Client, World

SOC, POWER, CHARGING = "tractionbattery-stateofcharge", "charge-wattage", "charge-ischarging"


@pytest.fixture
async def cars(world: World) -> dict[str, str]:
    """Five vehicles, each in a state of its own, by name."""
    made = {}
    for model in ("Amber", "Birch", "Cedar", "Daisy", "Elder"):
        car = await world.car(make="Flora", model=model, aliases=("B-XY 42",) if model == "Cedar" else ("teslamate:1",)
                              if model == "Daisy" else ())  # fmt: skip
        made[model] = car
    await world.report(made["Amber"], SOC, {"value": 40})
    await world.report(made["Amber"], CHARGING, {"value": True})
    await world.report(made["Amber"], POWER, {"value": 7200})
    await world.report(made["Birch"], SOC, {"value": 80})
    await world.report(made["Birch"], CHARGING, {"value": False})
    await world.report(made["Cedar"], "charge-ischargingcableconnected", {"value": True})
    await world.report(made["Daisy"], CHARGING, {"value": True}, T0 - 86_400_000)
    return {name: car.id for name, car in made.items()}


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any list of two vehicles is kept, for long."""
    monkeypatch.setattr(module, "QUICK_S", 0)
    monkeypatch.setattr(module, "KEPT_FOR", 1_000_000)
    monkeypatch.setattr(overview, "MAX_SIZE", 1)


async def fleet(world: World, app: Client, **query: Any) -> Any:
    response = await world.client.get("/fleet", params=query, headers=app.headers)
    assert response.status_code == 200, response.text
    return response.json()


async def models(world: World, app: Client, **query: Any) -> list[str]:
    return [row["model"] for row in (await fleet(world, app, **query))["data"]]


async def test_each_vehicle_comes_with_its_state_and_the_signals_of_an_overview(
    world: World, app: Client, cars: dict[str, str]
) -> None:
    found = await fleet(world, app)
    assert {row["model"]: row["state"] for row in found["data"]} == {
        "Amber": "charging", "Birch": "idle", "Cedar": "plugged", "Daisy": "silent", "Elder": "unknown",
    }  # fmt: skip
    assert found["meta"]["states"] == {"charging": 1, "idle": 1, "plugged": 1, "silent": 1, "unknown": 1}
    amber = next(row for row in found["data"] if row["id"] == cars["Amber"])
    assert amber["signals"][POWER]["body"] == {"value": 7200, "unit": "watts"}
    assert "status" not in amber["signals"][POWER]
    daisy = next(row for row in found["data"] if row["id"] == cars["Daisy"])
    assert daisy["signals"][CHARGING]["status"] == AbsenceReason.UNREACHABLE


async def test_a_signal_is_hidden_as_soon_as_the_connection_shows_it_no_more(world: World, cars: dict[str, str]) -> None:
    reader = await world.application(READS, connected_only=True)
    amber = await world.store.vehicles.vehicle(cars["Amber"])
    assert amber is not None
    for permissions, is_shown in ((READS, True), (READS - {Permission.READ_BATTERY}, False), (READS, True)):
        await world.connect(reader, amber, "ann", permissions)
        (row,) = (await fleet(world, reader))["data"]
        assert (SOC in row["signals"], POWER in row["signals"]) == (is_shown, True)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"filter[text]": "flora edar"}, ["Cedar"]),  # an id may contain "ced"
        ({"filter[text]": "b-xy"}, ["Cedar"]),
        ({"filter[text]": "nobody"}, []),
        ({"filter[state]": "charging,idle"}, ["Amber", "Birch"]),
        ({"sort": "soc"}, ["Amber", "Birch", "Cedar", "Daisy", "Elder"]),
        ({"sort": "-soc"}, ["Birch", "Amber", "Cedar", "Daisy", "Elder"]),
        ({"sort": "-name", "page[size]": 2}, ["Elder", "Daisy"]),
        ({"sort": "state", "page[size]": 2, "page[number]": 2}, ["Birch", "Daisy"]),
    ],
)
async def test_it_is_searched_filtered_sorted_and_paged(
    world: World, app: Client, cars: dict[str, str], query: dict[str, Any], expected: list[str]
) -> None:
    found = await models(world, app, **query)
    if query.get("sort", "").endswith("name"):  # a name of one's own comes before make and model
        assert found == expected
    elif "sort" in query and "soc" in query["sort"]:
        assert found[:2] == expected[:2]
        assert sorted(found) == sorted(expected)
    else:
        assert sorted(found) == sorted(expected)


async def test_a_vin_is_found_by_who_may_read_it_and_by_nobody_else(world: World, app: Client) -> None:
    await world.car(model="Marked", vin="WVWZZZE1ZMP050505")
    blind = await world.application(READS - {next(each for each in READS if each == "read_vin")})
    assert await models(world, app, **{"filter[text]": "e1zmp"}) == ["Marked"]
    assert await models(world, blind, **{"filter[text]": "e1zmp"}) == []


async def test_an_application_sees_the_vehicles_that_it_is_connected_to(world: World, cars: dict[str, str]) -> None:
    narrow = await world.application(connected_only=True)
    assert await models(world, narrow) == []
    vehicle = await world.store.vehicles.vehicle(cars["Birch"])
    assert vehicle is not None
    await world.connect(narrow, vehicle)
    assert await models(world, narrow, sort="soc") == ["Birch"]


async def test_a_cached_list_shows_immediately_that_a_vehicle_came_or_went(
    world: World, app: Client, cars: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "QUICK_S", 0)  # so that any list is kept, and for long
    monkeypatch.setattr(module, "KEPT_FOR", 1_000_000)
    before = {order: await models(world, app, sort=order) for order in ("name", "soc")}
    await world.report((await world.car(make="Flora", model="Fern")), SOC, {"value": 99})
    assert {order: sorted(await models(world, app, sort=order)) for order in before} == {
        order: sorted([*shown, "Fern"]) for order, shown in before.items()
    }
    await world.store.vehicles.remove_vehicle(cars["Birch"])
    for order in before:
        assert "Birch" not in await models(world, app, sort=order)


async def test_a_cached_list_shows_no_signal_that_a_connection_shows_no_more(
    world: World, kept: None, cars: dict[str, str]
) -> None:
    reader = await world.application(READS, connected_only=True)
    for permissions, is_shown in ((READS, True), (READS - {Permission.READ_BATTERY}, False), (READS, True)):
        for name in ("Amber", "Birch"):
            vehicle = await world.store.vehicles.vehicle(cars[name])
            assert vehicle is not None
            await world.connect(reader, vehicle, "ann", permissions)
        (row,) = (await fleet(world, reader, sort="power", **{"page[size]": 1}))["data"]
        assert (row["model"], SOC in row["signals"], POWER in row["signals"]) == ("Amber", is_shown, True)


async def test_a_vehicle_that_was_taken_away_is_neither_found_nor_counted_where_another_one_came(
    world: World, kept: None, cars: dict[str, str]
) -> None:
    reader = await world.application(READS, connected_only=True)
    seen = {name: await world.store.vehicles.vehicle(key) for name, key in cars.items()}
    ended = {}
    for name in ("Amber", "Birch"):
        ended[name] = (await world.connect(reader, seen[name] or pytest.fail(name), "ann", READS)).id
    before = await fleet(world, reader, sort="power")
    assert (sorted(row["model"] for row in before["data"]), before["meta"]["states"]) == (
        ["Amber", "Birch"], {"charging": 1, "idle": 1},
    )  # fmt: skip
    await world.store.access.remove_connection(ended["Amber"])
    await world.connect(reader, seen["Cedar"] or pytest.fail("Cedar"), "ann", READS)
    queries = ({}, {"sort": "power"}, {"sort": "soc"}, {"filter[text]": "flora"}, {"filter[state]": "charging,idle,plugged"})
    for query in queries:
        found = await fleet(world, reader, **query)
        assert sorted(row["model"] for row in found["data"]) == ["Birch", "Cedar"], query
        assert found["meta"]["totalCount"] == 2
        assert found["meta"]["states"] in (None, {"idle": 1, "plugged": 1})
    assert await models(world, reader, **{"filter[text]": "amber"}) == []


async def test_a_cached_list_is_not_sorted_or_counted_by_what_a_connection_shows_no_more(
    world: World, kept: None, cars: dict[str, str]
) -> None:
    reader = await world.application(READS, connected_only=True)
    seen = [await world.store.vehicles.vehicle(cars[name]) for name in ("Amber", "Birch")]
    reported = []
    for permissions in (READS, READS - {Permission.READ_CHARGE, Permission.READ_BATTERY}):
        for vehicle in seen:
            await world.connect(reader, vehicle or pytest.fail("gone"), "ann", permissions)
        reported.append((await fleet(world, reader, sort="-soc"))["meta"]["states"])
    assert reported == [{"charging": 1, "idle": 1}, {"unknown": 2}]
    assert await models(world, reader, sort="-soc") == await models(world, reader, sort="soc"), "no value is known"


async def test_a_cached_list_has_a_vehicle_under_its_new_name_immediately(
    world: World, app: Client, kept: None, cars: dict[str, str]
) -> None:
    assert "Amber" in await models(world, app, sort="power")
    amber = await world.store.vehicles.vehicle(cars["Amber"])
    assert amber is not None
    await world.store.vehicles.update_vehicle(msgspec.structs.replace(amber, model="Ambra"))
    assert await models(world, app, **{"filter[text]": "amber"}) == []
    assert "Ambra" in await models(world, app, sort="power")


async def test_what_is_shown_of_a_cached_list_is_as_it_is_now(
    world: World, app: Client, kept: None, cars: dict[str, str]
) -> None:
    assert (await models(world, app, sort="-power"))[0] == "Amber"
    amber = await world.store.vehicles.vehicle(cars["Amber"])
    assert amber is not None
    await world.report(amber, POWER, {"value": 3600}, T0 + 1)
    (row,) = (await fleet(world, app, sort="-power", **{"page[size]": 1}))["data"]
    assert (row["model"], row["signals"][POWER]["body"]["value"]) == ("Amber", 3600)


async def test_whoever_opens_a_long_list_finds_its_filters_prepared(
    world: World, app: Client, kept: None, cars: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overview, "PREPARED_FROM", 1)
    read = list[int]()
    signals_of = world.store.readings.signals_of

    async def counted(ids: Sequence[str]) -> Any:
        read.append(len(ids))
        return await signals_of(ids)

    monkeypatch.setattr(world.store.readings, "signals_of", counted)
    await fleet(world, app, **{"page[size]": 1})
    preparing = world.service.fleet._preparing
    assert preparing is not None
    await preparing
    assert 5 in read
    read.clear()
    assert await models(world, app, **{"filter[state]": "idle"}) == ["Birch"]
    assert read == [1]


async def test_what_is_being_prepared_ends_with_the_service(
    world: World, app: Client, kept: None, cars: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overview, "PREPARED_FROM", 1)
    await fleet(world, app, **{"page[size]": 1})
    preparing = world.service.fleet._preparing
    assert preparing is not None
    await world.service.fleet.close()
    assert preparing.done()


async def test_a_wrong_order_or_state_is_refused_by_name(world: World, app: Client) -> None:
    for query, words in (
        ({"sort": "colour"}, "no order"),
        ({"filter[state]": "flying"}, "no state"),
        ({"filter[x]": "1"}, "no filter"),
        ({"filter[text]": "a " * 101}, "at most 200"),
    ):
        response = await world.client.get("/fleet", params=query, headers=app.headers)
        assert words in detail(response, 400)
