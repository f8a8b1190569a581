"""What is sent to `POST /ingest/readings`, and its answer, as types."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from chargeport.wire.documents import Document
from chargeport.wire.errors import Error


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
