"""Kafka as a transport: a consumer in a group, which commits an offset when its message is on disk.

The client blocks, so one thread of its own makes all its calls, in order. Rebalances happen within `consume` only: by
then everything that was passed on before is committed, so that the next owner of a partition repeats nothing.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from chargeport.sources.base import Cause, Delivery, Emit, SourceContext, SourceError, SourceType
from chargeport.sources.kafka_member import Member
from chargeport.sources.kafka_settings import KafkaSettings

if TYPE_CHECKING:
    from confluent_kafka import Message


class KafkaSource:
    """Consumes Kafka topics as a member of a consumer group."""

    shares_work = True  # the broker gives each message to one process

    def __init__(self, settings: KafkaSettings, context: SourceContext) -> None:
        self._settings = settings
        self._context = context

    @property
    def name(self) -> str:
        """The name that `meta.source` shows."""
        return self._context.name

    async def run(self, emit: Emit) -> None:
        """Emit what is new to the group, and commit it once it is stored, until cancelled. Raises SourceError."""
        member = Member(self._settings, self._context)
        try:
            await member.join()
            while True:
                await self._turn(member, emit)
        finally:
            await member.leave()

    async def check(self, timeout_s: float) -> None:
        """Ask the cluster once for its topics. Raises SourceError."""
        member = Member(self._settings, self._context)
        try:
            known = await member.topics(timeout_s)
        finally:
            await member.leave()
        absent = [topic for topic in self._settings.subscribe if not topic.startswith("^") and topic not in known]
        if absent:
            raise SourceError(Cause.CONFIGURATION, f"subscribe: the cluster has no topic {', '.join(absent)}.")

    async def _turn(self, member: Member, emit: Emit) -> None:
        messages = await member.consume()
        received_at = self._context.clock.now()
        deliveries = [
            self._delivery(message, payload, received_at) for message in messages if (payload := message.value()) is not None
        ]
        if deliveries:
            await emit(deliveries)
        if messages:
            await member.commit(messages)

    def _delivery(self, message: "Message", payload: bytes, received_at: int) -> Delivery:
        vehicle = _text(message.key()) if self._settings.vehicle_from_key else None
        return Delivery(
            source=self._context.name,
            dialect=self._context.dialect,
            payload=payload,
            received_at=received_at,
            topic=message.topic() or "",
            vehicle=vehicle or self._context.vehicle,
            observed_at=_timestamp(message) if self._settings.observed_from_timestamp else None,
            headers=_headers(message),
        )


def _text(value: bytes | str | None) -> str | None:
    if value is None or isinstance(value, str):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:  # a binary key names no car
        return None


def _headers(message: "Message") -> Mapping[str, str]:
    headers = message.headers() or []
    pairs = headers.items() if isinstance(headers, dict) else headers
    return {name.lower(): value if isinstance(value, str) else (value or b"").decode(errors="replace") for name, value in pairs}


def _timestamp(message: "Message") -> int | None:
    kind, at = message.timestamp()
    return at if kind else None  # 0: it has none


KAFKA: Final = SourceType(
    name="kafka",
    summary="Kafka topics, as a member of a consumer group",
    settings=KafkaSettings,
    build=KafkaSource,
    dialect="tesla",
)
