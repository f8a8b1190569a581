"""Faults on demand: every type and code, where they were asked for and nowhere else."""

import asyncio
import time
from typing import Any

import httpx
import pytest
from simulated_server import CAR, Simulated

from answers import detail, typed_error
from chargeport.errors import Problem
from chargeport.simulation.faults import Faults
from chargeport.taxonomy import SMARTCAR_KINDS
from world import bearer

SIGNALS = f"/v3/vehicles/{CAR.id}/signals"
VOLTAGE, SOC = "charge-voltage", "tractionbattery-stateofcharge"
LATE_S = 0.2


async def begin(simulation: Simulated, **fault: Any) -> str:
    answer = await simulation.client.post("/simulator/faults", json=fault)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def element(simulation: Simulated, code: str) -> dict[str, Any]:
    listed = (await simulation.client.get(SIGNALS)).json()["data"]
    found: dict[str, Any] = next(each["attributes"] for each in listed if each["id"] == code)
    return found


@pytest.mark.parametrize("kind", SMARTCAR_KINDS.values(), ids=lambda kind: f"{kind.type}/{kind.code}")
async def test_every_type_and_code_is_answered_once_and_then_no_more(simulation: Simulated, kind: Any) -> None:
    await begin(simulation, type=kind.type, code=kind.code, times=1)
    body = typed_error(await simulation.client.get(SIGNALS), kind.status, f"{kind.type}/{kind.code}")
    assert body["resolution"] == {"type": kind.resolution}
    assert (await simulation.client.get(SIGNALS)).status_code == 200


async def test_a_fault_of_one_car_leaves_others_alone_and_ends_when_it_is_taken_back(simulation: Simulated) -> None:
    fault = await begin(simulation, type="VEHICLE_STATE", code="UNREACHABLE", vehicle="another")
    assert (await simulation.client.get(SIGNALS)).status_code == 200
    own = await begin(simulation, type="VEHICLE_STATE", code="UNREACHABLE", vehicle=CAR.id)
    typed_error(await simulation.client.get(f"/v3/vehicles/{CAR.id}"), 409, "VEHICLE_STATE/UNREACHABLE")
    assert (await simulation.client.get("/v3/vehicles")).status_code == 200
    for each in (fault, own):
        assert (await simulation.client.delete(f"/simulator/faults/{each}")).status_code == 204
    assert (await simulation.client.get(f"/v3/vehicles/{CAR.id}")).status_code == 200
    assert detail(await simulation.client.delete(f"/simulator/faults/{own}"), 404)


async def test_a_fault_of_one_signal_fails_its_own_read_and_is_in_the_list(simulation: Simulated) -> None:
    await begin(simulation, type="PERMISSION", signal=SOC)
    typed_error(await simulation.client.get(f"{SIGNALS}/{SOC}"), 403, "PERMISSION/None")
    typed_error(await simulation.client.get(f"{SIGNALS}/{SOC}/values"), 403, "PERMISSION/None")
    found = await element(simulation, SOC)
    assert found["status"]["value"] == "ERROR"
    assert (found["status"]["error"]["type"], found["status"]["error"]["code"]) == ("PERMISSION", "UNKNOWN")
    assert "body" not in found
    assert (await element(simulation, "charge-ischarging"))["status"] == {"value": "SUCCESS"}


async def test_beside_a_state_of_the_car_the_last_body_stays(simulation: Simulated) -> None:
    await begin(simulation, type="VEHICLE_STATE", code="ASLEEP", signal=SOC)
    found = await element(simulation, SOC)
    assert (found["status"]["error"]["code"], found["body"]) == ("ASLEEP", {"value": 40, "unit": "percent"})


@pytest.mark.parametrize(("fault", "seconds"), [({}, "60"), ({"retryAfterSeconds": 7}, "7")])
async def test_too_many_requests_say_when_to_come_again(simulation: Simulated, fault: dict[str, Any], seconds: str) -> None:
    await begin(simulation, type="RATE_LIMIT", code="VEHICLE", **fault)
    answer = await simulation.client.get(SIGNALS)
    typed_error(answer, 429, "RATE_LIMIT/VEHICLE")
    assert answer.headers["retry-after"] == seconds


async def test_a_rate_hits_the_same_requests_at_every_run(simulation: Simulated) -> None:
    await begin(simulation, type="UPSTREAM", rate=0.3)
    statuses = [(await simulation.client.get(SIGNALS)).status_code for _ in range(60)]
    again = Faults()
    again.add({"type": "UPSTREAM", "rate": 0.3})
    expected = []
    for _ in range(60):
        try:
            async with again.met(CAR.id):
                expected.append(200)
        except Problem:
            expected.append(502)
    assert statuses == expected
    assert 6 < statuses.count(502) < 30


async def waited_s(simulation: Simulated, path: str, status: int = 200) -> float:
    """After how many seconds of the real clock an answer came."""
    began = time.perf_counter()
    assert (await simulation.client.get(path)).status_code == status
    return time.perf_counter() - began


async def hits(simulation: Simulated) -> int:
    """How often the first fault happened."""
    first = (await simulation.client.get("/simulator/faults")).json()["data"][0]
    return int(first["hits"])


async def test_an_answer_is_late_once_by_the_real_clock_while_the_cars_clock_is_frozen(simulation: Simulated) -> None:
    now = simulation.control.clock.now()
    await begin(simulation, latencySeconds=LATE_S, times=1)
    assert await waited_s(simulation, SIGNALS) >= LATE_S
    await waited_s(simulation, SIGNALS)
    (fault,) = (await simulation.client.get("/simulator/faults")).json()["data"]
    assert (fault["latencySeconds"], fault["hits"], fault["isOver"]) == (LATE_S, 1, True)
    assert simulation.control.clock.now() == now


async def test_answers_about_one_signal_are_late_until_that_is_taken_back_and_no_others(simulation: Simulated) -> None:
    fault = await begin(simulation, latencySeconds=LATE_S, vehicle=CAR.id, signal=SOC)
    for path in (f"{SIGNALS}/{SOC}", f"{SIGNALS}/{SOC}/values"):
        assert await waited_s(simulation, path) >= LATE_S, path
    for path in (f"{SIGNALS}/charge-ischarging", SIGNALS, "/v3/vehicles"):
        await waited_s(simulation, path)
    assert await hits(simulation) == 2
    await simulation.client.delete(f"/simulator/faults/{fault}")
    assert (await simulation.client.get("/simulator/faults")).json() == {"data": []}


async def test_an_error_can_be_late_too_and_the_slowest_of_several_faults_counts(simulation: Simulated) -> None:
    await begin(simulation, latencySeconds=LATE_S / 100)
    await begin(simulation, latencySeconds=LATE_S)
    await begin(simulation, type="UPSTREAM", code="NO_RESPONSE", latencySeconds=LATE_S / 2)
    for path in (SIGNALS, f"/v3/vehicles/{CAR.id}"):
        assert await waited_s(simulation, path, 502) >= LATE_S, path


async def test_a_rate_makes_a_share_of_the_answers_late(simulation: Simulated) -> None:
    await begin(simulation, latencySeconds=LATE_S, rate=0.5)
    late = [await waited_s(simulation, SIGNALS) >= LATE_S for _ in range(12)]
    assert 2 <= await hits(simulation) <= 10
    assert late.count(True) >= await hits(simulation)


async def test_who_waits_no_longer_for_a_late_answer_has_had_the_car_commanded(simulation: Simulated) -> None:
    await simulation.do("plug")
    await simulation.control.advance(60)
    await begin(simulation, latencySeconds=60, times=1)
    path = f"/v3/vehicles/{CAR.id}/commands/charge/stop"
    asked = asyncio.create_task(simulation.client.post(path))
    async with asyncio.timeout(10):
        while simulation.control.vehicle(CAR.id)["isCharging"]:  # noqa: ASYNC110  (a car tells nobody)
            await asyncio.sleep(0)
    assert not asked.done()
    typed_error(await simulation.client.post(path), 409, "VEHICLE_STATE/NOT_CHARGING")
    simulation.service.stop_answers()
    assert (await asked).status_code == 200


async def test_a_quota_is_used_up_after_so_many_requests(simulation: Simulated) -> None:
    await begin(simulation, type="BILLING", code="VEHICLE_REQUEST_LIMIT", after=3, times=2)
    statuses = [(await simulation.client.get(SIGNALS)).status_code for _ in range(7)]
    assert statuses == [200, 200, 200, 430, 430, 200, 200]


async def test_without_a_code_the_usual_one_of_the_type_is_shown_and_answered(simulation: Simulated) -> None:
    await begin(simulation, type="UPSTREAM")
    (fault,) = (await simulation.client.get("/simulator/faults")).json()["data"]
    typed_error(await simulation.client.get(SIGNALS), 502, f"UPSTREAM/{fault['code']}")


async def test_what_happened_is_counted_and_all_can_be_taken_back(simulation: Simulated) -> None:
    await begin(simulation, type="SERVER", times=2, detail="Out of order.")
    assert detail(await simulation.client.get(SIGNALS), 500) == "Out of order."
    (fault,) = (await simulation.client.get("/simulator/faults")).json()["data"]
    assert (fault["hits"], fault["isOver"]) == (1, False)
    assert (await simulation.client.delete("/simulator/faults")).status_code == 204
    assert (await simulation.client.get("/simulator/faults")).json() == {"data": []}
    assert (await simulation.client.get(SIGNALS)).status_code == 200


async def test_who_shows_no_token_meets_no_fault(simulation: Simulated) -> None:
    await begin(simulation, type="BILLING")
    for path in (SIGNALS, f"/v3/vehicles/{CAR.id}"):
        answer = await simulation.client.get(path, headers={"Authorization": ""})
        typed_error(answer, 401, "AUTHENTICATION/UNAUTHORIZED")
    assert (await simulation.client.get("/healthz")).status_code == 200


@pytest.mark.parametrize(
    ("fault", "reported"),
    [
        ({}, "type"),
        ({"type": "VEHICLE_STAT"}, "nearest name is VEHICLE_STATE"),
        ({"type": "VEHICLE_STATE", "code": "ASLEP"}, "nearest name is ASLEEP"),
        ({"type": "SERVER", "webhook": "DROP"}, "or webhook"),
        ({"latencySeconds": 1, "webhook": "DROP"}, "or webhook"),
        ({"latencySeconds": 0}, "latencySeconds"),
        ({"latencySeconds": 61}, "<= 60"),
        ({"webhook": "EAT"}, "webhook"),
        ({"type": "SERVER", "rate": 0}, "rate"),
        ({"type": "SERVER", "times": 0}, "times"),
        ({"type": "SERVER", "after": -1}, "after"),
        ({"type": "SERVER", "car": "x"}, "car"),
        ({"type": "SERVER", "signal": "charge-volage"}, "nearest name is charge-voltage"),
        ({"webhook": "DROP", "signal": VOLTAGE}, "signal"),
        ({"type": "SERVER", "delaySeconds": 3}, "faults with webhook"),
        ({"webhook": "DROP", "retryAfterSeconds": 3}, "faults with type"),
        ({"latencySeconds": 1, "code": "ASLEEP"}, "faults with type"),
    ],
)
async def test_a_fault_that_is_none_is_refused_by_name(simulation: Simulated, fault: dict[str, Any], reported: str) -> None:
    assert reported in detail(await simulation.client.post("/simulator/faults", json=fault), 400)


async def test_tokens_expire_on_demand_and_new_ones_are_good(simulation: Simulated) -> None:
    application, secret = await simulation.service.access.register("App", frozenset({"read_battery"}))  # type: ignore[arg-type]
    theirs = bearer(await simulation.service.access.issue_token(application))
    assert (await simulation.client.get(SIGNALS, headers=theirs)).status_code == 200
    ended = await simulation.client.post("/simulator/tokens/expire", json={"clientId": application.client_id})
    assert ended.json() == {"expired": 1}
    assert "expired" in detail(await simulation.client.get(SIGNALS, headers=theirs), 401)
    assert (await simulation.client.get(SIGNALS)).status_code == 200
    wanted = {"grant_type": "client_credentials", "client_id": application.client_id, "client_secret": secret}
    token = (await simulation.client.post("/oauth2/token", json=wanted)).json()["access_token"]
    assert (await simulation.client.get(SIGNALS, headers=bearer(token))).status_code == 200
    await simulation.client.post("/simulator/tokens/expire")
    answers: list[httpx.Response] = [await simulation.client.get(SIGNALS, headers=each) for each in ({}, bearer(token))]
    assert [answer.status_code for answer in answers] == [401, 401]
