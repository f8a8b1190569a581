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
    """What time it is, and how fast it passes; 0 stands still."""

    now: Instant
    speed: Annotated[float, Meta(ge=0, le=MAX_SPEED)]
    is_frozen: bool


class FaultEntry(Fault, frozen=True, kw_only=True):
    """A fault with how often it happened. Members that were not given, or have the usual value, are left out."""

    id: str
    hits: Count
    is_over: bool


class KnownError(Document):
    """An error that can be asked for."""

    type: str
    code: str | None
    title: str


class ReportRates(Document):
    """How reports get lost, late, repeated or out of order on their way."""

    drop_rate: Rate
    repeat_rate: Rate
    reorder_rate: Rate
    latency_seconds: Seconds


class SimulatedVehicle(Document):
    """How a simulated car is, apart from what it reports."""

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
    """The clock, the faults with the errors that there are, the cars, and what can be done to them."""

    clock: ClockState
    faults: list[FaultEntry]
    errors: list[KnownError]
    vehicles: list[SimulatedVehicle]
    actions: Annotated[dict[ActionName, str], Meta(description="Each in a sentence.")]


class FaultList(Document):
    """The faults that were begun and not taken back."""

    data: list[FaultEntry]


class ScenarioEntry(Document):
    """A ready scenario."""

    name: str
    summary: str


class ScenarioList(Document):
    """The ready scenarios."""

    data: list[ScenarioEntry]


class ScenarioBegun(Document):
    """A scenario that has begun. `vehicles` are the ids of its cars by their names in it."""

    name: str
    started_at: Instant
    vehicles: dict[str, str]


class TokensExpired(Document):
    """How many tokens ended."""

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
"""The types that routes name as their answers."""
