"""The charging sessions of any number of vehicles, by vehicle and begin: each once, as the vehicle's own list has it."""

import csv
import io
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from answers import detail
from chargeport.api import records, records_by_vehicle
from chargeport.api.cursors import Begun, begun, of_begun, of_vehicle
from chargeport.api.record_rows import COLUMNS
from chargeport.api.records_by_vehicle import page_of
from chargeport.signals.definition import READS, Permission
from chargeport.store.audit import Act, AuditFilter
from chargeport.store.records import Page, Vehicle
from chargeport.wire.envelope import iso
from world import HOST, T0, Client, World

HOUR_MS = 3_600_000
PATH = "/records?order=vehicle"


async def charged(world: World, app: Client, car: Vehicle, *hours_ago: int, **more: Any) -> None:
    """A person adds sessions of an hour each."""
    for hours in hours_ago:
        start = T0 - hours * HOUR_MS
        body = {"type": "add", "startedAt": iso(start), "endedAt": iso(start + HOUR_MS), "energyAddedKwh": hours / 4, **more}
        answer = await world.client.post(f"/vehicles/{car.id}/records/edits", json=body, headers=app.headers)
        assert answer.status_code == 201, answer.text


async def pages(world: World, client: Client, query: str = "", user: str | None = None) -> list[dict[str, Any]]:
    headers = client.headers | ({} if user is None else {"sc-user-id": user})
    following, found = PATH + query, list[dict[str, Any]]()
    while following is not None:
        answer = await world.client.get(following.removeprefix(HOST), headers=headers)
        assert answer.status_code == 200, answer.text
        found.append(answer.json())
        following = found[-1]["links"]["next"]
    return found


def rows(of: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for each in of for row in each["data"]]


def places(of: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(row["vehicle_id"], row["started_at"]) for row in rows(of)]


@pytest.fixture
async def cars(world: World, app: Client) -> list[Vehicle]:
    """Seven vehicles by id, the third and the last without sessions."""
    made = sorted([await world.car() for _ in range(7)], key=lambda car: car.id)
    for car, hours_ago in zip(made, ((50, 30), (9,), (), (80, 70, 60, 40), (4,), (5, 3), ()), strict=True):
        await charged(world, app, car, *hours_ago)
    return made


async def test_every_session_of_more_vehicles_than_a_list_by_time_takes_comes_once(
    world: World, app: Client, cars: list[Vehicle], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "MAX_VEHICLES", 3)
    monkeypatch.setattr(records_by_vehicle, "AT_ONCE", 2)
    refused = await world.client.get("/records", headers=app.headers)
    assert "order=vehicle" in detail(refused, 400)
    found = await pages(world, app, "&page[size]=3")
    assert [each["meta"] for each in found] == [{"count": 3, "pageSize": 3}] * 3 + [{"count": 1, "pageSize": 3}]
    own = [
        (await world.client.get("/records", params={"filter[vehicleId]": car.id}, headers=app.headers)).json()["data"][::-1]
        for car in cars
    ]
    assert rows(found) == [row for each in own for row in each]
    assert places(found) == sorted(places(found))
    assert "order=vehicle" in found[0]["links"]["next"]


async def test_a_page_never_ends_between_sessions_that_began_at_one_instant() -> None:
    async def vehicles() -> AsyncGenerator[tuple[str, list[dict[str, Any]]], None]:
        yield "a", [{"vehicle_id": "a", "started_at": iso(T0 + at), "id": str(at)} for at in (0, 5, 5, 5, 9)]
        yield "b", [{"vehicle_id": "b", "started_at": iso(T0 + 9), "id": "b"}]

    found = [await page_of(vehicles(), size) for size in (1, 2, 5, 6)]
    assert [len(each.rows) for each in found] == [1, 4, 5, 6]
    ends = [None if each.next_cursor is None else begun(each.next_cursor) for each in found]
    assert ends == [Begun("a", T0), Begun("a", T0 + 5), Begun("a", T0 + 9), None]


async def test_what_comes_or_goes_meanwhile_moves_no_other_session(world: World, app: Client, cars: list[Vehicle]) -> None:
    before = places(await pages(world, app))
    answer = await world.client.get(f"{PATH}&page[size]=4", headers=app.headers)
    first = answer.json()
    assert places([first]) == before[:4]
    await world.store.vehicles.remove_vehicle(cars[0].id)
    await charged(world, app, cars[3], 90, 10)
    rest = await pages(world, app, "&" + first["links"]["next"].partition("?")[2])
    added = (cars[3].id, iso(T0 - 10 * HOUR_MS))
    assert [each for each in places(rest) if each != added] == before[4:]
    assert added in places(rest), "what lies behind the page is shown, what lies before it is not"


async def test_a_page_ends_early_where_few_vehicles_have_sessions(
    world: World, app: Client, cars: list[Vehicle], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records_by_vehicle, "MAX_LOOKED_AT", 2)
    found = await pages(world, app, "&filter[from]=" + iso(T0 - 6 * HOUR_MS))
    assert places(found) == [(cars[4].id, iso(T0 - 4 * HOUR_MS)), *((cars[5].id, iso(T0 - h * HOUR_MS)) for h in (5, 3))]
    assert [each["meta"]["count"] for each in found][:2] == [0, 0]


async def test_filters_leave_the_sessions_that_fit(world: World, app: Client, cars: list[Vehicle]) -> None:
    await charged(world, app, cars[2], 20, place="Home", chargingType="DC")
    for query, whose in (
        ("&filter[place]=Home", [cars[2].id]), ("&filter[type]=DC", [cars[2].id]),
        (f"&filter[vehicleId]={cars[5].id},{cars[1].id}&page[size]=1", [cars[1].id, cars[5].id, cars[5].id]),
        (f"&filter[to]={iso(T0 - 65 * HOUR_MS)}", [cars[3].id, cars[3].id]),
    ):  # fmt: skip
        assert [row["vehicle_id"] for row in rows(await pages(world, app, query))] == whose, query


async def test_a_cursor_of_another_list_shows_no_vehicle_that_the_filter_does_not_name(
    world: World, app: Client, cars: list[Vehicle]
) -> None:
    answer = await world.client.get(f"{PATH}&page[size]=1", headers=app.headers)
    cursor = answer.json()["links"]["next"].rpartition("=")[2]
    found = await pages(world, app, f"&page[cursor]={cursor}&filter[vehicleId]={cars[4].id}")
    assert [row["vehicle_id"] for row in rows(found)] == [cars[4].id]


async def test_only_what_the_connections_show_is_shown(world: World, app: Client, cars: list[Vehicle]) -> None:
    for car in cars[:4]:
        await charged(world, app, car, 20, place="Home")
    reader = await world.application(READS, connected_only=True)
    await world.connect(reader, cars[0], "ann", READS)
    await world.connect(reader, cars[1], "ann", READS - {Permission.READ_CHARGE_RECORDS})
    await world.connect(reader, cars[3], "bob", READS - {Permission.READ_CHARGE_LOCATIONS})
    found = rows(await pages(world, reader))
    assert {row["vehicle_id"] for row in found} == {cars[0].id, cars[3].id}
    assert {row["vehicle_id"] for row in found if row["place"] is not None} == {cars[0].id}
    assert {row["vehicle_id"] for row in rows(await pages(world, reader, user="bob"))} == {cars[3].id}
    other = await world.client.get(f"{PATH}&filter[vehicleId]={cars[5].id}", headers=reader.headers)
    assert other.status_code == 404


async def test_files_have_every_session_and_the_same_columns_whatever_is_known(
    world: World, app: Client, cars: list[Vehicle], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "MAX_VEHICLES", 3)
    listed = rows(await pages(world, app))
    answer = await world.client.get(f"{PATH}&format=csv", headers=app.headers)
    assert answer.headers["content-disposition"] == 'attachment; filename="charging-sessions.csv"'
    lines = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(line["vehicle_id"], line["started_at"]) for line in lines] == places([{"data": listed}])
    assert tuple(lines[0]) == tuple(COLUMNS)
    parquet = pytest.importorskip("pyarrow.parquet")
    answer = await world.client.get(f"{PATH}&format=parquet", headers=app.headers)
    table = parquet.read_table(io.BytesIO(answer.content))
    assert table.column("id").to_pylist() == [row["id"] for row in listed]
    assert {name: str(kind) for name, kind in zip(table.schema.names, table.schema.types, strict=True)} == COLUMNS
    noted, _ = await world.store.audit.entries(AuditFilter(act=Act.EXPORTED), Page(1, 10))
    assert {each.detail for each in noted} == {"records as csv", "records as parquet"}


@pytest.mark.parametrize("form", ["csv", "parquet"])
async def test_a_file_without_sessions_has_its_columns_nevertheless(world: World, app: Client, form: str) -> None:
    for order in ("time", "vehicle"):
        answer = await world.client.get(f"/records?order={order}&format={form}", headers=app.headers)
        if form == "csv":
            assert answer.text == ",".join(COLUMNS) + "\r\n"
        else:
            parquet = pytest.importorskip("pyarrow.parquet")
            assert parquet.read_table(io.BytesIO(answer.content)).schema.names == list(COLUMNS)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("order=vehicle&page[number]=1", "links.next"),
        ("order=speed", "order is one of time, vehicle"),
        (f"order=vehicle&page[cursor]={of_vehicle('car')}", "no cursor of this list"),
        (f"page[cursor]={of_begun(Begun('car', T0))}", "no cursor of this list"),
        ("order=vehicle&page[size]=0", "whole number"),
        ("order=vehicle&filter[state]=full", "no filter here"),
    ],
)
async def test_a_query_that_makes_no_sense_is_refused(world: World, app: Client, query: str, words: str) -> None:
    assert words in detail(await world.client.get(f"/records?{query}", headers=app.headers), 400)
