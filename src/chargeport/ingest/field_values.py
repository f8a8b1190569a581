"""From a field's value to a body, by the row: numbers written as text, flags written as words, words for "no value"."""

import math
from collections.abc import Mapping
from typing import Any, Final

from chargeport.dialects.table import Decoded, Row
from chargeport.signals.bodies import PLACEHOLDERS
from chargeport.signals.definition import Kind
from chargeport.signals.violation import Rule, Violation

FLAGS: Final = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_NUMBERS: Final = (Kind.QUANTITY, Kind.COUNT)
_MEASURED: Final = ({"value"}, {"value", "unit"})


def is_nothing(value: Any) -> bool:
    """Whether a source means "no value" by this: null, NaN, an empty text, or a word like `unavailable`."""
    if value is None:
        return True
    if isinstance(value, str):
        return value.strip().casefold() in PLACEHOLDERS
    if isinstance(value, float):
        return not math.isfinite(value)
    return isinstance(value, Mapping) and value.keys() in _MEASURED and is_nothing(value.get("value"))


def said(row: Row, value: Any) -> Decoded:
    """What the field's value says, by the row. Raises Violation, or like a Decoder."""
    if row.decode is not None:
        return row.decode(value)
    unit = row.unit
    if isinstance(value, Mapping) and value.keys() in _MEASURED:
        value, unit = value["value"], value.get("unit") or unit
    if row.words is not None:
        return _word(row, value)
    if row.signal.kind in _NUMBERS:
        number = _number(value)
        number = number if row.scale is None else number * row.scale
        if row.floor is not None and 0 < abs(number) < row.floor:
            return None
        return {"value": number} if unit is None else {"value": number, "unit": unit}
    if row.signal.kind is Kind.FLAG and isinstance(value, str) and value.strip().casefold() in FLAGS:
        return {"value": FLAGS[value.strip().casefold()]}
    return {"value": value}


def _word(row: Row, value: Any) -> Decoded:
    words = row.words or {}
    word = str(value).strip().casefold()
    if word not in words:
        known = ", ".join(words)
        raise Violation(Rule.NOT_ALLOWED, f"{str(value)[:40]!r} is none of the words known here: {known}"[:400], "value")
    found = words[word]
    return found if found is None or isinstance(found, dict) else {"value": found}


def _number(value: Any) -> Any:
    """A number that was written as text, as a number; anything else as it is, for the signal's own check to refuse."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    try:
        number = float(text)
    except ValueError:
        raise Violation(Rule.WRONG_TYPE, f"{text[:40]!r} is no number", "value") from None
    if "_" in text:  # Python's own way of writing, nobody else's
        raise Violation(Rule.WRONG_TYPE, f"{text[:40]!r} is no number", "value")
    return int(number) if number.is_integer() else number
