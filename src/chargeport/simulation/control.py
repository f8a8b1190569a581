"""The control plane of a simulation: the one way in which simulated cars and their clock are changed while they run.

Every change takes its turn: the cars live until now, the change is made, and what the cars report of it is on disk when the
caller goes on. While the clock stands still nothing works by itself: what a server does in the background is done whenever the
clock is set forward, instant by instant, so that the same steps give the same results.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final, Protocol

import msgspec

from chargeport import tasks
from chargeport.clock import SimulatedClock
from chargeport.errors import MALFORMED, VEHICLE_NOT_FOUND, Problem, instead_of
from chargeport.simulation import driver
from chargeport.simulation.actions import ACTIONS
from chargeport.simulation.faults import Faults, checked
from chargeport.simulation.scenario import Begun, EventPart, Scenario, located
from chargeport.sources.base import Command, CommandError, Done
from chargeport.sources.simulator import CarProfile, Reporter, Simulator
from chargeport.sources.simulator.session import wire_instant
from chargeport.sources.simulator.simulator import BATCH
from chargeport.taxonomy import SMARTCAR_KINDS

LONGEST_STEP_S: Final = 30.0
"""Of a fast clock between two looks at the cars: less than a car that is awake is silent for."""
MAX_ADVANCE_S: Final = 31 * 86_400
MAX_SPEED: Final = 3_600.0

_log = logging.getLogger("chargeport.simulation")


Register = Callable[[Sequence[CarProfile]], Awaitable[object]]


class Background(Protocol):
    """What a service does by itself, beside answering: derivation, webhooks."""

    async def pause(self) -> None:
        """Stop doing it."""
        ...

    def resume(self) -> None:
        """Go on doing it."""
        ...

    async def settle(self, *, wholly: bool = True) -> None:
        """Do all of it that is due at this instant; what costs most may wait, unless `wholly`."""
        ...

    async def next_at(self) -> int | None:
        """Return when some of it is due by time alone; None where nothing waits."""
        ...

    async def is_followed(self) -> bool:
        """Tell whether each change is sent on to somebody, so that none may be skipped."""
        ...

    async def stirred(self) -> None:
        """Return when something was stored or is to be sent."""
        ...


class Simulation:
    """Controls the cars of a simulator and the clock that they live by."""

    def __init__(
        self, clock: SimulatedClock, simulator: Simulator, background: Background, register: Register | None = None
    ) -> None:
        """Prepare the simulation. `register` makes the cars of a scenario known."""
        self.clock = clock
        self.simulator = simulator
        self.faults = Faults()
        self._background = background
        self._register = register or _registered
        self._settler: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        """The name that `meta.source` shows."""
        return self.simulator.name

    async def begin(self) -> None:
        """Take over: receive a report of every car once, and stop what works by itself if the clock stands still."""
        async with self.simulator.turn:
            await self._set_speed(self.clock.speed)
            await self._report()

    async def close(self) -> None:
        """Let go."""
        if self._settler is not None:
            await tasks.end(self._settler)
            self._settler = None

    # The clock

    async def run(self, speed: float) -> None:
        """Let the clock run at this speed from now on; 0 stops it."""
        if not 0 <= speed <= MAX_SPEED:
            raise Problem(MALFORMED, f"speed: {speed:g} is not from 0 to {MAX_SPEED:g}.")
        async with self.simulator.turn:
            await self._set_speed(speed)

    async def advance(self, duration_s: float) -> None:
        """Live through a stretch of time at once; the clock then goes on as before. Raises Problem."""
        duration_ms = round(duration_s * 1000)
        self._check_ahead(duration_ms)
        async with self.simulator.turn:
            await self._forward(self.clock.now() + duration_ms)

    async def set(self, at: int) -> None:
        """Live through all that happens until `at` at once; the clock then goes on as before. Raises Problem."""
        self._check_ahead(at - self.clock.now())
        async with self.simulator.turn:
            await self._forward(at)

    def _check_ahead(self, duration_ms: int) -> None:
        if not 0 <= duration_ms <= MAX_ADVANCE_S * 1000:
            days, now = MAX_ADVANCE_S // 86_400, wire_instant(self.clock.now())
            raise Problem(MALFORMED, f"The clock can be set forward, by {days} days at once; it is {now}.")

    async def _forward(self, at: int) -> None:
        speed = self.clock.speed
        await self._set_speed(0)
        try:
            await self._live_until(at)
        finally:
            await self._set_speed(speed)

    async def _set_speed(self, speed: float) -> None:
        before = self.clock.speed
        self.clock.run(speed)
        self.simulator.step_s = min(max(1.0, speed), LONGEST_STEP_S)
        if speed == 0 and self._settler is None:
            await self._background.pause()
            self._settler = asyncio.create_task(self._keep_settled(), name="simulation")
        elif speed > 0 and self._settler is not None:
            await self.close()
            self._background.resume()
        elif speed not in (0, before):  # what waits does so by the speed of before
            await self._background.pause()
            self._background.resume()

    async def _keep_settled(self) -> None:
        """Do what requests give rise to while the clock stands still."""
        while True:
            stirred = asyncio.ensure_future(self._background.stirred())
            try:
                await asyncio.sleep(0)
                async with self.simulator.turn:
                    await self._background.settle()
                await stirred
            except Exception:  # noqa: BLE001  (whatever fails in what is done beside)
                _log.exception("what is due can't be done while the clock stands still")
                await asyncio.sleep(1)
            finally:
                stirred.cancel()

    async def _live_until(self, at: int) -> None:
        """Live through everything until `at`, each thing at its instant; what a car reports of an event is one report."""
        while True:
            event_at = min((due_at for due_at, _ in self.simulator.script[:1]), default=at + 1)
            until_at = min(at, event_at)
            for count, instant in await self._portions(until_at - (event_at <= at)):
                await self._wait_until(instant)
                await self.simulator.hand_on(count)
                await self._background.settle(wholly=False)
            await self._wait_until(until_at)
            if not self.simulator.act(until_at) and until_at == at:
                break
        await self._background.settle()

    async def _portions(self, until_at: int) -> list[tuple[int, int]]:
        """Return how the reports until then are handed on: how many at once, and when.

        One instant at a time where each change is sent on to somebody; else as many as are stored best at once.
        """
        instants = [max(self.clock.now(), message.received_at) for message in self.simulator.due(until_at)]
        if await self._background.is_followed():
            return [(len(list(group)), instant) for instant, group in groupby(instants)]
        ends = [*range(BATCH, len(instants), BATCH), len(instants)]
        return [(end - begin, instants[end - 1]) for begin, end in zip([0, *ends], ends, strict=False) if end > begin]

    async def _wait_until(self, at: int) -> None:
        """Let time pass until then, and what is due by time alone happen on the way."""
        while (due_at := await self._background.next_at()) is not None and self.clock.now() < due_at < at:
            self.clock.set(due_at)
            await self._background.settle(wholly=False)
        self.clock.set(at)

    async def _report(self) -> None:
        """Emit what the cars report of a change, and do what follows from it."""
        await self.simulator.report(self.clock.now())
        if self.clock.speed == 0:
            await self._background.settle()

    # Scenarios

    async def play(self, scenario: Scenario) -> Begun:
        """Begin a scenario: its cars join those there are, and what is to happen happens as time goes on. Raises Problem."""
        async with self.simulator.turn:
            start_at = scenario.start_at(self.clock.now())
            reporters = scenario.reporters(start_at)
            begun = Begun(scenario, start_at, {name: each.profile.id for name, each in reporters.items()})
            script = []
            for index, event in enumerate(scenario.events):
                with located("events", index):
                    script.append((begun.instant(event), self._act(begun, event, reporters)))
            if start_at > self.clock.now():
                await self._forward(start_at)
            await self._register([each.profile for each in reporters.values()])
            self.simulator.replace(reporters.values())
            self.simulator.script = sorted([*self.simulator.script, *script], key=lambda each: each[0])
            await self._report()
        return begun

    def _act(self, begun: Begun, event: EventPart, reporters: Mapping[str, Reporter]) -> Callable[[], None]:
        """Return what an event does, checked. Raises Problem."""
        if event.do is not None:
            apply = self.prepared(reporters[event.car or next(iter(reporters))], event.do, event.body)

            def act() -> None:
                try:
                    apply()
                except Problem as problem:  # such as DC for a car that has no inlet for it
                    _log.warning("the scenario can't go on as written: %s", problem)

            return act
        if event.fault is None:
            return self.faults.clear
        fault = event.fault if event.car is None else {"vehicle": begun.car(event.car), **event.fault}
        checked(fault)
        return lambda: _ignored(self.faults.add(fault))

    # The cars

    def reporter(self, vehicle_id: str) -> Reporter:
        """Return the car with this id. Raises Problem (404)."""
        for reporter in self.simulator.reporters:
            if reporter.profile.id == vehicle_id:
                return reporter
        raise Problem(VEHICLE_NOT_FOUND, "No simulated car has this id: GET /simulator lists them.")

    async def act(self, vehicle_id: str, name: str, body: Any) -> dict[str, Any]:
        """Do something to a car; return how it is then. Raises Problem.

        A car that has reported at this very instant is changed a millisecond later: an instant has one report of a car.
        """
        reporter = self.reporter(vehicle_id)
        apply = self.prepared(reporter, name, body)
        async with self.simulator.turn:
            await self.simulator.report(self.clock.now())
            if reporter.reported_at >= self.clock.now():
                self.clock.set(self.clock.now() + 1)
                await self.simulator.report(self.clock.now())
            apply()
            await self._report()
        return self.vehicle(vehicle_id)

    async def command(self, command: Command) -> Done | None:
        """Have a simulated car do something; None where it is not simulated. Raises CommandError."""
        reporter = next((each for each in self.simulator.reporters if each.profile.id in command.names), None)
        if reporter is None:
            return None
        name, body = driver.action(command, reporter, self.clock.now())
        try:
            await self.act(reporter.profile.id, name, body)
        except Problem as problem:
            raise CommandError("VALIDATION", "INVALID_INPUT_FORMAT", str(problem)) from None
        return Done.OBEYED

    def prepared(self, reporter: Reporter, name: str, body: Any) -> Callable[[], None]:
        """Return an action that was checked, ready to be done. Raises Problem."""
        if name not in ACTIONS:
            raise Problem(MALFORMED, f"{name[:40]!r} is nothing that a car can be made to do: {instead_of(name, ACTIONS)}.")
        try:
            action = msgspec.convert(body, ACTIONS[name])
        except msgspec.ValidationError as error:
            raise Problem(MALFORMED, f"{name}: {error}.") from None

        def apply() -> None:
            try:
                message = action.apply(reporter)
            except ValueError as error:
                raise Problem(MALFORMED, f"{name}: {error}") from None
            if message is not None:
                self.simulator.put(message)

        return apply

    # What is so now

    def state(self) -> dict[str, Any]:
        """Return the clock, the faults with the errors that there are, the cars, and what can be done to them."""
        return {
            "clock": self.clock_state(),
            "faults": self.faults.state(),
            "errors": [{"type": kind.type, "code": kind.code, "title": kind.title} for kind in SMARTCAR_KINDS.values()],
            "vehicles": [self.vehicle(reporter.profile.id) for reporter in self.simulator.reporters],
            "actions": {name: action.summary() for name, action in ACTIONS.items()},
        }

    def clock_state(self) -> dict[str, Any]:
        """Return what time it is, and how fast it passes."""
        speed = self.clock.speed
        return {"now": wire_instant(self.clock.now()), "speed": speed, "isFrozen": speed == 0}

    def vehicle(self, vehicle_id: str) -> dict[str, Any]:
        """Return the state of a car, apart from what it reports."""
        reporter = self.reporter(vehicle_id)
        car, link, now = reporter.car, reporter.link, self.clock.now()
        silent_ms = link.silent_until_at - now
        return {
            "id": vehicle_id,
            "make": car.profile.make,
            "model": car.profile.model,
            "year": car.profile.year,
            "status": car.status,
            "stateOfCharge": round(car.soc_percent, 2),
            "isPluggedIn": car.station is not None,
            "isCharging": car.status == "CHARGING",
            "isAsleep": car.asleep_at is not None,
            "place": None if car.place is None else car.place.name,
            "silentUntil": wire_instant(link.silent_until_at) if silent_ms > 0 else None,
            "reports": dict(_link(reporter)),
        }


async def _registered(profiles: Sequence[CarProfile]) -> None:
    """Do nothing: the cars are known already."""


def _ignored(_: object) -> None:
    """Drop a result."""


def _link(reporter: Reporter) -> Iterator[tuple[str, float]]:
    link = reporter.link
    yield "dropRate", link.drop_probability
    yield "repeatRate", link.repeat_probability
    yield "reorderRate", link.late_probability
    yield "latencySeconds", link.latency_ms / 1000
