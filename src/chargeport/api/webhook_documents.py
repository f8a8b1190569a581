"""The bodies and answers of the routes of webhooks and subscriptions, as types: the OpenAPI document has their schemas.

The answers are written as mappings; a test checks each of them against these types.
"""

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from chargeport.api.request_body import Attributes
from chargeport.store.webhooks import MAX_NAME, MAX_URI, EventState
from chargeport.wire.documents import Code, Counts, Document, Instant, Linkage, PageLinks, SelfLink

Name = Annotated[str, Meta(min_length=1, max_length=MAX_NAME)]
Receiver = Annotated[
    str,
    Meta(
        max_length=MAX_URI, pattern=r"^https?://[A-Za-z0-9.-]+(:[0-9]{1,4})?([/?][!-\"$-~]*)?$",
        description="An absolute https URI, without user and fragment.",
    ),
]  # fmt: skip
Codes = Annotated[list[Code], Meta(min_length=1)]


class NewWebhook(Attributes, frozen=True, kw_only=True):
    """The settings of a webhook. `triggers` and `data` are codes of signals."""

    name: Name
    callback_uri: Receiver
    error_callback_uri: Receiver | None = None
    triggers: Annotated[Codes, Meta(description="The signals whose changes are sent.")]
    data: Annotated[Codes, Meta(description="The signals in an event.")]
    auto_subscribe: Annotated[bool, Meta(description="Whether it reports on every vehicle, also on later ones.")] = False
    is_enabled: bool = True


def _optional(field: msgspec.structs.FieldInfo) -> tuple[str, Any, Any]:
    return field.name, field.type | UnsetType, UNSET


WebhookChange: Final = msgspec.defstruct(
    "WebhookChange",
    map(_optional, msgspec.structs.fields(NewWebhook)),
    bases=(Attributes,),
    namespace={"__doc__": "The members of a webhook to change; the others are not changed."},
    frozen=True,
    kw_only=True,
)


class WebhookAttributes(Document):
    """The settings and the state of a webhook."""

    name: Name
    callback_uri: str
    error_callback_uri: str | None
    triggers: list[Code]
    data: list[Code]
    auto_subscribe: bool
    is_enabled: bool
    is_verified: bool
    verified_at: Instant | None
    failing_since: Annotated[Instant | None, Meta(description="Since when no delivery has succeeded.")]
    reason: Annotated[str | None, Meta(description="Why the server disabled it.")]


class ResourceTimes(Document):
    """When a resource was created and last changed."""

    created_at: Instant
    updated_at: Instant


class WebhookResource(Document):
    """A webhook as a resource."""

    id: str
    type: Literal["webhook"]
    attributes: WebhookAttributes
    meta: ResourceTimes
    links: SelfLink


class WebhookDocument(Document):
    """One webhook."""

    data: WebhookResource


class WebhookList(Document):
    """A page of the application's webhooks, oldest first."""

    data: list[WebhookResource]
    meta: Counts
    links: PageLinks


class Verification(Document):
    """The outcome of a VERIFY."""

    is_verified: bool
    status: Annotated[int | UnsetType, Meta(description="The status of the receiver's answer.")] = UNSET
    error: str | UnsetType = UNSET


class VerificationMeta(Document):
    """The outcome of a VERIFY, in addition to the webhook."""

    verification: Verification


class VerifiedWebhook(Document):
    """A webhook after a VERIFY."""

    data: WebhookResource
    meta: VerificationMeta


class DeliveryAttempt(Document):
    """One request to a receiver."""

    delivery_id: str
    attempted_at: Instant
    duration_in_milliseconds: Annotated[int, Meta(ge=0)]
    status: int | UnsetType = UNSET
    error: str | UnsetType = UNSET
    response: Annotated[str | UnsetType, Meta(description="The start of the receiver's answer.")] = UNSET


class DeliveryAttributes(Document):
    """The state of the delivery of an event."""

    event_type: str
    state: EventState
    next_attempt_at: Instant | None
    attempts: list[DeliveryAttempt]


class CreationTime(Document):
    """When it was created."""

    created_at: Instant


class Delivery(Document):
    """An event of a webhook, with its attempts."""

    id: str
    type: Literal["delivery"]
    attributes: DeliveryAttributes
    meta: CreationTime


class DeliveryList(Document):
    """A page of a webhook's events, newest first."""

    data: list[Delivery]
    meta: Counts
    links: PageLinks


class Note(Document):
    """A description of what was done; `totalCount` is the number of affected objects."""

    message: str
    total_count: Annotated[int, Meta(ge=0)] | UnsetType = UNSET


class Redelivery(Document):
    """Events are sent again."""

    meta: Note


class ManagementTokenAttributes(Document):
    """The new token, and until when the previous one is valid."""

    management_token: str
    previous_valid_until: Instant


class ManagementToken(Document):
    """A management token as a resource."""

    type: Literal["management-token"]
    attributes: ManagementTokenAttributes


class RenewedManagementToken(Document):
    """The token with which webhooks are signed from now on."""

    data: ManagementToken


class SubscriptionAttributes(Document):
    """The webhook, the vehicle and the user of a subscription."""

    webhook_id: str
    vehicle_id: str
    user_id: str


class RelatedResource(Document):
    """A resource of a subscription."""

    data: Linkage


class SubscriptionRelations(Document):
    """The resources of a subscription."""

    webhook: RelatedResource
    vehicle: RelatedResource
    user: RelatedResource


class SubscriptionResource(Document):
    """A subscription as a resource."""

    id: str
    type: Literal["subscription"]
    attributes: SubscriptionAttributes
    relationships: SubscriptionRelations
    meta: CreationTime
    links: SelfLink


class SubscriptionDocument(Document):
    """One subscription."""

    data: SubscriptionResource
    meta: Note | UnsetType = UNSET


class SubscriptionList(Document):
    """A page of the subscriptions, oldest first."""

    data: list[SubscriptionResource]
    meta: Counts
    links: PageLinks


ANSWERS: Final = (
    WebhookDocument, WebhookList, VerifiedWebhook, DeliveryList, Redelivery, RenewedManagementToken, SubscriptionDocument,
    SubscriptionList,
)  # fmt: skip
"""The types of answers, to which routes refer by name."""
