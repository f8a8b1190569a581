"""A new user's path with the README's own settings: TeslaMate's car and an OCPP box, to the cost of the first session."""

import asyncio
import json
import os
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from servers import free_port

ROOT: Final = Path(__file__).parent.parent
WITHIN_S: Final = 600
SOON_S: Final = 30
CAR: Final = {"charging_state": "Charging", "charger_power": "7", "battery_level": "57", "plugged_in": "true"}
BROKER: Final = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin")

pytestmark = [
    pytest.mark.service,
    pytest.mark.skipif(BROKER is None or shutil.which("mosquitto_pub") is None, reason="no mosquitto, or no clients of it"),
]


@contextmanager
def running(*command: str, cwd: Path) -> Iterator[subprocess.Popen[str]]:
    """A program that is stopped afterwards."""
    process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=SOON_S)


def settings(broker: int) -> str:
    """The README's settings; only addresses are this machine's."""
    (block,) = re.findall(r"^```toml\n(.*?)^```", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return str(block).replace("mqtt://192.0.2.10", f"mqtt://127.0.0.1:{broker}").replace('"0.0.0.0"', '"127.0.0.1"')


async def charge_at(url: str) -> None:
    """An OCPP 1.6 box delivers 0.7 kWh."""
    ocpp = pytest.importorskip("ocpp.v16")
    websockets = pytest.importorskip("websockets")
    call = ocpp.call

    class Box(ocpp.ChargePoint):  # type: ignore[misc, name-defined]
        """A station that can nothing but report."""

    def ago(minutes: int) -> str:  # it was without a network, and sends now what it kept
        return (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")

    async with websockets.connect(url, subprotocols=["ocpp1.6"]) as connection:
        box = Box("BOX-1", connection)
        listening = asyncio.create_task(box.start())
        await box.call(call.BootNotification(charge_point_model="Box", charge_point_vendor="ACME"))
        started = await box.call(call.StartTransaction(connector_id=1, id_tag="CARD", meter_start=1000, timestamp=ago(40)))
        for minutes, register in ((35, 1100), (20, 1400), (10, 1650)):
            sampled = {"value": str(register), "measurand": "Energy.Active.Import.Register", "unit": "Wh"}
            await box.call(
                call.MeterValues(
                    connector_id=1, transaction_id=started.transaction_id,
                    meter_value=[{"timestamp": ago(minutes), "sampledValue": [sampled]}],
                )
            )  # fmt: skip
        await box.call(
            call.StopTransaction(transaction_id=started.transaction_id, meter_stop=1700, timestamp=ago(5), reason="Local")
        )
        listening.cancel()


def records(folder: Path) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "chargeport", "records", "--json"], cwd=folder, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_a_car_and_a_box_are_there_with_the_cost_of_the_first_session(tmp_path: Path) -> None:
    begun, port = time.monotonic(), free_port()
    (tmp_path / "chargeport.toml").write_text(settings(port))
    with (
        running(str(BROKER), "-p", str(port), cwd=tmp_path),
        running(sys.executable, "-m", "chargeport", "serve", "--port", "0", cwd=tmp_path) as server,
    ):
        assert server.stdout
        ready, _, _ = select.select([server.stdout], [], [], SOON_S)
        found = re.search(r"http://([\w.:]+)", server.stdout.readline() if ready else "")
        assert found
        for topic, value in CAR.items():
            sent = ["mosquitto_pub", "-p", str(port), "-q", "1", "-r", "-t", f"teslamate/cars/1/{topic}", "-m", value]
            subprocess.run(sent, check=True, timeout=SOON_S)
        asyncio.run(charge_at(f"ws://{found[1]}/ocpp/BOX-1"))
        while not (made := [each for each in records(tmp_path) if each["cost"] and not each["is_open"]]):
            assert time.monotonic() - begun < WITHIN_S, "no session with a cost"
    (session,) = made
    assert session["energy_drawn_kwh"] == 0.7
    assert session["cost"] == {"currency": "EUR", "amount": 0.22}
    assert session["place"]["name"] == "Home"
    assert "wallbox" in session["sources"]
