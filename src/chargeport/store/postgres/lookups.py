"""The series of vehicles by key: what is asked for at the same time is answered by one statement.

A statement costs a process a hundred microseconds, many times what one more vehicle in it does. Nobody waits for company: a
question goes at once while few are under way, and together with all that came meanwhile when one of them is answered.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from chargeport.store.postgres.reader import Reader
from chargeport.store.tables import rows
from chargeport.store.tables.keys import SERIES, VEHICLE_SHIFT

AT_ONCE: Final = 2  # statements
MOST: Final = 64  # questions in one

# Inner joins: an outer one of what every worker has with what is spread over them may collect all of `latest` on a cluster.
# By ranges, not `= ANY`: where the planner knows no statistics, it would read all of `latest` for that.
_FIND: Final = (
    f"SELECT asked.number, {rows.VEHICLE}, {rows.STATE}"
    " FROM unnest($1::text[], $2::bigint[], $3::bigint[]) WITH ORDINALITY AS asked (id, low, high, number)"
    " JOIN vehicles v ON v.id = asked.id JOIN latest l ON l.vehicle_key = v.key"
    f" AND l.slot BETWEEN (v.key << {VEHICLE_SHIFT}) + asked.low AND (v.key << {VEHICLE_SHIFT}) + asked.high"
)


class Asked(NamedTuple):
    """A vehicle, and the series of it that are wanted: the least and the greatest, as parts of their slots."""

    vehicle_id: str
    low: int = 0
    high: int = SERIES


class _Question(NamedTuple):
    asked: Sequence[Asked]
    answer: "asyncio.Future[list[Any]]"


class Lookups:
    """Finds rows of `latest`, each behind its vehicle's columns. Belongs to one event loop."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._waiting: deque[_Question] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._is_due = False

    async def find(self, asked: Sequence[Asked]) -> list[Any]:
        """Return the rows of these series of one vehicle, together with what others ask for now. Raises StoreError."""
        loop = asyncio.get_running_loop()
        question = _Question(asked, loop.create_future())
        self._waiting.append(question)
        if not self._is_due and len(self._running) < AT_ONCE:
            self._is_due = True
            loop.call_soon(self._begin)  # when all that came with it have asked
        return await question.answer

    async def find_at_once(self, asked: Sequence[Asked]) -> list[Any]:
        """Return the rows of series of many vehicles, by a statement of their own. Raises StoreError."""
        columns = [list(column) for column in zip(*asked, strict=True)] or [[], [], []]
        return await self._reader.select(_FIND, tuple(columns))

    def _begin(self) -> None:
        self._is_due = False
        task = asyncio.create_task(self._answer_all(), name="postgres-lookups")
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _answer_all(self) -> None:
        while self._waiting:
            questions = [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]
            try:
                answers = await self._found(questions)
            except Exception as error:  # noqa: BLE001  (whatever it is, those who wait must hear of it)
                for question in questions:
                    if not question.answer.done():
                        question.answer.set_exception(error)
                continue
            for question, answer in zip(questions, answers, strict=True):
                if not question.answer.done():
                    question.answer.set_result(answer)

    async def _found(self, questions: Sequence[_Question]) -> list[list[Any]]:
        """Return the rows for each question."""
        whose = [number for number, question in enumerate(questions) for _ in question.asked]
        answers: list[list[Any]] = [[] for _ in questions]
        for row in await self.find_at_once([each for question in questions for each in question.asked]):
            answers[whose[row[0] - 1]].append(row)
        return answers
