"""Scenarios: the ready ones keep what they promise, and a file that is wrong is refused by name."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from simulated_server import Simulated

from answers import detail
from chargeport import demo
from chargeport.errors import Problem
from chargeport.simulation.scenario import Scenario, SightPart, library, named, parsed
from chargeport.testing import AnswerError, Car, Server

TIMERS = "[[events]]\nafter = 'PT1H'\ndo = 'timers'\nwith = {values = "
PLAIN = 'name = "x"\nsummary = "x"\n[[cars]]\nname = "a"\n'


@pytest.mark.parametrize("scenario", library().values(), ids=lambda scenario: scenario.name)
def test_a_client_sees_what_the_scenario_says(scenario: Scenario) -> None:
    with Server(scenario.name) as server:
        start_at = round(server.clock.now().timestamp() * 1000)
        offset = scenario.cars[0].utc_offset_min
        names = dict(zip([car.name for car in scenario.cars], server.cars, strict=True))
        for sight in sorted(scenario.sees, key=lambda each: each.instant(start_at, offset)):
            at = sight.instant(start_at, offset) / 1000
            server.clock.advance(seconds=at - server.clock.now().timestamp())
            check(sight, names.get(sight.car or "", server.car))


def check(sight: SightPart, car: Car) -> None:
    error, value = seen(car, sight.signal)
    assert error == sight.error, sight.text
    assert sight.value is None or value == sight.value, sight.text
    assert sight.least is None or value >= sight.least, (sight.text, value)
    assert sight.most is None or value <= sight.most, (sight.text, value)


def seen(car: Car, code: str) -> tuple[str | None, Any]:
    """The error that a client gets for the signal, or is shown beside it, and else the value."""
    try:
        attributes = car.signal(code)
    except AnswerError as refused:
        return f"{refused.type}/{refused.code}", None
    error = attributes["status"].get("error")
    return (None, attributes["body"]["value"]) if error is None else (f"{error['type']}/{error['code']}", None)


async def test_a_scenario_begins_over_http_beside_the_cars_there_are(simulation: Simulated) -> None:
    simulation.control._register = lambda profiles: demo.add_vehicles(simulation.service, profiles)  # type: ignore[assignment]
    listed = (await simulation.client.get("/simulator/scenarios")).json()["data"]
    assert {"night-at-home", "road-trip", "broken-cloud"} <= {each["name"] for each in listed}
    begun = await simulation.client.post("/simulator/scenarios", json={"name": "night-at-home"})
    assert begun.status_code == 201, begun.text
    assert begun.json()["startedAt"] == "2026-05-01T21:00:00.000Z"
    car = begun.json()["vehicles"]["runabout"]
    assert len((await simulation.client.get("/simulator")).json()["vehicles"]) == 2
    await simulation.client.post("/simulator/clock", json={"advanceSeconds": 7200})
    assert (await status(simulation, car)) == "CHARGING"


async def status(simulation: Simulated, car: str) -> Any:
    path = f"/v3/vehicles/{car}/signals/charge-detailedchargingstatus"
    answer: httpx.Response = await simulation.client.get(path)
    return answer.json()["data"]["attributes"]["body"]["value"]


@pytest.mark.parametrize(
    ("more", "reported"),
    [
        ("[[events]]\ndo = 'plug'\n", "after"),
        ("[[events]]\nafter = 'PT1H'\n", "one of the three"),
        ("[[events]]\nafter = '1h'\ndo = 'plug'\n", "duration"),
        ("[[events]]\nafter = 'PT1H'\ndo = 'plug'\ncar = 'b'\n", "no car 'b'"),
        ("[[cars]]\nname = 'a'\n", "one name"),
        ("colour = 'red'\n", "colour"),
        ("soc = 101\n", "soc"),
        ("model = 'zeppelin'\n", "model"),
        ("]", "scenario"),
        ("[[events]]\nafter = 'PT1H'\ndo = 'plug'\n[[events]]\nafter = '1h'\ndo = 'plug'\n", r"events\[1\]"),
        ("[[sees]]\nafter = 'PT1H'\nsignal = 'charge-ischargin'\nvalue = true\ntext = 't'\n", "charge-ischarging"),
        ("[[sees]]\nafter = 'PT1H'\nsignal = 'charge-ischarging'\ntext = 't'\n", "value, least"),
    ],
)
async def test_a_file_that_is_wrong_is_refused_by_name(simulation: Simulated, more: str, reported: str) -> None:
    with pytest.raises(Problem, match=reported):
        parsed(PLAIN + more)
    assert detail(await simulation.client.post("/simulator/scenarios", json={"toml": PLAIN + more}), 400)


@pytest.mark.parametrize(
    ("more", "reported"),
    [
        ("[[events]]\nafter = 'PT1H'\ndo = 'fly'\n", "fly"),
        ("[[events]]\nafter = 'PT1H'\nfault = {type = 'NONE'}\n", "NONE"),
        (f"{TIMERS}[{{type = 'GLOBAL', schedules = [{{start = '25:00', end = '05:00'}}]}}]}}\n", "start"),
        (
            "[[events]]\nafter = 'PT1H'\ndo = 'say'\nwith = {source = 'b', fields = {chargng = true}}\n",
            "nearest name is charging",
        ),
        ("[[events]]\nafter = 'PT1H'\ndo = 'plug'\n[[events]]\nafter = 'PT1H'\ndo = 'fly'\n", "events[1]"),
        ("home = 'moon'\n", "moon"),
        ("not_capable = ['charge-nothing']\n", "charge-nothing"),
    ],
)
async def test_what_only_shows_with_the_cars_is_refused_before_anything_happens(
    simulation: Simulated, more: str, reported: str
) -> None:
    assert reported in detail(await simulation.client.post("/simulator/scenarios", json={"toml": PLAIN + more}), 400)
    assert len((await simulation.client.get("/simulator")).json()["vehicles"]) == 1


def test_a_file_is_named_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(PLAIN, "utf-8")
    assert named(str(tmp_path / "mine.toml")).name == "x"
    with pytest.raises(Problem, match="can't be read"):
        named(str(tmp_path / "none.toml"))
