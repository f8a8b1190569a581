"""The answers of the routes of the simulator, as types: the OpenAPI document has their schemas.

The answers are written as mappings; a test checks each of them against these types.
"""

from typing import Annotated, Final

from msgspec import Meta

from chargeport.simulation.actions import ACTIONS, Rate, Seconds
from chargeport.simulation.control import MAX_SPEED
from chargeport.simulation.faults import Fault
from chargeport.sources.simulator.state import Status
from chargeport.wire.documents import Document, Instant

ActionName = Annotated[str, Meta(extra_json_schema={"enum": list(ACTIONS)})]
Count = Annotated[int, Meta(ge=0)]


class ClockState(Document):
    """The time and the speed of the clock; 0 means that it is stopped."""

    now: Instant
    speed: Annotated[float, Meta(ge=0, le=MAX_SPEED)]
    is_frozen: bool


class FaultEntry(Fault, frozen=True, kw_only=True):
    """A fault with its count. Members that were not given, or have the default value, are left out."""

    id: str
    hits: Count
    is_over: bool


class KnownError(Document):
    """An error that a fault may have."""

    type: str
    code: str | None
    title: str


class ReportRates(Document):
    """The shares of reports that are lost, repeated or out of order, and their delay."""

    drop_rate: Rate
    repeat_rate: Rate
    reorder_rate: Rate
    latency_seconds: Seconds


class SimulatedVehicle(Document):
    """The true state of a simulated car, whatever it has reported."""

    id: str
    make: str | None
    model: str | None
    year: int | None
    status: Status
    state_of_charge: Annotated[float, Meta(ge=0, le=100)]
    is_plugged_in: bool
    is_charging: bool
    is_asleep: bool
    place: str | None
    silent_until: Instant | None
    reports: ReportRates


class SimulatorState(Document):
    """The clock, the faults, the possible errors, the cars, and the actions on them."""

    clock: ClockState
    faults: list[FaultEntry]
    errors: list[KnownError]
    vehicles: list[SimulatedVehicle]
    actions: Annotated[dict[ActionName, str], Meta(description="The actions, each with a description.")]


class FaultList(Document):
    """The faults that were added and not removed."""

    data: list[FaultEntry]


class ScenarioEntry(Document):
    """A built-in scenario."""

    name: str
    summary: str


class ScenarioList(Document):
    """The built-in scenarios."""

    data: list[ScenarioEntry]


class ScenarioBegun(Document):
    """A scenario that was started. `vehicles` are the ids of its cars, by their names in the scenario."""

    name: str
    started_at: Instant
    vehicles: dict[str, str]


class TokensExpired(Document):
    """The number of tokens that expired."""

    expired: Count


ANSWERS: Final = (
    ClockState,
    FaultEntry,
    SimulatedVehicle,
    SimulatorState,
    FaultList,
    ScenarioList,
    ScenarioBegun,
    TokensExpired,
)
"""The types of answers, to which routes refer by name."""
