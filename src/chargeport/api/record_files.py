"""Charging sessions as a file to keep, CSV or Parquet, with the same columns whatever is known of them."""

import csv
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, Final

from chargeport.api.record_rows import FORM, Row
from chargeport.api.response import Header
from chargeport.derivation.record_fields import flat
from chargeport.errors import MALFORMED, ChargeportError, Problem
from chargeport.ingest.cells import escape_formula
from chargeport.ingest.parquet import FLAG, INTEGER, NUMBER, TEXT, ParquetFile

Sink = Callable[[list[Row]], None]

FILES: Final = ("text/csv", "application/vnd.apache.parquet")
KINDS: Final[dict[str, Header]] = {
    "csv": (b"content-type", f"{FILES[0]}; charset=utf-8".encode()),
    "parquet": (b"content-type", FILES[1].encode()),
}
NAME: Final = "charging-sessions.{}"
GROUP: Final = 8_192  # rows of Parquet that are written at once

COLUMNS: Final = {
    "id": TEXT, "started_at": TEXT, "ended_at": TEXT, "is_open": FLAG, "duration_s": INTEGER,
    "energy_added_kwh": NUMBER, "energy_drawn_kwh": NUMBER, "energy_method": TEXT, "is_estimated": FLAG,
    "energy_low_kwh": NUMBER, "energy_high_kwh": NUMBER, "start_soc_percent": NUMBER, "end_soc_percent": NUMBER,
    "charging_type": TEXT, "max_power_w": NUMBER, "odometer_km": NUMBER, "meter_start_kwh": NUMBER,
    "meter_end_kwh": NUMBER, "is_public": FLAG, "note": TEXT, "rules": TEXT, "vehicle_id": TEXT,
    "place_name": TEXT, "place_address": TEXT, "place_latitude": NUMBER, "place_longitude": NUMBER,
    "cost_amount": NUMBER, "cost_currency": TEXT, "sources": TEXT, "made_of": TEXT,
}  # fmt: skip
"""What `flat` makes of a row, with the type that Parquet keeps it in."""


@contextmanager
def opened(form: str, output: BinaryIO) -> Iterator[Sink]:
    """Open a sink that writes rows of records. Raises Problem (400) where the form needs a package that is missing."""
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
