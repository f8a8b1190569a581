"""Positions as applications are told them: each can resume by its own, and none learns what others' cars do."""

import re
from base64 import urlsafe_b64decode
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answers import detail
from chargeport.api.cursors import Positions
from chargeport.api.tail import HEARTBEAT_MS
from chargeport.dashboard import page
from chargeport.settings import LimitSettings
from listening import Listener
from world import Client, World

POWER = "charge-wattage"
IDS = re.compile(rb"^id: (\S+)$", re.MULTILINE)


@pytest.fixture
async def positions(world: World) -> Positions:
    real = Positions(world.store.notes)
    await real.load()
    return real


@pytest.fixture
def sealed(world: World, positions: Positions) -> World:
    """The world with positions as users have them."""
    world.service.positions = positions
    world.app = world.service.app(page.handlers())
    return world


@given(position=st.integers(0, 2**63 - 1), client_id=st.text(max_size=50))
def test_a_position_is_opened_by_whom_it_was_sealed_for(position: int, client_id: str) -> None:
    positions = Positions(None)  # type: ignore[arg-type]  # no key to be loaded
    positions._key = b"k" * 32
    text = positions.seal(position, client_id)
    assert positions.open(text, client_id) == position
    assert positions.open(text, client_id + "x") is None
    assert positions.seal(position, client_id) != text, "whoever sees two can't tell whether they are the same"
    assert text.isascii()
    assert text.isprintable()


@given(text=st.text(max_size=40) | st.text("0123456789", min_size=1) | st.binary(min_size=24, max_size=24).map(str))
def test_what_was_never_sealed_is_not_opened(text: str) -> None:
    positions = Positions(None)  # type: ignore[arg-type]
    positions._key = b"k" * 32
    assert positions.open(text, "client") is None


async def test_the_key_is_stored_in_the_database(world: World, positions: Positions) -> None:
    again = Positions(world.store.notes)
    await again.load()
    assert again.open(positions.seal(7, "client"), "client") == 7


async def test_a_stream_resumes_by_a_sealed_position(sealed: World, app: Client) -> None:
    car = await sealed.car()
    for value in range(5):
        await sealed.report(car, POWER, {"value": value}, sealed.clock.now() + value)
    async with Listener(sealed.app, app.headers, last_id=0) as stream:
        await stream.events_of(3)
        ids = IDS.findall(stream.body)
    assert len(set(ids)) == len(ids) >= 3
    assert not any(each.isdigit() for each in ids)
    async with Listener(sealed.app, app.headers, last_id=ids[2].decode()) as stream:
        assert [event.value for event in await stream.events_of(2)] == [3, 4]


async def test_a_sign_of_life_looks_the_same_whatever_other_cars_do(sealed: World, app: Client) -> None:
    mine, other = await sealed.car(), await sealed.car()
    received = []
    for is_busy in (False, True):
        async with Listener(sealed.app, app.headers, f"vehicle={mine.id}") as stream:
            before = len(stream.body)
            if is_busy:
                await sealed.report(other, POWER, {"value": 1})
            sealed.clock.move(HEARTBEAT_MS / 1000)
            sealed.service.doorbell.ring()
            await stream.until(lambda stream=stream: bool(stream.comments))  # type: ignore[misc]
            received.append(IDS.sub(b"id: ...", stream.body[before:]))
    assert received[0] == received[1]


async def test_an_event_has_one_position_on_all_streams_of_an_application_and_each_heartbeat_another(
    sealed: World, app: Client
) -> None:
    car = await sealed.car()
    await sealed.report(car, POWER, {"value": 1})
    events, heartbeats = [], []
    for _ in range(2):
        async with Listener(sealed.app, app.headers, last_id=0) as stream:
            await stream.events_of(1)
            events += IDS.findall(stream.body)
            before = len(stream.body)
            sealed.clock.move(HEARTBEAT_MS / 1000)
            sealed.service.doorbell.ring()
            await stream.until(lambda stream=stream: bool(stream.comments))  # type: ignore[misc]
            heartbeats += IDS.findall(stream.body[before:])
    assert len(events) == 2
    assert events[0] == events[1]
    assert len({*events, *heartbeats}) == 3, "a heartbeat does not show that nothing happened since the event"


async def test_a_page_of_history_ends_at_a_sealed_position_and_keeps_its_etag(sealed: World, app: Client) -> None:
    car = await sealed.car()
    for value in range(5):
        await sealed.report(car, POWER, {"value": value}, sealed.clock.now() + value)
    client, path = sealed.client_of(sealed.app), f"/v3/vehicles/{car.id}/signals/{POWER}/values?page[size]=2"
    first = await client.get(path, headers=app.headers)
    again = await client.get(path, headers=app.headers | {"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
    following = first.json()["links"]["next"]
    second = await client.get(following, headers=app.headers)
    assert [each["body"]["value"] for each in second.json()["data"]] == [2, 3]
    packed = parse_qs(urlsplit(following).query)["page[cursor]"][0]
    reported = urlsafe_b64decode(packed + "=" * (-len(packed) % 4))
    at, _, position = reported.partition(b".")
    assert at[1:].isdigit()
    assert re.fullmatch(rb"[\w-]{16,}", position), "sealed text, in which digits stand by chance"
    assert not position.isdigit()
    other = await sealed.application()
    assert (await client.get(following, headers=other.headers)).status_code == 400


@pytest.mark.parametrize("given", ["1", "999999999", "x", "0" * 32])
async def test_numbers_of_ones_own_making_say_nothing(sealed: World, app: Client, given: str) -> None:
    refused = await sealed.client_of(sealed.app).get("/stream", headers=app.headers | {"Last-Event-ID": given})
    assert refused.status_code == 400
    assert "0 for the beginning" in refused.text


async def test_the_position_of_another_application_is_none(sealed: World, app: Client, positions: Positions) -> None:
    other = await sealed.application()
    header = {"Last-Event-ID": positions.seal(0, other.id)}
    assert (await sealed.client_of(sealed.app).get("/stream", headers=app.headers | header)).status_code == 400


async def test_an_application_has_so_many_streams(tmp_path: Path) -> None:
    world = World.open(tmp_path, limits=LimitSettings(streams_by_application=2))
    app, other = await world.application(), await world.application()
    async with Listener(world.app, app.headers), Listener(world.app, app.headers):
        refused = await world.client.get("/stream", headers=app.headers)
        assert refused.status_code == 429
        assert refused.headers["retry-after"] == "5"
        async with Listener(world.app, other.headers) as stream:
            assert stream.status == 200
    async with Listener(world.app, app.headers) as stream:
        assert stream.status == 200
    assert not world.service.tail._by_application
    await world.close()


@pytest.mark.parametrize(("connections", "most"), [(24, 12), (8, 4), (1, 1), (10_000, 2500)])
async def test_an_applications_streams_leave_half_of_the_connections_to_others(
    world: World, connections: int, most: int
) -> None:
    world.served.share(connections)
    assert world.service.tail.most_of_one == most


async def test_where_there_are_few_connections_an_application_has_fewer_streams(world: World, app: Client) -> None:
    world.served.share(4)
    async with Listener(world.app, app.headers), Listener(world.app, app.headers):
        assert "half of all" in detail(await world.client.get("/stream", headers=app.headers), 429)
