"""NATS JetStream as a transport: a durable pull consumer, which acknowledges a message when it is on disk.

Processes that share the durable share its messages. A lost acknowledgement only causes a repeated message.
"""

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from chargeport.sources.base import Delivery, Emit, SourceContext, SourceType
from chargeport.sources.nats_link import Link
from chargeport.sources.nats_settings import NatsSettings

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.js import JetStreamContext

WAIT_S: Final = 5.0  # how long one request for a message stays with the server
LINGER_S: Final = 0.02  # after a first message, to collect those that follow it at once
CONNECT_S: Final = 10
REPEAT_S: Final = 1.0  # after which a message that could not be stored may be delivered again


class NatsSource:
    """Consumes a JetStream stream as one of a durable's consumers."""

    shares_work = True  # the broker gives each message to one process

    def __init__(self, settings: NatsSettings, context: SourceContext) -> None:
        self._settings = settings
        self._context = context

    @property
    def name(self) -> str:
        """The name that `meta.source` shows."""
        return self._context.name

    async def run(self, emit: Emit) -> None:
        """Emit what the durable has not acknowledged, and acknowledge it, until cancelled. Raises SourceError."""
        link = Link(self._settings)
        try:
            subscription = await link.subscribed(CONNECT_S)
            self._context.status.connected()
            while True:
                if messages := await link.alive(_fetched(subscription, self._settings.batch)):
                    await self._store(messages, emit)
                    await link.alive(_acknowledged(link.client, messages))
                    self._context.status.lag(messages[-1].metadata.num_pending)
        finally:
            await link.close()

    async def check(self, timeout_s: float) -> None:
        """Connect once and check the stream. Raises SourceError."""
        link = Link(self._settings)
        try:
            await link.stream(timeout_s)
        finally:
            await link.close()

    async def _store(self, messages: "list[Msg]", emit: Emit) -> None:
        received_at = self._context.clock.now()
        try:
            await emit([self._delivery(message, received_at) for message in messages])
        except Exception:
            await _refused(messages)
            raise

    def _delivery(self, message: "Msg", received_at: int) -> Delivery:
        return Delivery(
            source=self._context.name,
            dialect=self._context.dialect,
            payload=message.data,
            received_at=received_at,
            topic=message.subject,
            vehicle=self._context.vehicle,
            headers={name.lower(): value for name, value in (message.headers or {}).items()},
        )


async def _fetched(subscription: "JetStreamContext.PullSubscription", batch: int) -> "list[Msg]":
    """Return the available messages, at once when there are any, with those that follow; nothing after WAIT_S."""
    try:
        messages = await subscription.fetch(1, timeout=WAIT_S)
    except TimeoutError:  # nats-py raises a subclass, or this class where no time is left for a step
        return []
    with suppress(TimeoutError):
        # A request for many waits for all of them: so it is short, and the one for the first message is long.
        messages += await subscription.fetch(batch - 1, timeout=LINGER_S)
    return messages


async def _refused(messages: "list[Msg]") -> None:
    """Reject them at once, so that their redelivery does not wait for `ack_wait_s`."""
    from nats.errors import Error

    with suppress(Error, OSError):  # the connection may be gone as well: then the server detects it by itself
        for message in messages:
            await message.nak(delay=REPEAT_S)


async def _acknowledged(client: "Client", messages: "list[Msg]") -> None:
    for message in messages:
        await message.ack()
    await client.flush(CONNECT_S)


NATS: Final = SourceType(
    name="nats", summary="A NATS JetStream stream, through a durable consumer", settings=NatsSettings, build=NatsSource
)
