"""One series through time: its rows of history, in either direction, with what `latest` still holds of them.

Every query is a range of the primary key, read row by row: whoever has seen enough stops.
"""

from collections.abc import Iterable, Iterator
from functools import reduce
from itertools import groupby
from typing import Any, Final

from chargeport.store.sqlite.engine import Connection, fetch
from chargeport.store.sqlite.late import COLUMNS, Run
from chargeport.store.sqlite.slot import SeriesKey, slot_of

ALWAYS: Final = 1 << 62

# The blob of sightings is often most of a row, and lies on pages of its own: it is read only where it is wanted.
_LIGHT: Final = COLUMNS.replace(" seen,", " NULL,")
_OF: Final = "FROM history WHERE vehicle_key = ? AND signal_key = ? AND source_key = ? AND observed_at"
_FROM: Final = f"{_OF} >= ? ORDER BY observed_at, position"
_BEFORE: Final = f"{_OF} < ? ORDER BY observed_at DESC, position DESC"
_AT: Final = f"SELECT {_LIGHT} {_OF} = ? AND position = ?"
_VALUES_BEFORE: Final = f"SELECT {COLUMNS} {_OF} < ? AND absence IS NULL ORDER BY observed_at DESC, position DESC"
_ABSENCES_BEFORE: Final = f"SELECT {COLUMNS} {_OF} < ? AND absence IS NOT NULL ORDER BY observed_at DESC, position DESC"
_LATEST: Final = "SELECT run_at, position, observed_at, seen, absence_at FROM latest WHERE slot = ?"


class Series:
    """The history of a series in a snapshot. Of the rows that begin at one instant only the one that holds is given."""

    def __init__(self, connection: Connection, key: SeriesKey) -> None:
        self._connection = connection
        self._key = key
        found = fetch(connection, _LATEST, (slot_of(*key),))
        self._run_at, self._position, self._observed_at, self._tail, self._absent_at = found[0] if found else (None,) * 5

    def onward(self, from_at: int, *, seen: bool = False) -> Iterator[Run]:
        """The rows that begin at an instant or later, in order; with their sightings where `seen`."""
        held: Run | None = None
        for run in _holding(self._rows(f"SELECT {COLUMNS if seen else _LIGHT} {_FROM}", from_at)):
            if held is not None:
                yield held
            held = run
        if held is not None:
            yield self._newest(held)

    def back(self, before: int, *, seen: bool = False) -> Iterator[Run]:
        """The rows that begin before an instant, the newest first."""
        return _holding(self._rows(f"SELECT {COLUMNS if seen else _LIGHT} {_BEFORE}", before))

    def value_before(self, before: int) -> Run | None:
        """The row of the newest value that begins before an instant, with its sightings."""
        return next(_holding(self._rows(_VALUES_BEFORE, before)), None)

    def absence_before(self, before: int) -> Run | None:
        """The row of the newest absence that begins before an instant."""
        return next(_holding(self._rows(_ABSENCES_BEFORE, before)), None)

    def at(self, observed_at: int, position: int) -> Run | None:
        """The row that begins at this instant and has this position, whether it holds or not."""
        return next(self._rows(_AT, observed_at, position), None)

    def _rows(self, sql: str, *bindings: Any) -> Iterator[Run]:
        return (self._whole(Run(*row)) for row in self._connection.execute(sql, (*self._key, *bindings)))

    def _whole(self, run: Run) -> Run:
        """The row with the sightings that have not been moved to it yet."""
        if run.position != self._position or run.observed_at != self._run_at:
            return run
        return run._replace(last_seen_at=self._observed_at, seen=(run.seen or b"") + (self._tail or b""))

    def _newest(self, run: Run) -> Run:
        """The last row of all: while an absence holds, `latest` alone knows when it was seen last."""
        if run.absence is None or self._absent_at is None or self._absent_at <= run.ends_at:
            return run
        return run._replace(last_seen_at=self._absent_at)


def _holding(runs: Iterable[Run]) -> Iterator[Run]:
    """Of the rows that begin at one instant, the one that holds."""
    return (reduce(_greater, ties) for _, ties in groupby(runs, key=lambda run: run.observed_at))


def _greater(run: Run, other: Run) -> Run:
    return other if run.is_less_than(other.value, other.absence) else run
