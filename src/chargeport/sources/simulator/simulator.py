"""The simulator as a source: a fleet of simulated cars, received like any other car."""

import asyncio
from collections.abc import Callable, Iterable

from chargeport.clock import Clock
from chargeport.sources.base import Emit, RawMessage
from chargeport.sources.simulator.reporter import Reporter

BATCH = 500
"""Messages emitted at a time: enough to fill a commit, few enough to let other tasks have their turn."""


class Simulator:
    """Runs reporters by a clock, at the speed of that clock.

    The lock `turn` is held while the cars or the clock are controlled. What was due and could not be stored is emitted again.
    """

    def __init__(self, name: str, reporters: Iterable[Reporter], clock: Clock, step_s: float = 1.0) -> None:
        self._name = name
        self._clock = clock
        self._emit: Emit | None = None
        self._running = asyncio.Event()
        self._arrived: list[RawMessage] = []
        self.step_s = step_s
        self.script: list[tuple[int, Callable[[], None]]] = []
        """The actions on the cars, in order of time."""
        self.turn = asyncio.Lock()
        self.reporters: list[Reporter] = []
        self.add(reporters)

    @property
    def name(self) -> str:
        """The name that `meta.source` shows."""
        return self._name

    def add(self, reporters: Iterable[Reporter]) -> None:
        """Run these, too."""
        for reporter in reporters:
            reporter.source = self._name
            self.reporters.append(reporter)

    def replace(self, reporters: Iterable[Reporter]) -> None:
        """Run these, in place of those of the same cars."""
        given = list(reporters)
        ids = {reporter.profile.id for reporter in given}
        self.reporters = [reporter for reporter in self.reporters if reporter.profile.id not in ids]
        self.add(given)

    async def run(self, emit: Emit) -> None:
        """Emit what is due, immediately and then every `step_s` of the clock, until cancelled."""
        self._emit = emit
        self._running.set()
        while True:
            async with self.turn:
                await self._play(self._clock.now())
            await self._clock.sleep(self.step_s)

    def act(self, at: int) -> bool:
        """Advance the cars to the next action of the script that is due by then, and run it; return whether there was one."""
        due = [act for due_at, act in self.script if due_at <= at]
        for reporter in self.reporters if due else ():
            reporter.car.advance(at)
        self.script = self.script[len(due) :]
        for act in due:
            act()
        return bool(due)

    async def _play(self, to_at: int) -> None:
        """Advance to `to_at`, with the script's actions at their instants."""
        while self.script and self.script[0][0] <= to_at:
            at = self.script[0][0]
            await self.report(at - 1)
            self.act(at)
        await self.report(to_at)

    def due(self, to_at: int) -> list[RawMessage]:
        """Advance the cars to `to_at`; return what has arrived by then and was not passed on, in order of arrival."""
        for reporter in self.reporters:
            self._arrived += reporter.due(to_at)
        self._arrived.sort(key=lambda message: message.received_at)
        return self._arrived

    def put(self, message: RawMessage) -> None:
        """Emit this message, too."""
        self._arrived.append(message)

    async def hand_on(self, count: int) -> None:
        """Emit the next messages; return when their content is on disk."""
        await self._running.wait()
        if self._emit is not None:
            await self._emit(self._arrived[:count])
        del self._arrived[:count]

    async def report(self, to_at: int) -> None:
        """Emit all that has arrived by `to_at`."""
        for reporter in list(self.reporters):
            self._arrived += reporter.due(to_at)
            if len(self._arrived) >= BATCH:
                await self.hand_on(len(self._arrived))
        if self._arrived:
            await self.hand_on(len(self._arrived))
