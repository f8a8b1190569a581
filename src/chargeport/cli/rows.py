"""A signal of a car as one row of a table: what holds now, how old it is, who said so, and else why there is no value."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from chargeport.api.absences import WORDINGS
from chargeport.api.provenance import shown
from chargeport.cli.ages import ago
from chargeport.cli.output import NOTHING, console, print_table
from chargeport.cli.values import in_words
from chargeport.signals.definition import Signal
from chargeport.signals.held import charging_of, held
from chargeport.signals.state import Standing, State, standing
from chargeport.store.records import VehicleSeries

COLUMNS: Final = ("signal", "value", "age", "source", "why not")
NARROW: Final = ("signal", "value", "age", "source, why not")
NEVER: Final = "never reported"
ROOM_FOR_ALL: Final = 110  # characters a line; below, the reason stands in the source's place

# What a signal can tell, as the API's coverage says it; the others are the reasons of absences.
SUCCESS: Final = "SUCCESS"
NOT_REPORTED: Final = "NOT_REPORTED"


class Row(NamedTuple):
    """What the table's columns hold."""

    code: str
    value: str
    age: str | None = None
    source: str | None = None
    why_not: str = " "  # a blank, where there is nothing to explain: an empty cell would be shown as not known


def row(signal: Signal, found: VehicleSeries, now: int) -> Row:
    """One signal at `now`. A value that no longer holds stands in the reason, never in the column of values."""
    state = held(found.series, signal, now)
    if state is None:
        return Row(signal.code, NOTHING, why_not=NEVER)
    stands = _standing(state, found, now)
    if stands is None:
        return Row(signal.code, _last_value(state), ago(state.observed_at, now), shown(state.source, state.rule))
    is_absent = stands.reason is state.absence
    at, source = (state.absence_at, state.absence_source) if is_absent else (state.observed_at, state.source)
    return Row(signal.code, NOTHING, ago(at, now), shown(source, state.rule), _why_not(state, stands))


def print_rows(rows: Iterable[Row], empty: str = "Nothing there.") -> None:
    """The rows as a table that fits the terminal."""
    if console().width >= ROOM_FOR_ALL:
        print_table(COLUMNS, rows, empty)
    else:
        cells = [(each.code, each.value, each.age, each.why_not if each.why_not.strip() else each.source) for each in rows]
        print_table(NARROW, cells, empty)


def status(state: State | None, found: VehicleSeries, now: int) -> str:
    """What a signal can tell at `now`: SUCCESS, NOT_REPORTED, or the reason why its value does not hold."""
    if state is None:
        return NOT_REPORTED
    stands = _standing(state, found, now)
    return SUCCESS if stands is None else stands.reason.value


def _standing(state: State, found: VehicleSeries, now: int) -> Standing | None:
    return standing(state, charging_of(found.series), now)


def _last_value(state: State) -> str:
    return NOTHING if state.value is None else in_words(state.signal, state.value)


def _why_not(state: State, stands: Standing) -> str:
    """The reason in words, and what the value was last where that still says something."""
    wording = WORDINGS[stands.reason]
    last = f" Last: {_last_value(state)}." if wording.keeps_body and state.value is not None else ""
    return f"{stands.reason}: {wording.detail}{last}"
