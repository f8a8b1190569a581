"""Dialects and their rows, and how a row reads its fields: unit, words, scale, gate, floor."""

import math
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from enum import Enum, StrEnum
from re import Pattern
from typing import Any, Final

import msgspec

from chargeport.dialects.field_values import (
    FLAGS,
    MEASURED,
    by_folded,
    folded,
    unknown_value,
    with_decimal_point,
    with_unit,
)
from chargeport.dialects.topics import TopicPattern
from chargeport.signals.catalogue import BY_CODE, IS_CHARGING
from chargeport.signals.definition import COUNT, FLAG, LASTING, LIVE, QUANTITY, Signal
from chargeport.signals.reading import AbsenceReason
from chargeport.signals.violation import Rule, Violation
from chargeport.sources.base import Delivery, RawMessage


class NotKnown(Enum):
    """The result of a row that neither adds a value nor ends the earlier one."""

    NOT_KNOWN = "not known"


NOT_KNOWN: Final = NotKnown.NOT_KNOWN
"""The source does not know the value now, or a field that the row needs is missing: the earlier value still holds."""

Decoded = dict[str, Any] | AbsenceReason | NotKnown | None
"""The result of a row: a body of the signal, the reason of an absence, NOT_KNOWN, or None.

None: there is no value, and the earlier one no longer holds.
"""

FRESHER_MS: Final = 15 * 60_000
"""How much newer a second-best field is read in place of a better one, which its source no longer reports."""


class Known(dict[str, Any]):
    """The known fields of a row by name, and when each was reported (`at`, in milliseconds)."""

    def __init__(self, fields: Mapping[str, Any], at: Mapping[str, int] | None = None) -> None:
        super().__init__(fields)
        self.at = at or {}

    def reported_at(self, field: str) -> int:
        """Return when the field was reported; 0 where that is not known."""
        return self.at.get(field, 0)

    def newest_first(self, fields: Iterable[str]) -> list[str]:
        """Return the known ones of these fields, the newest first; those of the same instant in the given order."""
        return sorted((field for field in fields if field in self), key=lambda field: -self.reported_at(field))

    def best(self, *fields: str) -> str | None:
        """Return the first known one of these fields that is at most FRESHER_MS older than the newest of them."""
        known = [field for field in fields if field in self]
        newest = max(map(self.reported_at, known), default=0)
        return next((field for field in known if newest - self.reported_at(field) <= FRESHER_MS), None)


_NUMBERS: Final = (int, float)
_FLAG_FORMS: Final = (str, int, float)

Decoder = Callable[[Any], Decoded]
"""Read a field's value. Raises ValueError, TypeError or KeyError for an unreadable one."""

Combiner = Callable[[Known], Decoded]
"""Read the known fields of a row. Raises like a Decoder."""

Reader = Callable[["Dialect", Delivery], list[RawMessage]]
"""Read the messages of a delivery. Raises Unreadable, or like a Decoder."""


class Unreadable(ValueError):  # noqa: N818  (a finding about the input, not a failure of the server)
    """A delivery is not in a form of its dialect; the text names the error and the expected form."""


class Incomplete(ValueError):  # noqa: N818  (as above)
    """A value needs another field, such as its unit, which the source reports separately: it may follow."""


class Gate(StrEnum):
    """When a field counts. A field that its gate holds back gives the absence NOT_CHARGING."""

    ALWAYS = "always"
    LIVE = "live"  # nonzero only while charging: many sources keep reporting the last power
    CHARGING = "charging"  # only while charging, also zero: such as the remaining time


ALWAYS: Final = Gate.ALWAYS  # by itself for the hot path, as in signals.definition


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """How a signal is read from fields. `note` is the evidence.

    `fields`: the first is the main field; the row is read whenever any of them is reported. The fields of `beside` are passed
    to `combine`, too, but do not cause a read. One field is read by `decode`, several by `combine`; without either, its number,
    text or flag is the value: in `unit`, times `scale`, looked up in `words` (whole, in any spelling), and no value below
    `floor`. In `words`, None ends the earlier value of the row, NOT_KNOWN does not. `keeps_last`: a value that the gate holds
    back is stored as the last value, before the absence. `place`: its index in the table.
    """

    signal: Signal
    fields: tuple[str, ...]
    unit: str | None = None
    scale: float | None = None
    words: Mapping[str, Any] | None = None
    floor: float | None = None
    gate: Gate = Gate.ALWAYS
    decode: Decoder | None = None
    combine: Combiner | None = None
    beside: tuple[str, ...] = ()
    keeps_last: bool = False
    note: str = ""
    place: int = 0

    def knows(self, value: Any) -> bool:
        """Return whether a text is one of `words` with a meaning: it is a value here, though others write it for "no value"."""
        if self.words is None or not isinstance(value, str):
            return False
        return self.words.get(folded(value), NOT_KNOWN) is not NOT_KNOWN

    @property
    def only_checks(self) -> bool:
        """Whether the row has words without a value only: an unknown word is an issue, and other rows read the known ones."""
        return self.words is not None and all(meaning is NOT_KNOWN for meaning in self.words.values())

    def read(self, value: Any) -> Decoded:
        """Return the result of the value of the main field. Raises Violation, or like a Decoder."""
        if self.decode is not None:
            return self.decode(value)
        unit, kind = self.unit, self.signal.kind
        if (type(value) is dict or isinstance(value, Mapping)) and value.keys() in MEASURED:
            value, unit = value["value"], value.get("unit") or unit
        if self.words is not None:
            return _looked_up(self.words, value)
        if kind is QUANTITY or kind is COUNT:
            value, own_unit = with_unit(value, self.signal.dimension)
            unit = own_unit or unit
            number = _number(value)
            if type(number) in _NUMBERS:  # else the check of the body rejects it
                number = number if self.scale is None else number * self.scale
                if self.floor is not None and number < self.floor:
                    return None
            return {"value": number} if unit is None else {"value": number, "unit": unit}
        if kind is FLAG and isinstance(value, _FLAG_FORMS):
            return {"value": FLAGS.get(folded(value), value)}
        return {"value": value}


def _looked_up(words: Mapping[str, Any], value: Any) -> Decoded:
    key = folded(value)
    if key not in words:
        raise unknown_value(value, words)
    meaning = words[key]
    return meaning if meaning is None or isinstance(meaning, dict | AbsenceReason | NotKnown) else {"value": meaning}


def _number(value: Any) -> Any:
    """Return the number of a text; anything else unchanged, for the check of the body to reject."""
    if not isinstance(value, str):
        return value
    text = with_decimal_point(value)
    try:
        number = float(text.replace("_", "?"))  # 1_000 is a spelling of Python only
    except ValueError:
        raise Violation(Rule.WRONG_TYPE, "is no number", "value", given=f"{text[:40]!r}") from None
    if not math.isfinite(number):
        raise Violation(Rule.NOT_FINITE, "is no number to work with", "value", given=f"{text[:40]!r}")
    return int(number) if number.is_integer() else number


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """The meaning of a source's fields. A field is in `rows`, or `ignored` by name; any other is an issue.

    `ignored_under` are beginnings of ignored names. For a source that adds fields with each release, `relevant` matches the
    fields about charging: one of these without a row is an issue, all others are ignored. `not_capable` is the field that lists
    the fields which the car can't report, `whole_car` the field with a reason why no signal has a value. A vehicle whose name
    matches `connectors` is the car at that connector; the field `plug` reports whether one is plugged in. `read` reads
    deliveries; `topics` are its addresses. On topics of `status` the source reports whether it is connected (the broker does if
    the connection is lost), on those of `heartbeats` that it is: for the car of the address, else for all its cars.
    """

    name: str
    rows: tuple[Row, ...]
    by_field: Mapping[str, tuple[Row, ...]]
    remembered: frozenset[str]
    ends_with_plug: frozenset[str] = frozenset()  # fields whose values end when the cable is removed
    ends_with_charge: frozenset[str] = frozenset()  # fields whose values end with charging
    ignored: frozenset[str] = frozenset()
    ignored_under: tuple[str, ...] = ()
    relevant: Pattern[str] | None = None
    not_capable: str | None = None
    whole_car: str | None = None
    connectors: Pattern[str] | None = None
    plug: str = ""
    topics: tuple[TopicPattern, ...] = ()
    status: tuple[TopicPattern, ...] = ()
    heartbeats: tuple[TopicPattern, ...] = ()
    read: Reader | None = None

    def ignores(self, field: str) -> bool:
        """Return whether a field is ignored."""
        if field in self.ignored or (bool(self.ignored_under) and field.startswith(self.ignored_under)):
            return True
        return self.relevant is not None and self.relevant.search(field) is None


def row(
    field: str,
    code: str,
    unit: str | None = None,
    decode: Decoder | None = None,
    *,
    scale: float | None = None,
    words: Mapping[str, Any] | None = None,
    floor: float | None = None,
    gate: Gate = Gate.ALWAYS,
    keeps_last: bool = False,
    note: str = "",
) -> Row:
    """Make a row for the signal of this code, from one field; a unit, scale or floor is for quantities. Raises ValueError."""
    signal = BY_CODE[code]
    if signal.kind is not QUANTITY and decode is None and (unit, scale, floor) != (None, None, None):
        raise ValueError(f"{field}: {code} has no unit to convert")
    if words is not None:
        _check_words(signal, words)
        words = by_folded(words)
    return Row(
        signal=signal, fields=(field,), unit=unit, scale=scale, words=words, floor=floor, gate=gate, decode=decode,
        keeps_last=keeps_last, note=note,
    )  # fmt: skip


_OPEN_LISTS: Final = ("charge-chargeportstatuscolor", "charge-chargingconnectortype")  # these signals may have new values


def _check_words(signal: Signal, words: Mapping[str, Any]) -> None:
    """Check that the meanings of words are known values of the signal. Raises ValueError."""
    for word, meaning in words.items():
        if not signal.known or not isinstance(meaning, str) or meaning in signal.known:
            continue
        close = get_close_matches(folded(meaning), by_folded(dict.fromkeys(signal.known)), 1, 0.75)
        if close or signal.code not in _OPEN_LISTS:
            own = next((known for known in signal.known if folded(known) in close), "")
            hint = f"write {own}" if own else f"there are {', '.join(signal.known)}"
            raise ValueError(f"words.{word}: {meaning[:40]!r} is no value of {signal.code}: {hint}")


def combined(
    fields: tuple[str, ...],
    code: str,
    combine: Combiner,
    *,
    beside: tuple[str, ...] = (),
    words: Mapping[str, Any] | None = None,
    gate: Gate = Gate.ALWAYS,
    note: str = "",
) -> Row:
    """Make a row for the signal of this code, from several fields: read when one comes, with what is known of the others.

    `words`, by their folded form, are values of the fields that others write for "no value".
    """
    return Row(signal=BY_CODE[code], fields=fields, combine=combine, beside=beside, words=words, gate=gate, note=note)


def dialect(
    name: str,
    *rows: Row,
    ignored: frozenset[str] = frozenset(),
    relevant: Pattern[str] | None = None,
    lasting: frozenset[str] = frozenset(),
    not_capable: str | None = None,
    whole_car: str | None = None,
    connectors: Pattern[str] | None = None,
    plug: str = "",
    topics: tuple[str, ...] = (),
    status: tuple[str, ...] = (),
    heartbeats: tuple[str, ...] = (),
    read: Reader | None = None,
) -> Dialect:
    """Make a dialect of these rows. Raises ValueError for two rows of a signal and field, or an ignored field with a row.

    `lasting` are fields read with live ones, such as their units, that hold longer than a session.
    """
    by_field: dict[str, tuple[Row, ...]] = {}
    rows = tuple(msgspec.structs.replace(own_row, place=place) for place, own_row in enumerate(rows))
    for own_row in rows:
        for field in own_row.fields:
            by_field[field] = (*by_field.get(field, ()), own_row)
    mains = [(own_row.fields[0], own_row.signal.key) for own_row in rows]
    if len(set(mains)) != len(mains):
        raise ValueError(f"{name}: a field has two rows for one signal")
    exact = frozenset(name for name in ignored if not name.endswith("*"))
    if both := exact & by_field.keys():
        raise ValueError(f"{name}: {', '.join(sorted(both))}: ignored, and in a row")
    return Dialect(
        name=name,
        rows=rows,
        by_field=by_field,
        remembered=frozenset(
            field for own_row in rows if own_row.combine is not None for field in (*own_row.fields, *own_row.beside)
        ),
        ends_with_plug=frozenset(field for field, own in by_field.items() if all(map(_ends_with_the_plug, own))) - lasting,
        ends_with_charge=frozenset(field for field, own in by_field.items() if _ends_with_the_charge(field, own)) - lasting,
        ignored=exact,
        ignored_under=tuple(sorted(prefix.rstrip("*") for prefix in ignored - exact)),
        relevant=relevant,
        not_capable=not_capable,
        whole_car=whole_car,
        connectors=connectors,
        plug=plug,
        topics=tuple(map(TopicPattern.parse, topics)),
        status=tuple(map(TopicPattern.parse, status)),
        heartbeats=tuple(map(TopicPattern.parse, heartbeats)),
        read=read,
    )


def _ends_with_the_plug(row: Row) -> bool:
    return row.signal.cadence is not LASTING and row.signal is not IS_CHARGING


def _ends_with_the_charge(field: str, rows: tuple[Row, ...]) -> bool:
    """Return whether a field is used for live values only."""
    own_rows = [row for row in rows if row.fields[0] == field]
    is_live = [row.signal.cadence is LIVE for row in rows]
    return any(is_live) and all(map(_ends_with_the_plug, rows)) and all(row.signal.cadence is LIVE for row in own_rows)


def value(content: Any) -> dict[str, Any]:
    """Return the body of a signal that has a plain value, in its wire unit where it has one."""
    return {"value": content}


def quantity(content: float, unit: str) -> dict[str, Any]:
    """Return the body of a quantity in this unit, which the check of the body converts."""
    return {"value": content, "unit": unit}


def limit(percent: float, unit: str = "percent") -> dict[str, Any] | None:
    """Return the body of charge-chargelimits of a source with one limit for all places; None for a limit of 0."""
    if percent == 0:
        return None
    return {"activeLimit": percent, "values": [{"type": "GLOBAL", "limit": percent}], "unit": unit}


def battery_range(distance: float, unit: str) -> dict[str, Any]:
    """Return the body of tractionbattery-range of a source with one range."""
    return {"value": distance, "type": "DEFAULT", "additionalValues": [], "unit": unit}


def capacity(kwh: float, description: str) -> dict[str, Any]:
    """Return the body of tractionbattery-nominalcapacity; `description` names its origin."""
    known = [{"capacity": kwh, "description": description}]
    return {"capacity": kwh, "source": "SMARTCAR", "availableCapacities": known, "unit": "kWh"}


DC_ABOVE_W: Final = 22_000
"""More power is DC charging, for sources that do not report which it is. A 43 kW Zoe is the known exception."""
