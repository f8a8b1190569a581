"""A message and its dialect make readings, absences and issues. No message makes an error."""

from typing import Any, Final, NamedTuple

import msgspec

from chargeport.dialects.table import Dialect, Row
from chargeport.normalise.times import observed_at
from chargeport.signals import bodies
from chargeport.signals.reading import Absence, AbsenceReason, Entry, Issue, Reading
from chargeport.signals.violation import Violation
from chargeport.sources.base import RawMessage

_UNREADABLE: Final = (ValueError, TypeError, KeyError, AttributeError, IndexError)


class Normalised(NamedTuple):
    """What a message came to."""

    entries: list[Entry]
    issues: list[Issue]


def normalise(message: RawMessage, dialect: Dialect, max_future_s: float) -> Normalised:
    """What a message says, in our terms. A field that can't be understood is an issue and costs no other."""
    entries: list[Entry] = []
    issues: list[Issue] = []
    try:
        at = observed_at(message.observed_at, message.received_at, max_future_s)
    except Violation as found:
        return Normalised([], [_issue(message, found.path, found.detail)])
    for field, value in message.fields.items():
        try:
            entries += _entries(message, dialect, field, value, at)
        except Violation as found:
            issues.append(_issue(message, field, found.detail))
        except _UNREADABLE as error:
            issues.append(_issue(message, field, f"can't be read: {type(error).__name__}: {error}"[:200]))
    return Normalised(entries, issues)


def _entries(message: RawMessage, dialect: Dialect, field: str, value: Any, at: int) -> list[Entry]:
    if field == dialect.not_capable:
        rows = [dialect.rows[name] for name in value]
        return [_absence(message, row, AbsenceReason.NOT_CAPABLE, at) for row in rows]
    if field in dialect.ignored:
        return []
    row = dialect.rows[field]
    parsed = bodies.parse(row.signal, row.body(value))
    return [Reading(message.vehicle, row.signal, parsed, at, message.received_at, message.source)]


def _absence(message: RawMessage, row: Row, reason: AbsenceReason, at: int) -> Absence:
    return Absence(message.vehicle, row.signal, reason, at, message.received_at, message.source)


def _issue(message: RawMessage, subject: str, detail: str) -> Issue:
    raw = msgspec.json.encode(message.fields, enc_hook=repr).decode()
    return Issue(message.source, subject, detail, raw, message.received_at, message.vehicle)
