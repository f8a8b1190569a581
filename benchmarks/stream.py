"""The live stream: from a reading's way out to the event's way in, with a thousand streams on one server process.

Three loads. `own`: each stream follows a vehicle of its own. `fleet`: every stream follows all vehicles, so that each change
goes to all. `slow`: as `own`, and a tenth as many more streams of the whole fleet do not read. A latency runs from before a
reading is sent by HTTP until its event arrives: what lies between commit and event is less. Target: p99 ≤ 100 ms.

    python -m benchmarks.stream [--streams 1000] [--seconds 10] [--rate 200]
"""

import argparse
import asyncio
import json
import os
import re
import resource
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, cast

import uvloop

from benchmarks import fixture, load

AT_ONCE = 10  # readings in a request
SETTLE_S = 1.0
VALUE = re.compile(rb'"value":(\d+),"unit":"watts"')
POWER = "charge-wattage"


class Load(NamedTuple):
    """Streams, whether they follow one vehicle each, changes a second, and how many streams more do not read."""

    name: str
    own: bool
    rate: int
    stuck: int = 0


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rate", type=int, default=200, help="changes a second where each goes to one stream")
    asked = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    loads = (
        Load("own", True, asked.rate),
        Load("fleet", False, max(AT_ONCE, asked.rate // 40)),
        Load("slow", True, asked.rate, stuck=asked.streams // 10),
    )
    print(
        f"{'load':>6} {'streams':>8} {'events/s':>9} {'p50 ms':>7} {'p99 ms':>7} {'max ms':>7} {'CPU %':>6} {'kB/stream':>10}"
    )
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCHMARK_FOLDER")) as folder:
        for number, each in enumerate(loads):
            measure(Path(folder) / f"{number}.db", each, asked.streams, asked.seconds)


def measure(file: Path, what: Load, streams: int, seconds: float) -> None:
    """Measure one load on a server of its own."""
    ids = fixture.build(file, streams, age_s=86_400)
    port = load.free_port()
    os.sched_setaffinity(0, {load.CLIENT_CORE})
    url = f"http://127.0.0.1:{port}"
    serve = ("chargeport", "serve", "--database", f"sqlite:///{file}", "--port", str(port))
    with load.server(*serve, url=url) as target, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(Run(target, port, ids, what).measure(seconds))


class Ear(asyncio.Protocol):
    """Notes what comes on a stream, and when. It is read later: a thousand streams would otherwise wait for each other here."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self._heard: list[tuple[float, bytes]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Note it."""
        self._heard.append((time.perf_counter(), data))
        if not self.begun.is_set() and b"retry: " in data:
            self.begun.set()

    def latencies(self, sent: dict[int, float]) -> Iterator[float]:
        """How long each event took whose value was sent in the measured time."""
        rest = b""
        for at, data in self._heard:
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                found = VALUE.search(line)
                if found and (begun := sent.get(int(found[1]))):
                    yield at - begun


class Run:
    """One load: streams, readings, and when each was sent and heard of."""

    def __init__(self, target: load.Server, port: int, ids: list[str], what: Load) -> None:
        self._target = target
        self._port = port
        self._ids = ids
        self._what = what
        self._sent: dict[int, float] = {}  # by value: no two readings have the same
        self._latencies: list[float] = []
        self._measuring = False

    async def measure(self, seconds: float) -> None:
        """Open the streams, send for a while, print what came of it."""
        before_kb = rss_kb(self._target.pid)
        ears = [await opened(self._port, name if self._what.own else None) for name in self._ids]
        await asyncio.sleep(SETTLE_S)
        stream_kb = (rss_kb(self._target.pid) - before_kb) / len(ears)
        stuck = [await opened(self._port, None, reads=False) for _ in range(self._what.stuck)]
        values = iter(range(1, 1 << 30))
        await self._send(values, SETTLE_S)
        self._measuring = True
        cpu_before, started = load.cpu_s(self._target.pid), time.perf_counter()
        await self._send(values, seconds)
        cpu = (load.cpu_s(self._target.pid) - cpu_before) / (time.perf_counter() - started)
        await asyncio.sleep(SETTLE_S)
        for ear in (*ears, *stuck):
            ear.transport.abort()
        self._latencies = [latency for ear in ears for latency in ear.latencies(self._sent)]
        self._print(seconds, cpu, stream_kb)

    def _print(self, seconds: float, cpu: float, stream_kb: float) -> None:
        expected = self._expected(seconds)
        if len(self._latencies) < expected:
            raise SystemExit(f"{len(self._latencies)} of {expected} events came")
        cuts = statistics.quantiles(self._latencies, n=100)
        print(
            f"{self._what.name:>6} {len(self._ids):>8} {len(self._latencies) / seconds:>9.0f} {cuts[49] * 1000:>7.1f}"
            f" {cuts[98] * 1000:>7.1f} {max(self._latencies) * 1000:>7.1f} {cpu * 100:>6.0f} {stream_kb:>10.1f}"
        )

    def _expected(self, seconds: float) -> int:
        """How many events must have come: all of those that were measured."""
        requests = int(seconds * self._what.rate / AT_ONCE)
        return requests * AT_ONCE * (1 if self._what.own else len(self._ids))

    async def _send(self, values: Iterator[int], seconds: float) -> None:
        """Post readings at an even rate, AT_ONCE in a request."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        pause_s = AT_ONCE / self._what.rate
        begin = time.perf_counter()
        for number in range(int(seconds / pause_s)):
            await asyncio.sleep(max(0, begin + number * pause_s - time.perf_counter()))
            chosen = [next(values) for _ in range(AT_ONCE)]
            body = json.dumps([self._reading(value) for value in chosen]).encode()
            now = time.perf_counter()
            if self._measuring:
                self._sent |= dict.fromkeys(chosen, now)
            answer, _ = await load.exchange(reader, writer, load.request("/ingest/readings", fixture.TOKEN, body))
            if not answer.startswith(b"HTTP/1.1 200"):
                raise SystemExit(f"not taken: {answer[:40]!r}")
        writer.close()

    def _reading(self, value: int) -> dict[str, object]:
        """Return a value that was never sent before, of one vehicle after the other."""
        return change(self._ids[value % len(self._ids)], value)


def change(vehicle: str, value: int) -> dict[str, object]:
    """Return a reading whose event `VALUE` finds."""
    return {"vehicle": vehicle, "signal": POWER, "body": {"value": value, "unit": "watts"}}


async def opened(port: int, vehicle: str | None, *, reads: bool = True) -> Ear:
    """Open a stream of a vehicle (None: of all). One that reads no further has small buffers: the server soon notices."""
    loop, connection = asyncio.get_running_loop(), socket.socket()
    if not reads:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.setblocking(False)
    await loop.sock_connect(connection, ("127.0.0.1", port))
    transport, ear = await loop.create_connection(Ear, sock=connection)
    transport.write(load.request("/stream" if vehicle is None else f"/stream?vehicle={vehicle}", fixture.TOKEN))
    await ear.begun.wait()
    if not reads:
        transport.pause_reading()
    return ear


def rss_kb(pid: int) -> int:
    """Return the memory of a process in KB."""
    return int(
        next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS")).split()[1]
    )


if __name__ == "__main__":
    main()
