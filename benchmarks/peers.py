"""Other programs that tell a value by HTTP, beside ours: the same load in the same run, each on one core.

Signal K's server and Stoplight Prism (a mock of our own API from its description) come from npm, Home Assistant from PyPI, once
for a checkout. Redis or Valkey is taken where it is installed: HGET of a whole answer, behind the web server that ours uses and
a look at the token. One that can't be had is passed over with the reason.

    python -m benchmarks.peers [--vehicles 1000] [--rounds 3] [--seconds 4]
"""

import argparse
import asyncio
import json
import random
import shutil
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, cast

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks import fixture, load, peer_home_assistant, read
from chargeport import web
from chargeport.api.openapi import document
from chargeport.api.routes import ROUTES

FOLDER = Path(__file__).parents[1] / ".venv" / "peers"
INSTALL_S = 300
SIGNAL_K = "electrical/batteries/traction/voltage"
SIGNAL_K_OFF = ("admin-ui", "appstore", "webapps", "tcp", "nmea-tcp", "mfd_webapp")


class MissingError(Exception):
    """The peer can't be had here: why."""


class Peer(NamedTuple):
    """A program that answers these paths; `beside` is another process that works for it."""

    server: load.Server
    paths: list[str]
    beside: int | None = None
    token: str = fixture.TOKEN


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vehicles", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--only", nargs="*", choices=list(PEERS), default=list(PEERS), help="of the peers")
    parser.add_argument("--hget", nargs=2, type=int, metavar=("PORT", "REDIS"), help="only the server before Redis (internal)")
    asked = parser.parse_args()
    if asked.hget:
        serve_hget(*asked.hget)
        return
    print(f"{'program':>14} {'req/s':>7} {'p50 ms':>7} {'p99 ms':>7} {'µs CPU':>7} {'CPU to ours':>12}")
    with tempfile.TemporaryDirectory() as folder, read.served(Path(folder) / "ours.db", asked.vehicles) as (target, paths):
        ours = Peer(target, paths)
        first = show("Chargeport", ours, asked.rounds, asked.seconds, None)
        for name in asked.only:
            try:
                with PEERS[name](ours, Path(folder)) as peer:
                    show(name, peer, asked.rounds, asked.seconds, first)
            except MissingError as missing:
                print(f"{name:>14} passed over: {missing}")


def show(name: str, peer: Peer, rounds: int, seconds: float, ours: float | None) -> float:
    """Measure and print a line; µs of CPU for a read."""
    load.get(peer.server, peer.paths, peer.token, 1)
    before = 0.0 if peer.beside is None else load.cpu_s(peer.beside)
    found = [load.get(peer.server, peer.paths, peer.token, seconds) for _ in range(rounds)]
    besides_s = 0.0 if peer.beside is None else load.cpu_s(peer.beside) - before
    one = load.median(found)
    if one.bad:
        raise SystemExit(f"{name}: {one.bad} answers were not 200")
    cpu_us = one.cpu_us + besides_s / sum(each.rate * seconds for each in found) * 1e6
    ratio = "" if ours is None else f"{cpu_us / ours:.1f}"
    print(f"{name:>14} {one.rate:>7.0f} {one.p50_ms:>7.2f} {one.p99_ms:>7.2f} {cpu_us:>7.1f} {ratio:>12}", flush=True)
    return cpu_us


@contextmanager
def signal_k(_: Peer, folder: Path) -> Iterator[Peer]:
    """Run Signal K's server with a value that it knows from its start."""
    program = npm("signalk-server") / "signalk-server" / "bin" / "signalk-server"
    settings = {"interfaces": dict.fromkeys(SIGNAL_K_OFF, False), "mdns": False, "pipedProviders": []}
    (folder / "settings.json").write_text(json.dumps(settings))
    value = {"path": SIGNAL_K.replace("/", "."), "value": 231}
    (folder / "baseDeltas.json").write_text(json.dumps([{"context": "vessels.self", "updates": [{"values": [value]}]}]))
    url = f"http://127.0.0.1:{load.free_port()}"
    more = {"PORT": url.rpartition(":")[2], "SIGNALK_NODE_CONFIG_DIR": str(folder)}
    with load.program(["node", program, "-c", folder], url, **more) as server:
        yield Peer(server, [f"/signalk/v1/api/vessels/self/{SIGNAL_K}"])


@contextmanager
def states(_: Peer, folder: Path) -> Iterator[Peer]:
    """Run Home Assistant, and read a state as its REST API tells it."""
    try:
        program = peer_home_assistant.install(FOLDER / "home-assistant")
    except subprocess.SubprocessError as error:
        raise MissingError(f"pip can't install homeassistant: {error}") from error
    with peer_home_assistant.running(program, folder) as (server, token):
        yield Peer(server, [peer_home_assistant.SENSOR], token=token)


@contextmanager
def prism(ours: Peer, folder: Path) -> Iterator[Peer]:
    """Run a mock of our API."""
    program = npm("@stoplight/prism-cli") / "@stoplight" / "prism-cli" / "dist" / "index.js"
    described = folder / "openapi.json"
    described.write_text(json.dumps(document(ROUTES)))
    url = f"http://127.0.0.1:{load.free_port()}"
    command = ["node", program, "mock", "-h", "127.0.0.1", "-p", url.rpartition(":")[2], described]
    with load.program(command, url) as server:
        yield Peer(server, ours.paths)


def npm(package: str) -> Path:
    """Return the folder of Node's modules with this package. Raises MissingError."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise MissingError("Node and npm are not installed")
    modules = FOLDER / "node_modules"
    if not (modules / package).exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--silent", "--no-fund", "--no-audit", "--ignore-scripts", package]
        try:
            subprocess.run(command, cwd=FOLDER, check=True, capture_output=True, timeout=INSTALL_S)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            raise MissingError(f"npm can't install {package}: {error}") from error
    return modules


@contextmanager
def redis(ours: Peer, folder: Path) -> Iterator[Peer]:
    """Run Redis, or Valkey, with an answer of the size of ours for each path, and a web server before it."""
    program = next((found for name in ("valkey-server", "redis-server") if (found := shutil.which(name))), None)
    if program is None:
        raise MissingError("neither valkey-server nor redis-server is installed")
    port, url = load.free_port(), f"http://127.0.0.1:{load.free_port()}"
    kept = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    with load.program([program, *kept], f"redis://127.0.0.1:{port}") as database:
        asyncio.run(fill(port, ours.paths, read.mean_size(ours.server, ours.paths)))
        with load.server("benchmarks.peers", "--hget", url.rpartition(":")[2], str(port), url=url) as server:
            yield Peer(server, ours.paths, database.pid)


class Link(asyncio.Protocol):
    """A connection to Redis; many commands may wait for their answers, which come in their order."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        self._rest = b""
        self._waiting: deque[asyncio.Future[bytes]] = deque()

    def ask(self, *words: bytes) -> "asyncio.Future[bytes]":
        """Send a command; the future has its answer."""
        said = b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)
        self._transport.write(b"*%d\r\n%b" % (len(words), said))
        self._waiting.append(asyncio.get_running_loop().create_future())
        return self._waiting[-1]

    def data_received(self, data: bytes) -> None:
        """Give out the answers that are whole."""
        self._rest += data
        while (end := self._rest.find(b"\r\n")) >= 0:
            answer, after = self._rest[1:end], end + 2
            if self._rest[:1] == b"$":
                after += int(answer) + 2
                if len(self._rest) < after:
                    return
                answer = self._rest[end + 2 : after - 2]
            self._rest = self._rest[after:]
            self._waiting.popleft().set_result(answer)


async def fill(port: int, paths: Sequence[str], size: int) -> None:
    """Store an answer of this size for each path."""
    transport, link = await asyncio.get_running_loop().create_connection(Link, "127.0.0.1", port)
    body = random.Random(6).randbytes(size).hex()[:size].encode()
    for vehicle, code in {tuple(path.split("/")[3::2]) for path in paths}:
        await link.ask(b"HSET", vehicle.encode(), code.encode(), body)
    transport.close()


def serve_hget(port: int, database: int) -> None:
    """Answer `/v3/vehicles/{id}/signals/{code}` with what Redis has, where the token is right."""
    links: list[Link] = []

    async def answer(request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {fixture.TOKEN}":
            return Response(status_code=401)
        if not links:
            links.append((await asyncio.get_running_loop().create_connection(Link, "127.0.0.1", database))[1])
        vehicle, code = request.path_params["vehicle"], request.path_params["code"]
        return Response(await links[0].ask(b"HGET", vehicle.encode(), code.encode()), media_type="application/json")

    app = Starlette(routes=[Route("/v3/vehicles/{vehicle}/signals/{code}", answer)])
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        plain = uvicorn.Config(app, http="httptools", interface="asgi3", lifespan="off", access_log=False, log_level="warning")
        runner.run(uvicorn.Server(plain).serve(sockets=[web.listen("127.0.0.1", port)]))


PEERS = {"redis": redis, "signalk": signal_k, "homeassistant": states, "prism": prism}
"""How each is run, beside ours and in a folder."""


if __name__ == "__main__":
    sys.exit(main())
