"""The latest values of a series, worked out from its history."""

from typing import Any, Final

from chargeport.store.sqlite.engine import Connection
from chargeport.store.sqlite.late import Run
from chargeport.store.sqlite.series import ALWAYS, Series
from chargeport.store.sqlite.slot import SeriesKey, slot_of

_DELETE: Final = "DELETE FROM latest WHERE slot = ?"
_INSERT: Final = (
    "INSERT INTO latest (slot, value, observed_at, changed_at, received_at, position, run_at, absence, absence_at,"
    " absence_received_at, rule_key) VALUES (?,?,?,?,?,?,?,?,?,?,?)"
)


def write_newest(connection: Connection, key: SeriesKey) -> bool:
    """Write the row of a series in `latest` anew; False when its history is empty, so that there is none.

    When a later sighting came in is not kept in history; it was not before the car had seen it.
    """
    connection.execute(_DELETE, (slot_of(*key),))
    series = Series(connection, key)
    value, gone = series.value_before(ALWAYS), series.absence_before(ALWAYS)
    newest = max((run for run in (value, gone) if run is not None), key=lambda run: run.ends_at, default=None)
    if newest is None:
        return False
    known: tuple[Any, ...] = (None, None, None, None, 0, 0)
    if value is not None:
        known = (value.value, value.ends_at, _became(series, value), _received_at(value), value.position, value.observed_at)
    missing: tuple[Any, ...] = (None, None, None) if gone is None else (gone.absence, gone.ends_at, _received_at(gone))
    connection.execute(_INSERT, (slot_of(*key), *known, *missing, newest.rule_key))
    return True


def _received_at(run: Run) -> int:
    return run.received_at if run.last_seen_at is None else max(run.received_at, run.last_seen_at)


def _became(series: Series, run: Run) -> int:
    """Since when the value has held without another in between."""
    at = run.observed_at
    for before in series.back(run.observed_at):
        if not before.says(run.value, None):
            break
        at = before.observed_at
    return at
