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

VehicleState = Annotated[str, Meta(extra_json_schema={"enum": list(STATES)}, description="The present state of the vehicle.")]
Count = Annotated[int, Meta(ge=0)]


class FleetValue(Document, kw_only=True):
    """A signal of a vehicle in an overview. `status` is present if the body is not valid."""

    status: AbsenceReason | UnsetType = UNSET
    body: Body | UnsetType = UNSET
    at: Instant | UnsetType = UNSET
    stale_at: Instant | UnsetType = UNSET
    source: str | None


class FleetVehicle(Document):
    """A vehicle in an overview."""

    id: str
    name: Annotated[str, Meta(description="The first alias that a person gave, else make and model.")]
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
    """The length of the list, when it was computed, and the number of vehicles by state."""

    as_of: Instant
    states: Annotated[dict[VehicleState, Count] | None, Meta(description="Null if not all vehicles were evaluated.")]


class FleetList(Document):
    """A page of the vehicles with the signals of an overview."""

    data: list[FleetVehicle]
    meta: FleetMeta
    links: PageLinks


class Capability(Document):
    """A signal that a model can have."""

    type: Literal["signal"]
    name: str
    group: str
    code: Annotated[str, Meta(description="The signal's name in Smartcar's form.")]
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
    """The length of the list."""

    page: Literal[1]
    page_size: Count
    total_count: Count


class CompatibleVehicles(Document):
    """Models with their signals."""

    data: list[CompatibleModel]
    meta: ModelCounts
    links: SelfLink


ANSWERS: Final = (FleetList, CompatibleVehicles)
"""The types of answers, to which routes refer by name."""
