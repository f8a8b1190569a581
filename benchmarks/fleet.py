"""The list of all vehicles (`GET /fleet`): the first answer after a start, the next one, and how long others wait meanwhile.

Each request is made twice of a service that has just been opened, in this process; the last one comes 8 s after somebody has
opened the list by name, as the page does. `stall` is for how long the event loop did nothing else; `kept MiB` is what the
process has grown by; `s CPU` is what this process spent on the first answer.

    python -m benchmarks.fleet [--vehicles 100000] [--rounds 3] [--database postgres]
"""

import argparse
import asyncio
import gc
import os
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import httpx
import uvloop

from benchmarks import databases, fixture, stream
from chargeport.dashboard import page
from chargeport.service import Service
from chargeport.settings import DatabaseSettings, Settings

OPENED: Final = "opened"
QUERIES: Final = {
    "by name": "",
    "search": "filter[text]=bolt",
    "charging": "filter[state]=charging",
    "by power": "sort=-power",
    OPENED: "filter[state]=charging",
}
OPENED_S: Final = 8
TICK_S: Final = 0.001


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vehicles", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    databases.add_argument(parser)
    asked = parser.parse_args()
    print(f"{'request':<10} {'first s':>8} {'stall ms':>9} {'second s':>9} {'stall ms':>9} {'kept MiB':>9} {'s CPU':>9}")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "fleet.db"
        fixture.build(file, asked.vehicles)
        with databases.url_of(file, asked.database) as url:
            for name, query in QUERIES.items():
                rounds = [in_a_child(url, query, OPENED_S if name == OPENED else 0) for _ in range(asked.rounds)]
                first_s, first_ms, second_s, second_ms, kept, cpu_s = (
                    statistics.median(each) for each in zip(*rounds, strict=True)
                )
                times = f"{first_s:>8.2f} {first_ms:>9.0f} {second_s:>9.2f} {second_ms:>9.0f}"
                print(f"{name:<10} {times} {kept:>9.0f} {cpu_s:>9.2f}", flush=True)


def in_a_child(url: str, query: str, opened_s: float) -> tuple[float, ...]:
    """Measure in a process of its own, so that memory begins anew."""
    with ProcessPoolExecutor(1, get_context("spawn")) as child:
        return child.submit(ran, url, query, opened_s).result()


def ran(url: str, query: str, opened_s: float) -> tuple[float, ...]:
    """Measure in this process."""
    return uvloop.run(measured(url, query, opened_s))


async def measured(url: str, query: str, opened_s: float) -> tuple[float, ...]:
    """Ask twice: seconds and the longest stall of each, the memory that was kept, and the CPU of the first."""
    service = Service.open(Settings(database=DatabaseSettings(url)))
    await service.start(role="api")
    transport = httpx.ASGITransport(service.app(page.handlers()))
    headers = {"Authorization": f"Bearer {fixture.TOKEN}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://cars", headers=headers, timeout=600) as client:
        (await client.get("/v3/vehicles?page[size]=1")).raise_for_status()
        gc.collect()
        before = stream.rss_kb(os.getpid())
        opening = await timed(client, "/fleet", opened_s) if opened_s else (0.0, 0.0)
        cpu = time.process_time()
        first = await timed(client, f"/fleet?{query}")
        cpu_s = time.process_time() - cpu
        second = await timed(client, f"/fleet?{query}")
        gc.collect()
        kept_mib = (stream.rss_kb(os.getpid()) - before) / 1024
    await service.close()
    return first[0], max(first[1], opening[1]), *second, kept_mib, cpu_s


async def timed(client: httpx.AsyncClient, path: str, then_s: float = 0) -> tuple[float, float]:
    """How many seconds an answer took, and for how many milliseconds the event loop did nothing else until `then_s` later."""
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        while True:
            slept_at = time.perf_counter()
            await asyncio.sleep(TICK_S)
            longest = max(longest, time.perf_counter() - slept_at - TICK_S)

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0)
    begun_s = time.perf_counter()
    (await client.get(path)).raise_for_status()
    took_s = time.perf_counter() - begun_s
    await asyncio.sleep(then_s)
    watching.cancel()
    return took_s, longest * 1000


if __name__ == "__main__":
    main()
