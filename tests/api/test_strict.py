"""`[server] strict`: reads of signals need sc-user-id, as at Smartcar, whichever way they are answered."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from answers import typed_error
from chargeport.settings import ServerSettings
from chargeport.store.records import Vehicle, user_uuid_of
from world import Client, World

MISSING = ("VALIDATION", "MISSING_PARAMETER")


@pytest.fixture(params=["fast path", "router"])
async def strict(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    world = World.open(tmp_path, fast_path=request.param == "fast path", server=ServerSettings(strict=True))
    yield world
    await world.close()


@pytest.fixture
async def subject(strict: World) -> Vehicle:
    car = await strict.car()
    await strict.report(car, "charge-voltage", {"value": 231})
    return car


@pytest.mark.parametrize("path", ["signals", "signals/charge-voltage", "signals/charge-voltage?at=1777629598000"])
async def test_a_read_without_a_user_is_refused_and_one_with_a_user_is_not(strict: World, subject: Vehicle, path: str) -> None:
    app = await strict.application()
    url = f"/v3/vehicles/{subject.id}/{path}"
    for headers in (app.headers, app.headers | {"sc-user-id": ""}):
        refused = typed_error(await strict.client.get(url, headers=headers), 400)
        assert (refused["type"], refused["code"]) == MISSING
        assert "sc-user-id" in refused["description"]
    answer = await strict.client.get(url, headers=app.headers | {"sc-user-id": user_uuid_of(app.id)})
    assert answer.status_code == 200


async def test_the_caller_is_checked_first(strict: World, subject: Vehicle) -> None:
    typed_error(await strict.client.get(f"/v3/vehicles/{subject.id}/signals"), 401)


async def test_other_reads_need_no_user(strict: World, subject: Vehicle) -> None:
    app = await strict.application()
    for path in ("/v3/connections", f"/v3/vehicles/{subject.id}", "/v3/vehicles"):
        assert (await strict.client.get(path, headers=app.headers)).status_code == 200


async def test_nothing_is_demanded_unless_it_is_set(world: World, app: Client, car: Vehicle) -> None:
    await world.report(car, "charge-voltage", {"value": 231})
    assert (await world.client.get(f"/v3/vehicles/{car.id}/signals", headers=app.headers)).status_code == 200
