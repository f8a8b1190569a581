"""From the bytes of a request to items: a JSON array, one object, or one object a line (NDJSON).

The quick way is one typed pass over all of it. Only where that fails is each item looked at alone, so that a bad one costs no
other; and only where the text itself is broken is it read leniently, to tell which item holds the NaN or the bad UTF-8.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from chargeport.normalise.items import Intake, Item
from chargeport.signals import bodies
from chargeport.signals.violation import Rule, Violation

_items: Final = msgspec.json.Decoder(list[Item])
_item: Final = msgspec.json.Decoder(Item)
_raws: Final = msgspec.json.Decoder(list[msgspec.Raw])
_encode: Final = msgspec.json.Encoder().encode


class TooManyItemsError(Exception):
    """The payload has more items than are taken at once; `args[0]` says how many."""


def read(payload: bytes, intake: Intake, max_items: int, *, lines: bool) -> int:
    """Hand every item of the payload to `intake`; how many there were.

    Raises Violation when the payload as a whole is not what it should be, TooManyItemsError when there are too many.
    """
    if lines:
        return _each(_lines(payload), intake, max_items)
    try:
        if payload.lstrip()[:1] == b"{":
            return _each([payload], intake, max_items)
        items = _items.decode(payload)
    except (msgspec.DecodeError, RecursionError):
        return _each(_parts(payload), intake, max_items)
    if len(items) > max_items:
        raise TooManyItemsError(len(items))
    for index, item in enumerate(items):
        intake.take(index, item)
    return len(items)


def _lines(payload: bytes) -> list[bytes]:
    return [line for line in payload.split(b"\n") if line.strip()]


def _each(raws: Iterable[Any], intake: Intake, max_items: int) -> int:
    """Decode items one at a time."""
    raws = list(raws)
    if len(raws) > max_items:
        raise TooManyItemsError(len(raws))
    for index, raw in enumerate(raws):
        try:
            item = _decoded(raw)
        except Violation as found:
            intake.reject(index, found)
        else:
            intake.take(index, item)
    return len(raws)


def _decoded(raw: Any) -> Item:
    try:
        return _item.decode(raw) if isinstance(raw, bytes | msgspec.Raw) else _item.decode(_encode(_sound(raw, "")))
    except msgspec.ValidationError as error:
        found = bodies.violation(error, "")
        raise Violation(found.rule, found.detail, found.path.lstrip(".") or "item") from None
    except (msgspec.DecodeError, RecursionError) as error:
        if isinstance(raw, bytes | msgspec.Raw):
            return _decoded(_lenient(bytes(raw)))
        raise Violation(Rule.NOT_JSON, f"not JSON: {error}", "item") from None


def _parts(payload: bytes) -> Iterator[Any]:
    """The items of an array, each raw; read leniently where the text is broken."""
    try:
        return iter(_raws.decode(payload))
    except msgspec.ValidationError:
        raise Violation(Rule.WRONG_TYPE, "the body is an array of items, one item, or one item a line", "") from None
    except (msgspec.DecodeError, RecursionError):
        found = _lenient(payload)
    if not isinstance(found, list):
        raise Violation(Rule.WRONG_TYPE, "the body is an array of items, one item, or one item a line", "")
    return iter(found)


def _lenient(payload: bytes) -> Any:
    """JSON with NaN, huge numbers and broken UTF-8 in place, so that the item that has them can be named."""
    try:
        return json.loads(payload.decode("utf-8", "surrogateescape"))
    except RecursionError:
        raise Violation(Rule.NOT_JSON, "nested too deeply", "") from None
    except ValueError as error:
        raise Violation(Rule.NOT_JSON, f"not JSON: {error}"[:200], "") from None


def _sound(value: Any, path: str, depth: int = 0) -> Any:
    """The value, if every part of it can be written as JSON. Raises Violation for the first that can't."""
    if depth > _MAX_DEPTH:
        raise Violation(Rule.NOT_JSON, "nested too deeply", path or "item")
    if isinstance(value, float) and not (value - value == 0):
        raise Violation(Rule.NOT_FINITE, f"{value} is no number of JSON", path or "item")
    if isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value):
        raise Violation(Rule.NOT_JSON, "the text is not valid UTF-8", path or "item")
    if isinstance(value, dict):
        return {
            _sound(name, path, depth + 1): _sound(part, f"{path}.{name}".lstrip("."), depth + 1) for name, part in value.items()
        }
    if isinstance(value, list):
        return [_sound(part, f"{path}[{index}]", depth + 1) for index, part in enumerate(value)]
    return value


_MAX_DEPTH: Final = 64  # a body is four deep
