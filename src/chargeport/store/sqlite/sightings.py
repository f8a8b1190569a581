"""Everything that is stored, in order: read row by row in one snapshot, so that size costs no memory and a writer no peace.

`latest` knows what history is not told before a run ends: its newest sightings, and when the newest of all was received.
"""

from array import array
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import apsw

from chargeport.signals.catalogue import BY_KEY
from chargeport.signals.definition import Signal
from chargeport.signals.effective import DERIVED
from chargeport.signals.reading import AbsenceReason
from chargeport.store.records import Selection, Sighting, Stretch
from chargeport.store.sqlite import rows
from chargeport.store.sqlite.engine import Connection, connect, fetch, translated
from chargeport.store.sqlite.late import COLUMNS, Run
from chargeport.store.sqlite.slot import OF_VEHICLE

STRETCH: Final = 1000  # sightings handed over at once
CACHE_KIB: Final = 16_384  # each page is read once: a greater cache would only be filled

_ALWAYS: Final = 1 << 62
_LATEST: Final = (
    "SELECT signal_key, source_key, position, run_at, seen, observed_at, received_at, absence_at, absence_received_at"
    f" FROM latest WHERE {OF_VEHICLE}"
)
_NEWEST_ABSENCE: Final = (
    "SELECT position FROM history WHERE vehicle_key = ? AND signal_key = ? AND source_key = ? AND absence IS NOT NULL"
    " ORDER BY observed_at DESC, absence DESC LIMIT 1"
)
# Runs overlap at their first instants at the most, so the newest that begins before the bound is all that can reach over it.
_RUNS: Final = (
    f"SELECT {COLUMNS} FROM history WHERE vehicle_key = ?1 AND signal_key = ?2 AND source_key = ?3 AND observed_at < ?5"
    " AND observed_at >= coalesce((SELECT max(observed_at) FROM history WHERE vehicle_key = ?1 AND signal_key = ?2"
    " AND source_key = ?3 AND observed_at <= ?4), ?4)"
    " ORDER BY observed_at, position"
)


class _Seen(NamedTuple):
    """A sighting as the tables have it."""

    at: int
    value: Any
    absence: str | None
    received_at: int | None = None

    def rank(self) -> tuple[Any, ...]:
        """How it compares with another of the same instant: the greater holds, and a value is greater than an absence."""
        return (0, self.absence) if self.absence is not None else (1, self.value)


class _Latest(NamedTuple):
    """What `latest` has of one series."""

    signal_key: int
    source_key: int
    position: int
    run_at: int
    seen: bytes | None
    observed_at: int | None
    received_at: int | None
    absence_at: int | None
    absence_received_at: int | None


async def sightings(path: Path, selection: Selection) -> AsyncIterator[Stretch]:
    """What is stored, as it is when the first stretch is asked for. See `store.protocols.Readings`."""
    connection = connect(path)
    try:
        connection.execute(f"PRAGMA query_only = ON; PRAGMA cache_size = -{CACHE_KIB}").fetchall()
        connection.execute("BEGIN")
        for stretch in _Pass(connection, selection).stretches():
            yield stretch
    except apsw.Error as error:
        raise translated(error) from error
    finally:
        connection.close()


class _Pass:
    """One pass over a snapshot."""

    def __init__(self, connection: Connection, selection: Selection) -> None:
        self._connection = connection
        self._selection = selection
        self._start = -_ALWAYS if selection.start is None else selection.start
        self._end = _ALWAYS if selection.end is None else selection.end
        self._sources: dict[int, str] = dict(fetch(connection, "SELECT key, name FROM sources"))

    def stretches(self) -> Iterator[Stretch]:
        """All sightings, some at a time; nothing when there is none."""
        wanted = self._selection.vehicle_ids
        cars = fetch(self._connection, "SELECT id, key FROM vehicles ORDER BY id")
        cars = [car for car in cars if wanted is None or car[0] in wanted]
        gathered: list[Sighting] = []
        for number, (vehicle_id, vehicle_key) in enumerate(cars):
            series = self._series(vehicle_key)
            for index, (signal, source, latest) in enumerate(series):
                for seen in self._in_order(vehicle_key, latest):
                    gathered.append(_sighting(vehicle_id, signal, source, seen))
                    if len(gathered) == STRETCH:
                        yield Stretch(gathered, (number + (index + 0.5) / len(series)) / len(cars))
                        gathered = []
        if gathered:
            yield Stretch(gathered, 1.0)

    def _series(self, vehicle_key: int) -> list[tuple[Signal, str, _Latest]]:
        """The wanted series of a car, by code and source; not what was derived: it follows from what is written."""
        known = [_Latest(*row) for row in fetch(self._connection, _LATEST, (vehicle_key,))]
        found = [(BY_KEY[latest.signal_key], self._sources[latest.source_key], latest) for latest in known]
        wanted = self._selection.signals
        found = [each for each in found if each[1] != DERIVED and (wanted is None or each[0] in wanted)]
        return sorted(found, key=lambda each: (each[0].code, each[1]))

    def _in_order(self, vehicle_key: int, latest: _Latest) -> Iterator[_Seen]:
        """The sightings of one series. A run's are held back until the next one begins: it may begin earlier."""
        key = (vehicle_key, latest.signal_key, latest.source_key)
        newest = fetch(self._connection, _NEWEST_ABSENCE, key) if latest.absence_at is not None else []
        absence_position = newest[0][0] if newest else None
        held: list[_Seen] = []
        for row in self._connection.execute(_RUNS, (*key, self._start, self._end)):
            run = Run(*row)
            ready = [seen for seen in held if seen.at < run.observed_at]
            held = [seen for seen in held if seen.at >= run.observed_at]
            held += self._seen(run, latest, run.position == absence_position)
            yield from _sorted(ready)
        yield from _sorted(held)

    def _seen(self, run: Run, latest: _Latest, is_newest_absence: bool) -> list[_Seen]:
        """The sightings of a run that are wanted."""
        first = _Seen(run.observed_at, run.value, run.absence, run.received_at)
        told = {run.observed_at: first}
        instants = run.sightings()
        if run.position == latest.position and run.absence is None and latest.observed_at is not None:
            instants += [latest.run_at + offset for offset in array("I", latest.seen or b"")]
            told[latest.observed_at] = first._replace(at=latest.observed_at, received_at=latest.received_at)
        if is_newest_absence and latest.absence_at is not None:
            instants.append(latest.absence_at)
            told[latest.absence_at] = first._replace(at=latest.absence_at, received_at=latest.absence_received_at)
        wanted = sorted({at for at in instants if self._start <= at < self._end})
        if not self._selection.every:
            wanted = [*wanted[:1], *wanted[-1:]][: len(wanted)]
        return [told.get(at) or _Seen(at, run.value, run.absence) for at in wanted]


def _sighting(vehicle_id: str, signal: Signal, source: str, seen: _Seen) -> Sighting:
    value = rows.value(signal.key, seen.value)
    absence = None if seen.absence is None else AbsenceReason(seen.absence)
    return Sighting(vehicle_id, signal, seen.at, value, absence, seen.received_at, source)


def _sorted(sightings: list[_Seen]) -> list[_Seen]:
    """By time; at one instant what holds first, so that whoever stores them in this order never has to go back."""
    if len(sightings) > 1:
        sightings.sort(key=_Seen.rank, reverse=True)
        sightings.sort(key=lambda seen: seen.at)
    return sightings
