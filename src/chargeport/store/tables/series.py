"""The runs of one series, read from its rows of history: every query is a range of the primary key, read row by row."""

from collections.abc import Iterator
from typing import Any, Final

from chargeport.store.history.latest import Latest
from chargeport.store.history.runs import ALWAYS, Run, holding
from chargeport.store.sql import Connection, fetch
from chargeport.store.tables.keys import COLUMNS, LATEST, OF, OF_SLOT, SeriesKey, slot_of

# The blob of sightings is often most of a row, on pages of its own: it is read only if requested.
_LIGHT: Final = COLUMNS.replace(" seen,", " NULL,")
_OF: Final = f"FROM history WHERE {OF} AND observed_at"
_FROM: Final = f"{_OF} >= ? ORDER BY observed_at, position"
_BEFORE: Final = f"{_OF} < ? ORDER BY observed_at DESC, position DESC"
_AT: Final = f"SELECT {_LIGHT} {_OF} = ? AND position = ?"
_AROUND: Final = f"SELECT {COLUMNS} {_OF} = (SELECT observed_at {_OF} <= ? ORDER BY observed_at DESC LIMIT 1)"
_VALUES_BEFORE: Final = f"SELECT {COLUMNS} {_OF} < ? AND absence IS NULL ORDER BY observed_at DESC, position DESC"
_ABSENCES_BEFORE: Final = f"SELECT {COLUMNS} {_OF} < ? AND absence IS NOT NULL ORDER BY observed_at DESC, position DESC"
_LATEST: Final = f"SELECT {LATEST} FROM latest WHERE {OF_SLOT}"


class Series:
    """`store.history.runs.Rows` on SQLite. With `latest`, the newest runs include what only that row has."""

    def __init__(self, connection: Connection, key: SeriesKey, latest: Latest | None = None) -> None:
        self._connection = connection
        self._key = key
        self._latest = latest

    @classmethod
    def whole(cls, connection: Connection, key: SeriesKey) -> "Series":
        """Return the series with what only its row of `latest` has."""
        found = fetch(connection, _LATEST, (key[0], slot_of(*key)))
        return cls(connection, key, Latest(*found[0]) if found else None)

    def onward(self, from_at: int, *, seen: bool = False) -> Iterator[Run]:
        """Yield those that begin at an instant or later, in order; with their sightings where `seen`."""
        last: Run | None = None
        for run in holding(self._rows(f"SELECT {COLUMNS if seen else _LIGHT} {_FROM}", from_at)):
            if last is not None:
                yield last
            last = run
        if last is not None:
            yield last if self._latest is None else self._latest.whole_newest(last)

    def back(self, before: int, *, seen: bool = False) -> Iterator[Run]:
        """Return those that begin before an instant, the newest first."""
        return holding(self._rows(f"SELECT {COLUMNS if seen else _LIGHT} {_BEFORE}", before))

    def value_before(self, before: int) -> Run | None:
        """Return the newest one of a value that begins before an instant, with its sightings."""
        return next(holding(self._rows(_VALUES_BEFORE, before)), None)

    def absence_before(self, before: int) -> Run | None:
        """Return the newest one of an absence that begins before an instant."""
        return next(holding(self._rows(_ABSENCES_BEFORE, before)), None)

    def at(self, observed_at: int, position: int) -> Run | None:
        """Return the one that begins at this instant and has this position, whether it is valid or not."""
        return next(self._rows(_AT, observed_at, position), None)

    def around(self, at: int) -> list[Run]:
        """Return all that begin at the newest instant until `at` at which any begins, with their sightings."""
        return list(self._rows(_AROUND, *self._key, at))

    def every(self, start: int, end: int) -> Iterator[Run]:
        """Return all that begin before `end`, from the newest on that begins until `start`, whether they are valid or not."""
        first = next(self.back(start + 1), None)
        gone = self.absence_before(ALWAYS) if self._latest is not None else None
        for run in self._rows(f"SELECT {COLUMNS} {_FROM}", start if first is None else first.observed_at):
            if run.observed_at >= end:
                return
            is_newest = self._latest is not None and gone is not None and run.position == gone.position
            yield self._latest.whole_newest(run) if is_newest and self._latest is not None else run

    def _rows(self, sql: str, *bindings: Any) -> Iterator[Run]:
        found = self._connection.execute(sql, (*self._key, *bindings))
        latest = self._latest
        return (Run(*row) if latest is None else latest.whole(Run(*row)) for row in found)
