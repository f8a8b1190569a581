"""A message and its dialect make readings, absences and issues. No message makes an error.

delivery ── dialect.read ──▶ message ── rows, gates, memory ──▶ Reading, Absence ; Issue
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from chargeport.dialects.table import Decoded, Dialect, Gate, Row
from chargeport.ingest.field_values import is_nothing, said
from chargeport.ingest.issues import issue_of
from chargeport.ingest.memory import CarMemory
from chargeport.ingest.times import as_of
from chargeport.signals import bodies
from chargeport.signals.catalogue import IS_CHARGING
from chargeport.signals.definition import Cadence
from chargeport.signals.reading import Absence, AbsenceReason, Entry, Issue, Reading
from chargeport.signals.violation import Rule, Violation
from chargeport.sources.base import REFUSED, Delivery, RawMessage

_UNREADABLE: Final = (
    ValueError, TypeError, KeyError, AttributeError, IndexError, ArithmeticError, RecursionError, msgspec.MsgspecError,
)  # fmt: skip


class Normalised(NamedTuple):
    """What a message came to."""

    entries: list[Entry]
    issues: list[Issue]


def read(delivery: Delivery, dialect: Dialect) -> list[RawMessage] | Issue:
    """The messages in a delivery; an issue that keeps it whole where it can't be read."""
    try:
        if refused := delivery.headers.get(REFUSED):
            raise ValueError(refused)
        if dialect.read is None:
            raise ValueError(f"{dialect.name} has no form for deliveries")
        return dialect.read(dialect, delivery)
    except _UNREADABLE as error:
        subject = delivery.topic or "payload"
        return issue_of(delivery, subject, Rule.BAD_FORMAT, _sentence(error))


def normalise(message: RawMessage, dialect: Dialect, memory: CarMemory | None = None) -> Normalised:
    """What a message says, in our terms. A field that can't be understood is an issue and costs no other.

    `memory` is what this source said of this car before; it is brought up to date.
    """
    return _Reading(message, dialect, memory or CarMemory()).result()


class _Reading:
    """One message on its way."""

    def __init__(self, message: RawMessage, dialect: Dialect, memory: CarMemory) -> None:
        self.message = message
        self.dialect = dialect
        self.memory = memory
        self.entries: list[Entry] = []
        self.issues: list[Issue] = []
        self.at = message.received_at
        self.said: Mapping[str, Any] = {}  # the fields that count, with those that say nothing

    def result(self) -> Normalised:
        try:
            at = as_of(self.message.observed_at, self.message.received_at)
        except Violation as found:
            self._issue(found.path, found.rule, found.detail, self.message.fields)
            return Normalised([], self.issues)
        fields = self.said = self._believed()
        self.at = self.memory.in_order(fields, self.message.received_at) if at is None else at
        told = {field: value for field, value in fields.items() if self._is_told(field, value)}
        for field in self.dialect.remembered & fields.keys():
            self.memory.note(field, told.get(field), self.at)
        self.memory.release(fields)
        self._read(_rows(self.dialect, told), told)
        self._read_held()
        return Normalised(self.entries, self.issues)

    def _believed(self) -> Mapping[str, Any]:
        """The fields that count now: what is retained waits until the source shows that it is alive.

        Nobody knows how old a retained value is; but a source that sends on change and is alive would have replaced it.
        """
        message, memory = self.message, self.memory
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
        """Whether nothing but what lasts is made of a field, so that its age does little harm."""
        return all(
            row.signal.cadence is not Cadence.LIVE and len(row.fields) == 1 for row in self.dialect.by_field.get(field, ())
        )

    def _is_told(self, field: str, value: Any) -> bool:
        """Whether a field has something to say; notes what is unknown or not capable on the way."""
        dialect = self.dialect
        if field == dialect.not_capable:
            self._not_capable(field, value)
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
            self._absent(row, AbsenceReason.NOT_CAPABLE)

    def _read(self, rows: Iterable[Row], told: Mapping[str, Any]) -> None:
        """Read the rows, those first that say whether the car charges: the gates of the others ask for it."""
        for row in sorted(rows, key=lambda row: row.signal is not IS_CHARGING):
            own = {field: told[field] for field in row.fields if field in told}
            try:
                self._enter(row, self._said(row, told))
            except Violation as found:
                self._issue(next(iter(own)), found.rule, found.detail, own)
            except _UNREADABLE as error:
                self._issue(next(iter(own)), Rule.WRONG_TYPE, f"can't be read: {_sentence(error)}", own)

    def _read_held(self) -> None:
        """The word that the car charges can come after what counts only then: that counts now."""
        if not any(isinstance(entry, Reading) and entry.signal is IS_CHARGING and entry.value for entry in self.entries):
            return
        own, latest = {entry.signal for entry in self.entries}, self.at
        for held_at, (row, content) in self.memory.held(latest):
            if row.signal not in own:
                self.at = max(latest, held_at)
                self._enter(row, content)
        self.at = latest

    def _said(self, row: Row, told: Mapping[str, Any]) -> Decoded:
        if row.combine is not None:
            own = {field: told.get(field) for field in row.fields if field in self.said}
            return row.combine(self.memory.beside(row.fields, own, self.at))
        return said(row, told[row.fields[0]])

    def _enter(self, row: Row, content: Decoded) -> None:
        if content is None:
            return
        if isinstance(content, AbsenceReason):
            self._absent(row, content)
            return
        value = bodies.parse(row.signal, content)
        if row.gate is not Gate.ALWAYS and self.memory.charged(self.at) is False and (value or row.gate is Gate.CHARGING):
            self.memory.hold(row.fields[0], row.signal.key, self.at, (row, content))
            self._absent(row, AbsenceReason.NOT_CHARGING)
            return
        if row.signal is IS_CHARGING:
            self.memory.charging_was(self.at, bool(value))
        message = self.message
        self.entries.append(Reading(message.vehicle, row.signal, value, self.at, message.received_at, message.source))

    def _absent(self, row: Row, reason: AbsenceReason) -> None:
        message = self.message
        self.entries.append(Absence(message.vehicle, row.signal, reason, self.at, message.received_at, message.source))

    def _issue(self, subject: str, rule: Rule, detail: str, fields: Mapping[str, Any]) -> None:
        part = msgspec.structs.replace(self.message, fields=fields)
        self.issues.append(issue_of(part, subject, rule, detail))


def _rows(dialect: Dialect, told: Mapping[str, Any]) -> list[Row]:
    """The rows that fields of a message are read by, each once."""
    found: dict[int, Row] = {}
    for field in told:
        for row in dialect.by_field[field]:
            found[id(row)] = row
    return list(found.values())


def _sentence(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return (f"{text!s} is missing" if isinstance(error, KeyError) else text)[:300]
