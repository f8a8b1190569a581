"""Learns for how long live values stand, from how often each source says them while cars charge.

    store ── what was stored ──▶ Cadences ── what it learnt ──▶ store.readings.set_freshness, and on disk for other processes

Three times the longest usual gap of the slowest usual car: two reports may be lost. A few cars of each source are listened to.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from math import ceil
from typing import Final

import msgspec

from chargeport.clock import Clock
from chargeport.errors import SettingError, StoreError
from chargeport.settings import StalenessSettings
from chargeport.signals.catalogue import BY_CODE, BY_KEY
from chargeport.signals.definition import Cadence
from chargeport.signals.effective import DERIVED
from chargeport.signals.freshness import Freshness
from chargeport.signals.reading import Entry, Reading
from chargeport.staleness.gaps import LAG_MS, LIVE_KEYS, PART, CarGaps, longest_usual, says_charging
from chargeport.store.protocols import Store

KEEP_EVERY_S: Final = 15.0  # a few dozen cars of each source are counted up anew: little work
TIMES: Final = 3
MIN_GAPS: Final = 20  # of a source and signal, before anything is said of it
MIN_CAR_GAPS: Final = 5  # of a car, before it counts
MAX_CARS: Final = 32  # of a source
MAX_SOURCES: Final = 256
WORTH: Final = 0.1  # a smaller change is none

_OWNER, _TABLE = "cadence", "table"

_log = logging.getLogger("chargeport.staleness")


class Cadences:
    """Listens, and every few seconds makes what it learnt hold. Raises SettingError where a setting is wrong."""

    def __init__(self, store: Store, settings: StalenessSettings, clock: Clock) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._configured = configured(settings)
        self._sources: dict[str, dict[str, CarGaps]] = {}
        self._pause_ms = settings.max_s * 1000  # no value stands for longer, so what is longer says no more

    def note(self, entries: Sequence[Entry]) -> None:
        """Note what was stored. Costs a fraction of a microsecond for a car that is not listened to."""
        sources, pause_ms = self._sources, self._pause_ms
        for entry in entries:
            if entry.signal.key not in LIVE_KEYS or type(entry) is not Reading or entry.source == DERIVED:
                continue
            if entry.received_at - entry.observed_at > LAG_MS:
                continue
            cars = sources.get(entry.source)
            car = None if cars is None else cars.get(entry.vehicle)
            if car is None:
                if (cars is not None and len(cars) >= MAX_CARS) or not says_charging(entry):
                    continue
                car = self._listen(entry)
            car.take(entry, pause_ms)

    async def begin(self) -> None:
        """Make hold what was learnt before, and listen. Raises StoreError."""
        await self.keep()
        if self._settings.learn:
            self._store.readings.on_written(self.note)

    async def run(self, wait: Callable[[float], Awaitable[object]] = asyncio.sleep) -> None:
        """Learn for good. `wait` returns after so many seconds of real time."""
        while True:
            await wait(KEEP_EVERY_S)
            try:
                await self.keep()
            except StoreError as error:
                _log.warning("what was learnt of cadences waits: %s", error)

    async def keep(self) -> None:
        """Make hold what is known now: here, and by what other processes put down. Raises StoreError."""
        kept = await recalled(self._store)
        known = {} if kept is None or not self._settings.learn else kept.learnt
        freshness = msgspec.structs.replace(self._configured, learnt=_merged(known, self._learnt()))
        if freshness != kept:
            await self._store.notes.remember(_OWNER, _TABLE, msgspec.json.encode(freshness).decode())
        _set(self._store, freshness)
        self._make_room()

    def _listen(self, entry: Reading) -> CarGaps:
        """Begin to listen to a car; nothing stays of it where there are too many sources."""
        car = CarGaps()
        if entry.source in self._sources or len(self._sources) < MAX_SOURCES:
            self._sources.setdefault(entry.source, {})[entry.vehicle] = car
        return car

    def _make_room(self) -> None:
        """Replace cars that fell silent by others, where a source has more cars than are listened to."""
        before = self._clock.now() - self._pause_ms
        for source, cars in self._sources.items():
            if len(cars) >= MAX_CARS:
                self._sources[source] = {name: car for name, car in cars.items() if car.received_at >= before}

    def _learnt(self) -> dict[str, dict[str, int]]:
        found = {source: dict(self._of(cars.values())) for source, cars in self._sources.items()}
        return {source: codes for source, codes in found.items() if codes}

    def _of(self, cars: Iterable[CarGaps]) -> Iterator[tuple[str, int]]:
        """Yield for how long the values of a source stand, by code, where enough was received."""
        by_signal: dict[int, list[Sequence[int]]] = {}
        for car in cars:
            for key, gaps in car.gaps():
                by_signal.setdefault(key, []).append(gaps)
        for key, found in by_signal.items():
            code = BY_KEY[key].code
            if sum(map(len, found)) < MIN_GAPS or code in self._configured.by_signal:
                continue
            usual = sorted(longest_usual(gaps) for gaps in found if len(gaps) >= MIN_CAR_GAPS)
            if usual:
                slow = usual[ceil(PART * len(usual)) - 1]
                yield code, min(max(TIMES * slow, self._settings.min_s * 1000), self._settings.max_s * 1000)


def configured(settings: StalenessSettings) -> Freshness:
    """Return what the settings say before anything was learnt. Raises SettingError."""
    if settings.min_s > settings.max_s:
        raise SettingError(f"staleness: min_s ({settings.min_s}) is more than max_s ({settings.max_s}).")
    for code in settings.signals:
        if code not in BY_CODE or BY_CODE[code].cadence is not Cadence.LIVE:
            live = ", ".join(sorted(BY_KEY[key].code for key in LIVE_KEYS))
            raise SettingError(f"staleness.signals: {code[:80]!r} does not go stale: use {live}.")
    return Freshness(settings.default_s * 1000, {code: each * 1000 for code, each in settings.signals.items()})


async def recalled(store: Store) -> Freshness | None:
    """Return what was put down last; None where nothing was, or nothing that can be read."""
    kept = await store.notes.recall(_OWNER, _TABLE)
    try:
        return None if kept is None else msgspec.json.decode(kept, type=Freshness)
    except (msgspec.DecodeError, ValueError):
        _log.warning("what was learnt of cadences can't be read and is learnt anew")
        return None


async def follow(store: Store) -> None:
    """Have a store's states stand for as long as the server has put down: for processes that do not listen themselves."""
    kept = await recalled(store)
    if kept is not None:
        _set(store, kept)


def _set(store: Store, freshness: Freshness) -> None:
    if freshness != store.readings.freshness:
        store.readings.set_freshness(freshness)


def _merged(known: dict[str, dict[str, int]], news: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    """Return what was known, with the news that differ enough."""
    merged = {source: dict(codes) for source, codes in known.items()}
    for source, codes in news.items():
        if source not in merged and len(merged) >= MAX_SOURCES:
            continue
        before = merged.setdefault(source, {})
        for code, live_for_ms in codes.items():
            if abs(live_for_ms - before.get(code, 0)) > WORTH * before.get(code, 0):
                before[code] = live_for_ms
    return merged
