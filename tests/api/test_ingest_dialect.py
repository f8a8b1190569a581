"""`POST /ingest/{dialect}`: what a system says in its own words."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from chargeport.dialects.all import ALL
from chargeport.settings import DatabaseSettings, IngestSettings, Settings
from chargeport.signals.catalogue import BY_CODE
from chargeport.store.records import Page, Vehicle
from world import READING, Client, World

RECORDINGS = Path(__file__).parents[1] / "data" / "recordings"
PUSHED = sorted(name for name, each in ALL.items() if each.read is not None and name not in ("smartcar", "ocpp"))
OWN = {
    "name": "mybox", "payload": "object", "rows": [{"field": "volts", "signal": "charge-voltage", "unit": "V"}],
}  # fmt: skip


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A world in which somebody's own dialect is known."""
    settings = Settings(
        database=DatabaseSettings(f"sqlite:///{tmp_path / 'world.db'}"), dialects=[OWN], ingest=IngestSettings(max_bytes=4096)
    )
    opened = World(tmp_path, settings)
    yield opened
    await opened.close()


async def push(
    world: World, app: Client, dialect: str, body: Any, vehicle: str | None = None, **headers: str
) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    query = {} if vehicle is None else {"vehicle": vehicle}
    return await world.client.post(f"/ingest/{dialect}", params=query, content=content, headers={**app.headers, **headers})


async def held(world: World, car: Vehicle, code: str) -> tuple[Any, str | None]:
    found = await world.store.readings.signal(car.id, BY_CODE[code])
    assert found is not None
    state = max(found.series[BY_CODE[code].key], key=lambda each: each.observed_at or 0)
    return state.value, state.source


async def test_a_payload_is_on_disk_when_it_is_answered(world: World, app: Client, car: Vehicle) -> None:
    answer = await push(world, app, "teslamate", {"charger_power": 7, "charger_voltage": 231}, car.id)
    assert (answer.status_code, answer.json()) == (200, {"accepted": 2, "superseded": 0, "unchanged": 0, "rejected": []})
    assert await held(world, car, "charge-voltage") == (231, "teslamate")
    again = await push(world, app, "teslamate", {"charger_power": 7, "charger_voltage": 231}, car.id)
    assert again.json() == {"accepted": 0, "superseded": 0, "unchanged": 2, "rejected": []}


async def test_a_dialect_of_ones_own_is_pushed_like_any_other(world: World, app: Client, car: Vehicle) -> None:
    assert (await push(world, app, "mybox", {"volts": 231}, car.id)).json()["accepted"] == 1
    assert await held(world, car, "charge-voltage") == (231, "mybox")


async def test_an_alias_names_the_car_too(world: World, app: Client) -> None:
    car = await world.car(aliases=("teslamate:1",))
    assert (await push(world, app, "teslamate", {"charger_voltage": 231}, "1")).json()["accepted"] == 1
    assert await held(world, car, "charge-voltage") == (231, "teslamate")


async def test_one_bad_item_costs_no_other_and_is_reported_with_its_index(world: World, app: Client, car: Vehicle) -> None:
    items = [{"vehicle": car.id, "voltage": 231}, {"vehicle": "nobody", "voltage": 1}, {"vehicle": car.id, "voltage": "odd"}]
    answer = await push(world, app, "generic", items)
    assert answer.status_code == 200
    assert answer.json()["accepted"] == 2, "the 231 V, and that they are over"
    rejected = answer.json()["rejected"]
    assert [(each["index"], each["path"]) for each in rejected] == [(1, "vehicle"), (2, "charge-voltage")]
    assert rejected[0]["code"] == "UNKNOWN_VEHICLE"
    found, total = await world.store.issues.issues(Page())
    assert total == 2, [each.issue.detail for each in found]


async def test_nothing_understood_is_422_with_the_first_reason(world: World, app: Client, car: Vehicle) -> None:
    answer = await push(world, app, "ovms", b"{", car.id)
    assert answer.status_code == 422
    assert answer.json()["code"] == "NOTHING_ACCEPTED"
    assert "JSON" in answer.json()["description"]
    assert answer.json()["accepted"] == 0
    assert len(answer.json()["rejected"]) == 1


async def test_a_payload_that_says_nothing_of_ours_is_fine(world: World, app: Client, car: Vehicle) -> None:
    answer = await push(world, app, "teslamate", {"odometer": 12}, car.id)
    assert (answer.status_code, answer.json()["accepted"]) == (200, 0)


async def test_gzip_is_unpacked(world: World, app: Client, car: Vehicle) -> None:
    import gzip

    body = gzip.compress(b'{"charger_voltage": 231}')
    answer = await push(world, app, "teslamate", body, car.id, **{"Content-Encoding": "gzip"})
    assert answer.json()["accepted"] == 1


@pytest.mark.parametrize(
    ("dialect", "body", "vehicle", "answered"),
    [
        ("klingon", {}, None, (404, "'klingon' is no dialect: use readings, smartcar or one of")),
        ("simulator", {}, None, (404, "'simulator' is no dialect")),
        ("ovms", b"", None, (400, "The body is empty: send a message of ovms.")),
        ("ovms", b" \n", None, (400, "The body is empty")),
        ("ovms", {}, "", (400, "vehicle: an id, a VIN or an alias of 1 to 128 characters is wanted.")),
        ("ovms", {}, "x" * 129, (400, "vehicle: an id")),
        ("ovms", b"x" * 5000, None, (413, "larger than 4096 bytes")),
    ],
)
async def test_what_can_not_be_ingested_is_an_error(
    world: World, app: Client, dialect: str, body: Any, vehicle: str | None, *, answered: tuple[int, str]
) -> None:
    answer = await push(world, app, dialect, body, vehicle)
    assert answer.status_code == answered[0]
    assert answered[1] in answer.json()["description"]


async def test_who_may_only_read_may_not_push(world: World, car: Vehicle) -> None:
    reader = await world.application(READING)
    assert (await push(world, reader, "ovms", {}, car.id)).status_code == 403
    assert (await world.client.post("/ingest/ovms", content=b"{}")).status_code == 401


async def test_an_application_for_connected_cars_pushes_to_no_other(world: World, car: Vehicle) -> None:
    app = await world.application(connected_only=True)
    refused = await push(world, app, "teslamate", {"charger_voltage": 231}, car.id)
    unknown = await push(world, app, "teslamate", {"charger_voltage": 231}, "nobody")
    assert (refused.status_code, refused.json()["rejected"][0]["code"]) == (422, "NOT_PERMITTED")
    assert unknown.json()["rejected"] == refused.json()["rejected"]
    assert (await world.store.issues.issues(Page()))[1] == 0, "what is replayed later has no application"
    await world.connect(app, car)
    assert (await push(world, app, "teslamate", {"charger_voltage": 231}, car.id)).json()["accepted"] == 1


async def test_issues_of_an_application_are_stored_apart(world: World, app: Client, car: Vehicle) -> None:
    await push(world, app, "teslamate", {"charging_mood": "good"}, car.id)
    (found,), _ = await world.store.issues.issues(Page())
    assert (found.client_id, found.issue.source, found.issue.subject) == (app.id, "teslamate", "charging_mood")


async def test_nothing_is_weighed_at_ingest(world: World, app: Client, car: Vehicle) -> None:
    await push(world, app, "evcc", {"chargePower": 7200, "charging": True, "connected": True}, car.id)
    answer = await push(world, app, "generic", {"wattage": 7000}, car.id)
    assert (answer.status_code, answer.json()) == (200, {"accepted": 1, "superseded": 0, "unchanged": 0, "rejected": []})
    found = await world.store.readings.signal(car.id, BY_CODE["charge-wattage"])
    assert found is not None
    stored = {(each.source, each.value) for each in found.series[BY_CODE["charge-wattage"].key]}
    assert stored == {("evcc", 7200), ("generic", 7000)}


@pytest.mark.parametrize("dialect", PUSHED)
async def test_what_a_user_has_in_hand_of_any_system_is_taken(world: World, car: Vehicle, dialect: str) -> None:
    """The payloads of our recordings, as somebody would post them, one a request."""
    world.clock.move(365 * 86_400)  # what they tell is not in the future
    app = await world.application()
    reported: list[dict[str, Any]] = []
    by_topic = any("{field" in each.text for each in ALL[dialect].topics)
    for file in sorted((RECORDINGS / dialect).glob("session*.jsonl")):
        for line in map(json.loads, file.read_text().splitlines()[:10]):
            if "payload" not in line:
                continue
            wrapped = {"topic": line.get("topic"), "payload": line["payload"]}
            body = wrapped if by_topic and "topic" in line else line["payload"]
            text = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            answer = await push(world, app, dialect, text, car.id)
            assert answer.status_code in (200, 422), answer.text
            reported.append(answer.json())
    assert any(each["accepted"] for each in reported), reported
