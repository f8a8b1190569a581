"""`/simulator/…` over HTTP: for who may, where there is a simulator, with errors that name what is wrong."""

import re
from typing import Any

import pytest
from simulated_server import CAR, Simulated

from answers import detail, typed_error
from chargeport.api.routes import ROUTES
from chargeport.signals.definition import USUAL, Permission
from world import T0, World, bearer

PATH = f"/simulator/vehicles/{CAR.id}"


async def test_the_cars_the_clock_and_the_actions_are_listed(simulation: Simulated) -> None:
    state = (await simulation.client.get("/simulator")).json()
    assert state["clock"] == {"now": "2026-05-01T09:59:58.000Z", "speed": 0, "isFrozen": True}
    assert {"type": "VEHICLE_STATE", "code": "ASLEEP", "title": "Asleep"} in state["errors"]
    (car,) = state["vehicles"]
    assert (car["id"], car["status"], car["stateOfCharge"], car["isPluggedIn"]) == (CAR.id, "DISCONNECTED", 40, False)
    assert {"plug", "unplug", "limit", "timers", "start", "stop", "sleep", "wake", "drive", "silence"} <= state[
        "actions"
    ].keys()


@pytest.mark.parametrize("body", [b"", b"{}"])
async def test_what_was_done_is_what_is_read_next(simulation: Simulated, body: bytes) -> None:
    headers = {"Content-Type": "application/octet-stream"}
    state = (await simulation.client.post(f"{PATH}/plug", content=body, headers=headers)).json()
    assert state["isPluggedIn"] is True
    path = f"/v3/vehicles/{CAR.id}/signals/charge-ischargingcableconnected"
    answer = (await simulation.client.get(path)).json()["data"]
    assert answer["attributes"]["body"] == {"value": True}
    assert answer["meta"]["oemUpdatedAt"] == "2026-05-01T09:59:58.001Z"


@pytest.mark.parametrize(
    ("body", "now", "speed"),
    [
        ({}, "2026-05-01T09:59:58.000Z", 0),
        ({"advanceSeconds": 90}, "2026-05-01T10:01:28.000Z", 0),
        ({"at": "2026-05-01T12:00:00Z"}, "2026-05-01T12:00:00.000Z", 0),
        ({"at": T0 + 1500}, "2026-05-01T09:59:59.500Z", 0),
        ({"at": "2026-05-01T12:00:00Z", "isFrozen": True}, "2026-05-01T12:00:00.000Z", 0),
    ],
)
async def test_the_clock_is_set(simulation: Simulated, body: dict[str, Any], now: str, speed: float) -> None:
    assert (await simulation.client.post("/simulator/clock", json=body)).json() == {
        "now": now,
        "speed": speed,
        "isFrozen": True,
    }


async def test_the_clock_runs_and_stops(simulation: Simulated) -> None:
    running = (await simulation.client.post("/simulator/clock", json={"speed": 60})).json()
    assert (running["speed"], running["isFrozen"]) == (60, False)
    stopped = (await simulation.client.post("/simulator/clock", json={"isFrozen": True})).json()
    assert (stopped["speed"], stopped["isFrozen"]) == (0, True)


@pytest.mark.parametrize(
    ("body", "reported"),
    [
        ({"speed": -1}, "speed"),
        ({"speed": 1e9}, "3600"),
        ({"speed": 1, "isFrozen": False}, "not both"),
        ({"at": T0, "advanceSeconds": 1}, "not both"),
        ({"at": "yesterday"}, "at: "),
        ({"at": "2025-01-01"}, "set forward"),
        ({"advanceSeconds": "PT1H"}, "advanceSeconds"),
        ({"velocity": 3}, "velocity"),
        ([], "object"),
    ],
)
async def test_a_wrong_wish_for_the_clock_is_named(simulation: Simulated, body: Any, reported: str) -> None:
    assert reported in detail(await simulation.client.post("/simulator/clock", json=body), 400)


async def test_unknown_cars_and_actions_are_named(simulation: Simulated) -> None:
    other = await simulation.client.post("/simulator/vehicles/nobody/plug")
    typed_error(other, 404, "RESOURCE_NOT_FOUND/VEHICLE_NOT_FOUND")
    assert "nearest name is plug" in detail(await simulation.client.post(f"{PATH}/plugg"), 400)


async def test_it_needs_a_permission_of_its_own(simulation: Simulated) -> None:
    assert Permission.CONTROL_SIMULATOR not in USUAL
    application, _ = await simulation.service.access.register("Reader", USUAL)
    headers = bearer(await simulation.service.access.issue_token(application))
    routes = [each for each in ROUTES if each.path.startswith("/simulator")]
    assert len(routes) > 10
    for route in routes:
        names = dict.fromkeys(re.findall(r"\{(\w+)", route.path), "1")
        answer = await simulation.client.request(route.method, route.path.format(**names), headers=headers)
        typed_error(answer, 403, "PERMISSION/None")
        assert "control_simulator" in detail(answer, 403)


async def test_whoever_is_signed_in_to_the_page_controls_it(simulation: Simulated, world: World) -> None:
    elsewhere = await world.service.sign_in.page_token("Ada")
    assert Permission.CONTROL_SIMULATOR not in elsewhere.permissions
    here = await simulation.service.sign_in.page_token("Ada")
    assert Permission.CONTROL_SIMULATOR in here.permissions
    answer = await simulation.client.get("/simulator", headers=bearer(here.token))
    assert answer.status_code == 200


async def test_where_no_simulator_runs_there_is_none_to_control(world: World) -> None:
    client = await world.application()
    answer = await world.client.get("/simulator", headers=client.headers)
    assert "chargeport demo" in detail(answer, 404)
