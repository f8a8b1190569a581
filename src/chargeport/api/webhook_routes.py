"""The routes of webhooks and subscriptions: part of the table in `api.routes`."""

from typing import Final

from chargeport.api import paging, webhooks
from chargeport.api.route import USER, VEHICLE_ID, Parameter, Route, pages
from chargeport.errors import (
    ACCESS_DENIED,
    CONFLICT,
    MALFORMED,
    SUBSCRIPTION_NOT_FOUND,
    VEHICLE_NOT_FOUND,
    WEBHOOK_NOT_FOUND,
)

WEBHOOK_ROUTES: Final = (
    Route(
        method="GET", path="/webhooks", name="listWebhooks", tag="Webhooks", v3=True, handler=webhooks.list_webhooks,
        summary="List the application's webhooks", answer="WebhookList",
        parameters=(
            Parameter("filter[name]", "Only those with this name.", "Home"),
            Parameter("filter[callbackUri]", "Only those with this receiver.", "https://example.org/hook"),
            Parameter("filter[isEnabled]", "Only those that are enabled, or are not: true or false.", "true"),
            Parameter("filter[autoSubscribe]", "Only those that are subscribed to every vehicle, or are not.", "true"),
            *pages(paging.MAX_SIZE),
        ),
        errors=(MALFORMED, ACCESS_DENIED),
    ),
    Route(
        method="POST", path="/webhooks", name="createWebhook", tag="Webhooks", v3=True, handler=webhooks.create_webhook,
        summary="Create a webhook", answer="WebhookDocument", body="NewWebhook", status=201,
        detail='The body is {"data": {"attributes": {"name", "callbackUri", "errorCallbackUri", "triggers", "data",'
        ' "autoSubscribe", "isEnabled"}}}: `triggers` and `data` are codes of signals. Its receiver is sent a VERIFY, and'
        " no event before it has answered that.",
        errors=(MALFORMED, ACCESS_DENIED, CONFLICT),
    ),
    Route(
        method="GET", path="/webhooks/{webhook_id}", name="getWebhook", tag="Webhooks", v3=True,
        handler=webhooks.read_webhook, summary="Read one webhook", answer="WebhookDocument",
        errors=(ACCESS_DENIED, WEBHOOK_NOT_FOUND),
    ),
    Route(
        method="PATCH", path="/webhooks/{webhook_id}", name="updateWebhook", tag="Webhooks", v3=True,
        handler=webhooks.update_webhook, summary="Change a webhook", answer="WebhookDocument", body="ChangedWebhook",
        errors=(MALFORMED, ACCESS_DENIED, WEBHOOK_NOT_FOUND),
    ),
    Route(
        method="DELETE", path="/webhooks/{webhook_id}", name="deleteWebhook", tag="Webhooks", v3=True,
        handler=webhooks.delete_webhook, summary="Delete a webhook", status=204,
        errors=(ACCESS_DENIED, WEBHOOK_NOT_FOUND),
    ),
    Route(
        method="POST", path="/webhooks/{webhook_id}/verify", name="verifyWebhook", tag="Webhooks", v3=True,
        handler=webhooks.verify_webhook, summary="Send a VERIFY now", answer="VerifiedWebhook",
        errors=(ACCESS_DENIED, WEBHOOK_NOT_FOUND),
    ),
    Route(
        method="GET", path="/webhooks/{webhook_id}/deliveries", name="listDeliveries", tag="Webhooks", v3=True,
        handler=webhooks.list_deliveries, summary="List a webhook's events with their attempts", answer="DeliveryList",
        parameters=(
            Parameter("filter[state]", "Only those that are pending, delivered or dead.", "dead", values=webhooks.STATES),
            *pages(paging.MAX_SIZE),
        ),
        errors=(MALFORMED, ACCESS_DENIED, WEBHOOK_NOT_FOUND),
    ),
    Route(
        method="POST", path="/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver", name="redeliver", tag="Webhooks",
        v3=True, handler=webhooks.redeliver, summary="Send an event again", answer="Redelivery", status=202,
        errors=(ACCESS_DENIED, WEBHOOK_NOT_FOUND),
    ),
    Route(
        method="POST", path="/webhooks/{webhook_id}/redeliver", name="redeliverGivenUp", tag="Webhooks", v3=True,
        handler=webhooks.redeliver_given_up, summary="Send the dead events again", answer="Redelivery",
        body="Span", status=202, detail='{"data": {"attributes": {"from", "to"}}}: those created between these instants.',
        errors=(MALFORMED, ACCESS_DENIED, WEBHOOK_NOT_FOUND),
    ),
    Route(
        method="POST", path="/management-token", name="rotateManagementToken", tag="Webhooks", v3=True,
        handler=webhooks.rotate_key, summary="Replace the token that signs webhooks", answer="RenewedManagementToken",
        body="Overlap", status=201, detail='The body is {"data": {"attributes": {"overlapInSeconds"}}}: the previous one stays'
        " valid for this time, by default a day. If a receiver answers 401 or 403, the other signature is sent immediately.",
        errors=(MALFORMED, ACCESS_DENIED),
    ),
    Route(
        method="GET", path="/subscriptions", name="listSubscriptions", tag="Webhooks", v3=True,
        handler=webhooks.list_subscriptions, summary="List the subscriptions of the application's webhooks",
        answer="SubscriptionList",
        parameters=(
            Parameter("filter[webhookId]", "Only of this webhook.", "0b0c6b0e-1b5e-4d6e-9b3f-2f8f5f2a7c11"),
            Parameter("filter[vehicleId]", "Only to this vehicle.", VEHICLE_ID),
            Parameter("filter[userId]", "Only of this user's vehicles.", "7d0f5c1e-2a67-4f0b-9f61-0c5d3b1e8a01"),
            *pages(paging.MAX_SIZE), USER,
        ),
        errors=(MALFORMED, ACCESS_DENIED),
    ),
    Route(
        method="POST", path="/subscriptions", name="createSubscription", tag="Webhooks", v3=True,
        handler=webhooks.create_subscription, summary="Subscribe a webhook to a vehicle", answer="SubscriptionDocument",
        body="NewSubscription", status=202,
        detail='The body is {"data": {"attributes": {"webhookId", "userId", "vehicleId"}}}.',
        errors=(MALFORMED, ACCESS_DENIED, WEBHOOK_NOT_FOUND, VEHICLE_NOT_FOUND, CONFLICT),
    ),
    Route(
        method="GET", path="/subscriptions/{subscription_id}", name="getSubscription", tag="Webhooks", v3=True,
        handler=webhooks.read_subscription, summary="Read one subscription", answer="SubscriptionDocument",
        errors=(ACCESS_DENIED, SUBSCRIPTION_NOT_FOUND),
    ),
    Route(
        method="DELETE", path="/subscriptions/{subscription_id}", name="deleteSubscription", tag="Webhooks", v3=True,
        handler=webhooks.delete_subscription, summary="Delete a subscription", status=204,
        errors=(ACCESS_DENIED, SUBSCRIPTION_NOT_FOUND),
    ),
)  # fmt: skip
