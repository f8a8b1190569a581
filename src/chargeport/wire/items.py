"""The answers of `POST /ingest/readings` and `POST /ingest/smartcar` as types."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from chargeport.wire.documents import Document
from chargeport.wire.errors import Error


class Rejection(Document):
    """A refused item, and why."""

    index: int
    code: str
    detail: str
    path: str
    signal: str | UnsetType = UNSET


class IngestResult(Document):
    """The outcomes of the items."""

    accepted: Annotated[int, Meta(ge=0)]
    superseded: Annotated[int, Meta(ge=0)]
    unchanged: Annotated[int, Meta(ge=0)]
    rejected: list[Rejection]


class NothingAccepted(Error):  # noqa: N818  (the body of an error)
    """An error, with the outcomes of the items."""

    accepted: Literal[0]
    superseded: Literal[0]
    unchanged: Literal[0]
    rejected: list[Rejection]


class Challenge(Document):
    """The answer to a VERIFY of Smartcar's."""

    challenge: str
