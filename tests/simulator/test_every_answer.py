"""Every operation that answers with JSON succeeds once, and its answer is as the description of the API says."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from simulated_server import CAR, Simulated

import contract
from chargeport.api.session import COOKIE
from chargeport.settings import DatabaseSettings, Settings, SmartcarSettings
from chargeport.store.records import Connection
from chargeport.store.webhooks import Event
from world import EVERYTHING, T0, World

ELSEWHERE = {"ingestSmartcar"}  # needs a setting of its own: the test below
PAGE = {"X-Chargeport-Page": "1"}
SIGNALS = f"/v3/vehicles/{CAR.id}/signals"
HOOK = {"name": "Home", "callbackUri": "http://127.0.0.1:9/hook", "triggers": ["charge-wattage"], "data": ["charge-voltage"]}
WINDOW = {"startTime": "22:00", "stopTime": "06:00"}
LOCATION = {"latitude": 38.72, "longitude": -9.14}


def wrapped(**attributes: Any) -> dict[str, Any]:
    return {"data": {"attributes": attributes}}


class Asker:
    """Asks, expects a success, and notes which operations succeeded."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.succeeded: set[str] = set()

    async def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        answer = await self.client.request(method, path, json=body, headers=headers)
        assert answer.is_success, (method, path, answer.text)
        template = contract.template_of(answer.request.url.path)
        assert template is not None
        self.succeeded.add(contract.described()["paths"][template][method.lower()]["operationId"])
        return answer.json() if answer.content else None


def json_operations() -> set[str]:
    """Those whose success is JSON, once where they answer with a prefix and without."""
    return {
        operation["operationId"]
        for methods in contract.described()["paths"].values()
        for operation in methods.values()
        if any(
            contract.JSON in answer.get("content", {}) for status, answer in operation["responses"].items() if status < "300"
        )
        and not operation["operationId"].endswith("Unprefixed")
    }


async def read(ask: Asker) -> None:
    for path in (
        "/v3/vehicles", f"/v3/vehicles/{CAR.id}", SIGNALS, "/v3/signals", f"{SIGNALS}/charge-wattage",
        f"{SIGNALS}/charge-wattage/values", f"{SIGNALS}/charge-wattage/values?resolution=PT1H",
        f"/v3/vehicles/{CAR.id}/coverage",
        "/v3/connections", "/v3/compatible-vehicles", "/fleet", "/fleet?sort=-soc", "/records", "/records?order=vehicle",
        "/admin/sources", "/admin/issues", "/admin/audit", "/admin/settings", "/admin/applications", "/admin/connections",
        "/admin/webhooks", "/healthz", "/readyz", "/openapi.json",
    ):  # fmt: skip
        await ask("GET", path)


async def change_access(ask: Asker, simulation: Simulated) -> None:
    service = simulation.service
    made = (await ask("POST", "/admin/applications", {"name": "Charts"}))["data"]
    await ask("POST", f"/admin/applications/{made['client_id']}/token")
    credentials = {name: made[name] for name in ("client_id", "client_secret")}
    for path in ("/oauth2/token", "/oauth/token"):
        await ask("POST", path, {"grant_type": "client_credentials", **credentials})
    clients = await service.store.access.applications()
    own = next(each for each in clients if each.permissions == EVERYTHING)
    vehicle = await service.store.vehicles.vehicle(CAR.id)
    assert vehicle is not None
    connection = Connection(
        id="made", client_id=own.client_id, user_id="ann", vehicle=vehicle, permissions=EVERYTHING,
        created_at=T0,
    )  # fmt: skip
    await service.store.access.add_connection(connection)
    await ask("GET", "/v3/connections/made")
    await service.sign_in.add_user("Ada")
    await ask("POST", "/session", {"link": await service.sign_in.link("Ada")}, **PAGE)
    await ask("POST", "/session/token", {}, Cookie=f"{COOKIE}={ask.client.cookies[COOKIE]}", **PAGE)
    await ask("POST", "/session/token", {}, Cookie="", **PAGE)


async def send(ask: Asker, simulation: Simulated) -> None:
    await ask("POST", "/ingest/readings", {"vehicle": CAR.id, "signal": "charge-voltage", "body": {"value": 231}})
    await ask("POST", f"/ingest/tesla?vehicle={CAR.id}", {"ChargeAmps": 16, "Nothing": 1})
    await simulation.client.post("/ingest/tesla", json={"vin": "nobody", "ChargeAmps": "many"})
    await ask("GET", "/admin/issues")
    await ask("POST", "/admin/issues/replay")


async def change_records(ask: Asker) -> None:
    edits = f"/vehicles/{CAR.id}/records/edits"
    first = {"startedAt": "2026-04-20T10:00:00Z", "endedAt": "2026-04-20T11:00:00Z", "energyAddedKwh": 10, "place": "Home"}
    await ask("POST", edits, {"type": "add", **first, "cost": {"amount": 3.2, "currency": "EUR"}})
    record = (await ask("GET", "/records"))["data"][-1]["id"]
    changes: list[dict[str, Any]] = [
        {"type": "annotate", "record": record, "note": "with Ada"},
        {"type": "split", "record": record, "at": "2026-04-20T10:30:00Z"},
        {"type": "remove", "record": record},
        {"type": "undo", "number": 4},
    ]
    for change in changes:
        await ask("POST", edits, change)
    rows = [each["id"] for each in (await ask("GET", "/records"))["data"]]
    await ask("POST", edits, {"type": "merge", "records": rows[-2:]})
    await ask("GET", edits)
    await ask("GET", "/records")


async def command(ask: Asker) -> None:
    car = f"/v3/vehicles/{CAR.id}"
    await ask("POST", f"/simulator/vehicles/{CAR.id}/plug", {})
    await ask("POST", f"{car}/commands/charge/start")
    await ask("POST", "/simulator/clock", {"advanceSeconds": 60})
    await ask("POST", f"{car}/commands/charge/stop")
    await ask("POST", f"{car}/commands/charge/set-limit", wrapped(percent=80))
    for kind, more in (("daily", WINDOW), ("weekly", {"days": {"monday": WINDOW}}), ("workweek", {"weekends": WINDOW})):
        made = await ask("POST", f"{car}/charge-schedules/{kind}", wrapped(location=LOCATION, **more))
    await ask("DELETE", f"{car}/charge-schedules/{made['data']['attributes']['scheduleId']}")
    await ask("GET", f"{car}/commands")


async def call_back(ask: Asker, simulation: Simulated) -> None:
    made = (await ask("POST", "/v3/webhooks", wrapped(**HOOK)))["data"]["id"]
    await ask("GET", "/v3/webhooks")
    await ask("GET", f"/v3/webhooks/{made}")
    await ask("PATCH", f"/v3/webhooks/{made}", wrapped(name="Away", errorCallbackUri=None))
    await ask("POST", f"/v3/webhooks/{made}/verify")
    body = wrapped(webhookId=made, vehicleId=CAR.id)
    subscription = (await ask("POST", "/v3/subscriptions", body))["data"]["id"]
    await ask("GET", "/v3/subscriptions")
    await ask("GET", f"/v3/subscriptions/{subscription}")
    kept = await simulation.service.store.webhooks.subscription(subscription)
    assert kept is not None
    event = Event(id="event", webhook_id=made, kind="VEHICLE_STATE", body="{", created_at=T0)
    await simulation.service.store.webhooks.enqueue(kept, [event], "{}", None)
    await ask("POST", f"/v3/webhooks/{made}/deliveries/event/redeliver")
    await ask("POST", f"/v3/webhooks/{made}/redeliver", wrapped())
    await ask("POST", f"/admin/webhooks/{made}/deliveries/event/redeliver")
    await ask("GET", f"/v3/webhooks/{made}/deliveries")
    await ask("GET", f"/admin/webhooks/{made}/deliveries")
    await ask("GET", "/admin/webhooks")
    await ask("POST", "/v3/management-token", wrapped())


async def control(ask: Asker) -> None:
    await ask("POST", "/simulator/faults", {"type": "VEHICLE_STATE", "code": "ASLEEP", "vehicle": "none", "times": 2})
    await ask("POST", "/simulator/faults", {"webhook": "DELAY", "vehicle": "none", "rate": 0.5, "delaySeconds": 5})
    await ask("GET", "/simulator/faults")
    await ask("GET", "/simulator/scenarios")
    await ask("POST", "/simulator/scenarios", {"name": "night-at-home"})
    await ask("POST", f"/simulator/vehicles/{CAR.id}/silence", {"seconds": 60})
    await ask("GET", f"/simulator/vehicles/{CAR.id}")
    await ask("GET", "/simulator")
    await ask("POST", "/simulator/clock", {"advanceSeconds": 1})
    await ask("POST", "/simulator/tokens/expire", {"clientId": "nobody"})


async def test_every_operation_succeeds_with_an_answer_that_the_description_knows(simulation: Simulated) -> None:
    ask = Asker(simulation.client)
    await read(ask)
    await send(ask, simulation)
    await change_records(ask)
    await command(ask)
    await call_back(ask, simulation)
    await change_access(ask, simulation)
    await control(ask)
    await read(ask)
    assert json_operations() - ask.succeeded == ELSEWHERE


async def test_smartcars_webhooks_are_answered_as_the_description_says(tmp_path: Path) -> None:
    settings = Settings(
        database=DatabaseSettings(f"sqlite:///{tmp_path / 'world.db'}"), smartcar=SmartcarSettings(management_token="key")
    )
    world = World(tmp_path, settings)
    verify = {"eventType": "VERIFY", "data": {"challenge": "abc"}}
    assert (await world.client.post("/ingest/smartcar", json=verify)).status_code == 200
    await world.close()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (httpx.Response(200, json={"status": "ok", "mood": "fine"}), "'mood' was unexpected"),
        (httpx.Response(200, json={}), '"status" is a required property'),
        (httpx.Response(418, json={"status": "ok"}), "no such status"),
        (httpx.Response(200, text="ok"), "no text/plain"),
    ],
)
def test_an_answer_that_the_description_does_not_know_is_found(answer: httpx.Response, words: str) -> None:
    answer.request = httpx.Request("GET", "http://cars.test/healthz")
    (found,) = contract.misfits(answer)
    assert words in found
