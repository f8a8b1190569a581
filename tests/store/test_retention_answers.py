"""What clients are told where only hours are kept: whole hours as before, where finer ones begin, and never a guess."""

from typing import Any

from chargeport.clock import ManualClock
from chargeport.signals.catalogue import BY_CODE
from chargeport.store.records import Vehicle
from chargeport.store.retention import go_round
from chargeport.store.retention_policy import DAY_MS, HOUR_MS, KeepFor, Policy
from world import HOST, T0, Client, World

POWER, STATUS = "charge-wattage", "charge-detailedchargingstatus"
MINUTE = 60_000
START = T0 - T0 % DAY_MS - 3 * DAY_MS
POLICY = Policy({"Charge": KeepFor(1)})


async def asked(world: World, app: Client, car: Vehicle, code: str = POWER, **query: Any) -> Any:
    params = {{"from_": "from", "size": "page[size]"}.get(name, name): str(value) for name, value in query.items()}
    answer = await world.client.get(f"/v3/vehicles/{car.id}/signals/{code}/values", params=params, headers=app.headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def reported(world: World, car: Vehicle) -> None:
    for number in range(300):  # 40 hours, the last of them on the day that is kept as it was
        at = START + 10 * HOUR_MS + number * 9 * MINUTE
        await world.report(car, POWER, {"value": 7000 + number % 5, "unit": "watts"}, at)
        if number % 30 == 0:
            await world.report(car, STATUS, {"value": "CHARGING" if number % 60 else "STOPPED"}, at)


async def test_stretches_of_whole_hours_stay_as_they_were_and_shorter_ones_begin_where_runs_are_kept(
    world: World, app: Client, car: Vehicle
) -> None:
    await reported(world, car)
    queries: list[dict[str, Any]] = [{"resolution": each, "size": 1000} for each in ("PT1H", "PT6H", "P1D")]
    before = [[await asked(world, app, car, code, **query) for query in queries] for code in (POWER, STATUS)]
    fine = await asked(world, app, car, resolution="PT15M", size=1000)
    assert "rawFrom" not in fine["meta"]
    assert fine["links"].keys() == {"self", "next"}
    await go_round(world.store.retention, POLICY, ManualClock(T0))
    kept_from = "2026-04-30T00:00:00.000Z"
    for code, documents in zip((POWER, STATUS), before, strict=True):
        for query, then in zip(queries, documents, strict=True):
            now = await asked(world, app, car, code, **query)
            assert rounded(now["data"]) == rounded(then["data"])
            assert now["meta"] == then["meta"] | {"rawFrom": kept_from}
            assert now["links"] == then["links"]
    short = await asked(world, app, car, resolution="PT15M", size=1000)
    assert short["data"] == [each for each in fine["data"] if each["from"] >= kept_from]
    assert short["data"]
    hourly = (await world.client.get(short["links"]["hourly"], headers=app.headers)).json()
    assert rounded(hourly["data"]) == rounded(before[0][0]["data"])
    assert (await asked(world, app, car, resolution="PT15M", from_=T0 - HOUR_MS))["meta"].keys() == {
        "count",
        "pageSize",
        "unit",
    }


def rounded(data: list[Any]) -> list[Any]:
    """Without the last digits of what sums were divided for."""
    return [
        each | {"mean": round(each["mean"], 6)} if "mean" in each
        else each | {"fractions": {name: round(share, 9) for name, share in each["fractions"].items()}}
        for each in data
    ]  # fmt: skip


async def test_changes_say_since_when_they_are_whole_and_lead_to_the_hours(world: World, app: Client, car: Vehicle) -> None:
    await reported(world, car)
    whole = await asked(world, app, car, size=1000)
    await go_round(world.store.retention, POLICY, ManualClock(T0))
    document = await asked(world, app, car, size=1000)
    since = document["meta"]["rawFrom"]
    assert since == "2026-04-30T00:00:00.000Z"
    recent = [each for each in whole["data"] if each["meta"]["oemUpdatedAt"] >= since]
    assert recent
    assert document["data"][-len(recent) :] == recent
    assert all(each in whole["data"] for each in document["data"])
    assert (
        document["links"]["hourly"] == f"{HOST}/v3/vehicles/{car.id}/signals/{POWER}/values?page%5Bsize%5D=1000&resolution=PT1H"
    )
    later = await asked(world, app, car, from_=START + 3 * DAY_MS)
    assert "rawFrom" not in later["meta"]


async def test_an_instant_is_answered_from_hours_where_they_say_what_was_so_and_else_not_at_all(
    world: World, app: Client, car: Vehicle
) -> None:
    hour = START + 5 * HOUR_MS
    await world.report(car, STATUS, {"value": "CHARGING"}, hour + 10 * MINUTE)
    await world.report(car, STATUS, {"value": "STOPPED"}, hour + 40 * MINUTE)
    await world.report(car, STATUS, {"value": "CHARGING"}, T0)
    await go_round(world.store.retention, POLICY, ManualClock(T0))

    async def at(instant: int) -> Any:
        path = f"/v3/vehicles/{car.id}/signals/{STATUS}"
        return await world.client.get(path, params={"at": str(instant)}, headers=app.headers)

    for instant in (hour + 40 * MINUTE, hour + 50 * MINUTE, hour + 20 * HOUR_MS, T0 - 1):
        found = (await at(instant)).json()["data"]
        assert found["attributes"]["body"] == {"value": "STOPPED"}
        assert found["meta"]["oemUpdatedAt"] == "2026-04-28T05:40:00.000Z"
    for instant in (hour - 1, hour + 10 * MINUTE, hour + 39 * MINUTE):
        assert (await at(instant)).status_code == 404


def test_the_signals_of_this_test_are_of_the_group_that_it_limits() -> None:
    assert {BY_CODE[code].group for code in (POWER, STATUS)} == set(POLICY.groups)
