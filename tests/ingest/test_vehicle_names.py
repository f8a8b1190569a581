"""Which car a source means, whatever it calls it."""

import msgspec
import pytest

from chargeport.clock import ManualClock
from chargeport.ingest import vehicle_names
from chargeport.ingest.vehicle_names import VehicleNames
from chargeport.store.protocols import Store
from chargeport.store.records import Page, Vehicle
from feeding import CAR, OTHER, T0


def known(store: Store) -> VehicleNames:
    return VehicleNames(store.vehicles, ManualClock(T0))


@pytest.mark.parametrize("name", [CAR.id, CAR.vin, "ann"])
async def test_a_car_is_found_by_any_of_its_names(store: Store, name: str) -> None:
    assert await known(store).find("box", "generic", name) == CAR.id


async def test_a_short_name_is_looked_for_with_the_source_or_its_dialect_in_front_first(store: Store) -> None:
    await store.vehicles.update_vehicle(msgspec.structs.replace(CAR, aliases=("teslamate:1", "box:2", "3")))
    await store.vehicles.update_vehicle(msgspec.structs.replace(OTHER, aliases=("garage:1", "2", "teslamate:3")))
    of = known(store).find
    assert await of("cars", "teslamate", "1") == CAR.id
    assert await of("garage", "teslamate", "1") == OTHER.id
    assert await of("box", "evcc", "2") == CAR.id
    assert await of("else", "evcc", "2") == OTHER.id
    assert await of("cars", "teslamate", "3") == OTHER.id
    assert await of("else", "evcc", "3") == CAR.id
    assert await of("else", "evcc", "1") is None


async def test_an_unknown_name_is_looked_for_again(store: Store) -> None:
    found = known(store)
    assert await found.find("box", "generic", "bob") is None
    await store.vehicles.update_vehicle(msgspec.structs.replace(OTHER, aliases=("bob",)))
    assert await found.find("box", "generic", "bob") == OTHER.id


async def test_a_name_that_another_car_got_is_noticed_soon(store: Store, clock: ManualClock) -> None:
    names = VehicleNames(store.vehicles, clock)
    assert await names.find("box", "generic", "ann") == CAR.id
    await store.vehicles.update_vehicle(msgspec.structs.replace(CAR, aliases=()))
    await store.vehicles.update_vehicle(msgspec.structs.replace(OTHER, aliases=("ann",)))
    clock.move(vehicle_names.REMEMBERED_S + 1)
    assert await names.find("box", "generic", "ann") == OTHER.id


async def test_a_car_that_is_gone_is_looked_for_anew(store: Store) -> None:
    found = known(store)
    assert await found.find("box", "generic", "ann") == CAR.id
    await store.vehicles.remove_vehicle(CAR.id)
    await store.vehicles.update_vehicle(msgspec.structs.replace(OTHER, aliases=("ann",)))
    found.forget(CAR.id)
    assert await found.find("box", "generic", "ann") == OTHER.id


@pytest.mark.parametrize(
    "name", ["5YJ3E1EA7KF000000", "7b0c6b0e-1b5e-4d6e-9b3f-2f8f5f2a7c11", "7B0C6B0E1B5E4D6E9B3F2F8F5F2A7C22"]
)
async def test_a_vin_or_a_uuid_makes_a_car_known_where_that_is_allowed(store: Store, name: str) -> None:
    names = known(store)
    assert await names.find("box", "generic", name) is None
    assert await names.register(name)
    made = await names.find("box", "generic", name)
    car = await store.vehicles.find_vehicle(name)
    assert car is not None
    assert car.id == made
    assert (car.vin or "") == (name if len(name) == 17 else "")


async def test_any_other_name_makes_no_car_known(store: Store) -> None:
    assert not await known(store).register("my car")
    assert (await store.vehicles.vehicles(Page()))[1] == 2


async def test_the_names_that_are_remembered_are_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vehicle_names, "MAX_NAMES", 3)
    await store.vehicles.add_vehicle(Vehicle(id="many", aliases=tuple(f"name {number}" for number in range(9))))
    found = known(store)
    for number in range(9):
        assert await found.find("box", "generic", f"name {number}") == "many"
    assert len(found._known) == 3
