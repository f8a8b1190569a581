"""Everything at once: ingest, reads, live streams and webhooks on one server process, each at a rate that it could do alone.

Each load runs alone first, then all of them together: what they do to each other's latency is the result. Readings come in
requests of 50 for vehicles that nobody follows; beside them a change at a time of those that are followed, by a stream each and
by a webhook. The server derives, as it always does. A request's latency counts from when it was due, where it had to wait for
the one before; an event's from when its change was sent to its arrival, and webhooks wait 100 ms for more of a vehicle's.
Targets: p99 of reads ≤ 20 ms and of streams ≤ 100 ms beside everything else.

    python -m benchmarks.mixed [--vehicles 10000] [--streams 200] [--seconds 8]
        [--ingest 1000] [--reads 1000] [--changes 50]       (each a second)
"""

import argparse
import asyncio
import itertools
import json
import os
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

import uvloop

from benchmarks import fixture, load, stream, webhooks
from benchmarks.readings import SIGNALS, body

IN_ONE = 50  # readings in a request
CONNECTIONS = 16
SETTLE_S = 1.5
IDLE = 0.05  # of a core
LOADS = ("ingest", "reads", "stream", "webhook")
POST = "/ingest/readings"
BULK = [each for each in SIGNALS if each.code != webhooks.CODE]

Requests = Iterator[tuple[int, bytes]]
"""What is sent, each with the value of the change in it; 0 where it has none."""


class Rates(NamedTuple):
    """How much of each a second, and for how long the server may be busy before."""

    ingest: int
    reads: int
    changes: int
    quiet_s: float


class Found(NamedTuple):
    """Latencies in seconds by load, and the share of a core that the server took."""

    latencies: dict[str, list[float]]
    cpu: float


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vehicles", type=int, default=10_000)
    parser.add_argument("--streams", type=int, default=200, help="each of a vehicle of its own")
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--quiet", type=float, default=30, help="seconds to wait for derivation before a load, at the most")
    parser.add_argument("--ingest", type=int, default=1_000, help="readings")
    parser.add_argument("--reads", type=int, default=1_000)
    parser.add_argument("--changes", type=int, default=50, help="that streams and webhook are told of")
    asked = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    rates = Rates(asked.ingest, asked.reads, asked.changes, asked.quiet)
    with (
        tempfile.TemporaryDirectory(dir=os.environ.get("BENCHMARK_FOLDER")) as folder,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        os.sched_setaffinity(0, {load.CLIENT_CORE})
        runner.run(measure(Path(folder), asked.vehicles, asked.streams, rates, asked.seconds))


async def measure(folder: Path, vehicles: int, streams: int, rates: Rates, seconds: float) -> None:
    """Measure each load alone and all of them together, on one server."""
    file = folder / "mixed.db"
    ids = fixture.build(file, vehicles)
    receiving = await asyncio.get_running_loop().create_server(Hook, "127.0.0.1", 0)
    webhooks.register(file, f"http://127.0.0.1:{receiving.sockets[0].getsockname()[1]}/hook")
    (folder / "chargeport.toml").write_text("[webhooks]\nallow_private_targets = true\n")
    url = f"http://127.0.0.1:{load.free_port()}"
    serve = ("chargeport", "serve", "--database", f"sqlite:///{file}", "--port", url.rpartition(":")[2])
    with load.server(*serve, "--config", str(folder / "chargeport.toml"), url=url) as target:
        run = Run(target, ids, streams, rates)
        await run.follow()
        alone = [await run.some({name}, seconds) for name in ("ingest", "reads", "stream")]
        together = await run.some({"ingest", "reads", "stream"}, seconds)
        run.close()
    receiving.close()
    _print(alone, together, seconds)


def _print(alone: Sequence[Found], together: Found, seconds: float) -> None:
    print(f"{'load':>8} {'per s':>6} {'alone: p50':>11} {'p99 ms':>7} {'together: p50':>14} {'p99 ms':>7} {'max ms':>7}")
    first = {name: latencies for found in alone for name, latencies in found.latencies.items()}
    for name in LOADS:
        before, after = _cuts(first[name]), _cuts(together.latencies[name])
        print(
            f"{name:>8} {len(together.latencies[name]) / seconds:>6.0f} {before[0]:>11.1f} {before[1]:>7.1f}"
            f" {after[0]:>14.1f} {after[1]:>7.1f} {after[2]:>7.1f}"
        )
    ingested, read, told = (round(found.cpu * 100) for found in alone)
    print(f"CPU of the server in % of a core: ingest {ingested}, reads {read}, changes with streams and webhook {told}, "
          f"together {together.cpu * 100:.0f}")  # fmt: skip


def _cuts(latencies: Sequence[float]) -> tuple[float, float, float]:
    """Return the median, the 99th percentile and the maximum in ms."""
    cuts = statistics.quantiles(latencies, n=100, method="inclusive")
    return cuts[49] * 1000, cuts[98] * 1000, max(latencies) * 1000


class Hook(webhooks.Receiver):
    """A receiver that notes when which event came."""

    heard: ClassVar[list[tuple[float, bytes]]] = []

    def took(self, body: bytes) -> None:
        """Note it."""
        Hook.heard.append((time.perf_counter(), body))


class Run:
    """The loads on one server."""

    def __init__(self, target: load.Server, ids: list[str], streams: int, rates: Rates) -> None:
        self._target = target
        self._port = int(target.url.rpartition(":")[2])
        self._followed, self._others = ids[:streams], ids[streams:]
        self._rates = rates
        self._ears: list[stream.Ear] = []
        self._values = itertools.count(1)  # no two changes have the same value
        self._draw = random.Random(4)

    async def follow(self) -> None:
        """Open the streams, and have the webhook get to know each vehicle."""
        self._ears = [await stream.opened(self._port, name) for name in self._followed]
        await self._paced(self._changes(), self._rates.changes, len(self._followed) / self._rates.changes)
        await asyncio.sleep(SETTLE_S)

    def close(self) -> None:
        """End the streams."""
        for ear in self._ears:
            ear.transport.abort()

    async def some(self, names: set[str], seconds: float) -> Found:
        """Run some of the loads for a while. That of the streams is the webhook's, too."""
        rates = {"ingest": self._rates.ingest / IN_ONE, "reads": self._rates.reads, "stream": self._rates.changes}
        requests = {"ingest": self._readings(), "reads": self._paths(), "stream": self._changes()}
        sent: dict[int, float] = {}
        await self._quiet()
        cpu_before, began = load.cpu_s(self._target.pid), time.perf_counter()
        took = await asyncio.gather(*(self._paced(requests[name], rates[name], seconds, sent) for name in sorted(names)))
        cpu = (load.cpu_s(self._target.pid) - cpu_before) / (time.perf_counter() - began)
        await asyncio.sleep(SETTLE_S)
        found = dict(zip(sorted(names), took, strict=True))
        if "stream" in names:
            found["stream"] = [latency for ear in self._ears for latency in ear.latencies(sent)]
            values = ((at, stream.VALUE.search(body)) for at, body in Hook.heard)
            found["webhook"] = [at - sent[int(value[1])] for at, value in values if value and int(value[1]) in sent]
            for name in ("stream", "webhook"):
                if len(found[name]) < len(sent):
                    raise SystemExit(f"{name}: {len(found[name])} of {len(sent)} changes came")
        return Found(found, cpu)

    async def _quiet(self) -> None:
        """Wait until the server has worked off what came before: derivation goes on behind the answers."""
        for _ in range(round(self._rates.quiet_s / SETTLE_S)):
            before = load.cpu_s(self._target.pid)
            await asyncio.sleep(SETTLE_S)
            if load.cpu_s(self._target.pid) - before < IDLE * SETTLE_S:
                return

    async def _paced(
        self, requests: Requests, rate: float, seconds: float, sent: dict[int, float] | None = None
    ) -> list[float]:
        """Send requests at an even rate over some connections; return how long each took from when it was due."""
        numbers, begin, latencies = iter(range(round(rate * seconds))), time.perf_counter(), list[float]()

        async def one() -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            for number in numbers:
                value, request = next(requests)
                start = begin + number / rate
                if (early_s := start - time.perf_counter()) > 0:
                    await asyncio.sleep(early_s)
                    start = time.perf_counter()  # a timer's coarseness is no latency
                if sent is not None and value:
                    sent[value] = start
                head, content = await load.exchange(reader, writer, request)
                latencies.append(time.perf_counter() - start)
                if not head.startswith(b"HTTP/1.1 200"):
                    raise SystemExit(f"not taken: {head[:40]!r} {content[:200]!r}")
            writer.close()

        await asyncio.gather(*(one() for _ in range(CONNECTIONS)))
        return latencies

    def _readings(self) -> Requests:
        """Give single signals of vehicles that nobody follows."""
        for number in itertools.count():
            chosen = ((self._draw.choice(self._others), self._draw.choice(BULK)) for _ in range(IN_ONE))
            items = [{"vehicle": name, "signal": each.code, "body": body(each, number)} for name, each in chosen]
            yield 0, load.request(POST, fixture.TOKEN, json.dumps(items).encode())

    def _changes(self) -> Requests:
        """Give a change at a time of one followed vehicle after the other."""
        for value in self._values:
            item = stream.change(self._followed[value % len(self._followed)], value)
            yield value, load.request(POST, fixture.TOKEN, json.dumps([item]).encode())

    def _paths(self) -> Requests:
        """Give reads of signals of any vehicle."""
        ids = [*self._followed, *self._others]
        while True:
            path = f"/v3/vehicles/{self._draw.choice(ids)}/signals/{self._draw.choice(fixture.SIGNALS).code}"
            yield 0, load.request(path, fixture.TOKEN)


if __name__ == "__main__":
    main()
