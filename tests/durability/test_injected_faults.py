"""Faults of the machine, injected into a running server: writes are refused clearly, reads go on, nothing acknowledged is lost.

When the fault is over, the same process takes writes again; nobody has to do anything.
"""

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from chargeport.api.access import Access
from chargeport.clock import SystemClock
from chargeport.signals.definition import Permission
from chargeport.store.backends import open_store
from chargeport.store.records import Vehicle
from postgres_server import PostgresServer, postgres_server
from servers import Server

pytestmark = pytest.mark.service

CAR = "car"
READ = f"/v3/vehicles/{CAR}/signals/charge-voltage"
WITHIN_S = 20
AT_ONCE = 0.02
ROOM = 4 << 20


class Faulty:
    """A server with a car, an application, and what was acknowledged."""

    def __init__(self, server: Server, url: str, token: str) -> None:
        self.server = server
        self.acknowledged: list[float] = []
        self._url = url
        self._number = 0
        self._client = httpx.Client(
            base_url=server.url, headers={"Authorization": f"Bearer {token}"}, trust_env=False, timeout=30
        )

    def write(self) -> httpx.Response:
        """Send a value that was never sent; note it where it is acknowledged."""
        self._number += 1
        value = 200 + self._number / 1000
        answer = self._client.post(
            "/ingest/readings", json={"vehicle": CAR, "signal": "charge-voltage", "body": {"value": value}}
        )
        if answer.status_code == 200:
            self.acknowledged.append(value)
        return answer

    def read(self) -> Any:
        """The value that the server shows."""
        answer = self._client.get(READ)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]["attributes"]["body"]["value"]

    def get(self, path: str) -> httpx.Response:
        return self._client.get(path)

    def recovers(self) -> None:
        """Return once a write is taken and the server says that it is ready."""
        ends = time.monotonic() + WITHIN_S
        while (answer := self.write()).status_code != 200 or (answer := self.get("/readyz")).status_code != 200:
            assert time.monotonic() < ends, f"it does not recover: {answer.text}"
            time.sleep(AT_ONCE)

    def becomes(self, status: int) -> None:
        """Return once readiness is told with this status: what was found stands for a moment."""
        ends = time.monotonic() + WITHIN_S
        while (answer := self.get("/readyz")).status_code != status:
            assert time.monotonic() < ends, f"/readyz: {answer.status_code} {answer.text}"
            time.sleep(AT_ONCE)

    def newcomer(self, timeout_s: float) -> httpx.Response:
        """What a client on a new connection is answered."""
        return httpx.get(f"{self.server.url}/healthz", timeout=timeout_s, trust_env=False)

    def upload(self, body: bytes) -> httpx.Response:
        """Send a body on a connection of its own."""
        url, headers = f"{self.server.url}/ingest/readings", self._client.headers
        return httpx.post(url, content=body, headers=headers, timeout=30, trust_env=False)

    def log(self) -> str:
        """The last that the server logged."""
        return self.server.log.read_text()[-3000:]

    async def stored(self) -> set[Any]:
        """All values that are stored."""
        store = open_store(self._url)
        found = {change.value for change in await store.readings.changes(0, 100_000)}
        await store.close()
        return found

    def close(self) -> None:
        self._client.close()
        self.server.stop()


async def started(url: str, server: Server) -> Faulty:
    store = open_store(url)
    access = Access(store, SystemClock())
    application, _ = await access.register("Writer", frozenset(Permission))
    token = await access.issue_token(application)
    await store.vehicles.add_vehicle(Vehicle(id=CAR))
    await store.close()
    server.start()
    return Faulty(server, url, token)


@pytest.fixture
async def faulty(tmp_path: Path) -> Any:
    """A server on a file."""
    file = tmp_path / "cars.db"
    found = await started(f"sqlite:///{file}", Server(file, log=tmp_path / "log"))
    yield found
    found.close()


@contextlib.contextmanager
def failing(pid: int, calls: str, error: str) -> Iterator[None]:
    """Have system calls of a process and all its threads fail with an error."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    command = [strace, "-f", "-q", "-o", "/dev/null", "-e", f"trace={calls}", "-e", f"inject={calls}:error={error}"]
    tracing = subprocess.Popen([*command, "-p", str(pid)], stderr=subprocess.PIPE, text=True)
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        ends = time.monotonic() + WITHIN_S
        while any("TracerPid:\t0\n" in (each / "status").read_text() for each in threads):
            if tracing.poll() is not None:
                assert tracing.stderr
                pytest.skip(f"strace may not attach here: {tracing.stderr.read()}")
            assert time.monotonic() < ends
            time.sleep(AT_ONCE)
        yield
    finally:
        tracing.send_signal(signal.SIGINT)  # it lets go of the process
        tracing.wait(WITHIN_S)
        assert tracing.stderr
        tracing.stderr.close()


@pytest.mark.parametrize(
    ("calls", "error", "words"),
    [
        ("pwrite64,ftruncate", "ENOSPC", "disk is full"),
        ("pwrite64,ftruncate", "EROFS", "database"),
        ("pwrite64", "EIO", "database"),
        ("fsync,fdatasync", "EIO", "database"),
    ],
    ids=["disk full", "read-only disk", "write error", "fsync error"],
)
async def test_a_disk_that_fails_refuses_writes_and_is_written_to_again_when_it_is_well(
    faulty: Faulty, calls: str, error: str, words: str
) -> None:
    for _ in range(5):
        assert faulty.write().status_code == 200
    with failing(faulty.server.pid, calls, error):
        for _ in range(3):
            refused = faulty.write()
            assert refused.status_code == 503, f"{refused.text} {faulty.log()}"
            assert words in refused.json()["errors"][0]["detail"].lower()
            assert int(refused.headers["retry-after"]) > 0
        assert faulty.read() == faulty.acknowledged[-1]
        faulty.becomes(503)
        assert faulty.get("/healthz").status_code == 200
    faulty.recovers()
    assert faulty.read() == faulty.acknowledged[-1]
    faulty.server.kill()  # what was acknowledged was on disk, not only in memory
    assert set(faulty.acknowledged) <= await faulty.stored()


async def test_without_descriptors_who_comes_new_waits_and_is_answered_once_there_are_some(faulty: Faulty) -> None:
    assert faulty.write().status_code == 200
    with failing(faulty.server.pid, "accept,accept4,socket", "EMFILE"):
        assert faulty.write().status_code == 200  # on a connection that is open
        with pytest.raises(httpx.TransportError):
            faulty.newcomer(1)
    assert faulty.newcomer(WITHIN_S).status_code == 200
    faulty.recovers()
    assert set(faulty.acknowledged) <= await faulty.stored()


async def test_without_memory_a_large_request_is_refused_and_the_server_goes_on(faulty: Faulty) -> None:
    assert faulty.write().status_code == 200
    before = resource.prlimit(faulty.server.pid, resource.RLIMIT_AS)
    large = b"[" + b",".join([b'{"vehicle":"car","signal":"charge-voltage","body":{"value":1}}'] * 100_000) + b"]"
    resource.prlimit(faulty.server.pid, resource.RLIMIT_AS, (address_space(faulty.server.pid) + ROOM, before[1]))
    try:
        answer = faulty.upload(large)
        assert answer.status_code in (413, 503), answer.text
    finally:
        resource.prlimit(faulty.server.pid, resource.RLIMIT_AS, before)
    faulty.recovers()
    assert faulty.read() == faulty.acknowledged[-1]
    assert set(faulty.acknowledged) <= await faulty.stored()


def address_space(pid: int) -> int:
    """How many bytes of it a process uses."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")


@contextlib.contextmanager
def paused(server: PostgresServer) -> Iterator[None]:
    server.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        server.send_signal(signal.SIGCONT)


async def test_a_database_that_hangs_is_told_and_used_again_when_it_goes_on(tmp_path: Path) -> None:
    with postgres_server("fsync=on") as database:
        url = database.database()
        faulty = await started(url, Server(url, log=tmp_path / "log"))
        try:
            assert faulty.write().status_code == 200
            with paused(database):
                refused = faulty.write()  # within the time that a statement has
                assert refused.status_code == 503, f"{refused.text} {faulty.log()}"
                assert int(refused.headers["retry-after"]) > 0
                assert faulty.get("/healthz").status_code == 200
            faulty.recovers()
            assert faulty.read() == faulty.acknowledged[-1]
            assert set(faulty.acknowledged) <= await faulty.stored()
        finally:
            faulty.close()
