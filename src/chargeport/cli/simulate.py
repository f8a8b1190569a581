"""`chargeport simulate`: load from simulated cars, and a check that every acknowledged reading is stored."""

import asyncio
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Annotated, Any, Final, NamedTuple
from urllib.parse import quote

import typer

from chargeport import tasks
from chargeport.cli.options import Database, Json
from chargeport.cli.output import print_json, progress, say
from chargeport.cli.simulate_targets import Acknowledged, HttpApi, Report, Target, target_of
from chargeport.clock import SystemClock
from chargeport.errors import ChargeportError

STEP_MS: Final = 10_000
"""The simulated time between two steps of the cars: the interval at which a charging car reports."""
SPAN_FACTOR: Final = 120
"""A car reports about once a minute of its own time, on average; twice that time is certainly enough."""
DAY_S: Final = 86_400
ARRIVAL_S: Final = 30
"""The time within which the server has to store the reports that a broker has acknowledged."""
AHEAD: Final = 4  # requests in progress for each connection; further ones wait, which limits memory
SHOWN: Final = 5

Url = Annotated[str, typer.Argument(metavar="URL", help="The target: http(s)://, mqtt(s):// or nats://.")]
Token = Annotated[
    str | None,
    typer.Option("--token", envvar="CHARGEPORT_TOKEN", help="A bearer token; else one is issued in the local database."),
]
Api = Annotated[str | None, typer.Option("--api", metavar="URL", help="The server's address for the check, behind a broker.")]


def simulate(
    url: Url = "http://127.0.0.1:8080",
    *,
    vehicles: Annotated[int, typer.Option("--vehicles", min=1, max=1_000_000, help="Number of cars.")] = 100,
    rate: Annotated[float, typer.Option("--rate", min=0, help="Reports a second; 0: as fast as they are accepted.")] = 100,
    seconds: Annotated[float, typer.Option("--seconds", min=1, max=DAY_S, help="Duration.")] = 30,
    batch: Annotated[int, typer.Option("--batch", min=1, max=1000, help="Reports in one HTTP request.")] = 20,
    links: Annotated[int, typer.Option("--connections", min=1, max=512, help="HTTP requests at the same time.")] = 16,
    token: Token = None,
    api: Api = None,
    source: Annotated[str, typer.Option("--source", help="The source's name there, behind a broker.")] = "generic",
    seed: Annotated[int, typer.Option("--seed", help="Another seed simulates other cars.")] = 1,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Send reports of simulated cars to a running server, then check that each acknowledged reading is stored.

    Without --token, the cars and an application are added to the local database, which must have no other cars.
    """
    plan = Plan(url, api or url, vehicles, rate, seconds, batch, links, source, seed)
    if token is None:
        from chargeport.cli.simulate_access import with_access

        result = with_access(database, seed, vehicles, lambda made: _run(plan, made))
    else:
        result = asyncio.run(_run(plan, token))
    if as_json:
        print_json(result)
    else:
        for line in _lines(result):
            say(line)
    if result["missing"]:
        raise typer.Exit(1)


class Plan(NamedTuple):
    """The options of the load."""

    url: str
    api: str
    vehicles: int
    rate: float
    seconds: float
    batch: int
    connections: int
    source: str
    seed: int


class Ledger:
    """The acknowledged readings: for each series the values by instant."""

    def __init__(self) -> None:
        self.series: dict[tuple[str, str], dict[int, str]] = defaultdict(dict)

    def add(self, reports: list[Report]) -> None:
        """Add the readings of acknowledged reports."""
        for report in reports:
            for code, body in report.canonical():
                self.series[report.vehicle, code][report.at] = body

    @property
    def count(self) -> int:
        """The number of acknowledged readings."""
        return sum(map(len, self.series.values()))


class Load:
    """The running load: reports in progress, acknowledged reports, and latencies."""

    def __init__(self, plan: Plan, target: Target) -> None:
        self._plan = plan
        self._target = target
        self._waiting: set[asyncio.Task[Acknowledged]] = set()
        self.ledger = Ledger()
        self.latencies_ms: list[float] = []
        self.sent = 0

    async def run(self, show: Callable[[float], None]) -> float:
        """Send until the time is over; return the seconds until all reports were acknowledged. Raises ChargeportError."""
        try:
            return await self._run(show)
        finally:
            await tasks.end(*self._waiting)

    async def _run(self, show: Callable[[float], None]) -> float:
        plan, begun = self._plan, perf_counter()
        for reports in _batches(plan):
            elapsed_s = perf_counter() - begun
            if elapsed_s >= plan.seconds:
                break
            if plan.rate:
                await asyncio.sleep(max(0.0, self.sent / plan.rate - elapsed_s))
            self._waiting.add(asyncio.create_task(self._target.send(reports)))
            self.sent += len(reports)
            if len(self._waiting) >= plan.connections * AHEAD:
                await self._settle(asyncio.FIRST_COMPLETED)
            show(min(1.0, elapsed_s / plan.seconds))
        if self._waiting:
            await self._settle(asyncio.ALL_COMPLETED)
        return perf_counter() - begun

    async def _settle(self, when: str) -> None:
        done, self._waiting = await asyncio.wait(self._waiting, return_when=when)
        for acknowledged in await asyncio.gather(*done):
            self.latencies_ms.append(acknowledged.latency_ms)
            self.ledger.add(acknowledged.reports)


async def _run(plan: Plan, token: str) -> dict[str, Any]:
    if not plan.api.startswith("http"):
        raise ChargeportError(f"--api is missing: the check asks the server behind {plan.url}, as in --api http://host:8080.")
    async with HttpApi(plan.api, token, plan.connections) as api:
        async with target_of(plan.url, api) as target:
            load = Load(plan, target)
            with progress("Sending") as show:
                took_s = await load.run(show)
        lost = await missing(load.ledger, api, plan)
    ordered, count = sorted(load.latencies_ms) or [0.0], load.ledger.count
    percentiles = {f"p{share}": round(ordered[min(len(ordered) - 1, len(ordered) * share // 100)], 2) for share in (50, 95, 99)}
    return {
        "vehicles": plan.vehicles, "reports": load.sent, "readings": count, "seconds": round(took_s, 2),
        "readings_per_s": round(count / took_s, 1), "latency_ms": percentiles | {"max": round(ordered[-1], 2)},
        "checked": count, "missing": len(lost), "examples": lost[:SHOWN],
    }  # fmt: skip


def _batches(plan: Plan) -> Iterator[list[Report]]:
    """Yield reports of the fleet in order of receipt, from far enough in the past that the load does not reach the present."""
    from chargeport.sources.simulator import demo_fleet

    now = SystemClock().now()
    reports = plan.rate * plan.seconds or plan.seconds * 10_000
    span_s = min(30 * DAY_S, reports * SPAN_FACTOR / plan.vehicles + 3600)
    at = now - round(span_s * 1000)
    fleet = demo_fleet(at, plan.seed, plan.vehicles)
    size = plan.batch if plan.url.startswith("http") else 1
    ready: list[Report] = []
    while at < now:
        for reporter in fleet:
            ready += [Report.of(message) for message in reporter.due(at)]
            while len(ready) >= size:
                yield ready[:size]
                ready = ready[size:]
        at += STEP_MS
    if ready:
        yield ready


async def missing(ledger: Ledger, api: HttpApi, plan: Plan) -> list[str]:
    """Return the acknowledged readings that are not stored, a line each; wait for the server behind a broker."""
    ends = perf_counter() + (0 if plan.url == plan.api else ARRIVAL_S)
    pending, checked = dict(ledger.series), len(ledger.series) or 1
    with progress("Checking") as show:
        while True:
            failed: dict[tuple[str, str], dict[int, str]] = {}
            lines: list[str] = []
            keys = list(pending)
            for start in range(0, len(keys), 64):
                part = keys[start : start + 64]
                for key, found in zip(
                    part, await asyncio.gather(*(_stored(api, *key, plan.source) for key in part)), strict=True
                ):
                    wrong = [at for at, body in pending[key].items() if _at(found, at) != body]
                    if wrong:
                        failed[key] = pending[key]
                        lines += [f"{key[1]} of {key[0]} at {at}: {pending[key][at]}" for at in wrong]
                show(1 - (len(pending) - start) / checked)
            if not failed or perf_counter() >= ends:
                return lines
            pending = failed
            await asyncio.sleep(1)


async def _stored(api: HttpApi, vehicle: str, code: str, source: str) -> list[tuple[int, str]]:
    """Return the changes of a series, oldest first."""
    from chargeport.signals.bodies import parse
    from chargeport.signals.catalogue import BY_CODE
    from chargeport.signals.wire import body

    signal, found = BY_CODE[code], []
    path: str | None = f"/v3/vehicles/{vehicle}/signals/{code}/values?source={quote(source)}&page[size]=1000&from=0"
    while path is not None:
        page = await api.get(path)
        for change in page.get("data", ()):
            text = body(signal, parse(signal, change["body"])) if "body" in change else ""
            found.append((api.milliseconds(change["meta"]["oemUpdatedAt"]), text))
        path = page.get("links", {}).get("next")
    return sorted(found)


def _at(changes: list[tuple[int, str]], at: int) -> str | None:
    index = bisect_right(changes, at, key=lambda change: change[0])
    return changes[index - 1][1] if index else None


def _lines(result: dict[str, Any]) -> Iterator[str]:
    latency, checked = result["latency_ms"], result["checked"]
    sent = f"{result['reports']} reports of {result['vehicles']} cars in {result['seconds']} s"
    yield f"{sent}: {result['readings_per_s']} readings/s."
    yield "Acknowledged after " + ", ".join(f"{ms} ms ({name})" for name, ms in latency.items()) + "."
    if result["missing"]:
        yield f"{result['missing']} of {checked} acknowledged readings are not stored, such as:"
        yield from result["examples"]
    else:
        yield f"All {checked} acknowledged readings are stored."
