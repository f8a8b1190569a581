"""Of several processes on one database one does what must be done once; another takes over within ten seconds."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from chargeport.clock import ManualClock
from chargeport.errors import StoreError
from chargeport.runtime import leases
from chargeport.runtime.leases import Leases
from chargeport.store.backends import open_store
from chargeport.store.protocols import Store
from postgres_server import PostgresServer

NOW = 1_777_629_598_000


class StoppedClock(ManualClock):
    """A clock whose sleepers wait until it is moved."""

    def __init__(self, at: int) -> None:
        super().__init__(at)
        self._moved = asyncio.Event()

    async def sleep(self, duration_s: float) -> None:
        until = self.now() + duration_s * 1000
        while self.now() < until:
            await self._moved.wait()

    async def pass_by(self, duration_s: float) -> None:
        """Move on second by second; those who wake do what they have to."""
        for _ in range(round(duration_s)):
            self.move(1)
            moved, self._moved = self._moved, asyncio.Event()
            moved.set()
            await settled()


class Unreachable:
    """The notes of a database that is out of reach."""

    async def take_lease(self, *_: object) -> bool:
        raise StoreError("out of reach")

    async def end_lease(self, *_: object) -> None:
        raise StoreError("out of reach")


async def settled() -> None:
    """Give tasks and the database time to finish what they began."""
    for _ in range(5):
        await asyncio.sleep(0.02)


@pytest.fixture(params=["sqlite", "postgres"])
async def stores(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[list[Store]]:
    """The stores of two processes on one database."""
    if request.param == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.database()
    else:
        url = f"sqlite:///{tmp_path}/a.db"
    opened = [open_store(url) for _ in range(2)]
    yield opened
    for store in opened:
        await store.close()


def worker(log: list[str], name: str) -> Callable[[], "asyncio.Future[None]"]:
    async def work() -> None:
        log.append(f"{name} begins")
        try:
            await asyncio.Event().wait()
        finally:
            log.append(f"{name} ends")

    return lambda: asyncio.ensure_future(work())


async def test_one_process_works_and_another_takes_over_when_it_dies(stores: list[Store]) -> None:
    clock, log = StoppedClock(NOW), list[str]()
    holders = [Leases(store.notes, clock) for store in stores]
    first = asyncio.create_task(holders[0].hold("derivation", worker(log, "first")))
    await settled()
    second = asyncio.create_task(holders[1].hold("derivation", worker(log, "second")))
    await clock.pass_by(20)
    assert log == ["first begins"]
    assert holders[0].held == {"derivation"}
    assert holders[1].held == frozenset()
    await died(first, holders[0], log)
    await clock.pass_by(10)
    assert log == ["first begins", "second begins"]
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    assert log[-1] == "second ends"


async def died(task: "asyncio.Task[None]", holder: Leases, log: list[str]) -> None:
    """End a task as a crash does: it gives up nothing."""

    holder._notes = Unreachable()  # type: ignore[assignment]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert log.pop() == "first ends"


async def test_a_holder_that_stops_hands_over_immediately(stores: list[Store]) -> None:
    clock, log = StoppedClock(NOW), list[str]()
    holders = [Leases(store.notes, clock) for store in stores]
    first = asyncio.create_task(holders[0].hold("derivation", worker(log, "first")))
    await settled()
    second = asyncio.create_task(holders[1].hold("derivation", worker(log, "second")))
    await settled()
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    await clock.pass_by(leases.RENEWED_EVERY_S)
    assert log == ["first begins", "first ends", "second begins"]
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)


async def test_who_can_not_reach_the_database_stops_before_the_lease_ends(stores: list[Store]) -> None:
    clock, log = StoppedClock(NOW), list[str]()
    holder = Leases(stores[0].notes, clock)
    working = asyncio.create_task(holder.hold("derivation", worker(log, "first")))
    await settled()

    whole, holder._notes = holder._notes, Unreachable()  # type: ignore[assignment]
    await clock.pass_by(leases.LASTS_MS / 1000)
    assert log == ["first begins", "first ends"]
    holder._notes = whole
    await clock.pass_by(8)
    assert log[-1] == "first begins"
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
