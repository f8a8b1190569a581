"""The rows that a dialect is made of, and what a row may say of its field: unit, words, scale, gate, floor."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final

import msgspec

from chargeport.dialects.topics import TopicPattern
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.definition import Kind, Signal
from chargeport.signals.reading import AbsenceReason
from chargeport.sources.base import Delivery, RawMessage

Decoded = dict[str, Any] | AbsenceReason | None
"""What a field says: a body of the signal, the reason why there is no value, or nothing."""

Decoder = Callable[[Any], Decoded]
"""Reads a field's value. Raises ValueError, TypeError or KeyError for what it can't read."""

Combiner = Callable[[Mapping[str, Any]], Decoded]
"""Reads several fields: those that are known now, by name. Raises like a Decoder."""

Reader = Callable[["Dialect", Delivery], list[RawMessage]]
"""Takes a delivery apart into messages. Raises Unreadable, or like a Decoder, for what it can't read."""


class Unreadable(ValueError):  # noqa: N818  (it is what was found, not a failure of ours)
    """A delivery is not in the form that its dialect has; the text says what is wrong and what is wanted."""


class Gate(StrEnum):
    """When a field is believed. A field that its gate holds back says that there is no value: NOT_CHARGING."""

    ALWAYS = "always"
    LIVE = "live"  # other than zero only while charging: many sources leave the last power in place
    CHARGING = "charging"  # only while charging, zero too: a time that remains


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What one signal is made of. `note` says where we know it from.

    `fields`: the first is the field itself; the others are looked at beside it, and the row is read when any of them comes.
    One field is read by `decode`, several by `combine`; else its number, text or flag is the value: in `unit`, times `scale`,
    looked up in `words` (whole, without regard to case; None: it says nothing), no value below `floor`.
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
    note: str = ""


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """What a source's fields mean. A field is in `rows`, or it is `ignored` by name; any other is an issue.

    `ignored` has names, or beginnings that end in `*`. `not_capable` names the field, if the source has one, that lists the
    fields which the car can't report. `read` takes deliveries apart; `topics` are the addresses it knows, where it has some.
    `beside` are fields that no row is made of but rows look at.
    """

    name: str
    rows: tuple[Row, ...]
    by_field: Mapping[str, tuple[Row, ...]]
    remembered: frozenset[str]
    ignored: frozenset[str] = frozenset()
    ignored_under: tuple[str, ...] = ()
    not_capable: str | None = None
    topics: tuple[TopicPattern, ...] = ()
    read: Reader | None = None

    def ignores(self, field: str) -> bool:
        """Whether this field is known to be none of ours."""
        return field in self.ignored or (bool(self.ignored_under) and field.startswith(self.ignored_under))


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
    note: str = "",
) -> Row:
    """A row for the signal of this code, from one field; refuses a unit, scale or floor where the signal is no quantity."""
    signal = BY_CODE[code]
    if signal.kind is not Kind.QUANTITY and decode is None and (unit, scale, floor) != (None, None, None):
        raise ValueError(f"{field}: {code} has no unit to convert")
    words = None if words is None else {str(word).casefold(): value for word, value in words.items()}
    return Row(
        signal=signal, fields=(field,), unit=unit, scale=scale, words=words, floor=floor, gate=gate, decode=decode, note=note
    )


def combined(fields: tuple[str, ...], code: str, combine: Combiner, *, gate: Gate = Gate.ALWAYS, note: str = "") -> Row:
    """A row for the signal of this code, from several fields: read when one of them comes, with what is known of the others."""
    return Row(signal=BY_CODE[code], fields=fields, combine=combine, gate=gate, note=note)


def dialect(
    name: str,
    *rows: Row,
    ignored: frozenset[str] = frozenset(),
    not_capable: str | None = None,
    topics: tuple[str, ...] = (),
    read: Reader | None = None,
) -> Dialect:
    """A dialect of these rows; refuses a signal that is made of one field twice, and an ignored field that has a row."""
    by_field: dict[str, tuple[Row, ...]] = {}
    for each in rows:
        for field in each.fields:
            by_field[field] = (*by_field.get(field, ()), each)
    mains = [(each.fields[0], each.signal.key) for each in rows]
    if len(set(mains)) != len(mains):
        raise ValueError(f"{name}: a field has two rows for one signal")
    exact = frozenset(each for each in ignored if not each.endswith("*"))
    if both := exact & by_field.keys():
        raise ValueError(f"{name}: {', '.join(sorted(both))}: ignored, and in a row")
    return Dialect(
        name=name,
        rows=rows,
        by_field=by_field,
        remembered=frozenset(field for each in rows if len(each.fields) > 1 for field in each.fields),
        ignored=exact,
        ignored_under=tuple(sorted(each.rstrip("*") for each in ignored - exact)),
        not_capable=not_capable,
        topics=tuple(TopicPattern.parse(each) for each in topics),
        read=read,
    )


def value(content: Any) -> dict[str, Any]:
    """The body of a signal that has a plain value, in its wire unit where it has one."""
    return {"value": content}


def quantity(content: float, unit: str) -> dict[str, Any]:
    """The body of a quantity in this unit; it is converted where it must be."""
    return {"value": content, "unit": unit}


def limit(percent: float) -> dict[str, Any]:
    """The body of charge-chargelimits of a source that knows one limit for everywhere."""
    return {"activeLimit": percent, "values": [{"type": "GLOBAL", "limit": percent}], "unit": "percent"}


def battery_range(distance: float, unit: str) -> dict[str, Any]:
    """The body of tractionbattery-range of a source that knows one range."""
    return {"value": distance, "type": "DEFAULT", "additionalValues": [], "unit": unit}


def capacity(kwh: float, description: str) -> dict[str, Any]:
    """The body of tractionbattery-nominalcapacity; `description` says whose word it is."""
    known = [{"capacity": kwh, "description": description}]
    return {"capacity": kwh, "source": "SMARTCAR", "availableCapacities": known, "unit": "kWh"}


DC_ABOVE_W: Final = 22_000
"""Above, a source that does not tell the two apart charges with DC: sources 15.6. A 43 kW Zoe is the known exception."""
