"""The answers of the routes of charging sessions, as types: the OpenAPI document has their schemas.

Files and commands have the same rows, with the same names; a test checks every answer against these types.
"""

from typing import Annotated, Final

from msgspec import Meta, Raw, Struct, field

from chargeport.derive.sessions.counters import EnergyMethod
from chargeport.signals.documents import ChargingType
from chargeport.signals.records import Place
from chargeport.wire.documents import REF, Counts, CursorLinks, CursorMeta, Document, Instant, PageLinks

Energy = Annotated[float, Meta(description="Kilowatt-hours.")]
Count = Annotated[int, Meta(ge=0)]
Currency = Annotated[str, Meta(pattern="^[A-Z]{3}$")]


class Amount(Struct):
    """An amount of money."""

    currency: Currency
    amount: float


class RecordFact(Struct, kw_only=True):
    """The evidence for a fact of a session."""

    fact: str
    signals: list[str]
    from_: Instant = field(name="from")
    to: Instant
    sightings: Annotated[int, Meta(description="The number of reports of the signals.")]


class Record(Struct, kw_only=True):
    """A charging session. Unknown members are null; energies in kWh have two decimals."""

    id: str
    vehicle_id: str
    started_at: Instant
    ended_at: Annotated[Instant | None, Meta(description="Null while it may continue.")]
    is_open: bool
    duration_s: Count
    energy_added_kwh: Energy | None
    energy_drawn_kwh: Energy | None
    energy_method: EnergyMethod | None
    is_estimated: Annotated[bool, Meta(description="Whether an end or the energy was inferred, not reported.")]
    energy_low_kwh: Energy | None
    energy_high_kwh: Energy | None
    start_soc_percent: float | None
    end_soc_percent: float | None
    charging_type: ChargingType | None
    max_power_w: float | None
    odometer_km: float | None
    meter_start_kwh: float | None
    meter_end_kwh: float | None
    place: Annotated[Place | None, Meta(description="Null unless the application may see places.")]
    is_public: bool | None
    cost: Amount | None
    sources: list[str]
    note: str | None
    made_of: Annotated[list[str], Meta(description="The ids of the records from which an edit created this one.")]
    rules: Annotated[str, Meta(description="The version of the rules by which it was computed.")]
    evidence: list[RecordFact]


class RecordSums(Struct, kw_only=True):
    """Sums of sessions. Unknown values are not in the sums, and are counted."""

    sessions: Count
    duration_s: Count
    energy_added_kwh: Energy | None
    energy_drawn_kwh: Energy | None
    losses_kwh: Energy | None
    cost: list[Amount]
    without_energy: Count
    without_drawn: Count
    without_cost: Count


class RecordGroup(RecordSums, kw_only=True):
    """Sums of the sessions of a month, a vehicle or a place; the sessions without a place have the key null."""

    key: str | None


class RecordTotals(Document):
    """Sums of all matching sessions, not only of this page."""

    all: RecordSums
    by_month: list[RecordGroup]
    by_vehicle: list[RecordGroup]
    by_place: list[RecordGroup]


class RecordCounts(Counts):
    """The length of the list, with totals."""

    totals: RecordTotals


class RecordList(Document):
    """A page of the sessions, newest first."""

    data: list[Record]
    meta: RecordCounts
    links: PageLinks


class RecordsByVehicle(Document):
    """A page of the sessions by vehicle and start, with `order=vehicle`."""

    data: list[Record]
    meta: CursorMeta
    links: CursorLinks


class RecordEdit(Document):
    """A stored change of a vehicle's sessions. Its instants are milliseconds since 1970."""

    number: Annotated[int, Meta(ge=1)]
    made_at: Instant
    edit: Annotated[Raw, Meta(extra_json_schema={"$ref": REF + "StoredChange"})]


class RecordEdits(Document):
    """The changes of a vehicle's sessions, oldest first."""

    data: list[RecordEdit]


class EditNumber(Document):
    """The number of a change, with which it can be undone."""

    number: Annotated[int, Meta(ge=1)]


class RecordChanged(Document):
    """The stored change."""

    data: EditNumber


ANSWERS: Final = (RecordList, RecordsByVehicle, RecordEdits, RecordChanged)
"""The types of answers, to which routes refer by name."""
