"""Does everything that was acknowledged survive `kill -9`, of Chargeport's process or of the database?

Some clients send readings without a pause, each request with two cars' bundles, until one of the two is killed in the middle of
it. After each restart all acknowledged readings must be in the database, of every request either all of its readings or none,
and each change once in the feed. While the database is gone, whoever sends or reads is told so.

    python tests/durability/kill_nine.py --rounds 200 --writers 64 [--database postgres] [--victim database]

prints what it found, and ends with 1 if anything was lost.
"""

import argparse
import asyncio
import contextlib
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
from chargeport.store.backends import open_store
from chargeport.store.records import Vehicle
from postgres_server import PostgresServer, postgres_server
from servers import Server

READY_WITHIN_S = 2.0
ANSWER_WITHIN_S = 10
PAGE = 10_000
SYNCED = ("fsync=on", "full_page_writes=on")

Facts = frozenset[tuple[str, str, float]]  # vehicle, code, value


class Findings(msgspec.Struct):
    """What the rounds brought to light."""

    rounds: int = 0
    acknowledged: int = 0
    unanswered: int = 0
    refused: int = 0
    lost: list[str] = []
    torn: list[str] = []
    doubled: list[str] = []
    unclear: list[str] = []
    ready_s: list[float] = []
    integrity: str = "ok"

    @property
    def good(self) -> bool:
        return self.wrong == [] and self.integrity == "ok" and max(self.ready_s) < READY_WITHIN_S

    @property
    def wrong(self) -> list[str]:
        """What should not be."""
        return [*self.lost, *self.torn, *self.doubled, *self.unclear]


class Sent(msgspec.Struct):
    """A request: what it would store at its instant, and whether that was acknowledged."""

    facts: Facts
    acknowledged: bool = False


class Crashes:
    """A database, a server on it, one of which is killed again and again, and what was sent."""

    def __init__(self, database: Path | PostgresServer, writers: int, seed: int, *, kills_database: bool = False) -> None:
        """`database` is SQLite's file, or a PostgreSQL server."""
        self.findings = Findings()
        self._postgres = None if isinstance(database, Path) else database
        self._url = f"sqlite:///{database}" if isinstance(database, Path) else database.database()
        self._server = Server(database if isinstance(database, Path) else self._url)
        self._kills_database = kills_database
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
                await asyncio.to_thread(self._restart)
                await self._compare()
                await self._read_back()
                self._server.kill()
                self.findings.rounds += 1
            self._position = 0
            self._stored.clear()
            await self._compare()
            if self._postgres is None:
                self.findings.integrity = str(
                    next(apsw.Connection(str(self._server.database)).execute("PRAGMA integrity_check"))[0]
                )
        finally:
            self._server.stop()
        return self.findings

    def _restart(self) -> None:
        """Start what was killed; note how long it took until the server was ready."""
        if self._kills_database and self._postgres is not None:
            self._postgres.start()
            self.findings.ready_s.append(self._server.wait_until_ready())
        else:
            self.findings.ready_s.append(self._server.start())

    async def _prepare(self) -> None:
        store = open_store(self._url)
        access = Access(store, SystemClock())
        application, _ = await access.register("Writers", frozenset(Permission))
        self._headers = {"Authorization": f"Bearer {await access.issue_token(application, 86_400)}"}
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
            await self._until_acknowledged()
            if self._kills_database and self._postgres is not None:
                self._postgres.kill()
                await self._expect_refusals(client)
            else:
                self._server.kill()
            await asyncio.gather(*writers)

    async def _until_acknowledged(self) -> None:
        """On a busy machine the first answers take their time."""
        before = self.findings.acknowledged
        for _ in range(round(ANSWER_WITHIN_S * 100)):
            if self.findings.acknowledged > before:
                return
            await asyncio.sleep(0.01)

    async def _expect_refusals(self, client: httpx.AsyncClient) -> None:
        """While the database is gone, reads and readiness say so at once, with when to come back."""
        for path in ("/readyz", "/v3/vehicles/car-0/signals/charge-wattage"):
            answer = await client.get(path)
            if answer.status_code != 503 or "retry-after" not in answer.headers:
                self.findings.unclear.append(f"{path} without a database: {answer.status_code} {answer.text}")

    async def _write(self, client: httpx.AsyncClient, writer: int) -> None:
        while True:
            at, items, sent = self._request(writer)
            self._sent[at] = sent
            try:
                answer = await client.post("/ingest/readings", json=items)
            except httpx.TransportError:
                self.findings.unanswered += 1
                return
            if answer.status_code == 503 and self._kills_database:
                self.findings.refused += 1
                if "retry-after" not in answer.headers:
                    self.findings.unclear.append(f"a refusal does not say when to come back: {answer.text}")
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
        store = open_store(self._url)
        seen: set[int] = set()
        while changes := await store.readings.changes(self._position, PAGE):
            for change in changes:
                fact = (change.vehicle_id, change.signal.code, change.value)
                if fact in self._stored[change.observed_at]:
                    self.findings.doubled.append(f"{fact} at {change.position}")
                self._stored[change.observed_at].add(fact)  # type: ignore[arg-type]
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
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--victim", choices=("server", "database"), default="server", help="a file can't be killed")
    parser.add_argument("--seed", type=int, default=next(seeds()))
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        is_file = options.database == "sqlite"
        database = Path(folder) / "crash.db" if is_file else stack.enter_context(postgres_server(*SYNCED))
        kills_database = options.victim == "database" and not is_file
        crashes = Crashes(database, options.writers, options.seed, kills_database=kills_database)
        found = asyncio.run(crashes.run(options.rounds, 1, 3))
    ready_s = sorted(found.ready_s)
    sys.stdout.write(
        f"seed {options.seed}: {found.rounds} kills, {found.acknowledged} readings acknowledged,"
        f" {found.unanswered} requests cut, {found.refused} refused; "
        f"{len(found.lost)} lost, {len(found.torn)} torn, {len(found.doubled)} doubled, {len(found.unclear)} unclear;"
        f" integrity {found.integrity}; ready after {ready_s[len(ready_s) // 2]:.2f} s, at most {ready_s[-1]:.2f} s\n"
    )
    if ready_s[-1] >= READY_WITHIN_S:
        sys.stdout.write(f"it was not ready within {READY_WITHIN_S:g} s each time: a busy machine, or a fault\n")
    return 0 if found.good else 1


if __name__ == "__main__":
    sys.exit(main())
