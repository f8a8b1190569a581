"""Kafka, against the brokers that librdkafka brings along for tests: they speak its protocol over sockets."""

import asyncio
import builtins
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from source_world import WITHIN_S, Heard, Listener, Running, eventually, source_context

from chargeport.errors import StoreError
from chargeport.sources.base import Cause, Delivery, RawMessage, SourceError
from chargeport.sources.kafka import KAFKA, KafkaSource
from chargeport.sources.kafka_settings import KafkaSettings

confluent_kafka = pytest.importorskip("confluent_kafka", reason="chargeport[kafka] is not installed")
pytestmark = pytest.mark.service

VIN = "5YJ3E1EA7KF000000"
# These brokers keep a member that has left until its session is over, unlike real ones: so it is a short one.
SHORT = {"session.timeout.ms": 4000, "heartbeat.interval.ms": 500}


class Cluster:
    """Brokers inside a producer, which others reach by their address."""

    def __init__(self) -> None:
        self.producer = confluent_kafka.Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "ignored"})
        brokers = self.producer.list_topics(timeout=WITHIN_S).brokers.values()
        self.address = ",".join(f"{one.host}:{one.port}" for one in brokers)

    def say(self, topic: str, *payloads: bytes | None, **more: Any) -> None:
        for payload in payloads:
            self.producer.produce(topic, value=payload, **more)
        assert self.producer.flush(WITHIN_S) == 0

    def settings(self, topic: str, **more: Any) -> KafkaSettings:
        properties = SHORT | more.pop("properties", {})
        return KafkaSettings(
            bootstrap_servers=self.address, subscribe=[topic], group=f"of-{topic}", properties=properties, **more
        )


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    return Cluster()


def committed(cluster: Cluster, topic: str) -> int:
    """The sum of the group's offsets."""
    reader = confluent_kafka.Consumer({"bootstrap.servers": cluster.address, "group.id": f"of-{topic}"})
    partitions = reader.list_topics(topic, timeout=WITHIN_S).topics[topic].partitions
    found = reader.committed([confluent_kafka.TopicPartition(topic, one) for one in partitions], timeout=WITHIN_S)
    reader.close()
    return sum(max(one.offset, 0) for one in found)


async def all_committed(cluster: Cluster, topic: str, number: int) -> bool:
    return committed(cluster, topic) == number


async def test_a_message_is_handed_on_with_its_topic_key_and_headers_and_then_committed(cluster: Cluster) -> None:
    cluster.say("tesla_V", b"\x00binary", key=VIN, headers={"TxType": "V", "receivedat": b"1777629598000"}, timestamp=5)
    received, reported = Heard(), Listener()
    source = KafkaSource(cluster.settings("tesla_V"), source_context(status=reported))
    async with Running(source.run(received)):
        (delivery,) = await received.count(1)
        cluster.say("tesla_V", b"second", key=VIN)
        await received.count(2)
    assert delivery == Delivery(
        source="mine", dialect="tesla", payload=b"\x00binary", received_at=delivery.received_at, topic="tesla_V", vehicle=VIN,
        headers={"txtype": "V", "receivedat": "1777629598000"},
    )  # fmt: skip
    assert reported.connections == 1
    assert reported.behind == 0
    assert committed(cluster, "tesla_V") >= 1


async def test_what_was_not_stored_is_heard_again_and_nothing_is_lost(cluster: Cluster) -> None:
    payloads = [str(number).encode() for number in range(50)]
    cluster.say("unstored", *payloads)
    settings = cluster.settings("unstored", batch=10)
    failing = Heard()
    failing.failing = StoreError("The disk is full.")
    with pytest.raises(StoreError):
        await KafkaSource(settings, source_context()).run(failing)
    assert committed(cluster, "unstored") == 0
    received = Heard()
    async with Running(KafkaSource(settings, source_context()).run(received)):
        await received.count(50)
    assert sorted(received.payloads, key=int) == payloads


async def test_a_consumer_that_dies_between_storing_and_committing_repeats_what_it_stored(cluster: Cluster) -> None:
    payloads = [str(number).encode() for number in range(20)]
    cluster.say("dying", *payloads)
    stored: list[bytes] = []
    storing = asyncio.Event()

    async def emit(batch: Sequence[RawMessage | Delivery]) -> None:
        stored.extend(one.payload for one in batch if isinstance(one, Delivery))
        storing.set()
        await asyncio.Event().wait()  # stored, but it never comes to know

    settings = cluster.settings("dying", batch=5)
    async with Running(KafkaSource(settings, source_context()).run(emit)):
        async with asyncio.timeout(WITHIN_S):
            await storing.wait()
    assert stored
    received = Heard()
    async with Running(KafkaSource(settings, source_context()).run(received)):
        await received.count(20)
    assert set(stored) <= set(received.payloads)
    assert sorted(received.payloads, key=int) == payloads


async def test_two_members_of_a_group_share_the_topic_and_lose_nothing(cluster: Cluster) -> None:
    received = Heard()
    settings = cluster.settings("shared")
    payloads = [str(number).encode() for number in range(200)]
    cluster.say("shared", *payloads[:100])
    async with Running(KafkaSource(settings, source_context("first")).run(received)):
        await received.count(100)
        second = Listener()
        async with Running(KafkaSource(settings, source_context("second", status=second)).run(received)):
            async with asyncio.timeout(WITHIN_S):
                await second.first.wait()
            for payload in payloads[100:]:
                cluster.producer.produce("shared", value=payload, key=payload)
            cluster.producer.flush(WITHIN_S)
            await received.until(lambda all_: {one.payload for one in all_} == set(payloads))
            await eventually(lambda: all_committed(cluster, "shared", len(payloads)))


async def test_a_regular_expression_names_topics_and_a_message_without_a_value_says_nothing(cluster: Cluster) -> None:
    cluster.say("fleet_V", None, b"1", key=b"\xff")
    cluster.say("fleet_alerts", b"2")
    settings = KafkaSettings(
        bootstrap_servers=cluster.address, subscribe=["^fleet_.*"], group="by-pattern", observed_from_timestamp=True
    )
    received = Heard()
    async with Running(KafkaSource(settings, source_context(vehicle="the-car")).run(received)):
        await received.count(2)
    assert {(one.topic, one.payload, one.vehicle) for one in received.deliveries} == {
        ("fleet_V", b"1", "the-car"),
        ("fleet_alerts", b"2", "the-car"),
    }
    assert all(one.observed_at for one in received.deliveries)


async def test_it_ends_within_a_second_and_a_half_when_it_is_cancelled(cluster: Cluster) -> None:
    received = Heard()
    cluster.say("ending", b"1")
    task = asyncio.create_task(KafkaSource(cluster.settings("ending"), source_context()).run(received))
    await received.count(1)
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=1.5)
    assert task in done


async def test_check_says_what_is_wrong(cluster: Cluster) -> None:
    await KafkaSource(cluster.settings("tesla_V"), source_context()).check(WITHIN_S)
    with pytest.raises(SourceError, match="no topic nowhere") as found:
        await KafkaSource(cluster.settings("nowhere", properties={"allow.auto.create.topics": False}), source_context()).check(
            WITHIN_S
        )
    assert found.value.cause is Cause.CONFIGURATION


@pytest.mark.parametrize("port", [1])
async def test_a_cluster_that_nobody_reaches_is_unreachable(port: int) -> None:
    settings = KafkaSettings(bootstrap_servers=f"127.0.0.1:{port}", subscribe=["any"])
    with pytest.raises(SourceError) as found:
        await KafkaSource(settings, source_context()).check(2)
    assert found.value.cause is Cause.UNREACHABLE
    with pytest.raises(SourceError) as found:
        async with asyncio.timeout(WITHIN_S):
            await KafkaSource(settings, source_context()).run(Heard())
    assert found.value.cause is Cause.UNREACHABLE


async def test_a_property_that_the_client_does_not_know_is_a_setting_to_mend() -> None:
    settings = KafkaSettings(bootstrap_servers="127.0.0.1:1", subscribe=["any"], properties={"no.such": "thing"})
    with pytest.raises(SourceError, match=r"no\.such") as found:
        await KafkaSource(settings, source_context()).run(Heard())
    assert found.value.cause is Cause.CONFIGURATION


async def test_a_password_comes_from_a_file(tmp_path: Path) -> None:
    settings = KafkaSettings(
        bootstrap_servers="127.0.0.1:1", subscribe=["any"], properties={"sasl.password": f"file:{tmp_path}/none"}
    )
    with pytest.raises(SourceError, match=r"properties\.sasl\.password: the file .* can't be read") as found:
        await KafkaSource(settings, source_context()).check(1)
    assert found.value.cause is Cause.CONFIGURATION


async def test_without_the_package_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    load = builtins.__import__

    def without(name: str, *rest: Any) -> ModuleType:
        if name.startswith("confluent_kafka"):
            raise ImportError(name)
        return load(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    source = KAFKA.build(KafkaSettings(bootstrap_servers="127.0.0.1:1", subscribe=["any"]), source_context())
    with pytest.raises(SourceError, match=r"pip install .* \(the extra kafka\)") as found:
        await source.run(Heard())
    assert found.value.cause is Cause.CONFIGURATION
