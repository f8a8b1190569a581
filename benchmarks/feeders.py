"""Who feeds a server in a benchmark without a broker between: over HTTP, as charging stations, from a recording.

All feeders say the same: bundles of twenty signals of a car in the generic dialect, each with another value than before, at an
instant of its own. A charging station says five measurands.
"""

import asyncio
import itertools
import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.readings import BUNDLED, body, post

STATIONS = 20
PER_REQUEST = 50  # bundles in one request, so that it has as many readings as a batch of benchmarks.ingest
START_S = 3_000  # before now


class Fed(NamedTuple):
    """The server that is fed; until `ends_s` (monotonic), and with so many bundles at `most`, so that it can catch up."""

    port: int
    token: str
    cars: list[str]
    folder: Path
    ends_s: float
    most: int

    @property
    def goes_on(self) -> bool:
        """Whether time is not up."""
        return time.monotonic() < self.ends_s


def bundles(fed: Fed) -> Iterator[dict[str, Any]]:
    """Bundles until time is up; each car's next one is newer and says something else of every signal."""
    start, cars = round((time.time() - START_S) * 1000), random.Random(3).sample(fed.cars, len(fed.cars))
    for number in range(fed.most):
        if not fed.goes_on:
            return
        turn, car = divmod(number, len(cars))
        yield {
            "vehicle": cars[car],
            "at": start + number,
            "signals": {each.code: body(each, turn) for each in BUNDLED},
        }


async def over_http(fed: Fed, _: str) -> None:
    """POST /ingest/generic with bundles, 50 in a request."""
    await _post(fed, PER_REQUEST)


async def over_http_singly(fed: Fed, _: str) -> None:
    """POST /ingest/generic with one bundle."""
    await _post(fed, 1)


async def _post(fed: Fed, in_one: int) -> None:
    said = bundles(fed)
    bodies = (json.dumps(some).encode() for some in iter(lambda: list(itertools.islice(said, in_one)), []))
    await post(fed.port, "/ingest/generic", fed.token, bodies)


async def over_ocpp(fed: Fed, _: str) -> None:
    """Stations that report meter values of 1.6, each the next ones when it has its answer."""
    await asyncio.gather(*(_station(fed, f"box-{number}") for number in range(STATIONS)))


async def _station(fed: Fed, name: str) -> None:
    from websockets.asyncio.client import connect
    from websockets.typing import Subprotocol

    at_s = time.time() - START_S
    async with connect(f"ws://127.0.0.1:{fed.port}/ocpp/{name}", subprotocols=[Subprotocol("ocpp1.6")]) as link:
        await _call(link, "BootNotification", {"chargePointVendor": "Acme", "chargePointModel": "Box"})
        started = {"connectorId": 1, "idTag": "CARD", "meterStart": 0, "timestamp": _iso(at_s)}
        transaction = (await _call(link, "StartTransaction", started))["transactionId"]
        for number in itertools.takewhile(lambda _: fed.goes_on, itertools.count(1)):
            meter = [{"timestamp": _iso(at_s + number), "sampledValue": _sampled(number)}]
            await _call(link, "MeterValues", {"connectorId": 1, "transactionId": transaction, "meterValue": meter})


def _sampled(number: int) -> list[dict[str, str]]:
    values = {
        "Energy.Active.Import.Register": number * 10, "Power.Active.Import": 3_000 + number % 500,
        "Voltage": 228 + number % 5, "Current.Import": 13 + number % 3, "SoC": 20 + number % 60,
    }  # fmt: skip
    return [{"measurand": measurand, "value": str(value)} for measurand, value in values.items()]


async def _call(link: Any, action: str, payload: dict[str, Any]) -> dict[str, Any]:
    """Call the central system; whatever it asks meanwhile, this station can't do."""
    await link.send(json.dumps([2, "one", action, payload]))
    while True:
        kind, name, *said = json.loads(await link.recv())
        if kind == 3:
            answer: dict[str, Any] = said[0]
            return answer
        if kind != 2:
            raise SystemExit(f"{action} was not taken: {said}")
        await link.send(json.dumps([4, name, "NotImplemented", "", {}]))


def _iso(at_s: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at_s)) + f".{int(at_s % 1 * 1000):03}Z"


async def from_recording(fed: Fed, _: str) -> None:
    """Write a recording of bundles, all at once; the source looks for the file until it is there."""
    partial = fed.folder / "recording.partial"
    with partial.open("w") as file:
        for said in bundles(fed):
            file.write(json.dumps({"at": said["at"], "payload": said}) + "\n")
    partial.rename(fed.folder / "recording.jsonl")
