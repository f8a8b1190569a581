"""`POST /ingest/readings`: what is taken, what is refused and why, and what can be read afterwards."""

import gzip
import json
import random
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.routing import Route

from answers import detail, typed_error
from chargeport.api.ingest import OFFLOAD_BYTES
from chargeport.clock import RELEASED_AT, SteadyClock
from chargeport.settings import IngestSettings
from chargeport.signals.catalogue import BY_CODE, CATALOGUE
from chargeport.signals.definition import Permission
from chargeport.store.records import Vehicle
from world import EVERYTHING, READING, T0, Client, World, ask, bearer, raw_headers

VIN = "WVWZZZ00000000001"
UUID = "7c1a2f4e-93b1-4a7e-8a3e-0d5f6f1b2c3d"

Item = dict[str, Any]


def item(car: Vehicle | str, value: Any = 231, code: str = "charge-voltage", at: Any = None, **more: Any) -> Item:
    name = car if isinstance(car, str) else car.id
    return {"vehicle": name, "signal": code, "body": {"value": value}} | ({} if at is None else {"observedAt": at}) | more


async def post(world: World, client: Client, payload: Any, kind: str = "application/json", **headers: str) -> httpx.Response:
    content = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    sent = client.headers | {"Content-Type": kind} | {name.replace("_", "-"): value for name, value in headers.items()}
    return await world.client.post("/ingest/readings", content=content, headers=sent)


async def taken(world: World, client: Client, payload: Any, kind: str = "application/json", **headers: str) -> dict[str, Any]:
    """The counts of an ingest of which something was taken."""
    response = await post(world, client, payload, kind, **headers)
    assert response.status_code == 200, response.text
    result: dict[str, Any] = response.json()
    assert result.keys() == {"accepted", "superseded", "unchanged", "rejected"}
    return result


async def refused(world: World, client: Client, payload: Any, kind: str = "application/json") -> list[dict[str, Any]]:
    """The rejections of an ingest of which nothing was taken."""
    response = await post(world, client, payload, kind)
    body = typed_error(response, 422, "VALIDATION/NOTHING_ACCEPTED")
    assert (body["accepted"], body["superseded"], body["unchanged"]) == (0, 0, 0)
    rejected: list[dict[str, Any]] = body["rejected"]
    return rejected


async def body_of(world: World, car: Vehicle | str, code: str = "charge-voltage") -> Any:
    client = await world.application()
    name = car if isinstance(car, str) else car.id
    response = await world.client.get(f"/v3/vehicles/{name}/signals/{code}", headers=client.headers)
    return response.json()["data"]["attributes"]["body"] if response.status_code == 200 else None


async def dump(world: World) -> list[Any]:
    """All that is stored."""
    return await world.store.readings.changes(0, 1_000_000)


def counts(accepted: int = 0, superseded: int = 0, unchanged: int = 0) -> dict[str, Any]:
    return {"accepted": accepted, "superseded": superseded, "unchanged": unchanged, "rejected": []}


async def test_a_reading_is_compared_with_no_route(
    world: World, app: Client, car: Vehicle, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[str] = []
    matches = Route.matches

    def noted(route: Route, scope: Any) -> Any:
        compared.append(route.path)
        return matches(route, scope)

    monkeypatch.setattr(Route, "matches", noted)
    assert await taken(world, app, [item(car)]) == counts(accepted=1)
    assert compared == []


# Forms


async def test_an_array_of_items_is_taken(world: World, app: Client, car: Vehicle) -> None:
    items = [item(car, 231), item(car, True, "charge-ischarging")]
    assert await taken(world, app, items) == counts(accepted=2)
    assert await body_of(world, car) == {"value": 231, "unit": "volts"}
    assert await body_of(world, car, "charge-ischarging") == {"value": True}


async def test_one_object_is_taken(world: World, app: Client, car: Vehicle) -> None:
    assert await taken(world, app, item(car)) == counts(accepted=1)


@pytest.mark.parametrize("kind", ["application/x-ndjson", "application/ndjson; charset=utf-8", "Application/JSONL"])
async def test_one_object_a_line_is_taken(world: World, app: Client, car: Vehicle, kind: str) -> None:
    lines = [json.dumps(item(car, value, at=T0 + value)) for value in range(3)]
    payload = ("\n".join(lines[:2]) + "\r\n\n  \n" + lines[2] + "\n").encode()
    assert await taken(world, app, payload, kind) == counts(accepted=3)
    assert len(await dump(world)) == 3


async def test_a_bundle_is_taken_as_its_signals(world: World, app: Client, car: Vehicle) -> None:
    signals = {"charge-ischarging": {"value": True}, "charge-wattage": {"value": 7.2, "unit": "kW"}}
    bundle = {"vehicle": car.id, "observedAt": T0 - 5, "signals": signals}
    assert await taken(world, app, bundle) == counts(accepted=2)
    assert await body_of(world, car, "charge-wattage") == {"value": 7200, "unit": "watts"}
    assert {change.observed_at for change in await dump(world)} == {T0 - 5}


@pytest.mark.parametrize("packed", ["gzip", "x-gzip", "GZIP"])
async def test_a_packed_body_is_taken(world: World, app: Client, car: Vehicle, packed: str) -> None:
    payload = gzip.compress(json.dumps([item(car)]).encode())
    assert await taken(world, app, payload, content_encoding=packed) == counts(accepted=1)


async def test_a_body_of_several_gzip_files_is_taken_as_one(world: World, app: Client, car: Vehicle) -> None:
    text = json.dumps([item(car, value, at=T0 + value) for value in range(10)]).encode()
    payload = b"".join(gzip.compress(text[start : start + 100]) for start in range(0, len(text), 100))
    assert await taken(world, app, payload, content_encoding="gzip") == counts(accepted=10)


@pytest.mark.parametrize("kind", ["", "text/plain", "application/json; charset=utf-8", "application/x-www-form-urlencoded"])
async def test_json_is_known_by_its_look(world: World, app: Client, car: Vehicle, kind: str) -> None:
    assert await taken(world, app, [item(car)], kind) == counts(accepted=1)


async def test_a_body_may_come_in_pieces(world: World, app: Client, car: Vehicle) -> None:
    pieces = [bytes([byte]) for byte in json.dumps([item(car)]).encode()]
    response = await ask(world.app, "/ingest/readings", raw_headers(app.headers), method="POST", body=pieces)
    assert response.json() == counts(accepted=1)


async def test_a_big_body_is_taken_like_a_small_one(world: World, app: Client, car: Vehicle) -> None:
    items = [item(car, value % 400, at=T0 - 10_000 + value) for value in range(4000)]
    assert len(json.dumps(items)) > OFFLOAD_BYTES
    result = await taken(world, app, items)
    assert sum(result[name] for name in ("accepted", "superseded", "unchanged")) == 4000
    assert await body_of(world, car) == {"value": 3999 % 400, "unit": "volts"}


async def test_a_client_that_leaves_in_the_middle_leaves_nothing(
    world: World, app: Client, car: Vehicle, caplog: pytest.LogCaptureFixture
) -> None:
    whole = json.dumps([item(car)]).encode()
    pieces = [whole[:20], None]
    response = await _cut_off(world, app, pieces)
    typed_error(response, 400, "VALIDATION/INVALID_INPUT_FORMAT")
    assert not caplog.records, "it is no failure of ours"
    assert await dump(world) == []


async def _cut_off(world: World, app: Client, pieces: list[bytes | None]) -> httpx.Response:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        piece = pieces.pop(0)
        return {"type": "http.disconnect"} if piece is None else {"type": "http.request", "body": piece, "more_body": True}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "scheme": "http", "path": "/ingest/readings", "query_string": b"",
        "headers": raw_headers({name.lower(): value for name, value in app.headers.items()}), "client": ("203.0.113.9", 1),
    }  # fmt: skip
    await world.app(scope, receive, send)
    return httpx.Response(sent[0]["status"], headers=sent[0]["headers"], content=sent[1]["body"])


# Units and instants


@pytest.mark.parametrize(
    ("code", "value", "unit", "shown"),
    [
        ("charge-wattage", 7.2, "kW", 7200), ("charge-wattage", 0.0072, "MW", 7200), ("charge-amperage", 16_000, "mA", 16),
        ("charge-voltage", 0.4, "kV", 400), ("charge-energyadded", 12_345, "Wh", 12.345),
        ("charge-chargerate", 30, "mph", 48.28032),
        ("charge-timetocomplete", 1.5, "hours", 90), ("tractionbattery-stateofcharge", 0.62, "fraction", 62),
        ("charge-voltage", 231, None, 231), ("charge-voltage", 231, "volts", 231),
    ],
)  # fmt: skip
async def test_any_unit_of_its_kind_becomes_the_wires(
    world: World, app: Client, car: Vehicle, *, code: str, value: float, unit: str | None, shown: float
) -> None:
    body = {"value": value} | ({} if unit is None else {"unit": unit})
    assert (await taken(world, app, {"vehicle": car.id, "signal": code, "body": body}))["accepted"] == 1
    assert await body_of(world, car, code) == {"value": shown, "unit": BY_CODE[code].unit}


@pytest.mark.parametrize(
    ("given_at", "at"),
    [
        (None, T0), (T0 - 1, T0 - 1), (float(T0), T0), ("2026-05-01T09:59:58.000Z", T0), ("2026-05-01T09:59:58Z", T0),
        ("2026-05-01T11:59:58+02:00", T0), ("2026-05-01T09:59Z", T0 - 58_000), (T0 + 300_000, T0),
        (946_684_800_000, 946_684_800_000),
    ],
)  # fmt: skip
async def test_an_instant_is_iso_or_milliseconds_and_now_where_there_is_none(
    world: World, app: Client, car: Vehicle, given_at: Any, at: int
) -> None:
    assert (await taken(world, app, item(car, at=given_at)))["accepted"] == 1
    (change,) = await dump(world)
    assert (change.observed_at, change.received_at, change.source) == (at, T0, "http")


async def test_more_than_five_minutes_ahead_is_an_error_of_that_item_alone(world: World, app: Client, car: Vehicle) -> None:
    result = await taken(world, app, [item(car, 1, at=T0 + 300_001), item(car, 2, at=T0 + 300_000)])
    assert (result["accepted"], [each["index"] for each in result["rejected"]]) == (1, [0])
    (rejection,) = result["rejected"]
    assert (rejection["code"], rejection["path"], rejection["signal"]) == ("IN_THE_FUTURE", "observedAt", "charge-voltage")


# What became of it


async def test_the_answer_counts_what_became_of_each(world: World, app: Client, car: Vehicle) -> None:
    await taken(world, app, item(car, 230, at=T0 - 1000))
    items = [
        item(car, 231, at=T0 - 500),
        item(car, 229, at=T0 - 2000),
        item(car, 230, at=T0 - 1000),
        item(car, 99_999, at=T0),
    ]
    result = await taken(world, app, items)
    assert (result["accepted"], result["superseded"], result["unchanged"]) == (1, 1, 1)
    assert [each["index"] for each in result["rejected"]] == [3]
    assert (await body_of(world, car))["value"] == 231


async def test_what_was_acknowledged_can_be_read_immediately(world: World, app: Client, car: Vehicle) -> None:
    for value in range(50):
        await taken(world, app, item(car, value, at=T0 + value))
        assert (await body_of(world, car))["value"] == value


async def test_sending_again_is_harmless(world: World, app: Client, car: Vehicle) -> None:
    bundle = {"vehicle": car.id, "observedAt": T0, "signals": {signal.code: signal.example for signal in CATALOGUE}}
    assert await taken(world, app, bundle) == counts(accepted=len(CATALOGUE))
    assert await taken(world, app, item(car, 1, at=T0 - 1)) == counts(superseded=1)
    before = await dump(world)
    for _ in range(3):
        assert await taken(world, app, [bundle, item(car, 1, at=T0 - 1)]) == counts(unchanged=len(CATALOGUE) + 1)
    assert await dump(world) == before


@given(seed=st.integers(0, 2**32), cut=st.integers(1, 30))
@settings(max_examples=8)
def test_any_order_and_any_cut_lead_to_the_same(tmp_path_factory: pytest.TempPathFactory, seed: int, cut: int) -> None:
    import asyncio

    async def run() -> None:
        world = World.open(tmp_path_factory.mktemp("order"))
        app = await world.application()
        cars = [await world.car("in-order"), await world.car("shuffled")]
        shuffle = random.Random(seed)
        readings = [(value % 5, T0 - 1000 * value) for value in range(30)]
        await taken(world, app, [item(cars[0], value, at=at) for value, at in readings])
        shuffle.shuffle(readings)
        for start in range(0, 30, cut):
            await taken(world, app, [item(cars[1], value, at=at) for value, at in readings[start : start + cut]])
        timelines = [
            sorted((each.observed_at, each.value) for each in await dump(world) if each.vehicle_id == car.id) for car in cars
        ]
        assert timelines[0] == timelines[1]
        assert await body_of(world, cars[0]) == await body_of(world, cars[1])
        await world.close()

    asyncio.run(run())


# Refusals


async def test_a_bad_item_costs_no_other_and_is_named(world: World, app: Client, car: Vehicle) -> None:
    items = [
        item(car, 230, at=T0 - 3),
        item(car, 99_999),
        item(car, "high"),
        item("nobody"),
        item(car, 5, "charge-nothing"),
        {"vehicle": car.id, "signal": "charge-voltage", "body": {"value": 1, "unit": "horses"}},
        {
            "vehicle": car.id,
            "signals": {"charge-voltage": {"value": 231}, "charge-wattage": {"value": -1}},
            "observedAt": T0 - 2,
        },
        {"vehicle": car.id, "observedAt": T0},
        7,
        item(car, 232, at=T0 - 1),
    ]
    result = await taken(world, app, items)
    assert result["accepted"] + result["superseded"] == 3
    reported = [(each["index"], each.get("signal"), each["code"], each["path"]) for each in result["rejected"]]
    assert reported == [
        (1, "charge-voltage", "OUT_OF_BOUNDS", "body.value"),
        (2, "charge-voltage", "WRONG_TYPE", "body.value"),
        (3, "charge-voltage", "UNKNOWN_VEHICLE", "vehicle"),
        (4, "charge-nothing", "UNKNOWN_SIGNAL", "signal"),
        (5, "charge-voltage", "UNKNOWN_UNIT", "body.unit"),
        (6, "charge-wattage", "OUT_OF_BOUNDS", "signals.charge-wattage.value"),
        (7, None, "MISSING", "signal"),
        (8, None, "WRONG_TYPE", "item"),
    ]  # fmt: skip
    for each in result["rejected"]:
        assert each.keys() <= {"index", "signal", "code", "detail", "path"}
        assert len(each["detail"]) > 10
    assert (await body_of(world, car))["value"] == 232


async def test_nothing_accepted_is_422_with_the_first_reason_in_the_sentence(world: World, app: Client, car: Vehicle) -> None:
    response = await post(world, app, [item(car, 99_999), item("nobody")])
    assert "body.value" in detail(response, 422, "VALIDATION/NOTHING_ACCEPTED")
    assert [each["index"] for each in response.json()["rejected"]] == [0, 1]
    assert await dump(world) == []


async def test_a_live_number_below_zero_is_refused_and_leaves_no_older_one_standing(
    world: World, app: Client, car: Vehicle
) -> None:
    await taken(world, app, item(car, 230, at=T0 - 2))
    response = await post(world, app, item(car, -4, at=T0 - 1))
    assert "body.value" in detail(response, 422, "VALIDATION/NOTHING_ACCEPTED")
    shown = await world.client.get(f"/v3/vehicles/{car.id}/signals/charge-voltage", headers=app.headers)
    assert shown.json()["data"]["attributes"]["status"]["value"] == "ERROR"


async def test_an_empty_array_is_422(world: World, app: Client) -> None:
    assert await refused(world, app, []) == []


async def test_what_only_repeats_what_is_known_is_no_refusal(world: World, app: Client, car: Vehicle) -> None:
    await taken(world, app, item(car, at=T0))
    assert await taken(world, app, item(car, at=T0)) == counts(unchanged=1)
    assert await taken(world, app, item(car, 3, at=T0 - 1)) == counts(superseded=1)


@pytest.mark.parametrize("encoding", ["br", "deflate", "zstd", "gzip, gzip", "compress", "x", "gzip;q=1"])
async def test_a_packing_that_is_not_understood_is_415(world: World, app: Client, car: Vehicle, encoding: str) -> None:
    response = await post(world, app, [item(car)], content_encoding=encoding)
    assert "gzip" in detail(response, 415, "VALIDATION/UNSUPPORTED_MEDIA_TYPE")


# Limits


@pytest.fixture
def narrow(tmp_path: Path) -> World:
    return World.open(tmp_path, ingest=IngestSettings(max_items=3, max_bytes=1024, max_future_s=10))


async def test_more_items_than_the_limit_are_413_and_none_is_taken(narrow: World) -> None:
    app, car = await narrow.application(), await narrow.car()
    small = [{"vehicle": car.id, "signal": "charge-voltage", "body": {"value": value}} for value in range(4)]
    lines = "\n".join(json.dumps(each) for each in small).encode()
    broken = [*small[:3], 7]
    for payload, kind in ((small, "application/json"), (lines, "application/x-ndjson"), (broken, "application/json")):
        statement = detail(await post(narrow, app, payload, kind), 413, "VALIDATION/PAYLOAD_TOO_LARGE")
        assert "3" in statement
        assert "4" in statement
    assert await dump(narrow) == []
    assert (await taken(narrow, app, small[:3]))["accepted"] > 0
    await narrow.close()


async def test_more_bytes_than_the_limit_are_413_packed_or_not_announced_or_not(narrow: World) -> None:
    app, car = await narrow.application(), await narrow.car()
    text = json.dumps(item(car)).encode()
    fits, too_big = text + b" " * (1024 - len(text)), text + b" " * (1025 - len(text))
    for payload in (too_big, too_big * 50):
        detail(await post(narrow, app, payload), 413, "VALIDATION/PAYLOAD_TOO_LARGE")
        packed = await post(narrow, app, gzip.compress(payload), content_encoding="gzip")
        assert "1024" in detail(packed, 413, "VALIDATION/PAYLOAD_TOO_LARGE")
        pieces = [payload[start : start + 100] for start in range(0, len(payload), 100)]
        unannounced = await ask(narrow.app, "/ingest/readings", raw_headers(app.headers), method="POST", body=pieces)
        detail(unannounced, 413, "VALIDATION/PAYLOAD_TOO_LARGE")
    assert await dump(narrow) == []
    assert (await taken(narrow, app, gzip.compress(fits), content_encoding="gzip"))["accepted"] == 1
    assert (await taken(narrow, app, fits))["unchanged"] == 1
    await narrow.close()


async def test_how_far_ahead_a_reading_may_be_is_a_setting(narrow: World) -> None:
    app, car = await narrow.application(), await narrow.car()
    result = await taken(narrow, app, [item(car, 1, at=T0 + 10_000), item(car, 2, at=T0 + 10_001)])
    assert [each["index"] for each in result["rejected"]] == [1]
    await narrow.close()


# Who may write what


async def test_writing_needs_its_permission(world: World, car: Vehicle) -> None:
    reader = await world.application(READING)
    body = typed_error(await post(world, reader, [item(car)]), 403)
    assert body["type"] == "PERMISSION"
    assert "write_readings" in body["description"]
    assert await dump(world) == []


async def test_an_item_from_the_near_future_does_not_outrank_what_is_sent_next(world: World, app: Client, car: Vehicle) -> None:
    await taken(world, app, [item(car, 1, at=T0 + 280_000)])
    world.clock.move(1)
    assert (await taken(world, app, [item(car, 2, at=T0 - 2_000)]))["accepted"] == 1


async def test_an_application_for_connected_vehicles_writes_to_no_other(world: World, car: Vehicle) -> None:
    foreign, readable = await world.car(vin="FOREIGN0000000001"), await world.car()
    writer = await world.application(connected_only=True)
    await world.connect(writer, car)
    await world.connect(writer, readable, permissions=READING)
    names = [foreign.id, "FOREIGN0000000001", "nobody", readable.id]
    result = await taken(world, writer, [item(car, at=T0 - 9), *map(item, names), item(VIN, 7)])
    assert (result["accepted"], result["superseded"]) == (2, 0)
    reported = {(each["code"], each["detail"], each["path"]) for each in result["rejected"]}
    assert [each["index"] for each in result["rejected"]] == [1, 2, 3, 4]
    assert len(reported) == 1, "it does not learn which vehicles there are"
    assert {change.vehicle_id for change in await dump(world)} == {car.id}


# Names of vehicles


async def test_a_vehicle_is_named_by_id_vin_or_alias(world: World, app: Client) -> None:
    car = await world.car(vin=VIN, aliases=("garage left", "ev/1"))
    names = [car.id, VIN, "garage left", "ev/1"]
    result = await taken(world, app, [item(name, value, at=T0 + value) for value, name in enumerate(names)])
    assert result == counts(accepted=4)
    assert {change.vehicle_id for change in await dump(world)} == {car.id}


async def test_an_unknown_vehicle_is_refused_and_not_made_known(world: World, app: Client) -> None:
    (rejection,) = await refused(world, app, item(UUID))
    assert (rejection["code"], rejection["path"]) == ("UNKNOWN_VEHICLE", "vehicle")
    assert await world.store.vehicles.vehicle(UUID) is None


@pytest.fixture
def open_door(tmp_path: Path) -> World:
    return World.open(tmp_path, ingest=IngestSettings(auto_register=True))


async def test_where_it_is_set_a_uuid_or_a_vin_makes_a_vehicle_known(open_door: World) -> None:
    app = await open_door.application()
    items = [item(UUID), item(VIN), item(UUID, True, "charge-ischarging"), item("the red one"), item("WVWZZZ0000000000I")]
    result = await taken(open_door, app, items)
    assert result["accepted"] == 3
    assert [(each["index"], each["code"]) for each in result["rejected"]] == [(3, "UNKNOWN_VEHICLE"), (4, "UNKNOWN_VEHICLE")]
    assert await body_of(open_door, UUID) == {"value": 231, "unit": "volts"}
    by_vin = await open_door.store.vehicles.find_vehicle(VIN)
    assert by_vin is not None
    assert (by_vin.vin, by_vin.make) == (VIN, None)
    assert await taken(open_door, app, items[:3]) == counts(unchanged=3)
    await open_door.close()


@pytest.mark.parametrize("name", [UUID.upper(), UUID.replace("-", ""), f"{{{UUID}}}", f"urn:uuid:{UUID}"])
async def test_a_uuid_may_be_written_in_every_form(open_door: World, name: str) -> None:
    app = await open_door.application()
    assert await taken(open_door, app, item(name)) == counts(accepted=1)
    assert await body_of(open_door, UUID) == {"value": 231, "unit": "volts"}
    assert await taken(open_door, app, item(name)) == counts(unchanged=1)
    await open_door.close()


async def test_a_writer_to_connected_vehicles_makes_none_known(open_door: World) -> None:
    writer = await open_door.application(connected_only=True)
    await refused(open_door, writer, [item(UUID), item(VIN)])
    assert await open_door.store.vehicles.vehicle(UUID) is None
    await open_door.close()


# Absences


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        ({"type": "COMPATIBILITY", "code": "VEHICLE_NOT_CAPABLE"}, ("COMPATIBILITY", "VEHICLE_NOT_CAPABLE")),
        ({"type": "PERMISSION", "code": None}, ("PERMISSION", "UNKNOWN")),
        ({"type": "VEHICLE_STATE", "code": "NOT_CHARGING"}, ("VEHICLE_STATE", "NOT_CHARGING")),
        ({"type": "VEHICLE_STATE", "code": "ASLEEP", "detail": "more than we ask for"}, ("VEHICLE_STATE", "UNREACHABLE")),
        ({"type": "UPSTREAM", "code": "INVALID_DATA"}, ("UPSTREAM", "INVALID_DATA")),
        ({"type": "SERVER"}, ("SERVER", "INTERNAL")),
    ],
)
async def test_a_status_says_why_there_is_no_value(
    world: World, app: Client, car: Vehicle, error: Item, shown: tuple[str, str]
) -> None:
    reported = {"vehicle": car.id, "signal": "charge-voltage", "status": {"value": "ERROR", "error": error}}
    assert await taken(world, app, reported) == counts(accepted=1)
    response = await world.client.get(f"/v3/vehicles/{car.id}/signals/charge-voltage", headers=app.headers)
    status = response.json()["data"]["attributes"]["status"]
    assert (status["value"], status["error"]["type"], status["error"]["code"]) == ("ERROR", *shown)


async def test_every_example_of_the_catalogue_comes_back_as_it_was_sent(world: World, app: Client, car: Vehicle) -> None:
    items = [{"vehicle": car.id, "signal": signal.code, "body": signal.example} for signal in CATALOGUE]
    assert await taken(world, app, items) == counts(accepted=len(CATALOGUE))
    for signal in CATALOGUE:
        assert await body_of(world, car, signal.code) == signal.example


async def test_permissions_to_read_do_not_matter_to_a_writer(world: World, car: Vehicle) -> None:
    writer = await world.application(frozenset({Permission.WRITE_READINGS}))
    assert {Permission.WRITE_READINGS} <= EVERYTHING
    assert await taken(world, writer, item(car)) == counts(accepted=1)


async def test_an_item_that_agrees_with_a_clock_in_doubt_is_stored_and_ends_the_doubt(
    world: World, app: Client, car: Vehicle
) -> None:
    wall, since_boot = RELEASED_AT + 86_400_000, 3_600_000
    steady = SteadyClock(lambda: wall, lambda: since_boot)
    wall += 3 * 86_400_000
    steady.now()
    world.clock.compared = steady.compared  # type: ignore[method-assign]
    world.clock.now = steady.now  # type: ignore[method-assign]
    item = {"vehicle": car.id, "signal": "charge-voltage", "body": {"value": 231}, "observedAt": wall - 1000}
    token = bearer(await world.service.access.issue_token(app.application))
    answer = await world.client.post("/ingest/readings", json=[item], headers=token)
    assert answer.json()["accepted"] == 1
    assert steady.now() == wall
