"""A signal of a car as a row of a table: value, age and source, or the reason for no value; and values with their units."""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import msgspec

from chargeport.cli.output import NOTHING, console, print_table
from chargeport.cli.times import ago
from chargeport.signals import wire
from chargeport.signals.definition import Kind, Signal, Value
from chargeport.signals.effective import Effective, PassedOver, Ranks, Unavailability, effective
from chargeport.signals.state import State
from chargeport.store.records import Vehicle, VehicleSeries
from chargeport.wire.provenance import shown
from chargeport.wire.status import ERROR_STATUSES

COLUMNS: Final = ("signal", "value", "age", "source", "why not")
NARROW: Final = ("signal", "value", "age", "source, why not")
NEVER: Final = "never reported"
ROOM_FOR_ALL: Final = 110  # characters a line; with fewer, the reason replaces the source

# States of a signal in the API's coverage; the others are the reasons of absences.
SUCCESS: Final = "SUCCESS"
NOT_REPORTED: Final = "NOT_REPORTED"

_MAIN: Final = ("activeLimit", "capacity", "value")
_ENTRIES: Final = {
    "charge-chargelimits": "limits",
    "charge-chargetimers": "timers",
    "charge-chargerecords": "records",
}


class Known(NamedTuple):
    """The state of a car, and the order of sources."""

    found: VehicleSeries
    ranks: Ranks

    @property
    def vehicle(self) -> Vehicle:
        """The car."""
        return self.found.vehicle

    def of(self, signal: Signal, now: int) -> Effective | None:
        """Return the effective state of a signal at `now`."""
        return effective(signal, self.found.known_of(signal), self.ranks, now)


class Row(NamedTuple):
    """The cells of a row of the table."""

    code: str
    value: str
    age: str | None = None
    source: str | None = None
    why_not: str = " "  # a blank without a reason: an empty cell would be shown as unknown


def row(signal: Signal, known: Known, now: int) -> Row:
    """Return one signal at `now`. A value that is no longer valid is part of the reason, never in the column of values."""
    counts = known.of(signal, now)
    if counts is None:
        return Row(signal.code, NOTHING, why_not=NEVER)
    state, against = counts.state, counts.unavailability
    if state.source is None and against is None:
        return Row(signal.code, _last_value(state), source="the vehicle's facts")
    if against is None:
        return Row(signal.code, _last_value(state), ago(state.observed_at, now), shown(state.source, state.rule))
    is_absent = against.reason is state.absence
    at, source = (state.absence_at, state.absence_source) if is_absent else (state.observed_at, state.source)
    return Row(signal.code, NOTHING, ago(at, now), shown(source, state.rule), _why_not(state, against))


def print_rows(rows: Iterable[Row], empty: str = "Nothing there.") -> None:
    """Print the rows as a table that fits the terminal."""
    if console().width >= ROOM_FOR_ALL:
        print_table(COLUMNS, rows, empty)
    else:
        cells = [(row.code, row.value, row.age, row.why_not if row.why_not.strip() else row.source) for row in rows]
        print_table(NARROW, cells, empty)


def other_rows(signal: Signal, known: Known, now: int) -> list[Row]:
    """Return the states of the signal by other sources, and why they are not effective."""
    counts = known.of(signal, now)
    return [] if counts is None else [_other(passed, now) for passed in counts.passed_over]


def _other(passed: PassedOver, now: int) -> Row:
    state = passed.state
    at = state.absence_at if state.observed_at is None else state.observed_at
    return Row("", _last_value(state), ago(at, now), shown(state.source, state.rule), f"{passed.why}: {passed.why.sentence}")


def status(counts: Effective | None) -> str:
    """Return the status of a signal: SUCCESS, NOT_REPORTED, or the reason why its value is not valid."""
    if counts is None:
        return NOT_REPORTED
    return SUCCESS if counts.unavailability is None else counts.unavailability.reason.value


def _last_value(state: State) -> str:
    return NOTHING if state.value is None else in_words(state.signal, state.value)


def _why_not(state: State, against: Unavailability) -> str:
    """Return the reason as a sentence, and the last value if the status includes it."""
    status = ERROR_STATUSES[against.reason]
    last = f" Last: {_last_value(state)}." if status.keeps_body and state.value is not None else ""
    return f"{against.reason}: {status.detail}{last}"


def in_words(signal: Signal, value: Value) -> str:
    """Return the value on one line."""
    match signal.kind:
        case Kind.FLAG:
            return "yes" if value else "no"
        case Kind.TEXT:
            return str(value)
        case Kind.DOCUMENT:
            return _document(signal, msgspec.json.decode(str(value)))
        case _:
            return with_unit(value, signal)


def with_unit(value: Any, signal: Signal) -> str:
    """Return a number and the signal's unit, both in the form of the wire."""
    return f"{wire.number(value)} {signal.unit}" if signal.unit else wire.number(value)


def _document(signal: Signal, document: dict[str, Any]) -> str:
    """Return the main number of a document, else the number of its entries."""
    for member in _MAIN:
        if isinstance(document.get(member), int | float):
            return with_unit(document[member], signal)
    if isinstance(document.get("latitude"), int | float) and isinstance(document.get("longitude"), int | float):
        return f"{wire.number(document['latitude'])}, {wire.number(document['longitude'])}"
    entries = document.get("values") or []
    return f"{len(entries)} {_ENTRIES.get(signal.code, 'entries')}"
