"""Short reads: each takes a connection of the pool and sees one snapshot; reads of series by key share statements.

A statement costs a process a hundred microseconds, many times the cost of one more vehicle in it. No request is delayed to wait
for others: while fewer than MAX_STATEMENTS statements run it starts one, else it joins the next.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from chargeport.errors import StoreError
from chargeport.store.postgres.engine import Pool, numbered, translated
from chargeport.store.tables import rows
from chargeport.store.tables.keys import SERIES, VEHICLE_SHIFT

_SOURCES: Final = "SELECT key, name FROM sources"
_RULES: Final = "SELECT key, text FROM rules"

MAX_STATEMENTS: Final = 2  # statements that run at the same time
MOST: Final = 64  # requests that share one
# Inner joins: an outer join of a replicated table with a distributed one may collect all of `latest` on a cluster.
# By ranges, not `= ANY`: where the planner has no statistics, it would read all of `latest` for that.
_FIND: Final = (
    f"SELECT asked.number, {rows.VEHICLE}, {rows.STATE}"
    " FROM unnest($1::text[], $2::bigint[], $3::bigint[]) WITH ORDINALITY AS asked (id, low, high, number)"
    " JOIN vehicles v ON v.id = asked.id JOIN latest l ON l.vehicle_key = v.key"
    f" AND l.slot BETWEEN (v.key << {VEHICLE_SHIFT}) + asked.low AND (v.key << {VEHICLE_SHIFT}) + asked.high"
)


class Reader:
    """`store.sql.Reader` on PostgreSQL."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.sources: dict[int, str] = {}
        self._rules: dict[int, str] = {}

    async def select(self, sql: str, bindings: tuple[Any, ...] = ()) -> list[Any]:
        """Return all rows of a query."""
        if any(type(value) is str and "\0" in value for value in bindings):
            return []  # no text in the database has a NUL
        async with self._pool.connection() as raw:
            with translated():
                return await raw.fetch(numbered(sql), *bindings)  # type: ignore[no-any-return]

    async def select_row(self, sql: str, bindings: tuple[Any, ...] = ()) -> Any:
        """Return the first row of a query; None when there is none."""
        found = await self.select(sql, bindings)
        return found[0] if found else None

    async def select_count(self, sql: str, bindings: tuple[Any, ...] = ()) -> int:
        """Return the one number that a query yields."""
        found = await self.select(sql, bindings)
        return int(found[0][0]) if found else 0

    async def know(self, sources: set[int], rules: set[int]) -> None:
        """Load the names of these sources and rules. A key is never reused, so a loaded name stays correct."""
        if not sources <= self.sources.keys():
            self.sources = dict(await self.select(_SOURCES))
        if not rules <= self._rules.keys():
            self._rules = dict(await self.select(_RULES))

    def source(self, key: int) -> str:
        """Return the name of a source that is loaded."""
        name = self.sources.get(key)
        if name is None:
            raise StoreError(f"The database has no source {key}: it is damaged.")
        return name

    def rule(self, key: int) -> str:
        """Return the text of a rule that is loaded."""
        text = self._rules.get(key)
        if text is None:
            raise StoreError(f"The database has no rule {key}: it is damaged.")
        return text


class SlotRange(NamedTuple):
    """A vehicle, and the first and the last of its series to read, as parts of their slots."""

    vehicle_id: str
    low: int = 0
    high: int = SERIES


class _Request(NamedTuple):
    ranges: Sequence[SlotRange]
    answer: "asyncio.Future[list[Any]]"


class Lookups:
    """Finds rows of `latest`, each after its vehicle's columns. Belongs to one event loop."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._waiting: deque[_Request] = deque()
        self._running: set[asyncio.Task[None] | None] = set()
        self._is_due = False

    async def find(self, ranges: Sequence[SlotRange]) -> list[Any]:
        """Return the rows of these series of one vehicle, by a statement shared with other requests. Raises StoreError."""
        loop = asyncio.get_running_loop()
        request = _Request(ranges, loop.create_future())
        self._waiting.append(request)
        if not self._is_due and len(self._running) < MAX_STATEMENTS:
            self._is_due = True
            loop.call_soon(self._begin)  # after the other requests of this turn of the loop
        return await request.answer

    async def find_immediately(self, ranges: Sequence[SlotRange]) -> list[Any]:
        """Return the rows of series of many vehicles, by a statement of their own. Raises StoreError."""
        columns = [list(column) for column in zip(*ranges, strict=True)] or [[], [], []]
        return await self._reader.select(_FIND, tuple(columns))

    def _begin(self) -> None:
        self._is_due = False
        self._running.add(asyncio.create_task(self._answer_all(), name="postgres-lookups"))

    async def _answer_all(self) -> None:
        try:
            await self._answer_waiting()
        finally:  # immediately: a request that still counted this task would wait for it in vain
            self._running.discard(asyncio.current_task())

    async def _answer_waiting(self) -> None:
        while self._waiting:
            requests = [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]
            try:
                answers = await self._found(requests)
            except Exception as error:  # noqa: BLE001  (it reaches every request)
                for request in requests:
                    if not request.answer.done():
                        request.answer.set_exception(error)
                continue
            for request, answer in zip(requests, answers, strict=True):
                if not request.answer.done():
                    request.answer.set_result(answer)

    async def _found(self, requests: Sequence[_Request]) -> list[list[Any]]:
        """Return the rows for each request."""
        whose = [number for number, request in enumerate(requests) for _ in request.ranges]
        answers: list[list[Any]] = [[] for _ in requests]
        for row in await self.find_immediately([each for request in requests for each in request.ranges]):
            answers[whose[row[0] - 1]].append(row)
        return answers
