"""Several sources of one car, seen from outside: who counts, what the others say and why not, and one of them alone."""

from typing import Any

from answers import detail
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.effective import Ranks, Why
from chargeport.signals.reading import AbsenceReason, Reading
from chargeport.store.records import Vehicle
from world import HOST, T0, Client, World

POWER, CHARGING, COLOUR = "charge-wattage", "charge-ischarging", "charge-chargeportstatuscolor"
MINUTE = 60_000


async def say(world: World, car: Vehicle, source: str, code: str, value: Any, *, minutes: float = 0) -> None:
    at = T0 + int(minutes * MINUTE)
    await world.store.readings.write([Reading(car.id, BY_CODE[code], value, at, at, source)])


async def get(world: World, app: Client, path: str) -> Any:
    response = await world.client.get(path, headers=app.headers)
    assert response.status_code == 200, response.text
    return response.json()


async def test_coverage_has_each_source_with_its_value_and_age_and_why_it_does_not_count(
    world: World, app: Client, car: Vehicle
) -> None:
    world.store.readings.set_ranks(Ranks(stations=["garage"]))
    await say(world, car, "garage", POWER, 7200, minutes=-5)
    await say(world, car, "cloud", POWER, 6900, minutes=-1)
    await say(world, car, "logger", POWER, 6800, minutes=-40)
    document = await get(world, app, f"/v3/vehicles/{car.id}/coverage")
    reported = {each["code"]: each for each in document["data"]}[POWER]
    assert (reported["status"], reported["source"]) == ("SUCCESS", "garage")
    effective, *others = reported["sources"]
    assert effective == {
        "source": "garage", "oemUpdatedAt": "2026-05-01T09:54:58.000Z", "ageSeconds": 300, "isEffective": True,
        "body": {"value": 7200, "unit": "watts"},
    }  # fmt: skip
    found = {each["source"]: (each["why"], each["body"]["value"], each["ageSeconds"]) for each in others}
    assert found == {"cloud": ("OUTRANKED", 6900, 60), "logger": ("SILENT", 6800, 2400)}
    assert all(each["reason"] == Why(each["why"]).sentence for each in others)


async def test_a_source_alone_is_read_and_its_links_stay_with_it(world: World, app: Client, car: Vehicle) -> None:
    world.store.readings.set_ranks(Ranks(stations=["garage"]))
    await say(world, car, "garage", POWER, 7200)
    await say(world, car, "cloud & co", POWER, 6900)
    path = f"/v3/vehicles/{car.id}/signals"
    assert (await get(world, app, f"{path}/{POWER}"))["data"]["meta"]["source"] == "garage"
    alone = await get(world, app, f"{path}/{POWER}?source=cloud%20%26%20co")
    assert (alone["data"]["attributes"]["body"]["value"], alone["data"]["meta"]["source"]) == (6900, "cloud & co")
    listed = await get(world, app, f"{path}?source=cloud%20%26%20co&at={T0}")
    assert [each["meta"]["source"] for each in listed["data"]] == ["cloud & co"]
    assert listed["links"]["self"] == f"{HOST}{path}?at={T0}&source=cloud%20%26%20co"


async def test_the_history_of_a_source_is_its_own_whether_it_counted_or_not(world: World, app: Client, car: Vehicle) -> None:
    world.store.readings.set_ranks(Ranks(stations=["garage"]))
    for minutes, value in ((-9, 7000), (-6, 7100)):
        await say(world, car, "garage", POWER, value, minutes=minutes)
        await say(world, car, "cloud", POWER, value - 500, minutes=minutes + 1)
    path = f"/v3/vehicles/{car.id}/signals/{POWER}/values"
    shown = [(await get(world, app, path + query))["data"] for query in ("", "?source=cloud", "?source=garage")]
    assert [[each["body"]["value"] for each in data] for data in shown] == [[7000, 7100], [6500, 6600], [7000, 7100]]
    first = await get(world, app, f"{path}?source=cloud&page[size]=1")
    following = (await world.client.get(first["links"]["next"], headers=app.headers)).json()
    assert [each["body"]["value"] for each in following["data"]] == [6600]
    (bucket,) = (await get(world, app, f"{path}?source=cloud&resolution=PT1H"))["data"]
    assert (bucket["min"], bucket["max"]) == (6500, 6600)


async def test_a_source_that_never_reported_the_signal_is_404_with_the_way_out(world: World, app: Client, car: Vehicle) -> None:
    await say(world, car, "garage", POWER, 7200)
    for path in (POWER, f"{POWER}/values"):
        response = await world.client.get(f"/v3/vehicles/{car.id}/signals/{path}?source=cloud", headers=app.headers)
        sent = detail(response, 404, "RESOURCE_NOT_FOUND/SIGNAL_NOT_FOUND")
        assert "'cloud'" in sent
        assert "coverage" in sent
    assert (await get(world, app, f"/v3/vehicles/{car.id}/signals?source=cloud"))["data"] == []


async def test_what_is_derived_is_a_source_that_may_be_selected(world: World, app: Client, car: Vehicle) -> None:
    await world.store.readings.write(
        [Reading(car.id, BY_CODE[POWER], 7000, T0, T0, "derived", "wattage/voltage-amperage@1 of charge-voltage")]
    )
    await say(world, car, "cloud", POWER, 6900)
    path = f"/v3/vehicles/{car.id}/signals/{POWER}"
    assert (await get(world, app, path))["data"]["meta"]["source"] == "cloud"
    for name in ("derived", "derived:wattage/voltage-amperage@1"):
        meta = (await get(world, app, f"{path}?source={name}"))["data"]["meta"]
        assert (meta["source"], meta["derivedFrom"]) == ("derived:wattage/voltage-amperage@1", ["charge-voltage"])


async def test_a_late_report_of_a_preferred_source_counts_immediately(world: World, app: Client, car: Vehicle) -> None:
    world.store.readings.set_ranks(Ranks(stations=["garage"]))
    await say(world, car, "cloud", POWER, 6900, minutes=-1)
    await say(world, car, "garage", POWER, 7200, minutes=-4)
    assert (await get(world, app, f"/v3/vehicles/{car.id}/signals/{POWER}"))["data"]["meta"]["source"] == "garage"


async def test_an_absence_of_one_source_hides_nothing_of_another(world: World, app: Client, car: Vehicle) -> None:
    await say(world, car, "cloud", COLOUR, "Green", minutes=-9)
    await world.absent(car, COLOUR, AbsenceReason.NOT_CAPABLE)
    read = (await get(world, app, f"/v3/vehicles/{car.id}/signals/{COLOUR}"))["data"]
    assert read["attributes"]["body"] == {"value": "Green"}
    document = await get(world, app, f"/v3/vehicles/{car.id}/coverage")
    _, other = {each["code"]: each for each in document["data"]}[COLOUR]["sources"]
    assert other == {
        "source": "box", "isEffective": False, "status": "NOT_CAPABLE", "why": "ABSENT", "reason": Why.ABSENT.sentence,
    }  # fmt: skip
