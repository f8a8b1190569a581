"""Parsing of bodies: from a source's or client's body to the signal's canonical value, or the rule that it breaks."""

import math
import re
from functools import lru_cache
from typing import Any, Final

import msgspec

from chargeport.signals import wire
from chargeport.signals.battery import CapacitySource, RangeType
from chargeport.signals.definition import COUNT, DOCUMENT, FLAG, QUANTITY, TEXT, Kind, Signal, Value
from chargeport.signals.documents import ChargingType, ConditionType, Document, Number, Weekday
from chargeport.signals.timers import ScheduleType
from chargeport.signals.units import convert, spellings
from chargeport.signals.violation import Rule, Violation

MAX_ECHO: Final = 200  # characters of the input in an error message
MAX_TEXT: Final = 64  # of a text signal: the longest known is 20
MAX_WORD: Final = 64  # characters of a text whose reading is cached: sources repeat the same words
MAX_WORDS: Final = 2_048  # texts that are cached

PLACEHOLDERS: Final = frozenset(
    {
        "invalid",
        "na",
        "nan",
        "nil",
        "none",
        "notavailable",
        "null",
        "sna",
        "unavailable",
        "undef",
        "undefined",
        "unknown",
    }
)
"""Texts with which sources report "no value". Unknown is never a value, so none of these is stored as one."""

_BLANKS: Final = "-\u2012\u2013\u2014\u2212.\u2026?* "  # minus, hyphens, dashes, and other signs for an empty field
_MARKS: Final = str.maketrans(
    "", "", "<>()[]{}#./-_ "
)  # around and within such a text: <nil>, [unknown], #N/A, n.a., NOT_AVAILABLE


class QuantityBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`{"value": number, "unit": text}`; the default is the wire's unit."""

    value: Number | None
    unit: str | None = None


class CountBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`{"value": integer}`; the wire has no unit for a count."""

    value: Number | None
    unit: str | None = None


class TextBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`{"value": text}`."""

    value: str | None


class FlagBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`{"value": true}` or `{"value": false}`."""

    value: bool | None


_BODY_TYPES: Final[dict[Kind, type[msgspec.Struct]]] = {
    QUANTITY: QuantityBody,
    COUNT: CountBody,
    TEXT: TextBody,
    FLAG: FlagBody,
}


def is_placeholder(text: str) -> bool:
    """Return whether a text means "no value": a placeholder, with any marks around it, or only dashes, dots and such.

    >>> [is_placeholder(text) for text in ("Unknown", "<nil>", "#N/A", "NOT_AVAILABLE", "--", "", "Blue", "0", "%")]
    [True, True, True, True, True, True, False, False, False]
    """
    return _is_placeholder_word(text) if len(text) <= MAX_WORD else _is_placeholder(text)


def _is_placeholder(text: str) -> bool:
    plain = text.strip().casefold()
    return plain.translate(_MARKS) in PLACEHOLDERS or not plain.strip(_BLANKS)


_is_placeholder_word: Final = lru_cache(MAX_WORDS)(_is_placeholder)


def body_type(signal: Signal) -> type[msgspec.Struct]:
    """Return the struct into which a body of this signal is decoded."""
    if signal.kind is DOCUMENT:
        assert signal.document is not None, f"{signal.code} is a document without a type"  # noqa: S101
        return signal.document
    return _BODY_TYPES[signal.kind]


def value_of(signal: Signal, body: Any, path: str = "body") -> Value:
    """Return the canonical value of a decoded body (the struct of `body_type`).

    `path` is the path of the body in errors. Raises Violation when the body breaks a rule.
    """
    if isinstance(body, Document):
        document = body.in_wire_form(path)
        document.check(path)
        return wire.document_text(document)
    value = body.value
    if value is None:
        raise Violation(Rule.MISSING, "null is no value: leave the signal out, or send the reason as a status", f"{path}.value")
    kind = type(body)  # faster to compare than the kind of the signal
    if kind is QuantityBody:
        return _quantity(signal, value, body.unit, path)
    if kind is FlagBody:
        return bool(value)
    if kind is CountBody:
        return _count(signal, value, body.unit, path)
    return _text(value, path)


def parse(signal: Signal, body: bytes | msgspec.Raw | dict[str, Any], path: str = "body") -> Value:
    """Return the canonical value of a body, which is JSON text or a dictionary. Raises Violation."""
    try:
        if isinstance(body, dict):
            return value_of(signal, msgspec.convert(body, body_type(signal)), path)
        return value_of(signal, _decoders[signal.key].decode(body), path)
    except KeyError:
        _decoders[signal.key] = msgspec.json.Decoder(body_type(signal))
        return parse(signal, body, path)
    except msgspec.ValidationError as error:
        raise violation(error, path) from None
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise Violation(Rule.NOT_JSON, f"not JSON: {error}", path) from None


_decoders: dict[int, msgspec.json.Decoder[Any]] = {}  # by signal


def _quantity(signal: Signal, value: float, unit: str | None, path: str) -> Value:
    if unit is not None and unit != signal.unit:
        assert signal.dimension is not None, f"{signal.code} has a unit but no dimension"  # noqa: S101
        converted = convert(value, signal.dimension, unit)
        if converted is None:
            known = ", ".join(spellings(signal.dimension))
            raise Violation(
                Rule.UNKNOWN_UNIT,
                f"{unit[:40]!r} is no unit of {signal.dimension}: use {known}",
                f"{path}.unit",
            )
        value = converted
    return _bounded(signal, value, path)


def _count(signal: Signal, value: float, unit: str | None, path: str) -> Value:
    if unit is not None:
        raise Violation(Rule.UNKNOWN_UNIT, f"{signal.code} is a count and has no unit: leave it out", f"{path}.unit")
    if math.isfinite(value) and not value.is_integer():
        raise Violation(Rule.WRONG_TYPE, "is no whole number", f"{path}.value", given=f"{value:.15g}")
    return _bounded(signal, value, path)


def _bounded(signal: Signal, value: float, path: str) -> Value:
    assert signal.minimum is not None and signal.maximum is not None  # noqa: S101, PT018
    if signal.minimum <= value <= signal.maximum:
        return wire.canonical(value)
    if not math.isfinite(value):
        raise Violation(Rule.NOT_FINITE, "is no number to work with", f"{path}.value", given=str(value))
    unit = f" {signal.unit}" if signal.unit else ""
    detail = f"is not within {signal.minimum:g} to {signal.maximum:g}{unit}"
    raise Violation(Rule.OUT_OF_BOUNDS, detail, f"{path}.value", given=f"{value:.15g}{unit}")


def _text(value: str, path: str) -> Value:
    if is_placeholder(value):
        raise Violation(
            Rule.PLACEHOLDER,
            f"{value[:40]!r} means that there is no value: leave the signal out",
            f"{path}.value",
        )
    if len(value) > MAX_TEXT or not value.isprintable():
        raise Violation(Rule.BAD_FORMAT, f"a text of 1 to {MAX_TEXT} printable characters is wanted", f"{path}.value")
    return value


ALLOWED: Final[dict[str, Any]] = {
    ".values.type": ConditionType,
    ".values.condition.chargingType": ChargingType,
    ".values.chargingType": ChargingType,
    ".values.scheduleType": ScheduleType,
    ".values.schedules.days": Weekday,
    ".values.departureTimers.days": Weekday,
    ".type": RangeType,
    ".additionalValues.type": RangeType,
    ".source": CapacitySource,
}
"""The words that a member of a document may have, by the path of the member."""

_WHERE = re.compile(r"^(?P<what>.*?)(?: - at `\$(?P<where>[^`]*)`)?$", re.DOTALL)
_FIELD = re.compile(r"field `(?P<name>[^`]*)`")


def violation(error: msgspec.ValidationError, path: str) -> Violation:
    """Convert a validation error of msgspec to a violation, with rule and member."""
    match = _WHERE.match(str(error))
    what, where = (match["what"], match["where"] or "") if match else (str(error), "")
    field = _FIELD.search(what)
    member = (path + where.replace("[...]", "[]") + (f".{field['name']}" if field else ""))[:MAX_ECHO]
    what = what[:MAX_ECHO]
    if "missing required field" in what:
        return Violation(Rule.MISSING, f"{what}", member)
    if "unknown field" in what:
        return Violation(Rule.UNKNOWN_MEMBER, f"{what}: leave it out", member)
    if "Invalid enum value" in what:
        allowed = getattr(ALLOWED.get(re.sub(r"\[\d*\]", "", where)), "__args__", ())
        return Violation(Rule.NOT_ALLOWED, f"{what}; allowed: {', '.join(allowed)}" if allowed else what, member)
    if "out of range" in what:
        return Violation(Rule.NOT_FINITE, "a finite number is wanted", member)
    return Violation(Rule.WRONG_TYPE, what, member)
