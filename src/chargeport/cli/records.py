"""`chargeport records`: the charging sessions of a car, how their energy is known, and from what."""

import csv
import sys
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer

from chargeport.cli import configuration, typed
from chargeport.cli.ages import long
from chargeport.cli.database import with_store
from chargeport.cli.finding import fleet
from chargeport.cli.local_clock import local
from chargeport.cli.options import Database, Fleet, Json
from chargeport.cli.output import print_json, print_table, say
from chargeport.cli.signals import states_of
from chargeport.cli.vehicles import called, described
from chargeport.clock import SystemClock
from chargeport.derivation.sessions import SessionDeriver
from chargeport.derive.records.records import Record
from chargeport.errors import StartError
from chargeport.settings import Settings
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.held import derived_of
from chargeport.signals.records import ChargeRecord, ChargeRecords, Cost
from chargeport.store.protocols import Store
from chargeport.store.records import Vehicle, VehicleSeries

RECORDS: Final = BY_CODE["charge-chargerecords"]
COLUMNS: Final = (
    "id", "start", "end", "for", "kWh added", "drawn", "known by", "SoC", "type", "W at most", "place", "public", "cost",
    "sources", "note",
)  # fmt: skip

SPARE: Final = ("note", "sources", "public", "W at most", "known by", "end", "drawn", "type", "place")

From = Annotated[
    int | None, typer.Option("--from", parser=typed.instant, metavar="TIME", help="Begun then or later.", show_default=False)
]
To = Annotated[
    int | None, typer.Option("--to", parser=typed.instant, metavar="TIME", help="Begun before that.", show_default=False)
]


def records(
    *,
    vehicle: Fleet = None,
    start: From = None,
    end: To = None,
    only_open: Annotated[bool, typer.Option("--open", help="Only those that may still go on.")] = False,
    evidence: Annotated[bool, typer.Option("--evidence", help="Show, too, what each is known from.")] = False,
    file: Annotated[
        str | None,
        typer.Option("--csv", metavar="FILE", help="Write them to a file; - for standard output.", show_default=False),
    ] = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Show the charging sessions of a vehicle, or of all, oldest first: also those that go on, and with people's edits.

    Costs and places are those of the server's records, else what the places and tariffs of the settings say.
    """
    settings = configuration.settings()

    async def of(store: Store, found: VehicleSeries) -> list[dict[str, Any]]:
        made = [each for each in await made_of(store, found, settings) if each.session.is_open or not only_open]
        made = [each for each in made if (start or 0) <= each.session.started_at < (end or each.session.started_at + 1)]
        shown, of_car = _shown(found), {"vehicle_id": found.vehicle.id}
        return [fields(each, shown.get(each.id), evidence=evidence) | of_car for each in made]

    async def look(store: Store) -> tuple[dict[str, Vehicle], list[dict[str, Any]]]:
        cars = await fleet(store) if vehicle is None else [(await states_of(store, vehicle)).vehicle]
        rows = [row for car in cars for row in await of(store, await states_of(store, car.id))]
        return {car.id: car for car in cars}, sorted(rows, key=lambda row: str(row["started_at"]))

    cars, rows = with_store(database, look)
    if file is not None:
        _write(file, rows)
    elif as_json:
        print_json(rows)
    else:
        _print(rows, cars, of_fleet=vehicle is None)
        for row in rows if evidence else ():
            say(f"{row['id']}: {'; '.join(_told(fact) for fact in row['evidence'])} (rules {row['rules']})")


def _print(rows: list[dict[str, Any]], cars: dict[str, Vehicle], *, of_fleet: bool) -> None:
    """The records as a table: of one car below its name, of all with each one's."""
    columns: Sequence[str] = COLUMNS
    table = [_row(row) for row in rows]
    if of_fleet:
        columns = ("id", "vehicle", *COLUMNS[1:])
        table = [[line[0], called(cars[row["vehicle_id"]]), *line[1:]] for row, line in zip(rows, table, strict=True)]
    else:
        car = next(iter(cars.values()))
        say(f"{described(car)}  {car.id}", "bold")
    print_table(columns, table, "No charging session is known.", spare=(*SPARE, "SoC", *(("id",) if of_fleet else ())))


async def made_of(store: Store, found: VehicleSeries, settings: Settings | None = None) -> list[Record]:
    """The records of a car as the server makes them."""
    return await SessionDeriver(store, settings or Settings(), SystemClock()).records(found)


def fields(record: Record, shown: ChargeRecord | None = None, *, evidence: bool = False) -> dict[str, Any]:
    """All that is known of a record; cost and place as they were `shown` where they are not known here."""
    from chargeport.wire.envelope import iso

    one = record.session
    place = one.place or (None if shown is None else shown.location)
    is_public = one.is_public if one.is_public is not None or shown is None else shown.isPublicCharger
    document = {
        "id": record.id,
        "started_at": iso(one.started_at),
        "ended_at": None if one.is_open else iso(one.ended_at),
        "is_open": one.is_open,
        "duration_s": (one.ended_at - one.started_at) // 1000,
        "energy_added_kwh": None if one.energy_added_kwh is None else round(one.energy_added_kwh, 2),
        "energy_drawn_kwh": None if one.energy_drawn_kwh is None else round(one.energy_drawn_kwh, 2),
        "energy_method": one.energy_method,
        "is_estimated": one.estimated,
        "start_soc_percent": one.start_soc,
        "end_soc_percent": one.end_soc,
        "charging_type": one.charging_type,
        "max_power_w": one.max_power_w,
        "odometer_km": one.odometer_km,
        "meter_start_kwh": one.meter_start_kwh,
        "meter_end_kwh": one.meter_end_kwh,
        "place": None if place is None else msgspec.to_builtins(place),
        "is_public": is_public,
        "cost": _cost(one.cost or (None if shown is None else shown.cost)),
        "sources": list(one.sources),
        "note": record.note,
        "made_of": list(record.original_ids),
    }
    if evidence:
        document["rules"] = one.evidence.rule_version
        document["evidence"] = [
            {"fact": fact.fact, "signals": list(fact.signals), "from": iso(fact.first_at), "to": iso(fact.last_at),
             "sightings": fact.sightings}
            for fact in one.evidence.facts
        ]  # fmt: skip
    return document


def _shown(found: VehicleSeries) -> dict[str, ChargeRecord]:
    """The records that the server shows, by id."""
    derived = derived_of(found.series, RECORDS)
    if derived is None or derived.value is None:
        return {}
    return {each.id: each for each in msgspec.json.decode(str(derived.value), type=ChargeRecords).values if each.id is not None}


def _cost(cost: Cost | None) -> dict[str, Any] | None:
    if cost is None or cost.currency is None:
        return None
    return {"currency": cost.currency, "amount": round((cost.energyAmount or 0) + (cost.otherAmount or 0), 2)}


def _row(row: dict[str, Any]) -> Sequence[Any]:
    place, cost, socs = row["place"] or {}, row["cost"], (row["start_soc_percent"], row["end_soc_percent"])
    method = row["energy_method"] and row["energy_method"].replace("_", " ") + (", estimated" if row["is_estimated"] else "")
    here = place.get("name") or (f"{place['latitude']}, {place['longitude']}" if place.get("latitude") is not None else None)
    return (
        row["id"], _local(row["started_at"]), "goes on" if row["is_open"] else _local(row["ended_at"]),
        long(row["duration_s"]), row["energy_added_kwh"], row["energy_drawn_kwh"], method,
        None if socs == (None, None) else " → ".join("?" if soc is None else f"{soc:g} %" for soc in socs),
        row["charging_type"], row["max_power_w"], here, {True: "yes", False: "no"}.get(row["is_public"]),
        None if cost is None else f"{cost['amount']:.2f} {cost['currency']}", ", ".join(row["sources"]), row["note"] or " ",
    )  # fmt: skip


def _local(text: str) -> str:
    from datetime import datetime

    return local(round(datetime.fromisoformat(text).timestamp() * 1000), seconds=False)


def _told(fact: dict[str, Any]) -> str:
    return f"{fact['fact'].replace('_', ' ')} by {fact['sightings']} of {', '.join(fact['signals'])}"


def _write(file: str, rows: Iterable[dict[str, Any]]) -> None:
    """The records as a table, one a line, members of members with a dot."""
    flat = [_flat(row) for row in rows]
    names = list(dict.fromkeys(name for row in flat for name in row))
    try:
        with nullcontext(sys.stdout) if file == "-" else Path(file).open("w", encoding="utf-8", newline="") as output:
            writer = csv.DictWriter(output, names)
            writer.writeheader()
            writer.writerows(flat)
    except OSError as error:
        raise StartError(f"{file} can't be written: {error.strerror or error}.") from error


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    place, cost = row["place"] or {}, row["cost"] or {}
    lists = {name: " ".join(row[name]) for name in ("sources", "made_of")}
    rest = {name: value for name, value in row.items() if name not in {"place", "cost", "evidence", *lists}}
    named = {f"place_{name}": place.get(name) for name in ("name", "address", "latitude", "longitude")}
    return rest | named | {f"cost_{name}": cost.get(name) for name in ("amount", "currency")} | lists
