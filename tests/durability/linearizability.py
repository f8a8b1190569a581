"""Do clients see registers as if there was one place for each? In the manner of Jepsen, with a checker of our own.

A register is a signal of a car; it keeps its newest observation. Twenty clients write versions, each once, and read, through
any of the processes, while these and the database are killed and paused. What every client saw is noted with the times at
which it asked and was answered, and checked at the end (`registers.py`).

    python tests/durability/linearizability.py --minutes 5 [--store postgres] [--clients 20]

prints what it found, and ends with 1 if anything can't be explained.
"""

import argparse
import asyncio
import contextlib
import itertools
import random
import sys
import tempfile
import time
from math import inf
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec

sys.path.insert(0, str(Path(__file__).parents[1]))
from cluster import Cluster
from faults import Fault, Victim, strike
from registers import Operation, Register, violations

from chargeport.clock import SystemClock
from postgres_server import postgres_server

ROLES: Final = {"sqlite": ("all",), "postgres": ("api", "ingest", "deliver")}
SIGNALS: Final = ("charge-wattage", "charge-voltage")
PER_UNIT: Final = {"charge-wattage": 1, "charge-voltage": 1000}  # versions; a voltage has a bound
ANSWER_S: Final = 3
AGAIN_S: Final = 0.1
BEFORE_MS: Final = 60_000  # so that no version is ahead of the clock


class Findings(msgspec.Struct):
    """What came of it."""

    faults: list[Fault] = []
    writes: int = 0
    reads: int = 0
    open_writes: int = 0
    violations: list[str] = []


class Clients:
    """Clients of some registers, and the history of what they saw."""

    def __init__(self, cluster: Cluster, clients: int, seed: int) -> None:
        self.history: list[Operation] = []
        self.cars = [f"car-{number}" for number in range(max(1, clients // 5))]
        self._cluster = cluster
        self._clients = clients
        self._seed = seed
        self._registers: list[Register] = [(car, code) for car in self.cars for code in SIGNALS]
        self._versions = itertools.count(1)
        self._begun = SystemClock().now() - BEFORE_MS

    def done(self) -> tuple[int, int]:
        """Return how many writes were acknowledged, and how many reads answered."""
        writes = sum(each.is_write and each.over < inf for each in self.history)
        return writes, sum(not each.is_write for each in self.history)

    async def run(self) -> None:
        """Write and read until cancelled."""
        timeout = aiohttp.ClientTimeout(total=ANSWER_S)
        async with aiohttp.ClientSession(timeout=timeout, headers=self._cluster.headers) as session:
            await asyncio.gather(*(self._use(session, number) for number in range(self._clients)))

    async def _use(self, session: aiohttp.ClientSession, client: int) -> None:
        chance = random.Random(self._seed * 1000 + client)
        while True:
            register, url = chance.choice(self._registers), chance.choice(self._cluster.urls)
            write, begun = chance.random() < 0.5, time.monotonic()
            version = next(self._versions) if write else None
            asked = self._read(session, url, register) if version is None else self._write(session, url, register, version)
            seen: int | None = None
            try:
                seen = await asked
            except (aiohttp.ClientError, TimeoutError, OSError):
                pass
            finally:  # a write that was cut off may have been stored
                over = inf if seen is None else time.monotonic()
                if version is not None or seen is not None:
                    self.history.append(Operation(register, write, version or seen or 0, begun, over, client))
            if seen is None:
                await asyncio.sleep(AGAIN_S)

    async def _write(self, session: aiohttp.ClientSession, url: str, register: Register, version: int) -> int | None:
        """Write a version; it, where that was acknowledged."""
        car, code = register
        body = {"value": version / PER_UNIT[code]}
        item = {"vehicle": car, "signal": code, "body": body, "observedAt": self._begun + version}
        async with session.post(f"{url}/ingest/readings", json=item) as answer:
            sent = await answer.text()
            assert answer.status in (200, 503), f"{sent}: {self._cluster.logs()}"
            return version if answer.status == 200 else None

    async def _read(self, session: aiohttp.ClientSession, url: str, register: Register) -> int | None:
        """Read a register; None where there is no answer."""
        car, code = register
        async with session.get(f"{url}/v3/vehicles/{car}/signals/{code}") as answer:
            sent: Any = await answer.json()
            if answer.status == 404:
                return 0
            if answer.status == 503:
                return None
            assert answer.status == 200, f"{sent}: {self._cluster.logs()}"
            attributes = sent["data"]["attributes"]
            return round(attributes["body"]["value"] * PER_UNIT[code]) if "body" in attributes else 0


async def linearizability(
    where: Path,
    store: str,
    seconds: float,
    clients: int,
    seed: int,
    *,
    pauses_s: tuple[float, float] = (0.5, 5),
    rests_s: float = 2,
    least: int = 0,
) -> Findings:
    """Run the whole of it in a folder: for so long, and until there are `least` acknowledged writes and as many reads."""
    with contextlib.ExitStack() as stack:
        victims: dict[str, Victim] = {}
        url = None
        if store == "postgres":
            database = stack.enter_context(postgres_server("fsync=on", "max_connections=100"))
            victims["database"], url = database, database.database()
        cluster = Cluster(where, ROLES[store], url)
        using = Clients(cluster, clients, seed)
        await cluster.prepare(using.cars)
        chance, found = random.Random(seed), Findings()
        running: asyncio.Task[None] | None = None
        try:
            await cluster.start()
            running = asyncio.create_task(using.run())
            ends = time.monotonic() + seconds
            while (time.monotonic() < ends or min(using.done()) < least) and not running.done():
                await asyncio.sleep(rests_s)
                found.faults.append(await strike({**victims, **cluster.processes}, chance, pauses_s))
                await cluster.ready()
            await asyncio.sleep(rests_s)
        finally:
            if running is not None:
                running.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await running
            await asyncio.to_thread(cluster.stop)
    found.writes, found.reads = using.done()
    found.open_writes = sum(each.is_write and each.over == inf for each in using.history)
    found.violations = list(violations(using.history))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--store", choices=tuple(ROLES), default="postgres")
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chargeport-") as where:
        found = asyncio.run(linearizability(Path(where), options.store, options.minutes * 60, options.clients, options.seed))
    sys.stdout.write(
        f"seed {options.seed}, {options.store}: {len(found.faults)} faults; {found.writes} writes acknowledged,"
        f" {found.open_writes} without an answer, {found.reads} reads; {len(found.violations)} violations\n"
    )
    sys.stdout.write("".join(f"{each}\n" for each in found.violations[:10]))
    return 1 if found.violations else 0


if __name__ == "__main__":
    sys.exit(main())
