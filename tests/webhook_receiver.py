"""A receiver of webhooks on loopback, and a pump that has every event sent that is due."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

from aiohttp import web

from world import World

Made = Callable[..., Any]


class Receiver:
    """A receiver on loopback that keeps what it gets, and answers as it is told."""

    def __init__(self) -> None:
        self.key = ""
        self.got: list[tuple[dict[str, Any], bytes, dict[str, str]]] = []
        self.statuses: list[int] = []  # of the next events; then 204
        self.answers_challenges = True
        self.checks_signatures = False
        self.url = ""
        self.arrived = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.headers: dict[str, str] = {}

    async def answer(self, request: web.Request) -> web.Response:
        raw = await request.read()
        event = json.loads(raw)
        self.got.append((event, raw, dict(request.headers)))
        if event["eventType"] == "VERIFY":
            key = self.key if self.answers_challenges else "another key"
            challenge = hmac.new(key.encode(), event["data"]["challenge"].encode(), hashlib.sha256).hexdigest()
            return web.json_response({"challenge": challenge})
        signed = hmac.new(self.key.encode(), raw, hashlib.sha256).hexdigest()
        if self.checks_signatures and request.headers.get("SC-Signature") != signed:
            return web.Response(status=401)
        self.arrived.set()
        await self.may_answer.wait()
        status = self.statuses.pop(0) if self.statuses else 204
        return web.Response(status=status, headers=self.headers)

    def events(self, kind: str = "VEHICLE_STATE") -> list[dict[str, Any]]:
        return [event for event, _, _ in self.got if event["eventType"] == kind]


async def pump(world: World) -> None:
    """Have every event that is due now made and sent."""
    await world.service.webhooks.settle()
    await world.service.webhooks.watch.step()
    for _ in range(10):
        await world.service.webhooks.deliveries.step()
        await world.service.webhooks.deliveries.drain()
