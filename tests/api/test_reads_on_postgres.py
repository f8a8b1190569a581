"""Reads of signals over HTTP where the database is a server: every answer has to be waited for."""

import asyncio
from itertools import product
from typing import Any

import httpx

from answers import request_id
from chargeport.api.fast_path import Head
from chargeport.clock import ManualClock
from chargeport.dashboard import page
from chargeport.service import Service
from chargeport.settings import DatabaseSettings, Settings
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.definition import Permission
from chargeport.signals.reading import Reading
from chargeport.store.records import Vehicle
from postgres_server import PostgresServer
from serving import served
from world import T0, ask


async def test_a_signal_is_read_with_a_token_that_nobody_used_before_and_again(postgres: PostgresServer) -> None:
    service = Service.open(Settings(database=DatabaseSettings(postgres.database())), ManualClock(T0))
    await service.store.vehicles.add_vehicle(Vehicle(id="a"))
    await service.store.readings.write([Reading("a", BY_CODE["charge-voltage"], 231.0, T0, T0, "box")])
    application, _ = await service.access.register("Reader", frozenset(Permission))
    headers = {"Authorization": f"Bearer {await service.access.issue_token(application)}"}
    paths = ("/v3/vehicles/a/signals/charge-voltage", "/vehicles/a/signals", "/v3/vehicles/a/signals/charge-voltage")
    async with (
        served(service.app(page.handlers())) as serving,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{serving.port}", headers=headers, trust_env=False) as client,
    ):
        for path in paths:
            answer = await client.get(path)
            assert answer.status_code == 200, answer.text
        assert answer.json()["data"]["attributes"]["body"]["value"] == 231
    await service.close()


async def test_the_fast_path_reads_no_store_that_has_to_be_waited_for(postgres: PostgresServer) -> None:
    service = Service.open(Settings(database=DatabaseSettings(postgres.database())), ManualClock(T0))
    app = service.app(page.handlers())
    application, _ = await service.access.register("Reader", frozenset(Permission))
    authorization = f"Bearer {await service.access.issue_token(application)}".encode()
    head = Head.of({b"host": b"a", b"authorization": authorization}, app.errors.links, "http", "127.0.0.1")
    answered: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
    # As the web server does: outside of a task, where what a client of a database does to wait is an error.
    answered.get_loop().call_soon(lambda: answered.set_result(app.fast_path.answer("/vehicles/a/signals/charge-voltage", head)))
    assert await answered is None
    await service.close()


async def test_reads_that_have_to_be_waited_for_are_answered_as_the_router_does(postgres: PostgresServer) -> None:
    service = Service.open(Settings(database=DatabaseSettings(postgres.database())), ManualClock(T0))
    for car in ("a", "without"):
        await service.store.vehicles.add_vehicle(Vehicle(id=car))
    readings = {"charge-voltage": 231.0, "charge-ischarging": True, "charge-ischargingcableconnected": True}
    await service.store.readings.write([Reading("a", BY_CODE[code], value, T0, T0, "box") for code, value in readings.items()])
    tokens = []
    for connected_only in (False, True):
        application, _ = await service.access.register("Reader", frozenset(Permission), connected_only=connected_only)
        tokens.append(f"Bearer {await service.access.issue_token(application)}".encode())
    apps = [service.app(page.handlers(), fast_path=quick) for quick in (True, False)]
    cars = ("/v3/vehicles/a", "/vehicles/a", "/vehicles/without", "/vehicles/nobody", "/vehicles/%61", "/vehicles/a%00")
    ends = ("/signals", "/signals/", "/signals/charge-voltage", "/signals/charge-nothing", "/signals?source=box", "/coverage")
    for path, token in product((car + end for car in cars for end in ends), (*tokens, b"Bearer cpt_wrong", None)):
        headers = [(b"host", b"cars.test"), *([] if token is None else [(b"authorization", token)])]
        one, other = [await ask(app, path, headers) for app in apps]
        assert (one.status_code, plain(one)) == (other.status_code, plain(other)), path
        if one.status_code == 200 and (tag := one.headers.get("etag")):
            again = [await ask(app, path, [*headers, (b"if-none-match", tag.encode())]) for app in apps]
            assert [each.status_code for each in again] == [304, 304]
    await service.close()


def plain(answer: httpx.Response) -> tuple[Any, ...]:
    """Headers and body, but for the request's id."""
    return tuple(
        (name, value.replace(request_id(answer), "")) for name, value in (*answer.headers.multi_items(), ("body", answer.text))
    )
