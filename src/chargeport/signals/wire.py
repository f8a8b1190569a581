"""Canonical values in the form of the wire: compact JSON with numbers as JavaScript writes them.

Smartcar's Node SDK checks a webhook by writing the parsed body again, so `80.0`, a space or an escaped letter would break it.
"""

import math
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any, Final

import msgspec

from chargeport.signals.definition import Kind, Signal, Value
from chargeport.signals.documents import Document

_encode = msgspec.json.Encoder().encode

# ECMA-262, Number::toString: plain digits from 1e-6 up to 1e21, an exponent outside.
_EXACT_BELOW = 1e16  # from here on the shortest digits that identify a float are fewer than its integer's
_SMALLEST_PLAIN = 1e-6
_LARGEST_PLAIN = 1e21


def number(value: int | float) -> str:
    """Return a finite number as JavaScript's JSON.stringify writes it.

    >>> number(80.0), number(10.7), number(0.00005), number(1e-7)
    ('80', '10.7', '0.00005', '1e-7')
    """
    if not isinstance(value, float):
        return str(value)
    if value.is_integer() and abs(value) < _EXACT_BELOW:
        return str(int(value))
    text = repr(value)
    if "e" not in text:
        return text
    if _SMALLEST_PLAIN <= abs(value) < _LARGEST_PLAIN:
        return format(Decimal(text), "f")
    mantissa, _, exponent = text.partition("e")
    power = int(exponent)
    return f"{mantissa}e{'+' if power > 0 else ''}{power}"


def canonical(value: int | float) -> int | float:
    """Return a number in the canonical form that equal numbers share: an int where it is whole.

    >>> canonical(33.0), canonical(-0.0), canonical(10.7)
    (33, 0, 10.7)
    """
    return int(value) if isinstance(value, float) and value.is_integer() else value


def plain(document: Any) -> Any:
    """Return a decoded document, ready to be encoded: numbers as JavaScript writes them, without members that are null."""
    if isinstance(document, dict):
        return {name: plain(member) for name, member in document.items() if member is not None}
    if isinstance(document, list):
        return [plain(member) for member in document]
    if isinstance(document, float) and math.isfinite(document):
        return msgspec.Raw(number(document).encode())
    return document


def document_text(document: Any) -> str:
    """Return the canonical JSON text of a document (a struct or builtins)."""
    return _encode(plain(msgspec.to_builtins(document))).decode()


def body(signal: Signal, value: Value) -> str:
    """Return the signal's body in the form of the wire."""
    before, after = frame(signal)
    return before + text(signal, value) + after


def text(signal: Signal, value: Value) -> str:
    """Return the value as JSON text, without the rest of its body (`frame`)."""
    return writer(signal)(value)


def writer(signal: Signal) -> Callable[[Any], str]:
    """Return the function that writes the signal's values as JSON text."""
    kept = kept_members(signal)
    return partial(_without, kept) if kept else _WRITERS[signal.kind]


def kept_members(signal: Signal) -> frozenset[str]:
    """Return the members of the signal's bodies that are stored and not written on the wire."""
    document = signal.document
    return document.kept if document is not None and issubclass(document, Document) else frozenset()


def _without(names: frozenset[str], value: str) -> str:
    """Return a document without the members of these names."""
    if not any(f'"{name}":' in value for name in names):
        return value
    return document_text(_stripped(msgspec.json.decode(value), names))


def _stripped(part: Any, names: frozenset[str]) -> Any:
    if isinstance(part, dict):
        return {name: _stripped(member, names) for name, member in part.items() if name not in names}
    return [_stripped(member, names) for member in part] if isinstance(part, list) else part


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _text(value: str) -> str:
    return _encode(value).decode()


def frame(signal: Signal) -> tuple[str, str]:
    """Return the text before and after the value in the signal's body."""
    if signal.kind is Kind.DOCUMENT:
        return "", ""
    return '{"value":', f',"unit":"{signal.unit}"}}' if signal.unit else "}"


_WRITERS: Final[dict[Kind, Callable[[Any], str]]] = {
    Kind.QUANTITY: number,
    Kind.COUNT: number,
    Kind.FLAG: _flag,
    Kind.TEXT: _text,
    Kind.DOCUMENT: str,
}
