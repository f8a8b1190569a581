"""Nothing is lost and nothing doubled when the server, or the broker that it hears, is killed under load."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from fed_server import CARS, WITHIN_S, Fed, Load, as_json, differences, expected, message

from brokers import BROKERS, PASSWORD, USER, Broker
from nats_server import NatsServer, nats_cluster, nats_server

nats = pytest.importorskip("nats", reason="chargeport[nats] is not installed")
pytestmark = pytest.mark.service

COUNT = 6_000
PER_S = 2_000
STREAM = "cars"
MQTT = f"""
name = "house"
type = "mqtt"
dialect = "generic"
username = "{USER}"
password = "{PASSWORD}"
max_inflight = 200
"""
# A message in the hands of a consumer that died is handed out again after `ack_wait_s`.
NATS = f"""
name = "bus"
type = "nats"
dialect = "generic"
topics = ["{{}}"]
stream = "{STREAM}"
ack_wait_s = 2
"""


class OverMqtt:
    """Publishes with QoS 1, over any number of restarts of the broker."""

    def __init__(self, broker: Broker) -> None:
        self._taken = 0
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, "publisher", clean_session=False)
        self._client.username_pw_set(USER, PASSWORD)
        self._client.reconnect_delay_set(1, 1)
        self._client.max_inflight_messages_set(200)
        self._client.on_publish = self._on_taken
        self._client.connect("localhost", broker.port)
        self._client.loop_start()

    def _on_taken(self, *_: object) -> None:
        self._taken += 1

    def publish(self, number: int) -> None:
        self._client.publish(f"chargeport/{message(number)['vehicle']}", as_json(number), 1)

    def acknowledged(self) -> int:
        return self._taken

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


class OverNats:
    """Publishes into a stream, each message until it is taken, over any number of restarts of the server."""

    AT_ONCE = 50

    def __init__(self, *servers: NatsServer) -> None:
        self._taken = 0
        self._replicas = len(servers)
        self._numbers: asyncio.Queue[int | None] = asyncio.Queue()
        self._thread = threading.Thread(target=asyncio.run, args=(self._run(servers),), daemon=True)
        self._has_stream = threading.Event()
        self._thread.start()
        assert self._has_stream.wait(WITHIN_S), "no stream is made"

    async def _run(self, servers: Sequence[NatsServer]) -> None:
        self._loop = asyncio.get_running_loop()
        urls = [server.url for server in servers]
        client = await nats.connect(urls, max_reconnect_attempts=-1, reconnect_time_wait=0.2, error_cb=_known)
        self._stream = client.jetstream(timeout=1)
        await self._add_stream()
        self._has_stream.set()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self.AT_ONCE):
                tasks.create_task(self._publish())
        await client.close()

    async def _add_stream(self) -> None:
        while True:  # until the servers of a cluster have found each other
            with contextlib.suppress(nats.errors.Error):
                await self._stream.add_stream(name=STREAM, subjects=[f"{STREAM}.>"], num_replicas=self._replicas)
                return

    def leader(self) -> str:
        """The name of the server that leads the stream."""
        found = asyncio.run_coroutine_threadsafe(self._stream.stream_info(STREAM), self._loop).result(WITHIN_S)
        assert found.cluster
        assert found.cluster.leader
        return found.cluster.leader

    async def _publish(self) -> None:
        while (number := await self._numbers.get()) is not None:
            taken = False
            while not taken:
                with contextlib.suppress(nats.errors.Error, OSError):
                    await self._stream.publish(f"{STREAM}.power", as_json(number))
                    taken = True
            self._taken += 1

    def publish(self, number: int) -> None:
        self._loop.call_soon_threadsafe(self._numbers.put_nowait, number)

    def acknowledged(self) -> int:
        return self._taken

    def close(self) -> None:
        for _ in range(self.AT_ONCE):
            self._loop.call_soon_threadsafe(self._numbers.put_nowait, None)
        self._thread.join(WITHIN_S)
        assert not self._thread.is_alive()


async def _known(_: Exception) -> None:
    """That the server is gone is what the test is about."""


@pytest.fixture(params=BROKERS, ids=lambda kind: kind.NAME)
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    kind: type[Broker] = request.param
    if kind.program() is None:
        pytest.skip(f"{kind.NAME} is not installed")
    with kind(tmp_path) as started:
        yield started


@pytest.fixture
def jetstream(tmp_path: Path) -> Iterator[NatsServer]:
    with nats_server(tmp_path / "kept") as started:
        yield started


@contextlib.contextmanager
def running(fed: Fed) -> Iterator[Fed]:
    fed.start()
    try:
        yield fed
    finally:
        fed.stop()


async def with_session(fed: Fed, publisher: OverMqtt) -> None:
    """The broker keeps messages for a session once there is one: from then on the first message is stored."""
    for _ in range(WITHIN_S * 10):
        publisher.publish(1)
        await asyncio.sleep(0.1)
        if any((await fed.histories()).values()):
            return
    raise AssertionError(f"nothing arrives: {fed.logged()}")


async def amid(fed: Fed, load: Load) -> None:
    """Returns in the middle of the load, when some of it is stored, and much is not."""
    load.start()
    await load.reaches(COUNT // 3)
    while sum(map(len, (await fed.histories()).values())) == 0:  # on a busy machine the server begins late
        assert load.handed_over < COUNT, f"nothing is stored yet: {fed.logged()}"
    assert load.handed_over < COUNT, "the load is over already"


async def crashes(fed: Fed) -> None:
    """The server dies, and again while it catches up with what it missed, when nearly every instant has a message in hand."""
    for pause_s in (0, 0.05, 0.15):
        await asyncio.sleep(pause_s)
        fed.kill()
        fed.start()


async def assert_all_is_stored_once(fed: Fed, load: Load, within_s: float = WITHIN_S) -> None:
    await load.reaches(COUNT)
    wanted = expected(COUNT)
    stored = await fed.holds(wanted, within_s)
    assert stored == wanted, f"{differences(stored, wanted)}\n{fed.logged()}"
    assert list(stored) == CARS


async def test_a_server_that_is_killed_loses_no_message_of_mqtt(broker: Broker, tmp_path: Path) -> None:
    source = f'{MQTT}url = "{broker.url}"\n'
    with running(Fed(tmp_path, source)) as fed, contextlib.closing(OverMqtt(broker)) as publisher:
        await with_session(fed, publisher)
        load = Load(publisher, COUNT, PER_S)
        await amid(fed, load)
        await crashes(fed)
        await assert_all_is_stored_once(fed, load)


async def test_a_broker_of_mqtt_that_is_ended_and_comes_back_loses_no_message(broker: Broker, tmp_path: Path) -> None:
    source = f'{MQTT}url = "{broker.url}"\n'
    with running(Fed(tmp_path, source)) as fed, contextlib.closing(OverMqtt(broker)) as publisher:
        await with_session(fed, publisher)
        load = Load(publisher, COUNT, PER_S)
        await amid(fed, load)
        broker.crash()
        broker.start()
        await assert_all_is_stored_once(fed, load)


async def test_a_server_that_is_killed_loses_no_message_of_nats(jetstream: NatsServer, tmp_path: Path) -> None:
    with contextlib.closing(OverNats(jetstream)) as publisher, running(_on_nats(tmp_path, jetstream)) as fed:
        load = Load(publisher, COUNT, PER_S)
        await amid(fed, load)
        await crashes(fed)
        await assert_all_is_stored_once(fed, load)


async def test_a_nats_server_that_is_killed_and_comes_back_loses_no_message(jetstream: NatsServer, tmp_path: Path) -> None:
    with contextlib.closing(OverNats(jetstream)) as publisher, running(_on_nats(tmp_path, jetstream)) as fed:
        load = Load(publisher, COUNT, PER_S)
        await amid(fed, load)
        jetstream.kill()
        jetstream.start()
        await assert_all_is_stored_once(fed, load)


@pytest.mark.long
async def test_a_cluster_of_nats_servers_that_loses_its_leader_twice_loses_no_message(tmp_path: Path) -> None:
    with (
        nats_cluster(tmp_path / "kept") as cluster,
        contextlib.closing(OverNats(*cluster)) as publisher,
        running(_on_nats(tmp_path, *cluster)) as fed,
    ):
        load = Load(publisher, COUNT, PER_S)
        await amid(fed, load)
        for _ in range(2):
            led = next(server for number, server in enumerate(cluster) if publisher.leader() == f"s{number}")
            led.kill()
            await load.reaches(min(load.handed_over + COUNT // 10, COUNT))  # the other two take more
            led.start()
        await assert_all_is_stored_once(fed, load, within_s=4 * WITHIN_S)  # an election, a request that nobody answers, a pause
        assert "Traceback" not in fed.log.read_text()


def _on_nats(folder: Path, *servers: NatsServer) -> Fed:
    urls = ",".join(server.url for server in servers)
    return Fed(folder, f'{NATS}servers = "{urls}"\n')
