"""Rows that take a signal's value in any plain form: the value, the value with its unit, or a whole body."""

from collections.abc import Mapping
from typing import Any, Final

from chargeport.dialects.amounts import amount, unit_of
from chargeport.dialects.table import Decoded, Decoder, Gate, Row, battery_range, capacity, limit, row
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.definition import Dimension, Kind

_MEASURED: Final = ({"value"}, {"value", "unit"})
# Documents for which one number is enough, and what it measures.
_SIMPLE: Final = {
    "charge-chargelimits": Dimension.RATIO,
    "tractionbattery-nominalcapacity": Dimension.ENERGY,
    "tractionbattery-range": Dimension.DISTANCE,
}


def signal_row(
    field: str,
    code: str,
    unit: str | None = None,
    *,
    scale: float | None = None,
    words: Mapping[str, Any] | None = None,
    floor: float | None = None,
    gate: Gate = Gate.ALWAYS,
    note: str = "",
) -> Row:
    """A row of any signal; a document is read from its body, or from one number where one number is enough for it."""
    if BY_CODE[code].kind is not Kind.DOCUMENT:
        return row(field, code, unit, scale=scale, words=words, floor=floor, gate=gate, note=note)
    return row(field, code, decode=_document(code, unit, scale or 1), gate=gate, note=note)


def takes_number(code: str) -> bool:
    """Whether one number that can have a unit is enough for this signal."""
    return BY_CODE[code].kind is Kind.QUANTITY or code in _SIMPLE


def dimension_of(code: str) -> Dimension | None:
    """What the signal's number measures; None where it is no number, or has no unit."""
    return BY_CODE[code].dimension or _SIMPLE.get(code)


def _document(code: str, unit: str | None, scale: float) -> Decoder:
    def decoded(content: Any) -> Decoded:
        if isinstance(content, Mapping) and content.keys() not in _MEASURED:
            return dict(content)
        if code not in _SIMPLE:
            raise TypeError(f"{code} is an object: {str(content)[:40]!r} is none")
        found = amount(content) * scale
        if code == "charge-chargelimits":
            return limit(found) | {"unit": unit_of(content, unit or "percent")}
        if code == "tractionbattery-range":
            return battery_range(found, unit_of(content, unit or "km"))
        return capacity(found, "As sent") | {"unit": unit_of(content, unit or "kWh")}

    return decoded
