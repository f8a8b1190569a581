"""`chargeport records`: the charging sessions of a car, with the method and the evidence of their energy."""

import csv
import sys
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import typer

from chargeport.cli import configuration, typed
from chargeport.cli.database import with_store
from chargeport.cli.finding import called, described, fleet
from chargeport.cli.options import Database, Fleet, Json
from chargeport.cli.output import console, print_json, print_table, say
from chargeport.cli.plot import bars
from chargeport.cli.signals import states_of
from chargeport.cli.times import local, long
from chargeport.clock import SystemClock
from chargeport.derivation.record_fields import fields, flat, shown_of
from chargeport.derivation.sessions import SessionDeriver
from chargeport.derive.records.records import Record
from chargeport.errors import StartError
from chargeport.ingest.cells import escape_formula
from chargeport.settings import Settings
from chargeport.store.audit import Act
from chargeport.store.protocols import Store
from chargeport.store.records import Vehicle, VehicleSeries

COLUMNS: Final = (
    "id", "start", "end", "for", "kWh added", "drawn", "known by", "SoC", "type", "W at most", "place", "public", "cost",
    "sources", "note",
)  # fmt: skip

SPARE: Final = ("note", "sources", "public", "W at most", "known by", "end", "drawn", "type", "place")

From = Annotated[
    int | None, typer.Option("--from", parser=typed.instant, metavar="TIME", help="Started then or later.", show_default=False)
]
To = Annotated[
    int | None, typer.Option("--to", parser=typed.instant, metavar="TIME", help="Started before this time.", show_default=False)
]


def records(
    *,
    vehicle: Fleet = None,
    start: From = None,
    end: To = None,
    only_open: Annotated[bool, typer.Option("--open", help="Only those that may continue.")] = False,
    evidence: Annotated[bool, typer.Option("--evidence", help="Also show the evidence of each.")] = False,
    file: Annotated[
        str | None,
        typer.Option("--csv", metavar="FILE", help="Write them to a file; - for standard output.", show_default=False),
    ] = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Show the charging sessions of a vehicle, or of all, oldest first: also open ones, and with people's edits.

    Costs and places are those of the server's records, else from the places and tariffs of the settings.
    """
    settings, wanted = configuration.settings(), _Wanted(start, end, only_open)

    async def look(store: Store) -> tuple[dict[str, Vehicle], list[dict[str, Any]]]:
        cars = await fleet(store) if vehicle is None else [(await states_of(store, vehicle)).vehicle]
        rows = [row for car in cars for row in await _rows(store, car.id, settings, wanted, evidence=evidence)]
        if file is not None:
            await store.audit.add(Act.EXPORTED, cars[0].id if len(cars) == 1 else "", f"{len(rows)} records as csv")
        return {car.id: car for car in cars}, sorted(rows, key=lambda row: str(row["started_at"]))

    cars, rows = with_store(database, look)
    if file is not None:
        _write(file, rows)
    elif as_json:
        print_json(rows)
    else:
        _print(rows, cars, of_fleet=vehicle is None)
        _plot(rows)
        for row in rows if evidence else ():
            say(f"{row['id']}: {'; '.join(_fact_text(fact) for fact in row['evidence'])} (rules {row['rules']})")


class _Wanted(NamedTuple):
    """The selection of records: those that began from `start` on and before `end`; with `only_open`, only open ones."""

    start: int | None
    end: int | None
    only_open: bool

    def has(self, record: Record) -> bool:
        started_at = record.session.started_at
        is_in_time = (self.start is None or self.start <= started_at) and (self.end is None or started_at < self.end)
        return is_in_time and (record.session.is_open or not self.only_open)


async def _rows(store: Store, vehicle_id: str, settings: Settings, wanted: _Wanted, *, evidence: bool) -> list[dict[str, Any]]:
    """Return the selected records of a vehicle as rows."""
    found = await states_of(store, vehicle_id)
    shown = shown_of(found)
    made = filter(wanted.has, await made_of(store, found, settings))
    return [fields(record, shown.get(record.id), evidence=evidence) | {"vehicle_id": vehicle_id} for record in made]


def _print(rows: list[dict[str, Any]], cars: dict[str, Vehicle], *, of_fleet: bool) -> None:
    """Print the records as a table: of one car below its name, of all with a column of names."""
    columns: Sequence[str] = COLUMNS
    table = [_row(row) for row in rows]
    if of_fleet:
        columns = ("id", "vehicle", *COLUMNS[1:])
        table = [[line[0], called(cars[row["vehicle_id"]]), *line[1:]] for row, line in zip(rows, table, strict=True)]
    else:
        car = next(iter(cars.values()))
        say(f"{described(car)}  {car.id}", "bold")
    print_table(columns, table, "No charging session is stored.", spare=(*SPARE, "SoC", *(("id",) if of_fleet else ())))


def _plot(rows: list[dict[str, Any]]) -> None:
    """Print the energy of each month as a bar, in a terminal."""
    months: dict[str, float] = {}
    for row in rows:
        month = _local(row["started_at"])[:7]
        months[month] = months.get(month, 0.0) + (row["energy_added_kwh"] or 0.0)
    if console().is_terminal and len(months) > 1:
        say(bars([(month, energy, f"{energy:.1f} kWh") for month, energy in months.items()], console().width))


async def made_of(store: Store, found: VehicleSeries, settings: Settings | None = None) -> list[Record]:
    """Return the records of a car as the server computes them."""
    return await SessionDeriver(store, settings or Settings(), SystemClock()).records(found)


def _row(row: dict[str, Any]) -> Sequence[Any]:
    place, cost, socs = row["place"] or {}, row["cost"], (row["start_soc_percent"], row["end_soc_percent"])
    method = row["energy_method"] and row["energy_method"].replace("_", " ") + (", estimated" if row["is_estimated"] else "")
    if row["energy_low_kwh"] is not None:
        method = f"{method}: {row['energy_low_kwh']:g} to {row['energy_high_kwh']:g}"
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


def _fact_text(fact: dict[str, Any]) -> str:
    return f"{fact['fact'].replace('_', ' ')} by {fact['sightings']} of {', '.join(fact['signals'])}"


def _write(file: str, rows: Iterable[dict[str, Any]]) -> None:
    """Write the records as a CSV table, one a line. Raises StartError."""
    lines = [flat(row) for row in rows]
    names = list(dict.fromkeys(name for line in lines for name in line))
    try:
        with nullcontext(sys.stdout) if file == "-" else Path(file).open("w", encoding="utf-8", newline="") as output:
            writer = csv.DictWriter(output, names)
            writer.writeheader()
            writer.writerows({name: escape_formula(value) for name, value in line.items()} for line in lines)
    except OSError as error:
        raise StartError(f"{file} can't be written: {error.strerror or error}.") from error
