"""PostgreSQL ends at each statement of a commit: a request is stored whole or not at all, and sent again it is stored once."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import asyncpg
import pytest

from chargeport.errors import StoreError
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.reading import Absence, AbsenceReason, Entry, Reading
from chargeport.store.postgres import PostgresStore
from chargeport.store.postgres.connection import Connection
from chargeport.store.records import Vehicle
from postgres_server import PostgresServer, postgres_server

pytestmark = pytest.mark.service

WATTAGE, VOLTAGE = BY_CODE["charge-wattage"], BY_CODE["charge-voltage"]
T0 = 1_777_593_600_000
UP_WITHIN = 400  # attempts to connect: each takes a few hundredths of a second
MOST_STATEMENTS = 40

T = TypeVar("T")


class Doom:
    """Ends the connection's process on the server before, or right after, the n-th statement of a writer."""

    def __init__(self, at: int, *, after: bool, number: signal.Signals) -> None:
        self._left = at
        self._after = after
        self._signal = number
        self.has_come = False

    def wait(self, connection: Connection, doing: Coroutine[Any, Any, Any], wait: Callable[..., Any]) -> Any:
        self._left -= 1
        if self._left == 0 and not self._after:
            self._end(connection)
        result = wait(connection, doing)
        if self._left == 0 and self._after:
            self._end(connection)
            raise ConnectionResetError("the answer did not come through")
        return result

    def _end(self, connection: Connection) -> None:
        self.has_come = True
        os.kill(connection._raw.get_server_pid(), self._signal)


def cars(at: int) -> tuple[str, str]:
    """The two vehicles of an attempt."""
    return f"one-{at}", f"two-{at}"


def before(at: int) -> list[Entry]:
    """What is stored already: a run with sightings, and an absence that lasts."""
    found: list[Entry] = []
    for car in cars(at):
        found += [Reading(car, WATTAGE, 7000.0, T0 + minute * 60_000, T0, "box") for minute in range(3)]
        found.append(Absence(car, VOLTAGE, AbsenceReason.UNREADABLE, T0, T0, "box"))
    return found


def request(at: int) -> list[Entry]:
    """A new value, the same value again, a late one that splits a run, and an absence again: of two cars, by a new source."""
    found: list[Entry] = []
    for car in cars(at):
        found += [
            Reading(car, WATTAGE, 7000.0, T0 + 180_000, T0, "box"), Reading(car, WATTAGE, 11_000.0, T0 + 240_000, T0, "box"),
            Reading(car, WATTAGE, 3000.0, T0 + 90_000, T0, "box"), Reading(car, VOLTAGE, 230.0, T0 + 1000, T0, f"new-{at}"),
            Absence(car, VOLTAGE, AbsenceReason.UNREADABLE, T0 + 2000, T0, "box"),
        ]  # fmt: skip
    return found


async def content_of(store: PostgresStore, at: int) -> list[Any]:
    """All that is stored of each car, without positions."""
    found = []
    for car in cars(at):
        for signal_ in (WATTAGE, VOLTAGE):
            for source in ("box", f"new-{at}"):
                runs = await store.history.history(car, signal_, source=source, limit=100)
                found.append([(run.observed_at, run.last_seen_at, run.value) for run in runs])
    return found


async def prepared(store: PostgresStore, at: int) -> list[Any]:
    for car in cars(at):
        await store.vehicles.add_vehicle(Vehicle(id=car))
    await store.readings.write(before(at))
    return await content_of(store, at)


async def patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask until the database answers."""
    for _ in range(UP_WITHIN):
        with contextlib.suppress(StoreError):
            return await ask()
    raise AssertionError("the database did not come back")


@contextlib.asynccontextmanager
async def witness(url: str) -> AsyncIterator[asyncio.Event]:
    """What is set once a connection beside the store's is lost."""
    lost = asyncio.Event()
    raw = await asyncpg.connect(url)
    raw.add_termination_listener(lambda _: lost.set())
    try:
        yield lost
    finally:
        raw.terminate()


async def killed_at_each_statement(
    server: PostgresServer, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, *, after: bool
) -> set[str]:
    """Write for new vehicles for each statement, ended there; what was found stored when the write failed."""
    found = set()
    wait = Connection.wait
    store = PostgresStore.open(server.database())
    await prepared(store, 0)
    await store.readings.write(request(0))
    complete = await content_of(store, 0)
    for at in range(1, MOST_STATEMENTS):
        empty = await prepared(store, at)
        doom = Doom(at, after=after, number=number)
        with monkeypatch.context() as patched:
            patched.setattr(Connection, "wait", lambda self, doing, doom=doom: doom.wait(self, doing, wait))
            async with witness(store.url) as has_gone_down:
                outcomes = None
                with contextlib.suppress(StoreError):
                    outcomes = await store.readings.write(request(at))
                if doom.has_come and number is signal.SIGKILL:
                    await has_gone_down.wait()  # all processes of the server end, a moment later
        stored = await patiently(lambda at=at: content_of(store, at))  # type: ignore[misc]
        assert stored in (empty, complete), f"statement {at}: a request by half"
        if outcomes is None:
            found.add("all" if stored == complete else "nothing")
        else:
            assert stored == complete, f"statement {at}: acknowledged and lost"
        await patiently(lambda at=at: store.readings.write(request(at)))  # type: ignore[misc]
        assert await content_of(store, at) == complete, f"statement {at}: sent again it is stored once"
        if not doom.has_come:
            break
    changes = [
        (each.vehicle_id, each.signal, each.source, each.observed_at) for each in await store.readings.changes(0, 10_000)
    ]
    assert len(changes) == len(set(changes)), "a change stands twice in the feed"
    await store.close()
    assert doom.has_come is False, "a commit has more statements than that"
    return found


async def test_a_connection_that_ends_before_any_statement_of_a_commit_leaves_nothing(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await killed_at_each_statement(postgres, monkeypatch, signal.SIGTERM, after=False) == {"nothing"}


async def test_a_connection_that_ends_after_any_statement_of_a_commit_leaves_all_or_nothing(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = await killed_at_each_statement(postgres, monkeypatch, signal.SIGTERM, after=True)
    assert found == {"nothing", "all"}, "all where the answer to the commit alone was lost"


@pytest.mark.long
@pytest.mark.parametrize("after", [False, True])
async def test_a_database_that_is_killed_at_any_statement_of_a_commit_comes_back_with_all_or_nothing(
    monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    with postgres_server() as server:
        found = await killed_at_each_statement(server, monkeypatch, signal.SIGKILL, after=after)
    assert found == ({"nothing", "all"} if after else {"nothing"})
