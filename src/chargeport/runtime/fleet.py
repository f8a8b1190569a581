"""The cars of the settings file: made known at each start, with what the file says that no source reports."""

import uuid
from collections.abc import Sequence
from typing import Final

import msgspec

from chargeport.clock import Clock
from chargeport.dialects.table import capacity, value
from chargeport.errors import ConflictError, SettingError
from chargeport.ingest.batch import Batch
from chargeport.ingest.pipeline import Pipeline
from chargeport.settings import VehicleSettings
from chargeport.signals import bodies
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.reading import Entry, Reading
from chargeport.signals.violation import Violation
from chargeport.store.protocols import Store
from chargeport.store.records import Vehicle, is_vin

SOURCE: Final = "settings"  # what `meta.source` says of what the file tells
NAMESPACE: Final = uuid.UUID("b7a1b7f4-5c1d-5f0e-9a53-6d3b6f5b9f10")  # ids of cars that the file gives none


async def make_known(store: Store, pipeline: Pipeline, cars: Sequence[VehicleSettings], clock: Clock) -> None:
    """Make the cars of the file known, or bring what is known up to date. Raises SettingError."""
    _check_names(cars)
    for number, car in enumerate(cars):
        where = f"vehicles[{number}]"
        wanted = _vehicle(car, where, clock.now())
        try:
            known = await store.vehicles.vehicle(wanted.id) or await _called(store, car)
            if known is None:
                known = wanted
                await store.vehicles.add_vehicle(wanted)
            elif car.id is not None and known.id != wanted.id:
                raise SettingError(f"{where}.id: this car is known as {known.id} already: write that.")
            elif (merged := _merged(known, wanted)) != known:
                await store.vehicles.update_vehicle(merged)
        except ConflictError as error:
            raise SettingError(f"{where}: {error}") from error
        facts = _facts(car, known.id, where, clock.now())
        await _drop_others(store, known.id, facts)
        await pipeline.write(Batch.of(facts))


async def _drop_others(store: Store, vehicle_id: str, facts: Sequence[Entry]) -> None:
    """Forget what the file said of a car if there is anything among it that it does not say any more."""
    found = await store.readings.signals(vehicle_id)
    states = () if found is None else (state for states in found.series.values() for state in states)
    if {state.signal for state in states if state.source == SOURCE} - {fact.signal for fact in facts}:
        await store.readings.forget(SOURCE, vehicle_id)


def _check_names(cars: Sequence[VehicleSettings]) -> None:
    """Check that no two tables are of one car, and no name is two cars'. Raises SettingError."""
    known: dict[str, int] = {}
    for number, car in enumerate(cars):
        for name in {each for each in (car.id, car.vin, *car.aliases) if each is not None}:
            if (other := known.setdefault(name, number)) != number:
                raise SettingError(f"vehicles[{number}]: {name!r} names vehicles[{other}] already.")


def names(cars: Sequence[VehicleSettings]) -> set[str]:
    """Return what the file calls cars: whole, and without the source in front."""
    return {name for car in cars for alias in car.aliases for name in (alias, alias.rpartition(":")[2])}


def _vehicle(car: VehicleSettings, where: str, now: int) -> Vehicle:
    if car.vin is not None and not is_vin(car.vin):
        raise SettingError(f"{where}.vin: 17 letters and digits are wanted, without I, O and Q.")
    name = car.vin or next(iter(car.aliases), None)
    if car.id is None and name is None:
        raise SettingError(f"{where}: a car needs an id, a vin or an alias.")
    try:
        vehicle_id = str(uuid.UUID(car.id)) if car.id is not None else str(uuid.uuid5(NAMESPACE, str(name)))
    except ValueError:
        raise SettingError(f"{where}.id: {str(car.id)[:40]!r} is no UUID.") from None
    return Vehicle(
        id=vehicle_id, vin=car.vin, aliases=tuple(dict.fromkeys(car.aliases)), make=car.make, model=car.model, year=car.year,
        powertrain=car.powertrain, created_at=now,
    )  # fmt: skip


async def _called(store: Store, car: VehicleSettings) -> Vehicle | None:
    """Return the car that goes by one of the file's names already."""
    for name in (car.vin, *car.aliases):
        if name is not None and (found := await store.vehicles.find_vehicle(name)) is not None:
            return found
    return None


def _merged(known: Vehicle, wanted: Vehicle) -> Vehicle:
    """Return what is known, with what the file says instead where it says something; names only become more."""
    return msgspec.structs.replace(
        known,
        vin=wanted.vin or known.vin,
        aliases=tuple(dict.fromkeys((*known.aliases, *wanted.aliases))),
        make=wanted.make or known.make,
        model=wanted.model or known.model,
        year=wanted.year or known.year,
        powertrain=wanted.powertrain or known.powertrain,
    )


def _facts(car: VehicleSettings, vehicle_id: str, where: str, now: int) -> list[Entry]:
    """Return what the file says of the car, as readings."""
    said = {
        "tractionbattery-nominalcapacity": None if car.capacity_kwh is None else capacity(car.capacity_kwh, "Settings"),
        "charge-chargingconnectortype": None if car.connector is None else value(car.connector),
    }
    entries: list[Entry] = []
    for code, body in said.items():
        if body is not None:
            signal = BY_CODE[code]
            try:
                entries.append(Reading(vehicle_id, signal, bodies.parse(signal, body), now, now, SOURCE))
            except Violation as found:
                raise SettingError(f"{where}: {code}: {found.detail}.") from None
    return entries
