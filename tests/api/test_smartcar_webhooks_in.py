"""`POST /ingest/smartcar`: Smartcar's webhooks in, as Smartcar sends them."""

import copy
import hashlib
import hmac
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from chargeport.api import smartcar
from chargeport.runtime import replaying
from chargeport.settings import DatabaseSettings, Settings, SmartcarSettings
from chargeport.signals.catalogue import BY_CODE
from chargeport.sources.base import Delivery
from chargeport.store.records import Page, Vehicle
from world import T0, World

KEY = "an application management token"
OTHERS = Path(__file__).parents[3] / "shared" / "data" / "recordings" / "smartcar"
CAR_ID = "0b0c6b0e-1b5e-4d6e-9b3f-2f8f5f2a7c11"
EVENT: dict[str, Any] = {
    "eventId": "00000000-0000-4000-8000-000000000001",
    "eventType": "VEHICLE_STATE",
    "data": {
        "user": {"id": "user1"},
        "vehicle": {"id": CAR_ID, "make": "ACME", "model": "Bolt One", "year": 2026, "mode": "live", "powertrainType": "BEV"},
        "signals": [
            {"code": "charge-voltage", "name": "Voltage", "group": "Charge", "body": {"value": 231, "unit": "volts"},
             "meta": {"oemUpdatedAt": T0 - 5000, "retrievedAt": T0 - 1000}, "status": {"value": "SUCCESS"}},
            {"code": "charge-chargerphases", "name": "ChargerPhases", "group": "Charge",
             "status": {"value": "ERROR", "error": {"type": "COMPATIBILITY", "code": "VEHICLE_NOT_CAPABLE"}}},
        ],
    },
    "triggers": [],
    "meta": {"version": "4.0", "deliveryId": "d", "deliveredAt": T0, "webhookId": "w", "webhookName": "Home", "mode": "LIVE"},
}  # fmt: skip


def opened(folder: Path, **settings: Any) -> World:
    of = SmartcarSettings(**{"management_token": KEY, **settings})
    return World(folder, Settings(database=DatabaseSettings(f"sqlite:///{folder / 'world.db'}"), smartcar=of))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    one = opened(tmp_path)
    yield one
    await one.close()


def signature(body: bytes, key: str = KEY) -> str:
    return hmac.new(key.encode(), body, hashlib.sha256).hexdigest()


async def send(world: World, event: Any, signed: str | None = "", **headers: str) -> httpx.Response:
    """Send an event, signed unless told otherwise (None: not at all)."""
    body = event if isinstance(event, bytes) else json.dumps(event, separators=(",", ":")).encode()
    given = {} if signed is None else {"SC-Signature": signed or signature(body)}
    return await world.client.post("/ingest/smartcar", content=body, headers={**given, **headers})


def changed(**members: Any) -> dict[str, Any]:
    return copy.deepcopy(EVENT) | members


async def voltage(world: World) -> Any:
    signal = BY_CODE["charge-voltage"]
    found = await world.store.readings.signal(CAR_ID, signal)
    state = None if found is None else next(iter(found.series.get(signal.key, ())), None)
    return None if state is None else (state.value, state.observed_at, state.source)


@pytest.mark.parametrize(
    "event",
    [
        {"eventType": "VERIFY", "data": {"challenge": "c7d1"}, "meta": {"deliveredAt": T0}},
        {"eventType": "VERIFY", "data": {"challenge": "c7d1"}, "meta": {"deliveredAt": "2026-05-01T10:00:00.000Z"}},
        {"version": "2.0", "webhookId": "w", "eventName": "verify", "payload": {"challenge": "c7d1"}},
    ],
)
async def test_a_challenge_is_answered_unsigned_with_its_hmac(world: World, event: dict[str, Any]) -> None:
    answer = await send(world, event, signed=None)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.json() == {"challenge": signature(b"c7d1")}


@pytest.mark.parametrize("challenge", [None, "", 7, "x" * 1025, ["c7d1"], "größe", "a\nb", json.dumps(EVENT), "{}"])
async def test_no_challenge_is_signed_that_could_be_something_else(world: World, challenge: Any) -> None:
    """Whoever asks is answered: an event that is sent as a challenge must not come back signed."""
    answer = await send(world, {"eventType": "VERIFY", "data": {"challenge": challenge}}, signed=None)
    assert answer.status_code == 400
    assert "data.challenge" in answer.json()["description"]


async def test_an_event_is_stored_with_the_cars_own_times(world: World) -> None:
    await world.car(CAR_ID)
    answer = await send(world, EVENT)
    assert (answer.status_code, answer.json()["accepted"], answer.json()["rejected"]) == (200, 2, [])
    assert await voltage(world) == (231, T0 - 5000, "smartcar")
    again = await send(world, EVENT)
    assert (again.json()["accepted"], again.json()["unchanged"]) == (0, 2)


async def test_the_signature_is_of_the_bytes_as_they_came(world: World) -> None:
    await world.car(CAR_ID)
    spaced = json.dumps(EVENT, indent=2).encode()
    assert (await send(world, spaced)).status_code == 200
    assert (await send(world, spaced, signed=signature(json.dumps(EVENT).encode()))).status_code == 401
    assert (await send(world, spaced, signed=signature(spaced).upper())).status_code == 200


@pytest.mark.parametrize("signed", [None, "0" * 64, "short", "ü", signature(b"other"), signature(b"{}", "another key")])
async def test_an_event_without_the_right_signature_is_refused_and_leaves_nothing(world: World, signed: str | None) -> None:
    await world.car(CAR_ID)
    body = json.dumps(EVENT).encode()
    raw = {} if signed is None else {"SC-Signature": signed.encode()}
    answer = await world.client.post("/ingest/smartcar", content=body, headers=raw)
    assert (answer.status_code, answer.json()["type"]) == (401, "AUTHENTICATION")
    assert await voltage(world) is None
    assert (await world.store.issues.issues(Page()))[1] == 0


async def test_signatures_are_compared_in_constant_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []

    def digest(ours: bytes, theirs: bytes) -> bool:
        compared.append((ours, theirs))
        return False

    monkeypatch.setattr(smartcar.hmac, "compare_digest", digest)
    assert (await send(world, EVENT, signed="ab")).status_code == 401
    assert compared == [(signature(json.dumps(EVENT, separators=(",", ":")).encode()).encode(), b"ab")]


async def test_an_event_in_test_mode_is_understood_and_not_stored(world: World) -> None:
    await world.car(CAR_ID)
    answer = await send(world, changed(meta=EVENT["meta"] | {"mode": "TEST"}))
    assert (answer.status_code, answer.json()["accepted"]) == (202, 0)
    assert await voltage(world) is None


async def test_an_event_about_an_unknown_car_is_stored_and_can_be_replayed(world: World) -> None:
    answer = await send(world, EVENT)
    assert answer.status_code == 200, "sent again it would only be kept again"
    assert {each["code"] for each in answer.json()["rejected"]} == {"UNKNOWN_VEHICLE"}
    await world.car(CAR_ID)
    assert (await replaying.replay_issues(world.store, world.service.feeds.pipeline)).rejected == 0
    assert await voltage(world) == (231, T0 - 5000, "smartcar")


async def test_a_car_of_ours_may_have_smartcars_id_as_an_alias(world: World) -> None:
    car = await world.car("7b0c6b0e-1b5e-4d6e-9b3f-2f8f5f2a7c11", aliases=(CAR_ID,))
    assert (await send(world, EVENT)).json()["accepted"] == 2
    assert (await world.store.readings.signal(car.id, BY_CODE["charge-voltage"])) is not None


@pytest.mark.parametrize("event_type", ["VEHICLE_STATE", "VEHICLE_ERROR"])
async def test_unknown_cars_are_made_known_where_the_settings_say_so(tmp_path: Path, event_type: str) -> None:
    world = opened(tmp_path, auto_register=True)
    for _ in range(2):
        assert (await send(world, changed(eventType=event_type))).status_code == 200
    found = await world.store.vehicles.vehicle(CAR_ID)
    assert found is not None
    assert (found.make, found.model, found.year) == ("ACME", "Bolt One", 2026)
    assert await voltage(world) == (231, T0 - 5000, "smartcar")
    await world.close()


@pytest.mark.parametrize(
    ("vehicle", "known"),
    [
        ({"id": CAR_ID, "make": 7, "model": None, "year": "2026"}, Vehicle(id=CAR_ID, created_at=T0)),
        ({"id": CAR_ID, "make": " ", "year": 12, "odd": {}}, Vehicle(id=CAR_ID, created_at=T0)),
        ({"id": CAR_ID.upper()}, Vehicle(id=CAR_ID, aliases=(CAR_ID.upper(),), created_at=T0)),
        ({"id": "5YJ3E1EA7KF000000"}, None), ({"id": 7}, None), ({}, None), ("car", None), (None, None),
    ],
)  # fmt: skip
async def test_odd_facts_about_a_car_cost_nothing_else(tmp_path: Path, vehicle: Any, known: Vehicle | None) -> None:
    world = opened(tmp_path, auto_register=True)
    assert (await send(world, changed(data=EVENT["data"] | {"vehicle": vehicle}))).status_code == 200
    assert await world.store.vehicles.vehicle(CAR_ID) == known
    assert (await world.store.issues.issues(Page()))[1] == (0 if known else 1)
    await world.close()


async def test_an_error_event_becomes_absences(world: World) -> None:
    await world.car(CAR_ID)
    error = {
        "type": "CONNECTED_SERVICES_ACCOUNT", "code": "SUBSCRIPTION", "state": "ERROR",
        "signals": [{"name": "Voltage", "code": "charge-voltage", "group": "Charge"}],
    }  # fmt: skip
    event = changed(eventType="VEHICLE_ERROR", data={"vehicle": EVENT["data"]["vehicle"], "errors": [error]})
    assert (await send(world, event)).json()["accepted"] == 1
    found = await world.store.readings.signal(CAR_ID, BY_CODE["charge-voltage"])
    assert found is not None
    assert found.series[BY_CODE["charge-voltage"].key][0].absence is not None


@pytest.mark.parametrize(
    ("event", "reported"),
    [
        (b"{", "The body is no webhook of Smartcar's"),
        (b"[]", "The body is no webhook of Smartcar's"),
        (b"\xff", "The body is no webhook of Smartcar's"),
    ],
)
async def test_what_is_no_event_is_refused(world: World, event: Any, reported: str) -> None:
    answer = await send(world, event)
    assert answer.status_code == 400
    assert reported in answer.json()["description"]


@pytest.mark.parametrize("event_type", ["VEHICLE_SOLD", "vehicle_state", ["VERIFY"], None, 7])
async def test_a_signed_event_of_an_unknown_type_is_acknowledged_and_stored(world: World, event_type: Any) -> None:
    await world.car(CAR_ID)
    event = changed(eventType=event_type)
    answer = await send(world, event)
    assert (answer.status_code, answer.json()["accepted"]) == (200, 0)
    assert [(each["index"], each["code"], each["path"]) for each in answer.json()["rejected"]] == [
        (0, "NOT_ALLOWED", f"eventType {event_type}")
    ]
    (kept,), total = await world.store.issues.issues(Page())
    assert (total, kept.issue.source, kept.issue.vehicle) == (1, "smartcar", CAR_ID)
    assert json.loads(msgspec.json.decode(kept.issue.raw, type=Delivery).payload) == event, "it can be replayed"
    assert await voltage(world) is None


async def test_nothing_of_an_unsigned_body_is_decoded_unless_it_can_be_a_challenge(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[bytes] = []

    def decode(body: bytes) -> None:
        decoded.append(body)

    monkeypatch.setattr(smartcar, "_event", decode)
    large = json.dumps(changed(filler="x" * smartcar.MAX_UNSIGNED)).encode()
    for body, signed in ((large, None), (large, "0" * 64), (b"{" + b"[" * 9000, "0" * 64)):
        assert (await send(world, body, signed=signed)).status_code == 401
    assert decoded == []
    assert (await send(world, b"{}", signed=None)).status_code == 401
    assert decoded == [b"{}"]


async def test_without_a_signature_no_more_is_read_than_a_challenge_has(world: World) -> None:
    read = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(100):
            read += 1024
            yield b" " * 1024

    answer = await world.client.post("/ingest/smartcar", content=body())
    assert answer.status_code == 401
    assert read <= smartcar.MAX_UNSIGNED + 2048


@pytest.mark.parametrize("member", ["data", "meta", "triggers"])
@pytest.mark.parametrize("odd", [None, 7, "text", [], [1], {}, {"signals": 7}, {"signals": [None, 7, {"code": 7}]}])
async def test_a_signed_event_is_never_lost_however_odd_it_is(world: World, member: str, odd: Any) -> None:
    await world.car(CAR_ID)
    assert (await send(world, changed(**{member: odd}))).status_code == 200


@pytest.mark.parametrize("key", [None, ""])
async def test_without_a_token_nothing_is_taken(tmp_path: Path, key: str | None) -> None:
    world = opened(tmp_path, management_token=key)
    answer = await send(world, EVENT)
    assert answer.status_code == 404
    assert "set [smartcar] management_token" in answer.json()["description"]
    await world.close()


@pytest.mark.parametrize(
    ("name", "accepted"), [("jaguar_ipace2_all", 21), ("polestar_2_all", 14), ("vw_id_4_error", 0), ("vw_id_4_verify", None)]
)
async def test_recorded_webhooks_are_taken(tmp_path: Path, name: str, accepted: int | None) -> None:
    file = OTHERS / f"{name}.json"
    if not file.is_file():
        pytest.skip("no recorded payloads of other people's systems on this machine")
    world = opened(tmp_path, auto_register=True)
    body = file.read_bytes()
    body = re.sub(rb"\{\{.*?\}\}", CAR_ID.encode(), body)
    answer = await send(world, body, signed=None if accepted is None else "")
    assert answer.status_code == 200, answer.text
    if accepted is None:
        assert set(answer.json()) == {"challenge"}
    else:
        wrong = [each for each in answer.json()["rejected"] if not each["path"].startswith("location")]
        assert wrong == []
        assert answer.json()["accepted"] >= accepted
    await world.close()


async def test_signatures_that_are_guessed_are_slowed_down(world: World) -> None:
    world.served.errors.guesses.failures.clear()
    statuses = [(await send(world, EVENT, signed=f"{number:064x}")).status_code for number in range(52)]
    assert statuses == [401] * 50 + [429] * 2
    assert (await send(world, EVENT)).status_code == 200, "others at this address send the right one"
    assert world.served.errors.guesses.failures["signature"] == 52
