"""The simulator as a source: a fleet of simulated cars, received as any other car would be."""

from collections.abc import Iterable

from chargeport.clock import Clock
from chargeport.sources.base import Emit, RawMessage
from chargeport.sources.simulator.reporter import Reporter

BATCH = 500
"""Messages handed on at once: enough to fill a commit, few enough to let other tasks have their turn."""


class Simulator:
    """Runs reporters by a clock, at whatever speed that clock has."""

    def __init__(self, name: str, reporters: Iterable[Reporter], clock: Clock, step_s: float = 1.0) -> None:
        self._name = name
        self._clock = clock
        self._step_s = step_s
        self.reporters = list(reporters)
        for reporter in self.reporters:
            reporter.source = name

    @property
    def name(self) -> str:
        """The name that `meta.source` shows."""
        return self._name

    async def run(self, emit: Emit) -> None:
        """Hand on what is due, at once to begin with and then every `step_s` of the clock, until cancelled."""
        while True:
            await self._emit_due(self._clock.now(), emit)
            await self._clock.sleep(self._step_s)

    async def _emit_due(self, to_at: int, emit: Emit) -> None:
        batch: list[RawMessage] = []
        for reporter in self.reporters:
            batch += reporter.due(to_at)
            if len(batch) >= BATCH:
                await emit(batch)
                batch = []
        if batch:
            await emit(batch)
