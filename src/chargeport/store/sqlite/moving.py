"""Move history from `recent` to `settled`, a few thousand runs at a time, and remove the oldest part of the feed.

Runs are received by time, and read by series: if each were written to its final place at once, it would touch its own page.
`recent` is small enough to stay in memory. A range of vehicles is moved together, of which many runs have collected: a page of
`settled` is written once for several changes.
"""

from typing import Any, Final

import apsw

from chargeport.store.sqlite.engine import Connection, fetch

MAX_RECENT: Final = 131_072  # runs: some 6 MB; more would save little, and with fewer a written page has fewer of them
FEED_CHANGES: Final = 500_000  # positions that can be looked up; consumers further behind read all of history
STEP_RUNS: Final = 4_000  # moved in one transaction: about 20 ms, in which the next group waits

_KEY: Final = "vehicle_key, signal_key, source_key, observed_at, position"
_COLUMNS: Final = f"{_KEY}, lag, value, absence, lasted, continues, rule_key, seen"
_BEGIN: Final = (0, 0, 0, 0, 0)
_LAST: Final = f"SELECT {_KEY} FROM recent WHERE ({_KEY}) > (?,?,?,?,?) ORDER BY {_KEY} LIMIT 1 OFFSET ?"
_PART: Final = f"({_KEY}) > (?,?,?,?,?)"
_MOVE: Final = f"INSERT INTO settled ({_COLUMNS}) SELECT {_COLUMNS} FROM recent WHERE {_PART} {{}} ORDER BY {_KEY}"
_REMOVE: Final = f"DELETE FROM recent WHERE {_PART} {{}}"
_UPTO: Final = f"AND ({_KEY}) <= (?,?,?,?,?)"
_SEQUENCES: Final = "SELECT name, value FROM sequences"
_POSITION: Final = "SELECT value FROM sequences WHERE name = 'position'"


class Mover:
    """Tracks how many runs there are to move. Belongs to the writer's thread."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._behind: tuple[Any, ...] = _BEGIN  # where the last step ended
        self._runs: int = fetch(connection, "SELECT count(*) FROM recent")[0][0]
        sequences: dict[str, int] = dict(fetch(connection, _SEQUENCES))
        self._position, self._floor = sequences["position"], sequences["feed"]

    def step(self) -> bool:
        """Move a part of the runs, in a transaction of its own; return False if there was nothing to do, or it failed."""
        has_done = False
        try:
            with self._connection:
                has_done = self._step()
        except apsw.Error:  # the disk is full, or another process writes: the next round tries again
            return False
        return has_done

    def _step(self) -> bool:
        position: int = fetch(self._connection, _POSITION)[0][0]
        self._runs += position - self._position
        self._position = position
        if position - self._floor >= FEED_CHANGES + STEP_RUNS:  # first: under load there are always runs to move
            self._shorten(min(position - FEED_CHANGES, self._floor + STEP_RUNS))
        elif self._runs > MAX_RECENT:
            self._move()
        else:
            return False
        return True

    @property
    def is_late(self) -> bool:
        """Whether there are so many runs that they have to be moved even if others wait."""
        return self._runs > 2 * MAX_RECENT

    def _move(self) -> None:
        last = fetch(self._connection, _LAST, (*self._behind, STEP_RUNS - 1))
        condition, bounds = (_UPTO, (*self._behind, *last[0])) if last else ("", self._behind)
        self._connection.execute(_MOVE.format(condition), bounds)
        self._connection.execute(_REMOVE.format(condition), bounds)
        self._runs -= self._connection.changes()
        self._behind = last[0] if last else _BEGIN
        if not last:  # counted once a round: other processes erase and move runs, too
            self._runs = fetch(self._connection, "SELECT count(*) FROM recent")[0][0]

    def _shorten(self, floor: int) -> None:
        """Remove the feed up to a position."""
        self._connection.execute("DELETE FROM feed WHERE position <= ?", (floor,))
        self._connection.execute("UPDATE sequences SET value = ? WHERE name = 'feed'", (floor,))
        self._floor = floor
