"""What happens to processes on one database when any of them, the database or the broker is killed or paused under load?

Two processes answer, two hear the sources, two deliver. Cars report over HTTP and JetStream, clients follow the stream, a
webhook is told of each change. One fault after the other hits any of them. In the end everything that was acknowledged must
be stored once, be in each stream exactly once and in the webhook at least once, and the charging records must be those of a
server to which nothing happened.

    python tests/durability/nemesis.py --minutes 10 [--cars 4] [--brokers 3] [--seed 1]

prints each fault and what it found, and ends with 1 if anything was lost, doubled or different.
"""

import argparse
import asyncio
import contextlib
import json
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec
import nats
import nats.errors

sys.path.insert(0, str(Path(__file__).parents[1]))
from acknowledged import Load, replayed
from cluster import STREAM, VOLTAGE, Cluster, Servers, within
from faults import Fault, strike
from witnesses import Follower, Receiver

from nats_server import NatsLeader, NatsServer, nats_cluster, nats_server
from postgres_server import postgres_server

ROLES: Final = ("api", "api", "ingest", "ingest", "deliver", "deliver")
DERIVED_S: Final = 3_600  # from the last report until all is derived: an hour of reports takes minutes, on a busy machine many
SETTLED_S: Final = 60  # from then on until everything has arrived everywhere
CALM_S: Final = 2.0  # after a recovery, from when on latencies count
PAGE: Final = 10_000
RECORD_FIELDS: Final = ("vehicle_id", "started_at", "ended_at", "energy_kwh", "start_soc", "end_soc", "max_power_kw")

_WAITING: Final = re.compile(r"^chargeport_derivation_waiting (\S+)", re.MULTILINE)

Say = Callable[[str], None]


class Findings(msgspec.Struct):
    """What came of it; every list is empty where all is well."""

    faults: list[Fault] = []
    reports: int = 0
    refused: int = 0
    cut: int = 0
    lost: list[str] = []
    doubled: list[str] = []
    missed_by_streams: list[str] = []
    doubled_by_streams: list[str] = []
    missed_by_webhook: list[str] = []
    differing_events: list[str] = []
    differing_records: list[str] = []
    unclear: list[str] = []
    records: int = 0
    events: int = 0
    resumed: int = 0
    p99_before_ms: float = 0
    p99_after_ms: float = 0
    slowest_recovery_s: float = 0
    derived_s: float = 0

    @property
    def wrong(self) -> list[str]:
        """All that should not be."""
        return [
            f"{name}: {found[:5]}"
            for name in (
                "lost", "doubled", "missed_by_streams", "doubled_by_streams", "missed_by_webhook", "differing_events",
                "differing_records", "unclear",
            )
            if (found := getattr(self, name))
        ]  # fmt: skip


class Nemesis:
    """A cluster under load, and what is done to it."""

    def __init__(
        self, cluster: Cluster, servers: Servers, cars: int, seed: int, *, pause_s: float = 0.05, spared: Sequence[str] = ()
    ) -> None:
        """`spared` names processes to which nothing is done."""
        self.found = Findings()
        self.ready = asyncio.Event()
        """Set once all processes run."""
        self._spared = frozenset(spared)
        self._cluster = cluster
        self._servers = servers
        self._random = random.Random(seed)
        self._load = Load(cluster, cars, pause_s=pause_s, seed=seed)
        self._receiver = Receiver(seed)
        self._followers = [Follower(cluster, seed + number) for number in range(2)]

    async def run(self, seconds: float, *, pauses_s: tuple[float, float] = (0.5, 8), rests_s: float = 3, say: Say) -> Findings:
        """Let one fault follow the other for so long, then wait until everything has arrived, and look."""
        bus = self._servers.get("broker")
        if bus is not None:
            await _make_stream(bus.url)  # type: ignore[arg-type]
        await self._cluster.prepare(self._load.cars, await self._receiver.start())
        following: list[asyncio.Task[None]] = []
        try:
            await self._cluster.start()
            self.ready.set()
            following = [asyncio.create_task(each.run()) for each in self._followers]
            loading = asyncio.create_task(self._load.run(None if bus is None else bus.url))  # type: ignore[arg-type]
            await asyncio.sleep(rests_s + 1)  # without any fault
            ends = time.monotonic() + seconds
            while time.monotonic() < ends:
                await self._strike(pauses_s, say)
                await asyncio.sleep(rests_s)
            self._load.stop()
            await loading
            await self._compare()
        finally:
            for task in following:
                task.cancel()
            await asyncio.gather(*following, return_exceptions=True)
            await asyncio.to_thread(self._cluster.stop)
            await self._receiver.stop()
        return self.found

    async def _strike(self, pauses_s: tuple[float, float], say: Say) -> None:
        """Kill or pause one of all that run, then have it go on."""
        victims = {**self._cluster.processes, **self._servers}
        fault = await strike(
            {name: victim for name, victim in victims.items() if name not in self._spared}, self._random, pauses_s
        )
        await self._cluster.ready()
        before = self._load.ledger.count

        async def are_taken() -> bool:
            return self._load.ledger.count >= before + len(self._load.cars)

        assert await within(SETTLED_S, are_taken), f"nothing is taken after {fault}: {self._cluster.logs()}"
        fault = msgspec.structs.replace(fault, recovered_s=time.monotonic())
        self.found.faults.append(fault)
        say(str(fault))

    async def _compare(self) -> None:
        """Look at the store, the streams, the webhook and the records, once they have had the time to be whole."""
        found, ledger = self.found, self._load.ledger
        self._oracle = await _oracle(self._cluster.folder / "oracle", self._load)
        begun = time.monotonic()
        await within(DERIVED_S, self._is_derived)
        found.derived_s = time.monotonic() - begun
        await within(SETTLED_S, self._is_whole)
        await self._look_at_the_store()
        found.reports, found.refused, found.cut = ledger.count, ledger.refused, ledger.cut
        found.unclear = [*ledger.unclear, *(each for one in self._followers for each in one.unclear)]
        for car in self._load.counters:
            reported = ledger.voltages(car)
            for number, follower in enumerate(self._followers):
                _report(found.missed_by_streams, f"stream {number}, {car}", set(reported) - set(follower.seen[car]))
                twice = (
                    {value for value in follower.seen[car] if follower.seen[car].count(value) > 1}
                    if (len(set(follower.seen[car])) < len(follower.seen[car]))
                    else set()
                )
                _report(found.doubled_by_streams, f"stream {number}, {car}", twice)
            _report(found.missed_by_webhook, car, set(reported) - self._receiver.seen[car])
        found.differing_events = self._receiver.differing
        found.events = sum(self._receiver.events.values())
        found.resumed = sum(each.connected - 1 for each in self._followers)
        self._measure()

    async def _is_derived(self) -> bool:
        """Whether nothing waits to be derived at any process."""
        return not any([await derivation_waiting(url) for url in self._cluster.urls])

    async def _is_whole(self) -> bool:
        """Whether streams and webhook lack nothing, and the records are those of the other server."""
        shown = [*(each.seen for each in self._followers), self._receiver.seen]
        if any(set(self._load.ledger.voltages(car)) - set(seen[car]) for car in self._load.counters for seen in shown):
            return False
        theirs = await records_of(self._cluster.urls[0], self._cluster.headers)
        self.found.records = len(self._oracle)
        self.found.differing_records = [
            f"{key}: {theirs.get(key)} is not {self._oracle.get(key)}"
            for key in sorted(theirs.keys() | self._oracle.keys())
            if theirs.get(key) != self._oracle.get(key)
        ]
        return not self.found.differing_records

    async def _look_at_the_store(self) -> None:
        """Compare the feed of changes with the ledger."""
        stored: dict[str, list[float]] = {}
        instants: dict[str, set[int]] = {}
        position = 0
        async with self._cluster.store() as store:
            while changes := await store.readings.changes(position, PAGE):
                for change in changes:
                    instants.setdefault(change.vehicle_id, set()).add(change.observed_at)
                    if change.signal.code == VOLTAGE and isinstance(change.value, int | float):
                        stored.setdefault(change.vehicle_id, []).append(change.value)
                assert changes[-1].position > position
                position = changes[-1].position
        for car in self._load.counters:
            values, reported = stored.get(car, []), self._load.ledger.voltages(car)
            _report(self.found.lost, car, set(reported) - set(values))
            _report(self.found.doubled, car, {value for value, times in Counter(values).items() if times > 1})
        for car in (*self._load.chargers, *self._load.by_bus):  # their power is another at each charge
            wanted = _changes_of_power(self._load.ledger.items.get(car, []))
            _report(self.found.lost, car, wanted - instants.get(car, set()))

    def _measure(self) -> None:
        """The latencies of writes before the first fault and in the calm after those that followed."""
        timed, faults = self._load.ledger.timed, self.found.faults
        if not faults:
            return
        before = [each.took_s for each in timed if each.at_s < faults[0].begun_s]
        calm = list(zip(faults, [*(each.begun_s for each in faults[1:]), float("inf")], strict=True))
        after = [each.took_s for each in timed if any(fault.recovered_s + CALM_S < each.at_s < until for fault, until in calm)]
        self.found.p99_before_ms, self.found.p99_after_ms = _p99_ms(before), _p99_ms(after)
        self.found.slowest_recovery_s = max(each.recovered_s - each.ended_s for each in faults)


async def _oracle(where: Path, load: Load) -> dict[str, Any]:
    """The records of a server that was told all reports of the cars that charge, each once and in order."""
    cars = [car for car in (*load.chargers, *load.by_bus) if load.ledger.items.get(car)]
    quiet = Cluster(where, ["all"], None)
    await quiet.prepare(cars)

    async def has_caught_up() -> bool:
        return await derivation_waiting(quiet.urls[0]) == 0

    try:
        await quiet.start()
        await replayed(load.ledger, cars, quiet.urls[0], quiet.headers)
        assert await within(DERIVED_S, has_caught_up), f"derivation goes on: {quiet.logs()}"
        return await records_of(quiet.urls[0], quiet.headers)
    finally:
        await asyncio.to_thread(quiet.stop)


async def records_of(url: str, headers: dict[str, str]) -> dict[str, Any]:
    """The charging records of all cars, by car and start."""
    found: dict[str, Any] = {}
    path: str | None = f"{url}/records?page[size]=500"
    async with aiohttp.ClientSession() as session:
        while path is not None:
            async with session.get(path, headers=headers) as answer:
                page = json.loads(await answer.text())
                assert answer.status == 200, page
            for row in page["data"]:
                found[f"{row['vehicle_id']} {row['started_at']}"] = {name: row.get(name) for name in RECORD_FIELDS}
            path = page["links"].get("next")
    return found


async def derivation_waiting(url: str) -> int:
    """Of how many vehicles a server that derives has not derived all that it was told."""
    async with aiohttp.ClientSession() as session, session.get(f"{url}/metrics") as answer:
        found = _WAITING.search(await answer.text())
    assert found, "the server tells not what waits"
    return int(float(found[1]))


async def _make_stream(url: str) -> None:
    """Make the stream, on as many servers as there are, once these have found each other."""
    servers = url.split(",")
    client = await nats.connect(servers)

    async def is_made() -> bool:
        with contextlib.suppress(nats.errors.Error):
            await client.jetstream().add_stream(name=STREAM, subjects=[f"{STREAM}.>"], num_replicas=len(servers))
            return True
        return False

    assert await within(SETTLED_S, is_made), "no stream is made"
    await client.close()


def _changes_of_power(items: Sequence[dict[str, Any]]) -> set[int]:
    """The instants at which the power of a car became another."""
    powers = [item["signals"]["charge-wattage"]["value"] for item in items]
    return {item["at"] for item, power, before in zip(items, powers, [None, *powers], strict=False) if power != before}


def _report(into: list[str], where: str, what: set[Any]) -> None:
    if what:
        into.append(f"{where}: {len(what)}, such as {sorted(what)[:5]}")


def _p99_ms(took_s: Sequence[float]) -> float:
    return round(1000 * sorted(took_s)[len(took_s) * 99 // 100], 1) if took_s else 0


async def nemesis(where: Path, seconds: float, cars: int, seed: int, *, say: Say, brokers: int = 1, **timing: Any) -> Findings:
    """Run the whole of it in a folder. Of several brokers the one that leads is hit."""
    with postgres_server("fsync=on", "full_page_writes=on", "max_connections=150") as database, contextlib.ExitStack() as stack:
        bus: NatsServer | NatsLeader
        if brokers == 1:
            bus = stack.enter_context(nats_server(where / "bus"))
        else:
            bus = NatsLeader(stack.enter_context(nats_cluster(where / "bus", brokers)), STREAM)
        cluster = Cluster(where, ROLES, database.database(), bus)
        return await Nemesis(cluster, {"database": database, "broker": bus}, cars, seed).run(seconds, say=say, **timing)


def show(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--cars", type=int, default=4, help="of each kind")
    parser.add_argument("--brokers", type=int, choices=(1, 3), default=3, help="NATS servers, of which the leader is hit")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chargeport-") as where:
        doing = nemesis(Path(where), options.minutes * 60, options.cars, options.seed, say=show, brokers=options.brokers)
        found = asyncio.run(doing)
    show(
        f"seed {options.seed}: {len(found.faults)} faults, {found.reports} reports acknowledged, {found.refused} refused,"
        f" {found.cut} cut; {found.events} events at the webhook, streams resumed {found.resumed} times,"
        f" {found.records} records; p99 of a report {found.p99_before_ms} ms before, {found.p99_after_ms} ms after faults;"
        f" the slowest recovery took {found.slowest_recovery_s:.1f} s, all was derived after {found.derived_s:.1f} s"
    )
    show("\n".join(found.wrong) or "nothing lost, nothing doubled, nothing different")
    return 1 if found.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
