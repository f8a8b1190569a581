"""Commands to evcc: what is published is what a loadpoint is to do, at a real broker."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from mqtt_peers import NOW, WITHIN_S, Ears, NoMemory, StatusReporter, never_charges, running

from brokers import PASSWORD, USER, Broker, Mosquitto
from chargeport.clock import ManualClock
from chargeport.sources.base import Command, CommandError, Done, SourceContext
from chargeport.sources.mqtt.settings import MqttSettings
from chargeport.sources.mqtt.source import MqttSource

pytestmark = pytest.mark.service

NAMES = frozenset({"0b0c6b0e-1b5e-4d6e-9b3f-2f8f5f2a7c11", "evcc:loadpoints/2", "loadpoints/2"})


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    if Mosquitto.program() is None:
        pytest.skip("Mosquitto is not installed")
    with Mosquitto(tmp_path, None, None) as started:
        yield started


def source(url: str, dialect: str = "evcc") -> Any:
    context = SourceContext(
        name="home", dialect=dialect, clock=ManualClock(NOW), memory=NoMemory(), status=StatusReporter(),
        charging=never_charges, topics=("house/loadpoints/+/#", "house/vehicles/+/#"),
    )  # fmt: skip
    made = MqttSource(MqttSettings(url=url, username=USER, password=PASSWORD), context)
    made.reported = context.status  # type: ignore[attr-defined]
    return made


def wanted(kind: str, **parameters: Any) -> Command:
    return Command(kind=f"charge-{kind}", names=NAMES, parameters=parameters)


async def test_a_loadpoint_is_told_what_to_do(broker: Broker) -> None:
    received: list[tuple[str, bytes]] = []
    all_heard, loop = asyncio.Event(), asyncio.get_running_loop()

    def note(_client: Any, _data: Any, message: Any) -> None:
        received.append((message.topic, message.payload))
        if len(received) == 3:
            loop.call_soon_threadsafe(all_heard.set)

    evcc = paho.Client(paho.CallbackAPIVersion.VERSION2, "evcc")
    subscribed = asyncio.Event()
    evcc.username_pw_set(USER, PASSWORD)
    evcc.on_message = note
    evcc.on_subscribe = lambda *_: loop.call_soon_threadsafe(subscribed.set)
    evcc.connect("localhost", broker.port)
    evcc.subscribe("house/+/+/+/set", 1)
    evcc.loop_start()
    made = source(broker.url)
    async with asyncio.timeout(WITHIN_S), running(made, Ears().emit):
        await subscribed.wait()
        await made.reported.now.wait()
        outcomes = [await made.command(each) for each in (wanted("start"), wanted("set-limit", percent=75), wanted("stop"))]
        await all_heard.wait()
    evcc.loop_stop()
    assert outcomes == [Done.TAKEN] * 3
    assert received == [
        ("house/loadpoints/2/mode/set", b"now"),
        ("house/loadpoints/2/limitSoc/set", b"75"),
        ("house/loadpoints/2/mode/set", b"off"),
    ]


async def test_without_a_broker_nobody_answers() -> None:
    with pytest.raises(CommandError) as raised:
        await source("mqtt://127.0.0.1:1").command(wanted("start"))
    assert (raised.value.type, raised.value.code) == ("UPSTREAM", "NO_RESPONSE")


@pytest.mark.parametrize(
    ("dialect", "command"),
    [
        ("plain", wanted("start")),
        ("evcc", Command(kind="charge-start", names=frozenset({"leaf"}))),
    ],
)
async def test_what_evcc_cannot_do_is_left_to_others(dialect: str, command: Command) -> None:
    assert await source("mqtt://127.0.0.1:1", dialect).command(command) is None


@pytest.mark.parametrize("kind", ["schedule-create", "schedule-delete"])
async def test_evcc_has_no_windows_of_time_and_says_so(kind: str) -> None:
    with pytest.raises(CommandError, match="no windows of time") as raised:
        await source("mqtt://127.0.0.1:1").command(wanted(kind))
    assert (raised.value.type, raised.value.code) == ("COMPATIBILITY", "VEHICLE_NOT_CAPABLE")
