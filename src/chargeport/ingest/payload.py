"""Reading of the items of a request: a JSON array, one object, or one object a line (NDJSON).

The fast path is one typed pass over the payload. If it fails, each item is decoded on its own, so that a bad one does not
affect the others; if the JSON itself is broken, it is split at the commas between items to find the broken one.
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
    """The payload has more items than the limit; `args[0]` is their number."""


def read(payload: bytes, checker: ItemChecker, max_items: int, *, lines: bool) -> int:
    """Check every item of the payload; return their number.

    Raises Violation when the payload as a whole is invalid, TooManyItemsError when there are too many items.
    """
    if lines:
        return _check_one_by_one([line for line in payload.split(b"\n") if line.strip()], checker, max_items)
    try:
        if payload.lstrip()[:1] == b"{":
            return _check_one_by_one([payload], checker, max_items)
        items = _items.decode(payload)
    except _BROKEN:
        return _check_one_by_one(_raw_items(payload), checker, max_items)
    if len(items) > max_items:
        raise TooManyItemsError(len(items))
    for index, item in enumerate(items):
        checker.check(index, item)
    return len(items)


def _check_one_by_one(raws: Sequence[bytes | msgspec.Raw], checker: ItemChecker, max_items: int) -> int:
    """Decode and check items one at a time."""
    if len(raws) > max_items:
        raise TooManyItemsError(len(raws))
    for index, raw in enumerate(raws):
        try:
            item = decoded(raw, _item)
        except Violation as violation:
            checker.batch.reject(index, violation)
        else:
            checker.check(index, item)
    return len(raws)


def decoded(raw: bytes | msgspec.Raw, decoder: msgspec.json.Decoder[T]) -> T:
    """Return the item of a text. Raises Violation."""
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        violation = bodies.violation(error, "")
        raise Violation(violation.rule, violation.detail, violation.path.lstrip(".") or "item") from None
    except _BROKEN as error:
        text = bytes(raw)
        replaced = _NOT_FINITE.sub(lambda match: match["string"] or b"1e400", text)
        if replaced != text:
            return decoded(replaced, decoder)
        raise Violation(Rule.NOT_JSON, f"not JSON: {error}", "item") from None


def _raw_items(payload: bytes) -> Sequence[bytes | msgspec.Raw]:
    """Return the items of an array, not decoded."""
    try:
        return _raws.decode(payload)
    except msgspec.ValidationError:
        raise Violation(Rule.WRONG_TYPE, "the body is an array of items, one item, or one item a line", "") from None
    except _BROKEN as error:
        return _split(payload.strip(), f"not JSON: {error}")


def _split(array: bytes, otherwise: str) -> list[bytes]:
    """Return the parts of an array between its commas. Raises Violation with `otherwise` where its brackets do not close."""
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

# A string is one token; possessive quantifiers, so that no payload causes backtracking.
_STRING: Final = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?'
_TOKEN: Final = re.compile(_STRING + rb"|[\[{]+|[\]}]+|,", re.DOTALL)
# How JavaScript and Python write NaN and infinities. 1e400 is JSON, and rejected where it is; other signals are accepted.
_NOT_FINITE: Final = re.compile(rb"(?P<string>" + _STRING + rb")|-?\b(?:NaN|Infinity)\b", re.DOTALL)
