"""Who stands around an MQTT source in tests: a publisher (paho), what hears the source, and a broker that follows a script."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import paho.mqtt.client as paho

from bare_listener import Attend, listener
from brokers import PASSWORD, USER, Broker
from chargeport.clock import ManualClock
from chargeport.sources.base import Delivery, Emit, RawMessage, SourceContext
from chargeport.sources.mqtt.settings import MqttSettings
from chargeport.sources.mqtt.source import MqttSource

WITHIN_S = 20  # for what is to come on a busy machine
NOW = 1_760_000_000_000


async def never_charges(_car: str) -> bool:
    return False


class NoMemory:
    """An MQTT source has nothing to remember: its session is the broker's."""

    async def get(self, key: str) -> str | None:
        raise AssertionError(key)

    async def put(self, key: str, value: str | None) -> None:
        raise AssertionError(key, value)


class StatusReporter:
    """Where a source says that it is connected."""

    def __init__(self) -> None:
        self.now = asyncio.Event()

    def connected(self) -> None:
        self.now.set()

    def lag(self, behind: int) -> None:
        raise AssertionError(f"MQTT tells nobody how much waits, but {behind}")


class TestedSource(MqttSource):
    """A source whose `told` is at hand."""

    __test__ = False
    reported: StatusReporter


def source(url: str, *filters: str, **settings: Any) -> TestedSource:
    reported = StatusReporter()
    around = SourceContext(
        name="garage", dialect="plain", clock=ManualClock(NOW), memory=NoMemory(), status=reported, charging=never_charges,
        topics=filters or ("cars/#",), vehicle="leaf",
    )  # fmt: skip
    made = TestedSource(MqttSettings(url=url, **{"username": USER, "password": PASSWORD, **settings}), around)
    made.reported = reported
    return made


class Publisher:
    """Publishes with QoS 1 and does not rest until the broker has it, over any number of restarts."""

    def __init__(self, broker: Broker) -> None:
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, f"publisher-{id(self)}", clean_session=False)
        self._client.username_pw_set(USER, PASSWORD)
        self._client.reconnect_delay_set(1, 1)
        self._client.max_inflight_messages_set(200)
        if broker.certificate:
            self._client.tls_set(cert_reqs=0)
        self._client.connect("localhost", broker.port)
        self._client.loop_start()

    def send(self, payloads: Sequence[bytes], topic: str = "cars/leaf/soc", qos: int = 1, retain: bool = False) -> None:
        """Returns when the broker has acknowledged all."""
        for sent in [self._client.publish(topic, payload, qos, retain) for payload in payloads]:
            sent.wait_for_publish(WITHIN_S)
            assert sent.is_published()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


async def published(broker: Broker, *payloads: bytes, topic: str = "cars/leaf/soc", qos: int = 1, retain: bool = False) -> None:
    """All of it is with the broker when this returns."""

    def send() -> None:
        with contextlib.closing(Publisher(broker)) as publisher:
            publisher.send(payloads, topic, qos, retain)

    await asyncio.to_thread(send)


class Ears:
    """What a source hands on, and whether it is connected."""

    def __init__(self) -> None:
        self.received: list[Delivery] = []
        self.batches: list[int] = []
        self.connections = 0
        self._changed = asyncio.Condition()

    async def emit(self, parts: Sequence[RawMessage | Delivery]) -> None:
        async with self._changed:
            self.received += [part for part in parts if isinstance(part, Delivery)]
            self.batches.append(len(parts))
            self._changed.notify_all()

    @property
    def payloads(self) -> list[bytes]:
        return [delivery.payload for delivery in self.received]

    async def until(self, ready: Callable[[], bool]) -> None:
        async with asyncio.timeout(WITHIN_S), self._changed:
            await self._changed.wait_for(ready)

    async def until_heard(self, *payloads: bytes) -> None:
        await self.until(lambda: set(payloads) <= set(self.payloads))


@contextlib.asynccontextmanager
async def running(what: TestedSource, emit: Emit) -> AsyncIterator[asyncio.Task[None]]:
    """The source, from when it hears until the end of the block, where it is cancelled (unless it ended by itself)."""
    task = asyncio.create_task(what.run(emit))
    received = asyncio.create_task(what.reported.now.wait())
    await asyncio.wait([task, received], timeout=WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
    received.cancel()
    try:
        if task.done():
            await task
        assert what.reported.now.is_set(), f"not connected within {WITHIN_S} s"
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task], timeout=WITHIN_S)


@contextlib.asynccontextmanager
async def scripted(script: Attend) -> AsyncIterator[str]:
    """A listener that treats every connection as the script says; its url."""
    async with listener(script) as port:
        yield f"mqtt://127.0.0.1:{port}"


async def packet(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """The next packet of up to 127 bytes: its first byte, and what follows the length."""
    head, length = await reader.readexactly(2)
    assert length < 128
    return head, await reader.readexactly(length)


async def wanted(reader: asyncio.StreamReader, kind: int) -> bytes:
    """The body of the next packet of this kind; pings and others before it are passed over."""
    while True:
        head, body = await packet(reader)
        if head >> 4 == kind:
            return body
