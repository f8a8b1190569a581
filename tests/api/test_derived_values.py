"""Values that we derived, on every route: under the signal's own code, with what they follow from, and never in an export."""

import pytest

from chargeport.signals.catalogue import BY_CODE, CATALOGUE
from chargeport.signals.effective import DERIVED
from chargeport.signals.reading import AbsenceReason, Reading
from chargeport.store.records import Selection, Vehicle
from chargeport.wire.provenance import shown
from listening import Listener
from world import T0, Client, World

POWER, CHARGING, RECORDS = "charge-wattage", "charge-ischarging", "charge-chargerecords"
RULE = "wattage/voltage-amperage@1"
INPUTS = ["charge-voltage", "charge-amperage", "charge-isfastchargerpresent"]
MINUTE = 60_000


async def derive(world: World, car: Vehicle, value: float, at: int = T0, *, code: str = POWER, rule: str = RULE) -> None:
    """Store a value as derivation does."""
    await world.store.readings.write([Reading(car.id, BY_CODE[code], value, at, at + 250, DERIVED, rule)])


async def get(world: World, app: Client, path: str) -> dict:  # type: ignore[type-arg]
    response = await world.client.get(path, headers=app.headers)
    assert response.status_code == 200, response.text
    return response.json()  # type: ignore[no-any-return]


@pytest.fixture
def path(car: Vehicle) -> str:
    return f"/v3/vehicles/{car.id}/signals"


async def test_history_of_what_only_we_knew_is_ours_and_says_so(world: World, app: Client, car: Vehicle, path: str) -> None:
    for minute, value in enumerate((7000.0, 8000.0)):
        await derive(world, car, value, T0 + minute * MINUTE)
    world.clock.move(600)
    found = (await get(world, app, f"{path}/{POWER}/values"))["data"]
    assert [each["body"]["value"] for each in found] == [7000, 8000]
    assert {tuple(each["meta"]["derivedFrom"]) for each in found} == {tuple(INPUTS)}
    (bucket,) = (await get(world, app, f"{path}/{POWER}/values?resolution=P1D"))["data"]
    assert (bucket["min"], bucket["max"]) == (7000, 8000)


async def test_history_is_of_what_was_effective_reported_or_derived(world: World, app: Client, car: Vehicle, path: str) -> None:
    await world.report(car, POWER, {"value": 5}, T0)
    world.clock.move(3500)
    await derive(world, car, 7000.0, T0 + 3500_000)
    assert (await get(world, app, f"{path}/{POWER}"))["data"]["attributes"]["body"]["value"] == 7000
    assert [each["body"]["value"] for each in (await get(world, app, f"{path}/{POWER}/values"))["data"]] == [5, 7000]


async def test_a_derived_end_of_charging_ends_the_stretches_of_live_values(
    world: World, app: Client, car: Vehicle, path: str
) -> None:
    await world.report(car, POWER, {"value": 7000}, T0)
    await derive(world, car, True, T0, code=CHARGING)
    await derive(world, car, False, T0 + 5 * MINUTE, code=CHARGING)
    world.clock.move(3500)
    found = (await get(world, app, f"{path}/{POWER}/values?resolution=P1D"))["data"]
    assert [each["heldSeconds"] for each in found] == [300]
    flags = (await get(world, app, f"{path}/{CHARGING}/values?resolution=P1D"))["data"]
    assert flags[0]["last"] is False


async def test_the_past_of_a_derived_signal_is_read_like_that_of_any_other(
    world: World, app: Client, car: Vehicle, path: str
) -> None:
    await derive(world, car, 7000.0, T0)
    await derive(world, car, 8000.0, T0 + MINUTE)
    world.clock.move(600)
    found = await get(world, app, f"{path}/{POWER}?at={T0 + 1000}")
    assert found["data"]["attributes"]["body"]["value"] == 7000
    assert found["data"]["meta"]["derivedFrom"] == INPUTS
    every = await get(world, app, f"{path}?at={T0 + 1000}")
    assert [each["id"] for each in every["data"]] == [POWER]


async def test_a_stream_of_a_signal_has_its_derived_changes_too(world: World, app: Client, car: Vehicle) -> None:
    async with Listener(world.app, app.headers, query=f"signal={POWER}") as stream:
        await derive(world, car, True, T0, code=CHARGING)
        await derive(world, car, 7000.0)
        (event,) = await stream.events_of(1)
    assert event.data["signal"]["id"] == POWER
    assert event.data["signal"]["meta"]["derivedFrom"] == INPUTS
    assert event.value == 7000


async def test_coverage_counts_a_signal_once_and_says_who_derived_it(world: World, app: Client, car: Vehicle) -> None:
    await derive(world, car, 7000.0)
    found = (await get(world, app, f"/v3/vehicles/{car.id}/coverage"))["data"]
    assert len(found) == len(CATALOGUE)
    reported = {each["code"]: each for each in found}
    assert (reported[POWER]["status"], reported[POWER]["source"]) == ("SUCCESS", f"derived:{RULE}")


async def test_an_export_has_no_derived_value(world: World, car: Vehicle) -> None:
    await derive(world, car, 7000.0)
    await world.report(car, "charge-voltage", {"value": 230})
    seen = [each.signal.code async for stretch in world.store.readings.sightings(Selection()) for each in stretch.sightings]
    assert set(seen) == {"charge-voltage"}


async def test_a_list_names_each_signal_once(world: World, app: Client, car: Vehicle, path: str) -> None:
    await world.report(car, POWER, {"value": 5}, T0)
    await derive(world, car, 7000.0)
    await world.absent(car, "charge-voltage", AbsenceReason.NOT_CAPABLE)
    await derive(world, car, 230.0, code="charge-voltage", rule="voltage/wattage-amperage@1")
    found = (await get(world, app, path))["data"]
    assert [(each["id"], each["attributes"]["body"]["value"]) for each in found] == [("charge-voltage", 230), (POWER, 5)]


async def test_the_flag_itself_is_read_as_derived_by_both_routes(world: World, app: Client, car: Vehicle, path: str) -> None:
    await derive(world, car, True, T0, code=CHARGING, rule="ischarging/detailedchargingstatus@1")
    await derive(world, car, True, T0 + 20 * MINUTE, code=CHARGING, rule="ischarging/detailedchargingstatus@1")
    world.clock.move(1500)
    one = (await get(world, app, f"{path}/{CHARGING}"))["data"]
    (listed,) = (await get(world, app, path))["data"]
    assert one == listed
    assert one["attributes"]["status"]["value"] == "SUCCESS"
    assert one["meta"]["derivedFrom"][0] == "charge-detailedchargingstatus"


def test_a_rule_is_shown_without_the_inputs_that_are_stored_with_it() -> None:
    assert (
        shown(DERIVED, "wattage/voltage-amperage@1 of charge-voltage charge-amperage") == "derived:wattage/voltage-amperage@1"
    )
    assert shown("box of wires", None) == "box of wires"
    assert shown(None, None) is None
