"""`chargeport simulator` beside a running demo: it finds the server and its token by the database."""

from pathlib import Path

import pytest
from command_line import CommandLine

from chargeport.simulation.client import AnswerError, Client
from servers import demo

pytestmark = pytest.mark.service


def test_a_car_of_a_demo_is_controlled_by_name(chargeport: CommandLine, database: Path) -> None:
    with demo("--frozen", "--vehicles", "3", "--database", str(database)) as facts:
        clock = chargeport("simulator", "clock", "--json").json
        assert clock["isFrozen"] is True
        assert [car["id"] for car in chargeport("simulator", "show", "--json").json["vehicles"]] == [
            car["id"] for car in facts["vehicles"]
        ]
        assert chargeport("simulator", "plug", "runabout", "--amps", "10", "--json").json["isPluggedIn"] is True
        assert chargeport("simulator", "clock", "--advance", "PT10M", "--json").json["now"] > clock["now"]
        assert "CHARGING" in chargeport("simulator", "limit", "acme runabout", "--percent", "95").out
        shown = chargeport("signals", facts["vehicles"][2]["id"], "--json").json
        assert shown
        assert "no simulated car" in chargeport("simulator", "plug", "zeppelin").refused()
        assert "percent" in chargeport("simulator", "soc", "runabout", "--percent", "120").refused()
        assert "no duration" in chargeport("simulator", "clock", "--advance", "8h").refused(2)


def test_without_a_demo_it_says_how_to_name_a_server(chargeport: CommandLine, database: Path) -> None:
    chargeport("migrate")
    assert "--url" in chargeport("simulator", "show").refused()
    assert "--token" in chargeport("simulator", "show", "--url", "http://127.0.0.1:1").refused()


def test_something_goes_wrong_until_it_is_taken_back(chargeport: CommandLine, database: Path) -> None:
    with demo("--frozen", "--vehicles", "1", "--database", str(database)) as facts:
        car = facts["vehicles"][0]["id"]
        (fault,) = chargeport(
            "simulator", "fault", "--type", "VEHICLE_STATE", "--code", "ASLEEP", "--vehicle", "grand", "--json"
        ).json
        assert (fault["type"], fault["code"], fault["vehicle"], fault["hits"]) == ("VEHICLE_STATE", "ASLEEP", car, 0)
        assert "VEHICLE_STATE/ASLEEP" in chargeport("simulator", "fault").out
        assert "nearest name is SERVER" in chargeport("simulator", "fault", "--type", "SERVERS").refused()
        assert chargeport("simulator", "fault", "--clear", "--json").json == []
        options = ("--webhook", "DELAY", "--delay", "90", "--times", "1", "--json")
        (late,) = chargeport("simulator", "fault", *options).json
        assert late["delaySeconds"] == 90
        (busy,) = chargeport("simulator", "fault", "--clear", "--type", "RATE_LIMIT", "--retry-after", "7", "--json").json
        assert busy["retryAfterSeconds"] == 7
        (slow,) = chargeport("simulator", "fault", "--clear", "--latency", "2.5", "--after", "3", "--json").json
        assert (slow["latencySeconds"], slow["after"]) == (2.5, 3)
        assert "2.5 s late" in chargeport("simulator", "fault").out
        assert "<= 60" in chargeport("simulator", "fault", "--latency", "61").refused()


def test_tokens_expire_now_and_the_next_command_gets_a_new_one(chargeport: CommandLine, database: Path) -> None:
    with demo("--frozen", "--vehicles", "1", "--database", str(database)) as facts:
        client = Client(facts["url"], facts["token"])
        client.get("/v3/vehicles")
        chargeport("simulator", "fault", "--expire-tokens")
        with pytest.raises(AnswerError) as raised:
            client.get("/v3/vehicles")
        assert raised.value.status == 401
        assert chargeport("simulator", "fault", "--json").json == []
