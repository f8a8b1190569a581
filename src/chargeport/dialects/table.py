"""The rows that a dialect is made of."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.definition import Kind, Signal

Decoder = Callable[[Any], dict[str, Any]]
"""Turns a field's value into a body of the signal. Raises ValueError, TypeError or KeyError for what it can't read."""


class Row(msgspec.Struct, frozen=True):
    """One field of a source: the signal that it is, in which unit, read how. `note` says where we know it from."""

    field: str
    signal: Signal
    unit: str | None = None
    decode: Decoder | None = None
    note: str = ""

    def body(self, value: Any) -> dict[str, Any]:
        """The field's value as a body of the signal."""
        if self.decode is not None:
            return self.decode(value)
        return {"value": value} if self.unit is None else {"value": value, "unit": self.unit}


class Dialect(msgspec.Struct, frozen=True):
    """What a source's fields mean. A field is in `rows`, or it is `ignored` by name; any other is an issue.

    `not_capable` names the field, if the source has one, that lists the fields which the car can't report.
    """

    name: str
    rows: Mapping[str, Row]
    ignored: frozenset[str] = frozenset()
    not_capable: str | None = None


def row(field: str, code: str, unit: str | None = None, decode: Decoder | None = None, note: str = "") -> Row:
    """A row for the signal of this code; refuses a unit where the signal has none."""
    signal = BY_CODE[code]
    if unit is not None and signal.kind is not Kind.QUANTITY:
        raise ValueError(f"{field}: {code} has no unit to convert")
    return Row(field, signal, unit, decode, note)


def dialect(name: str, *rows: Row, ignored: frozenset[str] = frozenset(), not_capable: str | None = None) -> Dialect:
    """A dialect of these rows; refuses a field that stands in two."""
    by_field = {each.field: each for each in rows}
    if len(by_field) != len(rows):
        raise ValueError(f"{name}: a field has two rows")
    return Dialect(name, by_field, ignored, not_capable)
