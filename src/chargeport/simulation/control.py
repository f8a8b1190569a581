"""The control plane of a simulation: all changes of simulated cars and their clock while they run.

Changes are made one at a time: the cars are advanced to the present, the change is made, and the reports of it are on
disk when the call returns. While the clock is stopped, the background work of the server is stopped, too. It is done when the
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
from chargeport.simulation.scenario import EventPart, RunningScenario, Scenario, located
from chargeport.sources.base import Command, CommandError, Done
from chargeport.sources.simulator import CarProfile, Reporter, Simulator
from chargeport.sources.simulator.session import wire_instant
from chargeport.sources.simulator.simulator import BATCH
from chargeport.taxonomy import SMARTCAR_KINDS

MAX_STEP_S: Final = 30.0
"""The time of a fast clock between two steps of the cars: less than the report interval of a car that is awake."""
MAX_ADVANCE_S: Final = 31 * 86_400
MAX_SPEED: Final = 3_600.0

_log = logging.getLogger("chargeport.simulation")


Register = Callable[[Sequence[CarProfile]], Awaitable[object]]


class Background(Protocol):
    """The background work of a service: derivation, webhooks."""

    async def pause(self) -> None:
        """Stop the work."""
        ...

    def resume(self) -> None:
        """Continue the work."""
        ...

    async def settle(self, *, complete: bool = True) -> None:
        """Do the work that is due now; expensive work may be left for later, unless `complete`."""
        ...

    async def next_at(self) -> int | None:
        """Return when work is due without a further write; None if none is."""
        ...

    async def is_followed(self) -> bool:
        """Return whether each change is sent to a receiver, so that none may be skipped."""
        ...

    async def wait_for_work(self) -> None:
        """Wait until something was stored or is to be sent."""
        ...


class Simulation:
    """Control the cars of a simulator and their clock."""

    def __init__(
        self, clock: SimulatedClock, simulator: Simulator, background: Background, register: Register | None = None
    ) -> None:
        """Prepare the simulation. `register` adds the cars of a scenario to the store."""
        self.clock = clock
        self.simulator = simulator
        self.faults = Faults()
        self._background = background
        self._register = register or _register_none
        self._settler: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        """The name that `meta.source` shows."""
        return self.simulator.name

    async def begin(self) -> None:
        """Start: store a report of every car, and stop the background work if the clock is stopped."""
        async with self.simulator.turn:
            await self._set_speed(self.clock.speed)
            await self._report()

    async def close(self) -> None:
        """Stop the tasks."""
        if self._settler is not None:
            await tasks.end(self._settler)
            self._settler = None

    # The clock

    async def run(self, speed: float) -> None:
        """Set the speed of the clock; 0 stops it. Raises Problem."""
        if not 0 <= speed <= MAX_SPEED:
            raise Problem(MALFORMED, f"speed: {speed:g} is not from 0 to {MAX_SPEED:g}.")
        async with self.simulator.turn:
            await self._set_speed(speed)

    async def advance(self, duration_s: float) -> None:
        """Set the clock forward by a duration, with all events in it. Raises Problem."""
        duration_ms = round(duration_s * 1000)
        self._check_ahead(duration_ms)
        async with self.simulator.turn:
            await self._set_forward(self.clock.now() + duration_ms)

    async def set(self, at: int) -> None:
        """Set the clock forward to `at`, with all events until then. Raises Problem."""
        self._check_ahead(at - self.clock.now())
        async with self.simulator.turn:
            await self._set_forward(at)

    def _check_ahead(self, duration_ms: int) -> None:
        if not 0 <= duration_ms <= MAX_ADVANCE_S * 1000:
            days, now = MAX_ADVANCE_S // 86_400, wire_instant(self.clock.now())
            raise Problem(MALFORMED, f"The clock can be set forward, by {days} days at once; it is {now}.")

    async def _set_forward(self, at: int) -> None:
        speed = self.clock.speed
        await self._set_speed(0)
        try:
            await self._advance_to(at)
        finally:
            await self._set_speed(speed)

    async def _set_speed(self, speed: float) -> None:
        before = self.clock.speed
        self.clock.run(speed)
        self.simulator.step_s = min(max(1.0, speed), MAX_STEP_S)
        if speed == 0 and self._settler is None:
            await self._background.pause()
            self._settler = asyncio.create_task(self._keep_settled(), name="simulation")
        elif speed > 0 and self._settler is not None:
            await self.close()
            self._background.resume()
        elif speed not in (0, before):  # running waits were computed for the old speed
            await self._background.pause()
            self._background.resume()

    async def _keep_settled(self) -> None:
        """Do the background work that requests cause while the clock is stopped."""
        while True:
            waiting = asyncio.ensure_future(self._background.wait_for_work())
            try:
                await asyncio.sleep(0)
                async with self.simulator.turn:
                    await self._background.settle()
                await waiting
            except Exception:  # noqa: BLE001  (else the background work would end)
                _log.exception("background work failed while the clock is stopped")
                await asyncio.sleep(1)
            finally:
                waiting.cancel()

    async def _advance_to(self, at: int) -> None:
        """Advance cars, script and background work to `at`, each event at its instant, with one report of a car for each."""
        while True:
            event_at = min((due_at for due_at, _ in self.simulator.script[:1]), default=at + 1)
            until_at = min(at, event_at)
            for count, instant in await self._portions(until_at - (event_at <= at)):
                await self._wait_until(instant)
                await self.simulator.hand_on(count)
                await self._background.settle(complete=False)
            await self._wait_until(until_at)
            if not self.simulator.act(until_at) and until_at == at:
                break
        await self._background.settle()

    async def _portions(self, until_at: int) -> list[tuple[int, int]]:
        """Return the portions in which the reports until then are stored: count and instant of each.

        A portion is the reports of one instant if each change is sent to a receiver, else a batch.
        """
        instants = [max(self.clock.now(), message.received_at) for message in self.simulator.due(until_at)]
        if await self._background.is_followed():
            return [(len(list(group)), instant) for instant, group in groupby(instants)]
        ends = [*range(BATCH, len(instants), BATCH), len(instants)]
        return [(end - begin, instants[end - 1]) for begin, end in zip([0, *ends], ends, strict=False) if end > begin]

    async def _wait_until(self, at: int) -> None:
        """Set the clock to `at`, and do the background work that is due before, at its instants."""
        while (due_at := await self._background.next_at()) is not None and self.clock.now() < due_at < at:
            self.clock.set(due_at)
            await self._background.settle(complete=False)
        self.clock.set(at)

    async def _report(self) -> None:
        """Store the cars' reports of a change, and do the background work that is due."""
        await self.simulator.report(self.clock.now())
        if self.clock.speed == 0:
            await self._background.settle()

    # Scenarios

    async def play(self, scenario: Scenario) -> RunningScenario:
        """Start a scenario: add its cars, and schedule its events. Raises Problem."""
        async with self.simulator.turn:
            start_at = scenario.start_at(self.clock.now())
            reporters = scenario.reporters(start_at)
            running = RunningScenario(scenario, start_at, {name: reporter.profile.id for name, reporter in reporters.items()})
            script = []
            for index, event in enumerate(scenario.events):
                with located("events", index):
                    script.append((running.instant(event), self._act(running, event, reporters)))
            if start_at > self.clock.now():
                await self._set_forward(start_at)
            await self._register([reporter.profile for reporter in reporters.values()])
            self.simulator.replace(reporters.values())
            self.simulator.script = sorted([*self.simulator.script, *script], key=lambda entry: entry[0])
            await self._report()
        return running

    def _act(self, running: RunningScenario, event: EventPart, reporters: Mapping[str, Reporter]) -> Callable[[], None]:
        """Return the effect of an event, after checking it. Raises Problem."""
        if event.do is not None:
            apply = self._checked_action(reporters[event.car or next(iter(reporters))], event.do, event.body)

            def act() -> None:
                try:
                    apply()
                except Problem as problem:  # such as DC for a car without a DC inlet
                    _log.warning("an event of the scenario failed: %s", problem)

            return act
        if event.fault is None:
            return self.faults.clear
        fault = event.fault if event.car is None else {"vehicle": running.car(event.car), **event.fault}
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
        """Apply an action to a car; return its state afterwards. Raises Problem.

        A car that has reported at this instant is changed a millisecond later: an instant has one report of a car.
        """
        reporter = self.reporter(vehicle_id)
        apply = self._checked_action(reporter, name, body)
        async with self.simulator.turn:
            await self.simulator.report(self.clock.now())
            if reporter.reported_at >= self.clock.now():
                self.clock.set(self.clock.now() + 1)
                await self.simulator.report(self.clock.now())
            apply()
            await self._report()
        return self.vehicle(vehicle_id)

    async def command(self, command: Command) -> Done | None:
        """Execute a command; return None if the car is not simulated. Raises CommandError."""
        reporter = next((reporter for reporter in self.simulator.reporters if reporter.profile.id in command.names), None)
        if reporter is None:
            return None
        name, body = driver.action(command, reporter, self.clock.now())
        try:
            await self.act(reporter.profile.id, name, body)
        except Problem as problem:
            raise CommandError("VALIDATION", "INVALID_INPUT_FORMAT", str(problem)) from None
        return Done.OBEYED

    def _checked_action(self, reporter: Reporter, name: str, body: Any) -> Callable[[], None]:
        """Check an action; return a function that applies it. Raises Problem."""
        if name not in ACTIONS:
            raise Problem(MALFORMED, f"{name[:40]!r} is no action of a simulated car: {instead_of(name, ACTIONS)}.")
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

    # State

    def state(self) -> dict[str, Any]:
        """Return the clock, the faults, the possible errors, the cars and the actions."""
        return {
            "clock": self.clock_state(),
            "faults": self.faults.state(),
            "errors": [{"type": kind.type, "code": kind.code, "title": kind.title} for kind in SMARTCAR_KINDS.values()],
            "vehicles": [self.vehicle(reporter.profile.id) for reporter in self.simulator.reporters],
            "actions": {name: action.summary() for name, action in ACTIONS.items()},
        }

    def clock_state(self) -> dict[str, Any]:
        """Return the time and speed of the clock."""
        speed = self.clock.speed
        return {"now": wire_instant(self.clock.now()), "speed": speed, "isFrozen": speed == 0}

    def vehicle(self, vehicle_id: str) -> dict[str, Any]:
        """Return the true state of a car, whatever it has reported."""
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


async def _register_none(profiles: Sequence[CarProfile]) -> None:
    """Do nothing: the cars are in the store."""


def _ignored(_: object) -> None:
    """Drop a result."""


def _link(reporter: Reporter) -> Iterator[tuple[str, float]]:
    link = reporter.link
    yield "dropRate", link.drop_probability
    yield "repeatRate", link.repeat_probability
    yield "reorderRate", link.late_probability
    yield "latencySeconds", link.latency_ms / 1000
