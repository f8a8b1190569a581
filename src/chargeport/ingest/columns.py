"""Rows of a table of readings (CSV) as items: the columns that an export has, in any order. One row is one line.

A row that spans lines would let one lost quotation mark swallow all that follows it; nothing that is exported needs one.
"""

import csv
import re
from typing import Final

import msgspec

from chargeport.ingest.items import STATUSES, KeptItem, Status, StatusError
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.definition import Kind
from chargeport.signals.reading import AbsenceReason
from chargeport.signals.violation import Rule, Violation

COLUMNS: Final = ("vehicle", "signal", "observedAt", "receivedAt", "source", "value", "unit", "body", "absence")
NEEDED: Final = ("signal", "observedAt")
MAX_CELL: Final = 8 << 20

_NUMBER: Final = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)


class Columns:
    """The columns of one table."""

    def __init__(self, header: bytes) -> None:
        """Raises Violation when the line names columns that are not ours, or lacks those that are needed."""
        csv.field_size_limit(MAX_CELL)
        self._names = [name.strip() for name in _cells(header)]
        strange = [name for name in self._names if name not in COLUMNS]
        missing = [name for name in NEEDED if name not in self._names]
        if strange or missing or len(set(self._names)) != len(self._names):
            what = f"there is no column {strange[0][:40]!r}" if strange else f"the columns {', '.join(NEEDED)} are needed, once"
            raise Violation(Rule.BAD_FORMAT, f"{what}: known are {', '.join(COLUMNS)}", "header")

    def item(self, line: bytes) -> KeptItem:
        """The item on a line. Raises Violation."""
        cells = _cells(line)
        if len(cells) != len(self._names):
            raise Violation(Rule.BAD_FORMAT, f"the row has {len(cells)} cells, the header {len(self._names)}", "row")
        row = {name: cell for name, cell in zip(self._names, cells, strict=True) if cell}
        said = [name for name in ("value", "body", "absence") if name in row]
        if len(said) != 1:
            raise Violation(Rule.MISSING, "a row has either a value, a body or an absence", "value")
        signal = row.get("signal", "")
        return KeptItem(
            vehicle=row.get("vehicle", ""),
            signal=signal,
            raw_body=msgspec.Raw(row["body"].encode()) if "body" in row else _body(signal, row),
            status=_status(row["absence"]) if "absence" in row else None,
            observed_at=_instant(row.get("observedAt")),
            received_at=_instant(row.get("receivedAt")),
            source=row.get("source"),
        )


def _cells(line: bytes) -> list[str]:
    try:
        return next(csv.reader([line.decode().rstrip("\r\n")], strict=True), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise Violation(Rule.BAD_FORMAT, f"no row of a table: {error}", "row") from None


def _instant(cell: str | None) -> int | str | None:
    return int(cell) if cell is not None and cell.isascii() and cell.isdigit() and len(cell) <= 16 else cell  # noqa: PLR2004


def _status(reason: str) -> Status:
    try:
        kind, code = STATUSES[AbsenceReason(reason)]
    except ValueError:
        raise Violation(Rule.NOT_ALLOWED, f"{reason[:40]!r} is no reason: there are {', '.join(STATUSES)}", "absence") from None
    return Status("ERROR", StatusError(kind, code))


def _body(code: str, row: dict[str, str]) -> msgspec.Raw:
    """The body that a cell stands for: which kind of value, the signal says; what is none is refused as any text would be."""
    if "value" not in row:
        return msgspec.Raw()
    signal = BY_CODE.get(code)
    value = row["value"]
    plain = signal is not None and signal.kind is not Kind.TEXT and (_NUMBER.fullmatch(value) or value in {"true", "false"})
    body = {"value": msgspec.Raw(value.encode()) if plain else value}
    return msgspec.Raw(msgspec.json.encode(body | ({"unit": row["unit"]} if "unit" in row else {})))
