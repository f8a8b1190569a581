"""The application's vehicles, and what each signal of one can tell."""

from typing import Any

import pytest

from answers import typed_error
from chargeport.signals.catalogue import BY_CODE, CATALOGUE
from chargeport.signals.definition import Permission
from chargeport.signals.reading import AbsenceReason
from chargeport.store.records import Vehicle
from world import EVERYTHING, HOST, T0, Client, World


async def get(world: World, client: Client, path: str, **more: Any) -> Any:
    response = await world.client.get(path, headers=client.headers, **more)
    assert response.status_code == 200, response.text
    return response.json()


def resource(car: Vehicle) -> dict[str, Any]:
    about = {"make": car.make, "model": car.model, "year": car.year, "powertrainType": car.powertrain, "mode": car.mode}
    return {"id": car.id, "type": "vehicle", "attributes": about, "links": {"self": f"{HOST}/v3/vehicles/{car.id}"}}


async def test_a_vehicle_shows_its_facts_and_neither_vin_nor_alias(world: World, app: Client) -> None:
    car = await world.car(vin="WVWZZZ00000000001", aliases=("garage",), mode="simulated")
    assert await get(world, app, f"/v3/vehicles/{car.id}") == {"data": resource(car)}


async def test_all_vehicles_are_listed_by_id(world: World, app: Client) -> None:
    cars = [await world.car(f"car-{number}") for number in (3, 1, 2)]
    document = await get(world, app, "/v3/vehicles")
    assert document["data"] == sorted(map(resource, cars), key=lambda each: str(each["id"]))
    assert document["meta"] == {"totalCount": 3, "pageSize": 50, "pageNumber": 1}
    page = f"{HOST}/v3/vehicles?page%5Bnumber%5D=1&page%5Bsize%5D=50"
    assert document["links"] == {"self": page, "first": page, "last": page, "next": None, "prev": None}


async def test_an_application_for_connected_vehicles_lists_its_own_once_each(world: World, car: Vehicle) -> None:
    client = await world.application(connected_only=True)
    await world.car()
    for user in ("owner", "driver"):
        await world.connect(client, car, user)
    document = await get(world, client, "/v3/vehicles")
    assert (document["data"], document["meta"]["totalCount"]) == ([resource(car)], 1)


@pytest.mark.parametrize("size", [1, 3, 7])
async def test_pages_have_every_vehicle_once(world: World, app: Client, size: int) -> None:
    for number in range(7):
        await world.car(f"car-{number}")
    at: str | None = f"/v3/vehicles?page[size]={size}"
    seen: list[str] = []
    while at is not None:
        document = await get(world, app, at)
        seen += [each["id"] for each in document["data"]]
        at = document["links"]["next"]
    assert seen == [f"car-{number}" for number in range(7)]


async def test_a_removed_vehicle_is_gone_with_all_its_readings(world: World, app: Client, car: Vehicle) -> None:
    await world.report_all(car)
    assert await world.store.vehicles.remove_vehicle(car.id)
    for path in ("", "/signals", "/signals/charge-voltage", "/coverage"):
        typed_error(await world.client.get(f"/v3/vehicles/{car.id}{path}", headers=app.headers), 404)
    assert (await get(world, app, "/v3/vehicles"))["data"] == []
    assert await world.store.readings.changes(0, 100) == []


async def test_coverage_shows_the_state_of_every_signal_or_why_there_is_none(world: World, app: Client, car: Vehicle) -> None:
    await world.report(car, "charge-voltage", {"value": 231})
    await world.report(car, "charge-wattage", {"value": 7000}, T0 - 40 * 60_000)
    await world.report(car, "charge-chargelimits", {"activeLimit": 80}, T0 - 86_400_000)
    await world.absent(car, "charge-chargeportstatuscolor", AbsenceReason.NOT_CAPABLE)
    world.clock.move(2.999)
    document = await get(world, app, f"/v3/vehicles/{car.id}/coverage")
    assert document["meta"] == {"totalCount": len(CATALOGUE)}
    assert [each["code"] for each in document["data"]] == [signal.code for signal in CATALOGUE]
    reported = {each["code"]: each for each in document["data"]}
    about = {"code": "charge-voltage", "name": "Voltage", "group": "Charge", "status": "SUCCESS"}
    assert reported["charge-voltage"] == about | {
        "oemUpdatedAt": "2026-05-01T09:59:58.000Z", "ageSeconds": 2, "source": "box",
        "sources": [
            {"oemUpdatedAt": "2026-05-01T09:59:58.000Z", "ageSeconds": 2, "source": "box", "isEffective": True,
             "body": {"value": 231, "unit": "volts"}},
        ],
    }  # fmt: skip
    assert reported["charge-chargelimits"]["ageSeconds"] == 86_402
    statuses = {code: (each["status"], "reason" in each) for code, each in reported.items()}
    assert statuses.pop("charge-voltage") == statuses.pop("charge-chargelimits") == ("SUCCESS", False)
    assert statuses.pop("charge-wattage") == ("UNREACHABLE", True)
    assert statuses.pop("charge-chargeportstatuscolor") == ("NOT_CAPABLE", True)
    assert set(statuses.values()) == {("NOT_REPORTED", True)}


async def test_coverage_reveals_nothing_of_what_is_not_permitted(world: World, car: Vehicle) -> None:
    await world.report_all(car)
    client = await world.application(EVERYTHING - {Permission.READ_CHARGE})
    for each in (await get(world, client, f"/v3/vehicles/{car.id}/coverage"))["data"]:
        permitted = BY_CODE[each["code"]].permission is not Permission.READ_CHARGE
        assert each["status"] == ("SUCCESS" if permitted else "NOT_PERMITTED")
        if not permitted:
            assert each.keys() == {"code", "name", "group", "status", "reason"}
            assert "read_charge" in each["reason"]


async def test_a_clock_that_runs_ahead_makes_no_negative_age(world: World, app: Client, car: Vehicle) -> None:
    await world.report(car, "charge-voltage", {"value": 231}, T0 + 200_000)
    document = await get(world, app, f"/v3/vehicles/{car.id}/coverage")
    assert {each["ageSeconds"] for each in document["data"] if "ageSeconds" in each} == {0}
