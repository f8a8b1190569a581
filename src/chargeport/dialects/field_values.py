"""Values as sources write them: numbers and flags as text, words in any spelling, and what means "no value"."""

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeVar

from chargeport.signals.bodies import PLACEHOLDERS
from chargeport.signals.violation import Rule, Violation

T = TypeVar("T")

FLAGS: Final = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
"""The words for true and false."""

MEASURED: Final = ({"value"}, {"value", "unit"})
"""The members of an object that is one value, alone or with its unit."""

_SEPARATOR: Final = re.compile(r"(?<=[^\W_])[\s_.\-]+(?=[^\W_])")


def is_nothing(value: Any) -> bool:
    """Return whether a source means "no value" by this: null, NaN, an empty text, or a word like `unavailable`."""
    if value is None:
        return True
    if isinstance(value, str):
        return value.strip().casefold() in PLACEHOLDERS
    if isinstance(value, float):
        return not math.isfinite(value)
    return isinstance(value, Mapping) and value.keys() in MEASURED and is_nothing(value.get("value"))


def folded(word: Any) -> str:
    """Return a word without regard to capitals and to what separates its parts; a number in its shortest form.

    >>> folded("ACSingleWireCAN") == folded("ac_single_wire_can"), folded("1.0"), folded("-1.0")
    (True, '1', '-1')
    """
    text = str(word).strip().casefold()
    try:
        return f"{number(text):.15g}"
    except ValueError:
        return _SEPARATOR.sub("", text)


def spelled(words: Mapping[str, T]) -> dict[str, T]:
    """Return a table of words by their folded forms, in which `folded` finds them."""
    return {folded(word): meaning for word, meaning in words.items()}


def unknown_word(word: Any, known: Iterable[str], field: str = "value") -> Violation:
    """Return the violation of a word of a field that is not known. Its text is the same for every spelling of the word."""
    text = f"{folded(word)[:40]!r} is none of the words known here: {', '.join(known)}"
    return Violation(Rule.NOT_ALLOWED, text[:400], field)


def flag(value: Any) -> bool:
    """Return a flag, also one written as yes or no, true or false, on or off, 1 or 0. Raises Violation."""
    found = value if isinstance(value, bool) else FLAGS.get(folded(value))
    if found is None:
        raise Violation(Rule.WRONG_TYPE, "is neither true nor false", "value", given=f"{value!r:.40}")
    return found


def number(value: Any) -> float:
    """Return a finite number, also one that was written as text. Raises Violation."""
    is_one = isinstance(value, int | float | str) and not isinstance(value, bool)
    try:
        found = float(value) if is_one and "_" not in str(value) else None  # 1_000 is Python's own way of writing
    except ValueError:
        found = None
    if found is None or not math.isfinite(found):
        detail = "is no number" if found is None else "is no number to work with"
        raise Violation(Rule.WRONG_TYPE, detail, "value", given=f"{value!r:.40}")
    return found
