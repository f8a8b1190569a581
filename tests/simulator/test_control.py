"""Control of simulated cars and their clock: what is done is stored when the caller goes on, the same at every run."""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from simulated_cars import HOUR, MINUTE
from simulated_server import CAR, Simulated, simulated

from chargeport.errors import Problem
from chargeport.signals.catalogue import BY_CODE
from world import T0

SOC, STATUS, POWER = "tractionbattery-stateofcharge", "charge-detailedchargingstatus", "charge-wattage"


async def test_a_night_of_charging_is_simulated_in_one_step(simulation: Simulated) -> None:
    await simulation.do("plug")
    await simulation.control.advance(120)
    assert await simulation.value(STATUS) == "CHARGING"
    assert await simulation.value(POWER) > 10_000
    await simulation.control.advance(8 * 3600)
    assert await simulation.value(STATUS) == "FULLY_CHARGED"
    assert await simulation.value(SOC) == 80
    assert simulation.control.clock.now() == T0 + 1 + 2 * MINUTE + 8 * HOUR


async def test_two_runs_store_the_same_history(tmp_path: Path) -> None:
    async def run(name: str) -> list[Any]:
        (tmp_path / name).mkdir()
        async with simulated(tmp_path / name, drop_probability=0.2, late_probability=0.2) as opened:
            await opened.do("plug")
            for hours in (1, 2, 5):
                await opened.control.advance(hours * 3600)
            changes = await opened.service.store.readings.changes(0, 100_000)
            return [(each.signal.code, each.value, each.observed_at, each.received_at, each.source) for each in changes]

    first = await run("first")
    assert len(first) > 1000
    assert first == await run("second")


async def test_while_the_clock_is_frozen_nothing_happens(simulation: Simulated) -> None:
    await simulation.do("plug")
    position = await simulation.service.store.readings.position()
    for _ in range(50):
        await asyncio.sleep(0)
    assert simulation.control.clock.now() == T0 + 1
    assert await simulation.service.store.readings.position() == position


async def test_the_clock_runs_on_at_the_speed_it_is_given_and_stops_again(simulation: Simulated) -> None:
    await simulation.control.run(3600)
    await simulation.control.clock.sleep(60)
    await simulation.control.run(0)
    stopped_at = simulation.control.clock.now()
    assert stopped_at >= T0 + MINUTE
    await simulation.do("plug")
    await simulation.control.advance(600)
    assert simulation.control.clock.now() == stopped_at + 10 * MINUTE
    assert await simulation.value(STATUS) == "CHARGING"


async def test_a_running_clock_continues_after_it_was_set_forward(tmp_path: Path) -> None:
    async with simulated(tmp_path, speed=1) as opened:
        await opened.do("plug")
        await opened.control.advance(3600)
        assert opened.control.clock.speed == 1
        assert opened.control.clock.now() >= T0 + HOUR
        assert await opened.value(SOC) > 40


@pytest.mark.parametrize(("advance_s", "reported"), [(-1, "set forward"), (32 * 86_400, "31 days")])
async def test_the_clock_is_not_set_back_nor_by_months(simulation: Simulated, advance_s: float, reported: str) -> None:
    with pytest.raises(Problem, match=reported):
        await simulation.control.advance(advance_s)
    assert simulation.control.clock.now() == T0


async def test_a_silence_loses_reports_and_ends_by_itself(simulation: Simulated) -> None:
    await simulation.do("plug")
    await simulation.control.advance(600)
    await simulation.do("silence", seconds=3600)
    await simulation.control.advance(3500)
    assert await simulation.value(POWER) is None, "stale: it was silent for longer than a live value stands"
    await simulation.control.advance(200)
    assert await simulation.value(POWER) > 10_000


async def test_a_silence_can_be_taken_back(simulation: Simulated) -> None:
    await simulation.do("plug")
    await simulation.do("silence", seconds=7200)
    await simulation.do("silence", seconds=0)
    await simulation.control.advance(120)
    assert await simulation.value(STATUS) == "CHARGING"


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp() * 1000


async def kept(simulation: Simulated) -> list[tuple[int, float]]:
    """After how many minutes of silence each state of charge was observed that is known now."""
    path = f"/v3/vehicles/{CAR.id}/signals/{SOC}/values?page[size]=500"
    data = (await simulation.client.get(path)).json()["data"]
    found = [(round((at(each["meta"]["oemUpdatedAt"]) - T0) / MINUTE), each["body"]["value"]) for each in data]
    return [each for each in found if each[0] > 10]


@pytest.mark.parametrize("ended_after_s", [3600, 1800])
async def test_reports_held_back_in_a_silence_arrive_at_its_end_with_their_own_times(
    simulation: Simulated, ended_after_s: int
) -> None:
    await simulation.do("plug")
    await simulation.control.advance(600)
    await simulation.do("silence", seconds=3600, keep=True)
    await simulation.control.advance(ended_after_s - 10)
    assert await simulation.value(POWER) is None
    assert await kept(simulation) == []
    await simulation.control.advance(10)
    if ended_after_s < 3600:
        await simulation.do("silence", seconds=0)
    arrived = await kept(simulation)
    assert [minute for minute, _ in arrived][:3] == [11, 12, 13]
    assert len(arrived) >= ended_after_s // 60 - 2
    assert [soc for _, soc in arrived] == sorted(soc for _, soc in arrived)
    assert await simulation.value(POWER) > 10_000


async def test_a_stopped_car_charges_again_only_when_it_is_started(simulation: Simulated) -> None:
    await simulation.do("plug")
    await simulation.control.advance(60)
    await simulation.do("stop")
    await simulation.control.advance(3600)
    assert await simulation.value(STATUS) == "STOPPED"
    await simulation.do("start")
    await simulation.control.advance(60)
    assert await simulation.value(STATUS) == "CHARGING"


async def test_a_start_overrules_the_timer_until_the_plug_is_pulled(simulation: Simulated) -> None:
    hour = simulation.control.clock.now() // HOUR % 24
    later = f"{(hour + 6) % 24:02}:00"
    await simulation.do(
        "timers", values=[{"type": "GLOBAL", "schedules": [{"start": later, "end": f"{(hour + 8) % 24:02}:00"}]}]
    )
    await simulation.do("plug")
    await simulation.control.advance(60)
    assert await simulation.value(STATUS) == "SCHEDULED"
    await simulation.do("start")
    await simulation.control.advance(60)
    assert await simulation.value(STATUS) == "CHARGING"
    await simulation.do("unplug")
    await simulation.do("plug")
    await simulation.control.advance(60)
    assert await simulation.value(STATUS) == "SCHEDULED"


async def test_a_state_of_charge_that_is_set_adds_no_energy(simulation: Simulated) -> None:
    await simulation.do("plug")
    await simulation.control.advance(1800)
    await simulation.do("report")
    added = await simulation.value("charge-energyadded")
    state = await simulation.do("soc", percent=20)
    assert state["stateOfCharge"] == 20
    assert await simulation.value("charge-energyadded") == pytest.approx(added, abs=0.02)


async def test_a_drive_ends_where_it_was_to_go(simulation: Simulated) -> None:
    await simulation.do("drive", km=30, to="home")
    assert (await simulation.do("report"))["place"] is None
    await simulation.control.advance(3600)
    state = simulation.control.vehicle(CAR.id)
    assert state["place"] == CAR.home.name
    assert state["stateOfCharge"] < 40


async def test_another_source_may_contradict_the_car(simulation: Simulated) -> None:
    await simulation.do("plug")
    await simulation.control.advance(60)
    await simulation.do("say", source="wallbox", fields={"charging": False, "power_w": 0})
    found = await simulation.service.store.readings.signals(CAR.id)
    assert found is not None
    sent = {state.source: state.value for state in found.series[BY_CODE["charge-ischarging"].key]}
    assert sent == {"simulator": True, "wallbox": False}


@pytest.mark.parametrize(
    ("action", "body", "reported"),
    [
        ("fly", {}, "use one of|nearest"),
        ("limit", {}, "percent"),
        ("limit", {"percent": 101}, "percent"),
        ("plug", {"kind": "AD"}, "kind"),
        ("plug", {"power": 11}, "power"),
        ("timers", {"values": [{"type": "NEVER"}]}, "type"),
        ("silence", {"seconds": -1}, "seconds"),
    ],
)
async def test_what_cannot_be_done_is_refused_by_name(
    simulation: Simulated, action: str, body: dict[str, Any], reported: str
) -> None:
    with pytest.raises(Problem, match=reported):
        await simulation.do(action, **body)


async def test_readings_from_outside_are_accepted_while_the_clock_is_frozen(simulation: Simulated) -> None:
    reading = {"vehicle": CAR.id, "signal": "charge-voltage", "body": {"value": 231}}
    answer = await simulation.client.post("/ingest/readings", json=reading)
    assert answer.json()["accepted"] == 1
