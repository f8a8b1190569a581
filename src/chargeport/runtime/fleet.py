"""The cars of the settings file, with the readings in it; and its order of sources, by which values are ranked.

The cars are added or updated at each start.
"""

import uuid
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from chargeport.clock import Clock
from chargeport.dialects.table import capacity, value
from chargeport.errors import ConflictError, SettingError
from chargeport.ingest.batch import Batch
from chargeport.ingest.dialects import ordered, stations
from chargeport.ingest.pipeline import Pipeline
from chargeport.settings import Settings, VehicleSettings
from chargeport.signals import bodies
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.ranks import Ranks
from chargeport.signals.reading import Entry, Reading
from chargeport.signals.violation import Violation
from chargeport.store.protocols import Readings, Store
from chargeport.store.records import Vehicle, is_vin

SOURCE: Final = "settings"  # `meta.source` of readings of the file
NAMESPACE: Final = uuid.UUID("b7a1b7f4-5c1d-5f0e-9a53-6d3b6f5b9f10")  # of the ids of cars without an id in the file

OTHER_NAMES: Final = ("http", SOURCE)
"""`meta.source` of POST /ingest/readings and of the settings file."""


async def register(store: Store, pipeline: Pipeline, cars: Sequence[VehicleSettings], clock: Clock) -> None:
    """Add the cars of the file, or update them. Raises SettingError."""
    _check_names(cars)
    for number, car in enumerate(cars):
        where = f"vehicles[{number}]"
        configured = _vehicle(car, where, clock.now())
        try:
            known = await store.vehicles.vehicle(configured.id) or await _called(store, car)
            if known is None:
                known = configured
                await store.vehicles.add_vehicle(configured)
            elif car.id is not None and known.id != configured.id:
                raise SettingError(f"{where}.id: this car is known as {known.id} already: write that.")
            elif (merged := _merged(known, configured)) != known:
                await store.vehicles.update_vehicle(merged)
        except ConflictError as error:
            raise SettingError(f"{where}: {error}") from error
        facts = _facts(car, known.id, where, clock.now())
        await _drop_others(store, known.id, facts)
        await pipeline.write(Batch.of(facts))


async def _drop_others(store: Store, vehicle_id: str, facts: Sequence[Entry]) -> None:
    """Remove the readings of the file for a car if one of their signals is no longer in the file."""
    found = await store.readings.signals(vehicle_id)
    states = () if found is None else (state for states in found.series.values() for state in states)
    if {state.signal for state in states if state.source == SOURCE} - {fact.signal for fact in facts}:
        await store.readings.forget(SOURCE, vehicle_id)


def _check_names(cars: Sequence[VehicleSettings]) -> None:
    """Check that each name belongs to one table. Raises SettingError."""
    known: dict[str, int] = {}
    for number, car in enumerate(cars):
        for name in {name for name in (car.id, car.vin, *car.aliases) if name is not None}:
            if (other := known.setdefault(name, number)) != number:
                raise SettingError(f"vehicles[{number}]: {name!r} names vehicles[{other}] already.")


def names(cars: Sequence[VehicleSettings]) -> set[str]:
    """Return the aliases of the file, with and without their source prefix."""
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
    """Return the stored car that has one of the file's names."""
    for name in (car.vin, *car.aliases):
        if name is not None and (found := await store.vehicles.find_vehicle(name)) is not None:
            return found
    return None


def _merged(known: Vehicle, configured: Vehicle) -> Vehicle:
    """Return the stored car with the members that the file has; its names are added."""
    return msgspec.structs.replace(
        known,
        vin=configured.vin or known.vin,
        aliases=tuple(dict.fromkeys((*known.aliases, *configured.aliases))),
        make=configured.make or known.make,
        model=configured.model or known.model,
        year=configured.year or known.year,
        powertrain=configured.powertrain or known.powertrain,
    )


def _facts(car: VehicleSettings, vehicle_id: str, where: str, now: int) -> list[Entry]:
    """Return the readings of a car in the file."""
    stated = {
        "tractionbattery-nominalcapacity": None if car.capacity_kwh is None else capacity(car.capacity_kwh, "Settings"),
        "charge-chargingconnectortype": None if car.connector is None else value(car.connector),
    }
    entries: list[Entry] = []
    for code, body in stated.items():
        if body is not None:
            signal = BY_CODE[code]
            try:
                entries.append(Reading(vehicle_id, signal, bodies.parse(signal, body), now, now, SOURCE))
            except Violation as violation:
                raise SettingError(f"{where}: {code}: {violation.detail}.") from None
    return entries


async def check_order(readings: Readings, settings: Settings, dialects: Iterable[str]) -> None:
    """Refuse an order with the name of an unknown source. Raises SettingError, StoreError."""
    configured = {str(source["name"]) for source in settings.sources if "name" in source}
    names = {*OTHER_NAMES, *dialects, *configured, *await readings.sources()}
    ordered(settings.precedence.order, names)


def apply_order(readings: Readings, settings: Settings) -> None:
    """Set the settings' order for all readers of the store. Raises SettingError for an unknown signal."""
    names = {name for order in settings.precedence.order.values() for name in order}
    readings.set_ranks(Ranks(ordered(settings.precedence.order, names), stations(settings)))
