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
    """A webhook as an application sets it. `triggers` and `data` are codes of signals."""

    name: Name
    callback_uri: Receiver
    error_callback_uri: Receiver | None = None
    triggers: Annotated[Codes, Meta(description="The signals whose changes are sent.")]
    data: Annotated[Codes, Meta(description="The signals that an event shows.")]
    auto_subscribe: Annotated[bool, Meta(description="Whether it reports on every vehicle, those to come, too.")] = False
    is_enabled: bool = True


def _optional(field: msgspec.structs.FieldInfo) -> tuple[str, Any, Any]:
    return field.name, field.type | UnsetType, UNSET


WebhookChange: Final = msgspec.defstruct(
    "WebhookChange",
    map(_optional, msgspec.structs.fields(NewWebhook)),
    bases=(Attributes,),
    namespace={"__doc__": "The members of a webhook that are to change; those that are left out stay."},
    frozen=True,
    kw_only=True,
)


class WebhookAttributes(Document):
    """A webhook as it was set, and how it is."""

    name: Name
    callback_uri: str
    error_callback_uri: str | None
    triggers: list[Code]
    data: list[Code]
    auto_subscribe: bool
    is_enabled: bool
    is_verified: bool
    verified_at: Instant | None
    failing_since: Annotated[Instant | None, Meta(description="Since when no delivery succeeds.")]
    reason: Annotated[str | None, Meta(description="Why the server disabled it.")]


class ResourceTimes(Document):
    """Since when a resource is so."""

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
    """What came of a VERIFY."""

    is_verified: bool
    status: Annotated[int | UnsetType, Meta(description="What the receiver answered.")] = UNSET
    error: str | UnsetType = UNSET


class VerificationMeta(Document):
    """What came of a VERIFY, beside the webhook."""

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
    response: Annotated[str | UnsetType, Meta(description="The begin of what the receiver answered.")] = UNSET


class DeliveryAttributes(Document):
    """How the delivery of an event is."""

    event_type: str
    state: EventState
    next_attempt_at: Instant | None
    attempts: list[DeliveryAttempt]


class CreationTime(Document):
    """When it was made."""

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
    """What was done, in a sentence; `totalCount` where it was done to several."""

    message: str
    total_count: Annotated[int, Meta(ge=0)] | UnsetType = UNSET


class Redelivery(Document):
    """Events are sent again."""

    meta: Note


class ManagementTokenAttributes(Document):
    """The new token, and until when the one before is valid."""

    management_token: str
    previous_valid_until: Instant


class ManagementToken(Document):
    """A management token as a resource."""

    type: Literal["management-token"]
    attributes: ManagementTokenAttributes


class RenewedManagementToken(Document):
    """The token that webhooks are signed with from now on."""

    data: ManagementToken


class SubscriptionAttributes(Document):
    """Which webhook reports on which vehicle of whom."""

    webhook_id: str
    vehicle_id: str
    user_id: str


class RelatedResource(Document):
    """A resource that a subscription joins."""

    data: Linkage


class SubscriptionRelations(Document):
    """What a subscription joins."""

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
"""The types that routes name as their answers."""
