"""Does everything that was acknowledged survive `kill -9`?

Some clients send readings without a pause, each request with two cars' bundles, until the server is killed in the middle of it.
After each restart all acknowledged readings must be in the database, and of every request either all of its readings or none.

    python tests/durability/kill_nine.py --rounds 200 --writers 64

prints what it found, and ends with 1 if anything was lost.
"""

import argparse
import asyncio
import itertools
import random
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import httpx
import msgspec

sys.path.insert(0, str(Path(__file__).parents[1]))
from chargeport.api.access import Access
from chargeport.clock import SystemClock
from chargeport.signals.definition import Permission
from chargeport.store.records import Vehicle
from chargeport.store.sqlite import SqliteStore
from servers import Server

READY_WITHIN_S = 2.0
PAGE = 10_000

Facts = frozenset[tuple[str, str, float]]  # vehicle, code, value


class Findings(msgspec.Struct):
    """What the rounds brought to light."""

    rounds: int = 0
    acknowledged: int = 0
    unanswered: int = 0
    lost: list[str] = []
    torn: list[str] = []
    ready_s: list[float] = []
    integrity: str = "not checked"

    @property
    def good(self) -> bool:
        return not self.lost and not self.torn and self.integrity == "ok" and max(self.ready_s) < READY_WITHIN_S


class Sent(msgspec.Struct):
    """A request: what it would store at its instant, and whether that was acknowledged."""

    facts: Facts
    acknowledged: bool = False


class Crashes:
    """A database, a server on it that is killed again and again, and what was sent to it."""

    def __init__(self, database: Path, writers: int, seed: int) -> None:
        self.findings = Findings()
        self._server = Server(database)
        self._writers = writers
        self._random = random.Random(seed)
        self._numbers = itertools.count(1)
        self._start = SystemClock().now() - 3_600_000
        self._sent: dict[int, Sent] = {}
        self._stored: defaultdict[int, set[tuple[str, str, float]]] = defaultdict(set)
        self._position = 0
        self._headers: dict[str, str] = {}

    async def run(self, rounds: int, shortest_s: float, longest_s: float) -> Findings:
        """Kill the server so many times, each after a random while; then look at the database as a whole."""
        await self._prepare()
        try:
            for _ in range(rounds):
                self._server.start()
                await self._load(self._random.uniform(shortest_s, longest_s))
                self.findings.ready_s.append(self._server.start())
                await self._compare()
                await self._read_back()
                self._server.kill()
                self.findings.rounds += 1
            self._position = 0
            self._stored.clear()
            await self._compare()
            self.findings.integrity = str(
                next(apsw.Connection(str(self._server.database)).execute("PRAGMA integrity_check"))[0]
            )
        finally:
            self._server.stop()
        return self.findings

    async def _prepare(self) -> None:
        store = SqliteStore.open(self._server.database)
        access = Access(store, SystemClock())
        application, _ = await access.register("Writers", frozenset(Permission))
        self._headers = {"Authorization": f"Bearer {await access.issue_token(application)}"}
        for number in range(2 * self._writers):
            await store.vehicles.add_vehicle(Vehicle(id=f"car-{number}"))
        await store.close()

    async def _load(self, duration_s: float) -> None:
        """Write until the server is killed, and some requests have failed because of it."""
        limits = httpx.Limits(max_connections=self._writers)
        async with httpx.AsyncClient(
            base_url=self._server.url, headers=self._headers, limits=limits, trust_env=False
        ) as client:
            writers = [asyncio.create_task(self._write(client, number)) for number in range(self._writers)]
            await asyncio.sleep(duration_s)
            self._server.kill()
            await asyncio.gather(*writers)

    async def _write(self, client: httpx.AsyncClient, writer: int) -> None:
        while True:
            at, items, sent = self._request(writer)
            self._sent[at] = sent
            try:
                answer = await client.post("/ingest/readings", json=items)
            except httpx.TransportError:
                self.findings.unanswered += 1
                return
            assert answer.status_code == 200, answer.text
            assert sum(answer.json()[name] for name in ("accepted", "superseded")) == len(sent.facts), answer.text
            sent.acknowledged = True
            self.findings.acknowledged += len(sent.facts)

    def _request(self, writer: int) -> tuple[int, list[dict[str, Any]], Sent]:
        """Two bundles at an instant that no other request has; no value is the same as the one before."""
        number = next(self._numbers)
        at = self._start + number
        values = {"charge-wattage": number, "charge-voltage": number % 1499, "charge-amperage": number % 2999}
        cars = [f"car-{2 * writer}", f"car-{2 * writer + 1}"]
        signals = {code: {"value": value} for code, value in values.items()}
        items = [{"vehicle": car, "observedAt": at, "signals": signals} for car in cars]
        facts = frozenset((car, code, value) for car in cars for code, value in values.items())
        return at, items, Sent(facts)

    async def _compare(self) -> None:
        """What is stored since the last look, against what was sent."""
        store = SqliteStore.open(self._server.database)
        seen: set[int] = set()
        while changes := await store.readings.changes(self._position, PAGE):
            for change in changes:
                self._stored[change.observed_at].add((change.vehicle_id, change.signal.code, change.value))  # type: ignore[arg-type]
                seen.add(change.observed_at)
            self._position = changes[-1].position
        await store.close()
        for at in seen:
            if self._stored[at] != self._sent[at].facts:
                self.findings.torn.append(f"{at - self._start}: {len(self._stored[at])} of {len(self._sent[at].facts)}")
        lost = [at for at, sent in self._sent.items() if sent.acknowledged and at not in self._stored]
        self.findings.lost += [str(at - self._start) for at in lost]

    async def _read_back(self) -> None:
        """The API shows of each car nothing older than what was acknowledged."""
        newest: dict[str, int] = {}
        for at, sent in self._sent.items():
            if sent.acknowledged:
                newest |= {car: max(at, newest.get(car, 0)) for car, _, _ in sent.facts}
        async with httpx.AsyncClient(base_url=self._server.url, headers=self._headers, trust_env=False) as client:
            for car, at in newest.items():
                answer = await client.get(f"/v3/vehicles/{car}/signals/charge-wattage")
                if answer.json()["data"]["attributes"]["body"]["value"] < at - self._start:
                    self.findings.lost.append(f"{car}: {answer.text}")


def seeds() -> Iterator[int]:
    return itertools.count(time.time_ns() % 1_000_000)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--writers", type=int, default=64, help="connections that write at the same time")
    parser.add_argument("--seed", type=int, default=next(seeds()))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        crashes = Crashes(Path(folder) / "crash.db", options.writers, options.seed)
        found = asyncio.run(crashes.run(options.rounds, 1, 3))
    sys.stdout.write(
        f"seed {options.seed}: {found.rounds} kills, {found.acknowledged} readings acknowledged,"
        f" {found.unanswered} requests cut; "
        f"{len(found.lost)} lost, {len(found.torn)} torn; integrity {found.integrity}; "
        f"ready after {sorted(found.ready_s)[len(found.ready_s) // 2]:.2f} s, at most {max(found.ready_s):.2f} s\n"
    )
    return 0 if found.good else 1


if __name__ == "__main__":
    sys.exit(main())
