"""Schema 5 for signals that several sources reported: derive the latest values of each source's series from the remaining data.

A run stored the source of its first sighting only, and `latest` that of the newest: if they differ, the newest sighting leaves
the run and becomes one of its own source. If a source's last runs were folded, its newest hour has its last report.
"""

from typing import Final, NamedTuple

from chargeport.store.history.runs import ALWAYS, Run
from chargeport.store.sqlite.engine import Connection, Row, fetch
from chargeport.store.sqlite.slot import SlotTable
from chargeport.store.tables.hourly import HourTable
from chargeport.store.tables.keys import COLUMNS, OF, SeriesKey, slot_of
from chargeport.store.tables.newest import write_newest
from chargeport.store.tables.series import Series

_LEFT: Final = (
    "SELECT l.vehicle_key, l.signal_key & 127, v.source_key, v.rule_key, l.position, l.run_at, l.observed_at, l.received_at,"
    " a.source_key, l.absence_at, l.absence_received_at FROM latest_by_signal l"
    " LEFT JOIN series_source v ON v.old_key = l.source_key LEFT JOIN series_source a ON a.old_key = l.absence_source_key"
    " WHERE NOT EXISTS (SELECT 1 FROM latest n WHERE n.slot ="
    " (l.vehicle_key << 28) + ((l.signal_key & 127) << 20) + coalesce(v.source_key, a.source_key))"
)
_SOURCES: Final = (
    "SELECT source_key FROM history WHERE vehicle_key = ?1 AND signal_key = ?2"
    " UNION SELECT source_key FROM hourly WHERE vehicle_key = ?1 AND signal_key = ?2"
)
_RUN: Final = (
    f"SELECT source_key, {COLUMNS} FROM history WHERE vehicle_key = ? AND signal_key = ? AND observed_at = ? AND position = ?"
)
_ABSENCE: Final = (
    f"SELECT source_key, {COLUMNS} FROM history WHERE vehicle_key = ? AND signal_key = ? AND absence IS NOT NULL"
    " ORDER BY observed_at DESC, absence DESC LIMIT 1"
)
# At that schema, `history` was one table, with instants in it.
_INSERT: Final = f"INSERT INTO history (vehicle_key, signal_key, source_key, {COLUMNS}) VALUES ({','.join('?' * 12)})"
_SET_SEEN: Final = f"UPDATE history SET seen = ?, last_seen_at = ? WHERE {OF} AND observed_at = ? AND position = ?"
_NEXT: Final = "UPDATE sequences SET value = value + 1 WHERE name = 'position' RETURNING value"


class _Mixed(NamedTuple):
    """The data of a signal in schema 4, with its sources by their present keys."""

    vehicle_key: int
    signal_key: int
    source_key: int | None
    rule_key: int | None
    position: int
    run_at: int
    observed_at: int | None
    received_at: int | None
    absence_source_key: int | None
    absence_at: int | None
    absence_received_at: int | None


def split_series(connection: Connection) -> None:
    """Write the latest values of the series that the SQL of the step left out. Runs inside its transaction."""
    for row in fetch(connection, _LEFT):
        mixed = _Mixed(*row)
        _part_newest(connection, mixed)
        for (source_key,) in fetch(connection, _SOURCES, (mixed.vehicle_key, mixed.signal_key)):
            key = (mixed.vehicle_key, mixed.signal_key, source_key)
            _restore_folded(connection, key)
            write_newest(SlotTable(connection), key)
            _set_received(connection, key, mixed)
    connection.execute("DROP TABLE latest_by_signal")
    connection.execute("DROP TABLE temp.series_source")


def _part_newest(connection: Connection, mixed: _Mixed) -> None:
    """Move the newest sighting of a run, of a value or of an absence, to the source that it came from."""
    key = (mixed.vehicle_key, mixed.signal_key)
    if mixed.observed_at is not None and mixed.source_key is not None:
        found = fetch(connection, _RUN, (*key, mixed.run_at, mixed.position))
        newest = (mixed.source_key, mixed.rule_key, mixed.observed_at, mixed.received_at or 0)
        _part(connection, key, found, newest)
    if mixed.absence_at is not None and mixed.absence_source_key is not None:
        found = fetch(connection, _ABSENCE, key)
        newest = (mixed.absence_source_key, None, mixed.absence_at, mixed.absence_received_at or 0)
        _part(connection, key, found, newest)


def _part(connection: Connection, key: tuple[int, int], found: list[Row], newest: tuple[int, int | None, int, int]) -> None:
    """Make a run of its own of the newest sighting (source, rule, observed and received at), if it is of another source."""
    source_key, rule_key, observed_at, received_at = newest
    if not found or found[0][0] == source_key:
        return
    run = Run(*found[0][1:])
    sightings = [at for at in run.sightings() if at < observed_at]
    if sightings:
        left, where = run.seen_at(sightings), (*key, found[0][0], run.observed_at, run.position)
        connection.execute(_SET_SEEN, (left.seen, left.last_seen_at, *where))
    part = run._replace(
        observed_at=observed_at, received_at=received_at, position=_next(connection), last_seen_at=None, seen=None,
        continues=1, rule=rule_key,
    )  # fmt: skip
    connection.execute(_INSERT, (*key, source_key, *part))


def _restore_folded(connection: Connection, key: SeriesKey) -> None:
    """Restore the run of a source's last report, if only its newest hour has it."""
    hour = HourTable(connection, key).newest(ALWAYS)
    if hour is None or hour.known.newest_at is None:
        return
    known, series = hour.known, Series(connection, key)
    value, gone = series.value_before(ALWAYS), series.absence_before(ALWAYS)
    if known.value_at is not None and (value is None or value.ends_at < known.value_at):
        run = Run(known.value_at, 0, known.value_at, known.value, None, None, None, 1, known.rule)
        connection.execute(_INSERT, (*key, *run._replace(position=_next(connection))))
    if known.absence_at is not None and (gone is None or gone.ends_at < known.absence_at):
        run = Run(known.absence_at, 0, known.absence_at, None, known.absence, None, None, 1, known.rule)
        connection.execute(_INSERT, (*key, *run._replace(position=_next(connection))))


def _next(connection: Connection) -> int:
    return int(fetch(connection, _NEXT)[0][0])


def _set_received(connection: Connection, key: SeriesKey, mixed: _Mixed) -> None:
    """Set when the newest entry of all was received."""
    slot = slot_of(*key)
    if key[2] == mixed.source_key:
        connection.execute(
            "UPDATE latest SET received_at = ?, rule_key = ? WHERE slot = ? AND observed_at = ?",
            (mixed.received_at, mixed.rule_key, slot, mixed.observed_at),
        )
    if key[2] == mixed.absence_source_key:
        connection.execute(
            "UPDATE latest SET absence_received_at = ? WHERE slot = ? AND absence_at = ?",
            (mixed.absence_received_at, slot, mixed.absence_at),
        )
