"""Moving history from `recent` to `settled`, a few thousand runs at a time, and letting go of the oldest part of the feed.

Runs come in by time, and are read by series: written where they belong at once, each would touch a page of its own. `recent` is
small enough to stay in memory. What is moved together is a range of vehicles, of which many runs have gathered: a page of
`settled` is written once for several changes.
"""

from typing import Any, Final

import apsw

from chargeport.store.sqlite.engine import Connection, fetch

MAX_RECENT: Final = 131_072  # runs: some 6 MB; more would save little, and fewer leave fewer on each page that is written
FEED_CHANGES: Final = 500_000  # positions that can be looked up; whoever is further behind goes through all of history
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
    """Knows how much there is to move. Belongs to the writer's thread."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._behind: tuple[Any, ...] = _BEGIN  # where the last step ended
        self._runs: int = fetch(connection, "SELECT count(*) FROM recent")[0][0]
        sequences: dict[str, int] = dict(fetch(connection, _SEQUENCES))
        self._position, self._floor = sequences["position"], sequences["feed"]

    def step(self) -> bool:
        """Do a part of what there is to do, in a transaction of its own; False when there was nothing, or it failed."""
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
        """Whether so much has gathered that it has to be moved, whoever waits."""
        return self._runs > 2 * MAX_RECENT

    def _move(self) -> None:
        last = fetch(self._connection, _LAST, (*self._behind, STEP_RUNS - 1))
        condition, bounds = (_UPTO, (*self._behind, *last[0])) if last else ("", self._behind)
        self._connection.execute(_MOVE.format(condition), bounds)
        self._connection.execute(_REMOVE.format(condition), bounds)
        self._runs -= self._connection.changes()
        self._behind = last[0] if last else _BEGIN
        if not last:  # once a round it is counted: runs were erased, and moved by other processes
            self._runs = fetch(self._connection, "SELECT count(*) FROM recent")[0][0]

    def _shorten(self, floor: int) -> None:
        """Let go of the feed up to a position."""
        self._connection.execute("DELETE FROM feed WHERE position <= ?", (floor,))
        self._connection.execute("UPDATE sequences SET value = ? WHERE name = 'feed'", (floor,))
        self._floor = floor
