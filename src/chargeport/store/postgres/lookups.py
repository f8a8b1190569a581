"""The series of vehicles by key: requests of the same time share a statement.

A statement costs a process a hundred microseconds, many times the cost of one more vehicle in it. No request is delayed to wait
for others: while fewer than AT_ONCE statements run it starts one, else it joins the next.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from chargeport.store.postgres.reader import Reader
from chargeport.store.tables import rows
from chargeport.store.tables.keys import SERIES, VEHICLE_SHIFT

AT_ONCE: Final = 2  # statements that run at the same time
MOST: Final = 64  # requests that share one

# Inner joins: an outer one of what every worker has with what is spread over them may collect all of `latest` on a cluster.
# By ranges, not `= ANY`: where the planner knows no statistics, it would read all of `latest` for that.
_FIND: Final = (
    f"SELECT asked.number, {rows.VEHICLE}, {rows.STATE}"
    " FROM unnest($1::text[], $2::bigint[], $3::bigint[]) WITH ORDINALITY AS asked (id, low, high, number)"
    " JOIN vehicles v ON v.id = asked.id JOIN latest l ON l.vehicle_key = v.key"
    f" AND l.slot BETWEEN (v.key << {VEHICLE_SHIFT}) + asked.low AND (v.key << {VEHICLE_SHIFT}) + asked.high"
)


class SlotRange(NamedTuple):
    """A vehicle, and the first and the last of its series to read, as parts of their slots."""

    vehicle_id: str
    low: int = 0
    high: int = SERIES


class _Request(NamedTuple):
    ranges: Sequence[SlotRange]
    answer: "asyncio.Future[list[Any]]"


class Lookups:
    """Finds rows of `latest`, each behind its vehicle's columns. Belongs to one event loop."""

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
        if not self._is_due and len(self._running) < AT_ONCE:
            self._is_due = True
            loop.call_soon(self._begin)  # after the other requests of this turn of the loop
        return await request.answer

    async def find_at_once(self, ranges: Sequence[SlotRange]) -> list[Any]:
        """Return the rows of series of many vehicles, by a statement of their own. Raises StoreError."""
        columns = [list(column) for column in zip(*ranges, strict=True)] or [[], [], []]
        return await self._reader.select(_FIND, tuple(columns))

    def _begin(self) -> None:
        self._is_due = False
        self._running.add(asyncio.create_task(self._answer_all(), name="postgres-lookups"))

    async def _answer_all(self) -> None:
        try:
            await self._answer_waiting()
        finally:  # at once: a request that still counted this task would wait for it in vain
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
        for row in await self.find_at_once([each for request in requests for each in request.ranges]):
            answers[whose[row[0] - 1]].append(row)
        return answers
