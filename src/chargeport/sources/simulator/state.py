"""The state of a simulated car: all that changes, at the instant it has been advanced to."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Literal

from chargeport.sources.simulator.conditions import ChargingType, Limit, active_limit_percent
from chargeport.sources.simulator.place import Place
from chargeport.sources.simulator.profile import CarProfile
from chargeport.sources.simulator.session import MILLISECONDS_PER_HOUR, Session
from chargeport.sources.simulator.station import Station
from chargeport.sources.simulator.timers import Timer

Status = Literal[
    "DISCONNECTED",
    "CONNECTED",
    "STARTING",
    "CHARGING",
    "SCHEDULED",
    "STOPPED",
    "FULLY_CHARGED",
    "NO_POWER",
    "ERROR",
]

NEWEST_RECORDS = 20


@dataclass(frozen=True, slots=True)
class Segment:
    """A period of time in which the battery gains or loses energy evenly.

    Energy inside a segment is read off its line and never summed up, so that a car advanced in many small steps is, to
    the last bit, where it would be after a single large one. `power_w` is the grid side's mean.
    """

    start_at: int
    end_at: int
    start_kwh: float
    end_kwh: float
    power_w: float = 0.0

    def stored_kwh(self, at: int) -> float:
        """Return the energy in the battery at an instant within the segment, in kWh."""
        if at >= self.end_at:
            return self.end_kwh
        share = (at - self.start_at) / (self.end_at - self.start_at)
        return self.start_kwh + share * (self.end_kwh - self.start_kwh)

    def meter_kwh(self, at: int) -> float:
        """Return the energy that the grid has delivered since the segment began, in kWh."""
        return self.power_w / 1000 * (at - self.start_at) / MILLISECONDS_PER_HOUR


@dataclass(slots=True)
class CarState:
    """All variables of a car.

    `wish` is a driver's order to charge immediately, regardless of the timers, or not to charge; it ends with the plug.
    `parked_kwh` is the battery's energy when the running segment began; `since_at` is when the status began, `active_at`
    when anything last changed; `changes` counts what a real car would report immediately.
    """

    profile: CarProfile
    at: int
    parked_kwh: float
    place: Place | None
    requested_a: float
    limits: tuple[Limit, ...]
    timers: tuple[Timer, ...]
    since_at: int
    active_at: int
    status: Status = "DISCONNECTED"
    station: Station | None = None
    plugged_at: int = 0
    fault: bool = False
    wish: Literal["START", "STOP"] | None = None
    driving: bool = False
    destination: Place | None = None
    segment: Segment | None = None
    session: Session | None = None
    last_session_kwh: float | None = None
    changes: int = 0
    asleep_at: int | None = None
    held_asleep: bool = False
    records: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=NEWEST_RECORDS))

    @classmethod
    def parked_at_home(cls, profile: CarProfile, at: int) -> "CarState":
        """Return the state of a car that has just been parked at home, unplugged."""
        return cls(
            profile=profile,
            at=at,
            parked_kwh=profile.capacity_kwh * profile.start_soc_percent / 100,
            place=profile.home,
            requested_a=profile.onboard_a,
            limits=profile.limits,
            timers=profile.timers,
            since_at=at,
            active_at=at,
        )

    @property
    def stored_kwh(self) -> float:
        """The energy in the battery."""
        return self.parked_kwh if self.segment is None else self.segment.stored_kwh(self.at)

    @property
    def soc_percent(self) -> float:
        """The energy in the battery, in percent of its usable capacity."""
        return 100 * self.stored_kwh / self.profile.capacity_kwh

    @property
    def charging_type(self) -> ChargingType | None:
        """The charging type of the station that the car is plugged into; None while unplugged."""
        return None if self.station is None else self.station.kind

    @property
    def limit_percent(self) -> float:
        """The charge limit that applies at present."""
        return active_limit_percent(self.limits, self.place, self.charging_type)

    @property
    def limit_kwh(self) -> float:
        """The energy in the battery at that limit."""
        return self.limit_percent / 100 * self.profile.capacity_kwh

    @property
    def energy_added_kwh(self) -> float | None:
        """The energy that this session, or the most recent one, put into the cells; None before the first."""
        if self.session is None:
            return self.last_session_kwh
        return self.stored_kwh - self.session.start_kwh

    def changed(self) -> None:
        """Note a change, which wakes a car unless it is held asleep."""
        self.changes += 1
        self.active_at = self.at
        if not self.held_asleep:
            self.asleep_at = None

    def close_segment(self) -> None:
        """End the running segment now, and add the energy that it moved."""
        if self.segment is None:
            return
        self.parked_kwh = self.segment.stored_kwh(self.at)
        if self.session is not None:
            self.session.meter_kwh += self.segment.meter_kwh(self.at)
            self.session.ended_at = self.at
        self.segment = None
