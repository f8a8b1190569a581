"""Erase what a source reported: by sightings if a time is given, so that the rest is as if they had never been stored.

Other sources are not changed. What was derived in the time in which the source reported is erased, too, and while its last
values were fresh: which of it followed from these is unknown. Hours can't be divided: those that overlap a bound are erased.
"""

from typing import Final

from chargeport.signals.effective import DERIVED
from chargeport.store.history.late import without
from chargeport.store.history.runs import Run
from chargeport.store.records import Forgotten
from chargeport.store.retention_policy import HOUR_MS
from chargeport.store.sql import Connection, Slots, SlotsOf, fetch
from chargeport.store.tables.keys import COLUMNS, OF_SLOT, OF_VEHICLE, SeriesKey, slot_of
from chargeport.store.tables.newest import write_newest
from chargeport.store.tables.runs import ONE, change, insert, move_place
from chargeport.store.tables.series import Series

FRESH_MS: Final = HOUR_MS // 2  # how long after a live value others are derived from it
STEP_CARS: Final = 50  # in one transaction

Bounds = tuple[int, int]
"""From the first instant on and before the second."""

_OF: Final = "WHERE vehicle_key = ? AND signal_key = ? AND source_key = ?"
_SERIES: Final = f"SELECT vehicle_key, signal_key, source_key FROM latest WHERE {OF_VEHICLE} AND source_key = ?2"
_SPAN: Final = f"SELECT min(observed_at), max(coalesce(last_seen_at, observed_at)) FROM history {_OF}"
_HOURS_SPAN: Final = f"SELECT min(hour), max(hour) FROM hourly {_OF}"
_RUNS: Final = (
    f"SELECT {COLUMNS} FROM history {_OF} AND coalesce(last_seen_at, observed_at) >= ? AND observed_at < ?"
    " ORDER BY observed_at, position"
)
_DELETE: Final = f"DELETE FROM {{}} WHERE {ONE}"
_DELETE_HOURS: Final = (
    f"DELETE FROM hourly {_OF} AND (hour BETWEEN ? AND ? OR (value_at >= ? AND value_at < ?)"
    " OR (absence_at >= ? AND absence_at < ?))"
)


def forget(
    connection: Connection, slots_of: SlotsOf, *, source: str, vehicle_id: str | None, bounds: Bounds, after: int
) -> tuple[Forgotten, int | None]:
    """Erase a part of the cars, those after `after`; also return where the next step begins; None: there is none."""
    sources: dict[str, int] = dict(fetch(connection, "SELECT name, key FROM sources"))
    where, bindings = ("id = ?", (vehicle_id,)) if vehicle_id is not None else ("true", ())
    cars = fetch(
        connection, f"SELECT key, id FROM vehicles WHERE key > ? AND {where} ORDER BY key LIMIT {STEP_CARS}", (after, *bindings)
    )
    connection.lock_vehicles([key for key, _ in cars])
    with connection.erasing():
        found = Forgotten()
        for key, car in cars:
            found = found.plus(_forget_car(connection, slots_of, key, (sources.get(source), sources[DERIVED]), bounds))
            found = found.plus(_forget_beside(connection, key, car, source, bounds))
        if vehicle_id is None and len(cars) < STEP_CARS:  # of unknown cars
            found = found.plus(Forgotten(issues=_delete_issues(connection, source, None, bounds)))
    return found, cars[-1][0] if len(cars) == STEP_CARS else None


def _forget_car(
    connection: Connection, slots_of: SlotsOf, vehicle_key: int, sources: tuple[int | None, int], bounds: Bounds
) -> Forgotten:
    """Erase the source's series of a car, and what was derived meanwhile."""
    source_key, derived_key = sources
    slots = slots_of(connection)
    series = _series(slots, vehicle_key, source_key)
    spans = [span for key in series if (span := _span(connection, key, bounds)) is not None]
    if not spans:
        return Forgotten()
    first_at, last_at = min(span[0] for span in spans), max(span[1] for span in spans)
    found = Forgotten(vehicles=1)
    for key in series:
        found = found.plus(_forget_series(slots, key, bounds))
    if source_key != derived_key:
        slots = slots_of(connection)  # new ones: the old ones would write the rows that they read before
        for key in _series(slots, vehicle_key, derived_key):
            _forget_series(slots, key, (first_at, last_at + 1 + FRESH_MS))
    connection.execute(
        "INSERT INTO erasures (vehicle_key, first_at, last_at) VALUES (?, ?, ?)", (vehicle_key, first_at, last_at)
    )
    return found


def _series(slots: Slots, vehicle_key: int, source_key: int | None) -> list[SeriesKey]:
    """Return the source's series of a car, with everything that only `latest` has moved to history."""
    keys: list[SeriesKey] = [(row[0], row[1], row[2]) for row in fetch(slots.connection, _SERIES, (vehicle_key, source_key))]
    slots.take([slot_of(*key) for key in keys])
    slots.store()
    return keys


def _span(connection: Connection, key: SeriesKey, bounds: Bounds) -> Bounds | None:
    """Return the first and the last instant to be erased; None without any."""
    (first_at, last_at), (hour, last_hour) = fetch(connection, _SPAN, key)[0], fetch(connection, _HOURS_SPAN, key)[0]
    spans = [] if first_at is None else [(first_at, last_at)]
    spans += [] if hour is None else [(hour * HOUR_MS, (last_hour + 1) * HOUR_MS - 1)]
    if not spans:
        return None
    first_at, last_at = max(bounds[0], min(span[0] for span in spans)), min(bounds[1] - 1, max(span[1] for span in spans))
    return (first_at, last_at) if first_at <= last_at else None


def _forget_series(slots: Slots, key: SeriesKey, bounds: Bounds) -> Forgotten:
    """Erase the sightings of a series within the bounds, and the hours that they touch."""
    start, end = bounds
    connection = slots.connection
    seen_within = [Run(*row) for row in fetch(connection, _RUNS, (*key, start, end))]
    seen_within = [run for run in seen_within if any(start <= at < end for at in run.sightings())]
    for before, after in without(Series(connection, key), seen_within, start, end):
        _write(connection, key, before, after)
    connection.execute(_DELETE_HOURS, (*key, start // HOUR_MS, (end - 1) // HOUR_MS, start, end, start, end))
    hours = connection.changes()
    return Forgotten(latest=_renew(slots, key), history=len(seen_within), hours=hours)


def _write(connection: Connection, key: SeriesKey, before: Run, after: Run | None) -> None:
    """Write a run in place of another one; None: remove it."""
    change(connection, _DELETE, [(*key, before.observed_at, before.position)])
    if after is not None:
        insert(connection, [(*key, *after)])
    if connection.has_places:
        move_place(connection, before.position, None if after is None else after.observed_at)


def _renew(slots: Slots, key: SeriesKey) -> int:
    """Rewrite the latest values of a series; return 1 if they have changed. The receipt of unchanged ones stays."""
    connection, one = slots.connection, (key[0], slot_of(*key))
    columns = "value, observed_at, absence, absence_at, received_at, absence_received_at"
    before = fetch(connection, f"SELECT {columns} FROM latest WHERE {OF_SLOT}", one)
    if not write_newest(slots, key):
        return len(before)
    after = fetch(connection, f"SELECT {columns} FROM latest WHERE {OF_SLOT}", one)
    if before and before[0][:2] == after[0][:2]:
        connection.execute(f"UPDATE latest SET received_at = ? WHERE {OF_SLOT}", (before[0][4], *one))
    if before and before[0][2:4] == after[0][2:4]:
        connection.execute(f"UPDATE latest SET absence_received_at = ? WHERE {OF_SLOT}", (before[0][5], *one))
    return int(not before or before[0][:4] != after[0][:4])


def _forget_beside(connection: Connection, vehicle_key: int, car: str, source: str, bounds: Bounds) -> Forgotten:
    """Erase the sessions that the source reported of a car, and its issues about it."""
    connection.execute(
        "DELETE FROM reported_sessions WHERE vehicle_key = ? AND source = ? AND started_at >= ? AND started_at < ?",
        (vehicle_key, source, *bounds),
    )
    sessions = connection.changes()
    names = fetch(connection, "SELECT reference FROM vehicle_references WHERE vehicle_key = ?", (vehicle_key,))
    issues = sum(_delete_issues(connection, source, name, bounds) for name in {car, *(name for (name,) in names)})
    return Forgotten(sessions=sessions, issues=issues)


def _delete_issues(connection: Connection, source: str, vehicle: str | None, bounds: Bounds) -> int:
    """Delete the source's issues about a vehicle, or about any, whose last occurrence is within the bounds."""
    bindings = (source, vehicle, *bounds)
    connection.execute(
        "DELETE FROM issue_messages WHERE source = ?1 AND (CAST(?2 AS TEXT) IS NULL OR vehicle = ?2)"
        " AND received_at >= ?3 AND received_at < ?4",
        bindings,
    )
    connection.execute(
        "DELETE FROM issues WHERE source = ?1 AND (CAST(?2 AS TEXT) IS NULL OR vehicle = ?2)"
        " AND last_at >= ?3 AND last_at < ?4",
        bindings,
    )
    return connection.changes()
