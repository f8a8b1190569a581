"""What docs/adding-a-source.md shows does what it says."""

import asyncio
import re
import socket
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chargeport.clock import ManualClock
from chargeport.ingest.engine import normalise, read
from chargeport.ingest.memory import CarMemory
from chargeport.runtime.builder import Built
from chargeport.runtime.feeds import Feeds
from chargeport.settings import Settings
from chargeport.signals.reading import Issue, Reading
from chargeport.sources.base import Delivery, RawMessage, SourceType
from chargeport.store.records import Vehicle
from chargeport.store.sqlite import SqliteStore
from servers import free_port

PAGE = (Path(__file__).parents[1] / "docs" / "adding-a-source.md").read_text("utf-8")
NOW = 1_777_629_598_000


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def run(block: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "page"}
    exec(compile(block, "docs/adding-a-source.md", "exec"), names)  # noqa: S102  (our own page)
    return names


def test_every_block_is_tried_here() -> None:
    assert [len(blocks("toml")), len(blocks("python"))] == [1, 2]


async def test_the_table_in_toml_understands_the_script(tmp_path: Path) -> None:
    settings = msgspec.convert(tomllib.loads(blocks("toml")[0]), Settings)
    store = SqliteStore.open(tmp_path / "a.db")
    feeds = Feeds(store, settings, ManualClock(NOW))
    (built,) = feeds.built
    assert isinstance(built, Built)
    assert [each.filter for each in built.dialect.topics] == ["home/+/+"]
    await feeds.start()
    await feeds.close()

    def delivery(field: str, value: str) -> Delivery:
        given = {"source": "script", "dialect": "homescript", "received_at": NOW}
        return Delivery(topic=f"home/ann/{field}", payload=value.encode(), **given)  # type: ignore[arg-type]

    received = [
        ("state", "Charging"),
        ("power", "7.2"),
        ("plug", "in"),
        ("plug", "unknown"),
        ("uptime", "5"),
        ("wifi_dbm", "-60"),
    ]
    taken = await feeds.pipeline.take([delivery(*each) for each in received])
    assert (taken.stored, taken.issues) == (4, [])
    taken = await feeds.pipeline.take([delivery("state", "sulking"), delivery("fan", "on")])
    assert [issue.subject for issue in taken.issues] == ["state", "fan"]
    car = await store.vehicles.find_vehicle("ann")
    assert car is not None
    states = await store.readings.signals(car.id)
    assert states is not None
    known = [state for series in states.series.values() for state in series]
    assert {state.signal.code: state.value for state in known} == {
        "charge-ischarging": True, "charge-wattage": 7200, "charge-ischargingcableconnected": True,
    }  # fmt: skip
    assert "charge-ischargingcableconnected" in [state.signal.code for state in known if state.absence is not None]
    await store.close()


def test_the_table_in_python_makes_one_signal_of_two_fields() -> None:
    homebox = run(blocks("python")[0])["HOMEBOX"]
    payload = b'{"charging": "yes", "volts": 230, "amps": "10", "serial": 7, "wifi_x": 1}'
    found = read(Delivery(source="box", dialect="homebox", payload=payload, received_at=NOW, vehicle="ann"), homebox)
    assert not isinstance(found, Issue)
    memory = CarMemory()
    results = [normalise(message, homebox, memory) for message in found]
    assert [issue for each in results for issue in each.issues] == []
    entries = [entry for each in results for entry in each.entries if isinstance(entry, Reading)]
    assert {entry.signal.code: entry.value for entry in entries} == {
        "charge-ischarging": True, "charge-voltage": 230, "charge-amperage": 10, "charge-wattage": 2300,
    }  # fmt: skip
    alone = RawMessage(source="box", dialect="homebox", vehicle="ann", fields={"amps": 10}, received_at=NOW)
    assert [entry.signal.code for entry in normalise(alone, homebox).entries] == ["charge-amperage"]


async def test_the_transport_receives_datagrams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = run(blocks("python")[1])["UDP"]
    assert isinstance(kind, SourceType)
    monkeypatch.setattr("chargeport.runtime.builder.built_in", lambda name: kind if name == "udp" else None)
    port = free_port()
    car = Vehicle(id="0b0c6b0e-1b5e-4d6e-9b3f-2f8f5f2a7c11", aliases=("ann",))
    table = {"name": "ear", "type": "udp", "dialect": "generic", "vehicle": "ann", "port": port}
    store = SqliteStore.open(tmp_path / "a.db")
    await store.vehicles.add_vehicle(car)
    feeds = Feeds(store, Settings(sources=[table]), ManualClock(NOW))
    written = asyncio.Event()
    store.readings.on_written(lambda *_: written.set())
    await feeds.start()
    async with asyncio.timeout(10):
        while feeds.states()[0].condition != "connected":  # noqa: ASYNC110
            await asyncio.sleep(0)  # the source says so when it listens
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as speaker:
            speaker.sendto(b'{"voltage": 231}', ("127.0.0.1", port))
        await written.wait()
    await feeds.close()
    found = await store.readings.signals(car.id)
    assert found is not None
    assert [state.value for each_source in found.series.values() for state in each_source] == [231]
    await store.close()
