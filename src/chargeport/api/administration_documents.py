"""The answers of the routes of administration, as types: the OpenAPI document has their schemas.

Applications, issues, connections and entries of the audit log are sent as these types. The rest is written as mappings; a test
checks every answer against these types.
"""

from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Raw, Struct, field

from chargeport.api.webhook_documents import WebhookResource
from chargeport.runtime.source_status import SourceState
from chargeport.signals.definition import Permission
from chargeport.store.audit import Act
from chargeport.wire.documents import REF, Counts, Document, PageLinks

Count = Annotated[int, Meta(ge=0)]
InstantText = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
"""An instant in the format of the handlers."""


class SourceRow(SourceState, frozen=True, kw_only=True):
    """The last stored state of a source. Instants are milliseconds since 1970."""

    is_running: bool
    written_at: int
    record: Annotated[str | None, Meta(description="The file in which its messages are recorded.")]


class UnstartedSource(Struct, kw_only=True):
    """A source that is configured and never ran."""

    name: str
    type: str | None
    dialect: str | None
    is_running: Literal[False]
    record: str | None


class SourceList(Document):
    """The state of each source."""

    data: list[
        Annotated[Raw, Meta(extra_json_schema={"anyOf": [{"$ref": REF + name} for name in ("SourceRow", "UnstartedSource")]})]
    ]


class IssueEntry(Document):
    """An issue: a part of a message that could not be understood, and its count."""

    source: str
    vehicle: str | None
    subject: Annotated[str, Meta(description="The field, or another part of the message.")]
    detail: str
    count: Annotated[int, Meta(ge=1)]
    first_at: InstantText
    last_at: InstantText
    message: Annotated[str, Meta(description="The last message, as it was received.")]
    application: Annotated[str | None, Meta(description="The application that sent it, by its client id.")]


class IssueList(Document):
    """A page of the issues, newest first."""

    data: list[IssueEntry]
    meta: Counts
    links: PageLinks


class ReplayedIssue(Struct):
    """A kind of issue, and its count."""

    subject: str
    detail: str
    count: Annotated[int, Meta(ge=1)]


class ReplayCounts(Struct):
    """The outcomes of the messages that were read again. `outranked` is always 0."""

    messages: Count
    accepted: Count
    superseded: Count
    unchanged: Count
    outranked: Literal[0]
    rejected: Count
    issues: Annotated[list[ReplayedIssue], Meta(description="The most frequent kinds.")]


class IssuesReplayed(Document):
    """The result of reading issues again."""

    data: ReplayCounts


class AuditEntry(Document):
    """An act. Acts that are counted by day have a `count`, from `at` to `lastAt`."""

    number: int
    act: Act
    actor: str
    address: str
    subject: Annotated[str, Meta(description="The id or name of the affected object.")]
    detail: str
    count: Annotated[int, Meta(ge=1)]
    at: InstantText
    last_at: InstantText


class AuditList(Document):
    """A page of the audit log, newest first."""

    data: list[AuditEntry]
    meta: Counts
    links: PageLinks


class SettingEntry(Document):
    """A setting in use."""

    name: str
    value: Annotated[Any, Meta(description="Secrets are not shown.")]
    is_default: bool


class VersionMeta(Document):
    """The server's version."""

    version: str


class SettingList(Document):
    """The settings in use."""

    data: list[SettingEntry]
    meta: VersionMeta


class ApplicationEntry(Document):
    """An application."""

    client_id: str = field(name="client_id")
    name: str
    permissions: list[Permission]
    connected_only: Annotated[bool, Meta(description="Whether it sees only vehicles that it has a connection to.")]
    created_at: InstantText
    revoked_at: InstantText | None


class ListedApplication(ApplicationEntry):
    """An application in the list of all."""

    is_of_the_page: bool


class ApplicationList(Document):
    """All applications."""

    data: list[ListedApplication]


class NewApplication(ApplicationEntry):
    """An application with its secrets, which are shown only once."""

    client_secret: str = field(name="client_secret")
    management_token: str = field(name="management_token")


class ApplicationCreated(Document):
    """The created application."""

    data: NewApplication


class IssuedToken(Struct):
    """A bearer token of an application."""

    access_token: str
    token_type: Literal["Bearer"]


class ApplicationToken(Document):
    """The issued token."""

    data: IssuedToken


class ConnectionEntry(Document):
    """A connection of any application."""

    id: str
    client_id: str = field(name="client_id")
    user: str
    vehicle_id: str = field(name="vehicle_id")
    permissions: list[Permission]
    created_at: InstantText


class AllConnections(Document):
    """A page of the connections of all applications, newest first."""

    data: list[ConnectionEntry]
    meta: Counts
    links: PageLinks


class WebhookEntry(WebhookResource):
    """A webhook of any application."""

    client_id: str = field(name="client_id")
    reason: Annotated[str | None, Meta(description="Why the server disabled it.")]


class AllWebhooks(Document):
    """The webhooks of all applications."""

    data: list[WebhookEntry]


ANSWERS: Final = (
    SourceList, SourceRow, UnstartedSource, IssueList, IssuesReplayed, AuditList, SettingList, ApplicationList,
    ApplicationCreated, ApplicationToken, AllConnections, AllWebhooks,
)  # fmt: skip
"""The types of answers, to which routes refer by name, and the types in them."""
