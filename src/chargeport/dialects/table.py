"""The rows that a dialect is made of, and how a row reads its fields: unit, words, scale, gate, floor."""

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from enum import Enum, StrEnum
from re import Pattern
from typing import Any, Final

import msgspec

from chargeport.dialects.field_values import FLAGS, MEASURED, folded, spelled, unknown_word
from chargeport.dialects.topics import TopicPattern
from chargeport.signals.catalogue import BY_CODE, IS_CHARGING
from chargeport.signals.definition import Cadence, Kind, Signal
from chargeport.signals.reading import AbsenceReason
from chargeport.signals.violation import Rule, Violation
from chargeport.sources.base import Delivery, RawMessage


class Unsaid(Enum):
    """What a row returns that neither gives a value nor takes one back."""

    NOT_KNOWN = "not known"


NOT_KNOWN: Final = Unsaid.NOT_KNOWN
"""The source does not know it at the moment, or the row needs a field that was not told: what it said before stands."""

Decoded = dict[str, Any] | AbsenceReason | Unsaid | None
"""What a row makes of its fields: a body of the signal, or the reason why there is no value, or NOT_KNOWN.

None: there is no value. What the row said before is taken back.
"""

FRESHER_MS: Final = 15 * 60_000
"""So much newer, a second-best field is read in place of the better one, which the source no longer tells."""


class Known(dict[str, Any]):
    """The fields of a row that are known now, by name, and when each was told (`at`, in milliseconds)."""

    def __init__(self, fields: Mapping[str, Any], at: Mapping[str, int] | None = None) -> None:
        super().__init__(fields)
        self.at = at or {}

    def told_at(self, field: str) -> int:
        """Return when the field was reported; 0 where that is not known."""
        return self.at.get(field, 0)

    def newest_first(self, fields: Iterable[str]) -> list[str]:
        """Return those of these fields that are known, the newest first; of the same instant, in the order given."""
        return sorted((field for field in fields if field in self), key=lambda field: -self.told_at(field))

    def best(self, *fields: str) -> str | None:
        """Return the first of these fields that is known, or a later one that was reported a good while after it."""
        known = [field for field in fields if field in self]
        newest = max(map(self.told_at, known), default=0)
        return next((field for field in known if newest - self.told_at(field) <= FRESHER_MS), None)


Decoder = Callable[[Any], Decoded]
"""Reads a field's value. Raises ValueError, TypeError or KeyError for what it can't read."""

Combiner = Callable[[Known], Decoded]
"""Reads several fields: those that are known now, by name. Raises like a Decoder."""

Reader = Callable[["Dialect", Delivery], list[RawMessage]]
"""Takes a delivery apart into messages. Raises Unreadable, or like a Decoder, for what it can't read."""


class Unreadable(ValueError):  # noqa: N818  (it is what was found, not a failure of ours)
    """A delivery is not in the form that its dialect has; the text says what is wrong and what is wanted."""


class Gate(StrEnum):
    """When a field counts. A field that its gate holds back says that there is no value: NOT_CHARGING."""

    ALWAYS = "always"
    LIVE = "live"  # other than zero only while charging: many sources leave the last power in place
    CHARGING = "charging"  # only while charging, zero too: a time that remains


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What one signal is made of. `note` says where we know it from.

    `fields`: the first is the field itself; the others are looked at beside it, and the row is read when any of them comes.
    Those `beside` are looked at, too, but it is not read because of them.
    One field is read by `decode`, several by `combine`; else its number, text or flag is the value: in `unit`, times `scale`,
    looked up in `words` (whole, in any spelling), no value below `floor`. A word that stands for None takes back what the row
    said before; one that stands for NOT_KNOWN does not. `keeps_last`: what the gate holds back is the source's last value,
    which is kept beside the reason why there is none now.
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

    def read(self, value: Any) -> Decoded:
        """Return what the value of the row's own field comes to. Raises Violation, or like a Decoder."""
        if self.decode is not None:
            return self.decode(value)
        unit = self.unit
        if isinstance(value, Mapping) and value.keys() in MEASURED:
            value, unit = value["value"], value.get("unit") or unit
        if self.words is not None:
            return _word(self.words, value)
        if self.signal.kind in (Kind.QUANTITY, Kind.COUNT):
            number = _number(value)
            number = number if self.scale is None else number * self.scale
            if self.floor is not None and number < self.floor:
                return None
            return {"value": number} if unit is None else {"value": number, "unit": unit}
        if self.signal.kind is Kind.FLAG and isinstance(value, str | int | float):
            return {"value": FLAGS.get(folded(value), value)}
        return {"value": value}


def _word(words: Mapping[str, Any], value: Any) -> Decoded:
    word = folded(value)
    if word not in words:
        raise unknown_word(value, words)
    found = words[word]
    return found if found is None or isinstance(found, dict | AbsenceReason | Unsaid) else {"value": found}


def _number(value: Any) -> Any:
    """Return a number that was written as text, as a number; anything else as it is, for the signal's own check to refuse."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    try:
        number = float(text.replace("_", "?"))  # 1_000 is Python's own way of writing, nobody else's
    except ValueError:
        raise Violation(Rule.WRONG_TYPE, "is no number", "value", given=f"{text[:40]!r}") from None
    return int(number) if number.is_integer() else number


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """What a source's fields mean. A field is in `rows`, or it is `ignored` by name; any other is an issue.

    `ignored` has names, or beginnings that end in `*`. Where a source grows with each of its releases, `ours` tells the
    fields that speak of charging: one of these without a row is an issue, any other is passed over as `ignored` ones are.
    `not_capable` names the field, if the source has one, that lists the fields which the car can't report; `whole_car` the
    field that says why there is no value of any signal. A vehicle whose name fits `connectors` is what is plugged in there;
    the field `plug` says whether something is. `read` takes deliveries apart; `topics` are the addresses it knows.
    At those of `status` the source says whether it is connected, and the broker says it if it is lost; at those of `heartbeats`
    it shows now and then that it is there: for the car that the address names, else for all its cars.
    """

    name: str
    rows: tuple[Row, ...]
    by_field: Mapping[str, tuple[Row, ...]]
    remembered: frozenset[str]
    of_a_plug: frozenset[str] = frozenset()  # what these say does not outlast the plug
    of_a_charge: frozenset[str] = frozenset()  # nor, these, the time for which the car charges
    ignored: frozenset[str] = frozenset()
    ignored_under: tuple[str, ...] = ()
    ours: Pattern[str] | None = None
    not_capable: str | None = None
    whole_car: str | None = None
    connectors: Pattern[str] | None = None
    plug: str = ""
    topics: tuple[TopicPattern, ...] = ()
    status: tuple[TopicPattern, ...] = ()
    heartbeats: tuple[TopicPattern, ...] = ()
    read: Reader | None = None

    def ignores(self, field: str) -> bool:
        """Tell whether this field is known to be none of ours."""
        if field in self.ignored or (bool(self.ignored_under) and field.startswith(self.ignored_under)):
            return True
        return self.ours is not None and self.ours.search(field) is None


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
    if signal.kind is not Kind.QUANTITY and decode is None and (unit, scale, floor) != (None, None, None):
        raise ValueError(f"{field}: {code} has no unit to convert")
    if words is not None:
        _check_words(signal, words)
        words = spelled(words)
    return Row(
        signal=signal, fields=(field,), unit=unit, scale=scale, words=words, floor=floor, gate=gate, decode=decode,
        keeps_last=keeps_last, note=note,
    )  # fmt: skip


_ANY_WORD: Final = ("charge-chargeportstatuscolor", "charge-chargingconnectortype")  # of these new ones may be needed


def _check_words(signal: Signal, words: Mapping[str, Any]) -> None:
    """Refuse what words stand for that is none of the signal's own words. Raises ValueError."""
    for word, meaning in words.items():
        if not signal.known or not isinstance(meaning, str) or meaning in signal.known:
            continue
        close = get_close_matches(folded(meaning), spelled(dict.fromkeys(signal.known)), 1, 0.75)
        if close or signal.code not in _ANY_WORD:
            own = next((each for each in signal.known if folded(each) in close), "")
            hint = f"write {own}" if own else f"there are {', '.join(signal.known)}"
            raise ValueError(f"words.{word}: {meaning[:40]!r} is no word of {signal.code}: {hint}")


def combined(
    fields: tuple[str, ...],
    code: str,
    combine: Combiner,
    *,
    beside: tuple[str, ...] = (),
    gate: Gate = Gate.ALWAYS,
    note: str = "",
) -> Row:
    """Make a row for the signal of this code, from several fields: read when one comes, with what is known of the others."""
    return Row(signal=BY_CODE[code], fields=fields, combine=combine, beside=beside, gate=gate, note=note)


def dialect(
    name: str,
    *rows: Row,
    ignored: frozenset[str] = frozenset(),
    ours: Pattern[str] | None = None,
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

    `lasting` are fields beside live ones, such as their units, that are true for longer than a charge.
    """
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
        remembered=frozenset(field for each in rows if each.combine is not None for field in (*each.fields, *each.beside)),
        of_a_plug=frozenset(field for field, own in by_field.items() if all(map(_ends_with_the_plug, own))) - lasting,
        of_a_charge=frozenset(field for field, own in by_field.items() if _ends_with_the_charge(field, own)) - lasting,
        ignored=exact,
        ignored_under=tuple(sorted(each.rstrip("*") for each in ignored - exact)),
        ours=ours,
        not_capable=not_capable,
        whole_car=whole_car,
        connectors=connectors,
        plug=plug,
        topics=tuple(TopicPattern.parse(each) for each in topics),
        status=tuple(TopicPattern.parse(each) for each in status),
        heartbeats=tuple(TopicPattern.parse(each) for each in heartbeats),
        read=read,
    )


def _ends_with_the_plug(row: Row) -> bool:
    return row.signal.cadence is not Cadence.LASTING and row.signal is not IS_CHARGING


def _ends_with_the_charge(field: str, rows: tuple[Row, ...]) -> bool:
    """Tell whether a field is a measure of the charge that is going on, and names nothing else."""
    makes = [row for row in rows if row.fields[0] == field]
    is_live = [row.signal.cadence is Cadence.LIVE for row in rows]
    return any(is_live) and all(map(_ends_with_the_plug, rows)) and all(row.signal.cadence is Cadence.LIVE for row in makes)


def value(content: Any) -> dict[str, Any]:
    """Return the body of a signal that has a plain value, in its wire unit where it has one."""
    return {"value": content}


def quantity(content: float, unit: str) -> dict[str, Any]:
    """Return the body of a quantity in this unit; it is converted where it must be."""
    return {"value": content, "unit": unit}


def limit(percent: float, unit: str = "percent") -> dict[str, Any] | None:
    """Return the body of charge-chargelimits of a source that knows one limit for everywhere; None for a limit of 0."""
    if percent == 0:
        return None
    return {"activeLimit": percent, "values": [{"type": "GLOBAL", "limit": percent}], "unit": unit}


def battery_range(distance: float, unit: str) -> dict[str, Any]:
    """Return the body of tractionbattery-range of a source that knows one range."""
    return {"value": distance, "type": "DEFAULT", "additionalValues": [], "unit": unit}


def capacity(kwh: float, description: str) -> dict[str, Any]:
    """Return the body of tractionbattery-nominalcapacity; `description` names its origin."""
    known = [{"capacity": kwh, "description": description}]
    return {"capacity": kwh, "source": "SMARTCAR", "availableCapacities": known, "unit": "kWh"}


DC_ABOVE_W: Final = 22_000
"""Above, a source that does not tell the two apart charges with DC. A 43 kW Zoe is the known exception."""
