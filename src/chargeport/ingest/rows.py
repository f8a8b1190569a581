"""The rows of a dialect for the fields of a message: which are read, in which order, and whether a body has a value."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from chargeport.dialects.field_values import is_nothing
from chargeport.dialects.table import Dialect, Row
from chargeport.signals.catalogue import CABLE_CONNECTED, IS_CHARGING
from chargeport.signals.definition import COUNT, LASTING, Signal


def rows_of(dialect: Dialect, fields: Iterable[str]) -> list[Row]:
    """Return the rows that use any of these fields, each once."""
    rows: dict[int, Row] = {}
    for field in fields:
        for row in dialect.by_field.get(field, ()):
            rows[id(row)] = row
    return list(rows.values())


def in_order(rows: Sequence[Row]) -> list[Row]:
    """Return the rows as they are read: of several for one signal in the order of the table, as the first with a value counts.

    The rows of charging and of the cable come first: the gates of the others depend on them.
    """
    by_signal: dict[int, list[Row]] = {IS_CHARGING.key: [], CABLE_CONNECTED.key: []}
    for row in rows:
        by_signal.setdefault(row.signal.key, []).append(row)
    return [row for own in by_signal.values() for row in (own if len(own) == 1 else sorted(own, key=_place))]


def _place(row: Row) -> int:
    return row.place


def is_lasting(dialect: Dialect, field: str) -> bool:
    """Return whether a field is used for lasting signals only, so that its age does little harm."""
    rows = dialect.by_field.get(field, ())
    own = [row for row in rows if row.fields[0] == field]
    return not rows or (bool(own) and all(row.signal.cadence is LASTING and len(row.fields) == 1 for row in own))


def has_no_value(signal: Signal, content: Mapping[str, Any]) -> bool:
    """Return whether the body of a signal that is no document has no value. A count of 0 phases is none."""
    value = content.get("value", content)
    return is_nothing(value) or (signal.kind is COUNT and is_zero(value))


def is_zero(value: Any) -> bool:
    """Return whether a value is the number 0; False is none."""
    return type(value) in (int, float) and value == 0
