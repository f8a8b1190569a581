"""The MQTT source: subscribe to topics, pass on messages in batches, and acknowledge what has been stored."""

import asyncio
from typing import Final

from chargeport.sources.base import (
    REFUSED,
    Cause,
    Command,
    CommandError,
    Delivery,
    Done,
    Emit,
    SourceContext,
    SourceError,
    SourceType,
)
from chargeport.sources.mqtt.commanding import wish
from chargeport.sources.mqtt.link import Arrival, Link, linked
from chargeport.sources.mqtt.settings import MqttSettings, checked_filter


class MqttSource:
    """Subscribes to the topics of its context. Raises SourceError where there are none, or one is not a valid filter."""

    def __init__(self, settings: MqttSettings, context: SourceContext) -> None:
        self._settings = settings
        self._context = context
        self._link: Link | None = None
        self._client_id = settings.client_id or f"chargeport-{context.name}"
        if not context.topics:
            raise SourceError(
                Cause.CONFIGURATION, f"The dialect {context.dialect} has no topics of its own: topics must name some."
            )
        try:
            self._filters = tuple(dict.fromkeys(checked_filter(text) for text in context.topics))
        except ValueError as error:
            raise SourceError(Cause.CONFIGURATION, f"topics: {error}.") from None

    @property
    def name(self) -> str:
        """The name that `meta.source` shows."""
        return self._context.name

    async def command(self, command: Command) -> Done | None:
        """Publish a command for evcc; its own topics show whether it is executed. Raises CommandError."""
        wanted = wish(command, self._context.dialect, self._filters)
        if wanted is None:
            return None
        if self._link is None or not await self._link.publish(*wanted):
            host = self._settings.address[0]
            raise CommandError("UPSTREAM", "NO_RESPONSE", f"The broker {host} is not connected, or did not take the message.")
        return Done.TAKEN

    async def run(self, emit: Emit) -> None:
        """Receive until cancelled; a message is acknowledged once `emit` has returned, and sent again where it raised.

        Raises SourceError when the connection can't be made or ends, and whatever `emit` raises.
        """
        link = await linked(self._settings, self._client_id, self._settings.session_expiry_s, self._context.clock)
        self._link = link
        try:
            link.subscribe(self._filters, granted=self._context.status.connected)
            while True:
                arrivals = await link.arrivals()
                await emit([self._delivery(arrival) for arrival in arrivals])
                link.acknowledge(arrivals)
        finally:
            self._link = None
            await link.close()

    async def check(self, timeout_s: float) -> None:
        """Connect and subscribe once, with a client id and a session of its own, so that a running source is not disturbed.

        Raises SourceError.
        """
        link: Link | None = None
        try:
            async with asyncio.timeout(timeout_s):
                link = await linked(self._settings, f"{self._client_id}-check", 0, self._context.clock)
                granted = asyncio.Event()
                link.subscribe(self._filters, granted.set)
                await link.disregard(until=granted)
        except TimeoutError:
            host = self._settings.address[0]
            words = f"{host} did not answer within {timeout_s:g} s: check url, firewall and whether the broker runs."
            raise SourceError(Cause.UNREACHABLE, words) from None
        finally:
            if link is not None:
                await link.close()

    def _delivery(self, arrival: Arrival) -> Delivery:
        at_most = self._settings.max_message_bytes
        headers = {}
        if arrival.size > at_most:
            headers = {REFUSED: f"the payload has {arrival.size:,} bytes, at most {at_most:,} are taken (max_message_bytes)"}
        return Delivery(
            source=self._context.name,
            dialect=self._context.dialect,
            payload=arrival.payload,
            received_at=arrival.at,
            topic=arrival.topic,
            vehicle=self._context.vehicle,
            retained=arrival.retained,
            headers=headers,
        )


TYPE: Final = SourceType(
    name="mqtt", summary="Topics of an MQTT broker, 5 or 3.1.1", settings=MqttSettings, build=MqttSource
)  # fmt: skip
