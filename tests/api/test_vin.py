"""The VIN as a signal: what the server knows of the car itself is read, listed and covered like what sources report."""

from typing import Any

import pytest

from answers import typed_error
from chargeport.signals.definition import Permission
from world import EVERYTHING, T0, Client, World

CODE = "vehicleidentification-vin"
VIN = "WVWZZZE1ZMP020202"
REPORTED = "WVWZZZE1ZMP030303"


async def read(world: World, app: Client, path: str, status: int = 200) -> Any:
    answer = await world.client.get(path, headers=app.headers)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_a_vin_that_is_known_is_a_signal_without_times_of_a_source(world: World, app: Client) -> None:
    car = await world.car(vin=VIN)
    found = (await read(world, app, f"/v3/vehicles/{car.id}/signals/{CODE}"))["data"]
    assert found["attributes"] == {
        "code": CODE, "name": "VIN", "group": "VehicleIdentification", "status": {"value": "SUCCESS"}, "body": {"value": VIN},
    }  # fmt: skip
    assert found["meta"] == {"ingestedAt": "2026-05-01T09:59:58.000Z"}


async def test_the_list_and_coverage_have_it_too(world: World, app: Client) -> None:
    car = await world.car(vin=VIN)
    one = (await read(world, app, f"/v3/vehicles/{car.id}/signals/{CODE}"))["data"]
    assert (await read(world, app, f"/v3/vehicles/{car.id}/signals"))["data"] == [one]
    assert (await read(world, app, f"/v3/vehicles/{car.id}/signals?filter[group]=vehicleidentification"))["data"] == [one]
    covered = {each["code"]: each for each in (await read(world, app, f"/v3/vehicles/{car.id}/coverage"))["data"]}
    about = {"code": CODE, "name": "VIN", "group": "VehicleIdentification", "status": "SUCCESS"}
    assert covered[CODE] == about | {
        "source": None,
        "sources": [{"source": None, "body": {"value": VIN}, "isEffective": True}],
    }


async def test_an_unknown_vin_is_not_found(world: World, app: Client) -> None:
    car = await world.car()
    answer = await world.client.get(f"/v3/vehicles/{car.id}/signals/{CODE}", headers=app.headers)
    assert typed_error(answer, 404)["code"] == "SIGNAL_NOT_FOUND"
    assert (await read(world, app, f"/v3/vehicles/{car.id}/signals"))["data"] == []


async def test_it_needs_its_own_permission(world: World) -> None:
    car = await world.car(vin=VIN)
    others = await world.application(EVERYTHING - {Permission.READ_VIN})
    alone = await world.application(frozenset({Permission.READ_VIN}))
    typed_error(await world.client.get(f"/v3/vehicles/{car.id}/signals/{CODE}", headers=others.headers), 403)
    assert (await read(world, others, f"/v3/vehicles/{car.id}/signals"))["data"] == []
    assert VIN not in str(await read(world, others, f"/v3/vehicles/{car.id}/coverage"))
    found = (await read(world, alone, f"/v3/vehicles/{car.id}/signals/{CODE}"))["data"]
    assert found["attributes"]["body"] == {"value": VIN}


@pytest.mark.parametrize(("known", "reported"), [(VIN, VIN), (None, REPORTED)])
async def test_the_car_s_own_facts_come_before_what_a_source_reports(
    world: World, app: Client, known: str | None, reported: str
) -> None:
    car = await world.car(vin=known)
    await world.report(car, CODE, {"value": REPORTED}, T0 + 1000)
    found = (await read(world, app, f"/v3/vehicles/{car.id}/signals/{CODE}"))["data"]
    assert found["attributes"]["body"] == {"value": reported}
    assert ("source" in found["meta"]) is (known is None)


async def test_it_holds_at_every_time_and_has_no_history_of_its_own(world: World, app: Client) -> None:
    car = await world.car(vin=VIN)
    earlier = (await read(world, app, f"/v3/vehicles/{car.id}/signals/{CODE}?at={T0 - 86_400_000}"))["data"]
    assert earlier["attributes"]["body"] == {"value": VIN}
    assert (await read(world, app, f"/v3/vehicles/{car.id}/signals/{CODE}/values"))["data"] == []
