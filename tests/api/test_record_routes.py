"""Charging sessions over the API: totals, files, and what people change about them."""

from typing import Any

import pytest

from answers import detail
from chargeport.signals.definition import READS, Permission
from chargeport.store.records import Vehicle
from world import T0, Client, World

HOUR_MS = 3_600_000


def added(start_ms: int, kwh: float | None, **more: Any) -> dict[str, Any]:
    from chargeport.wire.envelope import iso

    return {"type": "add", "startedAt": iso(start_ms), "endedAt": iso(start_ms + HOUR_MS), "energyAddedKwh": kwh, **more}


async def change(world: World, app: Client, car: Vehicle, body: dict[str, Any]) -> Any:
    response = await world.client.post(f"/vehicles/{car.id}/records/edits", json=body, headers=app.headers)
    assert response.status_code == 201, response.text
    return response.json()["data"]["number"]


async def listed(world: World, app: Client, **query: Any) -> Any:
    response = await world.client.get("/records", params=query, headers=app.headers)
    assert response.status_code == 200, response.text
    return response.json()


@pytest.fixture
async def three(world: World, app: Client, car: Vehicle) -> list[dict[str, Any]]:
    """A vehicle with three sessions in two months, newest first."""
    april = T0 - 40 * 24 * HOUR_MS
    await change(world, app, car, added(april, 10, place="Home", cost={"amount": 3.2, "currency": "EUR"}))
    await change(world, app, car, added(T0 - 48 * HOUR_MS, 20, energyDrawnKwh=22, place="Work"))
    await change(world, app, car, added(T0 - 24 * HOUR_MS, None, chargingType="DC"))
    found: list[dict[str, Any]] = (await listed(world, app))["data"]
    return found


async def test_sessions_come_newest_first_with_sums_that_say_what_they_leave_out(
    world: World, app: Client, car: Vehicle, three: list[dict[str, Any]]
) -> None:
    assert [row["energy_added_kwh"] for row in three] == [None, 20, 10]
    totals = (await listed(world, app, zone="Europe/Berlin"))["meta"]["totals"]
    assert totals["all"]["energy_added_kwh"] == 30
    assert totals["all"]["losses_kwh"] == 2
    assert totals["all"]["without_energy"] == 1
    assert totals["all"]["cost"] == [{"currency": "EUR", "amount": 3.2}]
    assert {each["key"]: each["sessions"] for each in totals["byMonth"]} == {"2026-04": 2, "2026-03": 1}
    assert {each["key"] for each in totals["byPlace"]} == {"Home", "Work", None}
    assert [each["key"] for each in totals["byVehicle"]] == [car.id]


async def test_filters_leave_the_sessions_that_fit(world: World, app: Client, three: list[dict[str, Any]]) -> None:
    for query, count in (
        ({"filter[place]": "Home"}, 1), ({"filter[type]": "DC"}, 1), ({"filter[from]": "2026-04-01"}, 2),
        ({"filter[to]": "2026-04-01"}, 1),
    ):  # fmt: skip
        assert (await listed(world, app, **query))["meta"]["totalCount"] == count, query


async def test_a_change_is_stored_beside_the_original_and_can_be_undone(
    world: World, app: Client, car: Vehicle, three: list[dict[str, Any]]
) -> None:
    number = await change(world, app, car, {"type": "remove", "record": three[0]["id"]})
    assert len((await listed(world, app))["data"]) == 2
    await change(world, app, car, {"type": "undo", "number": number})
    assert len((await listed(world, app))["data"]) == 3
    await change(world, app, car, {"type": "annotate", "record": three[1]["id"], "note": "with Ada", "isPublic": True})
    await change(
        world, app, car, {"type": "split", "record": three[2]["id"], "at": three[2]["started_at"].replace(":59:58", ":59:59")}
    )
    await change(world, app, car, {"type": "merge", "records": [three[0]["id"], three[1]["id"]]})
    found = (await listed(world, app))["data"]
    assert len(found) == 3
    assert found[0]["note"] == "with Ada"
    edits = (await world.client.get(f"/vehicles/{car.id}/records/edits", headers=app.headers)).json()["data"]
    assert [each["edit"]["type"] for each in edits] == ["Add"] * 3 + ["Remove", "Undo", "Annotate", "Split", "Merge"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"type": "fly"}, "no change of a session"),
        ({"type": "remove", "record": "none"}, "No record has the id"),
        ({"type": "merge", "records": ["one"]}, "at least two"),
        ({"type": "undo", "number": 99}, "No edit"),
        ({"type": "split", "record": "none", "at": "2026-05-01T10:00:00"}, "No record"),
        ({"type": "add", "startedAt": "2030-01-01T00:00:00Z", "endedAt": "2030-01-01T01:00:00Z"}, "future"),
        ({"type": "add", "startedAt": "9999-12-31T23:59:59-10:00", "endedAt": "2026-05-01T01:00:00Z"}, "between 1970 and 9999"),
        ({"type": "add", "startedAt": "2026-05-01T01:00:00Z", "endedAt": "0001-01-01T00:00:00+10:00"}, "between 1970 and 9999"),
        ({"type": "add", "startedAt": "1969-12-31T23:59:59Z", "endedAt": "2026-05-01T01:00:00Z"}, "between 1970 and 9999"),
        ({"type": "annotate", "record": "one", "energyAddedKwh": -1}, ">= 0"),
        ({"type": "annotate", "record": "one", "energyAddedKwh": 1e308}, "<= 2000"),
        ({"type": "annotate", "record": "one", "note": "x" * 257}, "<= 256"),
        ({"type": "annotate", "record": "one", "cost": {"amount": 1e300, "currency": "EUR"}}, "<= 1000000"),
        ({"type": "annotate", "record": "one", "cost": {"amount": 1, "currency": "euro"}}, "matching regex"),
    ],
)
async def test_a_change_that_does_not_fit_is_refused_with_the_way_out(
    world: World, app: Client, car: Vehicle, body: dict[str, Any], words: str
) -> None:
    response = await world.client.post(f"/vehicles/{car.id}/records/edits", json=body, headers=app.headers)
    assert words in detail(response, 400)


async def test_files_hold_what_the_list_shows(world: World, app: Client, three: list[dict[str, Any]]) -> None:
    answer = await world.client.get("/records?format=csv", headers=app.headers)
    assert answer.headers["content-disposition"] == 'attachment; filename="charging-sessions.csv"'
    lines = answer.text.splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("id,started_at,ended_at")
    parquet = pytest.importorskip("pyarrow.parquet")
    import io

    table = parquet.read_table(io.BytesIO((await world.client.get("/records?format=parquet", headers=app.headers)).content))
    assert table.column("id").to_pylist() == [row["id"] for row in three]


async def test_who_may_only_read_changes_nothing(world: World, car: Vehicle) -> None:
    reader = await world.application(READS)
    response = await world.client.post(f"/vehicles/{car.id}/records/edits", json={}, headers=reader.headers)
    assert "manage" in detail(response, 403)


async def test_changes_are_shown_only_where_the_connection_shows_sessions(world: World, app: Client, car: Vehicle) -> None:
    await change(world, app, car, added(T0 - 24 * HOUR_MS, 10))
    reader = await world.application(READS, connected_only=True)
    for permissions, status in ((READS, 200), (READS - {Permission.READ_CHARGE_RECORDS}, 403)):
        await world.connect(reader, car, "ann", permissions)
        response = await world.client.get(f"/vehicles/{car.id}/records/edits", headers=reader.headers)
        assert response.status_code == status


async def test_sessions_are_hidden_as_soon_as_a_connection_shows_them_no_more(world: World, app: Client, car: Vehicle) -> None:
    await change(world, app, car, added(T0 - 24 * HOUR_MS, 10))
    reader = await world.application(READS, connected_only=True)
    for permissions, count in ((READS, 1), (READS - {Permission.READ_CHARGE_RECORDS}, 0), (READS, 1)):
        await world.connect(reader, car, "ann", permissions)
        assert len((await listed(world, reader))["data"]) == count


@pytest.mark.parametrize("name", ["filter[from]", "filter[to]"])
@pytest.mark.parametrize("instant", ["253402300800000", "999999999999999", "9999-12-31T23:59:59-00:01"])
async def test_an_instant_beyond_the_calendar_is_refused(world: World, app: Client, name: str, instant: str) -> None:
    answer = await world.client.get("/records", params={name: instant}, headers=app.headers)
    assert detail(answer, 400).startswith(f"{name}: '{instant}' is no instant from 1970 to 9999")


async def test_the_last_instant_of_the_calendar_is_taken(world: World, app: Client) -> None:
    for instant in ("253402300799999", "9999-12-31T23:59:59Z"):
        assert (await world.client.get("/records", params={"filter[to]": instant}, headers=app.headers)).status_code == 200


async def test_a_zone_that_does_not_exist_is_refused(world: World, app: Client) -> None:
    for zone in ("Mars/Olympus", "", "../etc", "Europe", "\x13Ø"):
        response = await world.client.get("/records", params={"zone": zone}, headers=app.headers)
        assert response.status_code == 400, zone
        assert "is no time zone" in detail(response)


@pytest.mark.parametrize(("name", "value"), [("filter[type]", "null"), ("filter[from]", "soon"), ("format", "xlsx")])
async def test_a_filter_that_nothing_can_fit_is_refused_where_there_are_no_sessions_either(
    world: World, app: Client, name: str, value: str
) -> None:
    response = await world.client.get("/records", params={name: value}, headers=app.headers)
    assert response.status_code == 400
    assert name in detail(response)
