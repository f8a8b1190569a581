"""Rows that accept a signal's value, the value with its unit, or a whole body."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from chargeport.dialects.amounts import amount, is_cut_to_zero, unit_of
from chargeport.dialects.field_values import MEASURED
from chargeport.dialects.table import (
    NOT_KNOWN,
    Decoded,
    Decoder,
    Gate,
    Known,
    Row,
    battery_range,
    capacity,
    combined,
    limit,
    row,
)
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.definition import Dimension, Kind
from chargeport.signals.units import factor_to_wire

_KILO: Final = 1000
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
    """Make a row of any signal; a document is read from its body, or from one number where one number is enough for it."""
    if BY_CODE[code].kind is not Kind.DOCUMENT:
        return row(field, code, unit, scale=scale, words=words, floor=floor, gate=gate, note=note)
    return row(field, code, decode=_document(code, unit, scale or 1), gate=gate, note=note)


def beside_currents(rows: Sequence[Row]) -> list[Row]:
    """Return the rows of a table; a power that its source truncated to 0 kW is no value while a current flows."""

    def of(code: str) -> list[Row]:
        return [own_row for own_row in rows if own_row.signal is BY_CODE[code]]

    beside = (*of("charge-amperage")[:1], *of("charge-voltage")[:1], *of("charge-ischarging")[:1])
    has_current = bool(of("charge-amperage"))
    return [
        _beside(own_row, beside) if has_current and own_row.signal is BY_CODE["charge-wattage"] else own_row for own_row in rows
    ]


def _beside(power: Row, others: tuple[Row, ...]) -> Row:
    """Return a row of a power that also reads the fields of the current, the voltage and charging."""
    field, current = power.fields[0], others[0].fields[0]

    def of(known: Known, code: str) -> Any:
        row = next((other for other in others if other.signal is BY_CODE[code] and other.fields[0] in known), None)
        try:
            body = None if row is None else row.read(known[row.fields[0]])
        except (ValueError, TypeError, KeyError):  # the issue comes from its own row
            return None
        return body.get("value") if isinstance(body, dict) else None

    def combine(known: Known) -> Decoded:
        body = power.read(known[field]) if field in known else NOT_KNOWN
        if not isinstance(body, dict) or factor_to_wire(Dimension.POWER, str(body.get("unit"))) != _KILO:
            return body
        amps, volts = of(known, "charge-amperage"), of(known, "charge-voltage")
        is_cut = isinstance(amps, int | float) and is_cut_to_zero(body["value"], amps, volts)
        return None if is_cut and of(known, "charge-ischarging") is not False else body

    beside = tuple(other.fields[0] for other in others[1:])
    return combined((field, current), power.signal.code, combine, beside=beside, gate=power.gate, note=power.note)


def takes_number(code: str) -> bool:
    """Return whether one number that can have a unit is enough for this signal."""
    return BY_CODE[code].kind is Kind.QUANTITY or code in _SIMPLE


def dimension_of(code: str) -> Dimension | None:
    """Return the dimension of the signal's number; None where it is not a number, or has no unit."""
    return BY_CODE[code].dimension or _SIMPLE.get(code)


def _document(code: str, unit: str | None, scale: float) -> Decoder:
    def decoded(content: Any) -> Decoded:
        if isinstance(content, Mapping) and content.keys() not in MEASURED:
            return dict(content)
        if code not in _SIMPLE:
            raise TypeError(f"{code} is an object: {str(content)[:40]!r} is none")
        found = amount(content) * scale
        if code == "charge-chargelimits":
            return limit(found, unit_of(content, unit or "percent"))
        if code == "tractionbattery-range":
            return battery_range(found, unit_of(content, unit or "km"))
        return capacity(found, "As sent") | {"unit": unit_of(content, unit or "kWh")}

    return decoded
