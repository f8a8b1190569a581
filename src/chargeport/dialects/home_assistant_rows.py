"""Rows of Home Assistant's entities: numbers that have their unit with them or in a separate field."""

from collections.abc import Callable
from typing import Any

from chargeport.dialects.amounts import amount
from chargeport.dialects.home_assistant_form import UNIT_OF, measured_in
from chargeport.dialects.table import NOT_KNOWN, Decoded, Gate, Known, Row, combined, quantity, row
from chargeport.signals.definition import Dimension
from chargeport.signals.units import convert

Body = Callable[[float, str], dict[str, Any] | None]


def measured(fields: tuple[str, ...], code: str, body: Body = quantity, gate: Gate = Gate.ALWAYS) -> tuple[Row, ...]:
    """Make rows of a number with its unit in its value or in a separate field: a change of an entity has only what changed."""

    def of(field: str) -> Row:
        def combine(known: Known) -> Decoded:
            if field not in known:
                return NOT_KNOWN
            return body(amount(known[field]), measured_in(known, field))

        return combined((field, field + UNIT_OF), code, combine, gate=gate)

    return tuple(of(field) for field in fields)


def each_of(fields: tuple[str, ...], code: str, **more: Any) -> tuple[Row, ...]:
    """Make a row for each of these fields."""
    return tuple(row(field, code, **more) for field in fields)


def measure(known: Known, field: str, dimension: Dimension) -> float | None:
    """Return a number of another field in the wire's unit; None where it is not one: its own row reports the reason."""
    try:
        return convert(amount(known[field]), dimension, measured_in(known, field)) if field in known else None
    except (TypeError, ValueError):
        return None
