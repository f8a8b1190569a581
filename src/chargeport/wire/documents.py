"""Types of the documents of signals and vehicles: the JSON Schemas of the OpenAPI document are generated from them.

Signals and vehicles are written as text (`wire.envelope`); a test checks every answer against these types.
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
"""The name of each signal's body among the schemas."""

Instant = datetime
Uri = Annotated[str, Meta(extra_json_schema={"format": "uri"})]
Code = Annotated[str, Meta(extra_json_schema={"enum": CODES})]
Body = Annotated[Raw, Meta(extra_json_schema={"anyOf": [_ref(name) for name in BODIES.values()]})]
Share = Annotated[float, Meta(ge=0, le=1)]


class Document(Struct, rename="camel", kw_only=True):
    """A document or a part of one; members are spelt in camel case."""


class Resolution(Document):
    """What a person may do about an error."""

    type: str | None


class StatusError(Document):
    """Why there is no current value."""

    type: str
    code: str | None
    title: str
    detail: str
    description: str
    resolution: Resolution


class Success(Document, tag="SUCCESS", tag_field="value"):
    """The body is the current value."""


class Failure(Document, tag="ERROR", tag_field="value"):
    """There is no body, or it is the last known value."""

    error: StatusError


class SignalAttributes(Document):
    """A signal's status and body."""

    code: Code
    name: str
    group: str
    status: Success | Failure
    body: Body | UnsetType = UNSET


class SignalMeta(Document):
    """When a value was observed and received, by which source, and until when it is fresh."""

    ingested_at: Instant | UnsetType = UNSET
    retrieved_at: Instant | UnsetType = UNSET
    oem_updated_at: Instant | UnsetType = UNSET
    stale_at: Instant | UnsetType = UNSET
    source: str | UnsetType = UNSET
    derived_from: list[str] | UnsetType = UNSET


class SignalLinks(Document):
    """The URLs of a signal and its history."""

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
    """The URL of a resource."""

    self: Uri


class VehicleAttributes(Document):
    """Make, model and other facts of a vehicle."""

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
    """The vehicle of the signals."""

    vehicle: Vehicle


class Counts(Document):
    """The length of a list, and the position of this page."""

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
    """The id and type of a related resource."""

    id: str
    type: str


class OfVehicle(Document):
    """The vehicle as a relation."""

    data: Linkage


class SignalRelations(Document):
    """The vehicle of a signal."""

    vehicle: OfVehicle


class FleetSignal(Signal):
    """A signal among those of several vehicles."""

    relationships: SignalRelations


class CursorMeta(Document):
    """The number of elements of a page, and its limit of vehicles."""

    count: int
    page_size: int


class CursorLinks(Document):
    """This page and the next one, null on the last."""

    self: str
    next: str | None


class IncludedVehicles(Document):
    """The vehicles of the signals."""

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
    """When a value was observed and received, and by which source."""

    oem_updated_at: Instant
    retrieved_at: Instant
    source: str
    derived_from: list[str] | UnsetType = UNSET


class ValueChange(Document):
    """A value, from its time on."""

    body: Body
    meta: ValueTimes


class ValueAbsence(Document):
    """No value, from its time on."""

    status: Success | Failure
    meta: ValueTimes


class Stretch(Document):
    """The values of a span of time, aggregated."""

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
    """The size of the page, and since when more than hourly aggregates are stored."""

    count: int
    page_size: int
    unit: str | UnsetType = UNSET
    raw_from: Instant | UnsetType = UNSET


class ValueLinks(Document):
    """This page of a history, the next one, and the hourly aggregates."""

    self: str
    next: str | None
    hourly: str | UnsetType = UNSET


class ValueList(Document):
    """A page of a signal's history."""

    data: list[
        Annotated[Raw, Meta(extra_json_schema={"oneOf": [_ref(name) for name in ("ValueChange", "ValueAbsence", "Stretch")]})]
    ]
    meta: ValueMeta
    links: ValueLinks


class CoveredSource(Document):
    """The value of one source, and why it is not effective."""

    source: str | None
    is_effective: bool
    oem_updated_at: Instant | UnsetType = UNSET
    age_seconds: int | UnsetType = UNSET
    body: Body | UnsetType = UNSET
    status: str | UnsetType = UNSET
    why: Why | UnsetType = UNSET
    reason: str | UnsetType = UNSET


class CoveredSignal(Document):
    """The state of a signal, or why it has none."""

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
    """The length of a list."""

    total_count: int


class Coverage(Document):
    """The state of each signal of a vehicle."""

    data: list[CoveredSignal]
    meta: Total


ANSWERS: Final = (
    SignalDocument, SignalList, FleetSignals, VehicleDocument, VehicleList, ValueList, ValueChange, ValueAbsence, Stretch,
    Coverage,
)  # fmt: skip
"""The types of answers, to which routes refer by name."""
