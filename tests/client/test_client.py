"""`chargeport.client` against a server in this process, and against one that fails on purpose."""

import asyncio
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from chargeport.client import Client, ServerError, Spool
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.reading import Reading
from serving import served
from world import T0, World
from world import Client as Reader

CODE = "charge-voltage"


class Script:
    """A server that gives these answers in turn, and remembers what was asked."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers, self.asked, self.waits = list(answers), list[httpx.Request](), list[float]()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.asked.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def client(self, **more: Any) -> Client:
        more = more or {"token": "cpt_1"}
        return Client("http://cars.test", transport=httpx.MockTransport(self), sleep=self.waits.append, **more)


def ok(document: Any) -> httpx.Response:
    return httpx.Response(200, json=document)


def accepted(count: int) -> httpx.Response:
    return ok({"accepted": count, "superseded": 0, "unchanged": 0, "rejected": []})


def items(count: int) -> list[dict[str, Any]]:
    return [{"vehicle": "v", "signal": CODE, "body": {"value": 200 + each}} for each in range(count)]


async def with_client(world: World, act: Callable[[Client], Any]) -> Any:
    """What an act gives that asks a real server, in a thread of its own."""
    app = await world.application()
    async with served(world.served) as server:
        client = Client(f"http://127.0.0.1:{server.port}", client_id=app.id, client_secret=app.secret, sleep=lambda _: None)
        try:
            return await asyncio.to_thread(act, client)
        finally:
            client.close()


async def test_vehicles_signals_and_history_come_as_types(world: World) -> None:
    car = await world.car(model="Typed")
    for minute, volts in enumerate((229, 230, 231)):
        await world.report(car, CODE, {"value": volts}, T0 - 600_000 + minute * 60_000)

    def act(client: Client) -> Any:
        return (
            list(client.vehicles()), client.signal(car.id, CODE), client.signals(car.id), list(client.history(car.id, CODE)),
            list(client.buckets(car.id, CODE, "PT1H")),
        )  # fmt: skip

    vehicles, signal, signals, history, buckets = await with_client(world, act)
    assert [(one.id, one.model) for one in vehicles] == [(car.id, "Typed")]
    assert signal.value == 231
    assert signal.source == "box"
    assert signals[CODE] == signal
    assert [point.body["value"] for point in history] == [229, 230, 231]
    assert history[0].at == datetime.fromtimestamp((T0 - 600_000) / 1000, UTC)
    assert (buckets[0].min, buckets[-1].max) == (229, 231)


async def test_the_signals_of_all_vehicles_come_with_the_vehicle_page_after_page(world: World) -> None:
    cars = sorted([(await world.car()).id for _ in range(502)])
    for car in (cars[0], cars[-1]):
        await world.store.readings.write([Reading(car, BY_CODE[CODE], 231, T0, T0, "box")])
        await world.store.readings.write([Reading(car, BY_CODE["charge-amperage"], 16, T0, T0, "box")])
    all_of_them, some = await with_client(
        world, lambda client: (list(client.fleet_signals()), list(client.fleet_signals([CODE])))
    )
    assert [(car, one.code) for car, one in some] == [(cars[0], CODE), (cars[-1], CODE)]
    assert len(all_of_them) == 4


async def test_the_sessions_of_more_vehicles_than_a_list_by_time_takes_come_by_vehicle(world: World, app: Reader) -> None:
    cars = sorted([(await world.car()).id for _ in range(502)])
    for car in (cars[-1], cars[0]):
        added = {"type": "add", "startedAt": "2026-04-30T10:00:00Z", "endedAt": "2026-04-30T11:00:00Z", "energyAddedKwh": 7}
        await world.client.post(f"/vehicles/{car}/records/edits", json=added, headers=app.headers)
    found, of_one = await with_client(
        world, lambda client: (list(client.records(by_vehicle=True)), list(client.records(cars[0], by_vehicle=True)))
    )
    assert [(one.vehicle_id, one.energy_added_kwh) for one in found] == [(cars[0], 7), (cars[-1], 7)]
    assert [one.vehicle_id for one in of_one] == [cars[0]]


async def test_a_value_that_does_not_hold_is_no_value_and_says_why(world: World) -> None:
    car = await world.car()
    await world.report(car, CODE, {"value": 231}, T0 - 86_400_000)
    signal = await with_client(world, lambda client: client.signal(car.id, CODE))
    assert signal.value is None
    assert "does not report" in signal.why
    assert signal.body == {"value": 231, "unit": "volts"}


async def test_what_the_server_refuses_is_an_error_with_its_sentence(world: World) -> None:
    def act(client: Client) -> Any:
        with pytest.raises(ServerError, match="No vehicle with this id") as found:
            client.signals("nobody")
        return found.value.status

    assert await with_client(world, act) == 404


async def test_sent_readings_are_stored_and_sending_again_is_harmless(world: World) -> None:
    car = await world.car()
    sent = [
        {"vehicle": car.id, "signal": CODE, "body": {"value": 231}, "observedAt": T0},
        {"vehicle": car.id, "signal": "nothing"},
    ]
    first, again = await with_client(world, lambda client: (client.send(sent), client.send(sent)))
    assert (first["accepted"], again["unchanged"]) == (1, 1)
    assert first["rejected"][0]["index"] == 1


def test_a_stream_resumes_behind_the_last_event_that_was_read() -> None:
    def event(number: int) -> str:
        signal = {"attributes": {"code": CODE, "status": {"value": "SUCCESS"}, "body": {"value": number}}, "meta": {}}
        return f"id: p{number}\nevent: signal\ndata: {json.dumps({'vehicle': 'v', 'signal': signal})}\n\n"

    script = Script(
        httpx.Response(200, text="retry: 3000\nid: p0\n\n" + event(1) + event(2)), httpx.ConnectError("gone"),
        httpx.Response(503, json={}), httpx.Response(200, text=event(3)),
    )  # fmt: skip
    stream: Iterator[Any] = script.client().stream(["v"], [CODE])
    assert [next(stream).signal.value for _ in range(3)] == [1, 2, 3]
    assert [asked.headers.get("last-event-id") for asked in script.asked] == [None, "p2", "p2", "p2"]
    assert script.waits == [0.0, 1.0, 3.0]


ODD = "CCS\u2028\u2029\x85\x1c one line"


def test_a_text_with_what_ends_a_line_elsewhere_ends_no_line_of_a_stream() -> None:
    signal = {"attributes": {"code": CODE, "status": {"value": "SUCCESS"}, "body": {"value": ODD}}, "meta": {}}
    data = json.dumps({"vehicle": "v", "signal": signal}, ensure_ascii=False)
    text = f"id: p1\nevent: signal\ndata: {data}\n\n".encode()
    cut = (text[start : start + 7] for start in range(0, len(text), 7))
    stream: Iterator[Any] = Script(httpx.Response(200, content=cut)).client().stream()
    assert next(stream).signal.value == ODD


def test_a_text_with_other_line_endings_blocks_no_spool(tmp_path: Path) -> None:
    script = Script(
        ok({"accepted": 2, "superseded": 0, "unchanged": 0, "rejected": [{"index": 1, "code": "x", "detail": ODD}]})
    )
    spool = Spool(script.client(), tmp_path)
    item = items(1)[0] | {"body": {"value": ODD}}
    spool.add([item])
    (batch,) = tmp_path.glob("0*.ndjson")
    batch.write_text(batch.read_text() + json.dumps(item, ensure_ascii=False) + "\n")  # as versions before wrote it
    assert spool.waiting == 2
    assert spool.send() == 2
    assert [json.loads(line) for line in script.asked[0].content.split(b"\n")] == [item, item]
    assert [json.loads(line)["item"] for line in (tmp_path / "rejected.ndjson").read_text().split("\n")[:-1]] == [item]


def test_a_token_is_got_once_and_again_when_it_has_ended() -> None:
    token = {"access_token": "cpt_2", "expires_in": 3600}
    script = Script(ok(token), ok({"data": []}), httpx.Response(401, json={}), ok(token), ok({"data": []}))
    client = script.client(client_id="a", client_secret="b")
    assert list(client.vehicles()) == []
    assert list(client.vehicles()) == []
    assert [asked.url.path for asked in script.asked] == [
        "/oauth2/token",
        "/v3/vehicles",
        "/v3/vehicles",
        "/oauth2/token",
        "/v3/vehicles",
    ]


def test_it_waits_as_long_as_retry_after_says() -> None:
    script = Script(httpx.Response(429, headers={"retry-after": "7"}, json={}), httpx.ReadError("cut"), ok({"data": []}))
    assert list(script.client().vehicles()) == []
    assert script.waits == [7.0, 2.0]


def test_without_credentials_it_says_what_to_give() -> None:
    with pytest.raises(ValueError, match="app create"):
        Client("http://cars.test")


def test_a_spool_sends_in_batches_and_forgets_what_is_stored(tmp_path: Path) -> None:
    script = Script(accepted(2), accepted(2), accepted(1))
    spool = Spool(script.client(), tmp_path, batch=2)
    spool.add(items(5))
    assert spool.waiting == 5
    assert spool.send() == 5
    assert [len(asked.content.splitlines()) for asked in script.asked] == [2, 2, 1]
    assert spool.waiting == 0


def test_a_spool_keeps_what_could_not_be_sent_over_a_restart(tmp_path: Path) -> None:
    gone = [httpx.ConnectError("gone")] * 6
    first = Spool(Script(accepted(2), *gone).client(), tmp_path, batch=2)
    first.add(items(4))
    assert first.try_to_send() == 2
    script = Script(accepted(2), accepted(1))
    second = Spool(script.client(), tmp_path, batch=2)
    second.add([{"vehicle": "v", "signal": CODE, "body": {"value": 99}}])
    assert second.send() == 3
    values = [json.loads(line)["body"]["value"] for asked in script.asked for line in asked.content.splitlines()]
    assert values == [202, 203, 99], "in the order in which they were added, none twice, none lost"


def test_a_bad_item_blocks_no_other_and_is_put_aside_with_its_reason(tmp_path: Path) -> None:
    answer = {"accepted": 1, "rejected": [{"index": 1, "code": "OUT_OF_BOUNDS", "detail": "too much"}]}
    spool = Spool(Script(ok(answer)).client(), tmp_path)
    spool.add(items(2))
    assert spool.send() == 2
    (aside,) = map(json.loads, (tmp_path / "rejected.ndjson").read_text("utf-8").splitlines())
    assert aside == {"item": items(2)[1], "code": "OUT_OF_BOUNDS", "detail": "too much"}


def test_a_batch_that_was_not_written_to_its_end_is_none(tmp_path: Path) -> None:
    (tmp_path / "000000000001.partial").write_text('{"vehi')
    script = Script()
    assert Spool(script.client(), tmp_path).send() == 0
