"""From the bytes of a request to items: a JSON array, one object, or one object a line (NDJSON).

The quick way is one typed pass over all of it. Only where that fails is each item looked at alone, so that a bad one costs no
other; and only where the text itself is broken is it cut at the commas between items, to tell which one is broken.
"""

import re
from collections.abc import Sequence
from typing import Final, TypeVar

import msgspec

from chargeport.ingest.items import Item, ItemChecker
from chargeport.signals import bodies
from chargeport.signals.violation import Rule, Violation

_items: Final = msgspec.json.Decoder(list[Item])
_item: Final = msgspec.json.Decoder(Item)
_raws: Final = msgspec.json.Decoder(list[msgspec.Raw])

T = TypeVar("T", bound=Item)


class TooManyItemsError(Exception):
    """The payload has more items than are taken at once; `args[0]` says how many."""


def read(payload: bytes, checker: ItemChecker, max_items: int, *, lines: bool) -> int:
    """Check every item of the payload; return how many there were.

    Raises Violation when the payload as a whole is not what it should be, TooManyItemsError when there are too many.
    """
    if lines:
        return _each(_lines(payload), checker, max_items)
    try:
        if payload.lstrip()[:1] == b"{":
            return _each([payload], checker, max_items)
        items = _items.decode(payload)
    except _BROKEN:
        return _each(_parts(payload), checker, max_items)
    if len(items) > max_items:
        raise TooManyItemsError(len(items))
    for index, item in enumerate(items):
        checker.check(index, item)
    return len(items)


def _lines(payload: bytes) -> list[bytes]:
    return [line for line in payload.split(b"\n") if line.strip()]


def _each(raws: Sequence[bytes | msgspec.Raw], checker: ItemChecker, max_items: int) -> int:
    """Decode items one at a time."""
    if len(raws) > max_items:
        raise TooManyItemsError(len(raws))
    for index, raw in enumerate(raws):
        try:
            item = decoded(raw, _item)
        except Violation as found:
            checker.batch.reject(index, found)
        else:
            checker.check(index, item)
    return len(raws)


def decoded(raw: bytes | msgspec.Raw, decoder: msgspec.json.Decoder[T]) -> T:
    """Return an item, whatever its text. Raises Violation."""
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        found = bodies.violation(error, "")
        raise Violation(found.rule, found.detail, found.path.lstrip(".") or "item") from None
    except _BROKEN as error:
        text = bytes(raw)
        named = _NOT_FINITE.sub(lambda found: found["string"] or b"1e400", text)
        if named != text:
            return decoded(named, decoder)
        raise Violation(Rule.NOT_JSON, f"not JSON: {error}", "item") from None


def _parts(payload: bytes) -> Sequence[bytes | msgspec.Raw]:
    """Return the items of an array, each as it stands."""
    try:
        return _raws.decode(payload)
    except msgspec.ValidationError:
        raise Violation(Rule.WRONG_TYPE, "the body is an array of items, one item, or one item a line", "") from None
    except _BROKEN as error:
        return _cut(payload.strip(), f"not JSON: {error}")


def _cut(array: bytes, otherwise: str) -> list[bytes]:
    """Return an array cut at its commas, whatever stands between them. Raises Violation where its brackets do not close."""
    parts: list[bytes] = []
    depth, start = 0, 1
    for token in _TOKEN.finditer(array):
        match token[0][:1]:
            case b"[" | b"{":
                depth += len(token[0])
            case b"]" | b"}":
                depth -= len(token[0])
            case b"," if depth == 1:
                parts.append(array[start : token.start()])
                start = token.end()
        if depth <= 0:  # the array is over
            break
    if array[:1] != b"[" or depth != 0 or token.end() != len(array):
        raise Violation(Rule.NOT_JSON, otherwise, "")
    return [*parts, array[start:-1]]


_BROKEN: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

# A string is passed over whole; possessive, so that no payload makes the search go back.
_STRING: Final = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?'
_TOKEN: Final = re.compile(_STRING + rb"|[\[{]+|[\]}]+|,", re.DOTALL)
# What JavaScript and Python write for no number. 1e400 is JSON, and refused where it stands: beside it all is taken.
_NOT_FINITE: Final = re.compile(rb"(?P<string>" + _STRING + rb")|-?\b(?:NaN|Infinity)\b", re.DOTALL)
