"""The forms of an export: items one a line (NDJSON), a table of text (CSV), a table of columns (Parquet)."""

import csv
import importlib
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, Final

from chargeport import installation
from chargeport.errors import ChargeportError
from chargeport.ingest.cells import shielded
from chargeport.ingest.files import COLUMNS
from chargeport.ingest.items import STATUSES
from chargeport.signals import wire
from chargeport.signals.definition import Kind
from chargeport.store.records import Sighting
from chargeport.wire.envelope import iso, quoted

Sink = Callable[[list[Sighting]], None]

GROUP: Final = 65_536  # rows of Parquet that are gathered before they are written: fewer pack badly, more cost memory

_STATUS: Final = {
    reason: f'"status":{{"value":"ERROR","error":{{"type":"{kind}","code":"{code}"}}}}'
    for reason, (kind, code) in STATUSES.items()
}


@contextmanager
def opened(form: str, output: BinaryIO, *, bare: bool = False) -> Iterator[Sink]:
    """Open a sink that writes sightings in a form. Raises ChargeportError when the form needs a missing package."""
    if form == "parquet":
        table = _Parquet(output)
        yield table.add
        table.close()
    elif form == "csv":
        output.write((",".join(COLUMNS) + "\n").encode())
        yield lambda sightings: _write_rows(output, sightings)
    else:
        yield lambda sightings: _write("".join([line(each, bare=bare) for each in sightings]), output)


def line(seen: Sighting, *, bare: bool) -> str:
    """Return a sighting as an item. `bare`: as the API takes it, without receipt and source."""
    receipt = ""
    if not bare:
        received = "" if seen.received_at is None else f'"receivedAt":"{iso(seen.received_at)}",'
        receipt = received + f'"source":{quoted(seen.source)},'
    if seen.absence is not None:
        said = _STATUS[seen.absence]
    else:
        assert seen.value is not None  # noqa: S101  (a sighting has a value or an absence)
        said = f'"body":{wire.body(seen.signal, seen.value)}'
    return (
        f'{{"vehicle":{quoted(seen.vehicle_id)},"signal":"{seen.signal.code}","observedAt":"{iso(seen.observed_at)}",'
        f"{receipt}{said}}}\n"
    )


def _write(text: str, output: BinaryIO) -> None:
    output.write(text.encode())


def _write_rows(output: BinaryIO, sightings: list[Sighting]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(map(_cells, sightings))
    _write(text.getvalue(), output)


def _cells(seen: Sighting) -> tuple[str | None, ...]:
    """Return a row of COLUMNS."""
    signal = seen.signal
    is_document = signal.kind is Kind.DOCUMENT
    value = None
    if seen.value is not None:
        value = shielded(str(seen.value)) if signal.kind is Kind.TEXT else wire.text(signal, seen.value)
    return (
        seen.vehicle_id,
        signal.code,
        iso(seen.observed_at),
        None if seen.received_at is None else iso(seen.received_at),
        shielded(seen.source),
        None if is_document else value,
        None if is_document or value is None else signal.unit,
        value if is_document else None,
        seen.absence,
    )


class _Parquet:
    """A Parquet file: times as instants, and a column for each kind of value, so that numbers stay numbers."""

    def __init__(self, output: BinaryIO) -> None:
        try:
            self._arrow: Any = importlib.import_module("pyarrow")
            parquet: Any = importlib.import_module("pyarrow.parquet")
        except ImportError:
            raise ChargeportError(f"Parquet needs one more package: {installation.add_extra('parquet')}.") from None
        arrow = self._arrow
        instant, name = arrow.timestamp("ms", tz="UTC"), arrow.dictionary(arrow.int32(), arrow.string())
        columns = [
            ("vehicle", name), ("signal", name), ("observedAt", instant), ("receivedAt", instant), ("source", name),
            ("value", arrow.float64()), ("text", arrow.string()), ("flag", arrow.bool_()), ("unit", name),
            ("body", arrow.string()), ("absence", name),
        ]  # fmt: skip
        self._schema: Any = arrow.schema(columns)
        self._writer: Any = parquet.ParquetWriter(output, self._schema, compression="zstd")
        self._rows: list[tuple[Any, ...]] = []

    def add(self, sightings: list[Sighting]) -> None:
        """Gather sightings, and write them once they are many."""
        self._rows += map(_fields, sightings)
        if len(self._rows) >= GROUP:
            self._write()

    def close(self) -> None:
        """Write what is left and the file's end."""
        self._write()
        self._writer.close()

    def _write(self) -> None:
        if self._rows:
            columns = [
                self._arrow.array(column, type=field.type)
                for column, field in zip(zip(*self._rows, strict=True), self._schema, strict=True)
            ]
            self._writer.write_table(self._arrow.table(columns, schema=self._schema))
            self._rows = []


def _fields(seen: Sighting) -> tuple[Any, ...]:
    """Return a row of the Parquet file."""
    signal, value = seen.signal, seen.value
    is_number = signal.kind in (Kind.QUANTITY, Kind.COUNT)
    return (
        seen.vehicle_id,
        signal.code,
        seen.observed_at,
        seen.received_at,
        seen.source,
        value if is_number else None,
        value if signal.kind is Kind.TEXT else None,
        value if signal.kind is Kind.FLAG else None,
        signal.unit if is_number and value is not None else None,
        value if signal.kind is Kind.DOCUMENT else None,
        None if seen.absence is None else seen.absence.value,
    )
