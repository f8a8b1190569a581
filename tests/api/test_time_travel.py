"""`?at=`: both signal reads as they would have answered at another time, by time of observation."""

import random
from typing import Any

import httpx
import pytest

from answers import detail, typed_error
from chargeport.signals.catalogue import BY_CODE, CATALOGUE
from chargeport.signals.definition import Permission
from chargeport.signals.reading import Absence, AbsenceReason, Reading
from chargeport.signals.state import LIVE_FOR_MS
from chargeport.store.records import Vehicle
from world import EVERYTHING, HOST, T0, Client, World

POWER = "charge-wattage"
MINUTE = 60_000
BAD = "VALIDATION/INVALID_INPUT_FORMAT"


async def read(world: World, app: Client, car: Vehicle, code: str = "", **query: Any) -> httpx.Response:
    path = f"/v3/vehicles/{car.id}/signals{'/' * bool(code)}{code}"
    return await world.client.get(path, params={name: str(value) for name, value in query.items()}, headers=app.headers)


async def element(world: World, app: Client, car: Vehicle, code: str, at: Any) -> dict[str, Any]:
    """One signal at an instant, after a look whether the list says the same of it."""
    one = (await read(world, app, car, code, at=at)).json()["data"]
    listed = {each["id"]: each for each in (await read(world, app, car, at=at)).json()["data"]}
    assert listed[code] == one
    found: dict[str, Any] = one
    return found


async def test_a_read_has_the_value_of_then_with_its_old_times(world: World, app: Client, car: Vehicle) -> None:
    await world.report(car, POWER, {"value": 1000}, T0 - 20 * MINUTE)
    await world.report(car, POWER, {"value": 2000}, T0 - 10 * MINUTE)
    then = await element(world, app, car, POWER, T0 - 15 * MINUTE)
    assert then["attributes"]["status"] == {"value": "SUCCESS"}
    assert then["attributes"]["body"] == {"value": 1000, "unit": "watts"}
    assert then["meta"] == {
        "retrievedAt": "2026-05-01T09:39:58.250Z",
        "oemUpdatedAt": "2026-05-01T09:39:58.000Z",
        "ingestedAt": "2026-05-01T09:39:58.250Z",
        "source": "box",
        "staleAt": "2026-05-01T10:09:58.000Z",
    }


@pytest.mark.parametrize("at", [T0 - 10 * MINUTE, "2026-05-01T09:49:58Z", "2026-05-01T11:49:58.000+02:00"])
async def test_the_instant_itself_is_included_in_either_form(world: World, app: Client, car: Vehicle, at: Any) -> None:
    await world.report(car, POWER, {"value": 1}, T0 - 11 * MINUTE)
    await world.report(car, POWER, {"value": 2}, T0 - 10 * MINUTE)
    await world.report(car, POWER, {"value": 3}, T0 - 10 * MINUTE + 1)
    assert (await element(world, app, car, POWER, at))["attributes"]["body"]["value"] == 2


@pytest.mark.parametrize(
    ("minutes_ago", "code"),
    [(100, None), (71, None), (70, "UNREACHABLE"), (55, "UNREACHABLE"), (50, None), (44, "NOT_CHARGING")],
)
async def test_the_standing_is_that_of_then(
    world: World, app: Client, car: Vehicle, minutes_ago: int, code: str | None
) -> None:
    assert LIVE_FOR_MS == 30 * MINUTE
    for minutes, power, charging in ((100, 1000, True), (50, 2000, True), (45, None, False)):
        await world.report(car, "charge-ischarging", {"value": charging}, T0 - minutes * MINUTE)
        if power is not None:
            await world.report(car, POWER, {"value": power}, T0 - minutes * MINUTE)
    status = (await element(world, app, car, POWER, T0 - minutes_ago * MINUTE))["attributes"]["status"]
    assert status.get("error", {}).get("code") == code


async def test_an_absence_lasts_from_its_report_until_the_next_value(world: World, app: Client, car: Vehicle) -> None:
    await world.report(car, POWER, {"value": 7}, T0 - 9 * MINUTE)
    await world.absent(car, POWER, AbsenceReason.UNREADABLE, T0 - 6 * MINUTE)
    await world.report(car, POWER, {"value": 8}, T0 - 3 * MINUTE)
    reported = [(await element(world, app, car, POWER, T0 - minutes * MINUTE))["attributes"] for minutes in (7, 6, 4, 3)]
    assert [each["status"]["value"] for each in reported] == ["SUCCESS", "ERROR", "ERROR", "SUCCESS"]
    assert [each["body"]["value"] for each in reported] == [7, 7, 7, 8], "the last value stands beside the error, as now"


async def test_before_the_first_word_one_signal_is_404_and_the_list_leaves_it_out(
    world: World, app: Client, car: Vehicle
) -> None:
    await world.report(car, POWER, {"value": 7}, T0 - MINUTE)
    await world.report(car, "charge-voltage", {"value": 230}, T0 - 9 * MINUTE)
    response = await read(world, app, car, POWER, at=T0 - MINUTE - 1)
    sent = detail(response, 404, "RESOURCE_NOT_FOUND/SIGNAL_NOT_FOUND")
    assert "2026-05-01T09:58:57.999Z" in sent
    document = (await read(world, app, car, at=T0 - MINUTE - 1)).json()
    assert [each["id"] for each in document["data"]] == ["charge-voltage"]
    assert document["meta"]["totalCount"] == 1
    assert document["links"]["self"] == f"{HOST}/v3/vehicles/{car.id}/signals?at={T0 - MINUTE - 1}"
    assert (await read(world, app, car, at=T0 - 90 * MINUTE)).json()["data"] == []


@pytest.mark.parametrize(
    ("at", "reported"),
    [(T0 + 1, "future"), ("2026-05-01T09:59:58.001Z", "future"), ("now", "no instant"), ("", "no instant"),
     ("1777629598", "seconds"), ("2026-13-01T00:00:00Z", "no instant"), ("9" * 30, "no instant"), ("\x00", "no instant")],
)  # fmt: skip
@pytest.mark.parametrize("code", [POWER, ""])
async def test_a_time_that_is_none_or_still_to_come_is_400(
    world: World, app: Client, car: Vehicle, at: Any, *, reported: str, code: str
) -> None:
    await world.report(car, POWER, {"value": 7})
    sent = detail(await read(world, app, car, code, at=at), 400, BAD)
    assert sent.startswith("at: ")
    assert reported in sent


async def test_who_may_not_read_now_may_not_read_then(world: World, app: Client, car: Vehicle) -> None:
    await world.report_all(car, T0 - MINUTE)
    narrow = await world.application(EVERYTHING - {Permission.READ_CHARGE, Permission.READ_CHARGE_LOCATIONS})
    typed_error(await read(world, narrow, car, POWER, at=T0), 403)
    typed_error(await read(world, await world.application(connected_only=True), car, POWER, at=T0), 404)
    typed_error(await read(world, app, Vehicle(id="nobody"), at=T0), 404, "RESOURCE_NOT_FOUND/VEHICLE_NOT_FOUND")
    blind = await world.application(EVERYTHING - {Permission.READ_CHARGE_LOCATIONS})
    await world.report(car, "charge-chargelimits", {"activeLimit": 50}, T0)
    assert "latitude" in (await read(world, app, car, "charge-chargelimits", at=T0 - 1)).text
    assert "latitude" not in (await read(world, blind, car, "charge-chargelimits", at=T0 - 1)).text


async def test_filters_and_pages_work_on_the_list_of_then(world: World, app: Client, car: Vehicle) -> None:
    await world.report_all(car, T0 - MINUTE)
    query = {"at": T0 - MINUTE, "filter[group]": "Charge", "page[size]": 20}
    first = (await read(world, app, car, **query)).json()
    charge = [signal for signal in CATALOGUE if signal.group == "Charge"]
    assert (len(first["data"]), first["meta"]["totalCount"]) == (20, len(charge))
    second = (await world.client.get(first["links"]["next"], headers=app.headers)).json()
    assert len(second["data"]) == len(charge) - 20
    assert str(T0 - MINUTE) in second["links"]["self"]


@pytest.mark.parametrize("seed", range(8))
async def test_at_now_is_the_plain_read_and_at_then_is_what_was_read_then(world: World, car: Vehicle, seed: int) -> None:
    chance = random.Random(seed)
    codes = [POWER, "charge-ischarging", "tractionbattery-stateofcharge"]
    on_the_day: list[tuple[int, list[Any]]] = []
    for _ in range(40):
        world.clock.move(chance.choice([1, 60, 1200, 2000]))
        now, code = world.clock.now(), chance.choice(codes)
        if chance.random() < 0.2:
            await world.store.readings.write([Absence(car.id, BY_CODE[code], chance.choice([*AbsenceReason]), now, now, "box")])
        else:
            value = chance.choice([True, False] if code == codes[1] else [10, 20])
            await world.store.readings.write([Reading(car.id, BY_CODE[code], value, now, now, "box")])
        app = await world.application()  # a token lasts for an hour, and these are many
        plain = (await read(world, app, car)).json()["data"]
        assert (await read(world, app, car, at=now)).json()["data"] == plain
        on_the_day.append((now, plain))
    for at, data in on_the_day:
        afterwards = (await read(world, app, car, at=at)).json()["data"]
        for each in (*afterwards, *data):
            del each["meta"]["ingestedAt"]  # when an absence was repeated is not kept
        assert afterwards == data
