"""Publication of records: their list and their total, as derived values."""

import logging
from collections.abc import Sequence
from typing import Final

import msgspec

from chargeport.derive.records import records as made
from chargeport.derive.records.records import Record
from chargeport.derive.records.reported import RECORDS
from chargeport.signals import bodies
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.definition import Signal, Value
from chargeport.signals.effective import DERIVED
from chargeport.signals.ranks import derived_of, reported_of
from chargeport.signals.reading import Absence, AbsenceReason, Entry, Reading
from chargeport.signals.records import ChargeRecord, ChargeRecords
from chargeport.signals.state import State
from chargeport.signals.violation import Violation
from chargeport.store.records import VehicleSeries

RULE: Final = "sessions"  # of derived records and totals
_TOTAL: Final = BY_CODE["chargeport-energytotal"]

_log = logging.getLogger("chargeport.derivation")


def records_entries(found: VehicleSeries, closed: Sequence[Record], now: int) -> list[Entry]:
    """Return the list of closed records as an entry, if it changed and no source reports the same. Slow for many."""
    if derived_of(found.series, RECORDS) is None and _is_reported(found, closed):
        return []
    return _replacement(found, RECORDS, _body(closed), _ended_at(closed, _listed_at(found, now)), now)


def total_entries(found: VehicleSeries, every: Sequence[Record], settled_kwh: float, now: int) -> list[Entry]:
    """Return the total energy as an entry, if it changed: `settled_kwh` and the energy of `every` record.

    If no energy is known any more, the entry is an absence.
    """
    if settled_kwh or any(record.session.energy_added_kwh is not None for record in every):
        kwh = round(settled_kwh + made.total_kwh([record.session for record in every]), 2)
        return _replacement(found, _TOTAL, bodies.parse(_TOTAL, {"value": kwh}), _ended_at(every, now), now)
    known = derived_of(found.series, _TOTAL)
    if known is None or known.observed_at is None or _is_absent(known):
        return []
    at = max(_ended_at(every, 0), known.observed_at + 1)
    return [Absence(found.vehicle.id, _TOTAL, AbsenceReason.UNREACHABLE, at, now, DERIVED, RULE)]


def _ended_at(records: Sequence[Record], otherwise: int) -> int:
    return max((record.session.ended_at for record in records), default=otherwise)


def _listed_at(found: VehicleSeries, now: int) -> int:
    """Return as of when a list without records counts: as of the reported list all of whose records were removed."""
    state = reported_of(found.series, RECORDS)
    return now if state is None or state.observed_at is None else state.observed_at


def _replacement(found: VehicleSeries, signal: Signal, value: Value, at: int, now: int) -> list[Entry]:
    """Return the new derived value as an entry, later than the old one: at the same instant the greater value would hold."""
    derived = derived_of(found.series, signal)
    if derived is not None:
        if derived.value == value and not _is_absent(derived):
            return []
        at = max(at, (derived.observed_at or 0) + 1, (derived.absence_at or 0) + 1)
    return [Reading(found.vehicle.id, signal, value, at, now, DERIVED, RULE)]


def _is_absent(state: State) -> bool:
    return (state.absence_at or 0) > (state.observed_at or 0)


def _body(closed: Sequence[Record]) -> Value:
    """Return the body of the records, without those that break a rule, which an edit may cause."""
    try:
        return bodies.parse(RECORDS, made.to_body(closed))
    except Violation:
        return bodies.parse(RECORDS, made.to_body([record for record in closed if _is_valid(record)]))


def _is_valid(record: Record) -> bool:
    try:
        bodies.parse(RECORDS, made.to_body([record]))
    except Violation as violation:
        _log.warning("the record %s is not shown: %s", record.id, violation.detail)
        return False
    return True


def _is_reported(found: VehicleSeries, shown: Sequence[Record]) -> bool:
    """Return whether a source reports exactly these records."""
    state = reported_of(found.series, RECORDS)
    values = [] if state is None or state.value is None else msgspec.json.decode(str(state.value), type=ChargeRecords).values
    return _contents([value for value in values if value.endTime is not None]) == _contents(
        [made.shown(record) for record in shown]
    )


def _contents(found: Sequence[ChargeRecord]) -> list[str]:
    """Return the comparable content of records: as on the wire without their ids, energy rounded as it is shown."""
    left_out = dict.fromkeys(("id", *ChargeRecords.kept))
    return sorted(
        repr(msgspec.structs.replace(record, energyAdded=round(record.energyAdded or 0, made.ENERGY_DIGITS), **left_out))
        for record in found
    )
