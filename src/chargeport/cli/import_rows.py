"""Read the rows of any program's file of any size: a table with a header (CSV), or one JSON object a line.

One row is one line: if rows could span lines, a missing quotation mark would make all following lines part of one row.
"""

import csv
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO, Final, NamedTuple

from chargeport.dialects.forms import json_value
from chargeport.dialects.table import Unreadable
from chargeport.ingest.cells import unescape_formula
from chargeport.ingest.files import MAX_CELL, MAX_ROW
from chargeport.signals.violation import Rule, Violation

SEPARATORS: Final = (",", ";", "\t")
NOTHING: Final = frozenset({"", "\\N"})  # an empty cell, and PostgreSQL's null

SEPARATOR_LINE: Final = b"sep="  # the line before the header in which Excel names the separator

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"

Fields = Mapping[str, Any]


class RawRow(NamedTuple):
    """A row: its line (the first is 1), its index (the first is 0), and its fields by name, or its error."""

    line: int
    number: int
    fields: Fields | Violation


def read(stream: BinaryIO) -> Iterator[RawRow]:
    """Yield every row of a file. Raises Violation if the beginning of the file is in no known format."""
    row = RawRow(1, -1, {})
    try:
        for row in _rows(stream):
            yield row
    except (EOFError, OSError, zlib.error) as error:
        broken = Violation(Rule.BAD_FORMAT, f"the file can't be read any further: {error}", "file")
        yield RawRow(row.line + 1, row.number + 1, broken)


def _rows(stream: BinaryIO) -> Iterator[RawRow]:
    lines = _lines(stream)
    line, first = next(lines, (1, b"{}"))
    first = first.removeprefix(_BYTE_ORDER_MARK)
    if first.startswith(SEPARATOR_LINE):
        line, first = next(lines, (line, b"{}"))
    if first.lstrip()[:1] == b"[":
        raise Violation(Rule.BAD_FORMAT, "an array is not read through a dialect: write its objects one a line", "file")
    if first.lstrip()[:1] != b"{":
        yield from _numbered(lines, Table(first).fields)
    elif first != b"{}":
        yield RawRow(line, 0, _read(first, _object))
        yield from _numbered(lines, _object, 1)


def _numbered(lines: Iterator[tuple[int, bytes]], parse: Callable[[bytes], Fields], start: int = 0) -> Iterator[RawRow]:
    for number, (line, text) in enumerate(lines, start):
        yield RawRow(line, number, _read(text, parse))


def _lines(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield every line that is not empty, with its number; of a line that is too long, only the beginning."""
    line = 0
    while text := stream.readline(MAX_ROW):
        line += 1
        if text.strip():
            yield line, text
        while text and not text.endswith(b"\n"):
            text = stream.readline(MAX_ROW)


def _read(text: bytes, parse: Callable[[bytes], Fields]) -> Fields | Violation:
    if len(text) >= MAX_ROW and not text.endswith(b"\n"):
        return Violation(Rule.OUT_OF_BOUNDS, f"a row has at most {MAX_ROW} bytes", "row")
    try:
        return parse(text)
    except Violation as found:
        return found


def _object(text: bytes) -> Fields:
    try:
        found = json_value(text)
    except Unreadable as error:
        raise Violation(Rule.NOT_JSON, str(error), "item") from None
    if not isinstance(found, dict):
        raise Violation(Rule.WRONG_TYPE, "an object is wanted: a member for each field", "item")
    return found


class Table:
    """A table whose first line names the fields."""

    def __init__(self, header: bytes) -> None:
        """Read the names of the columns. Raises Violation if the line is not a header."""
        csv.field_size_limit(MAX_CELL)
        self._separator = max(SEPARATORS, key=lambda separator: header.count(separator.encode()))
        self._names = [name.strip() for name in self._cells(header)]
        named = [name for name in self._names if name]
        if not named or not all(name.isprintable() for name in named):
            raise Violation(Rule.BAD_FORMAT, "the first line of a table names its columns", "header")
        if twice := next((name for name in named if named.count(name) > 1), None):
            raise Violation(Rule.BAD_FORMAT, f"the column {twice[:40]!r} is there twice", "header")

    def fields(self, text: bytes) -> Fields:
        """Return the text of each cell of a line by its column, None for an empty one. Raises Violation."""
        cells = self._cells(text)
        width = len(self._names)
        if len(cells) < width or any(cells[width:]):
            raise Violation(Rule.BAD_FORMAT, f"the row has {len(cells)} cells, the header {width}", "row")
        pairs = zip(self._names, cells, strict=False)
        return {name: None if cell.strip() in NOTHING else cell for name, cell in pairs if name}

    def _cells(self, text: bytes) -> list[str]:
        try:
            cells = next(csv.reader([text.decode().rstrip("\r\n")], delimiter=self._separator, strict=True), [])
            return [unescape_formula(cell) for cell in cells]
        except (UnicodeDecodeError, csv.Error) as error:
            raise Violation(Rule.BAD_FORMAT, f"no row of a table: {error}", "row") from None
