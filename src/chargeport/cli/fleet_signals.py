"""`chargeport signals` without a vehicle: a line for each one, with what matters most, or with one signal of each."""

from typing import Any, Final

from chargeport.cli import rows
from chargeport.cli.ages import ago
from chargeport.cli.database import with_store
from chargeport.cli.finding import fleet
from chargeport.cli.output import print_json, print_table
from chargeport.cli.vehicle_texts import called
from chargeport.clock import SystemClock
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.definition import Signal
from chargeport.store.protocols import Store
from chargeport.store.records import Vehicle, VehicleSeries

SHOWN: Final = {
    "status": BY_CODE["charge-detailedchargingstatus"], "battery": BY_CODE["tractionbattery-stateofcharge"],
    "power": BY_CODE["charge-wattage"], "range": BY_CODE["tractionbattery-range"],
}  # fmt: skip
NO_VEHICLE: Final = "There is no vehicle yet: chargeport vehicle add makes one known."
SHORT_ID: Final = 8


def show(signal: Signal | None, database: str | None, as_json: bool) -> None:
    """Print a line for each vehicle: of one signal, or of several."""
    found, now = with_store(database, _found), SystemClock().now()
    if as_json:
        print_json([_fields(car, signal, now) for car in found])
    elif signal is None:
        table = [(car.vehicle.id, called(car.vehicle), *_overview(car, now), _received(car, now)) for car in found]
        columns = ("vehicle", "name", *SHOWN, "last received")
        print_table(columns, table, NO_VEHICLE, spare=("range", "vehicle"), short={"vehicle": SHORT_ID})
    else:
        lines = [(car.vehicle.id, called(car.vehicle), rows.row(signal, car, now)) for car in found]
        table = [
            (car, name, row.value, row.age, row.why_not if row.why_not.strip() else row.source) for car, name, row in lines
        ]
        columns = ("vehicle", "name", signal.code, "age", "source, why not")
        print_table(columns, table, NO_VEHICLE, short={"vehicle": SHORT_ID})


async def _found(store: Store) -> list[rows.Known]:
    return [await _series(store, vehicle) for vehicle in await fleet(store)]


async def _series(store: Store, vehicle: Vehicle) -> rows.Known:
    found = await store.readings.signals(vehicle.id) or VehicleSeries(vehicle, {})
    return rows.Known(found, store.readings.ranks)


def _overview(found: rows.Known, now: int) -> list[str]:
    return [rows.row(signal, found, now).value for signal in SHOWN.values()]


def _received(found: rows.Known, now: int) -> str | None:
    """Return how long ago anything was last observed of a car; None if nothing was."""
    observed = [
        state.observed_at for states in found.found.series.values() for state in states if state.observed_at is not None
    ]
    return ago(max(observed, default=None), now)


def _fields(found: rows.Known, signal: Signal | None, now: int) -> dict[str, Any]:
    """Return a car with the value, age and reason of each signal that has any, or of the one that was asked for."""
    shown = (signal,) if signal is not None else tuple(BY_CODE.values())
    lines = [rows.row(signal, found, now) for signal in shown]
    known = [line for line in lines if signal is not None or line.why_not != rows.NEVER]
    return {
        "id": found.vehicle.id, "vin": found.vehicle.vin, "name": called(found.vehicle),
        "signals": [
            {"code": line.code, "value": line.value, "age": line.age, "source": line.source,
             "why_not": line.why_not.strip() or None}
            for line in known
        ],
    }  # fmt: skip
