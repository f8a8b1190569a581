"""Charging sessions as rows, for those that match the filters and that the caller may see; and as CSV and Parquet files."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO, Final

from chargeport.api import instants, paging
from chargeport.api.request import Request
from chargeport.api.response import Header
from chargeport.derivation.record_fields import fields, flat, shown_of
from chargeport.errors import MALFORMED, ChargeportError, Problem
from chargeport.ingest.cells import escape_formula
from chargeport.ingest.parquet import FLAG, INTEGER, NUMBER, TEXT, ParquetFile
from chargeport.signals.definition import Permission
from chargeport.wire.envelope import iso

VEHICLE, FROM, TO, PLACE, TYPE = "filter[vehicleId]", "filter[from]", "filter[to]", "filter[place]", "filter[type]"
FORM, ORDER = "format", "order"
FORMS: Final = ("json", "csv", "parquet")
TYPES: Final = ("AC", "DC")
BY_TIME, BY_VEHICLE = "time", "vehicle"
ORDERS: Final = (BY_TIME, BY_VEHICLE)

Row = dict[str, Any]

Sink = Callable[[list[Row]], None]
FILE_TYPES: Final = ("text/csv", "application/vnd.apache.parquet")
FILE_KINDS: Final[dict[str, Header]] = {
    "csv": (b"content-type", f"{FILE_TYPES[0]}; charset=utf-8".encode()),
    "parquet": (b"content-type", FILE_TYPES[1].encode()),
}
FILE_NAME: Final = "charging-sessions.{}"
GROUP: Final = 8_192  # rows of Parquet that are written at a time
COLUMNS: Final = {
    "id": TEXT, "started_at": TEXT, "ended_at": TEXT, "is_open": FLAG, "duration_s": INTEGER,
    "energy_added_kwh": NUMBER, "energy_drawn_kwh": NUMBER, "energy_method": TEXT, "is_estimated": FLAG,
    "energy_low_kwh": NUMBER, "energy_high_kwh": NUMBER, "start_soc_percent": NUMBER, "end_soc_percent": NUMBER,
    "charging_type": TEXT, "max_power_w": NUMBER, "odometer_km": NUMBER, "meter_start_kwh": NUMBER,
    "meter_end_kwh": NUMBER, "is_public": FLAG, "note": TEXT, "rules": TEXT, "vehicle_id": TEXT,
    "place_name": TEXT, "place_address": TEXT, "place_latitude": NUMBER, "place_longitude": NUMBER,
    "cost_amount": NUMBER, "cost_currency": TEXT, "sources": TEXT, "made_of": TEXT,
}  # fmt: skip
"""The members of a row that `flat` returns, with their types in Parquet."""


def parameters_of(request: Request) -> dict[str, str]:
    """Return the query, with its instants in the format of the wire. Raises Problem (400)."""
    paging.only_filters(request.query, VEHICLE, FROM, TO, PLACE, TYPE)
    parameters = dict(request.query)
    for name, values in ((FORM, FORMS), (TYPE, TYPES), (ORDER, ORDERS)):
        if name in parameters and parameters[name] not in values:
            raise Problem(MALFORMED, f"{name} is one of {', '.join(values)}, not {parameters[name][:40]!r}.")
    return parameters | {name: iso(instants.instant(name, parameters[name])) for name in (FROM, TO) if name in parameters}


async def rows_of(request: Request, vehicle_ids: Sequence[str], parameters: dict[str, str]) -> list[Row]:
    """Return the sessions of these vehicles that match, in the order of the vehicles and of the sessions' start.

    Places are included if the caller may see them.
    """
    allowed = await request.context.access.permissions_on(await request.grant(), vehicle_ids, request.user_id)
    readable = [vehicle_id for vehicle_id in vehicle_ids if Permission.READ_CHARGE_RECORDS in allowed.get(vehicle_id, ())]
    series = await request.context.store.readings.signals_of(readable)
    rows = list[Row]()
    for vehicle_id, found in ((id_, series[id_]) for id_ in readable if id_ in series):
        shown = shown_of(found)
        hidden = {} if Permission.READ_CHARGE_LOCATIONS in allowed[vehicle_id] else {"place": None}
        made = [fields(record, shown.get(record.id), evidence=True) for record in await request.context.sessions.records(found)]
        own = [row | {"vehicle_id": vehicle_id} | hidden for row in made]
        rows += sorted((row for row in own if _fits(row, parameters)), key=lambda row: str(row["started_at"]))
    return rows


def _fits(row: Row, parameters: dict[str, str]) -> bool:
    started = row["started_at"]
    if FROM in parameters and started < parameters[FROM]:
        return False
    if TO in parameters and started >= parameters[TO]:
        return False
    place = (row["place"] or {}).get("name") or ""
    return parameters.get(PLACE, place) == place and parameters.get(TYPE, row["charging_type"]) == row["charging_type"]


@contextmanager
def opened_file(form: str, output: BinaryIO) -> Iterator[Sink]:
    """Open a sink that writes rows of records. Raises Problem (400) if the format needs a package that is missing."""
    if form == "parquet":
        try:
            table = ParquetFile(output, COLUMNS, GROUP)
        except ChargeportError as error:  # a package is missing
            raise Problem(MALFORMED, f"{FORM}: {error}") from None
        yield lambda rows: table.add(map(_fields, rows))
        table.close()
    else:
        output.write((",".join(COLUMNS) + "\r\n").encode())
        yield lambda rows: _write_lines(output, rows)


def _write_lines(output: BinaryIO, rows: list[Row]) -> None:
    text = io.StringIO(newline="")
    csv.DictWriter(text, list(COLUMNS)).writerows(
        {name: escape_formula(value) for name, value in flat(row).items()} for row in rows
    )
    output.write(text.getvalue().encode())


def _fields(row: Row) -> tuple[object, ...]:
    """Return a row of the Parquet file, in the order of its columns."""
    found = flat(row)
    return tuple(found.get(name) for name in COLUMNS)
