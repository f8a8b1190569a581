"""What a source is given in these tests: a clock that stands still, a memory, and somebody who listens to how it is."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from chargeport.clock import ManualClock
from chargeport.sources.base import Delivery, RawMessage, SourceContext, StationStatus

T0 = 1_777_629_598_000  # 2026-05-01T09:59:58Z
WITHIN_S = 20  # for what is to come on a busy machine


class Listener:
    """How a source said it is."""

    def __init__(self) -> None:
        self.connections = 0
        self.behind: int | None = None
        self.stations: dict[str, StationStatus] = {}
        self.first = asyncio.Event()

    def connected(self) -> None:
        self.connections += 1
        self.first.set()

    def lag(self, behind: int) -> None:
        self.behind = behind

    def station(self, status: StationStatus) -> None:
        self.stations[status.name] = status


class KeptMemory:
    """A memory that outlives the sources of a test."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    async def get(self, key: str) -> str | None:
        return self.kept.get(key)

    async def put(self, key: str, value: str | None) -> None:
        if value is None:
            self.kept.pop(key, None)
        else:
            self.kept[key] = value

    def erase(self, name: str) -> None:
        """Take a vehicle's name out of all notes, as the store does when it is erased."""
        self.kept = {key: value.replace(f'"{name}"', '""') for key, value in self.kept.items()}


class Heard:
    """An `emit` that keeps what it is given; `failing` is raised instead of storing."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        self.failing: Exception | None = None
        self._changed = asyncio.Condition()

    async def __call__(self, batch: Sequence[RawMessage | Delivery]) -> None:
        if self.failing is not None:
            raise self.failing
        async with self._changed:
            self.deliveries += [one for one in batch if isinstance(one, Delivery)]
            self._changed.notify_all()

    @property
    def payloads(self) -> list[bytes]:
        return [one.payload for one in self.deliveries]

    async def until(self, enough: Callable[[list[Delivery]], bool]) -> list[Delivery]:
        """What was heard, as soon as it is enough. Fails when it does not come."""
        async with asyncio.timeout(WITHIN_S), self._changed:
            await self._changed.wait_for(lambda: enough(self.deliveries))
        return list(self.deliveries)

    async def count(self, number: int) -> list[Delivery]:
        return await self.until(lambda received: len(received) >= number)


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until it holds, for what another process does; fails when it never does."""
    async with asyncio.timeout(WITHIN_S):
        while not await condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)  # another process is asked, which wakes nobody


async def never(_vehicle: str) -> bool:
    return False


def source_context(name: str = "mine", dialect: str = "tesla", **given: Any) -> SourceContext:
    usual: dict[str, Any] = {"clock": ManualClock(T0), "memory": KeptMemory(), "status": Listener(), "charging": never}
    return SourceContext(name=name, dialect=dialect, **usual | given)


class Running:
    """A source that runs while the `async with` lasts; an error of its own is raised at the end."""

    def __init__(self, run: Awaitable[None]) -> None:
        self._run = run

    async def __aenter__(self) -> "asyncio.Future[None]":
        self.task: asyncio.Future[None] = asyncio.ensure_future(self._run)
        return self.task

    async def __aexit__(self, *_error: object) -> None:
        self.task.cancel()
        done, _ = await asyncio.wait({self.task}, timeout=WITHIN_S)
        assert done, "the source did not end when it was cancelled"
        if not self.task.cancelled() and (error := self.task.exception()):
            raise error
