"""A server on one core, load from the other, and what each request cost.

wrk is used where it is installed; else an asyncio client of our own, which is slower than the servers: look at the CPU per
request then. Requests per second on shared machines mean little; ratios within one run and CPU per request do.
"""

import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

CONNECTIONS = 32
CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, CLIENT_CORE = CORES[0], CORES[-1]

_SCRIPT = """
local lines = {}
for line in io.lines("%s") do lines[#lines + 1] = line end
local requests = {}
function init(args)
  math.randomseed(%d)
  for i, path in ipairs(lines) do requests[i] = wrk.format("GET", path, {["Authorization"] = "Bearer %s"}) end
end
function request() return requests[math.random(#requests)] end
function done(summary, latency, requests)
  local bad = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write
  print(string.format('{"rate": %%f, "p50_ms": %%f, "p99_ms": %%f, "bad": %%d}', summary.requests / summary.duration * 1e6,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, bad))
end
"""


class Result(NamedTuple):
    """One run: requests per second, latencies, answers that were not good, CPU of the server per request."""

    rate: float
    p50_ms: float
    p99_ms: float
    bad: int
    cpu_us: float


class Server(NamedTuple):
    """A server process of ours."""

    url: str
    pid: int


def server(*command: str, url: str) -> contextlib.AbstractContextManager[Server]:
    """Run a module of ours pinned to the server's core until it is ready, and stop it at the end."""
    return program([sys.executable, "-m", *command], url)


@contextlib.contextmanager
def program(command: Sequence[str | Path], url: str, **more: str) -> Iterator[Server]:
    """Run a command with more variables in its environment, as `server` does."""
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        env=os.environ | more,
        preexec_fn=lambda: os.sched_setaffinity(0, {SERVER_CORE}),  # noqa: PLW1509
    )
    try:
        _await(url, process)
        yield Server(url, process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(15)


def _await(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        if _is_ready(url):
            return
        time.sleep(0.05)
    raise SystemExit(f"no server at {url}")


def _is_ready(url: str) -> bool:
    """Tell whether a server answers; one of another protocol than HTTP, whether it takes a connection."""
    try:
        if url.startswith("http:"):
            urllib.request.urlopen(url + "/healthz", timeout=1).close()  # noqa: S310
        else:
            host, _, port = url.rpartition("//")[2].partition(":")
            socket.create_connection((host, int(port)), timeout=1).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def get(target: Server, paths: list[str], token: str, duration_s: float) -> Result:
    """Ask for random ones of `paths` from 32 connections for a while."""
    before = cpu_s(target.pid)
    found = (_wrk if shutil.which("wrk") else _own)(target.url, paths, token, duration_s)
    spent_s = cpu_s(target.pid) - before
    return Result(**found, cpu_us=spent_s / (found["rate"] * duration_s) * 1e6)


def _wrk(url: str, paths: list[str], token: str, duration_s: float) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        lines, script = Path(folder) / "paths", Path(folder) / "get.lua"
        lines.write_text("\n".join(paths))
        script.write_text(_SCRIPT % (lines, random.randrange(1 << 30), token))
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{round(duration_s)}s", "-s", str(script), url]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {CLIENT_CORE}),
        )
    return json.loads(done.stdout.strip().splitlines()[-1])


def _own(url: str, paths: list[str], token: str, duration_s: float) -> dict[str, float]:
    """Load with the asyncio client: one request after the other on each connection."""
    host, _, port = url.removeprefix("http://").partition(":")
    latencies: list[float] = []
    bad = 0

    async def one(ends: float) -> None:
        nonlocal bad
        reader, writer = await asyncio.open_connection(host, int(port))
        while time.perf_counter() < ends:
            path = random.choice(paths)
            start = time.perf_counter()
            head, _ = await exchange(reader, writer, request(path, token))
            latencies.append(time.perf_counter() - start)
            bad += not head.startswith(b"HTTP/1.1 200")
        writer.close()

    async def every() -> None:
        ends = time.perf_counter() + duration_s
        await asyncio.gather(*(one(ends) for _ in range(CONNECTIONS)))

    asyncio.run(every())
    cuts = statistics.quantiles(latencies, n=100)
    return {"rate": len(latencies) / duration_s, "p50_ms": cuts[49] * 1000, "p99_ms": cuts[98] * 1000, "bad": bad}


def request(path: str, token: str, body: bytes | None = None) -> bytes:
    """Return a request as it is sent: a GET, or with a body of JSON a POST."""
    head = f"{'GET' if body is None else 'POST'} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
    if body is None:
        return f"{head}\r\n".encode()
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sent: bytes) -> tuple[bytes, bytes]:
    """Send a request on a connection; return head and body of the answer, once it is whole."""
    writer.write(sent)
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
    return head, await reader.readexactly(length)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cpu_s(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def median(results: list[Result]) -> Result:
    """Return the median of each figure; the sum of what was bad."""
    columns = list(zip(*results, strict=True))
    return Result(
        *(statistics.median(column) for column in columns[:3]),
        bad=int(sum(columns[3])),
        cpu_us=statistics.median(columns[4]),
    )
