"""Reports of the workers of one server to each other: their state and counts, each in a file, once a second.

Every worker answers `/metrics` and `/readyz` for all. A worker that replaces one that has ended continues with its counts,
except for those of its last second.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import perf_counter
from typing import Final

import msgspec

from chargeport.errors import StoreError

EVERY_S: Final = 1.0
GONE_S: Final = 5.0  # without a report
READY: Final = "ready"
GONE: Final = "gone"


class Tally(msgspec.Struct):
    """The counts of a worker: answers by route and status, wrong credentials by type and attempts of webhooks by outcome.

    `waiting` is the number of jobs that derivation has not done yet.
    """

    answered: Counter[tuple[str, int]] = msgspec.field(default_factory=Counter)
    wrong: Counter[str] = msgspec.field(default_factory=Counter)
    attempts: Counter[str] = msgspec.field(default_factory=Counter)
    waiting: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        """Return the sum of both."""
        waiting = self.waiting + other.waiting
        return Tally(self.answered + other.answered, self.wrong + other.wrong, self.attempts + other.attempts, waiting)


class Report(msgspec.Struct):
    """The state of a worker at an instant of the machine's performance counter, and its counts since the server's start."""

    pid: int
    at_s: float
    status: str
    answered: list[tuple[str, int, int]]
    wrong: dict[str, int]
    attempts: dict[str, int]
    waiting: int = 0

    def is_gone(self, now_s: float) -> bool:
        """Return whether the worker has ended, or has not reported for more than GONE_S."""
        return now_s - self.at_s > GONE_S or not _lives(self.pid)

    @property
    def tally(self) -> Tally:
        """Return its counts."""
        answered = Counter({(route, status): count for route, status, count in self.answered})
        return Tally(answered, Counter(self.wrong), Counter(self.attempts), self.waiting)


_decoder: Final = msgspec.json.Decoder(Report)


class WorkerReports:
    """The reports of a server's workers, written and read by one of them."""

    def __init__(self, folder: Path, number: int, count: int, now_s: Callable[[], float] = perf_counter) -> None:
        self.number = number
        self._folder = folder
        self._count = count
        self._now_s = now_s
        before = self._report(number)
        self._before = Tally() if before is None else msgspec.structs.replace(before.tally, waiting=0)

    def write(self, tally: Tally, status: str) -> None:
        """Write the report of this worker."""
        total = self._before + tally
        answered = [(route, code, count) for (route, code), count in total.answered.items()]
        counts = (dict(total.wrong), dict(total.attempts), total.waiting)
        report = Report(os.getpid(), self._now_s(), status, answered, *counts)
        partial = self._folder / f"{self.number}.part"
        partial.write_bytes(msgspec.json.encode(report))
        os.replace(partial, self._file(self.number))  # noqa: PTH105  (whole or not at all)

    def total(self, tally: Tally) -> Tally:
        """Return the counts of all workers, with the present ones of this worker."""
        return sum((other.tally for other in self._others().values() if other is not None), self._before + tally)

    def statuses(self, own: str = READY) -> dict[int, str]:
        """Return the state of each worker, by number."""
        found = {self.number: own}
        for number, report in self._others().items():
            found[number] = GONE if report is None or report.is_gone(self._now_s()) else report.status
        return dict(sorted(found.items()))

    async def run(self, tally: Callable[[], Tally], ping: Callable[[], Awaitable[None]]) -> None:
        """Write the report once a second until cancelled."""
        while True:
            try:
                await ping()
                status = READY
            except StoreError as error:
                status = str(error)
            self.write(tally(), status)
            await asyncio.sleep(EVERY_S)

    def _others(self) -> dict[int, Report | None]:
        return {number: self._report(number) for number in range(self._count) if number != self.number}

    def _file(self, number: int) -> Path:
        return self._folder / f"{number}.json"

    def _report(self, number: int) -> Report | None:
        try:
            return _decoder.decode(self._file(number).read_bytes())
        except (OSError, msgspec.DecodeError):
            return None


def _lives(pid: int) -> bool:
    """Return whether there is such a process; one that its parent has not waited for yet counts as running."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
