"""The connection to the broker: a publication is complete once the broker has acknowledged it.

paho stores unacknowledged messages and sends them again after a reconnect; it runs in a thread of its own.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from chargeport.mqtt_out.discovery import OFFLINE, ONLINE
from chargeport.sources.mqtt.settings import MqttSettings

MAX_RECONNECT_S: Final = 60
MAX_UNACKNOWLEDGED: Final = 100  # publications

_log = logging.getLogger("chargeport.mqtt_out")


class Broker:
    """Publish, retained and at least once. `status` is the topic for whether this server is connected."""

    def __init__(self, settings: MqttSettings, client_id: str, status: str) -> None:
        self.on_connected: Callable[[], None] = lambda: None
        """Called on the event loop after each connection."""
        self._settings = settings
        self._status = status
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self._client = client = Client(CallbackAPIVersion.VERSION2, client_id)
        client.max_inflight_messages_set(MAX_UNACKNOWLEDGED)
        client.reconnect_delay_set(1, MAX_RECONNECT_S)
        client.will_set(status, OFFLINE, qos=1, retain=True)
        client.on_connect, client.on_disconnect, client.on_publish = self._connected, self._disconnected, self._published

    def start(self) -> None:
        """Start to connect; earlier publications are sent then. Raises SourceError if a setting is invalid."""
        self._loop = asyncio.get_running_loop()
        user, password = self._settings.login()
        if user is not None:
            self._client.username_pw_set(user, password)
        context = self._settings.tls_context()
        if context is not None:
            self._client.tls_set_context(context)
        host, port = self._settings.address
        self._client.connect_async(host, port, self._settings.keepalive_s)
        self._client.loop_start()

    def publish(self, topic: str, payload: bytes) -> "asyncio.Future[None]":
        """Publish; the future is done once the broker has acknowledged it."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[self._client.publish(topic, payload, qos=1, retain=True).mid] = done
        return done

    async def close(self) -> None:
        """Publish that the server is offline, and disconnect."""
        if self._loop is None:
            return
        self._client.publish(self._status, OFFLINE, qos=1, retain=True)
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)
        for future in self._waiting.values():
            future.cancel()
        self._waiting.clear()

    # The methods below run in paho's thread.

    def _connected(self, client: Client, _: Any, __: ConnectFlags, reason: ReasonCode, ___: Properties | None) -> None:
        if reason.is_failure:
            _log.warning("mqtt_out: the broker refuses the connection: %s", reason)
            return
        _log.info("mqtt_out: connected")
        client.publish(self._status, ONLINE, qos=1, retain=True)
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.on_connected)

    def _disconnected(self, _: Client, __: Any, ___: DisconnectFlags, reason: ReasonCode, ____: Properties | None) -> None:
        if reason.is_failure:
            _log.warning("mqtt_out: the connection to the broker ended: %s", reason)

    def _published(self, _: Client, __: Any, mid: int, ___: ReasonCode, ____: Properties | None) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._acknowledged, mid)

    def _acknowledged(self, mid: int) -> None:
        done = self._waiting.pop(mid, None)
        if done is not None and not done.done():
            done.set_result(None)
