"""A simulated car: advances its state from one event to the next.

Deterministic: the result depends on profile, seed, start and controls, not on how often it is advanced. Between
controls the car follows its itinerary. `plug`, `unplug` and `drive` suspend the itinerary permanently, until
`follow` resumes it; settings (limit, timers, amps, fault, sleep) apply from then on in both cases.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from chargeport.sources.simulator import moves
from chargeport.sources.simulator import snapshot as words
from chargeport.sources.simulator.conditions import with_active_limit
from chargeport.sources.simulator.electrics import charging_segment
from chargeport.sources.simulator.itinerary import Drive, Event, Itinerary, PlugIn
from chargeport.sources.simulator.place import Place
from chargeport.sources.simulator.profile import CarProfile
from chargeport.sources.simulator.session import Session
from chargeport.sources.simulator.state import CarState, Status
from chargeport.sources.simulator.station import Station
from chargeport.sources.simulator.status import Gate, gate, next_status, status_ends_at
from chargeport.sources.simulator.timers import FOREVER, Timer, timers_from_the_wire


class Car:
    """A car with a battery, a charge port and a driver."""

    def __init__(self, profile: CarProfile, seed: int, started_at: int) -> None:
        self.profile = profile
        self._state = CarState.parked_at_home(profile, started_at)
        self._itinerary = Itinerary(profile, seed, started_at)
        self._following = True
        self._gate: Gate | None = None
        self._gate_changes = -1

    # Its present state.

    @property
    def at(self) -> int:
        """The instant it has been advanced to."""
        return self._state.at

    @property
    def status(self) -> Status:
        """Its detailed charging status."""
        return self._state.status

    @property
    def soc_percent(self) -> float:
        """Its state of charge, unrounded."""
        return self._state.soc_percent

    @property
    def place(self) -> Place | None:
        """Where it is; None on the road."""
        return self._state.place

    @property
    def station(self) -> Station | None:
        """What it is plugged into."""
        return self._state.station

    @property
    def timers(self) -> tuple[Timer, ...]:
        """Its charge timers."""
        return self._state.timers

    @property
    def changes(self) -> int:
        """How many changes there have been that a real car would report immediately."""
        return self._state.changes

    @property
    def asleep_at(self) -> int | None:
        """Since when it has been unreachable, sending nothing; None while awake."""
        return self._state.asleep_at

    def snapshot(self) -> dict[str, Any]:
        """Return the car's report at this instant, without noise; see `FIELDS`."""
        return words.snapshot(self._state)

    # Time.

    def advance(self, to_at: int) -> None:
        """Advance to `to_at`; an instant already past changes nothing."""
        while self._state.at < to_at:
            self.step(to_at)

    def step(self, to_at: int) -> None:
        """Advance to the next event, or to `to_at` if that comes first."""
        self._state.at = max(self._state.at, min(to_at, self._next_event_at()))
        self._settle()

    def _next_event_at(self) -> int:
        segment = self._state.segment
        return min(
            FOREVER if segment is None else segment.end_at,
            FOREVER if self._gate is None else self._gate.until_at,
            self._itinerary.next_at if self._following else FOREVER,
            status_ends_at(self._state),
            self._falls_asleep_at(),
        )

    def _settle(self) -> None:
        """Do all that is due at this instant, until nothing more changes."""
        state = self._state
        if state.segment is not None and state.at >= state.segment.end_at:
            if state.driving:
                moves.arrive(state)
            else:
                state.close_segment()
        while self._following and self._itinerary.next_at <= state.at:
            self._obey(self._itinerary.take())
        self._settle_status()
        if state.at >= self._falls_asleep_at():
            state.asleep_at = state.at

    def _settle_status(self) -> None:
        state = self._state
        while (status := next_status(state, state.station, self._present_gate())) != state.status:
            self._enter(status)
        if state.status == "CHARGING" and state.station is not None and state.segment is None:
            state.segment = charging_segment(state, state.station)

    def _present_gate(self) -> Gate | None:
        """Return the timers' gate, computed again only where it may be out of date: the calendar is the slowest part."""
        state = self._state
        if state.station is None:
            self._gate = None
        elif self._gate is None or self._gate_changes != state.changes or state.at >= self._gate.until_at:
            self._gate, self._gate_changes = gate(state, state.station), state.changes
        return self._gate

    def _enter(self, status: Status) -> None:
        state = self._state
        if state.station is not None:
            state.close_segment()
        state.status, state.since_at = status, state.at
        if status == "CHARGING" and state.station is not None and state.session is None:
            state.session = Session(state.station, state.at, state.at, state.stored_kwh)
        state.changed()

    def _falls_asleep_at(self) -> int:
        state, idle_min = self._state, self.profile.sleep_after_min
        if state.asleep_at is not None or idle_min is None:
            return FOREVER
        if state.driving or state.status in {"STARTING", "CHARGING"}:
            return FOREVER
        return state.active_at + round(idle_min * 60_000)

    def _obey(self, event: Event) -> None:
        if isinstance(event, Drive):
            moves.drive(self._state, event.km, event.to)
        elif not isinstance(event, PlugIn):
            moves.unplug(self._state)
        elif self._state.soc_percent < event.below_percent:
            moves.plug(self._state, event.station)

    # Controls.

    def plug(self, station: Station) -> None:
        """Plug into a station, out of any other; the car is then where the station is."""
        if station.kind == "DC" and not self.profile.dc_curve:
            raise ValueError(f"{self.profile.make} {self.profile.model} has no DC inlet.")
        self._take_over(lambda: moves.plug(self._state, station))

    def unplug(self) -> None:
        """Pull the cable, if one is plugged in."""
        self._take_over(lambda: moves.unplug(self._state))

    def drive(self, km: float, to: Place | None = None) -> None:
        """Start a drive that ends at `to` (None: somewhere on the road); unplug first if necessary."""
        if not km >= 0:
            raise ValueError(f"A drive is not {km} km long.")
        self._take_over(lambda: moves.drive(self._state, km, to))

    def follow(self, events: Iterable[Event] = ()) -> None:
        """Return the car to its itinerary: these events first, its habits from the midnight after."""
        self._itinerary.restart(self.at, events)
        self._following = True
        self._settle()

    def set_limit(self, percent: float) -> None:
        """Set the charge limit that applies at present (a place's, a charging type's or the global one)."""
        state = self._state
        self._set("limits", with_active_limit(state.limits, percent, state.place, state.charging_type))

    def set_timers(self, values: Sequence[Any]) -> None:
        """Replace all timers by these entries, in the wire's format."""
        self._set("timers", timers_from_the_wire(values))

    def set_requested_a(self, amps: float) -> None:
        """Set the current per phase that the car draws on AC, up to what its charger takes; below 6 A it stops."""
        if not amps >= 0:
            raise ValueError(f"A car cannot draw {amps} A.")
        self._set("requested_a", min(float(amps), self.profile.onboard_a))

    def start(self) -> None:
        """Charge immediately, regardless of the timers, until the plug is pulled or `stop` is called."""
        self._set("wish", "START")

    def stop(self) -> None:
        """Stop charging, until the plug is pulled or `start` is called."""
        self._set("wish", "STOP")

    def set_soc(self, percent: float) -> None:
        """Set the battery's state of charge. Energy that was added so far does not change."""
        state = self._state
        if state.driving or not 0 <= percent <= 100:  # noqa: PLR2004  (percent)
            why = "while it drives" if state.driving else f"to {percent} %"
            raise ValueError(f"A battery can't be set {why}.")
        state.close_segment()
        stored_kwh = percent / 100 * self.profile.capacity_kwh
        if state.session is not None:
            state.session.start_kwh = max(0.0, state.session.start_kwh + stored_kwh - state.parked_kwh)
        state.parked_kwh = stored_kwh
        self._touch()

    def fault(self, present: bool) -> None:
        """Inject a fault into the charge port, or clear it."""
        self._set("fault", present)

    def sleep(self) -> None:
        """Become unreachable, whatever the car is doing, until it is woken or otherwise controlled."""
        self._state.held_asleep = True
        self._state.asleep_at = self.at

    def wake(self) -> None:
        """Become reachable again."""
        self._touch()

    def _take_over(self, act: Callable[[], None]) -> None:
        self._following = False
        act()
        self._touch()

    def _set(self, name: str, value: object) -> None:
        if self._state.session is not None:
            # The current stretch of charging was computed for the old setting.
            self._state.close_segment()
        setattr(self._state, name, value)
        self._touch()

    def _touch(self) -> None:
        self._state.held_asleep = False
        self._state.changed()
        self._settle()
