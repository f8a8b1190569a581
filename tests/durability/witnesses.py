"""Who is told of changes while servers are killed: clients of the stream that resume, and the receiver of a webhook."""

import asyncio
import contextlib
import json
import random
from collections import Counter, defaultdict
from typing import Any, Final

import aiohttp
from aiohttp import web
from cluster import VOLTAGE, Cluster

AGAIN_S: Final = 0.2
SILENT_S: Final = 20  # longer than the heartbeat's 15 s: then the client connects anew


class Follower:
    """A client of the stream: it goes to another process when it is cut off, and goes on behind the last event that it has."""

    def __init__(self, cluster: Cluster, seed: int) -> None:
        self.seen: defaultdict[str, list[float]] = defaultdict(list)
        """The voltages of each car, in the order of their arrival."""
        self.connected = 0
        self.unclear: list[str] = []
        self._cluster = cluster
        self._random = random.Random(seed)
        self._last = "0"

    async def run(self) -> None:
        """Follow until cancelled."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=2, sock_read=SILENT_S)
        async with aiohttp.ClientSession(timeout=timeout, read_bufsize=1 << 20) as session:
            while True:
                with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
                    await self._follow(session)
                await asyncio.sleep(AGAIN_S)

    async def _follow(self, session: aiohttp.ClientSession) -> None:
        headers = self._cluster.headers | {"Last-Event-ID": self._last}
        url = f"{self._random.choice(self._cluster.urls)}/stream?signal={VOLTAGE}"
        async with session.get(url, headers=headers) as answer:
            if answer.status != 200:
                if answer.status != 503:
                    self.unclear.append(f"{answer.status}: {(await answer.text())[:300]}")
                return
            self.connected += 1
            block: dict[str, str] = {}
            async for line in answer.content:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name:
                    block[name] = value
                    continue
                self._take(block)
                block = {}

    def _take(self, block: dict[str, str]) -> None:
        """A whole block: an event counts with its id, which is kept for the next connection."""
        self._last = block.get("id", self._last)
        if block.get("event") == "signal" and "id" in block:
            event = json.loads(block["data"])
            body = event["signal"]["attributes"].get("body")
            if body is not None:
                self.seen[event["vehicle"]].append(body["value"])


class Receiver:
    """The receiver of a webhook on loopback; it fails now and then."""

    def __init__(self, seed: int) -> None:
        self.seen: defaultdict[str, set[float]] = defaultdict(set)
        self.events: Counter[str] = Counter()
        """How often each event came."""
        self.differing: list[str] = []
        self._bodies: dict[str, tuple[str, float]] = {}
        self._random = random.Random(seed)

    async def start(self) -> str:
        """Listen; the URL."""
        application = web.Application()
        application.router.add_post("/hook", self._receive)
        self._runner = web.AppRunner(application)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}/hook"

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _receive(self, request: web.Request) -> web.Response:
        event = await request.json()
        if self._random.random() < 0.05:
            return web.Response(status=500)
        self._note(event)
        return web.Response(status=204)

    def _note(self, event: dict[str, Any]) -> None:
        car, (signal,) = event["data"]["vehicle"]["id"], event["data"]["signals"]
        if "body" not in signal:
            return
        reported = car, signal["body"]["value"]
        self.events[event["eventId"]] += 1
        if self._bodies.setdefault(event["eventId"], reported) != reported:
            self.differing.append(event["eventId"])
        self.seen[car].add(reported[1])
