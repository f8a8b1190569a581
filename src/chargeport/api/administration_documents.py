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
    """A source as the server stored its state last. Instants are milliseconds since 1970."""

    is_running: bool
    written_at: int
    record: Annotated[str | None, Meta(description="The file that its messages are recorded in.")]


class UnstartedSource(Struct, kw_only=True):
    """A source that is configured and never ran."""

    name: str
    type: str | None
    dialect: str | None
    is_running: Literal[False]
    record: str | None


class SourceList(Document):
    """How each source is."""

    data: list[
        Annotated[Raw, Meta(extra_json_schema={"anyOf": [{"$ref": REF + name} for name in ("SourceRow", "UnstartedSource")]})]
    ]


class IssueEntry(Document):
    """What could not be understood, and how often."""

    source: str
    vehicle: str | None
    subject: Annotated[str, Meta(description="The field, or what else it is about.")]
    detail: str
    count: Annotated[int, Meta(ge=1)]
    first_at: InstantText
    last_at: InstantText
    message: Annotated[str, Meta(description="The last message, as it was received.")]
    application: Annotated[str | None, Meta(description="The application that sent it, by its client id.")]


class IssueList(Document):
    """A page of what could not be understood, newest first."""

    data: list[IssueEntry]
    meta: Counts
    links: PageLinks


class ReplayedIssue(Struct):
    """A kind of issue, and how often it was met."""

    subject: str
    detail: str
    count: Annotated[int, Meta(ge=1)]


class ReplayCounts(Struct):
    """What became of the messages that were read again. Nothing is outranked any more."""

    messages: Count
    accepted: Count
    superseded: Count
    unchanged: Count
    outranked: Literal[0]
    rejected: Count
    issues: Annotated[list[ReplayedIssue], Meta(description="The most frequent kinds.")]


class IssuesReplayed(Document):
    """Issues were read again."""

    data: ReplayCounts


class AuditEntry(Document):
    """A deed. What is counted by day has a `count`, from `at` to `lastAt`."""

    number: int
    act: Act
    actor: str
    address: str
    subject: Annotated[str, Meta(description="The id or name of what it was done to.")]
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
    value: Annotated[Any, Meta(description="What is secret is not shown.")]
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
    """An application among all."""

    is_of_the_page: bool


class ApplicationList(Document):
    """All applications."""

    data: list[ListedApplication]


class NewApplication(ApplicationEntry):
    """An application with its secrets, which are shown this once."""

    client_secret: str = field(name="client_secret")
    management_token: str = field(name="management_token")


class ApplicationCreated(Document):
    """An application was made."""

    data: NewApplication


class IssuedToken(Struct):
    """A bearer token of an application."""

    access_token: str
    token_type: Literal["Bearer"]


class ApplicationToken(Document):
    """A token was issued."""

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
"""The types that routes name as their answers, and those that one of them names."""
