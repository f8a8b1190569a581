"""From messages to readings, absences and issues, by their dialects. No message raises an error.

delivery ── dialect.read ──▶ message ── rows, gates, memory ──▶ Reading, Absence ; Issue
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, Final, NamedTuple

import msgspec

from chargeport.dialects.field_values import is_nothing
from chargeport.dialects.forms import checked_sizes
from chargeport.dialects.table import ALWAYS, NOT_KNOWN, Decoded, Dialect, Gate, Incomplete, Row
from chargeport.ingest.entry_builder import EntryBuilder
from chargeport.ingest.issues import issue_of
from chargeport.ingest.liveness import LIVENESS, Liveness, liveness_messages
from chargeport.ingest.memory import CarMemory
from chargeport.ingest.record_lists import single_sessions, valid_session, without_member
from chargeport.ingest.rows import has_no_value, in_order, is_lasting, is_zero, rows_of
from chargeport.ingest.times import as_of
from chargeport.ingest.words import as_written
from chargeport.signals import bodies
from chargeport.signals.catalogue import BY_CODE, CABLE_CONNECTED, IS_CHARGING
from chargeport.signals.definition import DOCUMENT, FLAG, LASTING, LIVE, PLUGGED, QUANTITY, TEXT, Value
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
_MAX_UNKNOWN: Final = 8  # members of a body that are ignored; one with more is not understood
_RECORDS: Final = BY_CODE["charge-chargerecords"]
_CAPACITY: Final = BY_CODE["tractionbattery-nominalcapacity"]


class Normalised(NamedTuple):
    """The entries and issues of a message."""

    entries: list[Entry]
    issues: list[Issue]


def read(delivery: Delivery, dialect: Dialect) -> list[RawMessage] | Issue:
    """Return the messages of a delivery, or the issue with the whole delivery where it can't be read."""
    try:
        if refused := delivery.headers.get(REFUSED):
            raise ValueError(refused)
        if (messages := liveness_messages(delivery, dialect)) is not None:
            return messages
        if dialect.read is None:
            raise ValueError(f"{dialect.name} has no form for deliveries")
        return checked_sizes(dialect.read(dialect, delivery))
    except _UNREADABLE as error:
        return issue_of(delivery, delivery.topic or "payload", Rule.BAD_FORMAT, _sentence(error))


def normalise(
    message: RawMessage, dialect: Dialect, memory: CarMemory | None = None, freshness: Freshness = _USUAL
) -> Normalised:
    """Return the entries and issues of a message. A field that can't be understood is an issue and does not affect the others.

    `memory` holds the last reports of this source about this car, and is updated. `freshness`: for how long values hold.
    """
    return _Normaliser(message, dialect, memory or CarMemory(), freshness).result()


class _Normaliser:
    """Normalises one message by its dialect."""

    def __init__(self, message: RawMessage, dialect: Dialect, memory: CarMemory, freshness: Freshness) -> None:
        self.message = message
        self.dialect = dialect
        self.memory = memory
        self.builder = EntryBuilder(message, dialect, memory, freshness)
        self.issues: list[Issue] = []
        self._reported: set[tuple[str, Rule]] = set()  # the fields that have an issue, with the rule that they break
        self.fields: Mapping[str, Any] = {}  # the current fields, with those that have no value
        self._empty: set[str] = set()  # those whose value means "no value", except in the words of a row

    def result(self) -> Normalised:
        message, memory, dialect = self.message, self.memory, self.dialect
        try:
            at = as_of(message.observed_at, message.received_at)
        except Violation as violation:
            self._issue(violation.path, violation.rule, violation.kind, message.fields)
            return Normalised([], self.issues)
        liveness = message.fields.get(LIVENESS)
        if liveness == Liveness.OFFLINE:
            return Normalised([], [])
        fields = self.fields = self._current_fields()
        builder, remembered = self.builder, dialect.remembered & fields.keys()
        builder.is_stamped = at is not None
        builder.is_ahead = at is None and message.observed_at is not None
        if at is None:
            own = {field: value for field, value in fields.items() if field in dialect.by_field}
            at = memory.in_order(own, message.received_at)
        builder.at = at
        valued = {field: value for field, value in fields.items() if self._has_value(field, value)}
        emptied = [field for field in remembered if field not in valued and memory.has_field(field)]
        for field in remembered:
            memory.set_field(field, valued.get(field), builder.at)
        memory.discard_held(fields)
        self._read(valued, emptied)
        builder.add_status_effects()
        builder.add_plug_effects()
        builder.add_charge_effects()
        self._read_held()
        if valued or liveness:
            builder.confirm()
        return Normalised(builder.entries, self.issues)

    def _current_fields(self) -> Mapping[str, Any]:
        """Return the fields that count now; retained ones are held back until the source sends something else.

        The age of a retained value is unknown, but a connected source that sends changes would have replaced an old one.
        """
        message, memory = self.message, self.memory
        if LIVENESS in message.fields:
            unconfirmed, memory.unconfirmed = memory.unconfirmed, {}
            return unconfirmed
        if message.retained and message.observed_at is None:
            lasting = {field for field in message.fields if is_lasting(self.dialect, field)}
            memory.unconfirmed |= {field: value for field, value in message.fields.items() if field not in lasting}
            return {field: value for field, value in message.fields.items() if field in lasting}
        if memory.unconfirmed:
            fields = {**memory.unconfirmed, **message.fields}
            memory.unconfirmed = {}
            return fields
        return message.fields

    def _has_value(self, field: str, value: Any) -> bool:
        """Return whether a field has a value; handle fields about capability or the whole car, and unknown ones."""
        dialect = self.dialect
        if (rows := dialect.by_field.get(field)) is not None:
            if not is_nothing(value):
                return True
            self._empty.add(field)
            return any(row.knows(value) for row in rows)
        if field == dialect.not_capable:
            self._not_capable(field, value)
        elif field == dialect.whole_car:
            self._whole_car(field, value)
        elif not dialect.ignores(field):
            self._issue(field, Rule.UNKNOWN_MEMBER, "is not known: neither mapped nor ignored", {field: value})
        return False

    def _not_capable(self, field: str, names: Any) -> None:
        try:
            rows = [row for name in names for row in self.dialect.by_field[name]]
        except _UNREADABLE as error:
            self._issue(field, Rule.WRONG_TYPE, _sentence(error), {field: names})
            return
        for row in rows:
            self.builder.add_absence(row.signal, AbsenceReason.NOT_CAPABLE)

    def _whole_car(self, field: str, reason: Any) -> None:
        """Add an absence of every signal that the source has reported; an issue where it has reported none."""
        absence = next((known for known in AbsenceReason if known == reason), None)
        if absence is None:
            self._issue(field, Rule.NOT_ALLOWED, str(reason), {field: reason})
            return
        signals = [row.signal for row in self.dialect.rows if self.memory.last_report(row.signal) is not None]
        for signal in dict.fromkeys(signals):
            self.builder.add_absence(signal, absence)
        if not signals:
            detail = f"an error of the whole car, of which the source has reported nothing yet: {absence}"
            self._issue(field, Rule.NOT_ALLOWED, detail, {field: reason})

    def _read(self, valued: Mapping[str, Any], emptied: Iterable[str]) -> None:
        """Read the rows of fields with a value, and rows that combine fields of which one no longer has a value."""
        rows = rows_of(self.dialect, valued)
        rows += [
            row
            for row in rows_of(self.dialect, emptied)
            if row.combine is not None
            and (row.signal.cadence is not LIVE or row.signal is IS_CHARGING)
            and not valued.keys() & set(row.fields)
        ]
        for row in in_order(rows):
            if row.combine is None and row.fields[0] in self._empty and not row.knows(valued[row.fields[0]]):
                self._read_emptied(row, valued)
                continue
            try:
                content = self._decoded(row, valued)
                if not (isinstance(content, dict) and self.builder.has_reading(row.signal)):
                    self._enter(row, content)
            except _UNREADABLE as error:
                own = {field: valued[field] for field in row.fields if field in valued}
                may_follow = isinstance(error, Incomplete) and self.memory.add_incomplete(row.fields[0])
                if not may_follow and not self._read_one_by_one(row, own):
                    self._report_unreadable(row, own, *_explained(error))
        missing = self.fields.keys() - valued.keys()
        for row in rows_of(self.dialect, (field for field in self.fields if field in missing)):
            if row.fields[0] in missing or set(emptied) & set(row.fields):
                self._read_emptied(row, valued)

    def _decoded(self, row: Row, valued: Mapping[str, Any]) -> Decoded:
        """Return the result of a row. Raises what a Decoder raises."""
        if row.combine is None:
            return row.read(valued[row.fields[0]])
        fields = (*row.fields, *row.beside)
        reported = {field: valued.get(field) for field in fields if field in self.fields}
        return row.combine(self.memory.known_fields(fields, reported, self.builder.at))

    def _read_one_by_one(self, row: Row, own: Mapping[str, Any]) -> bool:
        """Read the sessions of an unreadable list one by one; return whether any is readable. The others are issues.

        A member that a session can be without, such as its cost, is an issue and does not affect the session.
        """
        field = row.fields[0]
        singles = single_sessions(own.get(field)) if row.signal is _RECORDS and row.combine is None else []
        sessions, wrong = list[Any](), list[tuple[Any, Exception]]()
        for single in singles:
            try:
                content = row.read(single)
                if isinstance(content, dict):
                    readable, invalid = valid_session(as_written(row.signal, content))
                    sessions += readable["values"]
                    wrong += [(single, violation) for violation in invalid]
            except _UNREADABLE as error:
                wrong.append((single, error))
        if not 0 < len(sessions) <= MAX_ENTRIES:
            return False
        for single, reason in wrong:
            path, rule, detail = _explained(reason)
            _, _, member = path.partition("].")
            self._issue(field, rule, f"{member} {detail}" if member else detail, {field: single})
        self._enter(row, {"values": sessions})
        return True

    def _read_held(self) -> None:
        """Add what was held back because the car did not charge or was not plugged in, if this message changed that."""
        flags = (IS_CHARGING, CABLE_CONNECTED)
        if not any(isinstance(entry, Reading) and entry.signal in flags and entry.value for entry in self.builder.entries):
            return
        latest = self.builder.at
        held = self.memory.take_held(latest)
        for held_at, (row, content) in [each for each in held if not self.builder.has_entry(each[1][0].signal)]:
            self.builder.at = max(latest, held_at)
            try:
                self._enter(row, content)
            except Violation as violation:
                self._issue(row.fields[0], violation.rule, violation.kind, {row.fields[0]: content})
        self.builder.at = latest

    def _enter(self, row: Row, content: Decoded) -> None:
        """Add the entry of a decoded row. Raises Violation for an invalid body."""
        if content is NOT_KNOWN or (row.signal is _CAPACITY and isinstance(content, dict) and is_zero(content.get("capacity"))):
            return  # 0 kWh is written while the capacity is not known
        if isinstance(content, AbsenceReason):
            self.builder.add_absence(row.signal, content)
            return
        if content is None or (row.signal.kind is not DOCUMENT and has_no_value(row.signal, content)):
            self._withdraw(row)
            return
        if self._holds_back(row, content):
            self._hold_back(row, content)
            return
        if (reason := reason_below_zero(row.signal, content.get("value"))) is not None:
            self.builder.add_absence(row.signal, reason)
            return
        self.builder.add_reading(row.signal, self._parsed(row, as_written(row.signal, content)), row.fields[0])

    def _parsed(self, row: Row, content: dict[str, Any]) -> Value:
        """Return the value of a body. An unknown member is an issue and does not affect the others. Raises Violation.

        A session with one is not understood: it may be of another form.
        """
        for _ in range(0 if row.signal is _RECORDS else _MAX_UNKNOWN):
            try:
                return bodies.parse(row.signal, content)
            except Violation as violation:
                if violation.rule is not Rule.UNKNOWN_MEMBER:
                    raise
                self._report_once(row.fields[0], violation.rule, violation.kind, {row.fields[0]: content})
                content = without_member(content, violation.path)
        return bodies.parse(row.signal, content)

    def _holds_back(self, row: Row, content: dict[str, Any]) -> bool:
        """Return whether a body does not count now, because the car does not charge or is not plugged in."""
        is_nonzero = bool(content.get("value", True))
        if row.signal.cadence is PLUGGED and is_nonzero and self.memory.plugged.at(self.builder.at) is False:
            return True
        if row.gate is ALWAYS or (row.gate is Gate.LIVE and not is_nonzero):
            return False
        charges = self.memory.charging.at(self.builder.at)
        if charges is None:  # a source that reports the cable only: without one the car drives
            return is_nonzero and self.memory.plugged.at(self.builder.at) is False
        return not charges

    def _hold_back(self, row: Row, content: dict[str, Any]) -> None:
        self.memory.hold(row.fields[0], row.signal, self.builder.at, (row, content))
        if row.signal.cadence is PLUGGED:
            self.builder.add_unplugged(row.signal)
            return
        last = self.memory.last_report(row.signal)
        if row.keeps_last and last is None and reason_below_zero(row.signal, content.get("value")) is None:
            self.builder.add_reading(row.signal, self._parsed(row, content), row.fields[0], self.builder.at - 1)
        self.builder.add_absence(row.signal, AbsenceReason.NOT_CHARGING)

    def _withdraw(self, row: Row) -> None:
        """Add an absence where the row had a value before; not for a late message."""
        last = self.memory.last_report(row.signal)
        if last is not None and last.value is not None and last.field in ("", row.fields[0]) and last.at <= self.builder.at:
            lasts = row.signal.cadence is LASTING or row.signal is IS_CHARGING
            is_over = not lasts and self.memory.charging.at(self.builder.at) is False
            self.builder.add_absence(row.signal, AbsenceReason.NOT_CHARGING if is_over else AbsenceReason.UNREADABLE)

    def _report_unreadable(self, row: Row, own: Mapping[str, Any], named: str, rule: Rule, detail: str) -> None:
        """Add an issue of the field by which a row is unreadable, if the message reports it; one for all rows of the field.

        The earlier value of a state or a live number no longer holds then; a lasting number may well hold.
        """
        subject = named if named in row.fields else row.fields[0]
        if own and (subject in own or not self.memory.has_field(subject)):
            subject = subject if subject in own else next(iter(own))
            self._report_once(subject, rule, detail, own)
        if not row.only_checks and (row.signal.cadence is not LASTING or row.signal.kind in (TEXT, FLAG)):
            self._withdraw(row)

    def _read_emptied(self, row: Row, valued: Mapping[str, Any]) -> None:
        """Read a live number, or a value of the plug, of which a field no longer has a value, from the fields that have one.

        Without a result the earlier value no longer holds.
        """
        last = self.memory.last_report(row.signal)
        is_live = row.signal.cadence is LIVE and row.signal.kind is QUANTITY
        is_live = is_live or (row.signal.cadence is PLUGGED and row.signal.kind is not FLAG)
        if not is_live or last is None or not last.value or self.builder.has_entry(row.signal):
            return
        content: Decoded = None
        with suppress(*_UNREADABLE):  # the issue comes from the message that reported the field
            content = NOT_KNOWN if row.combine is None else self._decoded(row, valued)
            if isinstance(content, dict) and bodies.parse(row.signal, content) != last.value:
                self._enter(row, content)
        if not isinstance(content, dict):
            self._withdraw(row)

    def _report_once(self, subject: str, rule: Rule, detail: str, fields: Mapping[str, Any]) -> None:
        """Add an issue of a field, unless it has one with this rule."""
        if (subject, rule) not in self._reported:
            self._issue(subject, rule, detail, fields)
        self._reported.add((subject, rule))

    def _issue(self, subject: str, rule: Rule, detail: str, fields: Mapping[str, Any]) -> None:
        self.issues.append(issue_of(msgspec.structs.replace(self.message, fields=fields), subject, rule, detail))


def _explained(error: Exception) -> tuple[str, Rule, str]:
    """Return the path of an error, its rule and its sentence."""
    if isinstance(error, Violation):
        return error.path, error.rule, error.kind
    return "", Rule.WRONG_TYPE, f"can't be read: {_sentence(error)}"


def _sentence(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return (f"{text!s} is missing" if isinstance(error, KeyError) else text)[:300]
