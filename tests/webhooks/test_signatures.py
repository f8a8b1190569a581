"""What is sent verifies with the code that receivers have: Smartcar's SDKs, and Standard Webhooks' own library."""

import base64
import datetime as dt
import json
from typing import Any

import pytest
import smartcar
from standardwebhooks import Webhook, WebhookVerificationError

from chargeport.settings import WebhookSettings
from chargeport.store.records import Vehicle
from node_packages import run_node
from webhook_receiver import Made, Receiver, pump
from world import T0, Client, World

DATA = [
    "charge-voltage", "charge-wattage", "charge-chargingconnectortype", "charge-chargelimits", "charge-chargetimers",
    "location-preciselocation",
]  # fmt: skip

# Numbers, texts and members that two writers of JSON may write differently.
BODIES: dict[str, dict[str, Any]] = {
    "charge-voltage": {"value": 80.0},
    "charge-wattage": {"value": 0.00000012},
    "charge-chargingconnectortype": {"value": 'Prise é "E/F" \\ 🔌 </script>'},
    "charge-chargelimits": {
        "activeLimit": 80.0,
        "values": [
            {"type": "GLOBAL", "limit": 80.0},
            {"type": "CHARGING_TYPE", "condition": {"chargingType": "AC"}, "limit": 52.5},
        ],
        "unit": "percent",
    },
    "charge-chargetimers": {
        "values": [{
            "type": "LOCATION",
            "condition": {"name": "Gärage", "latitude": 0.0000001, "longitude": -0.0},
            "departureTimers": [{"time": "07:15:00", "days": ["MONDAY"]}],
        }],
    },
    "location-preciselocation": {"latitude": 1e-7, "longitude": 100.0},
}  # fmt: skip

# What Smartcar's Node SDK does with an event; and what a receiver without an SDK does.
CHECKS = """
const crypto = require("crypto"), smartcar = require("smartcar");
const told = JSON.parse(require("fs").readFileSync(0, "utf8"));
const body = JSON.parse(told.raw), again = JSON.stringify(body);
const digest = crypto.createHmac("sha256", told.key).update(again).digest("hex");
console.log(JSON.stringify({ same: again === told.raw, hmac: digest === told.signature,
  sdk: smartcar.verifyPayload(told.key, told.signature, body) }));
"""


@pytest.fixture(autouse=True)
def at_delivery(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard Webhooks' library refuses what is older than five minutes, and the world's clock stands still in the past."""

    class Then(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:
            return dt.datetime.fromtimestamp(T0 / 1000, tz)

    monkeypatch.setattr("standardwebhooks.webhooks.datetime", Then)


@pytest.fixture
def webhook_settings() -> WebhookSettings:
    return WebhookSettings(allow_private_targets=True, retry_delays_s=[1, 2], retry_jitter=0, standard_signature=True)


@pytest.fixture
async def event(world: World, car: Vehicle, receiver: Receiver, webhook: Made) -> tuple[bytes, dict[str, str]]:
    """An event with values that are hard to write: its body and headers."""
    await webhook(name="Zuhause é\u2028\x7f\x1f\t", data=DATA, triggers=["charge-voltage"])
    for code, body in BODIES.items():
        await world.report(car, code, body)
    await pump(world)
    _, raw, headers = receiver.got[-1]
    return raw, headers


async def test_smartcars_python_sdk_verifies_an_event(receiver: Receiver, event: tuple[bytes, dict[str, str]]) -> None:
    raw, headers = event
    assert smartcar.verify_payload(receiver.key, headers["SC-Signature"], raw.decode())
    assert not smartcar.verify_payload(receiver.key, headers["SC-Signature"], raw.decode() + " ")


@pytest.mark.service
async def test_an_event_written_again_by_javascript_has_the_same_bytes_and_its_sdk_verifies_it(
    receiver: Receiver, event: tuple[bytes, dict[str, str]]
) -> None:
    raw, headers = event
    reported = {"key": receiver.key, "signature": headers["SC-Signature"], "raw": raw.decode()}
    done = run_node("smartcar@10.4.0", CHECKS, reported)
    assert done == {"same": True, "hmac": True, "sdk": True}


async def test_the_parts_of_an_event_are_written_as_smartcar_writes_them(event: tuple[bytes, dict[str, str]]) -> None:
    raw, _ = event
    text = raw.decode()
    assert '"body":{"value":80,"unit":"volts"}' in text
    assert '"body":{"value":1.2e-7,"unit":"watts"}' in text
    assert "é" in text
    signals = {each["code"]: each for each in json.loads(raw)["data"]["signals"]}
    general, by_type = signals["charge-chargelimits"]["body"]["values"]
    assert general == {"type": "GLOBAL", "limit": 80, "condition": None}
    assert by_type["condition"] == {"chargingType": "AC"}
    assert set(signals["charge-voltage"]["meta"]) == {"oemUpdatedAt", "retrievedAt"}


def secret(key: str) -> str:
    return "whsec_" + base64.b64encode(key.encode()).decode()


async def test_standard_webhooks_library_verifies_an_event(receiver: Receiver, event: tuple[bytes, dict[str, str]]) -> None:
    raw, headers = event
    assert Webhook(secret(receiver.key)).verify(raw, headers)["eventType"] == "VEHICLE_STATE"
    with pytest.raises(WebhookVerificationError):
        Webhook(secret("another")).verify(raw, headers)


async def test_while_a_renewed_token_overlaps_both_are_taken_and_then_the_new_one_alone(
    world: World, app: Client, car: Vehicle, receiver: Receiver, event: tuple[bytes, dict[str, str]]
) -> None:  # fmt: skip
    body = {"data": {"attributes": {"overlapInSeconds": 600}}}
    renewed = await world.client.post("/v3/management-token", json=body, headers=app.headers)
    assert renewed.status_code == 201
    old, new = receiver.key, renewed.json()["data"]["attributes"]["managementToken"]
    receiver.checks_signatures = True

    async def next_event(volts: int) -> tuple[bytes, dict[str, str], int]:
        before = len(receiver.got)
        await world.report(car, "charge-voltage", {"value": volts}, T0 + volts * 1000)
        await pump(world)
        _, raw, headers = receiver.got[-1]
        return raw, headers, len(receiver.got) - before

    _, _, requests = await next_event(101)
    assert requests == 1, "a receiver that knows the token before notices nothing"
    receiver.key = new
    raw, headers, requests = await next_event(102)
    assert requests == 2, "it refused the signature of the token before"
    for key in (old, new):
        Webhook(secret(key)).verify(raw, headers)
    _, _, requests = await next_event(103)
    assert requests == 1, "which token it knows is remembered"
    world.clock.move(601)
    _, headers, _ = await next_event(104)
    assert "," in headers["webhook-signature"]
    assert " " not in headers["webhook-signature"]
    receiver.key = old
    before = len(receiver.events())
    await next_event(105)
    assert len(receiver.events()) == before + 1, "it is refused, and there is no other token"
