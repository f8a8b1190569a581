"""The cars of the settings file."""

import pytest

from chargeport.clock import ManualClock
from chargeport.errors import SettingError
from chargeport.runtime.fleet import register
from chargeport.settings import VehicleSettings
from chargeport.store.protocols import Store
from chargeport.store.records import Page
from feeding import CAR, OTHER, T0, pipeline, raw_message, value

VIN = "5YJ3E1EA7KF000000"
CAPACITY, CONNECTOR = "tractionbattery-nominalcapacity", "charge-chargingconnectortype"


async def made_known(store: Store, cars: list[VehicleSettings], clock: ManualClock) -> None:
    await register(store, pipeline(store, clock), cars, clock)


async def test_a_car_is_made_known_once_and_found_again_by_its_names(store: Store, clock: ManualClock) -> None:
    car = VehicleSettings(vin=VIN, aliases=["teslamate:1"], make="Tesla", year=2019)
    for _ in range(2):
        await made_known(store, [car], clock)
    assert (await store.vehicles.vehicles(Page()))[1] == 3
    found = await store.vehicles.find_vehicle("teslamate:1")
    assert found is not None
    assert (found.vin, found.make, found.year, found.model) == (VIN, "Tesla", 2019, None)


async def test_what_the_file_says_is_added_to_what_is_known(store: Store, clock: ManualClock) -> None:
    await made_known(store, [VehicleSettings(vin=CAR.vin, aliases=["box:1"], model="ID.4", powertrain="BEV")], clock)
    found = await store.vehicles.vehicle(CAR.id)
    assert found is not None
    assert (found.aliases, found.model, found.powertrain) == (("ann", "box:1"), "ID.4", "BEV")


async def test_facts_of_the_settings_file_have_precedence_over_reports_of_sources(store: Store, clock: ManualClock) -> None:
    await made_known(store, [VehicleSettings(id=CAR.id, capacity_kwh=77, connector="Type 2")], clock)
    assert await value(store, CONNECTOR) == ("Type 2", "settings")
    whole = pipeline(store, ManualClock(T0 + 1000))
    batch = await whole.take([raw_message({CONNECTOR: "CCS"}, at=T0 + 1000), raw_message({CONNECTOR: "CCS"}, vehicle=OTHER.id)])
    assert batch.stored == 2
    assert await value(store, CONNECTOR) == ("Type 2", "settings")
    assert await value(store, CONNECTOR, OTHER.id) == ("CCS", "car")
    await made_known(store, [VehicleSettings(id=CAR.id, capacity_kwh=77)], clock)
    assert await value(store, CONNECTOR) == ("CCS", "car"), "the file says it no more"
    assert (await value(store, CAPACITY))[1] == "settings"


async def test_a_capacity_is_stored_as_the_vocabulary_has_it(store: Store, clock: ManualClock) -> None:
    await made_known(store, [VehicleSettings(id=CAR.id, capacity_kwh=77)], clock)
    known, source = await value(store, CAPACITY)
    assert source == "settings"
    assert '"capacity":77' in known


@pytest.mark.parametrize(
    ("cars", "reported"),
    [
        ([VehicleSettings(aliases=["a"]), VehicleSettings(aliases=["b", "a"])], "vehicles[1]: 'a' names vehicles[0] already."),
        ([VehicleSettings(vin=VIN), VehicleSettings(vin=VIN)], f"vehicles[1]: '{VIN}' names vehicles[0] already."),
        ([VehicleSettings()], "vehicles[0]: a car needs an id, a vin or an alias."),
        ([VehicleSettings(vin="SHORT")], "vehicles[0].vin: 17 letters and digits are wanted, without I, O and Q."),
        ([VehicleSettings(id="ann")], "vehicles[0].id: 'ann' is no UUID."),
        (
            [VehicleSettings(id="7b0c6b0e-1b5e-4d6e-9b3f-2f8f5f2a7c11", aliases=["ann"])],
            f"vehicles[0].id: this car is known as {CAR.id} already: write that.",
        ),
        (
            [VehicleSettings(vin=VIN), VehicleSettings(id=CAR.id, aliases=[VIN])],
            f"vehicles[1]: '{VIN}' names vehicles[0] already.",
        ),
        ([VehicleSettings(id=CAR.id, connector="unknown")], "vehicles[0]: charge-chargingconnectortype: "),
    ],
)
async def test_what_is_wrong_with_a_car_is_named(
    store: Store, clock: ManualClock, cars: list[VehicleSettings], reported: str
) -> None:
    with pytest.raises(SettingError) as error:
        await made_known(store, cars, clock)
    assert str(error.value).startswith(f"A setting is wrong: {reported}")
