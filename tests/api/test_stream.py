"""The live stream: everything that may be seen, once, in the order in which it was stored, for as long as it may be seen."""

import asyncio
import itertools
import json
import uuid
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from answers import typed_error
from chargeport.api import stream as stream_module
from chargeport.api import tail as tail_module
from chargeport.errors import StoreError
from chargeport.signals import bodies
from chargeport.signals.catalogue import BY_CODE, CATALOGUE
from chargeport.signals.definition import Permission
from chargeport.signals.reading import AbsenceReason, Entry, Reading
from chargeport.store.records import Vehicle
from chargeport.store.sqlite import SqliteStore
from listening import Event, Listener
from world import READING, T0, Client, World, ask, raw_headers

POWER, CHARGING, LIMITS = "charge-wattage", "charge-ischarging", "charge-chargelimits"
PLACES = Permission.READ_CHARGE_LOCATIONS


def power(car: Vehicle, value: int, at: int | None = None) -> Reading:
    """A value of its own at an instant of its own."""
    when = T0 + value * 1000 if at is None else at
    return Reading(car.id, BY_CODE[POWER], bodies.parse(BY_CODE[POWER], {"value": value}), when, when + 250, "box")


def values(events: Sequence[Event]) -> list[Any]:
    return [event.value for event in events]


async def refusal(world: World, headers: dict[str, str], query: str, status: int, kind: str) -> str:
    """What is wrong with a request, said as any other error before a stream begins."""
    response = await ask(world.app, "/stream", raw_headers(headers), query=query.encode())
    return str(typed_error(response, status, kind)["description"])


async def test_who_follows_the_list_of_vehicles_need_not_know_which_are_gone(world: World, app: Client, car: Vehicle) -> None:
    other = await world.car(vin="WVWZZZ00000000002")
    connected = await world.application(connected_only=True)
    await world.connect(connected, car)
    await world.store.vehicles.remove_vehicle((gone := await world.car(vin="WVWZZZ00000000003")).id)
    named = f"vehicle={car.id},{gone.id},{other.id}&vehicles=true"
    async with Listener(world.app, connected.headers, named) as stream:
        assert stream.status == 200
        await world.report(other, POWER, {"value": 1})  # which it may not see
        await world.report(car, POWER, {"value": 2})
        found = [event for event in await stream.events_of(2) if event.kind == "signal"]
    assert values(found) == [2]


# What is told


async def test_from_the_beginning_everything_comes_once_and_in_order(world: World, app: Client, car: Vehicle) -> None:
    await world.store.readings.write([power(car, value) for value in range(900)])
    async with Listener(world.app, app.headers, last_id=0) as stream:
        events = await stream.events_of(900)
        await world.store.readings.write([power(car, 1000)])
        events = await stream.events_of(901)
    assert values(events) == [*range(900), 1000]
    ids = [event.id for event in events]
    assert ids == sorted(set(ids))
    assert {event.kind for event in events} == {"signal"}
    assert [each.position for each in await world.store.readings.changes(0, 2000)] == ids


async def test_without_a_position_it_begins_now_and_says_where_that_is(world: World, app: Client, car: Vehicle) -> None:
    await world.store.readings.write([power(car, 1)])
    async with Listener(world.app, app.headers) as stream:
        assert (stream.status, stream.retry) == (200, 3000)
        assert stream.last_id == await world.store.readings.position()
        await world.store.readings.write([power(car, 2)])
        assert values(await stream.events_of(1)) == [2]


async def test_a_stream_that_was_cut_before_its_first_event_still_loses_nothing(
    world: World, app: Client, car: Vehicle
) -> None:
    async with Listener(world.app, app.headers) as cut:
        pass
    await world.store.readings.write([power(car, 1)])
    async with Listener(world.app, app.headers, last_id=cut.last_id) as stream:
        assert values(await stream.events_of(1)) == [1]


async def test_an_event_has_a_signal_as_a_read_has_it(world: World, app: Client, car: Vehicle) -> None:
    async with Listener(world.app, app.headers) as stream:
        await world.report_all(car)
        events = await stream.events_of(len(CATALOGUE))
    for event in events:
        code = event.data["signal"]["id"]
        read = await world.client.get(f"http://cars.test/v3/vehicles/{car.id}/signals/{code}", headers=app.headers)
        assert event.data == {"vehicle": car.id, "signal": read.json()["data"]}
    assert {event.data["signal"]["id"] for event in events} == set(BY_CODE)
    data = next(line for line in stream.body.decode().splitlines() if line.startswith("data: ")).removeprefix("data: ")
    assert data == json.dumps(json.loads(data), separators=(",", ":"), ensure_ascii=False), "compact"


async def test_an_old_value_is_sent_as_it_was_reported_however_long_ago(world: World, app: Client, car: Vehicle) -> None:
    await world.report(car, POWER, {"value": 7200})
    await world.report(car, CHARGING, {"value": False}, T0 + 1)
    world.clock.move(3000)
    async with Listener(world.app, app.headers, last_id=0) as stream:
        event = (await stream.events_of(1))[0]
    assert event.data["signal"]["attributes"]["status"] == {"value": "SUCCESS"}
    assert event.value == 7200


@pytest.mark.parametrize("reason", AbsenceReason)
async def test_an_absence_is_sent_with_its_reason(world: World, app: Client, car: Vehicle, reason: AbsenceReason) -> None:
    async with Listener(world.app, app.headers) as stream:
        await world.report(car, POWER, {"value": 7200})
        await world.absent(car, POWER, reason, T0 + 1000)
        signal = (await stream.events_of(2))[1].data["signal"]
    read = await world.client.get(f"/v3/vehicles/{car.id}/signals/{POWER}", headers=app.headers)
    assert signal["attributes"]["status"] == read.json()["data"]["attributes"]["status"]
    assert "body" not in signal["attributes"]
    assert signal["meta"]["source"] == "box"


async def test_a_late_reading_is_a_change_of_its_own_with_a_new_position(world: World, app: Client, car: Vehicle) -> None:
    async with Listener(world.app, app.headers) as stream:
        await world.store.readings.write([power(car, 5), power(car, 9)])
        await world.store.readings.write([power(car, 7)])
        events = await stream.events_of(3)
    assert values(events) == [5, 9, 7]
    assert events[2].id is not None
    assert events[1].id is not None
    assert events[2].id > events[1].id
    assert events[2].data["signal"]["meta"]["oemUpdatedAt"] == "2026-05-01T10:00:05.000Z"


async def test_what_another_process_wrote_is_seen(world: World, app: Client, car: Vehicle) -> None:
    other = SqliteStore.open(world.database)
    async with Listener(world.app, app.headers) as stream:
        await other.readings.write([power(car, 1)])
        assert values(await stream.events_of(1)) == [1]
    await other.close()


async def test_its_headers_keep_it_out_of_caches_and_buffers(world: World, app: Client) -> None:
    async with Listener(world.app, app.headers) as stream:
        headers = stream.headers
    assert headers["content-type"] == "text/event-stream"
    assert headers["cache-control"] == "no-store"
    assert headers["x-accel-buffering"] == "no"
    assert headers["x-content-type-options"] == "nosniff"
    assert "content-length" not in headers


# Resuming


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """One service for all examples of a property: each has a vehicle of its own."""
    opened = World.open(tmp_path_factory.mktemp("shared"))
    yield opened
    await opened.close()


@pytest.mark.asyncio(loop_scope="module")
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(st.lists(st.integers(0, 60), max_size=12), st.booleans(), st.integers(0, 15)), min_size=1, max_size=6
    ),
    kept=st.sampled_from([3, 10, 10_000]),
)
async def test_however_reading_writing_and_resuming_alternate_every_change_comes_exactly_once(
    shared: World, steps: list[tuple[list[int], bool, int]], kept: int
) -> None:
    """Each step writes while a stream is open, reads some events and cuts the stream; the last one reads what is left."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tail_module, "MAX_CHANGES", kept)
        patch.setattr(tail_module, "PORTION", 4)
        patch.setattr(stream_module, "PART_BYTES", 1500)
        client, car = await shared.application(), await shared.car()
        begin = last_id = await shared.store.readings.position()
        got: list[Event] = []
        for numbers, at_once, wanted in steps:
            async with Listener(shared.app, client.headers, f"vehicle={car.id}", last_id=last_id) as stream:
                entries = [power(car, number) for number in numbers]
                for part in [entries] if at_once else [[entry] for entry in entries]:
                    await shared.store.readings.write(part)
                stored = len(await shared.store.readings.changes(begin, 1000))
                got += await stream.events_of(min(wanted, stored - len(got)))
            last_id = got[-1].id if got and got[-1].id else last_id
        expected = await shared.store.readings.changes(begin, 1000)
        async with Listener(shared.app, client.headers, f"vehicle={car.id}", last_id=last_id) as stream:
            got += await stream.events_of(len(expected) - len(got))
        assert [(event.id, event.value) for event in got] == [(change.position, change.value) for change in expected]


async def test_whoever_is_further_behind_than_what_is_in_memory_reads_the_store(
    world: World, app: Client, car: Vehicle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail_module, "MAX_CHANGES", 50)
    async with Listener(world.app, app.headers) as live, Listener(world.app, app.headers, last_id=0) as slow:
        slow.reading.clear()
        for value in range(300):
            await world.store.readings.write([power(car, value)])
        assert values(await live.events_of(300)) == list(range(300))
        slow.reading.set()
        assert values(await slow.events_of(300)) == list(range(300))
        async with Listener(world.app, app.headers, last_id=0) as late:
            assert values(await late.events_of(300)) == list(range(300))
        assert len(world.service.tail._changes) == 50


async def test_the_first_stream_of_a_server_may_be_far_behind(
    world: World, app: Client, car: Vehicle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail_module, "MAX_CHANGES", 10)
    await world.store.readings.write([power(car, value) for value in range(100)])
    fifth = (await world.store.readings.changes(0, 5))[-1].position
    async with Listener(world.app, app.headers, last_id=fifth) as stream:
        assert values(await stream.events_of(95)) == list(range(5, 100))


@pytest.mark.parametrize("size", [1, 3, 7, 50])
async def test_from_every_position_memory_and_store_give_the_same(
    world: World, app: Client, car: Vehicle, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(tail_module, "MAX_CHANGES", 20)
    monkeypatch.setattr(tail_module, "PORTION", 8)
    tail = world.service.tail
    async with Listener(world.app, app.headers) as stream:
        for start in range(0, 100, size):
            await world.store.readings.write([power(car, value) for value in range(start, start + size)])
        await stream.events_of(-(-100 // size) * size)
    everything = await world.store.readings.changes(0, 1000)
    for begin in range(tail.position + 1):
        found, position = [], begin
        while position < tail.position:
            part, position = await tail.after(position)
            found += part
        assert found == [change for change in everything if change.position > begin]


async def test_large_documents_do_not_fill_the_memory(
    world: World, app: Client, car: Vehicle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail_module, "MAX_TEXT", 1000)
    async with Listener(world.app, app.headers) as stream:
        for limit in range(50, 90):
            await world.report(car, LIMITS, {"activeLimit": limit, "unit": "percent"}, T0 + limit)
        events = await stream.events_of(40)
        tail = world.service.tail
        assert sum(len(str(change.value)) for change in tail._changes) == tail._text <= 1000
    assert [event.data["signal"]["attributes"]["body"]["activeLimit"] for event in events] == list(range(50, 90))


@pytest.mark.parametrize(
    ("query", "header"), [("lastEventId=x", None), ("lastEventId=-1", None), ("", "1.0"), ("", "٣"), ("", "9" * 19), ("", "é")]
)
async def test_a_position_that_is_none_is_refused(world: World, app: Client, query: str, header: str | None) -> None:
    headers = raw_headers(app.headers)
    headers += [(b"last-event-id", header.encode())] if header else []
    response = await ask(world.app, "/stream", headers, query=query.encode())
    typed_error(response, 400, "VALIDATION/INVALID_INPUT_FORMAT")


async def test_a_position_that_the_feed_has_not_reached_is_refused(world: World, app: Client, car: Vehicle) -> None:
    await world.store.readings.write([power(car, 1)])
    ahead = await world.store.readings.position() + 1
    assert "ahead" in await refusal(world, app.headers, f"lastEventId={ahead}", 400, "VALIDATION/INVALID_INPUT_FORMAT")


async def test_a_reconnecting_browsers_header_goes_before_the_query(world: World, app: Client, car: Vehicle) -> None:
    await world.store.readings.write([power(car, value) for value in (1, 2, 3)])
    first = (await world.store.readings.changes(0, 1))[0].position
    async with Listener(world.app, app.headers, "lastEventId=0", last_id=first) as stream:
        assert values(await stream.events_of(2)) == [2, 3]
    async with Listener(world.app, app.headers, "lastEventId=0") as stream:
        assert values(await stream.events_of(3)) == [1, 2, 3]


async def test_what_was_erased_is_not_sent_again(world: World, app: Client, car: Vehicle) -> None:
    other = await world.car()
    async with Listener(world.app, app.headers) as live:
        await world.store.readings.write([power(car, 1), power(other, 2)])
        await live.events_of(2)
        await world.store.vehicles.remove_vehicle(car.id)
        async with Listener(world.app, app.headers, last_id=0) as stream:
            assert values(await stream.events_of(1)) == [2]


# What is left out


async def test_only_the_selected_vehicles_and_signals_are_sent(world: World, app: Client) -> None:
    cars = [await world.car() for _ in range(4)]
    for car, code in itertools.product(cars, (POWER, CHARGING, "charge-voltage")):
        await world.report(car, code, BY_CODE[code].example)

    async def reported(query: str, count: int) -> set[tuple[str, str]]:
        async with Listener(world.app, app.headers, query, last_id=0) as stream:
            events = await stream.events_of(count)
            await world.report(cars[0], POWER, {"value": 1}, T0 + 1)  # comes last wherever it comes
            await world.report(cars[0], POWER, {"value": 7200}, T0 + 2)
        return {(event.data["vehicle"], event.data["signal"]["id"]) for event in events}

    ids = [car.id for car in cars]
    assert await reported(f"vehicle={ids[1]}", 3) == {(ids[1], code) for code in (POWER, CHARGING, "charge-voltage")}
    assert await reported(f"vehicle={ids[1]},{ids[2]}&vehicle={ids[3]}&signal={CHARGING}", 3) == {
        (id_, CHARGING) for id_ in ids[1:]
    }
    assert await reported(f"signal={CHARGING},%20charge-voltage", 8) == set(
        itertools.product(ids, (CHARGING, "charge-voltage"))
    )


async def test_an_application_gets_only_what_it_has_the_permission_for(world: World, car: Vehicle) -> None:
    battery_only = await world.application(frozenset({Permission.READ_BATTERY}))
    async with Listener(world.app, battery_only.headers) as stream:
        await world.report_all(car)
        wanted = {each.code for each in CATALOGUE if each.permission is Permission.READ_BATTERY}
        events = await stream.events_of(len(wanted))
    assert {event.data["signal"]["id"] for event in stream.events} == wanted
    assert len(events) == len(stream.events)


async def test_places_are_taken_out_where_they_may_not_be_seen(world: World, car: Vehicle) -> None:
    clients = [await world.application(permissions) for permissions in (READING, READING - {PLACES})]
    await world.report_all(car)
    for client in clients:
        with_places = [each.code for each in CATALOGUE if each.has_places]
        async with Listener(world.app, client.headers, f"signal={','.join(with_places)}", last_id=0) as stream:
            events = await stream.events_of(len(with_places))
        for event in events:
            path = f"/v3/vehicles/{car.id}/signals/{event.data['signal']['id']}"
            assert event.data["signal"] == (await world.client.get(path, headers=client.headers)).json()["data"]
    assert PLACES in READING


async def test_a_connected_application_gets_its_connected_vehicles_and_with_their_permissions(world: World) -> None:
    mine, partly, other = [await world.car() for _ in range(3)]
    client = await world.application(connected_only=True)
    await world.connect(client, mine)
    await world.connect(client, partly, permissions=frozenset({Permission.READ_BATTERY}))
    async with Listener(world.app, client.headers) as stream:
        for car in (other, partly, mine):
            await world.report_all(car)
        battery = [each for each in CATALOGUE if each.permission is Permission.READ_BATTERY]
        events = await stream.events_of(len(battery) + len(CATALOGUE))
    reported = [event.data["vehicle"] for event in events]
    assert (reported.count(mine.id), reported.count(partly.id), reported.count(other.id)) == (len(CATALOGUE), len(battery), 0)


async def test_a_connection_that_begins_or_ends_counts_from_then_on(world: World, car: Vehicle) -> None:
    client = await world.application(connected_only=True)
    always = await world.car()
    await world.connect(client, always)
    async with Listener(world.app, client.headers) as stream:
        await world.store.readings.write([power(car, 1)])
        await world.store.readings.write([power(always, 0)])
        await stream.events_of(1)  # so what came before it has been looked at
        connection = await world.connect(client, car)
        await world.store.readings.write([power(car, 2)])
        await stream.events_of(2)
        await world.store.access.remove_connection(connection.id)
        await world.store.readings.write([power(car, 3)])
        await world.store.readings.write([power(always, 4)])
        assert values(await stream.events_of(3)) == [0, 2, 4]


async def test_a_user_narrows_the_stream_to_his_connections(world: World, app: Client) -> None:
    his, hers = await world.car(), await world.car()
    await world.connect(app, his, "he")
    await world.connect(app, hers, "she")
    async with Listener(world.app, app.headers | {"sc-user-id": "he"}) as stream:
        await world.store.readings.write([power(hers, 1), power(his, 2)])
        assert values(await stream.events_of(1)) == [2]


async def test_what_can_not_be_followed_is_refused_before_the_stream_begins(world: World, app: Client, car: Vehicle) -> None:
    connected = await world.application(connected_only=True)
    narrow = await world.application(frozenset({Permission.READ_BATTERY}))
    nobody = uuid.uuid4()
    missing = "RESOURCE_NOT_FOUND/VEHICLE_NOT_FOUND"
    await refusal(world, app.headers, f"vehicle={nobody}", 404, missing)
    await refusal(world, app.headers, f"vehicle={car.id},{nobody}", 404, missing)
    await refusal(world, app.headers, "vehicle=", 404, missing)
    await refusal(world, connected.headers, f"vehicle={car.id}", 404, missing)
    await refusal(world, app.headers | {"sc-user-id": "nobody"}, f"vehicle={car.id}", 404, missing)
    malformed = "VALIDATION/INVALID_INPUT_FORMAT"
    assert "charge-nothing" in await refusal(world, app.headers, "signal=charge-nothing", 400, malformed)
    await refusal(world, app.headers, f"signal={POWER},", 400, malformed)
    await refusal(world, app.headers, "vehicle=" + "x," * 1000, 400, malformed)
    assert "read_charge" in await refusal(world, narrow.headers, f"signal={POWER}", 403, "PERMISSION/None")
    await world.connect(connected, car, permissions=frozenset({Permission.READ_BATTERY}))
    await refusal(world, connected.headers, f"vehicle={car.id}&signal={POWER}", 403, "PERMISSION/None")
    await refusal(world, {}, "", 401, "AUTHENTICATION/UNAUTHORIZED")
    assert not world.service.tail._everyone


# How long it lasts


async def test_a_silent_stream_gives_a_sign_of_life_every_15_seconds(world: World, app: Client) -> None:
    async with Listener(world.app, app.headers) as stream:
        for count in (1, 2, 3):
            world.clock.move(14.9)
            await world.car()  # a commit, which is no change
            assert len(stream.comments) == count - 1
            world.clock.move(0.2)
            await stream.until(lambda count=count: len(stream.comments) == count)  # type: ignore[misc]
    assert set(stream.comments) == {"heartbeat"}
    assert not stream.events


async def test_a_sign_of_life_moves_on_the_position_of_who_wants_little(world: World, app: Client, car: Vehicle) -> None:
    other = await world.car()
    async with Listener(world.app, app.headers, f"vehicle={car.id}") as stream:
        await world.store.readings.write([power(other, value) for value in range(20)])
        world.clock.move(16)
        newest = await world.store.readings.position()
        await stream.until(lambda: stream.last_id == newest)
        assert not stream.events
    await world.store.readings.write([power(car, 1)])
    async with Listener(world.app, app.headers, f"vehicle={car.id}", last_id=newest) as stream:
        assert values(await stream.events_of(1)) == [1]


async def end_of(stream: Listener) -> dict[str, Any]:
    """The last event of a stream that the server has ended."""
    await stream.until(lambda: stream.has_ended)
    assert stream.events[-1].kind == "end"
    return stream.events[-1].data


async def test_a_stream_ends_with_its_token(world: World, app: Client, car: Vehicle) -> None:
    async with Listener(world.app, app.headers) as stream:
        world.clock.move(3601)
        why = await end_of(stream)
    assert why["reason"] == "UNAUTHORIZED"
    assert "expired" in why["detail"]


async def test_a_stream_of_a_revoked_application_ends_and_others_go_on(world: World, app: Client, car: Vehicle) -> None:
    other = await world.application()
    async with Listener(world.app, app.headers) as revoked, Listener(world.app, other.headers) as stream:
        await world.store.access.revoke_application(app.id, world.clock.now())
        world.clock.move(2)
        assert (await end_of(revoked))["reason"] == "UNAUTHORIZED"
        await world.store.readings.write([power(car, 1)])
        assert values(await stream.events_of(1)) == [1]
        assert len(revoked.events) == 1


async def test_a_stopping_server_ends_its_streams_and_begins_no_more(world: World, app: Client) -> None:
    async with Listener(world.app, app.headers) as stream:
        world.service.tail.stop()
        assert "stopping" in (await end_of(stream))["detail"]
    async with Listener(world.app, app.headers) as late:
        assert "stopping" in (await end_of(late))["detail"]


async def test_a_client_that_hangs_up_leaves_nothing_behind(world: World, app: Client, car: Vehicle) -> None:
    tail = world.service.tail
    async with Listener(world.app, app.headers, f"vehicle={car.id}"), Listener(world.app, app.headers) as stuck:
        stuck.reading.clear()
        await world.store.readings.write([power(car, 1)])
        await stuck.until(lambda: len(tail._everyone) == 2)
    assert not tail._everyone
    assert not tail._followers
    assert tail._task
    async with asyncio.timeout(10):
        await tail._task


async def test_a_client_that_does_not_read_takes_no_memory_and_delays_nobody(world: World, app: Client, car: Vehicle) -> None:
    async with Listener(world.app, app.headers) as stuck, Listener(world.app, app.headers) as stream:
        await stuck.until(lambda: bool(stuck.waiting))
        stuck.reading.clear()
        for start in range(0, 4000, 500):
            await world.store.readings.write([power(car, value) for value in range(start, start + 500)])
            await stream.events_of(start + 500)
        (follower,) = (each for each in world.service.tail._everyone if not each.idle)
        assert len(stuck.waiting) < stream_module.PART_BYTES + 2000
        assert follower.position < 1000, "it knows where it is, and nothing of what it missed"
        stuck.reading.set()
        assert values(await stuck.events_of(4000)) == list(range(4000))


async def test_a_store_that_fails_for_a_moment_costs_time_and_no_change(
    world: World, app: Client, car: Vehicle, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes, failed = world.store.readings.changes, asyncio.Event()

    async def fail(after: int, limit: int) -> list[Any]:
        failed.set()
        raise StoreError("The disk is on holiday.")

    async with Listener(world.app, app.headers) as stream:
        monkeypatch.setattr(world.store.readings, "changes", fail)
        await world.store.readings.write([power(car, 1)])
        await failed.wait()
        async with Listener(world.app, app.headers, last_id=0) as resumed:
            monkeypatch.setattr(tail_module, "MAX_CHANGES", 0)
            monkeypatch.setattr(world.store.readings, "changes", changes)
            assert values(await resumed.events_of(1)) == [1]
        assert values(await stream.events_of(1)) == [1]


async def test_a_stream_that_can_not_read_on_says_so(
    world: World, app: Client, car: Vehicle, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.store.readings.write([power(car, value) for value in range(10)])
    monkeypatch.setattr(tail_module, "MAX_CHANGES", 3)
    async with Listener(world.app, app.headers) as live:
        await world.store.readings.write([power(car, 11)])
        await live.events_of(1)

        async def fail(after: int, limit: int) -> list[Any]:
            raise StoreError("The disk is on holiday.")

        monkeypatch.setattr(world.store.readings, "changes", fail)
        async with Listener(world.app, app.headers, last_id=0) as stream:
            assert await end_of(stream) == {"reason": "STORE_UNAVAILABLE", "detail": "The disk is on holiday."}


async def test_many_streams_read_the_store_once(
    world: World, app: Client, car: Vehicle, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads, changes = itertools.count(), world.store.readings.changes

    async def counted(after: int, limit: int) -> Any:
        next(reads)
        return await changes(after, limit)

    listeners = [Listener(world.app, app.headers) for _ in range(30)]
    for listener in listeners:
        await listener.__aenter__()
    monkeypatch.setattr(world.store.readings, "changes", counted)
    entries: list[Entry] = [power(car, value) for value in range(100)]
    await world.store.readings.write(entries)
    for listener in listeners:
        assert values(await listener.events_of(100)) == list(range(100))
    assert next(reads) < 10
    for listener in listeners:
        await listener.__aexit__(None, None, None)


def test_the_description_says_that_it_is_a_stream_of_events(tmp_path: Path) -> None:
    from chargeport.api.openapi import document
    from chargeport.api.routes import ROUTES

    described = document(ROUTES)["paths"]["/stream"]["get"]
    assert described["responses"]["200"]["content"].keys() == {"text/event-stream"}
    assert {"400", "401", "403", "404"} <= described["responses"].keys()
    assert {each["name"] for each in described["parameters"]} >= {"vehicle", "signal", "last-event-id", "lastEventId"}


async def test_a_stream_with_vehicles_has_an_event_when_a_vehicle_comes_or_goes(world: World, app: Client) -> None:
    from chargeport.api.follower import Follower

    grant = await world.service.access.grant(app.headers["Authorization"].encode())
    tail, follower = world.service.tail, Follower(grant, None, None, 0)
    follower.vehicle_lists = 0
    tail._everyone.add(follower)
    seen = []
    for act in (None, "add", None, "remove"):
        if act == "add":
            made = await world.car()
        elif act == "remove":
            await world.store.vehicles.remove_vehicle(made.id)
        await tail._look_at_vehicles()
        seen.append(tail.vehicle_lists)
    tail._everyone.discard(follower)
    assert seen[1] > seen[0]
    assert seen[2] == seen[1], "nothing came or went"
    assert seen[3] > seen[2]
