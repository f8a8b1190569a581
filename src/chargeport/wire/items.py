"""What is sent to `POST /ingest/readings`, and its answer, as types."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, UnsetType

from chargeport.wire.documents import Code, Document
from chargeport.wire.errors import Error

AnyBody = Annotated[
    dict[str, Any], Meta(description="As the signal's body, in any unit of its kind; a missing unit is the wire's.")
]


class Rejection(Document):
    """An item that was refused, and why."""

    index: int
    code: str
    detail: str
    path: str
    signal: str | UnsetType = UNSET


class IngestResult(Document):
    """What became of the items."""

    accepted: Annotated[int, Meta(ge=0)]
    superseded: Annotated[int, Meta(ge=0)]
    unchanged: Annotated[int, Meta(ge=0)]
    rejected: list[Rejection]


class NothingAccepted(Error):  # noqa: N818  (the body of one)
    """An error, and beside it what became of the items."""

    accepted: Literal[0]
    superseded: Literal[0]
    unchanged: Literal[0]
    rejected: list[Rejection]


class Challenge(Document):
    """The answer to a VERIFY of Smartcar's."""

    challenge: str


class ItemError(Document):
    """Why a source gives no value."""

    type: str
    code: str | UnsetType | None = UNSET


class ItemStatus(Document, tag="ERROR", tag_field="value"):
    """A source gives no value."""

    error: ItemError


class Item(Document):
    """A reading, an absence, or a bundle of readings."""

    vehicle: Annotated[str, Meta(min_length=1, max_length=128, description="Id, VIN or alias.")]
    observed_at: Annotated[str | int, Meta(description="ISO 8601 or epoch milliseconds; now if missing.")] | UnsetType = UNSET
    signal: Code | UnsetType = UNSET
    body: AnyBody | UnsetType = UNSET
    status: ItemStatus | UnsetType = UNSET
    signals: Annotated[dict[str, AnyBody], Meta(min_length=1)] | UnsetType = UNSET
