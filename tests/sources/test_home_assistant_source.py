"""Home Assistant's WebSocket, against a fake that follows its authentication and its commands."""

import asyncio
import json
import sys
from collections.abc import Sequence
from typing import Any

import pytest
from home_assistant_peers import TOKEN, House, state
from source_world import T0, Heard, Listener, Running, source_context

from chargeport.sources.base import BEGINNING, Cause, Delivery, RawMessage, SourceContext, SourceError
from chargeport.sources.home_assistant import HOME_ASSISTANT, HomeAssistantSource
from chargeport.sources.home_assistant_settings import HomeAssistantSettings

pytestmark = pytest.mark.service


def settings(house: House, *entities: str, token: str = TOKEN) -> HomeAssistantSettings:
    return HomeAssistantSettings(url=house.url, token=token, entities={"the-car": list(entities or ("sensor.car_*",))})


def summary(received: Heard) -> list[tuple[str, str]]:
    return [(one.topic, json.loads(one.payload)["state"]) for one in received.deliveries]


async def test_every_state_is_handed_on_first_and_then_each_change(house: House) -> None:
    first = state("sensor.car_battery", "55", unit_of_measurement="%")
    house.states = {one["entity_id"]: one for one in (first, state("light.bedroom", "on"))}
    received, reported = Heard(), Listener()
    async with Running(
        HomeAssistantSource(settings(house), source_context(dialect="home_assistant", status=reported)).run(received)
    ):
        (delivery,) = await received.count(1)
        await house.change(state("sensor.car_power", "7.4", unit_of_measurement="kW"))
        await received.count(2)
    assert delivery == Delivery(
        source="mine", dialect="home_assistant", payload=delivery.payload, received_at=T0, topic="sensor.car_battery",
        vehicle="the-car", observed_at=T0 + 123, headers={BEGINNING: "car"},
    )  # fmt: skip
    assert json.loads(delivery.payload) == first
    assert summary(received) == [("sensor.car_battery", "55"), ("sensor.car_power", "7.4")]
    assert house.commands == ["subscribe_events", "get_states"]
    assert reported.connections == 1


async def test_nothing_of_the_house_but_the_cars_entities_is_handed_on(house: House) -> None:
    house.states = {one: state(one, "on") for one in ("person.me", "sensor.carport", "sensor.car_a", "binary_sensor.plug")}
    received = Heard()
    async with Running(
        HomeAssistantSource(settings(house, "sensor.car_*", "binary_sensor.plug"), source_context()).run(received)
    ):
        await received.count(2)
        for one in ("person.me", "sensor.carport", "lock.front_door", "binary_sensor.plug2"):
            await house.change(state(one, "off"))
        await house.change(None, "sensor.car_a")
        await house.change(state("binary_sensor.plug", "off"))
        await received.count(3)
    assert summary(received) == [("sensor.car_a", "on"), ("binary_sensor.plug", "on"), ("binary_sensor.plug", "off")]


def test_the_most_exact_name_decides_which_car_an_entity_belongs_to() -> None:
    given = HomeAssistantSettings(
        url="http://ha",
        token="t",
        entities={"one": ["sensor.car_*"], "two": ["sensor.car_two_*"], "three": ["sensor.car_two_soc"]},
    )
    source = HomeAssistantSource(given, source_context())
    names = ("sensor.car_soc", "sensor.car_two_power", "sensor.car_two_soc", "sensor.other")
    assert [source.vehicle_of({"entity_id": one}) for one in names] == ["one", "two", "three", None]


@pytest.mark.parametrize(
    ("named", "headers"),
    [("sensor.car_*", {BEGINNING: "car"}), ("sensor.ca*", {BEGINNING: ""}), ("sensor.car_soc", {})],
)
async def test_what_all_entities_of_a_car_begin_with_is_handed_on(house: House, named: str, headers: dict[str, str]) -> None:
    house.states = {"sensor.car_soc": state("sensor.car_soc", "1")}
    received = Heard()
    async with Running(HomeAssistantSource(settings(house, named), source_context()).run(received)):
        (delivery,) = await received.count(1)
    assert delivery.headers == headers


async def test_after_an_outage_it_asks_for_every_state_again(house: House) -> None:
    house.states = {"sensor.car_a": state("sensor.car_a", "1")}
    received = Heard()
    source = HomeAssistantSource(settings(house), source_context())
    task = asyncio.create_task(source.run(received))
    await received.count(1)
    await house.hang_up()
    with pytest.raises(SourceError, match="ended the connection") as found:
        await task
    assert found.value.cause is Cause.UNREACHABLE
    house.states["sensor.car_a"] = state("sensor.car_a", "2")  # while nobody listened
    async with Running(source.run(received)):
        await received.count(2)
    assert summary(received) == [("sensor.car_a", "1"), ("sensor.car_a", "2")]


async def test_a_rejected_token_is_said_to_be_one(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    source = HomeAssistantSource(settings(house, token="wrong"), source_context())
    for attempt in (source.run(Heard()), source.check(5)):
        with pytest.raises(SourceError, match="does not take the token") as found:
            await attempt
        assert found.value.cause is Cause.AUTHENTICATION
    monkeypatch.setenv("HA_TOKEN", TOKEN)
    house.states = {"sensor.car_a": state("sensor.car_a", "1")}
    await HomeAssistantSource(settings(house, token="env:HA_TOKEN"), source_context()).check(5)


async def test_check_names_entities_that_are_not_there(house: House) -> None:
    house.states = {"sensor.car_a": state("sensor.car_a", "1")}
    with pytest.raises(SourceError, match=r"none that is sensor\.cra_\*\.") as found:
        await HomeAssistantSource(settings(house, "sensor.car_*", "sensor.cra_*"), source_context()).check(5)
    assert found.value.cause is Cause.CONFIGURATION


async def test_who_is_not_there_is_unreachable_and_who_is_no_home_assistant_is_told_so(house: House) -> None:
    gone = HomeAssistantSettings(url="http://127.0.0.1:1", token="t", entities={"the-car": ["sensor.a"]})
    with pytest.raises(SourceError) as found:
        await HomeAssistantSource(gone, source_context()).check(5)
    assert found.value.cause is Cause.UNREACHABLE
    other = HomeAssistantSettings(url=f"{house.url}/elsewhere", token="t", entities={"the-car": ["sensor.a"]})
    with pytest.raises(SourceError, match="404") as found:
        await HomeAssistantSource(other, source_context()).check(5)
    assert found.value.cause is Cause.PROTOCOL
    house.first = {"hello": "world"}
    with pytest.raises(SourceError) as found:
        await HomeAssistantSource(settings(house), source_context()).check(5)
    assert found.value.cause is Cause.PROTOCOL


@pytest.mark.parametrize("answer", [{}, "text", [1]])
async def test_states_in_another_form_are_another_protocol(house: House, answer: Any) -> None:
    house.answer_states = answer
    with pytest.raises(SourceError) as found:
        await HomeAssistantSource(settings(house), source_context()).run(Heard())
    assert found.value.cause is Cause.PROTOCOL


async def test_a_refused_command_and_what_is_no_json_end_it_with_their_cause(house: House) -> None:
    house.refuse = {"subscribe_events"}
    with pytest.raises(SourceError, match="Unauthorized"):
        await HomeAssistantSource(settings(house), source_context()).run(Heard())
    house.refuse = set()
    task = asyncio.create_task(HomeAssistantSource(settings(house), source_context()).run(Heard()))
    await house.subscribed.wait()
    await house.say("not json")
    with pytest.raises(SourceError) as found:
        await task
    assert found.value.cause is Cause.PROTOCOL


class Looking(HomeAssistantSource):
    """Says when it has looked at so many states."""

    def __init__(self, settings: HomeAssistantSettings, source_context: SourceContext, number: int) -> None:
        super().__init__(settings, source_context)
        self._left = number
        self.all_looked_at = asyncio.Event()

    def vehicle_of(self, state: dict[str, Any]) -> str | None:
        self._left -= 1
        if self._left == 0:
            self.all_looked_at.set()
        return super().vehicle_of(state)


async def test_a_house_that_is_faster_than_the_disk_is_asked_for_every_state_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chargeport.sources.home_assistant.MAX_WAITING", 3)
    house.states = {"sensor.car_a": state("sensor.car_a", "1")}
    storing, stored = asyncio.Event(), asyncio.Event()

    async def emit(_batch: Sequence[RawMessage | Delivery]) -> None:
        storing.set()
        await stored.wait()

    source = Looking(settings(house), source_context(), 1 + 9)
    task = asyncio.create_task(source.run(emit))
    await storing.wait()
    for number in range(9):
        await house.change(state("sensor.car_a", str(number)))
    await source.all_looked_at.wait()
    stored.set()
    with pytest.raises(SourceError, match="faster than they could be stored"):
        await task
    received = Heard()
    async with Running(source.run(received)):
        await received.count(1)
    assert summary(received) == [("sensor.car_a", "8")]


async def test_a_state_without_a_time_of_its_own_has_none(house: House) -> None:
    house.states = {"sensor.car_a": state("sensor.car_a", "1", at="yesterday"), "sensor.car_b": {"entity_id": "sensor.car_b"}}
    received = Heard()
    async with Running(HomeAssistantSource(settings(house), source_context()).run(received)):
        assert [one.observed_at for one in await received.count(2)] == [None, None]


async def test_without_the_package_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hass_client", None)
    given = HomeAssistantSettings(url="http://127.0.0.1:1", token="t", entities={"the-car": ["sensor.a"]})
    with pytest.raises(SourceError, match=r"pip install .* \(the extra home_assistant\)") as found:
        await HOME_ASSISTANT.build(given, source_context()).run(Heard())
    assert found.value.cause is Cause.CONFIGURATION
