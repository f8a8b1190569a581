"""Commands to simulated cars, in Smartcar's forms: what came of them stands in the answer and shows in the signals."""

import logging
from typing import Any

import pytest
from simulated_server import CAR, Simulated

from answers import detail, typed_error
from chargeport.signals.definition import READS, Permission
from world import bearer

VEHICLE = f"/v3/vehicles/{CAR.id}"
CHARGE = f"{VEHICLE}/commands/charge"
STATUS = "charge-detailedchargingstatus"
PLACE = {"latitude": CAR.home.latitude, "longitude": CAR.home.longitude}


def attributes(**given: Any) -> dict[str, Any]:
    return {"data": {"attributes": given}}


async def test_a_car_starts_stops_and_starts_again(simulation: Simulated) -> None:
    await simulation.do("plug")
    await simulation.control.advance(120)
    stopped = await simulation.client.post(f"{CHARGE}/stop")
    assert stopped.status_code == 200
    data = stopped.json()["data"]
    assert data["id"].startswith("exec_")
    assert (data["type"], data["attributes"]["commandType"]) == ("command-execution", "charge-stop")
    assert data["attributes"]["status"] == {"value": "SUCCESS"}
    assert data["meta"].keys() == {"executedAt", "completedAt", "durationInSeconds"}
    assert await simulation.value(STATUS) == "STOPPED"
    assert (await simulation.client.post(f"{CHARGE}/start")).status_code == 200
    await simulation.control.advance(60)
    assert await simulation.value(STATUS) == "CHARGING"


@pytest.mark.parametrize("kind", ["application/octet-stream", "application/json", ""])
async def test_empty_bodies_are_taken_as_clients_send_them(simulation: Simulated, kind: str) -> None:
    await simulation.do("plug")
    await simulation.control.advance(60)
    answer = await simulation.client.post(f"{CHARGE}/stop", content=b"", headers={"Content-Type": kind})
    assert answer.status_code == 200


async def test_a_limit_is_set_and_reached(simulation: Simulated) -> None:
    answer = await simulation.client.post(f"{CHARGE}/set-limit", json=attributes(percent=60))
    assert answer.json()["data"]["attributes"]["parameters"] == {"percent": 60}
    await simulation.do("plug")
    await simulation.control.advance(6 * 3600)
    assert await simulation.value("tractionbattery-stateofcharge") == 60


@pytest.mark.parametrize(
    "body", [{}, attributes(), attributes(percent=49), attributes(percent=101), attributes(percent="80"), [], 7]
)
async def test_a_limit_that_is_none_is_refused(simulation: Simulated, body: Any) -> None:
    assert "attributes" in detail(await simulation.client.post(f"{CHARGE}/set-limit", json=body), 400)


@pytest.mark.parametrize(
    ("before", "command", "status", "kind"),
    [
        ((), "start", 409, "VEHICLE_STATE/CHARGING_PLUG_NOT_CONNECTED"),
        ((), "stop", 409, "VEHICLE_STATE/NOT_CHARGING"),
        (("plug",), "start", 409, "VEHICLE_STATE/CHARGING_IN_PROGRESS"),
        (("plug", "break"), "start", 409, "VEHICLE_STATE/CHARGE_FAULT"),
        (("sleep",), "start", 409, "VEHICLE_STATE/UNREACHABLE"),
        (("silence",), "start", 409, "VEHICLE_STATE/UNREACHABLE"),
    ],
)
async def test_a_car_in_the_wrong_state_says_which(
    simulation: Simulated, before: tuple[str, ...], command: str, status: int, kind: str
) -> None:
    for action in before:
        await simulation.do(action)
        if action == "plug":
            await simulation.control.advance(60)
    typed_error(await simulation.client.post(f"{CHARGE}/{command}"), status, kind)


@pytest.mark.parametrize(
    ("kind", "given", "schedules"),
    [
        ("daily", {"startTime": "22:00", "stopTime": "06:00"}, 1),
        ("weekly", {"days": {"monday": {"startTime": "22:00", "stopTime": "06:00"}}}, 1),
        (
            "workweek",
            {"weekdays": {"startTime": "22:00", "stopTime": "06:00"}, "weekends": {"startTime": "10:00", "stopTime": "14:00"}},
            2,
        ),
    ],
)
async def test_a_schedule_is_made_shown_and_removed(
    simulation: Simulated, kind: str, given: dict[str, Any], schedules: int
) -> None:
    made = await simulation.client.post(f"{VEHICLE}/charge-schedules/{kind}", json=attributes(location=PLACE, **given))
    assert made.status_code == 200, made.text
    data = made.json()["data"]
    assert (data["type"], data["attributes"]["action"], data["attributes"]["scheduleType"]) == (
        "charge-schedule-execution", "create", kind,
    )  # fmt: skip
    schedule = data["attributes"]["scheduleId"]
    assert data["links"]["schedule"].endswith(f"/charge-schedules/{schedule}")
    path = f"{VEHICLE}/signals/charge-chargetimers"
    (timer,) = (await simulation.client.get(path)).json()["data"]["attributes"]["body"]["values"]
    assert (timer["scheduleId"], timer["scheduleType"], len(timer["schedules"])) == (schedule, kind.upper(), schedules)
    assert timer["schedules"][0]["start"] == "22:00:00"
    assert (await simulation.client.delete(f"{VEHICLE}/charge-schedules/{schedule}")).status_code == 200
    assert (await simulation.client.get(path)).json()["data"]["attributes"]["body"] == {"values": []}
    typed_error(await simulation.client.delete(f"{VEHICLE}/charge-schedules/{schedule}"), 404)


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("weekly", {"days": {}}),
        ("weekly", {"days": {"funday": {"startTime": "22:00", "stopTime": "06:00"}}}),
        ("workweek", {}),
        ("daily", {"startTime": "24:00", "stopTime": "06:00"}),
    ],
)
async def test_a_schedule_that_is_none_is_refused(simulation: Simulated, kind: str, given: dict[str, Any]) -> None:
    answer = await simulation.client.post(f"{VEHICLE}/charge-schedules/{kind}", json=attributes(location=PLACE, **given))
    assert detail(answer, 400)


async def test_it_needs_a_permission_of_its_own(simulation: Simulated) -> None:
    application, _ = await simulation.service.access.register("Reader", READS)
    headers = bearer(await simulation.service.access.issue_token(application))
    answer = await simulation.client.post(f"{CHARGE}/start", headers=headers)
    assert Permission.CONTROL_CHARGE in detail(answer, 403, "PERMISSION/None")


async def test_each_command_is_logged_with_its_outcome(simulation: Simulated, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "chargeport.commands")
    await simulation.client.post(f"{CHARGE}/start")
    await simulation.client.post(f"{CHARGE}/set-limit", json=attributes(percent=70))
    refused, obeyed = [record.getMessage() for record in caplog.records if record.name == "chargeport.commands"]
    assert "charge-start" in refused
    assert "CHARGING_PLUG_NOT_CONNECTED" in refused
    assert obeyed.startswith(f"charge-set-limit of {CAR.id} by client_")
    assert obeyed.endswith("SUCCESS")


@pytest.mark.parametrize(
    ("fault", "status", "kind"),
    [({"type": "UPSTREAM", "code": "NO_RESPONSE"}, 502, "UPSTREAM"), ({"type": "PERMISSION", "code": None}, 403, "PERMISSION")],
)
async def test_a_command_that_meets_a_fault_is_not_obeyed_and_is_logged_with_it(
    simulation: Simulated, fault: dict[str, Any], status: int, kind: str
) -> None:
    await simulation.client.post("/simulator/faults", json=fault | {"times": 1, "detail": "nobody obeys today"})
    answer = await simulation.client.post(f"{CHARGE}/set-limit", json=attributes(percent=70))
    body = typed_error(answer, status)
    await simulation.client.post(f"{CHARGE}/set-limit", json=attributes(percent=80))
    logged = (await simulation.client.get(f"/v3/vehicles/{CAR.id}/commands")).json()["data"]
    outcomes = {each["attributes"]["parameters"]["percent"]: each["attributes"]["status"] for each in logged}
    assert outcomes[80] == {"value": "SUCCESS"}
    assert outcomes[70]["error"] == {"type": kind, "code": body["code"] or "", "detail": "nobody obeys today"}
