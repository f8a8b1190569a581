"""`GET /export`: the file that `chargeport export` writes, of what the caller may see, made while it is sent."""

import asyncio
import csv
import gzip
import io
import json
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import pyarrow.parquet
import pytest

from answers import detail
from chargeport.api import downloads
from chargeport.api.downloads import Downloads
from chargeport.errors import Problem
from chargeport.ingest import export_forms
from chargeport.signals.catalogue import BY_CODE, CATALOGUE
from chargeport.signals.definition import Permission
from chargeport.signals.reading import Reading
from chargeport.store.records import Selection, Vehicle
from serving import Serving, reached, served
from world import EVERYTHING, READING, T0, Client, World

SECRET_PLACE = "Grandmother's garage"


async def get(world: World, client: Client, query: str = "", **headers: str) -> httpx.Response:
    response = await world.client.get(f"/export{query}", headers=client.headers | headers)
    assert response.status_code == 200, response.text
    return response


async def lines(world: World, client: Client, query: str = "", **headers: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (await get(world, client, query, **headers)).text.splitlines()]


async def test_it_is_what_the_command_writes_over_portions_of_vehicles(world: World, app: Client) -> None:
    for _ in range(205):
        await world.report(await world.car(), "charge-voltage", {"value": 231})
    full = await world.car()
    await world.report_all(full)
    for minute in range(3):
        await world.report(full, "charge-wattage", {"value": 1000 * minute}, T0 + minute * 60_000)
    written = io.BytesIO()
    with export_forms.opened("ndjson", written) as sink:
        async for stretch in world.store.readings.sightings(Selection()):
            sink(stretch.sightings)
    response = await get(world, app)
    assert response.content == written.getvalue()
    assert response.headers["content-type"] == "application/x-ndjson"
    assert response.headers["content-disposition"] == 'attachment; filename="readings.ndjson"'


async def test_every_signal_is_in_it(world: World, app: Client) -> None:
    car = await world.car()
    await world.report_all(car)
    exported = await lines(world, app)
    assert {each["signal"] for each in exported} == {signal.code for signal in CATALOGUE}
    assert {each["vehicle"] for each in exported} == {car.id}


async def test_tables_have_the_same_rows(world: World, app: Client) -> None:
    await world.report_all(await world.car())
    items = await lines(world, app)
    table = list(csv.DictReader(io.StringIO((await get(world, app, "?format=csv")).text)))
    columns = pyarrow.parquet.read_table(io.BytesIO((await get(world, app, "?format=parquet")).content)).to_pylist()
    for rows in (table, columns):
        assert [(row["vehicle"], row["signal"]) for row in rows] == [(item["vehicle"], item["signal"]) for item in items]


async def test_time_vehicles_and_signals_narrow_it(world: World, app: Client) -> None:
    one, two, three = [await world.car() for _ in range(3)]
    for car in (one, two, three):
        for minute in range(4):
            await world.report(car, "charge-wattage", {"value": 1000 * minute}, T0 + minute * 60_000)
            await world.report(car, "charge-voltage", {"value": 230 + minute}, T0 + minute * 60_000)
    query = f"?vehicle={one.id},{two.id}&signal=charge-wattage&from={T0 + 60_000}&to={T0 + 180_000}"
    found = await lines(world, app, query)
    assert [(each["vehicle"], each["body"]["value"]) for each in found] == [
        (car, watts) for car in sorted((one.id, two.id)) for watts in (1000, 2000)
    ]


async def test_it_has_nothing_that_the_caller_may_not_see(world: World) -> None:
    mine, others = await world.car(), await world.car()
    client = await world.application(READING - {Permission.READ_BATTERY}, connected_only=True)
    without_places = EVERYTHING - {Permission.READ_CHARGE_LOCATIONS}
    await world.connect(client, mine, "owner", without_places)
    limit = {"type": "LOCATION", "limit": 80, "condition": {"name": SECRET_PLACE, "latitude": 52.5, "longitude": 13.4}}
    for car in (mine, others):
        await world.report(car, "tractionbattery-stateofcharge", {"value": 50})
        await world.report(car, "charge-chargelimits", {"activeLimit": 80, "values": [limit]})
        await world.report(car, "charge-voltage", {"value": 231})
    text = (await get(world, client)).text
    assert {(each["vehicle"], each["signal"]) for each in map(json.loads, text.splitlines())} == {
        (mine.id, "charge-chargelimits"), (mine.id, "charge-voltage"),
    }  # fmt: skip
    assert SECRET_PLACE not in text
    assert await lines(world, client, **{"sc-user-id": "nobody"}) == []
    refused = await world.client.get(f"/export?vehicle={others.id}", headers=client.headers)
    assert "connected" in detail(refused, 404)


async def test_a_client_that_takes_gzip_gets_it(world: World, app: Client) -> None:
    await world.report_all(await world.car())
    plain = await get(world, app, **{"accept-encoding": "identity"})
    async with world.client.stream("GET", "/export", headers=app.headers | {"accept-encoding": "gzip"}) as response:
        raw = b"".join([part async for part in response.aiter_raw()])
    assert response.headers["content-encoding"] == "gzip"
    assert gzip.decompress(raw) == plain.content


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("format=xml", "format is one of"),
        ("sightings=maybe", "sightings is one of"),
        ("from=soon", "from"),
        (f"from={T0}&to={T0}", "from must be before to"),
        ("signal=charge-volts", "no signal of this server"),
    ],
)
async def test_a_query_that_makes_no_sense_is_refused(world: World, app: Client, query: str, words: str) -> None:
    assert words in detail(await world.client.get(f"/export?{query}", headers=app.headers), 400)


async def much(world: World) -> Vehicle:
    """A car with more than a socket holds."""
    car = await world.car()
    wattage = BY_CODE["charge-wattage"]
    readings = [Reading(car.id, wattage, float(watts), T0 + watts, T0 + watts, "box") for watts in range(4000)]
    await world.store.readings.write(readings)
    return car


@asynccontextmanager
async def slow(serving: Serving, client: Client) -> AsyncIterator[tuple[asyncio.StreamReader, bytes]]:
    """An export of which no more is read than its first line."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.setblocking(False)
    await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", serving.port))
    reader, writer = await asyncio.open_connection(sock=connection, limit=2048)
    writer.write(f"GET /export HTTP/1.1\r\nHost: x\r\nAuthorization: {client.headers['Authorization']}\r\n\r\n".encode())
    try:
        yield reader, await reader.readline()
    finally:
        writer.close()


async def test_slow_clients_of_exports_leave_room_for_others(world: World, app: Client) -> None:
    await much(world)
    other = await world.application()
    async with served(world.served) as serving, AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(slow(serving, app)) for _ in range(downloads.MAX_OF_APPLICATION)]
        assert {status for _, status in opened} == {b"HTTP/1.1 200 OK\r\n"}
        refused = await world.client.get("/export", headers=app.headers)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "30")
        async with slow(serving, other) as (_, status):
            assert status == b"HTTP/1.1 200 OK\r\n"
        await stack.aclose()
        await reached(lambda: serving.clients == 0)
        for _ in range(1000):  # the server notices it
            await asyncio.sleep(0)
            if (again := await world.client.get("/export", headers=app.headers)).status_code == 200:
                break
        assert again.status_code == 200


async def test_a_client_that_lets_an_export_wait_for_too_long_loses_it(
    world: World, app: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    await much(world)
    monkeypatch.setattr(downloads, "AWAITED_S", 0.0)
    async with served(world.served) as serving, slow(serving, app) as (reader, status):
        assert status == b"HTTP/1.1 200 OK\r\n"
        body = await reader.read(-1)
        assert body.count(b"\n") > 10
        assert not body.endswith(b"0\r\n\r\n"), "its end is missing, so that nobody takes it for the whole"


def test_a_place_that_was_not_used_is_given_back() -> None:
    places = Downloads()
    for _ in range(downloads.MAX_OPEN):
        places.begin("client")  # an answer that nobody began to send
    held = [places.begin(f"client {number}") for number in range(downloads.MAX_OPEN)]
    with pytest.raises(Problem, match="as many as there may be"):
        places.begin("another")
    held[0].end()
    held[0].end()
    places.begin("another").end()
    assert len(held) == places._by_application.total() + 1
