"""`chargeport simulate`: load on a real server, over HTTP and through a broker, and the check of what was acknowledged."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from command_line import VIN, CommandLine, in_a_process

from brokers import BROKERS, PASSWORD, USER, Broker
from chargeport.cli.simulate import Ledger, Plan, missing
from chargeport.cli.simulate_targets import HttpApi, Report
from servers import Server

FEW = ("--vehicles", "3", "--rate", "60", "--seconds", "1", "--json")


def simulated(*arguments: str) -> dict[str, Any]:
    """The result of a run as a program of its own."""
    ended = in_a_process("simulate", *arguments)
    assert ended.code == 0, ended.err + ended.out
    result: dict[str, Any] = json.loads(ended.out)
    return result


def test_every_acknowledged_reading_is_found_again_over_http(tmp_path: Path) -> None:
    server = Server(tmp_path / "cars.db")
    server.start()
    try:
        result = simulated(server.url, "--database", f"sqlite:///{server.database}", *FEW)
    finally:
        server.stop()
    assert result["missing"] == 0
    assert result["reports"] >= 60
    assert result["checked"] == result["readings"] > 100
    assert 0 < result["latency_ms"]["p50"] <= result["latency_ms"]["p99"] <= result["latency_ms"]["max"]


@pytest.mark.parametrize("kind", BROKERS, ids=lambda kind: kind.NAME)
def test_every_acknowledged_reading_is_found_again_behind_a_broker(kind: type[Broker], tmp_path: Path) -> None:
    if kind.program() is None:
        pytest.skip(f"{kind.NAME} is not installed")
    with kind(tmp_path) as broker:
        settings = tmp_path / "settings.toml"
        settings.write_text(
            f'[[sources]]\nname = "garage"\ntype = "mqtt"\ndialect = "generic"\nurl = "mqtt://localhost:{broker.port}"\n'
            f'username = "{USER}"\npassword = "{PASSWORD}"\n'
        )
        server = Server(tmp_path / "cars.db", options=("--config", str(settings)))
        server.start()
        try:
            url = f"mqtt://{USER}:{PASSWORD.replace(' ', '%20')}@localhost:{broker.port}"
            behind = ("--api", server.url, "--source", "garage", "--database", f"sqlite:///{server.database}")
            result = simulated(url, *behind, *FEW)
        finally:
            server.stop()
    assert (result["missing"], result["checked"] > 100) == (0, True)


def test_a_database_with_cars_of_its_own_is_refused(chargeport: CommandLine) -> None:
    chargeport.vehicle("--vin", VIN)
    assert "not simulated" in chargeport("simulate", "http://127.0.0.1:9").refused()


@pytest.mark.parametrize(
    ("url", "why"),
    [("ftp://here", "--api is missing"), ("nats://127.0.0.1:9", "--api is missing"), ("http://127.0.0.1:9", "reached")],
)
def test_a_target_that_takes_no_load_is_named(chargeport: CommandLine, url: str, why: str) -> None:
    assert why in chargeport("simulate", url, "--token", "cpt_x", "--seconds", "1").refused()


class Forgetful(HttpApi):
    """An API that has lost the second of two changes, and has another value in place of a third."""

    async def get(self, path: str) -> dict[str, Any]:
        times = {"oemUpdatedAt": "2026-05-01T10:00:00Z"}
        value = 31 if "lost" in path else 5
        return {"data": [{"body": {"value": value, "unit": "percent"}, "meta": times}], "links": {"next": None}}


def test_a_reading_that_is_not_stored_is_listed() -> None:
    at = HttpApi.milliseconds("2026-05-01T10:00:00Z")
    ledger = Ledger()
    soc = "tractionbattery-stateofcharge"
    ledger.add([Report("lost", at + later, {soc: {"value": 31 + later, "unit": "percent"}}) for later in (0, 1)])
    ledger.add([Report("wrong", at, {soc: {"value": 6, "unit": "percent"}}), Report("early", at - 1, {soc: {"value": 5}})])
    plan = Plan("http://a", "http://a", 1, 1, 1, 1, 1, "generic", 1)
    found = asyncio.run(missing(ledger, Forgetful("http://a", "t", 1), plan))
    assert [line.split(":")[0] for line in found] == [
        f"{soc} of lost at {at + 1}", f"{soc} of wrong at {at}", f"{soc} of early at {at - 1}",
    ]  # fmt: skip
