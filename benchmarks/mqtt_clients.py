"""MQTT clients compared: messages per second of QoS 1 on one core, each acknowledged after the batch it was in is stored.

A real broker (mosquitto, on the other core) has kept the messages in a session; a client takes them all. `store` stands in
for the commit of a batch: it waits for 5 ms, as for a disk. A client that can acknowledge only on arrival is out, however fast:
what it had acknowledged would be lost with the process. Wanted: at least 10,000 messages/s.

It needs mosquitto (Debian: apt install mosquitto). paho is there; for the others: pip install gmqtt aiomqtt. What is not
installed is left out, and said so.

    python -m benchmarks.mqtt_clients [--messages 50000] [--rounds 3]
"""

import argparse
import asyncio
import contextlib
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

BROKER_CORE, CLIENT_CORE = 0, 1
COMMIT_S = 0.005
WINDOW = 1_000  # messages that may be unacknowledged
PAYLOAD = json.dumps({"value": 61.5, "unit": "percent", "at": 1_760_000_000_000}).encode()
SESSION = "benchmark"
TIMEOUT_S = 120


class Batches:
    """Messages gathered while the batch before is stored; `acknowledge` is called for each once it is."""

    def __init__(self, expected: int) -> None:
        self.done = asyncio.Event()
        self._expected = expected
        self._waiting: list[Callable[[], object]] = []
        self._some = asyncio.Event()
        self.started_s = 0.0
        self.cpu_started_s = 0.0

    def add(self, acknowledge: Callable[[], object]) -> None:
        """One message has arrived."""
        if not self.started_s:
            self.started_s, self.cpu_started_s = time.perf_counter(), time.process_time()
        self._waiting.append(acknowledge)
        self._some.set()

    async def store(self) -> None:
        """Store batch after batch until all that was expected is acknowledged."""
        acknowledged = 0
        while acknowledged < self._expected:
            await self._some.wait()
            self._some.clear()
            batch, self._waiting = self._waiting, []
            await asyncio.sleep(COMMIT_S)
            for acknowledge in batch:
                acknowledge()
            acknowledged += len(batch)
        self.done.set()


async def with_gmqtt(port: int, batches: Batches) -> None:
    """MQTT 5 only: with 3.1.1 it acknowledges on arrival. One task per message; acknowledged when its coroutine ends."""
    import gmqtt

    client = gmqtt.Client(
        SESSION, clean_session=False, optimistic_acknowledgement=False, receive_maximum=WINDOW, session_expiry_interval=600
    )

    async def on_message(*_args: object) -> int:
        stored = asyncio.get_running_loop().create_future()
        batches.add(lambda: stored.set_result(None))
        await stored
        return 0

    client.on_message = on_message
    await client.connect("127.0.0.1", port)
    await batches.done.wait()
    await client.disconnect()


def _kept_session() -> Any:
    """MQTT 5's properties of CONNECT, as paho has them."""
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    properties = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval, properties.ReceiveMaximum = 600, WINDOW
    return properties


async def with_aiomqtt(port: int, batches: Batches) -> None:
    """Receive with aiomqtt, whose private paho client is set to acknowledge late: it has no such option of its own."""
    import aiomqtt

    client = aiomqtt.Client(
        "127.0.0.1",
        port,
        identifier=SESSION,
        protocol=aiomqtt.ProtocolVersion.V5,
        clean_start=False,
        properties=_kept_session(),
    )
    client._client.manual_ack_set(True)  # noqa: SLF001
    async with client:
        storing = asyncio.create_task(batches.done.wait())
        taking = asyncio.create_task(_taken(client, batches))
        await asyncio.wait([storing, taking], return_when=asyncio.FIRST_COMPLETED)
        taking.cancel()


async def _taken(client: Any, batches: Batches) -> None:
    async for message in client.messages:
        batches.add(lambda mid=message.mid: client._client.ack(mid, 1))  # noqa: SLF001


async def with_paho(port: int, batches: Batches) -> None:
    """Manual acknowledgement is its own; read and written by our event loop, without its thread."""
    import paho.mqtt.client as paho

    loop = asyncio.get_running_loop()
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, SESSION, protocol=paho.MQTTv5, manual_ack=True)
    client.on_socket_open = lambda _client, _data, sock: loop.add_reader(sock, client.loop_read)
    client.on_socket_close = lambda _client, _data, sock: loop.remove_reader(sock)
    client.on_socket_register_write = lambda _client, _data, sock: loop.add_writer(sock, client.loop_write)
    client.on_socket_unregister_write = lambda _client, _data, sock: loop.remove_writer(sock)
    client.on_message = lambda _client, _data, message: batches.add(lambda: client.ack(message.mid, 1))
    client.connect("127.0.0.1", port, clean_start=False, properties=_kept_session())
    await batches.done.wait()
    client.disconnect()


CLIENTS: dict[str, Callable[[int, Batches], Awaitable[None]]] = {
    "gmqtt": with_gmqtt,
    "aiomqtt": with_aiomqtt,
    "paho": with_paho,
}


async def _measure(name: str, port: int, messages: int) -> dict[str, float]:
    batches = Batches(messages)
    async with asyncio.timeout(TIMEOUT_S):
        await asyncio.gather(CLIENTS[name](port, batches), batches.store())
    return {
        "rate": messages / (time.perf_counter() - batches.started_s),
        "cpu_us": (time.process_time() - batches.cpu_started_s) / messages * 1e6,
    }


@contextlib.contextmanager
def _broker(folder: Path) -> Iterator[int]:
    """Run a mosquitto that keeps as many messages as it is given; yield its port."""
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if found is None:
        sys.exit("This needs mosquitto (Debian: apt install mosquitto).")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    settings = folder / "mosquitto.conf"
    settings.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n")
    broker = subprocess.Popen([found, "-c", settings], stderr=subprocess.DEVNULL)
    os.sched_setaffinity(broker.pid, {BROKER_CORE})
    try:
        while True:
            with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.02)
        yield port
    finally:
        broker.terminate()
        broker.wait()


def _fill(port: int, messages: int) -> None:
    """Make the session and have the broker keep messages for it."""
    import paho.mqtt.client as paho

    session = paho.Client(paho.CallbackAPIVersion.VERSION2, SESSION, protocol=paho.MQTTv5)
    session.on_connect = lambda client, *_args: client.subscribe("cars/#", 1)
    session.on_subscribe = lambda client, *_args: client.disconnect()
    session.connect("127.0.0.1", port, clean_start=True, properties=_kept_session())
    session.loop_forever()
    publisher = paho.Client(paho.CallbackAPIVersion.VERSION2)
    publisher.max_inflight_messages_set(1_000)
    publisher.connect("127.0.0.1", port)
    publisher.loop_start()
    last = [publisher.publish(f"cars/{number % 1_000}/soc", PAYLOAD, 1) for number in range(messages)]
    for sent in last:
        sent.wait_for_publish(TIMEOUT_S)
    publisher.disconnect()
    publisher.loop_stop()


def main() -> None:
    """Measure what is installed and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", nargs=2, metavar=("CLIENT", "PORT"), help="one client on a filled broker (internal)")
    asked = parser.parse_args()
    if asked.one:
        os.sched_setaffinity(0, {CLIENT_CORE})
        print(json.dumps(asyncio.run(_measure(asked.one[0], int(asked.one[1]), asked.messages))))
        return
    print(f"{'client':>10} {'messages/s':>11} {'µs CPU':>7}")
    for name in CLIENTS:
        if importlib.util.find_spec(name) is None:
            print(f"{name:>10} is not installed: pip install {name}")
            continue
        rounds = [_round(name, asked.messages) for _ in range(asked.rounds)]
        best = max(rounds, key=lambda found: found["rate"])
        print(f"{name:>10} {best['rate']:>11.0f} {best['cpu_us']:>7.1f}", flush=True)


def _round(name: str, messages: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder, _broker(Path(folder)) as port:
        _fill(port, messages)
        command = [sys.executable, "-m", "benchmarks.mqtt_clients", "--one", name, str(port), "--messages", str(messages)]
        found: dict[str, float] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
        return found


if __name__ == "__main__":
    main()
