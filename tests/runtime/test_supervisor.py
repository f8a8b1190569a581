"""Sources run for good: one that fails waits and is started again, and is in nobody's way."""

import asyncio
import random
from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest

from chargeport.clock import ManualClock
from chargeport.runtime.source_status import SourceState, SourceStatus
from chargeport.runtime.supervisor import FIRST_WAIT_S, LONGEST_WAIT_S, Supervisor
from chargeport.sources.base import Cause, Emit, SourceError
from chargeport.store.protocols import Store
from feeding import T0, Unwilling, pipeline, raw_message, value

Step = Callable[[Emit], object]


class Scripted:
    """A source that does one step each time it is started, then rests."""

    def __init__(self, name: str, *steps: Exception | None, clock: ManualClock | None = None, runs_s: float = 0) -> None:
        self.name = name
        self.steps = list(steps)
        self.resting = asyncio.Event()
        self.starts: list[int] = []
        self.clock = clock
        self.runs_s = runs_s

    async def run(self, emit: Emit) -> None:
        if self.clock:
            self.starts.append(self.clock.now())
            self.clock.move(self.runs_s)
        if self.steps:
            step = self.steps.pop(0)
            if step is not None:
                raise step
            return
        await emit([raw_message({"wattage": 7200}, source=self.name)])
        self.resting.set()
        await asyncio.Event().wait()


class Budgeted(Scripted):
    async def left(self) -> dict[str, int | None]:
        return {"ann": 12, "any": None}


class Watched(Supervisor):
    """A supervisor whose written states are kept."""

    written: list[list[SourceState]]


def supervisor(store: Store, clock: ManualClock) -> Watched:
    written: list[list[SourceState]] = []

    async def write(states: Sequence[SourceState]) -> None:
        written.append(list(states))

    watched = Watched(pipeline(store, ManualClock(T0)), clock, write, random.Random(1))
    watched.written = written
    return watched


def status(source: Scripted, clock: ManualClock) -> tuple[Scripted, SourceStatus]:
    return source, SourceStatus(source.name, "scripted", "generic", clock)


async def rested(*sources: Scripted) -> None:
    async with asyncio.timeout(10):
        for source in sources:
            await source.resting.wait()
        await asyncio.sleep(0)


async def test_a_failing_source_waits_longer_each_time_and_disturbs_nobody(store: Store) -> None:
    clock = ManualClock(T0)
    failing = Scripted("bad", *(SourceError(Cause.UNREACHABLE, "Nobody there.") for _ in range(12)), clock=clock)
    good = Scripted("good")
    watched = supervisor(store, clock)
    watched.start([status(failing, clock), status(good, clock)])
    await rested(failing, good)
    waits = [(after - before) / 1000 for before, after in pairwise(failing.starts)]
    assert FIRST_WAIT_S * 0.8 <= waits[0] <= FIRST_WAIT_S * 1.2
    assert all(LONGEST_WAIT_S * 0.8 <= wait <= LONGEST_WAIT_S * 1.2 for wait in waits[-3:])
    assert all(later > earlier for earlier, later in pairwise(waits[:7]))
    assert {state.name: state.condition for state in watched.states()} == {"bad": "connected", "good": "connected"}
    await watched.close()
    assert {state.condition for state in watched.written[-1]} == {"stopped"}


async def test_a_source_that_ran_for_long_begins_with_the_first_wait_again(store: Store) -> None:
    clock = ManualClock(T0)
    failing = Scripted("bad", *(SourceError(Cause.UNREACHABLE, "Gone.") for _ in range(5)), clock=clock, runs_s=61)
    watched = supervisor(store, clock)
    watched.start([status(failing, clock)])
    await rested(failing)
    waits = [(after - before) / 1000 - 61 for before, after in pairwise(failing.starts)]
    assert all(wait <= FIRST_WAIT_S * 1.2 for wait in waits)
    await watched.close()


async def test_a_source_pauses_for_as_long_as_the_other_side_requests(store: Store) -> None:
    clock = ManualClock(T0)
    failing = Scripted("bad", SourceError(Cause.QUOTA, "Enough.", 900), clock=clock)
    watched = supervisor(store, clock)
    watched.start([status(failing, clock)])
    await rested(failing)
    assert failing.starts[1] - failing.starts[0] == 900_000
    await watched.close()


@pytest.mark.parametrize(
    ("failure", "cause", "reported"),
    [
        (SourceError(Cause.AUTHENTICATION, "Wrong password."), "authentication", "Wrong password."),
        (RuntimeError("out of cheese"), "protocol changed", "It failed unexpectedly: RuntimeError: out of cheese."),
        (None, "unreachable", "It came to an end by itself."),
    ],
)
async def test_it_is_known_why_a_source_waits(store: Store, failure: Exception | None, cause: str, reported: str) -> None:
    source = Scripted("bad", failure)
    clock = Stopped(T0)
    watched = supervisor(store, clock)
    watched.start([status(source, clock)])
    async with asyncio.timeout(10):
        await clock.asked.wait()
    (state,) = watched.states()
    assert (state.condition, state.cause, state.sentence) == ("waiting", cause, reported)
    assert state.retry_at is not None
    assert state.retry_at > T0
    await watched.close()


async def test_however_often_the_store_fails_the_source_is_started_again_soon(store: Store) -> None:
    unwilling = Unwilling(store)
    unwilling.fails_at = "write"
    clock = ManualClock(T0)
    source = Scripted("car", clock=clock)
    watched = Supervisor(pipeline(unwilling), clock, _ignored)  # type: ignore[arg-type]
    watched.start([status(source, clock)])
    async with asyncio.timeout(10):
        while len(source.starts) < 8:  # noqa: ASYNC110  (a source tells nobody that it starts)
            await asyncio.sleep(0)
    await watched.close()
    assert [(after - before) / 1000 for before, after in pairwise(source.starts[:8])] == [2.0] * 7


async def test_a_store_that_fails_stops_the_source_which_then_is_started_again(store: Store) -> None:
    unwilling = Unwilling(store)
    unwilling.fails_at = "write"
    clock = Stopped(T0)
    source = Scripted("car")
    watched = Supervisor(pipeline(unwilling), clock, _ignored)  # type: ignore[arg-type]
    watched.start([status(source, clock)])
    async with asyncio.timeout(10):
        await clock.asked.wait()
    (state,) = watched.states()
    assert state.sentence == "What it receives can't be stored: The disk is full."
    assert not source.resting.is_set(), "nothing may be acknowledged"
    unwilling.fails_at = None
    clock.go.set()
    await rested(source)
    assert await value(store, "wattage") == (7200, "car")
    await watched.close()


async def test_messages_of_a_source_are_counted_and_what_is_left_of_its_budget_is_shown(store: Store) -> None:
    clock = ManualClock(T0)
    source = Budgeted("car")
    watched = supervisor(store, clock)
    watched.start([status(source, clock)])
    await rested(source)
    await watched.close()
    state = watched.written[-1][0]
    assert (state.messages, state.stored, state.rejected, state.last_message_at) == (1, 1, 0, T0)
    assert state.left == {"ann": 12}


def test_a_rate_is_of_the_last_minute() -> None:
    clock = ManualClock(T0)
    of = SourceStatus("car", "mqtt", "generic", clock)
    of.received(120, 1, 0)
    assert of.state.per_second == 2
    clock.move(60)
    assert of.state.per_second == 0
    of.received(0, 0, 0)
    assert of.state.last_message_at == T0


async def _ignored(_states: Sequence[SourceState]) -> None:
    return


class Stopped(ManualClock):
    """A clock in which waiting ends when the test says so."""

    def __init__(self, at: int) -> None:
        super().__init__(at)
        self.asked = asyncio.Event()
        self.go = asyncio.Event()

    async def sleep(self, duration_s: float) -> None:  # noqa: ARG002  (that is the point)
        self.asked.set()
        await self.go.wait()
