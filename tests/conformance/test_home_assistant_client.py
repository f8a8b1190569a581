"""Home Assistant's Smartcar integration is set up against us, and takes our events."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from home_assistant import HomeAssistant, SetUpError

from chargeport.settings import WebhookSettings
from chargeport.store.records import Vehicle
from webhook_receiver import pump
from world import T0, Client, World

DATA = [
    "charge-ischarging",
    "charge-chargelimits",
    "charge-wattage",
    "location-preciselocation",
    "tractionbattery-stateofcharge",
]
SHOWN = {
    "charge-ischarging": True,
    "charge-chargelimits": 0.8,
    "charge-wattage": 7.22,
    "location-preciselocation": (52.1, 4.3),
    "tractionbattery-stateofcharge": 0.62,
}
LIMITS = {
    "activeLimit": 80,
    "values": [
        {"type": "CHARGING_TYPE", "condition": {"chargingType": "DC"}, "limit": 60},
        {"type": "GLOBAL", "limit": 80},
    ],
}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    opened = World.open(tmp_path, webhooks=WebhookSettings(allow_private_targets=True, retry_delays_s=[]))
    yield opened
    await opened.service.webhooks.deliveries.drain()
    await opened.close()


@pytest.fixture
def entry(world: World, app: Client) -> HomeAssistant:
    return HomeAssistant(world.client, app.id, app.secret, app.application.management_token)


async def reported(world: World, car: Vehicle) -> None:
    await world.report(car, "charge-chargelimits", LIMITS)
    await world.report(car, "location-preciselocation", {"latitude": 52.1, "longitude": 4.3})
    await world.report(car, "charge-wattage", {"value": 7220})
    await world.report(car, "tractionbattery-stateofcharge", {"value": 62})
    await world.report(car, "charge-ischarging", {"value": True})


async def test_the_integration_is_set_up_and_reads_what_it_shows(world: World, entry: HomeAssistant) -> None:
    car = await world.car(vin="WVWZZZE1ZMP010101")
    await reported(world, car)
    await entry.set_up()
    assert entry.vehicles == {car.id: {"make": "ACME", "model": "Bolt One", "vin": "WVWZZZE1ZMP010101"}}
    await entry.refresh()
    assert {code: entry.values[car.id][code] for code in DATA} == SHOWN


async def test_it_says_what_keeps_it_from_being_set_up(world: World, app: Client, entry: HomeAssistant) -> None:
    with pytest.raises(SetUpError, match="no vehicles"):
        await entry.set_up()
    car = await world.car(vin="WVWZZZE1ZMP010101")
    for user in ("ann", "bob"):
        await world.connect(app, car, user)
    with pytest.raises(SetUpError, match="not one user"):
        await entry.set_up()


async def test_its_webhook_takes_our_events_and_sets_limit_power_and_place(
    world: World, app: Client, entry: HomeAssistant
) -> None:
    car = await world.car(vin="WVWZZZE1ZMP010101")
    await entry.set_up()
    answers: list[int] = []

    async def receive(request: web.Request) -> web.Response:
        status, body = entry.receive(await request.read(), dict(request.headers))
        answers.append(status)
        return web.Response(status=status) if body is None else web.json_response(body, status=status)

    application = web.Application()
    application.router.add_post("/api/webhook/x", receive)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    uri = f"http://127.0.0.1:{runner.addresses[0][1]}/api/webhook/x"
    attributes = {"name": "HA", "callbackUri": uri, "triggers": ["charge-ischarging"], "data": DATA, "autoSubscribe": True}
    made = await world.client.post("/v3/webhooks", json={"data": {"attributes": attributes}}, headers=app.headers)
    assert made.status_code == 201
    await pump(world)  # verified, and told what there is: what is sent at once may arrive in any order
    await reported(world, car)
    await pump(world)
    assert answers[0] == 200
    assert set(answers[1:]) == {204}
    assert entry.values[car.id] == SHOWN
    await world.report(car, "charge-ischarging", {"value": False}, T0 + 60_000)
    await pump(world)
    assert entry.values[car.id]["charge-wattage"] is None, "the session is over"
    assert entry.values[car.id]["charge-ischarging"] is False
    assert entry.reauthentications == 0
    await runner.cleanup()
