"""A member of a Kafka consumer group: the client, and the only thread that calls it, since it blocks."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, TypeVar

from chargeport.sources.base import Cause, SourceContext, SourceError
from chargeport.sources.extras import missing, secret
from chargeport.sources.kafka_errors import REBALANCED, cause_of, source_error
from chargeport.sources.kafka_settings import KafkaSettings

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

POLL_S: Final = 0.4  # how long one call may block, and so how long a cancelled source may take to end
CLOSE_S: Final = 1.0  # for leaving the group; a broker that does not answer detects it by itself
T = TypeVar("T")
Partition = tuple[str, int]

_log = logging.getLogger("chargeport.sources.kafka")


class Member:
    """One membership in the group: the client, and the only thread that calls it."""

    def __init__(self, settings: KafkaSettings, context: SourceContext) -> None:
        self._settings = settings
        self._context = context
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"kafka-{context.name}")
        self._loop = asyncio.get_running_loop()
        self._errors: deque[KafkaError] = deque(maxlen=100)
        self._next: dict[Partition, int] = {}  # the committed offsets of the partitions that are ours
        self._consumer: Consumer | None = None

    async def join(self) -> None:
        """Subscribe. Raises SourceError."""
        consumer = await self._opened()
        subscribe = self._settings.subscribe
        await self._call(lambda: consumer.subscribe(subscribe, on_assign=self._assigned, on_revoke=self._revoked))

    async def consume(self) -> "list[Message]":
        """Return the next messages, or none within POLL_S. Raises SourceError."""
        consumer = await self._opened()
        messages = await self._call(lambda: consumer.consume(self._settings.batch, POLL_S))
        self._errors += [error for message in messages if (error := message.error())]
        self._raise_errors()
        return [message for message in messages if not message.error()]

    async def commit(self, messages: "list[Message]") -> None:
        """Commit to the group that these are stored; for partitions that are no longer ours, the next owner decides."""
        consumer = await self._opened()
        following = {(message.topic() or "", message.partition() or 0): (message.offset() or 0) + 1 for message in messages}

        def commit() -> int:
            owned = {(one.topic, one.partition) for one in consumer.assignment()}
            offsets = [_offset(at, offset) for at, offset in following.items() if at in owned]
            if offsets:
                _commit(consumer, offsets)
                self._next |= {(one.topic, one.partition): one.offset for one in offsets}
            return sum(
                max(0, consumer.get_watermark_offsets(_offset(*at), cached=True)[1] - at[1]) for at in self._next.items()
            )

        self._context.status.lag(await self._call(commit))

    async def topics(self, timeout_s: float) -> set[str]:
        """Return the topics that the cluster shows us. Raises SourceError."""
        consumer = await self._opened()
        try:
            return set((await self._call(lambda: consumer.list_topics(timeout=timeout_s))).topics)
        except SourceError:
            await self._call(lambda: consumer.poll(0))  # lets the client report the reason
            self._raise_errors()
            raise

    async def leave(self) -> None:
        """Leave the group within CLOSE_S, so that other members need not wait for us."""
        if self._consumer is not None:
            closing = self._loop.run_in_executor(self._thread, self._consumer.close)
            await asyncio.wait({closing}, timeout=CLOSE_S)
        self._thread.shutdown(wait=False)

    async def _opened(self) -> "Consumer":
        if self._consumer is None:
            try:
                from confluent_kafka import Consumer
            except ImportError as error:
                raise missing("kafka") from error
            properties = self._properties()
            self._consumer = await self._call(lambda: Consumer(properties))
        return self._consumer

    def _properties(self) -> dict[str, object]:
        given = {
            key: secret(f"properties.{key}", value) if isinstance(value, str) else value
            for key, value in self._settings.properties.items()
        }
        return {
            "client.id": "chargeport",
            **given,
            "bootstrap.servers": self._settings.bootstrap_servers,
            "group.id": self._settings.group,
            "auto.offset.reset": self._settings.start,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "error_cb": self._errors.append,
            "logger": _log,
        }

    async def _call(self, function: Callable[[], T]) -> T:
        try:
            return await self._loop.run_in_executor(self._thread, function)
        except Exception as error:
            raise source_error(error) from error

    def _raise_errors(self) -> None:
        """Raise errors that need an operator; the client handles the others itself."""
        found = [(cause, error) for error in self._errors if (cause := cause_of(error)) is not None]
        self._errors.clear()
        if found:
            cause, error = min(found, key=lambda one: list(Cause).index(one[0]))
            raise SourceError(cause, f"Kafka at {self._settings.bootstrap_servers}: {error.str()}.")

    def _assigned(self, _consumer: "Consumer", _partitions: "list[TopicPartition]") -> None:
        self._loop.call_soon_threadsafe(self._context.status.connected)

    def _revoked(self, _consumer: "Consumer", partitions: "list[TopicPartition]") -> None:
        for one in partitions:
            self._next.pop((one.topic, one.partition), None)


def _offset(at: Partition, offset: int) -> "TopicPartition":
    from confluent_kafka import TopicPartition

    return TopicPartition(*at, offset)


def _commit(consumer: "Consumer", offsets: "list[TopicPartition]") -> None:
    from confluent_kafka import KafkaException

    try:
        consumer.commit(offsets=offsets, asynchronous=False)
    except KafkaException as error:
        if error.args[0].code() not in REBALANCED:
            raise
        _log.info("the group was rebalanced before a commit; the new owner receives some messages again")
