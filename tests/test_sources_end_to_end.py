"""A server with a settings file, as somebody with two cars runs it: pushes in, signals out, what was not understood mended."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from servers import CHARGEPORT, READY_S, Server, environment

ANN, BOB = "5YJ3E1EA7KF000000", "WVWZZZE1ZMP000000"
SETTINGS = """
[database]
url = "sqlite:///{folder}/cars.db"

[ingest]
record = "heard"

[[vehicles]]
vin = "{ann}"
aliases = ["teslamate:1"]
make = "Tesla"
capacity_kwh = 75

[[vehicles]]
vin = "{bob}"
aliases = ["mybox:left", "bob"]

[[dialects]]
name = "mybox"
payload = "object"

[[dialects.rows]]
field = "volts"
signal = "charge-voltage"
unit = "V"

{more}
[[sources]]
name = "garage"
type = "mqtt"
url = "mqtt://127.0.0.1:9"
dialect = "evcc"

[[sources]]
name = "again"
type = "recording"
dialect = "mybox"
vehicle = "bob"
file = "{folder}/again.jsonl"
speed = 0
"""
AMPS = '[[dialects.rows]]\nfield = "amps"\nsignal = "charge-amperage"\nunit = "A"\n'

pytestmark = pytest.mark.service


class House:
    """A server on a settings file, and the commands beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = folder / "chargeport.toml"
        self.write()
        (folder / "again.jsonl").write_text('{"at": 1777629598000, "payload": {"volts": 239}}\n')
        self.server = Server(folder / "cars.db", options=("--config", str(self.settings)))

    def write(self, more: str = "") -> None:
        self.settings.write_text(SETTINGS.format(folder=self.folder, ann=ANN, bob=BOB, more=more))

    def run(self, *arguments: str, code: int = 0) -> Any:
        done = subprocess.run(
            [CHARGEPORT, *arguments, "--json"], capture_output=True, text=True, timeout=60, check=False, env=environment()
        )
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout)

    def source(self, *arguments: str, code: int = 0) -> Any:
        return self.run("source", *arguments, "--config", str(self.settings), code=code)

    def states(self, enough: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """How the sources are, as soon as the server has written down enough; it does so every few seconds."""
        until = time.monotonic() + READY_S
        while True:
            found = {each["name"]: each for each in self.source("list")}
            if enough(found) or time.monotonic() > until:
                return found

    def client(self) -> httpx.Client:
        database = f"sqlite:///{self.folder / 'cars.db'}"
        made = self.run("app", "create", "Tester", "--database", database)
        given = {"grant_type": "client_credentials", "client_id": made["client_id"], "client_secret": made["client_secret"]}
        token = httpx.post(f"{self.server.url}/oauth2/token", data=given, timeout=20).json()["access_token"]
        return httpx.Client(base_url=self.server.url, timeout=20, headers={"Authorization": f"Bearer {token}"})


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    one = House(tmp_path)
    one.server.start()
    yield one
    one.server.stop()


def signal(client: httpx.Client, vehicle: str, code: str) -> tuple[Any, str]:
    answer = client.get(f"/v3/vehicles/{vehicle}/signals/{code}")
    assert answer.status_code == 200, answer.text
    data = answer.json()["data"]
    return data["attributes"]["body"]["value"], data["meta"]["source"]


def test_two_cars_several_systems_and_a_table_that_is_mended(house: House) -> None:
    with house.client() as client:
        cars = {each["attributes"]["make"]: each["id"] for each in client.get("/v3/vehicles").json()["data"]}
        ann, bob = cars.pop("Tesla"), cars.popitem()[1]

        assert client.post("/ingest/teslamate?vehicle=1", json={"charger_voltage": 231}).json()["accepted"] == 1
        assert client.post(f"/ingest/ovms?vehicle={BOB}", json={"v.b.soc": 55}).json()["accepted"] == 1
        answer = client.post("/ingest/mybox?vehicle=left", json={"volts": 240, "amps": 16}).json()
        assert (answer["accepted"], [each["path"] for each in answer["rejected"]]) == (1, ["amps"])
        assert client.post("/ingest/mybox?vehicle=nobody", json={"volts": 1}).status_code == 422

        assert signal(client, ann, "charge-voltage") == (231, "teslamate")
        assert signal(client, bob, "tractionbattery-stateofcharge") == (55, "ovms")
        assert signal(client, bob, "charge-voltage") == (240, "mybox")
        capacity = client.get(f"/v3/vehicles/{ann}/signals/tractionbattery-nominalcapacity").json()["data"]
        assert (capacity["attributes"]["body"]["capacity"], capacity["meta"]["source"]) == (75, "settings")

        states = house.states(lambda found: found["garage"]["cause"] is not None and found["again"]["messages"] > 0)
        assert states["garage"]["cause"] == "unreachable"
        assert (states["again"]["condition"], states["again"]["stored"]) == ("connected", 1)
        assert {(each["source"], each["subject"]) for each in house.source("issues")} == {
            ("mybox", "amps"),
            ("mybox", "vehicle"),
        }

        house.write(AMPS)
        replayed = house.source("replay", "--issues", code=1)
        assert (replayed["messages"], replayed["accepted"], replayed["rejected"]) == (2, 1, 1)
        assert signal(client, bob, "charge-amperage") == (16, "mybox")
        assert [each["subject"] for each in house.source("issues")] == ["vehicle"]

    house.server.stop()
    (received,) = (house.folder / "heard").glob("mybox-*.jsonl")
    replayed = house.source("replay", str(received), "--dialect", "mybox", code=1)
    assert (replayed["messages"], replayed["rejected"]) == (2, 2), "the names of cars are redacted"
    replayed = house.source("replay", str(house.folder / "again.jsonl"), "--source", "again", "--vehicle", "bob")
    assert (replayed["accepted"], replayed["rejected"]) == (0, 0)
    assert {each["condition"] for each in house.source("list")} == {"stopped"}
