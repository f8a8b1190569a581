"""`chargeport record add` and `record import`: sessions that no source of the server reported."""

import sys
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer

from chargeport.cli import typed
from chargeport.cli.database import with_store
from chargeport.cli.finding import every, vehicle_called
from chargeport.cli.importing import TimeFormat, Zone
from chargeport.cli.list_vehicles import names_of
from chargeport.cli.options import Database, Json, VehicleName
from chargeport.cli.output import print_json, say
from chargeport.cli.session_lists import COLUMNS, Read, read
from chargeport.clock import SystemClock
from chargeport.derivation import record_changes, reported_sessions
from chargeport.derive.records.edits import Imported
from chargeport.derive.records.records import wire_instant
from chargeport.derive.records.reported import Listed, distinct
from chargeport.errors import ChargeportError, StartError
from chargeport.signals.documents import ChargingType
from chargeport.signals.records import MAX_ENERGY_KWH, MAX_READING, ChargeRecord, Cost, Place
from chargeport.store.protocols import Store
from chargeport.store.records import Vehicle

STDIN: Final = "-"
SHOWN: Final = 10
UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")  # the first bytes of a file of Excel's "Unicode text"
HUNDRED: Final = 100

Drawn = Annotated[
    float | None,
    typer.Option(min=0, max=MAX_ENERGY_KWH, metavar="KWH", help="Energy drawn from the station.", show_default=False),
]
StartSoc = Annotated[
    float | None, typer.Option(min=0, max=HUNDRED, metavar="PERCENT", help="State of charge at the start.", show_default=False)
]
EndSoc = Annotated[
    float | None, typer.Option(min=0, max=HUNDRED, metavar="PERCENT", help="State of charge at the end.", show_default=False)
]
MeterStart = Annotated[
    float | None,
    typer.Option(min=0, max=MAX_READING, metavar="KWH", help="The meter's register at the start.", show_default=False),
]
MeterEnd = Annotated[
    float | None,
    typer.Option(min=0, max=MAX_READING, metavar="KWH", help="The meter's register at the end.", show_default=False),
]


def add(
    *,
    vehicle: VehicleName,
    start: Annotated[int, typer.Option("--from", parser=typed.instant, metavar="TIME", help="When charging began.")],
    end: Annotated[int, typer.Option("--to", parser=typed.instant, metavar="TIME", help="When it ended.")],
    energy: Annotated[
        float | None,
        typer.Option("--energy", min=0, max=MAX_ENERGY_KWH, metavar="KWH", help="Energy added.", show_default=False),
    ] = None,
    drawn: Drawn = None,
    start_soc: StartSoc = None,
    end_soc: EndSoc = None,
    meter_start: MeterStart = None,
    meter_end: MeterEnd = None,
    odometer: Annotated[
        float | None, typer.Option(min=0, max=MAX_READING, metavar="KM", help="The car's odometer.", show_default=False)
    ] = None,
    kind: Annotated[str | None, typer.Option("--type", metavar="AC|DC", help="Of the charger.", show_default=False)] = None,
    place: Annotated[
        str | None, typer.Option(parser=typed.label, metavar="NAME", help="Name of the place.", show_default=False)
    ] = None,
    public: Annotated[
        bool | None, typer.Option("--public/--private", help="Whether the charger was public.", show_default=False)
    ] = None,
    cost: Annotated[float | None, typer.Option(min=0, metavar="AMOUNT", help="Its cost.", show_default=False)] = None,
    currency: Annotated[str | None, typer.Option(metavar="CODE", help="Of the cost: EUR.", show_default=False)] = None,
    note: Annotated[str | None, typer.Option(parser=typed.label, metavar="TEXT", help="A note.", show_default=False)] = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Add a session that no source reported; if there is a record of the same time, complete it."""
    if (cost is None) is not (currency is None):
        raise typer.BadParameter("--cost and --currency are needed both, or neither.")
    paid = None if cost is None else Cost(currency, cost)
    where = None if place is None else Place(name=place)
    record = ChargeRecord(
        wire_instant(start), wire_instant(end), start_soc, end_soc, energy, public, _charging_type(kind), paid, where,
        odometer=odometer, meterStart=meter_start, meterEnd=meter_end,
    )  # fmt: skip
    now = SystemClock().now()

    async def keep(store: Store) -> tuple[int, str]:
        car = await vehicle_called(store, vehicle)
        try:
            edit = record_changes.by_hand(car.id, record, now, note=note, drawn_kwh=drawn)
        except ChargeportError as error:
            raise typer.BadParameter(str(error)) from None
        return await store.sessions.add_edit(car.id, now, msgspec.json.encode(edit).decode()), edit.record_id

    number, record_id = with_store(database, keep)
    if as_json:
        print_json({"number": number, "id": record_id})
    else:
        say(f"Stored as edit {number}, record {record_id}; chargeport record undo takes it back.")


def _charging_type(text: str | None) -> ChargingType | None:
    found = None if text is None else text.upper()
    if found not in (None, "AC", "DC"):
        raise typer.BadParameter(f"{typed.quoted(text or '')} is no charging type: write AC or DC.")
    return found  # type: ignore[return-value]


def import_list(
    *,
    names: Annotated[
        list[str],
        typer.Argument(metavar="[VEHICLE] FILE", help="CSV or JSON; - for standard input.", show_default=False),
    ],
    source: Annotated[str, typer.Option(parser=typed.label, metavar="NAME", help="Source of the records.")] = "import",
    column: Annotated[
        list[str] | None,
        typer.Option(metavar="MEMBER=COLUMN", help=f"Which column holds {', '.join(COLUMNS)}.", show_default=False),
    ] = None,
    zone: Zone = None,
    currency: Annotated[str | None, typer.Option(metavar="CODE", help="Currency if none is given.", show_default=False)] = None,
    time_format: TimeFormat = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, store nothing.")] = False,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Import a list of sessions: of `records --csv`, evcc, TeslaFi, TeslaMate, or with columns of your own.

    Sessions that are in the database already are not duplicated. Exits with 1 when a row was refused.
    """
    *vehicles, file = names
    if len(vehicles) > 1:
        raise typer.BadParameter("one vehicle and one file are wanted.")
    now = SystemClock().now()
    text, members = _text(file), _columns(column or [])

    async def keep(store: Store) -> tuple[Read, int | None]:
        car = await _car(store, vehicles)
        found = read(
            text, source, now, columns=members, zone=zone, currency=currency, time_format=time_format, names=names_of(car)
        )
        sessions = distinct(found.sessions)
        if dry_run or not sessions:
            return found, None
        await reported_sessions.keep(store, car.id, [Listed(source, now, sessions)])
        edit = Imported(source, now, len(sessions))
        return found, await store.sessions.add_edit(car.id, now, msgspec.json.encode(edit).decode())

    found, number = with_store(database, keep)
    _tell(found, number, as_json)
    if found.refused:
        raise typer.Exit(1)


async def _car(store: Store, names: list[str]) -> Vehicle:
    if names:
        return await vehicle_called(store, names[0])
    cars = await every(store.vehicles.vehicles)
    if len(cars) != 1:
        raise ChargeportError(f"There are {len(cars)} vehicles: name the vehicle of these sessions before the file.")
    return cars[0]


def _columns(texts: list[str]) -> dict[str, str]:
    found = {}
    for value in texts:
        member, equals, header = value.partition("=")
        if not equals or member not in COLUMNS:
            raise typer.BadParameter(f"--column {typed.quoted(value)}: write MEMBER=COLUMN; members are {', '.join(COLUMNS)}.")
        found[member] = header
    return found


def _text(file: str) -> str:
    try:
        content = sys.stdin.buffer.read() if file == STDIN else Path(file).read_bytes()
        return content.decode("utf-16" if content.startswith(UTF_16) else "utf-8-sig")
    except OSError as error:
        raise StartError(f"{file} can't be read: {error.strerror or error}.") from error
    except UnicodeDecodeError:
        raise ChargeportError(f"{file} is neither UTF-8 nor UTF-16: save it as CSV UTF-8.") from None


def _tell(found: Read, number: int | None, as_json: bool) -> None:
    if as_json:
        document: dict[str, Any] = {
            "number": number,
            "sessions": len(found.sessions),
            "refused": [{"row": row.number, "reason": row.reason} for row in found.refused],
            "unknown_columns": found.unknown,
            "other_vehicles": found.others,
        }
        print_json(document)
        return
    say(f"{len(found.sessions)} sessions, {len(found.refused)} rows refused.")
    for row in found.refused[:SHOWN]:
        say(f"row {row.number}: {row.reason}")
    if len(found.refused) > SHOWN:
        say(f"and {len(found.refused) - SHOWN} more: --json shows all.")
    if found.others:
        say(f"Rows of other vehicles: {', '.join(f'{name} ({count})' for name, count in found.others.items())}.")
    if found.unknown:
        say(f"Columns that mean nothing here: {', '.join(found.unknown)}.")
    if number is not None:
        say(f"Stored as edit {number}; chargeport record undo takes it back.")
