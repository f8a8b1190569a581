"""Charging sessions as a file to keep, CSV or Parquet, with the same columns whatever is known of them."""

import csv
import importlib
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, Final

from chargeport.api.record_rows import Row
from chargeport.api.response import Header
from chargeport.derivation.record_fields import flat
from chargeport.errors import MALFORMED, Problem
from chargeport.ingest.cells import shielded
from chargeport.installation import add_extra

Sink = Callable[[list[Row]], None]

FILES: Final = ("text/csv", "application/vnd.apache.parquet")
KINDS: Final[dict[str, Header]] = {
    "csv": (b"content-type", f"{FILES[0]}; charset=utf-8".encode()),
    "parquet": (b"content-type", FILES[1].encode()),
}
NAME: Final = "charging-sessions.{}"
GROUP: Final = 8_192  # rows of Parquet that are gathered before they are written: fewer pack badly, more cost memory

_TEXT, _NUMBER, _FLAG = "string", "double", "bool"
COLUMNS: Final = {
    "id": _TEXT, "started_at": _TEXT, "ended_at": _TEXT, "is_open": _FLAG, "duration_s": "int64",
    "energy_added_kwh": _NUMBER, "energy_drawn_kwh": _NUMBER, "energy_method": _TEXT, "is_estimated": _FLAG,
    "energy_low_kwh": _NUMBER, "energy_high_kwh": _NUMBER, "start_soc_percent": _NUMBER, "end_soc_percent": _NUMBER,
    "charging_type": _TEXT, "max_power_w": _NUMBER, "odometer_km": _NUMBER, "meter_start_kwh": _NUMBER,
    "meter_end_kwh": _NUMBER, "is_public": _FLAG, "note": _TEXT, "rules": _TEXT, "vehicle_id": _TEXT,
    "place_name": _TEXT, "place_address": _TEXT, "place_latitude": _NUMBER, "place_longitude": _NUMBER,
    "cost_amount": _NUMBER, "cost_currency": _TEXT, "sources": _TEXT, "made_of": _TEXT,
}  # fmt: skip
"""What `flat` makes of a row, with the type that Parquet keeps it in."""


@contextmanager
def opened(form: str, output: BinaryIO) -> Iterator[Sink]:
    """Open a sink that writes rows of records. Raises Problem (400) where the form needs a package that is missing."""
    if form == "parquet":
        table = _Parquet(output)
        yield table.add
        table.close()
    else:
        output.write((",".join(COLUMNS) + "\r\n").encode())
        yield lambda rows: _write_lines(output, rows)


def _write_lines(output: BinaryIO, rows: list[Row]) -> None:
    text = io.StringIO(newline="")
    csv.DictWriter(text, list(COLUMNS)).writerows({name: shielded(value) for name, value in flat(row).items()} for row in rows)
    output.write(text.getvalue().encode())


class _Parquet:
    """A Parquet file, written in groups of rows."""

    def __init__(self, output: BinaryIO) -> None:
        try:
            self._arrow: Any = importlib.import_module("pyarrow")
            parquet: Any = importlib.import_module("pyarrow.parquet")
        except ImportError:
            raise Problem(MALFORMED, f"Parquet needs one more package on the server: {add_extra('parquet')}.") from None
        self._schema: Any = self._arrow.schema([(name, self._arrow.type_for_alias(kind)) for name, kind in COLUMNS.items()])
        self._writer: Any = parquet.ParquetWriter(output, self._schema, compression="zstd")
        self._rows: list[Row] = []

    def add(self, rows: list[Row]) -> None:
        """Gather rows, and write them once they are many."""
        self._rows += map(flat, rows)
        if len(self._rows) >= GROUP:
            self._write()

    def close(self) -> None:
        """Write what is left and the file's end."""
        self._write()
        self._writer.close()

    def _write(self) -> None:
        if self._rows:
            self._writer.write_table(self._arrow.Table.from_pylist(self._rows, schema=self._schema))
            self._rows = []
