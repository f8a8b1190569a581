"""Smartcar's own SDKs for Python and Node parse every type and code that a simulator can be asked for."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chargeport.simulation.client import Client
from chargeport.taxonomy import SMARTCAR_KINDS
from pinned_node import installed, node
from servers import demo

pytestmark = pytest.mark.service

KINDS = list(SMARTCAR_KINDS.values())
PYTHON = """
import json, os, smartcar
vehicle, told = smartcar.Vehicle(os.environ["VEHICLE"], os.environ["TOKEN"]), []
for _ in range(int(os.environ["COUNT"])):
    try:
        vehicle.get_signals()
    except smartcar.SmartcarException as error:
        told.append([error.status_code, error.type, error.code, error.resolution["type"], getattr(error, "retry_after", None)])
print(json.dumps(told))
"""
NODE = """
const smartcar = require('smartcar');
const vehicle = new smartcar.Vehicle(process.env.VEHICLE, process.env.TOKEN);
(async () => {
  const told = [];
  for (let i = 0; i < Number(process.env.COUNT); i += 1) {
    try {
      await vehicle.getSignals();
    } catch (error) {
      if (!(error instanceof smartcar.SmartcarError)) throw error;
      told.push([error.statusCode, error.type, error.code ?? null, error.resolution?.type ?? null, error.retryAfter ?? null]);
    }
  }
  console.log(JSON.stringify(told));
})();
"""


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    """A demo that answers once with each error, in their order; and what an SDK is to know of it."""
    with demo("--frozen", "--vehicles", "1") as facts:
        client = Client(facts["url"], facts["token"])
        for kind in KINDS:
            client.post("/simulator/faults", {"type": kind.type, "code": kind.code, "times": 1, "retryAfterSeconds": 7})
        origins = ("SMARTCAR_VEHICLE_API_V3_ORIGIN", "SMARTCAR_API_V3_ORIGIN", "SMARTCAR_API_ORIGIN")
        known = {"VEHICLE": facts["vehicles"][0]["id"], "TOKEN": facts["token"], "COUNT": str(len(KINDS)), "NO_PROXY": "*"}
        yield os.environ | known | dict.fromkeys(origins, facts["url"])


def output_of(command: list[str], environment: dict[str, str], folder: Path) -> list[Any]:
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    reported: list[Any] = json.loads(done.stdout)
    return reported


def test_the_python_sdk_knows_each_error(environment: dict[str, str], tmp_path: Path) -> None:
    reported = output_of([sys.executable, "-W", "ignore", "-c", PYTHON], environment, tmp_path)
    assert [each[:4] for each in reported] == [[kind.status, kind.type, kind.code, kind.resolution] for kind in KINDS]
    assert {f"{each[4]}" for each in reported} == {"7"}


def test_the_node_sdk_knows_each_error(environment: dict[str, str], tmp_path: Path) -> None:
    reported = output_of([node(), "-e", NODE], environment, installed(tmp_path))
    assert [each[:4] for each in reported] == [[kind.status, kind.type, kind.code, kind.resolution] for kind in KINDS]
    assert {f"{each[4]}" for each in reported} == {"7"}
