"""Cars that several sources tell of: whose word counts now, and whose may turn out to be true after all."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Final

import msgspec

from chargeport.clock import Clock
from chargeport.ingest.precedence import DERIVED, Precedence
from chargeport.signals.reading import Entry
from chargeport.signals.state import State
from chargeport.sources.base import RawMessage
from chargeport.store.protocols import Store

MAX_CARS: Final = 200_000  # whose sources are remembered; of others the store is asked again
MAX_SETS: Final = 1_000  # of sources, each kept once however many cars have it
MAX_WAITING: Final = 10_000  # denials that wait; the oldest of more is dropped, and a live value ends in time without it


class Heard(msgspec.Struct, frozen=True):
    """An entry, the message that it was made of, and which one that was among those handed on."""

    entry: Entry
    message: RawMessage
    place: int


class Rivals:
    """Drops what is outranked. Sees the writes of this process only: another's are seen when a car is looked up anew."""

    def __init__(self, store: Store, clock: Clock, precedence: Precedence) -> None:
        self._store = store
        self._clock = clock
        self._precedence = precedence
        self._told_by: OrderedDict[str, frozenset[str]] = OrderedDict()
        self._sets: dict[frozenset[str], frozenset[str]] = {}
        self._one_by_one = asyncio.Lock()
        self._waiting: OrderedDict[tuple[str, int], tuple[int, Entry]] = OrderedDict()  # with when the other word is old
        store.readings.on_written(self._written)

    def turn(self, batch: Sequence[Heard]) -> AbstractAsyncContextManager[object]:
        """Held from weighing a batch until it is stored: two sources of one car must not weigh their words at once.

        Batches of cars with one source, nearly all, wait for nobody.
        """
        alone = all(self._told_by.get(heard.entry.vehicle) == frozenset((heard.entry.source,)) for heard in batch)
        return nullcontext() if alone else self._one_by_one

    async def believed(self, batch: Sequence[Heard], *, may_wait: bool) -> list[Heard]:
        """What no better source stands against. Cars with one source, nearly all, are not looked up. Raises StoreError.

        With `may_wait`, a denial that is dropped for now is told by `due` when what it denies has not been said again.
        """
        believed: list[Heard] = []
        states: dict[str, dict[int, State]] = {}
        for heard in batch:
            entry = heard.entry
            if len(await self._tellers(entry)) > 1:
                if entry.vehicle not in states:
                    states[entry.vehicle] = await self._states(entry.vehicle)
                state = states[entry.vehicle].get(entry.signal.key)
                if state is not None and self._precedence.outranks(state, entry):
                    if may_wait and self._precedence.is_either(entry.signal):
                        self._wait(state, entry)
                    continue
            believed.append(heard)
        return believed

    async def due(self) -> list[Entry]:
        """The denials that are true by now: nobody has said the contrary since. Raises StoreError."""
        now = self._clock.now()
        found: list[Entry] = []
        for key, (due_at, entry) in list(self._waiting.items()):
            if due_at <= now:
                state = (await self._states(entry.vehicle)).get(entry.signal.key)
                if state is not None and state.observed_at is not None and state.observed_at <= entry.observed_at:
                    found.append(entry)
                self._waiting.pop(key, None)
        return found

    def _wait(self, state: State, entry: Entry) -> None:
        """Keep the oldest denial until what stands against it is no longer fresh."""
        due_at = entry.received_at + max(0, self._precedence.fresh_until(state) - entry.observed_at)
        self._waiting.setdefault((entry.vehicle, entry.signal.key), (due_at, entry))
        if len(self._waiting) > MAX_WAITING:
            self._waiting.popitem(last=False)

    async def _tellers(self, entry: Entry) -> frozenset[str]:
        """The sources that told of the car so far, this one among them; what was derived is nobody's word."""
        known = self._told_by.get(entry.vehicle)
        if known is None:
            states = (await self._states(entry.vehicle)).values()
            known = frozenset(state.source for state in states if state.source and not state.source.startswith(DERIVED))
        if entry.source not in known or entry.vehicle not in self._told_by:
            self._remember(entry.vehicle, known | {entry.source})
        return self._told_by[entry.vehicle]

    def _written(self, entries: Sequence[Entry]) -> None:
        """Somebody, ourselves too, has written: another source may tell of a car from now on."""
        for entry in entries:
            known = self._told_by.get(entry.vehicle)
            if known is not None and entry.source not in known and not entry.source.startswith(DERIVED):
                self._remember(entry.vehicle, known | {entry.source})

    def _remember(self, vehicle_id: str, sources: frozenset[str]) -> None:
        if len(self._sets) >= MAX_SETS:
            self._sets.clear()
        self._told_by[vehicle_id] = self._sets.setdefault(sources, sources)
        if len(self._told_by) > MAX_CARS:
            self._told_by.popitem(last=False)

    async def _states(self, vehicle_id: str) -> dict[int, State]:
        found = await self._store.readings.signals(vehicle_id)
        return {} if found is None else found.states
