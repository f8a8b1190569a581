"""Examples of bodies and answers about webhooks, sessions, commands, applications and the simulator, for the OpenAPI document.

An answer is made by the function that makes it for clients, where there is one.
"""

from collections.abc import Callable
from typing import Any, Final

from chargeport.api import commands, webhooks
from chargeport.api.route import VEHICLE_ID
from chargeport.runtime.commands import SET_LIMIT
from chargeport.store.command_log import StoredCommand
from chargeport.store.records import Vehicle
from chargeport.store.webhooks import Attempt, Event, Subscription, Webhook, WebhookFields
from chargeport.wire.envelope import iso

AT: Final = 1_777_629_598_000
BASE: Final = "http://127.0.0.1:8080"
WEBHOOK_ID: Final = "5f8a2f5c-8b0e-4f7e-9a43-6f2b8f1d0c22"
USER_ID: Final = "7d0f5c1e-2a67-4f0b-9f61-0c5d3b1e8a01"
CONNECTION_ID: Final = "c1e2a7b4-2f0d-4c11-8a57-5d9f1e0c7d33"
SUBSCRIPTION_ID: Final = "a6a1b8d2-93b1-4f0a-8f7e-2f4c6d8e9b55"
SCHEDULE_ID: Final = "3f1d4c0e-77d5-4a55-8a1c-9c0f6f1f0b44"
EVENT_ID: Final = "e5d0c9f8-1a2b-4c3d-9e8f-7a6b5c4d3e66"
CLIENT_ID: Final = "client_0a1b"
CLIENT_SECRET: Final = "cps_secret"  # noqa: S105  (of an example)
REDIRECT: Final = "http://127.0.0.1/back"
USER_NAME: Final = "owner"
PASSWORD: Final = "correct horse battery staple"  # noqa: S105  (of an example)

Example = dict[str, Any]

_FIELDS: Final = WebhookFields(
    name="Home", callback_uri="https://cars.example.org/hook", triggers=("charge-ischarging",), data=("charge-wattage",)
)
_WEBHOOK: Final = Webhook(
    id=WEBHOOK_ID, client_id=CLIENT_ID, fields=_FIELDS, created_at=AT, updated_at=AT, verified_at=AT + 900
)
_WINDOW: Final = {"startTime": "22:00", "stopTime": "06:00"}
_LOCATION: Final = {"latitude": 38.72, "longitude": -9.14}


def _attributes(**attributes: Any) -> Example:
    return {"data": {"attributes": attributes}}


def _webhook() -> Example:
    return {"data": webhooks.resource(_WEBHOOK, BASE)}


def _subscription() -> Example:
    made = Subscription(
        id=SUBSCRIPTION_ID, webhook_id=WEBHOOK_ID, vehicle=Vehicle(id=VEHICLE_ID), user_uuid=USER_ID, created_at=AT
    )  # fmt: skip
    return {"data": webhooks.subscription_resource(made, BASE)}


def _deliveries() -> Example:
    event = Event(id=EVENT_ID, webhook_id=WEBHOOK_ID, kind="VEHICLE_STATE", body="{", created_at=AT, state="delivered")
    attempt = Attempt(id="d1", event_id=EVENT_ID, webhook_id=WEBHOOK_ID, started_at=AT, duration_ms=84, status=204)
    return _page([webhooks.delivery(event, [attempt])], f"/v3/webhooks/{WEBHOOK_ID}/deliveries")


def _command() -> Example:
    kept = StoredCommand(
        id="c1", vehicle_id=VEHICLE_ID, client_id=CLIENT_ID, kind=SET_LIMIT, parameters='{"percent":80}',
        started_at=AT, ended_at=AT + 420, outcome="SUCCESS",
    )  # fmt: skip
    return {"data": commands.execution(kept, {"percent": 80})}


def _page(data: list[Any], path: str) -> Example:
    this = f"{BASE}{path}?page[number]=1&page[size]=50"
    links = {"self": this, "first": this, "last": this, "next": None, "prev": None}
    return {"data": data, "meta": {"totalCount": len(data), "pageSize": 50, "pageNumber": 1}, "links": links}


def _application() -> Example:
    made = {"client_id": CLIENT_ID, "name": "Charts", "permissions": ["read_charge"], "connectedOnly": False}
    times = {"createdAt": iso(AT), "revokedAt": None}
    return {"data": made | times | {"client_secret": CLIENT_SECRET, "management_token": "cpm_secret"}}


def _changes_of_records() -> Example:
    record = "2026-05-01T09:59:58.000Z"
    return {
        "split": {"type": "split", "record": record, "at": "2026-05-01T10:30:00Z"},
        "merge": {"type": "merge", "records": [record, "2026-05-01T11:30:00.000Z"]},
        "remove": {"type": "remove", "record": record},
        "annotate": {"type": "annotate", "record": record, "note": "with Ada", "cost": {"amount": 4.2, "currency": "EUR"}},
        "add": {
            "type": "add", "startedAt": "2026-04-20T10:00:00Z", "endedAt": "2026-04-20T11:00:00Z", "energyAddedKwh": 10,
            "place": "Home",
        },
        "undo": {"type": "undo", "number": 1},
    }  # fmt: skip


OF: Final[dict[str, Callable[[], Example]]] = {
    "ApplicationCreated": lambda: {"made": _application()},
    "ApplicationWish": lambda: {"reader": {"name": "Charts", "permissions": ["read_charge"]}},
    "ChangedWebhook": lambda: {"off": _attributes(isEnabled=False)},
    "ClockWish": lambda: {"forward": {"advanceSeconds": 3600}, "fast": {"speed": 60}, "still": {"isFrozen": True}},
    "CommandDocument": lambda: {"obeyed": _command()},
    "Credentials": lambda: {"password": {"name": USER_NAME, "password": PASSWORD}},
    "DailySchedule": lambda: {"nights": _attributes(location=_LOCATION, **_WINDOW)},
    "DeliveryList": lambda: {"delivered": _deliveries()},
    "ExpiryWish": lambda: {"one": {"clientId": CLIENT_ID}},
    "NewChargeLimit": lambda: {"limit": _attributes(percent=80)},
    "NewFault": lambda: {
        "asleep": {"type": "VEHICLE_STATE", "code": "ASLEEP", "vehicle": VEHICLE_ID, "times": 1},
        "late": {"latencySeconds": 0.1, "vehicle": VEHICLE_ID, "times": 1},
        "lost event": {"webhook": "DROP", "vehicle": VEHICLE_ID, "rate": 0.5},
    },
    "NewSubscription": lambda: {"one": _attributes(webhookId=WEBHOOK_ID, vehicleId=VEHICLE_ID)},
    "NewWebhook": lambda: {
        "every car": _attributes(
            name="Home", callbackUri="https://cars.example.org/hook", triggers=["charge-ischarging"], data=["charge-wattage"],
            autoSubscribe=True,
        )
    },
    "Overlap": lambda: {"an hour": _attributes(overlapInSeconds=3600)},
    "Payload": lambda: {"of a Tesla": {"ChargeAmps": 16}},
    "RecordChange": _changes_of_records,
    "ScenarioWish": lambda: {"ready": {"name": "night-at-home"}},
    "SimulatorAction": lambda: {"as usual": {}},
    "SmartcarEvent": lambda: {"VERIFY": {"eventType": "VERIFY", "data": {"challenge": "1b6e"}}},
    "Span": lambda: {"a day": _attributes(**{"from": "2026-05-01T00:00:00Z", "to": "2026-05-02T00:00:00Z"})},
    "SubscriptionDocument": lambda: {"one": _subscription()},
    "TokenRequest": lambda: {
        "credentials": {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    },
    "WebhookDocument": lambda: {"verified": _webhook()},
    "WeeklySchedule": lambda: {"mondays": _attributes(location=_LOCATION, days={"monday": _WINDOW})},
    "WorkweekSchedule": lambda: {"weekends": _attributes(location=_LOCATION, weekends=_WINDOW)},
}  # fmt: skip
"""The examples of a schema, each by its name."""
