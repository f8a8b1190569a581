"""`kill -9` of a server while it delivers webhooks under load: what was acknowledged arrives, whatever was cut.

    python tests/durability/webhook_kills.py [--kills 20] [--cars 8]

Each car reports its voltage, which is a counter. The receiver keeps what it gets, and fails now and then. In the end every
acknowledged value must be in some event. Ends with 1 if one is not.
"""

import argparse
import asyncio
import hashlib
import hmac
import itertools
import json
import random
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import httpx
import msgspec
from aiohttp import web

sys.path.insert(0, str(Path(__file__).parents[1]))
from chargeport.api.access import Access
from chargeport.clock import SystemClock
from chargeport.signals.definition import Permission
from chargeport.store.records import Vehicle
from chargeport.store.sqlite import SqliteStore
from chargeport.store.webhooks import Webhook, WebhookFields
from servers import Server

VOLTAGE = "charge-voltage"
# Every change is an event of its own, however soon it follows; a failed attempt is made again at once, and often.
SETTINGS = f"""
[webhooks]
allow_private_targets = true
coalesce_s = 0
retry_delays_s = {[0.2] * 30}
retry_jitter = 0
"""
ARRIVES_WITHIN_S = 30


class Found(msgspec.Struct):
    """What came of it."""

    kills: int = 0
    acknowledged: int = 0
    events: int = 0
    repeated: int = 0
    lost: list[str] = []
    differing: list[str] = []


class WebhookKills:
    """A server that is killed, cars that report to it, and the receiver of its webhook."""

    def __init__(self, folder: Path, cars: int, seed: int) -> None:
        (folder / "chargeport.toml").write_text(SETTINGS)
        self.found = Found()
        self._server = Server(folder / "cars.db", options=["--config", str(folder / "chargeport.toml")])
        self._cars = [f"car-{number}" for number in range(cars)]
        self._random = random.Random(seed)
        self._numbers = itertools.count(1)
        self._acknowledged: defaultdict[str, set[int]] = defaultdict(set)
        self._told: defaultdict[str, set[int]] = defaultdict(set)
        self._events: dict[str, tuple[str, int | None]] = {}
        self._key = ""
        self._headers: dict[str, str] = {}

    async def run(self, kills: int, shortest_s: float, longest_s: float) -> Found:
        """Kill the server so many times, each after a random while; then wait until all has arrived."""
        application = web.Application()
        application.router.add_post("/hook", self._receive)
        runner = web.AppRunner(application)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            await self._prepare(f"http://127.0.0.1:{runner.addresses[0][1]}/hook")
            for _ in range(kills):
                await asyncio.to_thread(self._server.start)
                await self._load(self._random.uniform(shortest_s, longest_s))
                self.found.kills += 1
            await asyncio.to_thread(self._server.start)
            await self._arrived()
        finally:
            await asyncio.to_thread(self._server.stop)
            await runner.cleanup()
        self.found.lost = [
            f"{car}: {sorted(numbers - self._told[car])}"
            for car, numbers in self._acknowledged.items()
            if numbers - self._told[car]
        ]
        self.found.acknowledged = sum(map(len, self._acknowledged.values()))
        return self.found

    async def _prepare(self, uri: str) -> None:
        store, clock = SqliteStore.open(self._server.database), SystemClock()
        access = Access(store, clock)
        application, _ = await access.register("Writers", frozenset(Permission))
        self._key = application.management_token
        self._headers = {"Authorization": f"Bearer {await access.issue_token(application, 86_400)}"}
        for car in self._cars:
            await store.vehicles.add_vehicle(Vehicle(id=car))
        fields = WebhookFields(name="Kills", callback_uri=uri, triggers=(VOLTAGE,), data=(VOLTAGE,), auto_subscribe=True)
        now = clock.now()
        webhook = Webhook(
            id="kills", client_id=application.client_id, fields=fields, created_at=now, updated_at=now, verified_at=now
        )
        await store.webhooks.put_webhook(webhook)
        await store.close()

    async def _load(self, duration_s: float) -> None:
        async with httpx.AsyncClient(base_url=self._server.url, headers=self._headers, trust_env=False) as client:
            writers = [asyncio.create_task(self._write(client, car)) for car in self._cars]
            await asyncio.sleep(duration_s)
            self._server.kill()
            await asyncio.gather(*writers)

    async def _write(self, client: httpx.AsyncClient, car: str) -> None:
        """Report a voltage that was never reported before, again and again, until the server is gone."""
        while True:
            volts = 1 + next(self._numbers) / 1000
            item = {"vehicle": car, "signal": VOLTAGE, "body": {"value": volts}}
            try:
                answer = await client.post("/ingest/readings", json=item)
            except httpx.TransportError:
                return
            assert answer.status_code == 200, answer.text
            self._acknowledged[car].add(round(volts * 1000))
            await asyncio.sleep(0.01)

    async def _receive(self, request: web.Request) -> web.Response:
        raw = await request.read()
        signed = hmac.new(self._key.encode(), raw, hashlib.sha256).hexdigest()
        assert request.headers["SC-Signature"] == signed
        if self._random.random() < 0.1:
            return web.Response(status=500)
        self._note(json.loads(raw))
        return web.Response(status=204)

    def _note(self, event: dict[str, Any]) -> None:
        car, (signal,) = event["data"]["vehicle"]["id"], event["data"]["signals"]
        reported = car, round(signal["body"]["value"] * 1000) if "body" in signal else None
        self.found.events += 1
        self.found.repeated += event["eventId"] in self._events
        if self._events.setdefault(event["eventId"], reported) != reported:
            self.found.differing.append(event["eventId"])
        if reported[1] is not None:
            self._told[car].add(reported[1])

    async def _arrived(self) -> None:
        """Return when every acknowledged value has arrived, or should have."""
        for _ in range(ARRIVES_WITHIN_S * 10):
            if all(numbers <= self._told[car] for car, numbers in self._acknowledged.items()):
                return
            await asyncio.sleep(0.1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--cars", type=int, default=8)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(WebhookKills(Path(folder), options.cars, options.seed).run(options.kills, 1, 3))
    sys.stdout.write(
        f"seed {options.seed}: {found.kills} kills, {found.acknowledged} changes acknowledged, {found.events} events,"
        f" {found.repeated} of them again; lost: {found.lost}; {len(found.differing)} events differ\n"
    )
    return 1 if found.lost or found.differing else 0


if __name__ == "__main__":
    sys.exit(main())
