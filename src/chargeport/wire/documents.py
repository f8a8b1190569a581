"""The documents of signals and vehicles as types: the JSON Schemas of the OpenAPI document are made from them.

What is answered most is written as text (`wire.envelope`); a test holds every answer to these types.
"""

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field

from chargeport.signals.catalogue import CATALOGUE
from chargeport.signals.effective import Why

REF: Final = "#/components/schemas/"


def _ref(name: str) -> dict[str, str]:
    return {"$ref": REF + name}


CODES: Final = sorted(signal.code for signal in CATALOGUE)
BODIES: Final = {signal.code: f"{signal.name}Body" for signal in CATALOGUE}
"""What each signal's body is called among the schemas."""

Instant = datetime
Uri = Annotated[str, Meta(extra_json_schema={"format": "uri"})]
Code = Annotated[str, Meta(extra_json_schema={"enum": CODES})]
Body = Annotated[Raw, Meta(extra_json_schema={"anyOf": [_ref(name) for name in BODIES.values()]})]
Share = Annotated[float, Meta(ge=0, le=1)]


class Document(Struct, rename="camel", kw_only=True):
    """What is sent, or a part of it; members are spelt as Smartcar does."""


class Resolution(Document):
    """What a person may do about an error."""

    type: str | None


class StatusError(Document):
    """Why there is no value to show as true."""

    type: str
    code: str | None
    title: str
    detail: str
    description: str
    resolution: Resolution


class Success(Document, tag="SUCCESS", tag_field="value"):
    """The body is true."""


class Failure(Document, tag="ERROR", tag_field="value"):
    """There is no body, or it is what was true last."""

    error: StatusError


class SignalAttributes(Document):
    """What a signal says."""

    code: Code
    name: str
    group: str
    status: Success | Failure
    body: Body | UnsetType = UNSET


class SignalMeta(Document):
    """When a value was observed and received, from whom, and until when it is fresh."""

    ingested_at: Instant | UnsetType = UNSET
    retrieved_at: Instant | UnsetType = UNSET
    oem_updated_at: Instant | UnsetType = UNSET
    stale_at: Instant | UnsetType = UNSET
    source: str | UnsetType = UNSET
    derived_from: list[str] | UnsetType = UNSET


class SignalLinks(Document):
    """Where a signal and its history are read."""

    self: Uri
    values: Uri


class Signal(Document):
    """A signal as a resource."""

    id: str
    type: Literal["signal"]
    attributes: SignalAttributes
    meta: SignalMeta
    links: SignalLinks


class SelfLink(Document):
    """Where a resource is read."""

    self: Uri


class VehicleAttributes(Document):
    """What a vehicle is."""

    make: str | None
    model: str | None
    year: int | None
    powertrain_type: str | None
    mode: Literal["live", "simulated"]


class Vehicle(Document):
    """A vehicle as a resource."""

    id: str
    type: Literal["vehicle"]
    attributes: VehicleAttributes
    links: SelfLink


class Included(Document):
    """The vehicle beside its signals."""

    vehicle: Vehicle


class Counts(Document):
    """How long a list is, and which part of it this is."""

    total_count: int
    page_size: int
    page_number: int


class PageLinks(Document):
    """This page of a list and its neighbours."""

    self: str
    first: str | UnsetType | None = UNSET
    last: str | UnsetType | None = UNSET
    next: str | UnsetType | None = UNSET
    prev: str | UnsetType | None = UNSET


class SignalDocument(Document):
    """One signal."""

    data: Signal
    included: Included


class SignalList(Document):
    """All signals of a vehicle, or a page of them."""

    data: list[Signal]
    meta: Counts
    links: PageLinks
    included: Included


class Linkage(Document):
    """Which resource is meant."""

    id: str
    type: str


class OfVehicle(Document):
    """The vehicle as a relation."""

    data: Linkage


class SignalRelations(Document):
    """Whose a signal is."""

    vehicle: OfVehicle


class FleetSignal(Signal):
    """A signal among those of several vehicles."""

    relationships: SignalRelations


class CursorMeta(Document):
    """How many elements a page has, and how many vehicles it may have."""

    count: int
    page_size: int


class CursorLinks(Document):
    """This page and the next one; null behind the last."""

    self: str
    next: str | None


class IncludedVehicles(Document):
    """The vehicles beside their signals."""

    vehicles: list[Vehicle]


class FleetSignals(Document):
    """Signals of many vehicles: a page of them."""

    data: list[FleetSignal]
    meta: CursorMeta
    links: CursorLinks
    included: IncludedVehicles


class VehicleDocument(Document):
    """One vehicle."""

    data: Vehicle


class VehicleList(Document):
    """A page of the vehicles."""

    data: list[Vehicle]
    meta: Counts
    links: PageLinks


class ValueTimes(Document):
    """When a value was observed and received, and from whom."""

    oem_updated_at: Instant
    retrieved_at: Instant
    source: str
    derived_from: list[str] | UnsetType = UNSET


class ValueChange(Document):
    """From then on the value was this."""

    body: Body
    meta: ValueTimes


class ValueAbsence(Document):
    """From then on there was no value."""

    status: Success | Failure
    meta: ValueTimes


class Stretch(Document):
    """What the values were in a stretch of time."""

    from_: Instant = field(name="from")
    to: Instant
    count: int
    held_seconds: float
    last: Any
    fractions: dict[str, Share] | UnsetType = UNSET
    min: float | UnsetType = UNSET
    max: float | UnsetType = UNSET
    mean: float | UnsetType = UNSET


class ValueMeta(Document):
    """How much of a history this is, and since when more than hours is kept."""

    count: int
    page_size: int
    unit: str | UnsetType = UNSET
    raw_from: Instant | UnsetType = UNSET


class ValueLinks(Document):
    """This page of a history, the next one, and the same by the hour."""

    self: str
    next: str | None
    hourly: str | UnsetType = UNSET


class ValueList(Document):
    """A page of a signal's history."""

    data: list[
        Annotated[Raw, Meta(extra_json_schema={"oneOf": [_ref(each) for each in ("ValueChange", "ValueAbsence", "Stretch")]})]
    ]
    meta: ValueMeta
    links: ValueLinks


class CoveredSource(Document):
    """What one source says of a signal, and why it does not count."""

    source: str | None
    is_effective: bool
    oem_updated_at: Instant | UnsetType = UNSET
    age_seconds: int | UnsetType = UNSET
    body: Body | UnsetType = UNSET
    status: str | UnsetType = UNSET
    why: Why | UnsetType = UNSET
    reason: str | UnsetType = UNSET


class CoveredSignal(Document):
    """What a signal can tell, or why it can't."""

    code: Code
    name: str
    group: str
    status: str
    reason: str | UnsetType = UNSET
    oem_updated_at: Instant | UnsetType = UNSET
    age_seconds: int | UnsetType = UNSET
    source: str | UnsetType | None = UNSET
    sources: list[CoveredSource] | UnsetType = UNSET


class Total(Document):
    """How long a list is."""

    total_count: int


class Coverage(Document):
    """What each signal of a vehicle can tell."""

    data: list[CoveredSignal]
    meta: Total
