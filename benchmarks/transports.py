"""What each transport takes in: readings per second of one core's time, beside the bare store writing the same rows.

A server with one source runs on a core of its own and is fed from the other; what it used of its core's time is what counts,
so that a slow client or broker changes nothing. Then a bare store writes the rows that came out, in the same order, in batches
of 1,000. Nothing is derived meanwhile, unless asked.

    python -m benchmarks.transports [--seconds 3] [--only mqtt nats] [--derive]    (what is not installed is left out)
"""

import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import NamedTuple

from benchmarks import broker_feeders, feeders, load
from benchmarks.broker_feeders import SUBJECT
from benchmarks.feeders import STATIONS, Fed
from chargeport.api.access import Access
from chargeport.clock import SystemClock
from chargeport.signals.definition import Permission
from chargeport.signals.reading import Reading
from chargeport.store.records import Selection, Vehicle
from chargeport.store.sqlite import SqliteStore

CARS = 500
BATCH, WRITERS = 1_000, 16
QUIET_S = 1.5  # without anything new: all that was said is stored
SETTLED_WITHIN_S = 120
POLL_S = 0.05
BUNDLES_PER_S = 4_000  # with which a server is fed at most: 80,000 readings a second


class Way(NamedTuple):
    """A transport: the settings of its source ("" for HTTP), who feeds it, and the broker that it needs, by its address."""

    source: str
    feed: Callable[[Fed, str], Coroutine[None, None, None]]
    broker: Callable[[Path], contextlib.AbstractContextManager[str]] = lambda _: contextlib.nullcontext("")


_MQTT = 'type = "mqtt"\ndialect = "generic"\nurl = "{address}"\n'
_OCPP = 'type = "ocpp"\nsecurity_profile = 0\naccept_unknown_tags = true\nmax_messages_per_s = 10000\n{stations}'
_KAFKA = f"""
type = "kafka"
dialect = "generic"
topics = ["{SUBJECT}"]
subscribe = ["{SUBJECT}"]
bootstrap_servers = "{{address}}"
"""
_NATS = f'type = "nats"\ndialect = "generic"\ntopics = ["{SUBJECT}"]\nstream = "{SUBJECT}"\nservers = "{{address}}"\n'
_RECORDING = 'type = "recording"\ndialect = "generic"\nfile = "{folder}/recording.jsonl"\nspeed = 0\nnow = false\n'

WAYS = {
    "http": Way("", feeders.over_http),
    "http, 1 each": Way("", feeders.over_http_singly),
    "mqtt": Way(_MQTT, broker_feeders.over_mqtt, broker_feeders.mosquitto),
    "mqtt, values": Way(_MQTT, broker_feeders.over_mqtt_singly, broker_feeders.mosquitto),
    "ocpp": Way(_OCPP, feeders.over_ocpp),
    "kafka": Way(_KAFKA, broker_feeders.over_kafka, broker_feeders.kafka),
    "nats": Way(_NATS, broker_feeders.over_nats, broker_feeders.nats),
    "recording": Way(_RECORDING, feeders.from_recording),
}


class Figures(NamedTuple):
    """Of one run: readings stored, seconds from the first to the last of them, and seconds of the core."""

    readings: int
    duration_s: float
    cpu_s: float

    @property
    def per_core(self) -> float:
        """Readings per second of a core that does nothing else."""
        return self.readings / self.cpu_s


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0, help="how long each transport is fed")
    parser.add_argument("--only", nargs="+", choices=list(WAYS), default=list(WAYS))
    parser.add_argument("--derive", action="store_true", help="derive signals and sessions meanwhile, as by default in life")
    parser.add_argument("--bare", nargs=2, metavar=("FROM", "TO"), help="only the bare store (internal)")
    asked = parser.parse_args()
    if asked.bare:
        print(json.dumps(asyncio.run(_write_bare(*map(Path, asked.bare)))))
        return
    measure(asked.seconds, asked.only, derive=asked.derive)


def measure(seconds: float, only: list[str], *, derive: bool = False) -> None:
    """Measure these transports and print a table."""
    print(f"{'transport':>13} {'readings':>9} {'readings/s':>11} {'per core':>9} {'bare store':>11} {'ratio':>6}")
    for name in only:
        try:
            with tempfile.TemporaryDirectory(dir=os.environ.get("BENCHMARK_FOLDER")) as folder:
                found, bare = _pair(WAYS[name], Path(folder), seconds, derive)
        except ImportError as error:
            print(f"{name:>13} left out: {error.name} is not installed")
            continue
        rate, ratio = found.readings / found.duration_s, found.per_core / bare.per_core
        print(
            f"{name:>13} {found.readings:>9} {rate:>11.0f} {found.per_core:>9.0f} {bare.per_core:>11.0f} {ratio:>6.2f}",
            flush=True,
        )


def _pair(way: Way, folder: Path, seconds: float, derive: bool) -> tuple[Figures, Figures]:
    """Return the figures of what came in by a transport, and of the same rows on the bare store."""
    os.sched_setaffinity(0, {load.CLIENT_CORE})
    served, bare = folder / "served.db", folder / "bare.db"
    cars, token = asyncio.run(_made(served))
    asyncio.run(_made(bare))
    port, settings = load.free_port(), folder / "chargeport.toml"
    with way.broker(folder) as address:
        settings.write_text(_settings(way, address, folder, cars, derive))
        command = ("chargeport", "serve", "--config", str(settings), "--database", f"sqlite:///{served}", "--port", str(port))
        with load.server(*command, url=f"http://127.0.0.1:{port}") as target:
            before_s = load.cpu_s(target.pid)
            fed = Fed(port, token, cars, folder, time.monotonic() + seconds, round(BUNDLES_PER_S * seconds))
            readings, duration_s = asyncio.run(_watched(way, fed, address, served))
            found = Figures(readings, duration_s, load.cpu_s(target.pid) - before_s)
    pin = lambda: os.sched_setaffinity(0, {load.SERVER_CORE})  # noqa: E731
    again = [sys.executable, "-m", "benchmarks.transports", "--bare", str(served), str(bare)]
    done = subprocess.run(again, check=True, stdout=subprocess.PIPE, text=True, preexec_fn=pin)
    return found, Figures(*json.loads(done.stdout))


def _settings(way: Way, address: str, folder: Path, cars: list[str], derive: bool) -> str:
    """Return the settings of the server."""
    stations = "".join(
        f'[sources.stations.box-{number}]\nconnectors = {{ 1 = "{cars[number]}" }}\n' for number in range(STATIONS)
    )
    text = f'[server]\nlog = "error"\n\n[derive]\nenabled = {str(derive).lower()}\n'
    if not way.source:
        return text
    return f'{text}\n[[sources]]\nname = "fed"\n' + way.source.format(address=address, folder=folder, stations=stations)


async def _made(database: Path) -> tuple[list[str], str]:
    """Make a database with cars of which nothing is known yet; return their ids, and a token to write with."""
    store = SqliteStore.open(database)
    cars = [str(uuid.UUID(int=number + 1, version=4)) for number in range(CARS)]
    for car in cars:
        await store.vehicles.add_vehicle(Vehicle(id=car))
    access = Access(store, SystemClock())
    application, _ = await access.register("Feeder", frozenset(Permission))
    token = await access.issue_token(application)
    await store.close()
    return cars, token


async def _watched(way: Way, fed: Fed, address: str, database: Path) -> tuple[int, float]:
    """Feed the server until time is up and all is stored: how many readings, and in how many seconds."""
    store = SqliteStore.open(database)
    feeding = asyncio.create_task(way.feed(fed, address))
    first_s = last_s = time.monotonic()
    stored, ends_s = 0, fed.ends_s + SETTLED_WITHIN_S
    while not (feeding.done() and stored and time.monotonic() - last_s > QUIET_S):
        position = await store.readings.position()
        now_s = time.monotonic()
        if now_s > ends_s:
            raise SystemExit(f"{stored} readings came in, and then nothing happened any more")
        if position != stored:
            first_s = first_s if stored else now_s - POLL_S
            stored, last_s = position, now_s
        await asyncio.sleep(POLL_S)
    await feeding
    await store.close()
    return stored, last_s - first_s


async def _write_bare(served: Path, database: Path) -> Figures:
    """Write to a store itself what another holds, in order of time."""
    source = SqliteStore.open(served)
    seen = [each async for stretch in source.readings.sightings(Selection(every=True)) for each in stretch.sightings]
    await source.close()
    rows = [
        Reading(
            each.vehicle_id,
            each.signal,
            each.value,
            each.observed_at,
            each.received_at or each.observed_at,
            each.source or "fed",
        )
        for each in sorted(seen, key=lambda each: each.observed_at)
        if each.value is not None
    ]
    batches = iter([rows[start : start + BATCH] for start in range(0, len(rows), BATCH)])
    store = SqliteStore.open(database)

    async def one() -> None:
        for batch in batches:
            await store.readings.write(batch)

    start_s, before_s = time.perf_counter(), time.process_time()
    await asyncio.gather(*(one() for _ in range(WRITERS)))
    found = Figures(len(rows), time.perf_counter() - start_s, time.process_time() - before_s)
    await store.close()
    return found


if __name__ == "__main__":
    main()
