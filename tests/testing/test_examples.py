"""The examples run, and are as short as they promise."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import jinja2
import msgspec
import pytest
import yaml

from chargeport import config
from chargeport.simulation.client import Client
from chargeport.sources.home_assistant_settings import HomeAssistantSettings
from chargeport.testing import Server
from pinned_node import installed, node
from servers import Server as Serving
from servers import demo, first_line, free_port, stop

pytestmark = pytest.mark.service

PROGRAM = (sys.executable, "-m", "chargeport")
EXAMPLES = Path(__file__).parents[2] / "examples"


def environment(server: Server, **more: str) -> dict[str, str]:
    known = {"CHARGEPORT_URL": server.url, "CHARGEPORT_TOKEN": server.token, "VEHICLE": server.car.id, "NO_PROXY": "*"}
    return {**os.environ, **known, **more}


def run(command: Sequence[str], folder: Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_python_sdk_reads_a_car(chargeport_server: Server) -> None:
    command = [sys.executable, "-W", "ignore", "read_signals.py"]
    check_read(run(command, EXAMPLES / "python-sdk", environment(chargeport_server)))


def test_the_node_sdk_reads_a_car(chargeport_server: Server, tmp_path: Path) -> None:
    program = tmp_path / "read-signals.js"
    program.write_text((EXAMPLES / "node-sdk" / program.name).read_text("utf-8"), "utf-8")
    assert json.loads((EXAMPLES / "node-sdk" / "package.json").read_text("utf-8"))["dependencies"] == {"smartcar": "10.4.0"}
    check_read(run([node(), program.name], installed(tmp_path), environment(chargeport_server)))


def check_read(printed: str) -> None:
    lines = printed.splitlines()
    assert any(line.startswith("tractionbattery-stateofcharge") and "40" in line for line in lines), printed
    assert lines[-1].startswith("404 RESOURCE_NOT_FOUND/SIGNAL_NOT_FOUND: ")


@pytest.mark.parametrize("language", ["python", "node"])
def test_a_receiver_is_verified_and_prints_events(chargeport_server: Server, language: str) -> None:
    command = [sys.executable, "receiver.py"] if language == "python" else [node(), "receiver.js"]
    more = {"PORT": str(free_port()), "MANAGEMENT_TOKEN": chargeport_server.management_token}
    receiver = subprocess.Popen(
        command, cwd=EXAMPLES / f"webhook-receiver-{language}", env=environment(chargeport_server, **more),
        stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        uri = first_line(receiver).strip()
        code = "charge-ischargingcableconnected"
        attributes = {"name": "Mine", "callbackUri": uri, "triggers": [code], "data": [code], "autoSubscribe": True}
        made = chargeport_server.client.post("/v3/webhooks", {"data": {"attributes": attributes}})["data"]
        chargeport_server.client.post(f"/v3/webhooks/{made['id']}/verify")
        chargeport_server.clock.advance()
        chargeport_server.car.plug()
        chargeport_server.clock.advance(minutes=1)
        assert receiver.stdout
        printed = [receiver.stdout.readline() for _ in range(2)]
    finally:
        stop(receiver)
    assert chargeport_server.car.id in printed[1]
    assert "true" in printed[1].lower()


def test_the_suite_of_an_app_passes() -> None:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-W",
        "ignore",
        "-p",
        "no:cacheprovider",
        "-c",
        os.devnull,
        "--rootdir",
        ".",
    ]
    assert "3 passed" in run(command, EXAMPLES / "pytest-suite")


class Secrets(yaml.SafeLoader):
    """Reads Home Assistant's YAML, in which secrets stand elsewhere."""


Secrets.add_constructor("!secret", lambda _, node: f"secret {node.value}")


def test_the_configuration_of_home_assistant_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME_ASSISTANT_TOKEN", "a-token")
    monkeypatch.chdir(EXAMPLES / "home-assistant")
    settings = config.load(Path("chargeport.toml"))
    assert settings.mqtt_out.url == "mqtt://homeassistant.local"
    (given,) = settings.sources
    source = msgspec.convert({name: given[name] for name in HomeAssistantSettings.__struct_fields__ if name in given},
                             HomeAssistantSettings)  # fmt: skip
    assert source.commands["leaf"].stop == "switch.leaf_charging"


def test_the_sensors_of_home_assistant_show_what_the_server_answers(chargeport_server: Server) -> None:
    text = (EXAMPLES / "home-assistant" / "package.yaml").read_text("utf-8")
    (resource,) = yaml.load(text, Secrets)["rest"]  # noqa: S506  (a safe loader)
    assert resource["headers"] == {"Authorization": "secret chargeport_token"}

    def shown() -> list[str]:
        path = urlsplit(resource["resource"]).path
        answer = chargeport_server.client.get(str(Path(path).parent.parent / chargeport_server.car.id / "signals"))
        sensors = [*resource["sensor"], *resource["binary_sensor"]]
        return [jinja2.Template(each["value_template"]).render(value_json=answer).strip() for each in sensors]

    chargeport_server.car.plug()
    chargeport_server.clock.advance(minutes=10)
    soc, charging = shown()
    assert float(soc) == chargeport_server.car.value("tractionbattery-stateofcharge")
    assert charging == "True"
    chargeport_server.car.silence(hours=2)
    chargeport_server.clock.advance(hours=1)
    assert shown()[1] == "", "unknown is no value"


def test_grafana_finds_the_dashboards_and_prometheus_the_rules() -> None:
    folder = EXAMPLES / "grafana"
    (source,) = yaml.safe_load((folder / "provisioning/datasources/prometheus.yml").read_text("utf-8"))["datasources"]
    dashboard = json.loads((folder / "cars.json").read_text("utf-8"))
    assert {panel["datasource"]["uid"] for panel in dashboard["panels"]} == {source["uid"]}
    for each in yaml.safe_load((folder / "provisioning/dashboards/chargeport.yml").read_text("utf-8"))["providers"]:
        assert list(Path(each["options"]["path"].replace("$CHARGEPORT_EXAMPLE", str(folder))).glob("*.json"))
    scraped = yaml.safe_load((folder / "prometheus.yml").read_text("utf-8"))
    assert all((folder / rules).is_file() for rules in scraped["rule_files"])
    assert scraped["scrape_configs"][0]["static_configs"] == [{"targets": ["127.0.0.1:8080"]}]
    assert config.load(folder / "chargeport.toml").metrics.vehicle_values


def test_duckdb_adds_up_the_energy_of_an_export(tmp_path: Path) -> None:
    file = tmp_path / "cars.db"
    with demo("--frozen", "--scenario", "night-at-home", "--database", str(file)) as facts:
        client = Client(facts["url"], facts["token"])
        client.post("/simulator/clock", {"advanceSeconds": 14 * 3600})
        car = facts["vehicles"][0]["id"]
        client.post(f"/simulator/vehicles/{car}/unplug")  # ends the session
        client.post("/simulator/clock", {"advanceSeconds": 3600})
        records = client.get(f"/v3/vehicles/{car}/signals/charge-chargerecords")["data"]["attributes"]["body"]["values"]
        run([*PROGRAM, "export", "cars.csv", "--database", f"sqlite:///{file}"], tmp_path)
    printed = run([sys.executable, str(EXAMPLES / "duckdb" / "charging.py"), "cars.csv"], tmp_path).splitlines()[1:]
    assert {line.split()[0] for line in printed} == {car}
    added = sum(record["energyAdded"] for record in records)
    assert added < sum(float(line.split()[2]) for line in printed) < 1.2 * added, "drawn, with what is lost on the way"


def test_a_dialect_of_ones_own_is_read(tmp_path: Path) -> None:
    folder, file = EXAMPLES / "own-dialect", tmp_path / "cars.db"
    known = ["--database", f"sqlite:///{file}"]
    app = json.loads(run([*PROGRAM, "app", "create", "Garage", "--json", *known], tmp_path))
    token = json.loads(run([*PROGRAM, "app", "token", app["client_id"], "--json", *known], tmp_path))["access_token"]
    server = Serving(file, options=("--config", str(folder / "chargeport.toml")))
    server.start()
    try:
        client = Client(server.url, token)
        message = json.loads((folder / "message.json").read_text("utf-8"))
        assert client.post("/ingest/garage?vehicle=garage:left", message)["accepted"] == 6
        found = client.get("/v3/vehicles/0b0c6b0e-1b5e-4d6e-9b3f-2f8f5f2a7c11/signals/charge-wattage")
    finally:
        server.stop()
    assert found["data"]["attributes"]["body"] == {"value": 7200, "unit": "watts"}


def test_each_example_is_short() -> None:
    kinds = (".py", ".js", ".toml", ".yaml", ".yml", ".json")
    programs = [file for file in EXAMPLES.rglob("*") if file.suffix in kinds and "node_modules" not in file.parts]
    assert programs
    for file in programs:
        assert len(file.read_text("utf-8").splitlines()) <= 80, file
        readme = EXAMPLES / file.relative_to(EXAMPLES).parts[0] / "README.md"
        assert len(readme.read_text("utf-8").splitlines()) <= 24, readme
