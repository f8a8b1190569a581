"""Values in the spellings of sources: numbers and flags as text, values of enumerations, and "no value"."""

import math
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final, TypeVar

from chargeport.signals.bodies import MAX_WORD, MAX_WORDS, is_placeholder
from chargeport.signals.violation import Rule, Violation

T = TypeVar("T")

FLAGS: Final = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
"""The spellings of true and false."""

MEASURED: Final = ({"value"}, {"value", "unit"})
"""The members of an object that represents one value, with or without its unit."""

_SIGNS: Final = ("+", "-", ".")
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


def flag(value: Any) -> bool:
    """Return a flag, which may be written as yes or no, true or false, on or off, 1 or 0. Raises Violation."""
    is_on = value if isinstance(value, bool) else FLAGS.get(folded(value))
    if is_on is None:
        raise Violation(Rule.WRONG_TYPE, "is neither true nor false", "value", given=f"{value!r:.40}")
    return is_on


def number(value: Any) -> float:
    """Return a finite number, which may be written as text. Raises Violation."""
    can_be = isinstance(value, int | float | str) and not isinstance(value, bool) and "_" not in str(value)
    try:
        parsed = float(value) if can_be else None  # without underscores: 1_000 is a spelling of Python only
    except ValueError:
        parsed = None
    if parsed is None or not math.isfinite(parsed):
        detail = "is no number" if parsed is None else "is no number to work with"
        raise Violation(Rule.WRONG_TYPE, detail, "value", given=f"{value!r:.40}")
    return parsed
