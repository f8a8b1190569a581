"""Values in the spellings of sources: numbers and flags as text, values of enumerations, and "no value"."""

import math
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import timedelta
from functools import lru_cache
from typing import Any, Final, TypeVar

import msgspec

from chargeport.signals.bodies import MAX_WORD, MAX_WORDS, is_placeholder
from chargeport.signals.definition import Dimension
from chargeport.signals.units import factor_to_wire
from chargeport.signals.violation import Rule, Violation

T = TypeVar("T")

FLAGS: Final = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
"""The spellings of true and false."""

MEASURED: Final = ({"value"}, {"value", "unit"})
"""The members of an object that represents one value, with or without its unit."""

_SIGNS: Final = ("+", "-", ".")
_DECIMAL_COMMA: Final = re.compile(r"[+-]?\d*,\d+")
_GROUPED: Final = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")  # 1,234 may be either
_WITH_UNIT: Final = re.compile(r"([+-]?[\d.,]*\d)\s*([^\s\d.,+-].*)")
_SEPARATOR: Final = re.compile(r"(?<=[^\W_])[\s_.\-]+(?=[^\W_])")


def is_nothing(value: Any) -> bool:
    """Return whether a value means "no value": null, NaN, an empty text, or a text like `unavailable`."""
    kind = type(value)  # decoded JSON: exact types are by far the most frequent, and the cheapest to compare
    if kind is int or kind is bool:
        return False
    if value is None:
        return True
    if isinstance(value, str):
        return is_placeholder(value)
    if isinstance(value, float):
        return not math.isfinite(value)
    is_object = kind is dict or isinstance(value, Mapping)
    return is_object and value.keys() in MEASURED and is_nothing(value.get("value"))


def folded(value: Any) -> str:
    """Return a text without case and separators, to compare spellings; a number in its shortest form.

    >>> folded("ACSingleWireCAN") == folded("ac_single_wire_can"), folded("1.0"), folded("-1.0")
    (True, '1', '-1')
    """
    text = str(value)
    return _folded_word(text) if len(text) <= MAX_WORD else _folded(text)


def _folded(text: str) -> str:
    text = text.strip().casefold()
    if text[:1].isdecimal() or text.startswith(_SIGNS):  # a word is no number: to find that out takes as long as all the rest
        with suppress(ValueError):
            return f"{number(text):.15g}"
    return _SEPARATOR.sub("", text)


_folded_word: Final = lru_cache(MAX_WORDS)(_folded)


def by_folded(table: Mapping[str, T]) -> dict[str, T]:
    """Return a table with its keys in folded form."""
    return {folded(key): meaning for key, meaning in table.items()}


def unknown_value(value: Any, known: Iterable[str], field: str = "value") -> Violation:
    """Return the violation of an unknown value of an enumeration, with the same text for all spellings."""
    text = f"{folded(value)[:40]!r} is none of the values known here: {', '.join(known)}"
    return Violation(Rule.NOT_ALLOWED, text[:400], field)


def with_decimal_point(text: str) -> str:
    """Return the text of a number with a point for its decimal comma, where that can't separate thousands.

    >>> with_decimal_point("7,4"), with_decimal_point("0,125"), with_decimal_point("1,234")
    ('7.4', '0.125', '1,234')
    """
    text = text.strip()
    is_decimal = "," in text and _DECIMAL_COMMA.fullmatch(text) and not _GROUPED.fullmatch(text)
    return text.replace(",", ".") if is_decimal else text


def with_unit(value: Any, dimension: Dimension | None) -> tuple[Any, str | None]:
    """Return the number of a text that has its unit with it (`7.2 kW`, `PT1H30M`), and the unit; others unchanged, with None.

    >>> with_unit("7.2 kW", Dimension.POWER), with_unit("PT1H30M", Dimension.TIME), with_unit("7.2", Dimension.POWER)
    (('7.2', 'kW'), (90.0, 'min'), ('7.2', None))
    """
    if dimension is None or not isinstance(value, str) or value[-1:].isdigit():  # no unit ends in a digit
        return value, None
    if dimension is Dimension.TIME and value.strip()[:1] == "P":
        with suppress(msgspec.ValidationError):
            return msgspec.convert(value.strip(), timedelta) / timedelta(minutes=1), "min"
    found = _WITH_UNIT.fullmatch(value.strip())
    is_known = found is not None and factor_to_wire(dimension, found[2]) is not None
    return (found[1], found[2]) if found is not None and is_known else (value, None)


def flag(value: Any) -> bool:
    """Return a flag, which may be written as yes or no, true or false, on or off, 1 or 0. Raises Violation."""
    is_on = value if isinstance(value, bool) else FLAGS.get(folded(value))
    if is_on is None:
        raise Violation(Rule.WRONG_TYPE, "is neither true nor false", "value", given=f"{value!r:.40}")
    return is_on


def number(value: Any) -> float:
    """Return a finite number, which may be written as text, also with a decimal comma. Raises Violation."""
    can_be = isinstance(value, int | float | str) and not isinstance(value, bool) and "_" not in str(value)
    try:  # without underscores: 1_000 is a spelling of Python only
        parsed = float(with_decimal_point(value) if isinstance(value, str) else value) if can_be else None
    except ValueError:
        parsed = None
    if parsed is None or not math.isfinite(parsed):
        detail = "is no number" if parsed is None else "is no number to work with"
        raise Violation(Rule.WRONG_TYPE, detail, "value", given=f"{value!r:.40}")
    return parsed
