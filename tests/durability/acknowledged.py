"""Cars that report without a pause, each request until it is acknowledged; and the ledger of all that was.

Half of the cars are counters: a voltage that never was before, as of now, so that whatever is lost or doubled shows. The others
charge again and again in the past, so that their records can be compared with those of a server that nothing happened to.
"""

import asyncio
import contextlib
import itertools
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import aiohttp
import msgspec
import nats
import nats.errors
from cluster import STREAM, VOLTAGE, Cluster

from chargeport.clock import SystemClock

REQUEST_S: Final = 5  # then the next process is asked
PAST_MS: Final = 50 * 86_400_000
STEP_MS: Final = 30_000
CYCLE: Final = 40  # steps from one charge to the next
CHARGING: Final = 28  # of them
REFUSALS: Final = (429, 503)
AGAIN_S: Final = 0.1

Item = dict[str, Any]


class Timed(msgspec.Struct, frozen=True):
    """A request that was acknowledged: when, and how long that took."""

    at_s: float
    took_s: float


class Ledger:
    """What was acknowledged, by car, in the order of their instants; and what happened to the requests."""

    def __init__(self) -> None:
        self.items: dict[str, list[Item]] = {}
        self.timed: list[Timed] = []
        self.refused = 0
        self.cut = 0
        self.unclear: list[str] = []
        """Answers that are neither an acknowledgement nor a clear refusal."""

    def voltages(self, car: str) -> list[float]:
        """What a counter has reported."""
        return [item["signals"][VOLTAGE]["value"] for item in self.items[car]]

    @property
    def count(self) -> int:
        """How many reports were acknowledged."""
        return sum(map(len, self.items.values()))


class Load:
    """Cars, each with a writer of its own."""

    def __init__(self, cluster: Cluster, cars: int, *, pause_s: float, seed: int) -> None:
        """A third of the cars report over HTTP what charges, a third over JetStream where there is one, the others count."""
        self.ledger = Ledger()
        self.counters = [f"counter-{number}" for number in range(cars)]
        self.chargers = [f"charger-{number}" for number in range(cars)]
        self.by_bus = [f"sent-{number}" for number in range(cars)]
        self._cluster = cluster
        self._pause_s = pause_s
        self._random = random.Random(seed)
        self._begun = SystemClock().now()
        self._over = asyncio.Event()

    async def run(self, bus_url: str | None) -> None:
        """Report until told to stop; returns when all that was begun is acknowledged."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=REQUEST_S)) as session:
            self._session = session
            writers = [self._write(car, self._counter(car), self._post) for car in self.counters]
            writers += [self._write(car, self._charge(car), self._post) for car in self.chargers]
            if bus_url is None:
                await asyncio.gather(*writers)
                return
            client = await nats.connect(
                bus_url.split(","), max_reconnect_attempts=-1, reconnect_time_wait=0.2, error_cb=_expected
            )
            self._stream = client.jetstream(timeout=1)
            await asyncio.gather(*writers, *(self._write(car, self._charge(car), self._publish) for car in self.by_bus))
            await client.close()

    @property
    def cars(self) -> list[str]:
        """The names of all."""
        return [*self.counters, *self.chargers, *self.by_bus]

    def stop(self) -> None:
        """Begin nothing more."""
        self._over.set()

    async def _write(self, car: str, items: Callable[[int], Item], send: Callable[[Item], Awaitable[bool]]) -> None:
        done = self.ledger.items.setdefault(car, [])
        for number in itertools.count():
            if self._over.is_set():
                return
            item = items(number)
            begun = time.monotonic()
            while True:
                if await send(item):
                    break
                await asyncio.sleep(AGAIN_S)
            self.ledger.timed.append(Timed(time.monotonic(), time.monotonic() - begun))
            done.append(item)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), self._pause_s * self._random.uniform(0.5, 1.5))

    async def _post(self, item: Item) -> bool:
        """Send to some process; whether it acknowledged."""
        url = self._random.choice(self._cluster.urls)
        try:
            async with self._session.post(f"{url}/ingest/generic", json=item, headers=self._cluster.headers) as answer:
                sent = await answer.text()
                if answer.status == 200:
                    return True
                self.ledger.refused += 1
                if answer.status not in REFUSALS or "Retry-After" not in answer.headers:
                    self.ledger.unclear.append(f"{answer.status}: {sent[:300]}")
        except (aiohttp.ClientError, TimeoutError, OSError):
            self.ledger.cut += 1
        return False

    async def _publish(self, item: Item) -> bool:
        """Publish into the stream; whether it acknowledged."""
        try:
            await self._stream.publish(f"{STREAM}.{item['vehicle']}", msgspec.json.encode(item))
        except (nats.errors.Error, OSError):
            self.ledger.cut += 1
            return False
        return True

    @staticmethod
    def _counter(car: str) -> Callable[[int], Item]:
        last_at = 0

        def item(number: int) -> Item:
            nonlocal last_at
            last_at = max(SystemClock().now(), last_at + 1)
            return {"vehicle": car, "at": last_at, "signals": {VOLTAGE: {"value": 1 + number / 1000}}}

        return item

    def _charge(self, car: str) -> Callable[[int], Item]:
        """What a car of its own power reports: charging for a while, then away from the plug."""
        power_kw = 3.0 + hash_of(car) % 8

        def item(number: int) -> Item:
            charge, step = divmod(number, CYCLE)
            is_charging = 0 < step <= CHARGING
            signals = {
                "charge-ischargingcableconnected": is_charging or step == CHARGING + 1,
                "charge-ischarging": is_charging,
                "charge-wattage": round(1000 * power_kw) + charge if is_charging else 0,
                "tractionbattery-stateofcharge": 30 + step // 2 if is_charging else 30,
            }
            at = self._begun - PAST_MS + number * STEP_MS
            return {"vehicle": car, "at": at, "signals": {code: {"value": value} for code, value in signals.items()}}

        return item


def hash_of(text: str) -> int:
    """A number of a text, the same in every process."""
    return sum(text.encode())


async def _expected(_: Exception) -> None:
    """Take note that the server is gone: that is what the load is for."""


async def replayed(ledger: Ledger, cars: Sequence[str], url: str, headers: dict[str, str]) -> None:
    """Send all that was acknowledged of some cars to a server, in order, each once."""
    async with aiohttp.ClientSession() as session:
        for car in cars:
            for start in range(0, len(ledger.items[car]), 500):
                part = ledger.items[car][start : start + 500]
                async with session.post(f"{url}/ingest/generic", json=part, headers=headers) as answer:
                    assert answer.status == 200, await answer.text()
