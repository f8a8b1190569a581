"""Types of the documents of connections, tokens and health."""

from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from chargeport.signals.definition import Permission
from chargeport.wire.documents import Counts, Document, Instant, Linkage, PageLinks, SelfLink, VehicleAttributes


class User(Document):
    """A user of the application; `externalId` is the application's name for the user."""

    id: str
    external_id: str | UnsetType = UNSET


class ConnectionAttributes(Document):
    """The user and the permissions of a connection."""

    permissions: list[Permission]
    vehicle: VehicleAttributes
    user: User


class Related(Document):
    """The URL of a related resource."""

    related: str


class Relation(Document):
    """A related resource."""

    data: Linkage
    links: Related | UnsetType = UNSET


class Relationships(Document):
    """The resources of a connection."""

    vehicle: Relation
    user: Relation


class ConnectionTimes(Document):
    """When a connection was created and last changed."""

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


class OrderedCounts(Counts):
    """The length and the order of the list."""

    order_by: Literal["createdAt"]
    order_direction: Literal["DESC"]


class ConnectionList(Document):
    """A page of the connections."""

    data: list[Connection]
    meta: OrderedCounts
    links: PageLinks


class Token(Struct):
    """A bearer token."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    refresh_token: Annotated[str | UnsetType, Meta(description="Only with a token after a person's consent.")] = UNSET


class SignedIn(Struct):
    """The person who has signed in to the page."""

    user: str


class PageToken(Struct):
    """A token of the page for a person who is signed in, or for a share link; null otherwise."""

    access_token: str | None
    expires_in: Annotated[int, Meta(ge=0, description="Seconds.")]
    user: str | None
    user_id: Annotated[str | None, Meta(description="The value for sc-user-id.")]
    permissions: list[Permission]


Text = Annotated[str, Meta(min_length=1)]


class Grant(Struct, kw_only=True, tag_field="grant_type"):
    """The client that requests a token. Both members may be sent by HTTP Basic instead."""

    client_id: Text | UnsetType = UNSET
    client_secret: Text | UnsetType = UNSET


class CredentialsGrant(Grant, tag="client_credentials"):
    """Only the credentials of an application."""


class CodeGrant(Grant, tag="authorization_code"):
    """The code of a redirect after a person's consent."""

    code: Text
    redirect_uri: Annotated[str | UnsetType, Meta(description="As in the request for the code.")] = UNSET
    code_verifier: Annotated[str | UnsetType, Meta(description="PKCE: the verifier of the challenge.")] = UNSET


class RefreshGrant(Grant, tag="refresh_token"):
    """The refresh token that was issued with a token."""

    refresh_token: Text


TokenRequest = CredentialsGrant | CodeGrant | RefreshGrant


class WorkerHealth(Document):
    """The state of one of the server's processes: ready, gone, or its error."""

    number: int
    status: str


class Health(Document):
    """The state of the server, and of each of its workers if there are several."""

    status: str
    workers: list[WorkerHealth] | UnsetType = UNSET


ANSWERS: Final = (ConnectionDocument, ConnectionList, Health, PageToken, SignedIn, Token)
"""The types of answers, to which routes refer by name."""
