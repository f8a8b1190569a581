"""The wire contract by example: every member that Smartcar's v3 API has stands where it stands there, with the same type.

The examples were composed from the contract, not copied. Members of our own may stand beside theirs; none may be missing.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from chargeport.signals.catalogue import CATALOGUE
from chargeport.store.records import Vehicle
from world import HOST, T0, Client, World

ID = "0b0c6b0e-1b5e-4d6e-9b3f-2f8f5f2a7c11"
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
OURS = {"source", "derivedFrom", "staleAt", "values"}

VEHICLE = {
    "id": ID,
    "type": "vehicle",
    "attributes": {"make": "ACME", "model": "Bolt One", "year": 2026, "powertrainType": "BEV", "mode": "live"},
    "links": {"self": f"{HOST}/v3/vehicles/{ID}"},
}
VOLTAGE = {
    "id": "charge-voltage",
    "type": "signal",
    "attributes": {
        "code": "charge-voltage",
        "name": "Voltage",
        "group": "Charge",
        "status": {"value": "SUCCESS"},
        "body": {"value": 231, "unit": "volts"},
    },
    "meta": {
        "retrievedAt": "2026-05-01T10:00:03.250Z",
        "oemUpdatedAt": "2026-05-01T09:59:58.000Z",
        "ingestedAt": "2026-05-01T10:00:04.010Z",
    },
    "links": {"self": f"{HOST}/v3/vehicles/{ID}/signals/charge-voltage"},
}
NOT_CHARGING = {
    "id": "charge-wattage",
    "type": "signal",
    "attributes": {
        "code": "charge-wattage",
        "name": "Wattage",
        "group": "Charge",
        "status": {
            "value": "ERROR",
            "error": {
                "type": "VEHICLE_STATE",
                "code": "NOT_CHARGING",
                "title": "Not Charging",
                "detail": "No charging session is active.",
                "description": "No charging session is active.",
                "resolution": {"type": "UNKNOWN_RESOLUTION_TYPE"},
            },
        },
        "body": {"value": 7200, "unit": "watts"},
    },
    "meta": {
        "retrievedAt": "2026-05-01T02:10:00.000Z",
        "oemUpdatedAt": "2026-05-01T02:09:41.000Z",
        "ingestedAt": "2026-05-01T10:00:04.010Z",
    },
    "links": {"self": f"{HOST}/v3/vehicles/{ID}/signals/charge-wattage"},
}
CONNECTION = {
    "id": "5a3d",
    "type": "connection",
    "attributes": {
        "permissions": ["read_charge", "read_battery"],
        "vehicle": {"make": "ACME", "model": "Bolt One", "year": 2026, "mode": "live", "powertrainType": "BEV"},
        "user": {"id": "9c1e0000-0000-4000-8000-000000000000"},
    },
    "relationships": {
        "vehicle": {"data": {"id": ID, "type": "vehicle"}, "links": {"related": f"{HOST}/v3/vehicles/{ID}"}},
        "user": {"data": {"id": "9c1e0000-0000-4000-8000-000000000000", "type": "user"}},
    },
    "meta": {"createdAt": "2026-04-01T08:00:00.000Z", "updatedAt": "2026-04-01T08:00:00.000Z"},
    "links": {"self": f"{HOST}/v3/connections/5a3d"},
}
ERROR = {
    "errors": [
        {
            "status": "404",
            "type": "RESOURCE_NOT_FOUND",
            "code": "VEHICLE_NOT_FOUND",
            "title": "Vehicle not found",
            "detail": "No vehicle with this id is known to this server.",
            "resolution": {"type": None},
            "meta": {"debug": {"requestId": "3d1f6a52-0f0c-4b54-9a8f-1f5f0f0a9c33"}},
        }
    ],
    "type": "RESOURCE_NOT_FOUND",
    "code": "VEHICLE_NOT_FOUND",
    "description": "No vehicle with this id is known to this server.",
    "docURL": f"{HOST}/docs/errors#resource-not-found-vehicle-not-found",
    "statusCode": 404,
    "requestId": "3d1f6a52-0f0c-4b54-9a8f-1f5f0f0a9c33",
    "resolution": {"type": None},
    "suggestedUserMessage": "Vehicle not found.",
}
PAGE = f"{HOST}/v3/connections?page%5Bnumber%5D=1&page%5Bsize%5D=10"
WORDS = {
    "type",
    "code",
    "name",
    "group",
    "title",
    "unit",
    "mode",
    "status",
    "statusCode",
    "docURL",
    "make",
    "model",
    "year",
    "value",
}


def differences(example: Any, got: Any, path: str = "$") -> list[str]:
    """What of the example is missing or of another type in what was got, and what stands there that is nobody's."""
    if isinstance(example, dict):
        if not isinstance(got, dict):
            return [f"{path}: {got!r} is no object"]
        strange = [f"{path}.{name}: not in the contract" for name in got.keys() - example.keys() - OURS]
        missing = [f"{path}.{name}: missing" for name in example.keys() - got.keys()]
        inner = [differences(example[name], got[name], f"{path}.{name}") for name in example.keys() & got.keys()]
        return strange + missing + [line for lines in inner for line in lines]
    if isinstance(example, list):
        if not isinstance(got, list) or len(got) != len(example):
            return [f"{path}: {got!r} is no list of {len(example)}"]
        return [line for index, part in enumerate(example) for line in differences(part, got[index], f"{path}[{index}]")]
    found = difference(example, got, path.rpartition(".")[2])
    return [] if found is None else [f"{path}: {got!r} {found}"]


def difference(example: Any, got: Any, name: str) -> str | None:
    """What is wrong with a member that is neither an object nor a list."""
    if type(example) is not type(got):
        return f"is no {type(example).__name__}"
    if isinstance(example, str) and INSTANT.fullmatch(example) and not INSTANT.fullmatch(got):
        return "is no instant"
    return f"instead of {example!r}" if name in WORDS and example != got else None


@pytest.fixture
async def charged(world: World) -> Vehicle:
    """A car whose session is over: its voltage was told afterwards, its power was not."""
    car = await world.car(ID)
    await world.report(car, "charge-wattage", {"value": 7200}, T0 - 2000)
    await world.report(car, "charge-ischarging", {"value": False}, T0 - 1000)
    await world.report(car, "charge-voltage", {"value": 231})
    return car


Got = Callable[[str], Awaitable[Any]]


@pytest.fixture
def got(world: World, app: Client, charged: Vehicle) -> Got:
    async def get(path: str) -> Any:
        return (await world.client.get(f"/v3{path}", headers=app.headers)).json()

    return get


async def test_one_signal(got: Got) -> None:
    example = {"data": VOLTAGE, "included": {"vehicle": VEHICLE}}
    assert differences(example, await got(f"/vehicles/{ID}/signals/charge-voltage")) == []


async def test_a_signal_whose_session_is_over(got: Got) -> None:
    example = {"data": NOT_CHARGING, "included": {"vehicle": VEHICLE}}
    found = await got(f"/vehicles/{ID}/signals/charge-wattage")
    found["data"]["attributes"]["status"]["error"]["title"] = "Not Charging"
    assert differences(example, found) == []


async def test_all_signals(got: Got) -> None:
    found = await got(f"/vehicles/{ID}/signals")
    charging = found["data"].pop(0)
    assert charging["id"] == "charge-ischarging"
    example = {
        "data": [VOLTAGE, NOT_CHARGING],
        "meta": {"totalCount": 3, "pageSize": 3, "pageNumber": 1},
        "links": {"self": f"{HOST}/v3/vehicles/{ID}/signals"},
        "included": {"vehicle": VEHICLE},
    }
    assert differences(example, found) == []
    assert found["meta"]["pageSize"] == found["meta"]["totalCount"]


async def test_a_vehicle(got: Got) -> None:
    assert differences({"data": VEHICLE}, await got(f"/vehicles/{ID}")) == []


async def test_connections(world: World, app: Client, charged: Vehicle, got: Got) -> None:
    connection = await world.connect(app, charged, "9c1e0000-0000-4000-8000-000000000000")
    granted = [*CONNECTION["attributes"]["permissions"]]  # type: ignore[index, call-overload]
    found = await got("/connections")
    assert set(granted) < set(found["data"][0]["attributes"]["permissions"])
    found["data"][0]["attributes"]["permissions"] = granted
    example = {
        "data": [CONNECTION],
        "meta": {"pageNumber": 1, "pageSize": 10, "totalCount": 1, "orderBy": "createdAt", "orderDirection": "DESC"},
        "links": {"self": PAGE, "first": PAGE, "last": PAGE, "next": None, "prev": None},
    }
    assert differences(example, found) == []
    one = await got(f"/connections/{connection.id}")
    one["data"]["attributes"]["permissions"] = granted
    assert differences({"data": CONNECTION}, one) == []


async def test_an_error(got: Got) -> None:
    assert differences(ERROR, await got("/vehicles/00000000-0000-4000-8000-000000000000")) == []


async def test_every_signal_is_wrapped_alike(world: World, got: Got) -> None:
    car = await world.car("all")
    await world.report_all(car)
    for signal in CATALOGUE:
        about = {"code": signal.code, "name": signal.name, "group": signal.group, "status": {"value": "SUCCESS"}}
        data = VOLTAGE | {"attributes": about | {"body": signal.example}}
        found = await got(f"/vehicles/all/signals/{signal.code}")
        assert found["data"]["attributes"].pop("body") == signal.example
        del data["attributes"]["body"]  # type: ignore[attr-defined]
        assert differences(data, found["data"]) == []


def test_the_comparison_sees_what_is_missing_strange_or_of_another_type() -> None:
    assert differences({"a": 1, "b": "x"}, {"a": "1", "c": 2}) == [
        "$.c: not in the contract", "$.b: missing", "$.a: '1' is no int",
    ]  # fmt: skip
    assert differences({"a": True}, {"a": 1}) == ["$.a: 1 is no bool"]
    assert differences(["2026-05-01T10:00:03.250Z"], ["2026-05-01T10:00:03Z"]) == ["$[0]: '2026-05-01T10:00:03Z' is no instant"]
    assert differences({"mode": "live"}, {"mode": "LIVE"}) == ["$.mode: 'LIVE' instead of 'live'"]
