"""Connections, tokens and health as types, as `wire.documents` has signals."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from chargeport.signals.definition import Permission
from chargeport.wire.documents import Counts, Document, Instant, Linkage, PageLinks, SelfLink, VehicleAttributes


class User(Document):
    """A user of the application."""

    id: str


class ConnectionAttributes(Document):
    """What a connection allows."""

    permissions: list[Permission]
    vehicle: VehicleAttributes
    user: User


class Related(Document):
    """Where a related resource is read."""

    related: str


class Relation(Document):
    """A related resource."""

    data: Linkage
    links: Related | UnsetType = UNSET


class Relationships(Document):
    """What a connection joins."""

    vehicle: Relation
    user: Relation


class ConnectionTimes(Document):
    """Since when a connection stands."""

    created_at: Instant
    updated_at: Instant


class Connection(Document):
    """An application may read a user's vehicle."""

    id: str
    type: Literal["connection"]
    attributes: ConnectionAttributes
    relationships: Relationships
    meta: ConnectionTimes
    links: SelfLink


class ConnectionDocument(Document):
    """One connection."""

    data: Connection


class ConnectionList(Document):
    """A page of the connections."""

    data: list[Connection]
    meta: Counts
    links: PageLinks


class Token(Struct):
    """A bearer token."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int


class TokenRequest(Struct):
    """Client credentials."""

    grant_type: Literal["client_credentials"]
    client_id: Annotated[str, Meta(min_length=1)] | UnsetType = UNSET
    client_secret: Annotated[str, Meta(min_length=1)] | UnsetType = UNSET


class WorkerHealth(Document):
    """How one of the server's processes is: ready, gone, or what it lacks."""

    number: int
    status: str


class Health(Document):
    """How the server is, and each of its workers where there are several."""

    status: str
    workers: list[WorkerHealth] | UnsetType = UNSET
