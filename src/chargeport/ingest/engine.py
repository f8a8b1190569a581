"""A message and its dialect make readings, absences and issues. No message makes an error.

delivery ── dialect.read ──▶ message ── rows, gates, memory ──▶ Reading, Absence ; Issue
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from chargeport.dialects.field_values import is_nothing
from chargeport.dialects.forms import few
from chargeport.dialects.table import NOT_KNOWN, Decoded, Dialect, Gate, Row
from chargeport.ingest.issues import issue_of
from chargeport.ingest.memory import CarMemory
from chargeport.ingest.signs_of_life import ALIVE, Sign, signs_of_life
from chargeport.ingest.statements import Statements
from chargeport.ingest.times import as_of
from chargeport.signals import bodies
from chargeport.signals.catalogue import BY_CODE, CABLE_CONNECTED, IS_CHARGING
from chargeport.signals.definition import Cadence, Kind
from chargeport.signals.documents import MAX_ENTRIES
from chargeport.signals.freshness import Freshness
from chargeport.signals.reading import AbsenceReason, Entry, Issue, Reading, reason_below_zero
from chargeport.signals.violation import Rule, Violation
from chargeport.sources.base import REFUSED, Delivery, RawMessage

_UNREADABLE: Final = (
    ValueError, TypeError, KeyError, AttributeError, IndexError, ArithmeticError, RecursionError, StopIteration,
    msgspec.MsgspecError,
)  # fmt: skip
_USUAL: Final = Freshness()
_RECORDS: Final = BY_CODE["charge-chargerecords"]


class Normalised(NamedTuple):
    """What a message came to."""

    entries: list[Entry]
    issues: list[Issue]


def read(delivery: Delivery, dialect: Dialect) -> list[RawMessage] | Issue:
    """Return the messages in a delivery; an issue that keeps it whole where it can't be read."""
    try:
        if refused := delivery.headers.get(REFUSED):
            raise ValueError(refused)
        if (signs := signs_of_life(delivery, dialect)) is not None:
            return signs
        if dialect.read is None:
            raise ValueError(f"{dialect.name} has no form for deliveries")
        return few(dialect.read(dialect, delivery))
    except _UNREADABLE as error:
        return issue_of(delivery, delivery.topic or "payload", Rule.BAD_FORMAT, _sentence(error))


def normalise(
    message: RawMessage, dialect: Dialect, memory: CarMemory | None = None, freshness: Freshness = _USUAL
) -> Normalised:
    """Return what a message says, in our terms. A field that can't be understood is an issue and costs no other.

    `memory` is what this source said of this car before; it is brought up to date. `freshness` is for how long values stand.
    """
    return _Normaliser(message, dialect, memory or CarMemory(), freshness).result()


class _Normaliser:
    """One message, its dialect, and what comes of them."""

    def __init__(self, message: RawMessage, dialect: Dialect, memory: CarMemory, freshness: Freshness) -> None:
        self.message = message
        self.dialect = dialect
        self.memory = memory
        self.statements = Statements(message, dialect, memory, freshness)
        self.issues: list[Issue] = []
        self.fields: Mapping[str, Any] = {}  # those that count now, with those that say nothing

    def result(self) -> Normalised:
        message, memory, dialect = self.message, self.memory, self.dialect
        try:
            at = as_of(message.observed_at, message.received_at)
        except Violation as found:
            self._issue(found.path, found.rule, found.kind, message.fields)
            return Normalised([], self.issues)
        sign = message.fields.get(ALIVE)
        if sign == Sign.GONE:
            return Normalised([], [])
        fields = self.fields = self._fields_that_count()
        statements, own = self.statements, fields.keys() & dialect.by_field.keys()
        statements.is_stamped = at is not None
        statements.is_ahead = at is None and message.observed_at is not None
        statements.at = memory.in_order({each: fields[each] for each in own}, message.received_at) if at is None else at
        told = {field: value for field, value in fields.items() if self._is_told(field, value)}
        lost = [field for field in dialect.remembered & fields.keys() if field not in told and memory.knows(field)]
        for field in dialect.remembered & fields.keys():
            memory.note(field, told.get(field), statements.at)
        memory.release(fields)
        self._read(told, lost)
        statements.follow_the_plug()
        statements.follow_the_charge()
        self._read_held()
        if told or sign:
            statements.confirm()
        return Normalised(statements.entries, self.issues)

    def _fields_that_count(self) -> Mapping[str, Any]:
        """Return the fields that count now: what is retained waits until the source shows that it is alive.

        Nobody knows how old a retained value is; but a source that sends on change and is alive would have replaced it.
        """
        message, memory = self.message, self.memory
        if ALIVE in message.fields:
            doubted, memory.doubted = memory.doubted, {}
            return doubted
        if message.retained and message.observed_at is None:
            lasting = {field for field in message.fields if self._lasts(field)}
            memory.doubted |= {field: value for field, value in message.fields.items() if field not in lasting}
            return {field: value for field, value in message.fields.items() if field in lasting}
        if memory.doubted:
            fields = {**memory.doubted, **message.fields}
            memory.doubted = {}
            return fields
        return message.fields

    def _lasts(self, field: str) -> bool:
        """Return whether nothing but what lasts is made of a field itself, so that its age does little harm."""
        rows = self.dialect.by_field.get(field, ())
        own = [row for row in rows if row.fields[0] == field]
        return not rows or (bool(own) and all(row.signal.cadence is Cadence.LASTING and len(row.fields) == 1 for row in own))

    def _is_told(self, field: str, value: Any) -> bool:
        """Return whether a field has something to say; note what is unknown, not capable or of the whole car on the way."""
        dialect = self.dialect
        if field == dialect.not_capable:
            self._not_capable(field, value)
            return False
        if field == dialect.whole_car:
            self._whole_car(field, value)
            return False
        if field in dialect.by_field:
            return not is_nothing(value)
        if not dialect.ignores(field):
            self._issue(field, Rule.UNKNOWN_MEMBER, "is not known: neither mapped nor ignored", {field: value})
        return False

    def _not_capable(self, field: str, names: Any) -> None:
        try:
            rows = [row for name in names for row in self.dialect.by_field[name]]
        except _UNREADABLE as error:
            self._issue(field, Rule.WRONG_TYPE, _sentence(error), {field: names})
            return
        for row in rows:
            self.statements.absent(row.signal, AbsenceReason.NOT_CAPABLE)

    def _whole_car(self, field: str, reason: Any) -> None:
        """Take back every signal that the source ever reported. A car of which it never reported anything gets an issue."""
        found = next((each for each in AbsenceReason if each == reason), None)
        if found is None:
            self._issue(field, Rule.NOT_ALLOWED, str(reason), {field: reason})
            return
        known = [row.signal for row in self.dialect.rows if self.memory.said(row.signal) is not None]
        for signal in dict.fromkeys(known):
            self.statements.absent(signal, found)
        if not known:
            detail = f"an error of the whole car, of which the source told nothing yet: {found}"
            self._issue(field, Rule.NOT_ALLOWED, detail, {field: reason})

    def _read(self, told: Mapping[str, Any], lost: Iterable[str]) -> None:
        """Read the rows of what is told, and lasting ones that looked at fields which have nothing to say any more.

        Those come first that say whether the car charges and is plugged in: the gates of the others ask for it.
        """
        rows = self._rows(told)
        rows += [
            row
            for row in self._rows(lost)
            if row.combine is not None
            and (row.signal.cadence is not Cadence.LIVE or row.signal is IS_CHARGING)
            and not told.keys() & set(row.fields)
        ]
        for row in sorted(rows, key=lambda row: (row.signal is not IS_CHARGING, row.signal is not CABLE_CONNECTED)):
            own = {field: told[field] for field in row.fields if field in told}
            try:
                if row.combine is None:
                    self._enter(row, row.read(own[row.fields[0]]))
                else:
                    fields = (*row.fields, *row.beside)
                    said = {field: told.get(field) for field in fields if field in self.fields}
                    self._enter(row, row.combine(self.memory.beside(fields, said, self.statements.at)))
            except _UNREADABLE as error:
                if not self._read_one_by_one(row, own):
                    self._unread(row, own, *_found(error))
        for row in self._rows(self.fields):
            if row.fields[0] in self.fields and row.fields[0] not in told:
                self._take_back_lost(row)

    def _read_one_by_one(self, row: Row, own: Mapping[str, Any]) -> bool:
        """Read each session of a list by itself, where the list can't be read as it is; return whether any of them can be.

        One that is wrong is an issue, and costs no other session.
        """
        field = row.fields[0]
        alone = _alone(own.get(field)) if row.signal is _RECORDS and row.combine is None else []
        sessions, wrong = list[Any](), list[tuple[Any, Exception]]()
        for one in alone:
            try:
                content = row.read(one)
                if isinstance(content, dict):
                    bodies.parse(row.signal, _with_what_is_said(content))
                    sessions += content["values"]
            except _UNREADABLE as error:
                wrong.append((one, error))
        if not 0 < len(sessions) <= MAX_ENTRIES:
            return False
        for one, why in wrong:
            _, rule, detail = _found(why)
            self._issue(field, rule, detail, {field: one})
        self._enter(row, {"values": sessions})
        return True

    def _rows(self, fields: Iterable[str]) -> list[Row]:
        """Return the rows that look at any of these fields, each once."""
        found: dict[int, Row] = {}
        for field in fields:
            for row in self.dialect.by_field.get(field, ()):
                found[id(row)] = row
        return list(found.values())

    def _read_held(self) -> None:
        """Enter what was held back because it counts only while charging or plugged in, where the car is so now."""
        turned = (IS_CHARGING, CABLE_CONNECTED)
        if not any(isinstance(entry, Reading) and entry.signal in turned and entry.value for entry in self.statements.entries):
            return
        own, latest = self.statements.signals, self.statements.at
        for held_at, (row, content) in self.memory.take_held(latest):
            if row.signal in own:
                continue
            self.statements.at = max(latest, held_at)
            try:
                self._enter(row, content)
            except Violation as found:
                self._issue(row.fields[0], found.rule, found.kind, {row.fields[0]: content})
        self.statements.at = latest

    def _enter(self, row: Row, content: Decoded) -> None:
        """Add what a row came to. Raises Violation for a body that is none."""
        if content is NOT_KNOWN:
            return
        if isinstance(content, AbsenceReason):
            self.statements.absent(row.signal, content)
            return
        if content is None or (row.signal.kind is not Kind.DOCUMENT and is_nothing(content.get("value", content))):
            self._take_back(row)
            return
        if self._holds_back(row, content):
            self._hold_back(row, content)
            return
        if (reason := reason_below_zero(row.signal, content.get("value"))) is not None:
            self.statements.absent(row.signal, reason)
            return
        content = _with_what_is_said(content) if row.signal is _RECORDS else content
        self.statements.reading(row.signal, bodies.parse(row.signal, content), row.fields[0])

    def _holds_back(self, row: Row, content: dict[str, Any]) -> bool:
        """Return whether a body is no word on what is now: the car does not charge, or is not plugged in."""
        weighs = bool(content.get("value", True))
        if row.signal.cadence is Cadence.PLUGGED and weighs and self.memory.plugged.at(self.statements.at) is False:
            return True
        gated = row.gate is Gate.CHARGING or (row.gate is Gate.LIVE and weighs)
        return gated and self.memory.charging.at(self.statements.at) is False

    def _hold_back(self, row: Row, content: dict[str, Any]) -> None:
        self.memory.hold(row.fields[0], row.signal, self.statements.at, (row, content))
        if row.signal.cadence is Cadence.PLUGGED:
            self.statements.unplugged(row.signal)
            return
        said = self.memory.said(row.signal)
        if row.keeps_last and said is None and reason_below_zero(row.signal, content.get("value")) is None:
            self.statements.reading(row.signal, bodies.parse(row.signal, content), row.fields[0], self.statements.at - 1)
        self.statements.absent(row.signal, AbsenceReason.NOT_CHARGING)

    def _take_back(self, row: Row) -> None:
        """Enter an absence where the row had a value before. A late message takes nothing back."""
        said = self.memory.said(row.signal)
        if said is not None and said.value is not None and said.field in ("", row.fields[0]) and said.at <= self.statements.at:
            lasts = row.signal.cadence is Cadence.LASTING or row.signal is IS_CHARGING
            is_over = not lasts and self.memory.charging.at(self.statements.at) is False
            self.statements.absent(row.signal, AbsenceReason.NOT_CHARGING if is_over else AbsenceReason.UNREADABLE)

    def _unread(self, row: Row, own: Mapping[str, Any], named: str, rule: Rule, detail: str) -> None:
        """Add an issue of the field because of which a row can't be read, once, when that field is reported.

        A state or a live number is then no longer what it was; a lasting number may well be.
        """
        subject = named if named in row.fields else row.fields[0]
        if own and (subject in own or not self.memory.knows(subject)):
            self._issue(subject if subject in own else next(iter(own)), rule, detail, own)
        if row.signal.cadence is not Cadence.LASTING or row.signal.kind in (Kind.TEXT, Kind.FLAG):
            self._take_back(row)

    def _take_back_lost(self, row: Row) -> None:
        """Take back what flowed, or held while plugged in: the source says that there is nothing now."""
        said = self.memory.said(row.signal)
        is_live = row.signal.cadence is Cadence.LIVE and row.signal.kind is Kind.QUANTITY
        is_live = is_live or (row.signal.cadence is Cadence.PLUGGED and row.signal.kind is not Kind.FLAG)
        if is_live and said is not None and said.value and row.signal not in self.statements.signals:
            self._take_back(row)

    def _issue(self, subject: str, rule: Rule, detail: str, fields: Mapping[str, Any]) -> None:
        self.issues.append(issue_of(msgspec.structs.replace(self.message, fields=fields), subject, rule, detail))


def _alone(told: Any) -> list[Any]:
    """Return a list of several sessions as lists of one; none for what is no such list."""
    sessions = told.get("values") if isinstance(told, dict) else told
    if not isinstance(sessions, list) or len(sessions) < 2:  # noqa: PLR2004
        return []
    return [[one] if told is sessions else told | {"values": [one]} for one in sessions]


def _with_what_is_said(records: dict[str, Any]) -> dict[str, Any]:
    """Return records without members by which a source says that it knows nothing, such as an empty id or an empty place."""
    sessions = records.get("values")
    if not isinstance(sessions, list) or not all(isinstance(one, dict) for one in sessions):
        return records
    return records | {"values": [_said(one) for one in sessions]}


def _said(members: dict[str, Any]) -> dict[str, Any]:
    """Return what members say; an object of which nothing is left says nothing."""
    said: dict[str, Any] = {}
    for name, each in members.items():
        inner = _said(each) if isinstance(each, dict) and not is_nothing(each) else each
        if not is_nothing(inner) and inner != {}:
            said[name] = inner
    return said


def _found(error: Exception) -> tuple[str, Rule, str]:
    """Return where something is wrong, the rule and the sentence."""
    if isinstance(error, Violation):
        return error.path, error.rule, error.kind
    return "", Rule.WRONG_TYPE, f"can't be read: {_sentence(error)}"


def _sentence(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return (f"{text!s} is missing" if isinstance(error, KeyError) else text)[:300]
