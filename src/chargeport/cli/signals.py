"""`chargeport signals`: the signals of a vehicle, or a line for each vehicle."""

from typing import Annotated, Any, Final

import msgspec
import typer

from chargeport.cli import rows
from chargeport.cli.database import with_store
from chargeport.cli.finding import called, described, fleet, vehicle_called
from chargeport.cli.options import Database, Fleet, Json
from chargeport.cli.output import print_facts, print_json, print_table, say
from chargeport.cli.times import ago
from chargeport.cli.typed import quoted
from chargeport.clock import SystemClock
from chargeport.errors import NotFoundError
from chargeport.signals.catalogue import BY_CODE, CATALOGUE
from chargeport.signals.definition import Kind, Permission, Signal
from chargeport.store.protocols import Store
from chargeport.store.records import VehicleSeries

_BY_SHORT_NAME: Final = {signal.code.partition("-")[2]: signal for signal in CATALOGUE}

Code = Annotated[
    str | None, typer.Argument(metavar="[CODE]", help="One signal, such as charge-voltage or voltage.", show_default=False)
]

OVERVIEW: Final = {
    "status": BY_CODE["charge-detailedchargingstatus"], "battery": BY_CODE["tractionbattery-stateofcharge"],
    "power": BY_CODE["charge-wattage"], "range": BY_CODE["tractionbattery-range"],
}  # fmt: skip
NO_VEHICLE: Final = "There is no vehicle yet: chargeport vehicle add makes one known."
SHORT_ID: Final = 8


def signals(*, vehicle: Fleet = None, code: Code = None, database: Database = None, as_json: Json = False) -> None:
    """Show the signals of a vehicle that have a value or a known error; with CODE one of them, in full.

    Without VEHICLE, print a line for each vehicle; with a CODE in its place, that signal of each vehicle.
    """
    if vehicle is None or (code is None and is_code(vehicle)):
        show_fleet(None if vehicle is None else named(vehicle), database, as_json)
        return
    signal = None if code is None else named(code)
    if as_json:
        print_json(msgspec.Raw(with_store(database, lambda store: _document(store, vehicle, signal)).encode()))
        return
    found = with_store(database, lambda store: known_of(store, vehicle))
    now = SystemClock().now()
    if signal is not None:
        _print_one(signal, found, now)
        return
    known = sorted((signal for signal in CATALOGUE if found.of(signal, now) is not None), key=lambda signal: signal.code)
    if known:
        say(f"{described(found.vehicle)}  {found.vehicle.id}", "bold")
    empty = f"Nothing was reported of {described(found.vehicle)} ({found.vehicle.id}) yet."
    rows.print_rows((rows.row(signal, found, now) for signal in known), empty)


async def states_of(store: Store, name: str) -> VehicleSeries:
    """Return a car, by any of its names, with the states of its signals. Raises NotFoundError."""
    vehicle = await vehicle_called(store, name)
    return await store.readings.signals(vehicle.id) or VehicleSeries(vehicle, {})


async def known_of(store: Store, name: str) -> rows.Known:
    """Return the same, with the order of sources. Raises NotFoundError."""
    return rows.Known(await states_of(store, name), store.readings.ranks)


async def _document(store: Store, name: str, signal: Signal | None) -> str:
    """Return the document of the API, for a reader with all permissions, with links from the server's root."""
    from chargeport.api.access import Access
    from chargeport.api.reads import ReadRequest, Reads

    vehicle = await vehicle_called(store, name)
    clock = SystemClock()
    read = ReadRequest(vehicle.id, signal.code if signal else None, base="", request_id="", authorization=None)
    return await Reads(store, Access(store, clock), clock).document(read, frozenset(Permission))


def is_code(text: str) -> bool:
    """Return whether a text is a signal's code, with or without its group."""
    return text.lower() in BY_CODE or text.lower() in _BY_SHORT_NAME


def named(code: str) -> Signal:
    """Return the signal with this code, with or without its group. Raises NotFoundError."""
    signal = BY_CODE.get(code.lower()) or _BY_SHORT_NAME.get(code.lower())
    if signal is None:
        raise NotFoundError(f"{quoted(code)} is no signal: chargeport coverage VEHICLE lists the codes.")
    return signal


def _print_one(signal: Signal, found: rows.Known, now: int) -> None:
    from chargeport.wire.envelope import iso

    row = rows.row(signal, found, now)
    counts = found.of(signal, now)
    state = None if counts is None else counts.state
    facts = {"signal": f"{signal.code} ({signal.name})", "meaning": signal.summary, "value": row.value, "age": row.age}
    if state is not None and state.observed_at is not None:
        facts["observed"] = iso(state.observed_at)
    facts |= {"source": row.source}
    if row.why_not.strip():
        facts["why not"] = row.why_not
    print_facts(facts)
    if signal.kind is Kind.DOCUMENT and state is not None and rows.status(counts) == rows.SUCCESS:
        say(msgspec.json.format(str(state.value), indent=2))


def show_fleet(signal: Signal | None, database: str | None, as_json: bool) -> None:
    """Print a line for each vehicle: with one signal, or with several."""
    found, now = with_store(database, _found_fleet), SystemClock().now()
    if as_json:
        print_json([_fleet_fields(car, signal, now) for car in found])
    elif signal is None:
        table = [(car.vehicle.id, called(car.vehicle), *_overview(car, now), _received(car, now)) for car in found]
        columns = ("vehicle", "name", *OVERVIEW, "last received")
        print_table(columns, table, NO_VEHICLE, spare=("range", "vehicle"), short={"vehicle": SHORT_ID})
    else:
        lines = [(car.vehicle.id, called(car.vehicle), rows.row(signal, car, now)) for car in found]
        table = [
            (car, name, row.value, row.age, row.why_not if row.why_not.strip() else row.source) for car, name, row in lines
        ]
        columns = ("vehicle", "name", signal.code, "age", "source, why not")
        print_table(columns, table, NO_VEHICLE, short={"vehicle": SHORT_ID})


async def _found_fleet(store: Store) -> list[rows.Known]:
    found = [await store.readings.signals(vehicle.id) or VehicleSeries(vehicle, {}) for vehicle in await fleet(store)]
    return [rows.Known(series, store.readings.ranks) for series in found]


def _overview(found: rows.Known, now: int) -> list[str]:
    return [rows.row(signal, found, now).value for signal in OVERVIEW.values()]


def _received(found: rows.Known, now: int) -> str | None:
    """Return the age of the newest observation of a car; None without any."""
    observed = [
        state.observed_at for states in found.found.series.values() for state in states if state.observed_at is not None
    ]
    return ago(max(observed, default=None), now)


def _fleet_fields(found: rows.Known, signal: Signal | None, now: int) -> dict[str, Any]:
    """Return a car with the value, age and reason of each reported signal, or of the selected one."""
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
