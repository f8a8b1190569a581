"""The store's interface for webhooks: the webhooks, their subscriptions to vehicles, the outbox of events, and the attempts."""

from collections.abc import Sequence
from typing import Final, Literal, Protocol

import msgspec

from chargeport.store.records import Page, Vehicle

EventState = Literal["pending", "delivered", "dead"]
MAX_NAME: Final = 128  # characters
MAX_URI: Final = 2048
NEVER: Final = 1 << 53  # ms: an instant after that of every event


class WebhookFields(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The members of a webhook that a client may set. `triggers` and `data` are codes of signals."""

    name: str
    callback_uri: str
    error_callback_uri: str | None = None
    triggers: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    auto_subscribe: bool = False
    is_enabled: bool = True


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook of an application. `reason` is why it was disabled, unless a person did it."""

    id: str
    client_id: str
    fields: WebhookFields
    created_at: int
    updated_at: int
    verified_at: int | None = None
    failing_at: int | None = None
    reason: str | None = None


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription of a webhook to a vehicle. `sent` is the content of its newest event, as JSON; None before the first."""

    id: str
    webhook_id: str
    vehicle: Vehicle
    user_uuid: str
    created_at: int
    sent: str | None = None


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """An event in the outbox. `body` is its JSON without the members that differ between attempts."""

    id: str
    webhook_id: str
    kind: str
    body: str
    created_at: int
    attempts: int = 0
    due_at: int | None = None
    state: EventState = "pending"


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One request to a receiver; without `status` it was not answered, and `error` is the reason."""

    id: str
    event_id: str
    webhook_id: str
    started_at: int
    duration_ms: int
    status: int | None = None
    error: str | None = None
    response: str | None = None


class Webhooks(Protocol):
    """Webhooks, subscriptions, and the outbox of events."""

    async def put_webhook(self, webhook: Webhook) -> None:
        """Store a new webhook, or replace a known one."""
        ...

    async def webhook(self, webhook_id: str, client_id: str | None = None) -> Webhook | None:
        """Return one webhook; if an application is given, only its own. One of others takes as long as none."""
        ...

    async def webhooks(self, client_id: str | None = None) -> list[Webhook]:
        """Return all webhooks, or those of an application, oldest first."""
        ...

    async def set_failing(self, webhook_id: str, at: int | None) -> None:
        """Note since when no delivery to a webhook succeeds; None: the last one did."""
        ...

    async def disable(self, webhook_id: str, reason: str) -> None:
        """Disable a webhook, for a reason that is shown."""
        ...

    async def verified(self, webhook: Webhook, at: int | None, reason: str | None) -> None:
        """Note when the receivers of a webhook proved that they have the key, or why not; unless its receivers have changed."""
        ...

    async def remove_webhook(self, webhook_id: str) -> bool:
        """Remove a webhook with all that belongs to it; return False if there is none."""
        ...

    async def subscribe(
        self, webhook_id: str, vehicle_id: str, user_uuid: str, at: int, *, again: bool = True
    ) -> Subscription | None:  # fmt: skip
        """Subscribe a webhook to a vehicle; return None if it is subscribed already, or there is no such vehicle.

        None as well where the subscription was ended, unless `again`.
        """
        ...

    async def subscription(self, subscription_id: str, client_id: str | None = None) -> Subscription | None:
        """Return one subscription; if an application is given, only of a webhook of its own."""
        ...

    async def subscriptions(
        self, page: Page, webhook_ids: Sequence[str], *, vehicle_id: str | None = None, user_uuid: str | None = None
    ) -> tuple[list[Subscription], int]:
        """Return a page of the subscriptions of these webhooks, oldest first, and their number."""
        ...

    async def subscriptions_of(self, vehicle_id: str) -> list[Subscription]:
        """Return all subscriptions to a vehicle."""
        ...

    async def unsubscribe(self, subscription_id: str, at: int) -> bool:
        """End a subscription; return False if there is none."""
        ...

    async def forget_sent(self, webhook_id: str) -> None:
        """Make the next event of each subscription of a webhook a first delivery again."""
        ...

    async def due_vehicles(self, now: int, limit: int) -> list[str]:
        """Return the ids of vehicles of which a value may have gone stale by `now`."""
        ...

    async def next_look_at(self) -> int | None:
        """Return when the next value may go stale."""
        ...

    async def enqueue(self, subscription: Subscription, events: Sequence[Event], sent: str, look_at: int | None) -> None:
        """Add events to the outbox and store their content, in one transaction."""
        ...

    async def due_webhooks(self) -> dict[str, int]:
        """Return when the next attempt is due, by webhook. Those with nothing to send are left out."""
        ...

    async def due_events(self, webhook_id: str, now: int, limit: int) -> list[Event]:
        """Return the events of a webhook whose next attempt is due, the longest due first."""
        ...

    async def attempted(self, attempt: Attempt, due_at: int | None, state: EventState) -> None:
        """Store an attempt, and when the next one of the event is due (None: there is none)."""
        ...

    async def event(self, event_id: str) -> Event | None:
        """Return one event."""
        ...

    async def events(self, webhook_id: str, page: Page, state: EventState | None = None) -> tuple[list[Event], int]:
        """Return a page of the events of a webhook, newest first, and their number."""
        ...

    async def attempts(self, event_ids: Sequence[str]) -> list[Attempt]:
        """Return all attempts for these events, oldest first."""
        ...

    async def redeliver(self, webhook_id: str, event_ids: Sequence[str] | None, from_at: int, to_at: int, at: int) -> int:
        """Make events due again: these, or all that were given up and were created in a time; return their number."""
        ...

    async def prune_events(self, before_at: int, limit: int) -> int:
        """Remove events that are no longer pending and were created before an instant; return their number."""
        ...

    async def pending(self) -> dict[str, tuple[int, int]]:
        """Return how many events wait for their delivery, and when the oldest of them was created, by webhook."""
        ...
