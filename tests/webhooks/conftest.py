from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from chargeport.settings import WebhookSettings
from webhook_receiver import Made, Receiver
from world import Client, World


@pytest.fixture
async def receiver(app: Client) -> AsyncIterator[Receiver]:
    receiver = Receiver()
    receiver.key = app.application.management_token
    application = web.Application()
    application.router.add_post("/{tail:.*}", receiver.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    receiver.url = f"http://127.0.0.1:{port}/hook"
    yield receiver
    await runner.cleanup()


@pytest.fixture
def webhook_settings() -> WebhookSettings:
    """Receivers may be on loopback, and there are two retries: after one second and after two."""
    return WebhookSettings(allow_private_targets=True, retry_delays_s=[1, 2], retry_jitter=0)


@pytest.fixture
async def world(tmp_path: Path, webhook_settings: WebhookSettings) -> AsyncIterator[World]:
    opened = World.open(tmp_path, webhooks=webhook_settings)
    yield opened
    await opened.service.webhooks.deliveries.drain()
    await opened.close()


@pytest.fixture
async def webhook(world: World, app: Client, receiver: Receiver) -> Made:
    """Makes a webhook that its receiver has verified."""

    async def make(**more: Any) -> dict[str, Any]:
        attributes = {
            "name": "Home",
            "callbackUri": receiver.url,
            "triggers": ["charge-ischarging"],
            "data": ["charge-ischarging", "charge-voltage"],
            "autoSubscribe": True,
        }
        response = await world.client.post(
            "/v3/webhooks", json={"data": {"attributes": attributes | more}}, headers=app.headers
        )
        assert response.status_code == 201, response.text
        made: dict[str, Any] = response.json()["data"]
        await world.service.webhooks.settle()
        return made

    return make
