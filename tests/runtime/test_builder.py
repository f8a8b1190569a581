"""From settings to sources: what is wrong is told in one sentence that names where."""

from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chargeport.clock import ManualClock
from chargeport.errors import SettingError
from chargeport.runtime import builder as building
from chargeport.runtime.feeds import Feeds
from chargeport.settings import IngestSettings, Settings
from chargeport.signals.catalogue import BY_CODE
from chargeport.sources.base import Cause, Emit, SourceContext, SourceError, SourceType
from chargeport.store.protocols import Store
from feeding import CAR, T0

MQTT = {"name": "garage", "type": "mqtt", "dialect": "evcc", "url": "mqtt://broker"}


def feeds(store: Store, *tables: dict[str, Any], folder: str = ".", **more: Any) -> Feeds:
    return Feeds(store, Settings(sources=list(tables), folder=folder, **more), ManualClock(T0))


class Odd(msgspec.Struct, frozen=True):
    """What the odd source takes."""

    port: int = 1


class OddSource:
    name = "odd"

    def __init__(self, settings: Odd, around: SourceContext) -> None:
        if settings.port == 2:
            raise SourceError(Cause.CONFIGURATION, "Port 2 is taken.")
        if settings.port == 3:
            raise TypeError("what is a port?")
        self.around = around

    async def run(self, emit: Emit) -> None:  # noqa: ARG002  (it is never run)
        raise AssertionError


ODD = SourceType(name="odd", summary="Odd", settings=Odd, build=OddSource, dialect="generic")


class Entry:
    """An entry point that finds what it is told to."""

    dist = None

    def __init__(self, name: str, found: object) -> None:
        self.name = name
        self.found = found

    def load(self) -> object:
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Entry]]:
    """What other packages offer."""
    entries: list[Entry] = [Entry("odd", ODD)]
    monkeypatch.setattr(metadata, "entry_points", lambda group: entries if group == building.GROUP else [])
    building.plugins.cache_clear()
    yield entries
    building.plugins.cache_clear()


@pytest.mark.parametrize("name", sorted(building._BUILT_IN))
def test_every_type_is_found_by_its_own_name(name: str) -> None:
    kind = building.built_in(name)
    assert kind is not None
    assert kind.name == name
    assert not set(building.CommonKeys.__struct_fields__) & set(kind.settings.__struct_fields__)
    assert set(building.source_types()) == set(building._BUILT_IN)


@pytest.mark.parametrize(
    ("table", "reported"),
    [
        ({"type": "mqtt"}, "sources[1]: Object missing required field `name`."),
        ({"name": "a b", "type": "mqtt"}, "sources[1].name: Expected `str` matching regex"),
        ({"name": "x"}, "sources[1]: Object missing required field `type`."),
        ({"name": "x", "type": "mqqt"}, "sources[1].type: 'mqqt': it is no type of source: the nearest name is mqtt."),
        ({"name": "x", "type": "mqtt"}, "sources[1].dialect: is needed: use one of"),
        (MQTT | {"dialect": "klingon"}, "sources[1].dialect: 'klingon' is no dialect: use one of"),
        (MQTT | {"ulr": 1}, "sources[1] (garage): 'ulr' is no key here: the nearest name is url."),
        (MQTT | {"url": 1}, "sources[1] (garage).url: Expected `str`, got `int`."),
        (MQTT | {"topics": ["a/#"]}, "sources[1].topics: 'a/#'"),
        (MQTT | {"name": "first"}, "sources[1].name: 'first' is the name of another source already."),
        ({"name": "x", "type": "odd", "port": 2}, "sources[1] (x): Port 2 is taken."),
        ({"name": "x", "type": "odd", "port": 3}, "sources[1] (x): odd can't be made: TypeError: what is a port?."),
        (
            {"name": "x", "type": "broken"},
            "sources[1].type: 'broken': another package offers it, but can't be loaded: no cheese",
        ),
        (
            {"name": "x", "type": "bent"},
            "sources[1].type: 'bent': another package offers it, but as no SourceType of",
        ),
    ],
)
async def test_what_is_wrong_is_named(store: Store, offered: list[Entry], table: dict[str, Any], reported: str) -> None:
    offered += [Entry("broken", ImportError("no cheese")), Entry("bent", ODD), Entry("mqtt", ODD)]
    first = MQTT | {"name": "first"}
    with pytest.raises(SettingError) as error:
        feeds(store, first, table)
    assert str(error.value).startswith(f"A setting is wrong: {reported}")


async def test_a_broken_package_hinders_nothing_else(store: Store, offered: list[Entry]) -> None:
    offered.append(Entry("broken", ImportError("no cheese")))
    assert [each.source.name for each in feeds(store, MQTT, {"name": "mine", "type": "odd"}).built] == ["garage", "odd"]


async def test_a_source_gets_what_it_needs(store: Store, offered: list[Entry]) -> None:
    await store.readings.write([])
    table = {"name": "mine", "type": "odd", "topics": ["home/{vehicle}/{field}"], "vehicle": "ann"}
    (built,) = feeds(store, table).built
    assert isinstance(built.source, OddSource)
    around = built.source.around
    assert (around.name, around.dialect, around.topics, around.vehicle) == ("mine", "generic", ("home/+/+",), "ann")
    await around.memory.put("key", "kept")
    assert await feeds(store, table).built[0].source.around.memory.get("key") == "kept"  # type: ignore[attr-defined]
    assert not await around.charging("ann")
    from chargeport.signals.reading import Reading

    await store.readings.write([Reading(CAR.id, BY_CODE["charge-ischarging"], True, T0, T0, "car")])
    assert await around.charging("ann")
    assert not await around.charging("nobody")


async def test_two_sources_can_not_listen_at_one_address(store: Store) -> None:
    tables = [{"name": name, "type": "ocpp", "password": "0123456789abcdef"} for name in ("one", "two")]
    with pytest.raises(SettingError, match="two: another source listens at /ocpp"):
        feeds(store, *tables).sockets()
    assert list(feeds(store, tables[0]).sockets()) == ["/ocpp/{station:path}"]
    assert list(feeds(store, tables[0]).sockets_elsewhere()) == ["/{path:path}"], "where a station may go astray"


async def test_what_is_pushed_and_what_a_source_receives_is_recorded_where_configured(store: Store, tmp_path: Path) -> None:
    from feeding import delivery

    settings = Settings(sources=[MQTT | {"record": "garage"}], ingest=IngestSettings(record="pushed"), folder=str(tmp_path))
    whole = Feeds(store, settings, ManualClock(T0))
    secret = {"chargePower": 7200, "token": "0123456789abcdef0123456789abcdef"}
    await whole.pipeline.take([delivery(secret, "evcc", source="garage"), delivery(secret, "evcc"), delivery(secret, "evcc")])
    await whole.close()
    garage = (tmp_path / "garage" / "garage-20260501-095958.jsonl").read_text().splitlines()
    pushed = (tmp_path / "pushed" / "evcc-20260501-095958.jsonl").read_text().splitlines()
    assert (len(garage), len(pushed)) == (1, 2)
    assert "0123456789abcdef" not in "".join(garage + pushed)


async def test_a_recording_that_can_not_be_written_stops_nothing(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from feeding import delivery

    (tmp_path / "taken").write_text("a file")
    whole = Feeds(store, Settings(ingest=IngestSettings(record="taken"), folder=str(tmp_path)), ManualClock(T0))
    for _ in range(3):
        assert (await whole.pipeline.take([delivery({"wattage": 7200})])).stored == 1
    await whole.close()
    assert caplog.text.count("generic is not recorded") == 1
