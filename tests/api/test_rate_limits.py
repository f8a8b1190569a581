"""Rate limits of an application: what is left stands in each answer, the next request is refused, and time gives it back."""

import re
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import throttled
from hypothesis import given
from hypothesis import strategies as st

from answers import typed_error
from chargeport.api.rate_limits import RateLimits
from chargeport.api.route import Route
from chargeport.api.routes import ROUTES
from chargeport.errors import Problem
from chargeport.settings import LimitSettings
from world import Client, World, ask, raw_headers

CLOSED = [route for route in ROUTES if not route.open]
TWO = LimitSettings(requests_per_minute=2, ingest_per_minute=2, streams_per_minute=2)
LIMIT = re.compile(r'"(\w+)";r=(\d+);t=(\d+)')
PLAIN = "/v3/vehicles/nobody/signals/charge-voltage"


class Timer:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def timer(monkeypatch: pytest.MonkeyPatch) -> Timer:
    timer = Timer()
    monkeypatch.setattr(throttled.utils, "now_mono_f", timer)
    return timer


@pytest.fixture
async def limited(tmp_path: Path, timer: Timer) -> AsyncIterator[World]:
    world = World.open(tmp_path, limits=TWO)
    yield world
    await world.close()


def left(response: httpx.Response) -> tuple[str, int, int]:
    """Of which limit, how many are left, and in how many seconds all are again."""
    found = LIMIT.fullmatch(response.headers["ratelimit"])
    assert found is not None
    return found[1], int(found[2]), int(found[3])


async def get(world: World, path: str, client: Client, method: str = "GET", query: bytes = b"") -> httpx.Response:
    return await ask(world.app, path, raw_headers(client.headers), method=method, query=query)


@pytest.mark.parametrize("route", CLOSED, ids=lambda route: route.name)
async def test_every_route_that_wants_a_token_counts_and_refuses_the_one_too_many(
    limited: World, timer: Timer, route: Route
) -> None:
    client, other = await limited.application(), await limited.application()
    path = route.path.format_map(defaultdict(lambda: "none", code="charge-voltage", dialect="tesla", action="plug"))
    for remaining, all_in_s in ((1, 30), (0, 60)):
        response = await get(limited, path, client, route.method)
        assert response.status_code != 429
        assert left(response) == (route.limit, remaining, all_in_s)
        assert response.headers["ratelimit-policy"] == f'"{route.limit}";q=2;w=60'
    refused = await get(limited, path, client, route.method)
    typed_error(refused, 429, "RATE_LIMIT/SMARTCAR_API")
    assert f"limits.{route.limit}_per_minute" in refused.text
    assert refused.headers["retry-after"] == "30"
    assert left(refused) == (route.limit, 0, 60)
    assert (await get(limited, path, other, route.method)).status_code != 429, "each application has its own"
    timer.now += 29.9
    assert (await get(limited, path, client, route.method)).headers["retry-after"] == "1"
    timer.now += 0.1
    assert (await get(limited, path, client, route.method)).status_code != 429
    assert (await get(limited, path, client, route.method)).status_code == 429


async def test_the_lane_and_the_router_count_for_one_bucket(limited: World) -> None:
    client, car = await limited.application(), await limited.car()
    await limited.report(car, "charge-voltage", {"value": 231})
    path = f"/vehicles/{car.id}/signals/charge-voltage"
    plain, listed = await get(limited, path, client), await get(limited, path, client, query=b"source=box")
    assert [(each.status_code, left(each)[1]) for each in (plain, listed)] == [(200, 1), (200, 0)]
    assert (await get(limited, f"/vehicles/{car.id}/signals", client)).status_code == 429


async def test_sorts_of_requests_have_limits_of_their_own(limited: World) -> None:
    client = await limited.application()
    for _ in range(3):
        last = await get(limited, PLAIN, client)
    assert last.status_code == 429
    assert (await get(limited, "/stream", client)).status_code == 200
    assert left(await get(limited, "/ingest/readings", client, "POST")) == ("ingest", 1, 30)


@pytest.mark.parametrize("path", [PLAIN, "/v3/vehicles", "/stream"])
async def test_without_a_setting_any_number_is_answered_and_no_header_says_otherwise(world: World, path: str) -> None:
    client = await world.application()
    for _ in range(100):
        response = await get(world, path, client)
        assert response.status_code != 429
        assert {"ratelimit", "ratelimit-policy"}.isdisjoint(response.headers)


async def test_who_shows_no_token_takes_nothing_from_anybody(limited: World) -> None:
    for _ in range(3):
        response = await ask(limited.app, PLAIN)
        assert response.status_code == 401
        assert "ratelimit" not in response.headers


@given(
    quota=st.integers(1, 100_000),
    waits=st.lists(st.floats(0, 120, allow_nan=False) | st.just(0.0), min_size=1, max_size=200),
)
def test_no_more_than_a_full_bucket_and_its_refill_ever_pass(quota: int, waits: list[float]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(throttled.utils, "now_mono_f", timer := Timer())
        _take_as_often_as_possible(quota, waits, timer)


def _take_as_often_as_possible(quota: int, waits: list[float], timer: Timer) -> None:
    limits, began, passed = RateLimits(LimitSettings(requests_per_minute=quota)), timer.now, 0
    for wait_s in waits:
        timer.now += wait_s
        allowance = limits.allowance("requests")
        try:
            allowance.take("app")
            passed += 1
        except Problem as problem:
            timer.now += problem.retry_after_s or 0
            limits.allowance("requests").take("app")  # so long and no longer
            passed += 1
        assert passed <= quota + (timer.now - began) * quota / 60 + 1e-3
        assert len(allowance.headers) == 2
