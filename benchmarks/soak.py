"""Mixed load for an hour with a fault every minute: nothing may grow, nothing may be lost.

Processes of Chargeport on PostgreSQL and NATS: cars report over HTTP and JetStream and charge, clients follow the stream, a
webhook is told of each change, others read. Every minute a process, the database or the broker is killed or paused. The first
process is spared: its memory, descriptors, tasks and the latency of its reads must stay flat. In the end every acknowledged
reading must be stored, every change be in the streams once and in the webhook, and the charging records be those of a server to
which nothing happened (`tests/durability/nemesis.py`).

    python -m benchmarks.soak [--minutes 60] [--every 60] [--cars 3]

prints a line each minute and ends with 1 if anything grew or was lost. `--minutes 2 --every 20` is the short form.
"""

import argparse
import asyncio
import contextlib
import random
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import aiohttp
import msgspec

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "durability"))
from cluster import VOLTAGE, Cluster
from nemesis import ROLES, Findings, Nemesis

from benchmarks.stream import rss_kb
from nats_server import nats_server
from postgres_server import postgres_server

SAMPLE_S = 2.0
READERS = 2
READ_PAUSE_S = 0.1
WARM_UP = 0.25  # of the time: memory and caches fill
MOST_GROWTH = 1.2  # of the medians of the last and the first third after it
MORE_KB, MORE_DESCRIPTORS, MORE_TASKS, MORE_MS = 16_384, 16, 16, 50  # as much more is always allowed
_TASKS = re.compile(r"^chargeport_tasks (\d+)", re.MULTILINE)


class Sample(msgspec.Struct, frozen=True):
    """The first process at an instant."""

    rss_kb: int
    descriptors: int
    tasks: int


class Watched:
    """The process that is spared: what it holds, and how long its reads take."""

    def __init__(self, cluster: Cluster, cars: Sequence[str]) -> None:
        self.samples: list[Sample] = []
        self.reads_ms: list[float] = []
        self.failed = 0
        """Reads without an answer: the database was away."""
        self._cluster = cluster
        self._cars = cars
        self._process = next(iter(cluster.processes.values()))

    async def run(self) -> None:
        """Read and sample until cancelled."""
        timeout = aiohttp.ClientTimeout(total=30)
        async with aiohttp.ClientSession(timeout=timeout, headers=self._cluster.headers) as session:
            await asyncio.gather(self._sample(session), *(self._read(session) for _ in range(READERS)))

    async def _sample(self, session: aiohttp.ClientSession) -> None:
        while True:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with session.get(f"{self._process.url}/metrics") as answer:
                    tasks = _TASKS.search(await answer.text())
                if tasks is not None:  # else the database is away
                    pid = self._process.pid
                    self.samples.append(Sample(rss_kb(pid), descriptors_of(pid), int(tasks[1])))
            await asyncio.sleep(SAMPLE_S)

    async def _read(self, session: aiohttp.ClientSession) -> None:
        while True:
            begun = time.perf_counter()
            try:
                url = f"{self._process.url}/v3/vehicles/{random.choice(self._cars)}/signals/{VOLTAGE}"
                async with session.get(url) as answer:
                    await answer.read()
                    if answer.status == 200:
                        self.reads_ms.append((time.perf_counter() - begun) * 1000)
                    else:
                        self.failed += answer.status == 503
            except (aiohttp.ClientError, TimeoutError):
                self.failed += 1
            await asyncio.sleep(READ_PAUSE_S)

    def grown(self) -> list[str]:
        """Return what is more at the end than it was."""
        if len(self.samples) < 9:
            return [f"only {len(self.samples)} samples were taken"]
        series = {
            "memory, KB": ([each.rss_kb for each in self.samples], MORE_KB),
            "descriptors": ([each.descriptors for each in self.samples], MORE_DESCRIPTORS),
            "tasks": ([each.tasks for each in self.samples], MORE_TASKS),
            "read, ms": (self.reads_ms, MORE_MS),
        }
        return [
            f"{name} grew from {first:.0f} to {last:.0f}"
            for name, (values, more) in series.items()
            for first, last in [thirds(values)]
            if last > max(first * MOST_GROWTH, first + more)
        ]


def descriptors_of(pid: int) -> int:
    """How many files and sockets a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def thirds(values: Sequence[float]) -> tuple[float, float]:
    """Return the medians of the first and the last third of what came after the warm-up."""
    rest = values[round(len(values) * WARM_UP) :]
    third = max(1, len(rest) // 3)
    first, last = sorted(rest[:third]), sorted(rest[-third:])
    return first[len(first) // 2], last[len(last) // 2]


async def soak(
    where: Path, seconds: float, every_s: float, cars: int, seed: int, *, pauses_s: tuple[float, float] = (0.5, 8)
) -> tuple[Findings, Watched]:
    """Run the whole of it in a folder."""
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(postgres_server("fsync=on", "full_page_writes=on", "max_connections=150"))
        bus = stack.enter_context(nats_server(where / "bus"))
        cluster = Cluster(where, ROLES, database.database(), bus)
        servers = {"database": database, "broker": bus}
        nemesis = Nemesis(cluster, servers, cars, seed, spared=[next(iter(cluster.processes))])
        watched = Watched(cluster, [f"counter-{number}" for number in range(cars)])

        async def watch() -> None:
            await nemesis.ready.wait()
            await watched.run()

        watching = asyncio.create_task(watch())
        try:
            found = await nemesis.run(seconds, pauses_s=pauses_s, rests_s=every_s, say=lambda line: print(line, flush=True))
        finally:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching
    return found, watched


def main() -> int:
    """Run it and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--every", type=float, default=60, help="seconds from one fault to the next")
    parser.add_argument("--cars", type=int, default=3, help="of each kind")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chargeport-") as where:
        found, watched = asyncio.run(soak(Path(where), asked.minutes * 60, asked.every, asked.cars, asked.seed))
    memory = thirds([each.rss_kb / 1024 for each in watched.samples])
    descriptors, tasks = (thirds([getattr(each, name) for each in watched.samples]) for name in ("descriptors", "tasks"))
    reads = thirds(watched.reads_ms)
    print(
        f"seed {asked.seed}: {len(found.faults)} faults in {asked.minutes:g} minutes; {found.reports} reports acknowledged,"
        f" {found.refused} refused, {found.cut} cut; {found.events} events at the webhook, {found.records} records\n"
        f"first and last third: memory {memory[0]:.1f} and {memory[1]:.1f} MB, descriptors {descriptors[0]:.0f} and"
        f" {descriptors[1]:.0f}, tasks {tasks[0]:.0f} and {tasks[1]:.0f}, read {reads[0]:.1f} and {reads[1]:.1f} ms"
        f" ({len(watched.reads_ms)} reads, {watched.failed} refused)\n"
        f"p99 of a report {found.p99_before_ms} ms before the first fault, {found.p99_after_ms} ms between faults;"
        f" the slowest recovery took {found.slowest_recovery_s:.1f} s"
    )
    wrong = [*found.wrong, *watched.grown()]
    print("\n".join(wrong) or "nothing grew, nothing lost, nothing doubled, nothing different")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
