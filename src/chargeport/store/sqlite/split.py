"""Schema 5 for signals that several sources told of: the latest values of each source's series, from what is left of it.

A run kept the source of its first sighting only, and `latest` that of the newest: if they differ, the newest sighting leaves
the run and becomes one of its own source. Where a source's last runs were folded, its newest hour says what it said last.
"""

from typing import Final, NamedTuple

from chargeport.store.sqlite import hourly
from chargeport.store.sqlite.engine import Connection, fetch
from chargeport.store.sqlite.late import COLUMNS, Run
from chargeport.store.sqlite.newest import write_newest
from chargeport.store.sqlite.series import ALWAYS, Series
from chargeport.store.sqlite.slot import SeriesKey, slot_of

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
_SET_SEEN: Final = (
    "UPDATE history SET seen = ?, last_seen_at = ?"
    " WHERE vehicle_key = ? AND signal_key = ? AND source_key = ? AND observed_at = ? AND position = ?"
)
_INSERT: Final = f"INSERT INTO history (vehicle_key, signal_key, source_key, {COLUMNS}) VALUES ({','.join('?' * 12)})"
_NEXT: Final = "UPDATE sequences SET value = value + 1 WHERE name = 'position' RETURNING value"


class _Mixed(NamedTuple):
    """What schema 4 held of a signal, with its sources as they are called now."""

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
    """Write the latest values of the series that the schema's step left out. Runs inside its transaction."""
    for row in fetch(connection, _LEFT):
        mixed = _Mixed(*row)
        _part_newest(connection, mixed)
        for (source_key,) in fetch(connection, _SOURCES, (mixed.vehicle_key, mixed.signal_key)):
            key = (mixed.vehicle_key, mixed.signal_key, source_key)
            _restore_folded(connection, key)
            write_newest(connection, key)
            _set_received(connection, key, mixed)
    connection.execute("DROP TABLE latest_by_signal")
    connection.execute("DROP TABLE temp.series_source")


def _part_newest(connection: Connection, mixed: _Mixed) -> None:
    """Give the newest sighting of the run that holds to the source that it came from."""
    found = fetch(connection, _RUN, (mixed.vehicle_key, mixed.signal_key, mixed.run_at, mixed.position))
    if not found or mixed.source_key in (None, found[0][0]):
        return
    run, key = Run(*found[0][1:]), (mixed.vehicle_key, mixed.signal_key)
    sightings = run.sightings()
    if len(sightings) > 1:
        sightings = sightings[:-1]
        last_seen_at = sightings[-1] if len(sightings) > 1 else None
        where = (*key, found[0][0], run.observed_at, run.position)
        connection.execute(_SET_SEEN, (run.packed(sightings), last_seen_at, *where))
    part = run._replace(
        observed_at=mixed.observed_at or run.ends_at, received_at=mixed.received_at or run.received_at,
        position=_next(connection), last_seen_at=None, seen=None, continues=1, rule_key=mixed.rule_key,
    )  # fmt: skip
    connection.execute(_INSERT, (*key, mixed.source_key, *part))


def _restore_folded(connection: Connection, key: SeriesKey) -> None:
    """Put back the run of what a source said last, where that is known by its newest hour only."""
    hour = hourly.newest(connection, key, ALWAYS)
    if hour is None or hour.known.newest_at is None:
        return
    known, series = hour.known, Series(connection, key)
    value, gone = series.value_before(ALWAYS), series.absence_before(ALWAYS)
    if known.value_at is not None and (value is None or value.ends_at < known.value_at):
        run = Run(known.value_at, 0, known.value_at, known.value, None, None, None, 1, known.rule_key)
        connection.execute(_INSERT, (*key, *run._replace(position=_next(connection))))
    if known.absence_at is not None and (gone is None or gone.ends_at < known.absence_at):
        run = Run(known.absence_at, 0, known.absence_at, None, known.absence, None, None, 1, known.rule_key)
        connection.execute(_INSERT, (*key, *run._replace(position=_next(connection))))


def _next(connection: Connection) -> int:
    return int(fetch(connection, _NEXT)[0][0])


def _set_received(connection: Connection, key: SeriesKey, mixed: _Mixed) -> None:
    """When the newest of all was received is known."""
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
