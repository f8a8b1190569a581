"""Ingest over HTTP: readings per second on one core, on disk, latest and history, in batches of 1,000 from 16 connections.

Two loads: bundles of 20 signals of a vehicle, and single signals of random vehicles; every value differs from the one before.
Beside each stands the bare store, which writes the same entries without HTTP on the same core in the same run. Targets:
≥ 150,000 readings/s for bundles, ≥ 80,000 for random single signals; in steady state (`--runs 25`: so many runs of each series
are in history already, and as many are moved as come in) ≤ 7 and ≤ 11 µs of CPU a reading. Then the same for every other
transport, as `benchmarks.transports` measures it.

    python -m benchmarks.ingest [--vehicles 10000] [--batches 400] [--rounds 3] [--runs 1 25] [--seconds 3]   (0: HTTP only)
"""

import argparse
import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import fixture, load, transports
from benchmarks.readings import BATCH, CONNECTIONS, batches, post


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vehicles", type=int, default=10_000)
    parser.add_argument("--batches", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runs", type=int, nargs="+", default=[1], help="of each series, that are in history before")
    parser.add_argument("--seconds", type=float, default=3.0, help="how long each other transport is fed")
    parser.add_argument("--bare", nargs=3, metavar=("DATABASE", "LOAD", "BATCHES"), help="only the bare store (internal)")
    asked = parser.parse_args()
    if asked.bare:
        print(json.dumps(asyncio.run(_write_bare(Path(asked.bare[0]), asked.bare[1], int(asked.bare[2]), asked.vehicles))))
        return
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCHMARK_FOLDER")) as folder:
        columns = (f"{'runs':>4} {'load':>8}", "readings/s", "bare store", "ratio", "µs CPU", "bare µs", "p99 ms")
        print("{} {:>11} {:>11} {:>6} {:>7} {:>8} {:>7}".format(*columns))
        for runs in asked.runs:
            filled = Path(folder) / f"filled-{runs}.db"
            fixture.build(filled, asked.vehicles, age_s=86_400, source_name="http", runs=runs)
            for kind in ("bundles", "random"):
                pairs = [_pair(filled, kind, asked.batches, asked.vehicles) for _ in range(asked.rounds)]
                _report(runs, kind, pairs)
            filled.unlink()
    if asked.seconds:
        print()
        transports.measure(asked.seconds, list(transports.WAYS))


def _report(runs: int, kind: str, pairs: list[tuple[dict[str, float], dict[str, float]]]) -> None:
    def middle(values: Iterator[float]) -> float:
        ordered = sorted(values)
        return ordered[len(ordered) // 2]

    print(
        f"{runs:>4} {kind:>8} {middle(a['rate'] for a, _ in pairs):>11.0f} {middle(b['rate'] for _, b in pairs):>11.0f}"
        f" {middle(a['rate'] / b['rate'] for a, b in pairs):>6.2f} {middle(a['cpu_us'] for a, _ in pairs):>7.2f}"
        f" {middle(b['cpu_us'] for _, b in pairs):>8.2f} {middle(a['p99_ms'] for a, _ in pairs):>7.0f}"
    )


def _pair(filled: Path, kind: str, count: int, vehicles: int) -> tuple[dict[str, float], dict[str, float]]:
    """Run the same load over HTTP and on the bare store, each on a fresh copy; return the figures of both."""
    over_http, bare = filled.with_name("http.db"), filled.with_name("bare.db")
    for copy in (over_http, bare):
        for old in (copy, copy.with_name(copy.name + "-wal"), copy.with_name(copy.name + "-shm")):
            old.unlink(missing_ok=True)
        shutil.copy(filled, copy)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    url = f"http://127.0.0.1:{port}"
    os.sched_setaffinity(0, {load.CLIENT_CORE})
    bodies = [json.dumps(batch, separators=(",", ":")).encode() for batch in batches(kind, count, vehicles)]
    with load.server("chargeport", "serve", "--database", f"sqlite:///{over_http}", "--port", str(port), url=url) as target:
        before = load.cpu_s(target.pid)
        latencies, duration_s = asyncio.run(post(port, "/ingest/readings", fixture.TOKEN, bodies))
        cpu_s = load.cpu_s(target.pid) - before
    command = [sys.executable, "-m", "benchmarks.ingest", "--vehicles", str(vehicles), "--bare", str(bare), kind, str(count)]
    pin = lambda: os.sched_setaffinity(0, {load.SERVER_CORE})  # noqa: E731
    done = subprocess.run(command, capture_output=True, text=True, check=True, preexec_fn=pin)
    readings = count * BATCH
    figures = {
        "rate": readings / duration_s,
        "cpu_us": cpu_s / readings * 1e6,
        "p99_ms": sorted(latencies)[int(len(latencies) * 0.99)] * 1000,
    }
    return figures, json.loads(done.stdout)


async def _write_bare(file: Path, kind: str, count: int, vehicles: int) -> dict[str, float]:
    """Write the same entries to the store itself."""
    from chargeport.ingest.batch import Batch
    from chargeport.ingest.items import ItemChecker
    from chargeport.ingest.payload import read
    from chargeport.store.sqlite import SqliteStore

    loads = []
    for items in batches(kind, count, vehicles):
        batch = Batch()
        read(json.dumps(items).encode(), ItemChecker(batch, "http", int(time.time() * 1000), 300), BATCH, lines=False)
        loads.append(batch.entries)
    store = SqliteStore.open(file)
    waiting = iter(loads)

    async def one() -> None:
        for entries in waiting:
            await store.readings.write(entries)

    start, before = time.perf_counter(), time.process_time()
    await asyncio.gather(*(one() for _ in range(CONNECTIONS)))
    duration_s, cpu_s = time.perf_counter() - start, time.process_time() - before
    await store.close()
    return {"rate": count * BATCH / duration_s, "cpu_us": cpu_s / (count * BATCH) * 1e6}


if __name__ == "__main__":
    main()
