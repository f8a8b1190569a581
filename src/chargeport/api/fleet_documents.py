"""The answers of `GET /fleet` and `GET /v3/compatible-vehicles`, as types: the OpenAPI document has their schemas.

Both are written as mappings; a test checks every answer against these types.
"""

from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, UnsetType

from chargeport.api.fleet import STATES
from chargeport.dialects.makes import POWERTRAINS, REGIONS
from chargeport.signals.definition import Permission
from chargeport.signals.reading import AbsenceReason
from chargeport.wire.documents import Body, Code, Counts, Document, Instant, PageLinks, SelfLink

VehicleState = Annotated[str, Meta(extra_json_schema={"enum": list(STATES)}, description="What the vehicle does now.")]
Count = Annotated[int, Meta(ge=0)]


class FleetValue(Document, kw_only=True):
    """A signal of a vehicle in an overview. `status` is there where the body does not hold."""

    status: AbsenceReason | UnsetType = UNSET
    body: Body | UnsetType = UNSET
    at: Instant | UnsetType = UNSET
    stale_at: Instant | UnsetType = UNSET
    source: str | None


class FleetVehicle(Document):
    """A vehicle in an overview."""

    id: str
    name: Annotated[str, Meta(description="The first name that somebody gave it, else make and model.")]
    make: str | None
    model: str | None
    year: int | None
    vin: Annotated[str | None, Meta(description="Null unless the application may read it.")]
    aliases: list[str]
    powertrain_type: str | None
    mode: Literal["live", "simulated"]
    state: VehicleState
    heard_at: Annotated[Instant | None, Meta(description="When the newest value was observed.")]
    signals: dict[Code, FleetValue]


class FleetMeta(Counts):
    """How long the list is, when it was made, and how many vehicles are in which state."""

    as_of: Instant
    states: Annotated[dict[VehicleState, Count] | None, Meta(description="Null where not all vehicles were looked at.")]


class FleetList(Document):
    """A page of the vehicles with what an overview shows."""

    data: list[FleetVehicle]
    meta: FleetMeta
    links: PageLinks


class Capability(Document):
    """A signal that a model can have."""

    type: Literal["signal"]
    name: str
    group: str
    code: Annotated[str, Meta(description="The signal's name, as Smartcar writes it here.")]
    capability: Code
    permission: Permission


class ModelAttributes(Document):
    """A model in a region, and its signals."""

    make: str
    model: str
    region: Annotated[str, Meta(extra_json_schema={"enum": list(REGIONS)})]
    powertrain_type: Annotated[str, Meta(extra_json_schema={"enum": list(POWERTRAINS)})]
    capabilities: list[Capability]


class CompatibleModel(Document):
    """A model as a resource."""

    id: str
    type: Literal["vehicle-model-capability"]
    attributes: ModelAttributes


class ModelCounts(Document):
    """How long the list is."""

    page: Literal[1]
    page_size: Count
    total_count: Count


class CompatibleVehicles(Document):
    """Models with the signals that can be read of them."""

    data: list[CompatibleModel]
    meta: ModelCounts
    links: SelfLink


ANSWERS: Final = (FleetList, CompatibleVehicles)
"""The types that routes name as their answers."""
