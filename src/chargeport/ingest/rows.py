"""From a file of any size to its rows, one at a time: one item a line (NDJSON), lines of a table (CSV), or a JSON array.

What it is, its beginning tells, not its name. A row that is broken costs no other; only where nobody can tell any more where
rows begin and end (a damaged archive, an array without its end) does reading stop, and says so.
"""

import re
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final, NamedTuple

import msgspec

from chargeport.ingest.columns import Columns
from chargeport.ingest.items import KeptItem
from chargeport.ingest.payload import decoded
from chargeport.signals.violation import Rule, Violation

MAX_ROW: Final = 8 << 20  # bytes; a document of a thousand entries has a tenth of that
BLOCK: Final = 1 << 18

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_TOO_LONG: Final = f"a row has at most {MAX_ROW} bytes"
_TOKEN: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?P<closed>")?|[\[{]|[\]}]|,', re.DOTALL)
_item: Final = msgspec.json.Decoder(KeptItem)


class Row(NamedTuple):
    """A row: where it begins (the first line is 1), which it is (the first item is 0), and what it says or what is wrong."""

    line: int
    number: int
    item: KeptItem | Violation


def read(stream: BinaryIO) -> Iterator[Row]:
    """Every row of a file. Raises Violation when the header of a table is not ours."""
    row = Row(1, -1, KeptItem())
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
        yield from _lines(stream, line, text, lambda found: decoded(found, _item))
    else:
        yield from _lines(stream, line + 1, stream.readline(MAX_ROW), Columns(text).item)


def _lines(stream: BinaryIO, line: int, text: bytes, parse: Callable[[bytes], KeptItem]) -> Iterator[Row]:
    """A row on each line that is not empty."""
    number = 0
    while text:
        if text.strip():
            is_whole = len(text) < MAX_ROW or text.endswith(b"\n")
            yield Row(line, number, _parsed(text, parse) if is_whole else Violation(Rule.OUT_OF_BOUNDS, _TOO_LONG, "row"))
            number += 1
        while text and not text.endswith(b"\n"):  # what is left of a line that is too long
            text = stream.readline(MAX_ROW)
        line, text = line + 1, stream.readline(MAX_ROW)


def _parsed(text: bytes, parse: Callable[[bytes], KeptItem]) -> KeptItem | Violation:
    try:
        return parse(text)
    except Violation as found:
        return found


class _Array:
    """A JSON array, cut at the commas between its items while it is read."""

    def __init__(self, stream: BinaryIO, line: int, text: bytes) -> None:
        """`text` follows the opening bracket."""
        self._stream = stream
        self._line = line
        self._text = text
        self._start = 0  # where in the text the item begins
        self._number = 0

    def rows(self) -> Iterator[Row]:
        """The items; at last, if the array does not end, that it does not."""
        looked, depth = 0, 0
        while True:
            token = _TOKEN.search(self._text, looked)
            if token is None or (token[0][:1] == b'"' and not token["closed"]):
                looked = (len(self._text) if token is None else token.start()) - self._start
                if not self._read_on():
                    yield from self._end()
                    return
                continue
            looked = token.end()
            kind = token[0][:1]
            depth += (kind in b"[{") - (kind in b"]}")
            if depth < 0 and not self._number and not self._text[self._start : token.start()].strip():
                return  # an empty one
            if depth < 0 or (depth == 0 and kind == b","):
                yield self._cut(token.start())
            if depth < 0:
                return

    def _read_on(self) -> bool:
        """Get more of the file; what was cut already goes."""
        self._text, self._start = self._text[self._start :], 0
        block = self._stream.read(BLOCK) if len(self._text) < MAX_ROW else b""
        self._text += block
        return bool(block)

    def _cut(self, end: int) -> Row:
        """The item that ends here."""
        text = self._text[self._start : end]
        begins = self._line + text.count(b"\n", 0, len(text) - len(text.lstrip()))
        row = Row(begins, self._number, _parsed(text, lambda found: decoded(found, _item)))
        self._line += text.count(b"\n")
        self._number += 1
        self._start = end + 1
        return row

    def _end(self) -> Iterator[Row]:
        """The file is over, or nobody can tell where the item ends, before the array is."""
        if self._text.strip():
            yield self._cut(len(self._text))
        yield Row(self._line, self._number, Violation(Rule.NOT_JSON, "the array does not end", "file"))
