"""Commands to a Home Assistant: the entity that the settings name is what starts, stops and limits."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from home_assistant_peers import TOKEN, House, state
from source_world import Heard, Listener, Running, source_context

from chargeport.sources import home_assistant_commanding
from chargeport.sources.base import Command, CommandError, Done, SourceError
from chargeport.sources.charge_windows import WEEK
from chargeport.sources.home_assistant import HomeAssistantSource
from chargeport.sources.home_assistant_settings import Controls, HomeAssistantSettings

pytestmark = pytest.mark.service

SWITCH = Controls(start="switch.leaf_charging", stop="switch.leaf_charging", limit="number.leaf_limit")
BUTTONS = Controls(start="button.leaf_start", stop="input_button.leaf_stop", limit="script.leaf_limit")


def wanted(kind: str, **parameters: Any) -> Command:
    return Command(kind=f"charge-{kind}", names=frozenset({"id-of-leaf", "leaf"}), parameters=parameters)


@asynccontextmanager
async def connected(house: House, controls: Controls = SWITCH) -> AsyncIterator[HomeAssistantSource]:
    for entity in ("switch.leaf_charging", "number.leaf_limit", "button.leaf_start", "input_button.leaf_stop"):
        house.states.setdefault(entity, state(entity, "off"))
    for script in ("script.leaf_limit", "script.leaf_schedule"):
        house.states[script] = state(script, "off")
    settings = HomeAssistantSettings(
        url=house.url, token=TOKEN, entities={"leaf": ["sensor.leaf_*"]}, commands={"leaf": controls}
    )
    reported = Listener()
    source = HomeAssistantSource(settings, source_context(status=reported))
    async with asyncio.timeout(20), Running(source.run(Heard())):
        await reported.first.wait()
        yield source


async def refused(source: HomeAssistantSource, command: Command) -> tuple[str, str]:
    with pytest.raises(CommandError) as raised:
        await source.command(command)
    return raised.value.type, raised.value.code


async def test_a_switch_and_a_number_obey_and_are_seen_to(house: House) -> None:
    async with connected(house) as source:
        outcomes = [await source.command(each) for each in (wanted("start"), wanted("set-limit", percent=75), wanted("stop"))]
    assert outcomes == [Done.OBEYED] * 3
    assert house.calls == [
        ("switch", "turn_on", "switch.leaf_charging", {}),
        ("number", "set_value", "number.leaf_limit", {"value": 75}),
        ("switch", "turn_off", "switch.leaf_charging", {}),
    ]


async def test_a_button_and_a_script_promise_only(house: House) -> None:
    async with connected(house, BUTTONS) as source:
        outcomes = [await source.command(each) for each in (wanted("start"), wanted("stop"), wanted("set-limit", percent=60))]
    assert outcomes == [Done.TAKEN] * 3
    assert house.calls == [
        ("button", "press", "button.leaf_start", {}),
        ("input_button", "press", "input_button.leaf_stop", {}),
        ("script", "turn_on", "script.leaf_limit", {"variables": {"percent": 60}}),
    ]


@pytest.mark.parametrize(
    ("given", "windows"),
    [
        (
            {"scheduleType": "daily", "startTime": "23:00", "stopTime": "05:00"},
            [{"start": "23:00", "stop": "05:00", "days": list(WEEK)}],
        ),
        (
            {"scheduleType": "weekly", "days": {"SUNDAY": {"startTime": "01:00", "stopTime": "02:00"}}},
            [{"start": "01:00", "stop": "02:00", "days": ["sunday"]}],
        ),
        (
            {"scheduleType": "workweek", "weekdays": None, "weekends": {"startTime": "09:00", "stopTime": "10:00"}},
            [{"start": "09:00", "stop": "10:00", "days": ["saturday", "sunday"]}],
        ),
    ],
)
async def test_a_script_gets_the_windows_of_a_schedule_and_none_to_remove_it(
    house: House, given: dict[str, Any], windows: list[dict[str, Any]]
) -> None:
    async with connected(house, Controls(schedule="script.leaf_schedule")) as source:
        created = await source.command(wanted("schedule-create", scheduleId="s-1", location={}, **given))
        deleted = await source.command(wanted("schedule-delete", scheduleId="s-1"))
    assert [created, deleted] == [Done.TAKEN] * 2
    assert [call[:3] for call in house.calls] == [("script", "turn_on", "script.leaf_schedule")] * 2
    variables = [call[3]["variables"] for call in house.calls]
    assert variables == [{"schedule_id": "s-1", "windows": each} for each in (windows, [])]


async def test_a_switch_that_stays_off_has_promised_only(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home_assistant_commanding, "CONFIRMED_WITHIN_S", 0.1)
    house.obeys = False
    async with connected(house) as source:
        assert await source.command(wanted("start")) is Done.TAKEN


@pytest.mark.parametrize("code", ["unauthorized", "home_assistant_error", "service_validation_error", "not_found"])
async def test_a_house_that_refuses_is_quoted(house: House, code: str) -> None:
    house.call_error = {"code": code, "message": f"No: {code}"}
    async with connected(house) as source:
        with pytest.raises(CommandError, match=f"No: {code}") as raised:
            await source.command(wanted("start"))
    assert (raised.value.type, raised.value.code) == ("UPSTREAM", "UNKNOWN_ISSUE")


async def test_an_entity_that_is_unavailable_is_out_of_reach_and_one_that_is_not_there_is_named(house: House) -> None:
    async with connected(house) as source:
        await house.change(state("switch.leaf_charging", "unavailable"))
        async with asyncio.timeout(20):
            while await source.command(wanted("set-limit", percent=50)) is not Done.OBEYED:  # behind the change
                pass
        assert await refused(source, wanted("start")) == ("VEHICLE_STATE", "UNREACHABLE")
    async with connected(house, Controls(start="switch.of_nobody")) as source:
        with pytest.raises(CommandError, match=r"no switch\.of_nobody") as raised:
            await source.command(wanted("start"))
    assert raised.value.type == "UPSTREAM"
    assert [call[0] for call in house.calls] == ["number"], "nothing was called"


async def test_nobody_answers_where_the_house_is_offline_or_late(
    house: House,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(home_assistant_commanding, "ANSWER_WITHIN_S", 0.1)
    async with connected(house) as source:
        house.is_mute = True
        assert await refused(source, wanted("start")) == ("UPSTREAM", "NO_RESPONSE")
    assert await refused(source, wanted("start")) == ("UPSTREAM", "NO_RESPONSE")


async def test_a_house_that_goes_while_it_is_waited_for_has_not_answered(house: House) -> None:
    settings = HomeAssistantSettings(
        url=house.url, token=TOKEN, entities={"leaf": ["sensor.leaf_*"]}, commands={"leaf": SWITCH}
    )
    house.states["switch.leaf_charging"] = state("switch.leaf_charging", "off")
    house.is_mute, reported = True, Listener()
    source = HomeAssistantSource(settings, source_context(status=reported))
    running = asyncio.create_task(source.run(Heard()))
    async with asyncio.timeout(20):
        await reported.first.wait()
        asked = asyncio.create_task(refused(source, wanted("start")))
        await house.called.wait()
        await house.hang_up()
        assert await asked == ("UPSTREAM", "NO_RESPONSE")
        with pytest.raises(SourceError):
            await running


async def test_what_the_settings_name_nothing_for_is_left_to_others(house: House) -> None:
    async with connected(house, Controls(start="switch.leaf_charging")) as source:
        assert await source.command(wanted("stop")) is None
        assert await source.command(wanted("set-limit", percent=50)) is None
        assert await source.command(wanted("schedule-create")) is None
        assert await source.command(Command(kind="charge-start", names=frozenset({"another"}))) is None
    assert house.calls == []


async def test_check_names_an_entity_of_commands_that_is_not_there(house: House) -> None:
    house.states = {"sensor.leaf_soc": state("sensor.leaf_soc", "50")}
    settings = HomeAssistantSettings(
        url=house.url, token=TOKEN, entities={"leaf": ["sensor.leaf_*"]}, commands={"leaf": Controls(stop="switch.leaf")}
    )
    with pytest.raises(SourceError, match=r"commands: .* has none that is switch\.leaf\."):
        await HomeAssistantSource(settings, source_context()).check(5)


@pytest.mark.parametrize(
    "given", [{"start": "sensor.leaf"}, {"limit": "switch.leaf"}, {"schedule": "switch.leaf"}, {"begin": "switch.leaf"}]
)
def test_an_entity_that_cannot_do_it_is_refused_in_the_settings(given: dict[str, str]) -> None:
    with pytest.raises(msgspec.ValidationError, match=r"commands|start|limit|schedule|begin"):
        msgspec.convert(
            {"url": "http://ha", "token": "t", "entities": {"leaf": ["sensor.leaf"]}, "commands": {"leaf": given}},
            HomeAssistantSettings,
        )
