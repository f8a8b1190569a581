"""The forms of an export: one item a line (NDJSON), CSV, Parquet."""

import csv
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, Final

from chargeport.ingest.cells import escape_formula
from chargeport.ingest.files import COLUMNS
from chargeport.ingest.items import STATUSES
from chargeport.ingest.parquet import FLAG, INSTANT, NAME, NUMBER, TEXT, ParquetFile
from chargeport.signals import wire
from chargeport.signals.definition import Kind, Signal, Value
from chargeport.store.records import Sighting
from chargeport.wire.envelope import iso, quoted

Sink = Callable[[list[Sighting]], None]

GROUP: Final = 65_536  # rows of a row group of Parquet

_PARQUET: Final = {
    "vehicle": NAME, "signal": NAME, "observedAt": INSTANT, "receivedAt": INSTANT, "source": NAME, "value": NUMBER,
    "text": TEXT, "flag": FLAG, "unit": NAME, "body": TEXT, "absence": NAME,
}  # fmt: skip
"""The columns of a Parquet file: times as instants, and one for each kind of value, so that numbers stay numbers."""

_STATUS: Final = {
    reason: f'"status":{{"value":"ERROR","error":{{"type":"{kind}","code":"{code}"}}}}'
    for reason, (kind, code) in STATUSES.items()
}


@contextmanager
def opened(form: str, output: BinaryIO, *, bare: bool = False) -> Iterator[Sink]:
    """Open a sink that writes sightings in a form. Raises ChargeportError when the form needs a missing package."""
    if form == "parquet":
        table = ParquetFile(output, _PARQUET, GROUP)
        yield lambda sightings: table.add(map(_fields, sightings))
        table.close()
    elif form == "csv":
        output.write((",".join(COLUMNS) + "\n").encode())
        yield lambda sightings: _write_rows(output, sightings)
    else:
        yield lambda sightings: _write("".join([line(sighting, bare=bare) for sighting in sightings]), output)


def line(seen: Sighting, *, bare: bool) -> str:
    """Return a sighting as an item. `bare`: in the form of the API, without receipt and source."""
    receipt = ""
    if not bare:
        received = "" if seen.received_at is None else f'"receivedAt":"{iso(seen.received_at)}",'
        receipt = received + f'"source":{quoted(seen.source)},'
    if seen.absence is not None:
        content = _STATUS[seen.absence]
    else:
        assert seen.value is not None  # noqa: S101  (a sighting has a value or an absence)
        before, after = wire.frame(seen.signal)
        content = f'"body":{before}{_whole(seen.signal, seen.value)}{after}'
    return (
        f'{{"vehicle":{quoted(seen.vehicle_id)},"signal":"{seen.signal.code}","observedAt":"{iso(seen.observed_at)}",'
        f"{receipt}{content}}}\n"
    )


def _whole(signal: Signal, value: Value) -> str:
    """Return a value as JSON text; a document includes the members that are not written on the wire."""
    return str(value) if signal.kind is Kind.DOCUMENT else wire.text(signal, value)


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
        value = escape_formula(str(seen.value)) if signal.kind is Kind.TEXT else _whole(signal, seen.value)
    return (
        seen.vehicle_id,
        signal.code,
        iso(seen.observed_at),
        None if seen.received_at is None else iso(seen.received_at),
        escape_formula(seen.source),
        None if is_document else value,
        None if is_document or value is None else signal.unit,
        value if is_document else None,
        seen.absence,
    )


def _fields(seen: Sighting) -> tuple[Any, ...]:
    """Return a row of the Parquet file, in the order of its columns."""
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
