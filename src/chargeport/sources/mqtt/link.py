"""A link to an MQTT broker: messages wait here, within bounds, until they are taken and acknowledged."""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from paho.mqtt.client import Client, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from chargeport.clock import Clock
from chargeport.sources.base import Cause, SourceError
from chargeport.sources.mqtt import reasons
from chargeport.sources.mqtt.settings import MqttSettings
from chargeport.sources.mqtt.wire import Wire

HELD_BYTES: Final = 8 * 1_048_576  # payloads that wait here; above it, the broker has to wait
EXCERPT_BYTES: Final = 1_000  # stored of a payload that is too long
ANSWER_S: Final = 10  # for the broker to accept the connection
_LONGEST_HEAD_BYTES: Final = 70_000  # topic (up to 65,537 bytes), identifier and the usual properties
_V5: Final = MQTTProtocolVersion.MQTTv5


class Arrival(NamedTuple):
    """A message, and its time of receipt (ms since the epoch). `size` is the payload's full size in bytes, also if cut."""

    topic: str
    payload: bytes
    size: int
    retained: bool
    mid: int
    qos: int
    at: int


class _Tls(ssl.SSLSocket):
    """Paho leaves a socket open when the handshake fails; this one closes itself."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise


async def linked(settings: MqttSettings, client_id: str, session_s: int, clock: Clock) -> "Link":
    """Open a link with MQTT 5, or 3.1.1 if the broker does not support 5. `session_s`: 0 for a session that ends with it.

    Raises SourceError.
    """
    newer = Link(settings, client_id, session_s, clock)
    try:
        await newer.enter()
    except SourceError:
        if not newer.may_be_older:
            raise
    else:
        return newer
    older = Link(settings, client_id, session_s, clock, MQTTProtocolVersion.MQTTv311)
    await older.enter()
    return older


class Link:
    """A connection to the broker, which errors call `place`. Only one task may wait on it at a time."""

    def __init__(
        self, settings: MqttSettings, client_id: str, session_s: int, clock: Clock, version: MQTTProtocolVersion = _V5
    ) -> None:
        self.place = "{}:{}".format(*settings.address)
        self.may_be_older = False  # the broker may support an older MQTT only: it reports that, or can't parse our request
        self._settings, self._session_s, self._clock = settings, session_s, clock
        self._newest = version is _V5
        clean = None if self._newest else not session_s
        self._client = Client(
            CallbackAPIVersion.VERSION2, client_id, clean, protocol=version, reconnect_on_failure=False, manual_ack=True
        )
        self._wire = Wire(self._client, settings.keepalive_s, self._no_mqtt)
        self._changed = asyncio.Event()
        self._published: dict[int, asyncio.Event] = {}
        self._failure: SourceError | None = None
        self._taken_in = False
        self._filters: Sequence[str] = ()
        self._granted: Callable[[], None] = lambda: None
        self._waiting: deque[Arrival] = deque()
        self._held_messages = self._held_bytes = 0

    async def enter(self) -> None:
        """Connect, and return when the broker has accepted the connection. Raises SourceError, closed again."""
        try:
            async with asyncio.timeout(ANSWER_S):
                await self._wire.open(self._connect)
                if self._client.socket() is None:
                    self._lost()
                await self._until(lambda: self._taken_in)
        except BaseException as error:
            await self.close()
            if isinstance(error, OSError | UnicodeError):
                raise reasons.unreachable(self.place, error, ANSWER_S) from error
            raise

    def subscribe(self, filters: Sequence[str], granted: Callable[[], None]) -> None:
        """Request every filter; `granted` is called when the broker grants them all, else the link fails.

        A stored session may bring more messages before that answer than may wait here: they must be taken meanwhile.
        """
        self._filters, self._granted = filters, granted
        self._client.subscribe([(each, 1) for each in filters])

    async def disregard(self, until: asyncio.Event) -> None:
        """Drop what arrives, without acknowledging it, until the event is set. Raises SourceError."""
        while not until.is_set():
            await self._until(lambda: until.is_set() or bool(self._waiting))
            self._release(self._taken())

    async def arrivals(self) -> list[Arrival]:
        """Return what has arrived, at least one, in order; it is held until acknowledged. Raises SourceError at the end."""
        await self._until(lambda: bool(self._waiting))
        return self._taken()

    def acknowledge(self, arrivals: Sequence[Arrival]) -> None:
        """Acknowledge to the broker that these are stored, and make room for as many."""
        for each in arrivals:
            self._client.ack(each.mid, each.qos)
        self._release(arrivals)

    async def publish(self, topic: str, payload: str) -> bool:
        """Publish once; return whether the broker has accepted it."""
        sent = self._client.publish(topic, payload, qos=1)
        taken = self._published.setdefault(sent.mid, asyncio.Event())
        try:
            async with asyncio.timeout(ANSWER_S):
                await taken.wait()
        except TimeoutError:
            return False
        else:
            return self._failure is None
        finally:
            self._published.pop(sent.mid, None)

    def _on_publish(self, _client: Any, _data: Any, mid: int, _code: ReasonCode, _about: Any) -> None:
        self._published.setdefault(mid, asyncio.Event()).set()

    async def close(self) -> None:
        """Disconnect; the broker keeps the session and sends again what was not acknowledged."""
        self._fail(SourceError(Cause.UNREACHABLE, f"The connection to {self.place} is closed."))
        await self._wire.close()

    async def _until(self, ready: Callable[[], bool]) -> None:
        while not ready():
            if self._failure is not None:
                raise self._failure
            self._changed.clear()
            await self._changed.wait()

    def _connect(self) -> None:
        """Connect, which blocks. Raises SourceError, OSError, UnicodeError."""
        settings, client = self._settings, self._client
        client.connect_timeout = ANSWER_S
        client.username, client.password = settings.login()
        if (context := settings.tls_context()) is not None:
            context.sslsocket_class = _Tls
            client.tls_set_context(context)
        client.on_connect, client.on_subscribe = self._on_connect, self._on_subscribe
        client.on_message, client.on_disconnect = self._on_message, self._on_disconnect
        client.on_publish = self._on_publish
        if not self._newest:
            client.connect(*settings.address, settings.keepalive_s)
            return
        about = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        about.SessionExpiryInterval, about.ReceiveMaximum = self._session_s, settings.max_inflight
        about.MaximumPacketSize = settings.max_message_bytes + _LONGEST_HEAD_BYTES
        client.connect(*settings.address, settings.keepalive_s, clean_start=not self._session_s, properties=about)

    # The queue.

    def _taken(self) -> list[Arrival]:
        return [self._waiting.popleft() for _ in range(min(len(self._waiting), self._settings.max_inflight))]

    def _hold(self, arrival: Arrival) -> None:
        self._waiting.append(arrival)
        self._held_messages += 1
        self._held_bytes += len(arrival.payload)
        self._wire.progress = True
        self._listen_while_there_is_room()
        self._changed.set()

    def _release(self, arrivals: Sequence[Arrival]) -> None:
        self._held_messages -= len(arrivals)
        self._held_bytes -= sum(len(each.payload) for each in arrivals)
        self._listen_while_there_is_room()

    def _listen_while_there_is_room(self) -> None:
        self._wire.listen(self._held_messages < self._settings.max_inflight and self._held_bytes < HELD_BYTES)

    # Callbacks of paho. It holds a lock meanwhile: nothing here may make it close the socket.

    def _on_connect(self, _client: Any, _data: Any, _flags: Any, code: ReasonCode, about: Properties | None) -> None:
        if code.is_failure:
            older = code.value == reasons.UNSUPPORTED_VERSION
            self._fail(reasons.refused(self.place, "refuses us", code, about), may_be_older=older)
        self._taken_in = not code.is_failure
        self._changed.set()

    def _on_subscribe(self, _client: Any, _data: Any, _mid: Any, codes: Sequence[ReasonCode], _about: Any) -> None:
        refused = [(wanted, code) for wanted, code in zip(self._filters, codes, strict=False) if code.is_failure]
        if refused:
            self._fail(reasons.filter_refused(self.place, *refused[0]))
        elif len(codes) != len(self._filters):
            self._no_mqtt()
        else:
            self._granted()
            self._changed.set()

    def _on_message(self, _client: Any, _data: Any, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError as error:
            topic = error.object.decode(errors="replace")
        payload, size = bytes(message.payload), len(message.payload)
        if size > self._settings.max_message_bytes:
            payload = payload[:EXCERPT_BYTES]
        self._hold(Arrival(topic, payload, size, message.retain, message.mid, message.qos, self._clock.now()))

    def _on_disconnect(
        self, _client: Any, _data: Any, flags: DisconnectFlags, code: ReasonCode, about: Properties | None
    ) -> None:
        """Note that no more messages will arrive; those that wait can still be taken."""
        if flags.is_disconnect_packet_from_server:
            self._fail(reasons.refused(self.place, "ended the connection", code, about))
        elif code.value == reasons.KEEPALIVE_TIMEOUT:
            self._fail(reasons.silent(self.place, 2 * self._settings.keepalive_s))
        elif code.value == reasons.PROTOCOL_ERROR:
            self._no_mqtt()
        else:
            self._lost()

    def _no_mqtt(self) -> None:
        self._fail(reasons.no_mqtt(self.place), may_be_older=not self._taken_in)

    def _lost(self) -> None:
        self._fail(reasons.hung_up(self.place, self._taken_in), may_be_older=not self._taken_in)

    def _fail(self, failure: SourceError, *, may_be_older: bool = False) -> None:
        """Set the first reason, which explains the others."""
        if self._failure is None:
            self._failure, self.may_be_older = failure, may_be_older
        self._changed.set()
