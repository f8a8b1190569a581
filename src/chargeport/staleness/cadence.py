"""Learn how long live values are fresh, from how often each source reports them while cars charge.

    store ── stored entries ──▶ Cadences ── learnt durations ──▶ store.readings.set_freshness, and notes for other processes

A value is fresh for three times the longest usual gap of the slowest usual car, so that two reports may be lost. The gaps of up
to MAX_CARS cars of each source are measured.
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
from chargeport.staleness.gaps import LIVE_KEYS, MAX_DELAY_MS, QUANTILE, CarGaps, is_charging, usual_maximum
from chargeport.store.protocols import Store

UPDATE_EVERY_S: Final = 15.0  # a few dozen cars of each source: little work
FACTOR: Final = 3
MIN_GAPS: Final = 20  # of a source and signal, to learn from
MIN_CAR_GAPS: Final = 5  # of a car, to learn from
MAX_CARS: Final = 32  # of a source
MAX_SOURCES: Final = 256
MIN_CHANGE: Final = 0.1  # relative; smaller ones are ignored

_OWNER, _TABLE = "cadence", "table"

_log = logging.getLogger("chargeport.staleness")


class Cadences:
    """Measure gaps, and regularly update the freshness of the store. Raises SettingError for an invalid setting."""

    def __init__(self, store: Store, settings: StalenessSettings, clock: Clock) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._configured = configured(settings)
        self._sources: dict[str, dict[str, CarGaps]] = {}
        self._max_ms = settings.max_s * 1000  # no value is fresh for longer, so longer gaps are cut to it

    def note_written(self, entries: Sequence[Entry]) -> None:
        """Measure the gaps of stored entries. Takes a fraction of a microsecond for a car that is not measured."""
        sources, max_ms = self._sources, self._max_ms
        for entry in entries:
            if entry.signal.key not in LIVE_KEYS or type(entry) is not Reading or entry.source == DERIVED:
                continue
            if entry.received_at - entry.observed_at > MAX_DELAY_MS:
                continue
            cars = sources.get(entry.source)
            car = None if cars is None else cars.get(entry.vehicle)
            if car is None:
                if (cars is not None and len(cars) >= MAX_CARS) or not is_charging(entry):
                    continue
                car = self._add(entry)
            car.add(entry, max_ms)

    async def begin(self) -> None:
        """Use what was learnt before the start, and begin to measure. Raises StoreError."""
        await self.update()
        if self._settings.learn:
            self._store.readings.on_written(lambda entries, _: self.note_written(entries))

    async def run(self, wait: Callable[[float], Awaitable[object]] = asyncio.sleep) -> None:
        """Learn until cancelled; log store errors. `wait` returns after this many seconds of real time."""
        while True:
            await wait(UPDATE_EVERY_S)
            try:
                await self.update()
            except StoreError as error:
                _log.warning("learnt cadences are not updated: %s", error)

    async def update(self) -> None:
        """Merge what was learnt here and by other processes; store and use it. Raises StoreError."""
        stored = await load(self._store)
        known = {} if stored is None or not self._settings.learn else stored.learnt
        freshness = msgspec.structs.replace(self._configured, learnt=_merged(known, self._learn()))
        if freshness != stored:
            await self._store.notes.remember(_OWNER, _TABLE, msgspec.json.encode(freshness).decode())
        _use(self._store, freshness)
        self._drop_silent()

    def _add(self, entry: Reading) -> CarGaps:
        """Begin to measure a car; discard the measurement if there are too many sources."""
        car = CarGaps()
        if entry.source in self._sources or len(self._sources) < MAX_SOURCES:
            self._sources.setdefault(entry.source, {})[entry.vehicle] = car
        return car

    def _drop_silent(self) -> None:
        """Drop cars that stopped reporting, to measure others of a source with more than MAX_CARS."""
        before = self._clock.now() - self._max_ms
        for source, cars in self._sources.items():
            if len(cars) >= MAX_CARS:
                self._sources[source] = {name: car for name, car in cars.items() if car.received_at >= before}

    def _learn(self) -> dict[str, dict[str, int]]:
        found = {source: dict(self._live_for(cars.values())) for source, cars in self._sources.items()}
        return {source: codes for source, codes in found.items() if codes}

    def _live_for(self, cars: Iterable[CarGaps]) -> Iterator[tuple[str, int]]:
        """Yield how long the values of a source are fresh, in milliseconds by code, for signals with enough gaps."""
        by_signal: dict[int, list[Sequence[int]]] = {}
        for car in cars:
            for key, gaps in car.gaps():
                by_signal.setdefault(key, []).append(gaps)
        for key, found in by_signal.items():
            code = BY_KEY[key].code
            if sum(map(len, found)) < MIN_GAPS or code in self._configured.by_signal:
                continue
            usual_ms = sorted(usual_maximum(gaps) for gaps in found if len(gaps) >= MIN_CAR_GAPS)
            if usual_ms:
                slow_ms = usual_ms[ceil(QUANTILE * len(usual_ms)) - 1]
                yield code, min(max(FACTOR * slow_ms, self._settings.min_s * 1000), self._settings.max_s * 1000)


def configured(settings: StalenessSettings) -> Freshness:
    """Return the freshness of the settings, without anything learnt. Raises SettingError."""
    if settings.min_s > settings.max_s:
        raise SettingError(f"staleness: min_s ({settings.min_s}) is more than max_s ({settings.max_s}).")
    for code in settings.signals:
        if code not in BY_CODE or BY_CODE[code].cadence is not Cadence.LIVE:
            live = ", ".join(sorted(BY_KEY[key].code for key in LIVE_KEYS))
            raise SettingError(f"staleness.signals: {code[:80]!r} does not go stale: use {live}.")
    return Freshness(settings.default_s * 1000, {code: seconds * 1000 for code, seconds in settings.signals.items()})


async def load(store: Store) -> Freshness | None:
    """Return the stored freshness; None if there is none that can be decoded."""
    text = await store.notes.recall(_OWNER, _TABLE)
    try:
        return None if text is None else msgspec.json.decode(text, type=Freshness)
    except (msgspec.DecodeError, ValueError):
        _log.warning("the learnt cadences can't be decoded and are learnt again")
        return None


async def follow(store: Store) -> None:
    """Use the stored freshness in a process that does not measure itself. Raises StoreError."""
    stored = await load(store)
    if stored is not None:
        _use(store, stored)


def _use(store: Store, freshness: Freshness) -> None:
    if freshness != store.readings.freshness:
        store.readings.set_freshness(freshness)


def _merged(known: dict[str, dict[str, int]], learnt: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    """Return the known durations, replaced by learnt ones that differ enough."""
    merged = {source: dict(codes) for source, codes in known.items()}
    for source, codes in learnt.items():
        if source not in merged and len(merged) >= MAX_SOURCES:
            continue
        before = merged.setdefault(source, {})
        for code, live_for_ms in codes.items():
            if abs(live_for_ms - before.get(code, 0)) > MIN_CHANGE * before.get(code, 0):
                before[code] = live_for_ms
    return merged
