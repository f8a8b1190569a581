"""The examples run, and are as short as they promise."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from chargeport.testing import Server
from pinned_node import installed, node
from servers import first_line, free_port, stop

pytestmark = pytest.mark.service

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


def test_each_example_is_short() -> None:
    programs = [file for file in EXAMPLES.rglob("*") if file.suffix in (".py", ".js") and "node_modules" not in file.parts]
    assert programs
    for file in programs:
        if "chargeport-source-example" not in file.parts:
            assert len(file.read_text("utf-8").splitlines()) <= 80, file
            assert len((file.parent / "README.md").read_text("utf-8").splitlines()) <= 24, file.parent
