"""Readings to send to a server: the signals of a bundle, bodies that differ, and the requests that carry them."""

import asyncio
import json
import random
import time
from collections.abc import Iterable, Iterator
from typing import Any

from benchmarks import fixture, load
from chargeport.signals.catalogue import CATALOGUE
from chargeport.signals.definition import Kind, Signal

CONNECTIONS = 16
BATCH = 1_000
BUNDLE = 20
STEP_MS = 1_000
SIGNALS = [signal for signal in CATALOGUE if signal.kind is not Kind.DOCUMENT][:BUNDLE]
BUNDLED = [*SIGNALS, *(signal for signal in CATALOGUE if signal not in SIGNALS)][:BUNDLE]


def batches(kind: str, count: int, vehicles: int) -> Iterator[list[dict[str, Any]]]:
    """Items of BATCH readings each; every next one is newer and says something else."""
    ids, draw = fixture.vehicle_ids(vehicles), random.Random(3)
    start = int(time.time() * 1000) - 30 * 60_000
    for number in range(count):
        at = start + number * STEP_MS
        if kind == "bundles":
            yield [
                {"vehicle": name, "observedAt": at, "signals": {each.code: body(each, number) for each in BUNDLED}}
                for name in draw.sample(ids, BATCH // BUNDLE)
            ]
        else:
            chosen = [(draw.choice(ids), draw.choice(SIGNALS)) for _ in range(BATCH)]
            yield [
                {"vehicle": name, "signal": each.code, "body": body(each, number), "observedAt": at + place}
                for place, (name, each) in enumerate(chosen)
            ]


def body(signal: Signal, number: int) -> dict[str, Any]:
    """Return a body of this signal that differs from the one of the number before."""
    match signal.kind:
        case Kind.QUANTITY:
            return {"value": number % 90 + 0.25, "unit": signal.unit}
        case Kind.COUNT:
            return {"value": number % 3 + 1}
        case Kind.FLAG:
            return {"value": number % 2 == 0}
        case Kind.TEXT:
            return {"value": f"STATE {number % 1000}"}
    return {"activeLimit": number % 100, "unit": "percent"}


async def post(port: int, path: str, token: str, bodies: Iterable[bytes]) -> tuple[list[float], float]:
    """Post all bodies from all connections; how long each took, and all together."""
    waiting = iter(bodies)
    latencies: list[float] = []

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for body in waiting:
            start = time.perf_counter()
            answer, content = await load.exchange(reader, writer, load.request(path, token, body))
            latencies.append(time.perf_counter() - start)
            if not answer.startswith(b"HTTP/1.1 200") or json.loads(content)["rejected"]:
                raise SystemExit(f"not taken: {answer[:40]!r} {content[:300]!r}")
        writer.close()

    start = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(CONNECTIONS)))
    return latencies, time.perf_counter() - start
