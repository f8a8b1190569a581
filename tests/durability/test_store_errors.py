"""A disk that is full: writes are refused and say so, reads go on, and all is well once there is room."""

import asyncio
from collections import Counter
from typing import Any

import apsw
import httpx
import pytest

from answers import detail
from chargeport.signals.catalogue import BY_CODE
from chargeport.store.health import Backlog
from chargeport.store.records import Vehicle
from world import T0, Client, World


def limit_pages(world: World, pages: int) -> None:
    """The database may not grow beyond so many pages: to SQLite that is a full disk."""
    world.store._writer._connection.execute(f"PRAGMA max_page_count = {pages}").fetchall()  # type: ignore[attr-defined]


async def post(world: World, app: Client, car: Vehicle, start: int, count: int = 500) -> httpx.Response:
    items = [
        {
            "vehicle": car.id,
            "signal": "charge-fastchargertype",
            "body": {"value": f"{number:060}"},
            "observedAt": T0 - 10**8 + number,
        }
        for number in range(start, start + count)
    ]
    return await world.client.post("/ingest/readings", json=items, headers=app.headers)


async def until_full(world: World, app: Client, car: Vehicle) -> tuple[httpx.Response, int]:
    """Write until nothing fits any more: the refusal, and how many readings were acknowledged before."""
    acknowledged = 0
    for start in range(0, 100_000, 500):
        response = await post(world, app, car, start)
        if response.status_code != 200:
            return response, acknowledged
        acknowledged += 500
    pytest.fail("the database grew without end")


@pytest.fixture
async def full(world: World, app: Client, car: Vehicle) -> tuple[httpx.Response, int]:
    limit_pages(world, 100)
    return await until_full(world, app, car)


async def test_a_full_disk_refuses_writes_in_words_that_say_so(full: tuple[httpx.Response, int]) -> None:
    response, acknowledged = full
    assert "disk is full" in detail(response, 503, "SERVER/STORE_UNAVAILABLE")
    assert int(response.headers["retry-after"]) > 0
    assert response.json()["resolution"] == {"type": "RETRY_LATER"}
    assert acknowledged > 0


async def test_on_a_full_disk_reads_go_on_and_nothing_acknowledged_is_lost(
    world: World, app: Client, car: Vehicle, full: tuple[httpx.Response, int]
) -> None:
    _, acknowledged = full
    path = f"/v3/vehicles/{car.id}/signals/charge-fastchargertype"
    answer: Any = (await world.client.get(path, headers=app.headers)).json()
    assert answer["data"]["attributes"]["body"] == {"value": f"{acknowledged - 1:060}"}
    assert len(await world.store.readings.changes(0, 1_000_000)) == acknowledged, "a request that was refused left nothing"
    assert (await world.client.get("/v3/vehicles", headers=app.headers)).status_code == 200


async def test_with_room_again_writes_are_taken_again(
    world: World, app: Client, car: Vehicle, full: tuple[httpx.Response, int]
) -> None:
    _, acknowledged = full
    limit_pages(world, 1_000_000)
    response = await post(world, app, car, acknowledged)
    assert (response.status_code, response.json()["accepted"]) == (200, 500)
    assert len(await world.store.readings.changes(0, 1_000_000)) == acknowledged + 500


async def test_one_refused_write_does_not_harm_those_that_wait_beside_it(world: World, app: Client, car: Vehicle) -> None:
    limit_pages(world, 100)
    await until_full(world, app, car)
    limit_pages(world, 1_000_000)
    import asyncio

    answers = await asyncio.gather(*[post(world, app, car, 200_000 + 10 * number, 10) for number in range(20)])
    assert [answer.status_code for answer in answers] == [200] * 20


async def test_ten_times_what_may_wait_is_refused_at_once_and_what_was_acknowledged_is_stored(
    world: World, app: Client, car: Vehicle, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = world.store._writer  # type: ignore[attr-defined]
    monkeypatch.setattr(writer, "_backlog", Backlog(most=1000))
    other = apsw.Connection(str(world.database))  # holds the writer up until all have come
    other.execute("BEGIN IMMEDIATE").fetchall()
    refused = asyncio.Event()

    async def sent(start: int) -> httpx.Response:
        response = await post(world, app, car, start, 100)
        if response.status_code == 503:
            refused.set()
        return response

    sending = [asyncio.create_task(sent(start)) for start in range(0, 10_000, 100)]
    await refused.wait()
    other.execute("ROLLBACK").fetchall()
    other.close()
    answers = await asyncio.gather(*sending)
    statuses = Counter(each.status_code for each in answers)
    assert set(statuses) == {200, 503}
    late = next(each for each in answers if each.status_code == 503)
    assert "1000 readings wait" in detail(late, 503, "SERVER/STORE_UNAVAILABLE")
    assert int(late.headers["retry-after"]) > 0
    signal = BY_CODE["charge-fastchargertype"]
    (source,) = await world.store.history.sources_of(car.id, signal)
    kept = await world.store.history.history(car.id, signal, source=source, limit=20_000)
    assert len(kept) == 100 * statuses[200]
    assert (await post(world, app, car, 20_000, 100)).status_code == 200, "by itself"
