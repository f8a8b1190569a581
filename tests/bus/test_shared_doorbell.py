"""The doorbell between processes: a ring of one wakes the others, over PostgreSQL or NATS, also after the line was broken."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import pytest

from chargeport.bus import shared
from chargeport.bus.nats import SUBJECT, TIMEOUT_S, NatsLine
from chargeport.bus.postgres import PostgresLine
from chargeport.bus.shared import Line, LineError, SharedDoorbell
from chargeport.clock import SystemClock
from nats_server import nats_server
from postgres_server import postgres_server
from servers import free_port

PATIENCE_S = 20


class Server(Protocol):
    def kill(self) -> None: ...

    def start(self) -> None: ...

    def send_signal(self, number: signal.Signals) -> None: ...


@contextmanager
def line(kind: str, folder: Path) -> Iterator[tuple[Callable[[], Line], Server]]:
    """How to make a line of a kind, and the server behind it."""
    if kind == "nats":
        with nats_server(folder) as nats:
            yield lambda: NatsLine(nats.url), nats
    else:
        with postgres_server() as postgres:
            yield lambda: PostgresLine(postgres.url()), postgres


@pytest.mark.parametrize("kind", ["postgres", "nats"])
async def test_a_ring_wakes_other_processes_also_after_the_line_was_broken(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "RETRY_S", 0.05)
    with line(kind, tmp_path) as (made, server):
        one, other = (SharedDoorbell(made(), SystemClock()) for _ in range(2))
        running = [asyncio.create_task(each.run()) for each in (one, other)]
        await rung(one, other)
        server.kill()
        waiting = asyncio.create_task(one.wait(PATIENCE_S))
        await asyncio.sleep(0)
        one.ring()
        assert await waiting  # those at home are woken without a line
        server.start()
        await rung(one, other)
        await rung(other, one)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def test_of_several_nats_servers_any_that_runs_carries_the_ring(tmp_path: Path) -> None:
    with nats_server(tmp_path) as nats:
        servers = f"nats://127.0.0.1:{free_port()}, {nats.url}"
        one, other = (SharedDoorbell(NatsLine(servers), SystemClock()) for _ in range(2))
        running = [asyncio.create_task(each.run()) for each in (one, other)]
        await rung(one, other)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def test_a_ring_that_was_lost_with_its_line_delays_the_next_ones_for_a_moment_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "RETRY_S", 0.05)
    with line("nats", tmp_path) as (made, server):
        one, other = (SharedDoorbell(made(), SystemClock()) for _ in range(2))
        running = [asyncio.create_task(each.run()) for each in (one, other)]
        await rung(one, other)
        server.send_signal(signal.SIGSTOP)
        one.ring()
        for _ in range(20):  # until it waits for the server's answer
            await asyncio.sleep(0)
        server.kill()
        server.start()
        async with asyncio.timeout(TIMEOUT_S - 1):
            await rung(one, other)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


class Faulty:
    """A line that fails once each way as no line should."""

    def __init__(self) -> None:
        self.listened = self.rung = 0
        self.is_heard = asyncio.Event()

    async def listen(self, on_ring: Callable[[], None]) -> None:
        self.listened += 1
        if self.listened == 1:
            raise ValueError("a fault of the client's")
        on_ring()
        self.is_heard.set()
        await asyncio.Event().wait()

    async def ring(self) -> None:
        self.rung += 1
        if self.rung == 1:
            raise ValueError("a fault of the client's")
        self.is_heard.set()


async def test_whatever_fails_in_a_line_other_rings_arrive_and_wake_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "RETRY_S", 0.0)
    faulty = Faulty()
    bell = SharedDoorbell(faulty, SystemClock())
    running = asyncio.create_task(bell.run())
    async with asyncio.timeout(PATIENCE_S):
        await faulty.is_heard.wait()
        faulty.is_heard.clear()
        while not faulty.is_heard.is_set():
            bell.ring()
            await asyncio.sleep(0)
    assert (faulty.listened, faulty.rung) == (2, 2)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_line_that_is_lost_with_much_unsent_is_reported_as_broken(tmp_path: Path) -> None:
    on_ring = asyncio.Event()
    with line("nats", tmp_path) as (made, server):
        broken = made()
        assert isinstance(broken, NatsLine)
        listening = asyncio.create_task(broken.listen(on_ring.set))
        await on_ring.wait()
        server.send_signal(signal.SIGSTOP)
        client = broken.client
        assert client is not None
        sending = [asyncio.create_task(client.publish(SUBJECT, bytes(1_000_000))) for _ in range(30)]
        for _ in range(100):  # until the client can send no more, and keeps the rest
            await asyncio.sleep(0)
        await client.publish(SUBJECT, b"")
        server.kill()
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(LineError):
                await listening
        for task in sending:
            task.cancel()
        await asyncio.gather(*sending, return_exceptions=True)


async def rung(one: SharedDoorbell, other: SharedDoorbell) -> None:
    """Return once what `one` rings wakes `other` while nobody else does."""
    async with asyncio.timeout(PATIENCE_S):
        while await other.wait(0.3):  # rings of the beginning
            pass
        while True:
            one.ring()
            if await other.wait(0.3):
                return
