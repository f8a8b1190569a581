"""Receivers that are slow, wrong or away: every event arrives in the end, with the same eventId, and others notice nothing."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from bare_listener import listener
from chargeport.settings import WebhookSettings
from chargeport.store.records import Vehicle
from webhook_receiver import Made, Receiver, pump
from world import T0, Client, World

CHARGING = "charge-ischarging"
HOUR_S = 3600
DELAYS_S = [25, 50, 100, 600, 1800, 3600, 3600]  # half a day, as a receiver that may be away for long wants it

# What raw bytes a receiver may answer with; None: it drops the connection.
NONSENSE: dict[str, bytes | None] = {
    "drops the connection": None,
    "answers garbage": b"\x00\xff garbage\r\n\r\n",
    "answers half a head": b"HTTP/1.1 200",
    "answers 500": b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n",
    "answers 410": b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n",
    "redirects": b"HTTP/1.1 307 Elsewhere\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n",
    "answers without end": b"HTTP/1.1 503 No\r\nContent-Length: 100000\r\n\r\n" + b"x" * 5000,
}


@pytest.fixture
def webhook_settings() -> WebhookSettings:
    return WebhookSettings(allow_private_targets=True, retry_delays_s=DELAYS_S, retry_jitter=0, timeout_s=0.5)


@contextlib.asynccontextmanager
async def answering(answer: bytes | None, seen: list[bytes]) -> AsyncIterator[str]:
    """A receiver that answers every request with these bytes and keeps the connection; its url."""

    async def attend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        if answer is not None:
            writer.write(answer)
            await writer.drain()
            await reader.read()

    async with listener(attend) as port:
        yield f"http://127.0.0.1:{port}/hook"


async def toggled(world: World, car: Vehicle, at: int, *, charging: bool) -> None:
    await world.report(car, CHARGING, {"value": charging}, at)
    await pump(world)


async def moved_to(world: World, app: Client, made: dict[str, Any], uri: str) -> None:
    """Have the webhook's events sent elsewhere, without asking whether that receiver knows the key."""
    found = await world.store.webhooks.webhook(made["id"])
    assert found is not None
    fields = msgspec.structs.replace(found.fields, callback_uri=uri)
    await world.store.webhooks.put_webhook(msgspec.structs.replace(found, fields=fields))


@pytest.mark.parametrize("what", NONSENSE)
async def test_whatever_a_receiver_answers_its_events_arrive_once_it_is_well(
    what: str, world: World, app: Client, car: Vehicle, *, receiver: Receiver, webhook: Made
) -> None:
    made = await webhook(data=[CHARGING])
    seen: list[bytes] = []
    async with answering(NONSENSE[what], seen) as url:
        await moved_to(world, app, made, url)
        await toggled(world, car, T0, charging=True)
    assert seen
    log = (await world.client.get(f"/v3/webhooks/{made['id']}/deliveries", headers=app.headers)).json()["data"]
    (attempt,) = log[0]["attributes"]["attempts"]
    assert "status" in attempt or "error" in attempt
    assert len(attempt.get("response", "")) <= 1024
    await moved_to(world, app, made, receiver.url)
    world.clock.move(DELAYS_S[0])
    await pump(world)
    (event,) = receiver.events()
    assert event["eventId"] == log[0]["id"]


async def test_a_receiver_that_was_away_for_an_hour_gets_every_event_once_and_others_none_later(
    world: World, app: Client, car: Vehicle, receiver: Receiver, webhook: Made
) -> None:
    dead = await webhook(name="dead", data=[CHARGING])
    await webhook(name="alive", data=[CHARGING])
    await moved_to(world, app, dead, "http://127.0.0.1:9/hook")
    changes = 30
    for number in range(changes):
        await toggled(world, car, T0 + number * 120_000, charging=number % 2 == 0)
        alive = [each for each in receiver.events() if each["meta"]["webhookName"] == "alive"]
        assert len(alive) == number + 1, "the other one is told at once"
        world.clock.move(120)
    assert world.clock.now() == T0 + HOUR_S * 1000
    await moved_to(world, app, dead, receiver.url)
    for _ in range(8):
        world.clock.move(HOUR_S)
        await pump(world)
    events = [each for each in receiver.events() if each["meta"]["webhookName"] == "dead"]
    by_value = {each["data"]["signals"][0]["meta"]["oemUpdatedAt"] for each in events if "meta" in each["data"]["signals"][0]}
    assert {T0 + number * 120_000 for number in range(changes)} <= by_value
    assert len({each["eventId"] for each in events}) == len(events), "an event that arrived is not sent again"


async def test_a_slow_receiver_keeps_nobody_waiting(
    world: World, app: Client, car: Vehicle, receiver: Receiver, webhook: Made
) -> None:
    slow = await webhook(name="slow", data=[CHARGING])
    seen: list[bytes] = []
    await webhook(name="quick", data=[CHARGING])
    async with answering(b"", seen) as url:  # it takes the request and says nothing
        await moved_to(world, app, slow, url)
        await world.report(car, CHARGING, {"value": True})
        await world.service.webhooks.settle()
        await world.service.webhooks.watch.step()
        await world.service.webhooks.deliveries.step()
        async with asyncio.timeout(5):
            await receiver.arrived.wait()
        assert [each["meta"]["webhookName"] for each in receiver.events()] == ["quick"]
        await world.service.webhooks.deliveries.drain()
    (event,) = (await world.client.get(f"/v3/webhooks/{slow['id']}/deliveries", headers=app.headers)).json()["data"]
    assert event["attributes"]["attempts"][0]["error"] == "no answer within 0.5 s"


async def test_events_that_were_given_up_are_sent_again_by_when_they_were_made(
    world: World, app: Client, car: Vehicle, receiver: Receiver, webhook: Made
) -> None:
    made = await webhook(data=[CHARGING])
    receiver.statuses = [500] * 1000
    for number in range(3):
        await toggled(world, car, world.clock.now(), charging=number % 2 == 0)
        for _ in range(len(DELAYS_S) + 1):
            world.clock.move(HOUR_S)
            await pump(world)
    receiver.statuses.clear()
    headers = {"Authorization": f"Bearer {await world.service.access.issue_token(app.application)}"}
    path = f"/v3/webhooks/{made['id']}"
    dead = (await world.client.get(f"{path}/deliveries?filter[state]=dead", headers=headers)).json()["data"]
    made_at = sorted(each["meta"]["createdAt"] for each in dead)
    before = len(receiver.got)
    body = {"data": {"attributes": {"from": made_at[1]}}}
    again = await world.client.post(f"{path}/redeliver", json=body, headers=headers)
    assert again.json()["meta"]["totalCount"] == len(dead) - 1
    await pump(world)
    assert {each["eventId"] for each, _, _ in receiver.got[before:]} == {
        each["id"] for each in dead if each["meta"]["createdAt"] != made_at[0]
    }
    wrong = await world.client.post(f"{path}/redeliver", json={"data": {"attributes": {"to": "soon"}}}, headers=headers)
    assert wrong.status_code == 400
