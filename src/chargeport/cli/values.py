"""A signal's value as a person reads it: with its unit, and a document in a few words."""

from typing import Any, Final

import msgspec

from chargeport.signals import wire
from chargeport.signals.definition import Kind, Signal, Value


def in_words(signal: Signal, value: Value) -> str:
    """Return the value on one line."""
    match signal.kind:
        case Kind.FLAG:
            return "yes" if value else "no"
        case Kind.TEXT:
            return str(value)
        case Kind.DOCUMENT:
            return _document(signal, msgspec.json.decode(str(value)))
        case _:
            return with_unit(value, signal)


def with_unit(value: Any, signal: Signal) -> str:
    """Return a number and the signal's unit, both as on the wire."""
    return f"{wire.number(value)} {signal.unit}" if signal.unit else wire.number(value)


def _document(signal: Signal, document: dict[str, Any]) -> str:
    """Return the main number of a document, else the number of its entries."""
    for member in _MAIN:
        if isinstance(document.get(member), int | float):
            return with_unit(document[member], signal)
    if isinstance(document.get("latitude"), int | float) and isinstance(document.get("longitude"), int | float):
        return _position(document)
    entries = document.get("values") or []
    return f"{len(entries)} {_ENTRIES.get(signal.code, 'entries')}"


def _position(document: dict[str, Any]) -> str:
    """Return coordinates, as maps take them."""
    return f"{wire.number(document['latitude'])}, {wire.number(document['longitude'])}"


_MAIN: Final = ("activeLimit", "capacity", "value")
_ENTRIES: Final = {
    "charge-chargelimits": "limits",
    "charge-chargetimers": "timers",
    "charge-chargerecords": "records",
}
