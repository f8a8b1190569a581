"""Webhooks and subscriptions over the API: the functions of Smartcar's management API and of its dashboard."""

import uuid
from collections.abc import Sequence
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from chargeport.api import instants, paging
from chargeport.api.request import Request
from chargeport.api.request_body import Attributes, attributes
from chargeport.api.response import Response, answer, json_answer
from chargeport.errors import (
    CONFLICT,
    MALFORMED,
    SUBSCRIPTION_NOT_FOUND,
    UNAUTHORIZED,
    VEHICLE_NOT_FOUND,
    WEBHOOK_NOT_FOUND,
    Problem,
)
from chargeport.signals.catalogue import BY_CODE
from chargeport.store.records import Page, user_uuid_of
from chargeport.store.webhooks import MAX_NAME, NEVER, Attempt, Event, Subscription, Webhook, WebhookFields
from chargeport.wire.encoding import without_none
from chargeport.wire.envelope import iso

MAX_BYTES: Final = 65_536
MAX_WEBHOOKS: Final = 100  # of an application
STATES: Final = ("pending", "delivered", "dead")
OVERLAP_S: Final = 86_400  # for which the previous management token stays valid
MAX_OVERLAP_S: Final = 30 * 86_400
_FILTERS: Final = {
    "filter[webhookId]": "webhook", "filter[webhook.id]": "webhook", "filter[webhook_id]": "webhook",
    "filter[vehicleId]": "vehicle", "filter[vehicle.id]": "vehicle", "filter[vehicle_id]": "vehicle",
    "filter[userId]": "user", "filter[user.id]": "user", "filter[user_id]": "user",
}  # fmt: skip

_Id = Annotated[str, Meta(min_length=1, max_length=MAX_NAME)]
_Milliseconds = Annotated[int, Meta(ge=0, le=instants.LATEST_AT, extra_json_schema=instants.MILLISECONDS)]
_Instant = Annotated[str, Meta(pattern=instants.INSTANT_PATTERN)] | _Milliseconds | None


class Span(Attributes, frozen=True):
    """A range of time."""

    from_: _Instant = msgspec.field(default=None, name="from")
    to: _Instant = None


class Overlap(Attributes, frozen=True):
    """For how long the previous token stays valid."""

    overlap_in_seconds: Annotated[float, Meta(ge=0, le=MAX_OVERLAP_S)] = OVERLAP_S


class NewSubscription(Attributes, frozen=True):
    """The webhook to subscribe, the vehicle, and its user."""

    webhook_id: _Id
    vehicle_id: _Id
    user_id: str | None = None


async def list_webhooks(request: Request) -> Response:
    """Return a page of the application's webhooks, oldest first."""
    grant = await request.client()
    page = paging.requested_page(request.query, default_size=50)
    found = [webhook for webhook in await request.context.store.webhooks.webhooks(grant.client_id) if _fits(webhook, request)]
    shown = found[page.offset : page.offset + page.size]
    return _page(request, "v3/webhooks", [resource(webhook, request.base) for webhook in shown], page, len(found))


async def create_webhook(request: Request) -> Response:
    """Create a webhook; its receiver has to answer a VERIFY before any event is sent."""
    grant, now = await request.client(), request.context.clock.now()
    fields = await _fields(request, {})
    if len(await request.context.store.webhooks.webhooks(grant.client_id)) >= MAX_WEBHOOKS:
        raise Problem(CONFLICT, f"An application has at most {MAX_WEBHOOKS} webhooks.")
    webhook = Webhook(id=str(uuid.uuid4()), client_id=grant.client_id, fields=fields, created_at=now, updated_at=now)
    await request.context.store.webhooks.put_webhook(webhook)
    request.context.webhooks.verify_soon(webhook.id)
    return json_answer(201, {"data": resource(webhook, request.base)}, request.request_id)


async def read_webhook(request: Request) -> Response:
    """Return one webhook."""
    return json_answer(200, {"data": resource(await _owned(request), request.base)}, request.request_id)


async def update_webhook(request: Request) -> Response:
    """Change the given members of a webhook; a new receiver has to answer a VERIFY first."""
    webhook = await _owned(request)
    fields = await _fields(request, msgspec.to_builtins(webhook.fields))
    is_elsewhere = (fields.callback_uri, fields.error_callback_uri) != (
        webhook.fields.callback_uri,
        webhook.fields.error_callback_uri,
    )
    is_back = fields.is_enabled and not webhook.fields.is_enabled
    changed = msgspec.structs.replace(
        webhook,
        fields=fields,
        updated_at=request.context.clock.now(),
        verified_at=None if is_elsewhere else webhook.verified_at,
        reason=None if is_back or is_elsewhere else webhook.reason,
        failing_at=None if is_back or is_elsewhere else webhook.failing_at,
    )
    await request.context.store.webhooks.put_webhook(changed)
    if is_back:  # as Smartcar does: the present state is sent first
        await request.context.store.webhooks.forget_sent(webhook.id)
    if changed.verified_at is None:
        request.context.webhooks.verify_soon(webhook.id)
    else:
        request.context.webhooks.compare(webhook.id)
    return json_answer(200, {"data": resource(changed, request.base)}, request.request_id)


async def delete_webhook(request: Request) -> Response:
    """Delete a webhook with its subscriptions and events."""
    webhook = await _owned(request)
    await request.context.store.webhooks.remove_webhook(webhook.id)
    return answer(204, b"", request.request_id)


async def verify_webhook(request: Request) -> Response:
    """Send a VERIFY now, and return its outcome."""
    webhook = await _owned(request)
    outcome = await request.context.webhooks.verify(webhook)
    found = await _owned(request)
    attributes = {"isVerified": outcome.error is None, "status": outcome.status, "error": outcome.error}
    body = {"data": resource(found, request.base), "meta": {"verification": without_none(attributes)}}
    return json_answer(200, body, request.request_id)


async def list_deliveries(request: Request) -> Response:
    """Return a page of a webhook's events, newest first, each with its attempts."""
    return await deliveries_of(request, await _owned(request), "v3/webhooks")


async def deliveries_of(request: Request, webhook: Webhook, path: str) -> Response:
    """Return a page of the events of a webhook."""
    page = paging.requested_page(request.query, default_size=25)
    state = dict(request.query).get("filter[state]")
    if state is not None and state not in STATES:
        raise Problem(MALFORMED, f"filter[state] is one of {', '.join(STATES)}, not {state[:40]!r}.")
    found, total = await request.context.store.webhooks.events(webhook.id, page, state)  # type: ignore[arg-type]
    attempts = await request.context.store.webhooks.attempts([event.id for event in found])
    data = [delivery(event, [attempt for attempt in attempts if attempt.event_id == event.id]) for event in found]
    return _page(request, f"{path}/{webhook.id}/deliveries", data, page, total)


async def redeliver(request: Request) -> Response:
    """Send an event once more, with the same eventId."""
    return await sent_again(request, await _owned(request))


async def sent_again(request: Request, webhook: Webhook) -> Response:
    """Send an event of a webhook again."""
    event_id, now = request.path("delivery_id"), request.context.clock.now()
    again = await request.context.store.webhooks.redeliver(webhook.id, [event_id], 0, NEVER, now)
    if not again:
        raise Problem(WEBHOOK_NOT_FOUND, "The webhook has no event with this id.")
    request.context.webhooks.wake()
    return json_answer(202, {"meta": {"message": "The event is sent again."}}, request.request_id)


async def redeliver_given_up(request: Request) -> Response:
    """Send the dead events again: all, or those created between two instants."""
    webhook, now = await _owned(request), request.context.clock.now()
    given = await attributes(request, Span, MAX_BYTES)
    times = (("from", given.from_), ("to", given.to))
    start, end = (None if at is None else instants.instant(name, str(at)) for name, at in times)
    count = await request.context.store.webhooks.redeliver(webhook.id, None, start or 0, NEVER if end is None else end, now)
    request.context.webhooks.wake()
    body = {"meta": {"message": "The events are sent again.", "totalCount": count}}
    return json_answer(202, body, request.request_id)


async def rotate_key(request: Request) -> Response:
    """Replace the application's management token; the previous one stays valid for webhooks for a while."""
    grant = await request.client()
    overlap_s = (await attributes(request, Overlap, MAX_BYTES)).overlap_in_seconds
    renewed = await request.context.access.rotate_management_token(grant.client_id, overlap_s)
    if renewed is None:
        raise Problem(UNAUTHORIZED, "The application was revoked.")
    made = {"managementToken": renewed[0], "previousValidUntil": iso(renewed[1])}
    body = {"data": {"type": "management-token", "attributes": made}}
    return json_answer(201, body, request.request_id, [(b"pragma", b"no-cache")])


async def list_subscriptions(request: Request) -> Response:
    """Return a page of the subscriptions of the application's webhooks, oldest first."""
    grant = await request.client()
    page = paging.requested_page(request.query, default_size=25)
    given = {_FILTERS[name]: value for name, value in request.query if name in _FILTERS}
    webhooks = await request.context.store.webhooks.webhooks(grant.client_id)
    ids = [webhook.id for webhook in webhooks if given.get("webhook", webhook.id) == webhook.id]
    user = given.get("user", request.user_id)
    found, total = await request.context.store.webhooks.subscriptions(
        page, ids, vehicle_id=given.get("vehicle"), user_uuid=None if user is None else user_uuid_of(user)
    )
    return _page(
        request, "v3/subscriptions", [subscription_resource(subscription, request.base) for subscription in found], page, total
    )


async def create_subscription(request: Request) -> Response:
    """Subscribe a webhook to a vehicle; answer 202, or 409 if it is subscribed already."""
    grant = await request.client()
    members = await attributes(request, NewSubscription, MAX_BYTES)
    webhook = await request.context.store.webhooks.webhook(members.webhook_id, grant.client_id)
    if webhook is None:
        raise Problem(WEBHOOK_NOT_FOUND, "The application has no webhook with this id.")
    vehicle_id, user = members.vehicle_id, members.user_id
    await request.context.access.permissions(grant, vehicle_id, user)
    if await request.context.store.vehicles.vehicle(vehicle_id) is None:
        raise Problem(VEHICLE_NOT_FOUND, "No vehicle with this id is known to this server.")
    user_uuid = user_uuid_of(user if user is not None else grant.client_id)
    made = await request.context.store.webhooks.subscribe(webhook.id, vehicle_id, user_uuid, request.context.clock.now())
    if made is None:
        raise Problem(CONFLICT, "The webhook is subscribed to this vehicle already.")
    request.context.webhooks.compare(webhook.id)
    meta = {"message": "The webhook is subscribed to the vehicle."}
    body = {"data": subscription_resource(made, request.base), "meta": meta}
    return json_answer(202, body, request.request_id)


async def read_subscription(request: Request) -> Response:
    """Return one subscription."""
    found = await _owned_subscription(request)
    return json_answer(200, {"data": subscription_resource(found, request.base)}, request.request_id)


async def delete_subscription(request: Request) -> Response:
    """Delete a subscription."""
    found = await _owned_subscription(request)
    await request.context.store.webhooks.unsubscribe(found.id, request.context.clock.now())
    return answer(204, b"", request.request_id)


def resource(webhook: Webhook, base: str) -> dict[str, Any]:
    """Return the webhook as a resource."""
    attributes = msgspec.to_builtins(webhook.fields) | {
        "isVerified": webhook.verified_at is not None,
        "verifiedAt": None if webhook.verified_at is None else iso(webhook.verified_at),
        "failingSince": None if webhook.failing_at is None else iso(webhook.failing_at),
        "reason": webhook.reason,
    }
    return {
        "id": webhook.id,
        "type": "webhook",
        "attributes": attributes,
        "meta": {"createdAt": iso(webhook.created_at), "updatedAt": iso(webhook.updated_at)},
        "links": {"self": f"{base}/v3/webhooks/{webhook.id}"},
    }


def subscription_resource(subscription: Subscription, base: str) -> dict[str, Any]:
    """Return the subscription as a resource."""
    related = {"webhook": subscription.webhook_id, "vehicle": subscription.vehicle.id, "user": subscription.user_uuid}
    return {
        "id": subscription.id,
        "type": "subscription",
        "attributes": {f"{kind}Id": name for kind, name in related.items()},
        "relationships": {kind: {"data": {"id": name, "type": kind}} for kind, name in related.items()},
        "meta": {"createdAt": iso(subscription.created_at)},
        "links": {"self": f"{base}/v3/subscriptions/{subscription.id}"},
    }


def delivery(event: Event, attempts: Sequence[Attempt]) -> dict[str, Any]:
    """Return an event of the delivery log, with its attempts."""
    return {
        "id": event.id,
        "type": "delivery",
        "attributes": {
            "eventType": event.kind,
            "state": event.state,
            "nextAttemptAt": None if event.due_at is None else iso(event.due_at),
            "attempts": [
                without_none(
                    {
                        "deliveryId": attempt.id,
                        "attemptedAt": iso(attempt.started_at),
                        "durationInMilliseconds": attempt.duration_ms,
                        "status": attempt.status,
                        "error": attempt.error,
                        "response": attempt.response,
                    }
                )
                for attempt in attempts
            ],
        },
        "meta": {"createdAt": iso(event.created_at)},
    }


async def _owned(request: Request) -> Webhook:
    """Return the webhook of the path, if it is the caller's. Raises Problem (404)."""
    grant = await request.client()
    return await any_webhook(request, grant.client_id)


async def any_webhook(request: Request, client_id: str | None = None) -> Webhook:
    """Return the webhook of the path, of this application or (None) of any. Raises Problem (404)."""
    webhook = await request.context.store.webhooks.webhook(request.path("webhook_id"), client_id)
    if webhook is None:
        raise Problem(WEBHOOK_NOT_FOUND, "The application has no webhook with this id.")
    return webhook


async def _owned_subscription(request: Request) -> Subscription:
    grant = await request.client()
    found = await request.context.store.webhooks.subscription(request.path("subscription_id"), grant.client_id)
    if found is None:
        raise Problem(SUBSCRIPTION_NOT_FOUND, "The application has no subscription with this id.")
    return found


def _fits(webhook: Webhook, request: Request) -> bool:
    fields, given = webhook.fields, dict(request.query)
    facts = {
        "filter[name]": fields.name,
        "filter[callbackUri]": fields.callback_uri,
        "filter[isEnabled]": str(fields.is_enabled).lower(),
        "filter[autoSubscribe]": str(fields.auto_subscribe).lower(),
    }
    return all(given.get(name, fact) == fact for name, fact in facts.items())


async def _fields(request: Request, known: dict[str, Any]) -> WebhookFields:
    """Return the fields of a webhook: the present ones, replaced by those in the body. Raises Problem."""
    given = await attributes(request, dict[str, Any], MAX_BYTES)
    names = {field.encode_name for field in msgspec.structs.fields(WebhookFields)}
    members = known | {name: member for name, member in given.items() if name in names}
    try:
        fields = msgspec.convert(members, WebhookFields)
    except msgspec.ValidationError as error:
        raise Problem(MALFORMED, f"data.attributes: {error}.") from None
    allow_private = request.context.settings.webhooks.allow_private_targets
    if not 0 < len(fields.name) <= MAX_NAME:
        raise Problem(MALFORMED, f"data.attributes.name has 1 to {MAX_NAME} characters.")
    for name, codes in (("triggers", fields.triggers), ("data", fields.data)):
        unknown = [code for code in codes if code not in BY_CODE]
        if unknown or not codes:
            what = f"{unknown[0][:60]!r} is no signal of this server" if unknown else "at least one signal is wanted"
            raise Problem(MALFORMED, f"data.attributes.{name}: {what}: /docs lists the codes.")
    for name, uri in (("callbackUri", fields.callback_uri), ("errorCallbackUri", fields.error_callback_uri)):
        wrong = None if uri is None else request.context.webhooks.check_uri(uri, allow_private=allow_private)
        if wrong is not None:
            raise Problem(MALFORMED, f"data.attributes.{name}: {wrong}.")
    return msgspec.structs.replace(
        fields, triggers=tuple(dict.fromkeys(fields.triggers)), data=tuple(dict.fromkeys(fields.data))
    )


def _page(request: Request, path: str, data: list[dict[str, Any]], page: Page, total: int) -> Response:
    return json_answer(200, paging.listed(f"{request.base}/{path}", data, page, total, request.query), request.request_id)
