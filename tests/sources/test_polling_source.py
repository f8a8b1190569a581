"""Polling, against a real HTTP server; time is the tests' own, so that a day passes in a moment."""

import asyncio
import sys
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from source_world import T0, Heard, KeptMemory, Listener, Running, source_context

from chargeport.clock import ManualClock
from chargeport.sources.base import Cause, Delivery, SourceError
from chargeport.sources.polling import POLLING, PollingSettings, PollingSource

pytestmark = pytest.mark.service


class Relay:
    """Tells every car's state at /CAR, notes when it was asked, and can be told to answer otherwise."""

    def __init__(self) -> None:
        self.clock = ManualClock(T0)
        self.asked: list[tuple[str, float]] = []  # the car, and the seconds since T0
        self.headers: list[dict[str, str]] = []
        self.answers: dict[str, dict[str, Any]] = {}
        self.url = ""
        self._changed = asyncio.Condition()
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/{car}", self._serve)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"

    async def stop(self) -> None:
        if self._runner:
            await self._runner.cleanup()

    async def times(self, number: int) -> list[float]:
        """When the first `number` requests came."""
        async with asyncio.timeout(20), self._changed:
            await self._changed.wait_for(lambda: len(self.asked) >= number)
        return [at for _, at in self.asked[:number]]

    async def _serve(self, request: Any) -> Any:
        car = request.match_info["car"]
        self.headers.append(dict(request.headers))
        async with self._changed:
            self.asked.append((car, (self.clock.now() - T0) / 1000))
            self._changed.notify_all()
        return web.Response(**{"text": '{"soc": 50}', "content_type": "application/json"} | self.answers.get(car, {}))


@pytest.fixture
async def relay() -> AsyncIterator[Relay]:
    running = Relay()
    await running.start()
    yield running
    await running.stop()


def settings(relay: Relay, *cars: str, **more: Any) -> PollingSettings:
    return PollingSettings(urls={car: f"{relay.url}/{car}?key=hidden" for car in cars or ("car",)}, **more)


def source(relay: Relay, given: PollingSettings, **more: Any) -> PollingSource:
    return PollingSource(given, source_context(dialect="evcc", clock=relay.clock, **more))


async def test_an_answer_is_handed_on_as_it_came(relay: Relay, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("Bearer of-mine\n")
    received, reported = Heard(), Listener()
    given = settings(relay, headers={"Authorization": f"file:{tmp_path}/token"})
    async with Running(source(relay, given, status=reported).run(received)):
        first, *_ = await received.count(1)
    assert first == Delivery(
        source="mine", dialect="evcc", payload=b'{"soc": 50}', received_at=T0, vehicle="car",
        headers={"content-type": "application/json; charset=utf-8"},
    )  # fmt: skip
    assert relay.headers[0]["Authorization"] == "Bearer of-mine"
    assert reported.connections >= 1


async def test_an_address_for_any_car_leaves_naming_them_to_its_answer(relay: Relay) -> None:
    received = Heard()
    given = PollingSettings(urls={"*": f"{relay.url}/state"})
    async with Running(source(relay, given).run(received)):
        assert (await received.count(1))[0].vehicle is None


async def test_it_asks_more_often_while_the_car_charges_and_notices_within_that_time(relay: Relay) -> None:
    charges = False

    async def charging(vehicle: str) -> bool:
        assert vehicle == "car"
        return charges

    given = settings(relay, every_s=600, every_charging_s=30)
    async with Running(source(relay, given, charging=charging).run(Heard())):
        calm = await relay.times(3)
        charges = True
        number = len(relay.asked)
        busy = (await relay.times(number + 4))[number:]
    assert [later - sooner for sooner, later in pairwise(calm)] == [600, 600]
    assert [later - sooner for sooner, later in pairwise(busy[1:])] == [30, 30]


async def test_the_budget_holds_over_restarts_and_is_shown(relay: Relay) -> None:
    memory = KeptMemory()

    async def charging(_vehicle: str) -> bool:
        return True

    given = settings(relay, every_charging_s=60, per_day=4)
    for _ in range(3):
        one = source(relay, given, memory=memory, charging=charging)
        async with Running(one.run(Heard())):
            await relay.times(len(relay.asked) + 1)
    asked = len(relay.asked)
    one = source(relay, given, memory=memory, charging=charging)
    assert (await one.left())["car"] is not None
    async with Running(one.run(Heard())):
        times = await relay.times(asked + 12)
    for at in times:
        assert sum(at - 86_400 < other <= at for other in times) <= 4


async def test_a_spent_budget_is_said_by_check(relay: Relay) -> None:
    one = source(relay, settings(relay, per_hour=1))
    await one.check(5)
    assert await one.left() == {"car": 0}
    with pytest.raises(SourceError, match="3600 s") as found:
        await one.check(5)
    assert found.value.cause is Cause.QUOTA
    assert found.value.retry_after_s == 3600


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [
        ("120", 120),
        ("Fri, 01 May 2026 10:04:58 GMT", 300),
        ("soon", 900),
        (None, 900),
        ("-5", 0),
        ("9" * 400, 86_400),
        ("Fri, 01 May 9999 10:04:58 GMT", 86_400),
    ],
)
async def test_too_many_requests_silence_every_car_for_as_long_as_it_is_asked(
    relay: Relay, header: str | None, wait_s: float
) -> None:
    relay.answers["car"] = {"status": 429, "headers": {"Retry-After": header} if header else {}}
    memory = KeptMemory()
    with pytest.raises(SourceError) as found:
        await source(relay, settings(relay, "car", "other"), memory=memory).run(Heard())
    assert found.value.cause is Cause.QUOTA
    assert found.value.retry_after_s == wait_s
    assert [car for car, _ in relay.asked] == ["car"]
    relay.answers.clear()
    async with Running(source(relay, settings(relay, "car", "other"), memory=memory).run(Heard())):  # after a restart
        assert (await relay.times(3))[1:] == [pytest.approx(wait_s, abs=30)] * 2
        assert relay.asked[1][1] >= wait_s


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        ({"status": 401}, Cause.AUTHENTICATION),
        ({"status": 403}, Cause.AUTHENTICATION),
        ({"status": 404}, Cause.CONFIGURATION),
        ({"status": 302, "headers": {"Location": "/login"}}, Cause.CONFIGURATION),
        ({"status": 503}, Cause.UNREACHABLE),
        ({"text": "<html>"}, Cause.PROTOCOL),
        ({"text": '{"soc": 50'}, Cause.PROTOCOL),
        ({"text": '"' + 2000 * "x" + '"'}, Cause.PROTOCOL),
    ],
)
async def test_an_answer_that_is_none_tells_its_cause_and_no_secret(relay: Relay, answer: dict[str, Any], cause: Cause) -> None:
    relay.answers["car"] = answer
    one = source(relay, settings(relay, max_bytes=1024))
    for attempt in (one.run(Heard()), one.check(5)):
        with pytest.raises(SourceError) as found:
            await attempt
        assert found.value.cause is cause
        assert "hidden" not in str(found.value)


async def test_nobody_there_is_unreachable() -> None:
    given = PollingSettings(urls={"car": "http://127.0.0.1:1/car"})
    with pytest.raises(SourceError) as found:
        await PollingSource(given, source_context()).check(5)
    assert found.value.cause is Cause.UNREACHABLE


async def test_one_car_that_fails_does_not_keep_the_others_from_being_heard(relay: Relay) -> None:
    relay.answers["first"] = {"status": 500}
    received = Heard()
    one = source(relay, settings(relay, "first", "second"))
    with pytest.raises(SourceError):
        await one.run(received)
    assert [delivery.vehicle for delivery in received.deliveries] == ["second"]
    relay.answers.clear()
    async with Running(one.run(received)):
        await received.count(2)
    assert [delivery.vehicle for delivery in received.deliveries][:2] == ["second", "first"]


async def test_a_car_that_sleeps_is_no_error_and_is_asked_again_in_its_time(relay: Relay) -> None:
    relay.answers["car"] = {"status": 408}
    received = Heard()
    async with Running(source(relay, settings(relay, every_s=300)).run(received)):
        assert await relay.times(2) == [0, 300]
    assert not received.deliveries


async def test_without_the_package_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    one = POLLING.build(PollingSettings(urls={"car": "http://127.0.0.1:1/car"}), source_context())
    with pytest.raises(SourceError, match=r"pip install 'aiohttp>=.*\(the extra polling\)") as found:
        await one.run(Heard())
    assert found.value.cause is Cause.CONFIGURATION
