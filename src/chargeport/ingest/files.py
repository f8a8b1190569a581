"""Reading of exported files, row by row: one item a line (NDJSON), lines of a table (CSV), or a JSON array.

The beginning of a file decides its form, not its name. A broken row does not affect the others. Where the bounds of rows are
lost (a damaged archive, an array without end) reading stops with a last row that reports it. A row of a table is one line:
with rows of several lines, a missing quotation mark would hide all later rows, and no export needs them.
"""

import csv
import re
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final, NamedTuple

import msgspec

from chargeport.ingest.cells import unescape_formula
from chargeport.ingest.items import STATUSES, FileItem, Status, StatusError
from chargeport.ingest.payload import decoded
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.definition import Kind
from chargeport.signals.reading import AbsenceReason
from chargeport.signals.violation import Rule, Violation

COLUMNS: Final = ("vehicle", "signal", "observedAt", "receivedAt", "source", "value", "unit", "body", "absence")
NEEDED: Final = ("signal", "observedAt")
MAX_CELL: Final = 8 << 20
MAX_ROW: Final = 8 << 20  # bytes; ten times a document of a thousand entries
BLOCK: Final = 1 << 18

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_TOO_LONG: Final = f"a row has at most {MAX_ROW} bytes"
_TOKEN: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?P<closed>")?|[\[{]|[\]}]|,', re.DOTALL)
_NUMBER: Final = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_item: Final = msgspec.json.Decoder(FileItem)


class Row(NamedTuple):
    """A row: the line where it begins (from 1), its number (from 0), and its item or violation."""

    line: int
    number: int
    item: FileItem | Violation


def read(stream: BinaryIO) -> Iterator[Row]:
    """Yield every row of a file. Raises Violation for the header of an unknown table."""
    row = Row(1, -1, FileItem())
    try:
        for row in _rows(stream):
            yield row
    except (EOFError, OSError, zlib.error) as error:
        broken = Violation(Rule.BAD_FORMAT, f"the file can't be read any further: {error}", "file")
        yield Row(row.line + 1, row.number + 1, broken)


def _rows(stream: BinaryIO) -> Iterator[Row]:
    line, text = 1, stream.readline(MAX_ROW).removeprefix(_BYTE_ORDER_MARK)
    while text and not text.strip():
        line, text = line + 1, stream.readline(MAX_ROW)
    if text.lstrip()[:1] == b"[":
        yield from _Array(stream, line, text.lstrip()[1:]).rows()
    elif text.lstrip()[:1] in (b"{", b""):
        yield from _lines(stream, line, text, lambda raw: decoded(raw, _item))
    else:
        yield from _lines(stream, line + 1, stream.readline(MAX_ROW), Columns(text).item)


def _lines(stream: BinaryIO, line: int, text: bytes, parse: Callable[[bytes], FileItem]) -> Iterator[Row]:
    """Yield a row for each line that is not empty."""
    number = 0
    while text:
        if text.strip():
            is_whole = len(text) < MAX_ROW or text.endswith(b"\n")
            yield Row(line, number, _parsed(text, parse) if is_whole else Violation(Rule.OUT_OF_BOUNDS, _TOO_LONG, "row"))
            number += 1
        while text and not text.endswith(b"\n"):  # the rest of a line that is too long
            text = stream.readline(MAX_ROW)
        line, text = line + 1, stream.readline(MAX_ROW)


def _parsed(text: bytes, parse: Callable[[bytes], FileItem]) -> FileItem | Violation:
    try:
        return parse(text)
    except Violation as violation:
        return violation


class _Array:
    """A JSON array, split at the commas between its items while it is read."""

    def __init__(self, stream: BinaryIO, line: int, text: bytes) -> None:
        """Prepare to read; `text` follows the opening bracket."""
        self._stream = stream
        self._line = line
        self._text = text
        self._start = 0  # where in the text the item begins
        self._number = 0

    def rows(self) -> Iterator[Row]:
        """Yield the items; if the array does not end, then a row that reports it."""
        searched, depth = 0, 0
        while True:
            token = _TOKEN.search(self._text, searched)
            if token is None or (token[0][:1] == b'"' and not token["closed"]):
                searched = (len(self._text) if token is None else token.start()) - self._start
                if not self._read_block():
                    yield from self._end()
                    return
                continue
            searched = token.end()
            kind = token[0][:1]
            depth += (kind in b"[{") - (kind in b"]}")
            if depth < 0 and not self._number and not self._text[self._start : token.start()].strip():
                return  # an empty array
            if depth < 0 or (depth == 0 and kind == b","):
                yield self._cut(token.start())
            if depth < 0:
                return

    def _read_block(self) -> bool:
        """Read the next block of the file; return whether there was one."""
        self._text, self._start = self._text[self._start :], 0
        block = self._stream.read(BLOCK) if len(self._text) < MAX_ROW else b""
        self._text += block
        return bool(block)

    def _cut(self, end: int) -> Row:
        """Return the item that ends here."""
        text = self._text[self._start : end]
        first_line = self._line + text.count(b"\n", 0, len(text) - len(text.lstrip()))
        row = Row(first_line, self._number, _parsed(text, lambda raw: decoded(raw, _item)))
        self._line += text.count(b"\n")
        self._number += 1
        self._start = end + 1
        return row

    def _end(self) -> Iterator[Row]:
        """Yield the rest as an item, and the violation that the array has no end, or too long an item."""
        if self._text.strip():
            yield self._cut(len(self._text))
        yield Row(self._line, self._number, Violation(Rule.NOT_JSON, "the array does not end", "file"))


class Columns:
    """The columns of one table."""

    def __init__(self, header: bytes) -> None:
        """Read the header. Raises Violation for unknown, missing or repeated columns."""
        csv.field_size_limit(MAX_CELL)
        self._names = [name.strip() for name in _cells(header)]
        unknown = [name for name in self._names if name not in COLUMNS]
        missing = [name for name in NEEDED if name not in self._names]
        if unknown or missing or len(set(self._names)) != len(self._names):
            what = f"there is no column {unknown[0][:40]!r}" if unknown else f"the columns {', '.join(NEEDED)} are needed, once"
            raise Violation(Rule.BAD_FORMAT, f"{what}: known are {', '.join(COLUMNS)}", "header")

    def item(self, line: bytes) -> FileItem:
        """Return the item on a line. Raises Violation."""
        cells = _cells(line)
        if len(cells) != len(self._names):
            raise Violation(Rule.BAD_FORMAT, f"the row has {len(cells)} cells, the header {len(self._names)}", "row")
        row = {name: cell for name, cell in zip(self._names, cells, strict=True) if cell}
        given = [name for name in ("value", "body", "absence") if name in row]
        if len(given) != 1:
            raise Violation(Rule.MISSING, "a row has either a value, a body or an absence", "value")
        signal = row.get("signal", "")
        return FileItem(
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
        return [unescape_formula(cell) for cell in next(csv.reader([line.decode().rstrip("\r\n")], strict=True), [])]
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
    """Return the body of a cell by the kind of the signal; the check of items rejects any other text."""
    if "value" not in row:
        return msgspec.Raw()
    signal = BY_CODE.get(code)
    value = row["value"]
    plain = signal is not None and signal.kind is not Kind.TEXT and (_NUMBER.fullmatch(value) or value in {"true", "false"})
    body = {"value": msgspec.Raw(value.encode()) if plain else value}
    return msgspec.Raw(msgspec.json.encode(body | ({"unit": row["unit"]} if "unit" in row else {})))
