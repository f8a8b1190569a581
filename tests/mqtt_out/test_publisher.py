"""Signals out over MQTT: each effective change, in order and retained, whatever restarts meanwhile."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client as MqttClient
from paho.mqtt.client import MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from brokers import PASSWORD, USER, Mosquitto
from chargeport.mqtt_out.publisher import MqttOut, Publisher
from chargeport.settings import MqttOutSettings
from chargeport.signals.catalogue import CATALOGUE
from chargeport.store.records import Vehicle
from world import T0, World

VOLTAGE, CHARGING, POWER = "charge-voltage", "charge-ischarging", "charge-wattage"


class Kept:
    """Takes what is published; while it is away nothing is acknowledged."""

    def __init__(self) -> None:
        self.got: list[tuple[str, bytes]] = []
        self.is_away = False

    def publish(self, topic: str, payload: bytes) -> "asyncio.Future[None]":
        done = asyncio.get_running_loop().create_future()
        if not self.is_away:
            self.got.append((topic, payload))
            done.set_result(None)
        return done

    def of(self, car: Vehicle, code: str) -> list[Any]:
        return [
            json.loads(payload) if payload else None for topic, payload in self.got if topic == f"chargeport/{car.id}/{code}"
        ]


async def never(_: float) -> bool:
    return await asyncio.Event().wait()


def publisher(world: World, broker: Kept) -> Publisher:
    made = Publisher(world.store, world.clock, MqttOutSettings(), broker, never)
    world.store.readings.on_written(made.note_written)
    return made


async def test_each_effective_change_is_published_in_order(world: World) -> None:
    car, broker = await world.car(), Kept()
    out = publisher(world, broker)
    await out.step()
    for number in range(5):
        await world.report(car, VOLTAGE, {"value": 230 + number}, T0 + number * 1000)
    await world.report(car, VOLTAGE, {"value": 199}, T0 - 60_000)  # older than what is known
    await out.step()
    found = broker.of(car, VOLTAGE)
    assert [each["body"]["value"] for each in found] == [230, 231, 232, 233, 234]
    assert found[-1] == {
        "status": "SUCCESS",
        "body": {"value": 234, "unit": "volts"},
        "observedAt": "2026-05-01T10:00:02.000Z",
        "source": "box",
    }


async def test_what_ends_by_silence_or_with_its_session_is_published(world: World) -> None:
    car, broker = await world.car(), Kept()
    out = publisher(world, broker)
    await world.report(car, CHARGING, {"value": True})
    await world.report(car, POWER, {"value": 7200})
    await out.step()
    assert broker.of(car, POWER)[-1]["status"] == "SUCCESS"
    await world.report(car, CHARGING, {"value": False}, T0 + 60_000)
    await out.step()
    assert broker.of(car, POWER)[-1]["error"] == {"type": "VEHICLE_STATE", "code": "NOT_CHARGING"}
    await world.report(car, CHARGING, {"value": True}, T0 + 120_000)
    await out.step()
    world.clock.move(3 * 3600)
    await out.step()
    assert broker.of(car, CHARGING)[-1]["error"]["code"] == "UNREACHABLE"
    await world.report(car, CHARGING, {"value": True}, T0 + 3 * 3_600_000)
    await out.step()
    assert broker.of(car, CHARGING)[-1]["status"] == "SUCCESS"


async def test_a_restart_publishes_every_change_since_and_what_is_so(world: World) -> None:
    car, first, second = await world.car(), Kept(), Kept()
    await publisher(world, first).step()
    for number in range(3):
        await world.report(car, VOLTAGE, {"value": 230 + number}, T0 + number * 1000)
    first.is_away = True
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await publisher(world, first).step()
    await publisher(world, second).step()
    assert [each["body"]["value"] for each in second.of(car, VOLTAGE)] == [230, 231, 232]
    third = Kept()
    await publisher(world, third).step()
    assert [each["body"]["value"] for each in third.of(car, VOLTAGE)] == [232]


async def test_a_vehicle_that_is_removed_disappears(world: World) -> None:
    car, broker = await world.car(), Kept()
    await world.report(car, VOLTAGE, {"value": 230})
    out = publisher(world, broker)
    await out.step()
    await world.store.vehicles.remove_vehicle(car.id)
    world.clock.move(60)
    await out.step()
    last = dict(broker.got)
    assert last[f"homeassistant/device/chargeport_{car.id}/config"] == b""
    assert last[f"chargeport/{car.id}/{VOLTAGE}"] == b""


@pytest.mark.service
async def test_a_real_broker_retains_every_signal_and_the_device(world: World, tmp_path: Path) -> None:
    if Mosquitto.program() is None:
        pytest.skip("mosquitto is not installed")
    (tmp_path / "broker").mkdir()
    car = await world.car()
    await world.report_all(car)
    with Mosquitto(tmp_path / "broker") as broker:
        settings = MqttOutSettings(url=broker.url, username=USER, password=PASSWORD)
        out = MqttOut(world.store, world.clock, settings, never)
        running = asyncio.create_task(out.run())
        wanted = {f"chargeport/{car.id}/{signal.code}" for signal in CATALOGUE}
        wanted |= {"chargeport/status", f"homeassistant/device/chargeport_{car.id}/config"}
        retained = await read_back(broker, wanted)
        assert retained["chargeport/status"] == b"online"
        announced = json.loads(retained[f"homeassistant/device/chargeport_{car.id}/config"])
        for code, component in announced["components"].items():
            state = json.loads(retained[component["state_topic"]])
            assert state["status"] in ("SUCCESS", "ERROR"), code
            assert "body" in state, code
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await out.close()
        assert (await read_back(broker, {"chargeport/status"}))["chargeport/status"] == b"offline"


async def read_back(broker: Mosquitto, wanted: set[str]) -> dict[str, bytes]:
    """What a client that comes later is given, once everything that is wanted is there."""
    found: dict[str, bytes] = {}
    loop, complete = asyncio.get_running_loop(), asyncio.Event()

    def take(client: MqttClient, _: Any, message: MQTTMessage) -> None:
        found[message.topic] = message.payload
        if wanted <= found.keys():
            loop.call_soon_threadsafe(complete.set)

    client = MqttClient(CallbackAPIVersion.VERSION2)
    client.username_pw_set(USER, PASSWORD)
    client.on_message = take
    client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
    client.connect("localhost", broker.port)
    client.loop_start()
    try:
        async with asyncio.timeout(15):
            await complete.wait()
    finally:
        client.disconnect()
        client.loop_stop()
    return found
