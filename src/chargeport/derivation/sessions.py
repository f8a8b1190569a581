"""Sessions from history, joined with what sources reported, with prices, places and people's edits: the charge records."""

import asyncio
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
from cachetools import TTLCache

from chargeport.clock import Clock
from chargeport.derivation import histories, positions, reported_sessions
from chargeport.derivation.positions import LOCATION
from chargeport.derivation.prices import Prices
from chargeport.derivation.publication import counted, listed
from chargeport.derivation.queue import EVER_AT, Changed, Job
from chargeport.derivation.vehicles import CAPACITY, FactsReader
from chargeport.derive.records import records as made
from chargeport.derive.records.edits import Change, Edit, edited, in_force, withdrawn
from chargeport.derive.records.geofences import located
from chargeport.derive.records.joined import all_joined
from chargeport.derive.records.records import Record
from chargeport.derive.records.reported import RECORDS, closed
from chargeport.derive.records.reported_energy import with_plausible_energy
from chargeport.derive.sessions.detection import SIGNALS
from chargeport.derive.sessions.session import Session
from chargeport.derive.sessions.window import FIRST_READ_MS, Recomputed, Window, first_read, recompute
from chargeport.ingest.batch import Batch
from chargeport.ingest.pipeline import Pipeline
from chargeport.settings import Settings
from chargeport.signals.held import derived_of, reported_of
from chargeport.store.protocols import Store
from chargeport.store.records import KeptEdit, KeptSession, VehicleSeries
from chargeport.store.retention_policy import DAY_MS, HOUR_MS

RELEVANT: Final = frozenset({*SIGNALS, RECORDS, CAPACITY, LOCATION})
"""A change of these may change records."""

LONGEST_MS: Final = 30 * DAY_MS  # that a session is looked at for whether it goes on
MAX_SETTLED: Final = 50_000  # cars
READ_WIDELY_MS: Final = 15 * 60_000  # how long a vehicle is read back for as long as it needed once
FEWEST_OPEN: Final = 3  # records that are made anew while a session goes on: what is older stays as it is
APART_MS: Final = 2 * HOUR_MS


class Step(NamedTuple):
    """One step of a vehicle's sessions: whether more windows are left, whether a session is open, whether another one is."""

    is_more: bool
    is_open: bool = False
    has_other_open: bool = False
    """An open session began, ended or starts at another instant: the values that are derived within it may be others."""


class _Settled(msgspec.Struct, frozen=True):
    """All records that started before `from_at` came to so many kWh, when they were last made."""

    from_at: int
    kwh: float


class SessionDeriver:
    """Computes and stores the sessions of vehicles, and publishes their records and totals."""

    def __init__(self, store: Store, settings: Settings, clock: Clock, facts: FactsReader | None = None) -> None:
        """Raise SettingError where a place, a tariff or the file of car models is wrong."""
        self._store = store
        self._pipeline = Pipeline(store, clock)
        self._clock = clock
        self._facts = facts or FactsReader(store, settings, clock)
        self._prices = Prices(settings.places, settings.tariffs, settings.folder)
        self._settled: dict[str, _Settled] = {}
        self._reads_back: TTLCache[str, int] = TTLCache(MAX_SETTLED, READ_WIDELY_MS, clock.now)

    async def step(self, job: Job, changed: Changed, now: int) -> Step:
        """Recompute the next window of what changed of a vehicle; after the last one publish its records and total.

        Raises StoreError: do it again then.
        """
        found = await self._store.readings.signals(job.vehicle_id)
        if found is None:
            return Step(is_more=False)
        if job.windows is None:
            job.windows = await self._windows(found, changed, now)
        has_other_open = False
        if job.windows:
            has_other_open = await self._recompute(found, job.windows[-1], now)
            job.windows.pop()
        if job.windows:
            return Step(is_more=True, has_other_open=has_other_open)
        settled = None if changed.is_edited else self._settled.get(job.vehicle_id)
        if settled is None:
            await self.publish(found)
        else:
            await self._count(found, settled)
        open_from = now - LONGEST_MS
        is_open = any(each.is_open for each in await self._store.sessions.sessions(job.vehicle_id, open_from, EVER_AT))
        return Step(is_more=False, is_open=is_open, has_other_open=has_other_open)

    async def _windows(self, found: VehicleSeries, changed: Changed, now: int) -> list[Window]:
        """Keep the sessions that sources reported; return where ours may be others now, the newest first."""
        vehicle_id, first_at, last_at = found.vehicle.id, changed.first_at, changed.last_at
        if first_at > last_at:
            return []
        capacity = reported_of(found.series, CAPACITY)
        if capacity is not None and first_at <= (capacity.changed_at or -1) <= last_at:
            first_at, last_at = 0, max(last_at, now)  # all sessions follow from it
        is_news = await reported_sessions.take(self._store, found, first_at, last_at + 1)
        if is_news or derived_of(found.series, RECORDS) is None:  # a list may leave out what only it showed so far
            self._settled.pop(vehicle_id, None)
        if last_at - first_at > DAY_MS:
            first_at = max(first_at, min(await self._begins(found, first_at, last_at), default=last_at))
        days = [Window(at, min(at + DAY_MS - 1, last_at)) for at in range(first_at, last_at + 1, DAY_MS)]
        return [*days, *await positions.concerned(self._store, found, first_at, last_at)][::-1]

    async def _begins(self, found: VehicleSeries, first_at: int, last_at: int) -> list[int]:
        """Return when what sessions are made from begins, and the sessions of a span, whose readings may have been erased."""
        firsts = [await histories.first_at(self._store.history, found, signal) for signal in SIGNALS]
        kept = await self._store.sessions.sessions(found.vehicle.id, first_at, last_at + 1)
        return [*(each for each in firsts if each is not None), *(each.started_at for each in kept)]

    async def records(self, found: VehicleSeries, from_at: int = 0) -> list[Record]:
        """Return the records of a car that started from then on, oldest first, open ones too: priced, placed, edited."""
        vehicle_id = found.vehicle.id
        own = await self._store.sessions.sessions(vehicle_id, from_at, EVER_AT)
        edits = changes(await self._store.sessions.edits(vehicle_id))
        theirs = await reported_sessions.since(self._store, vehicle_id, from_at, withdrawn(edits))
        theirs = with_plausible_energy(theirs, await self._facts.rules(found))
        return await asyncio.to_thread(self._made, vehicle_id, own, theirs, in_force(edits))

    async def publish(self, found: VehicleSeries) -> None:
        """Show the records of a car, and its total, where there is more to show than was reported."""
        every = await self.records(found)
        closed = [each for each in every if not each.session.is_open]
        now = self._clock.now()
        entries = counted(found, every, 0.0, now) + await asyncio.to_thread(listed, found, closed, now)
        if entries:
            await self._pipeline.write(Batch.of(entries))
        self._settle(found.vehicle.id, every, await self._store.sessions.edits(found.vehicle.id))

    async def _count(self, found: VehicleSeries, settled: _Settled) -> None:
        """Show how the total grows while a session goes on, without looking at what is long over."""
        entries = counted(found, await self.records(found, settled.from_at), settled.kwh, self._clock.now())
        if entries:
            await self._pipeline.write(Batch.of(entries))
        self._settled[found.vehicle.id] = settled

    async def _recompute(self, found: VehicleSeries, span: Window, now: int) -> bool:
        """Recompute and store the sessions around a span; return whether another one is open than before.

        If one that is over has changed, the records are published again.
        """
        vehicle_id = found.vehicle.id
        raw_from = await self._raw_from(vehicle_id)
        if span.to_at < raw_from:  # what this would be computed from is gone, and what came of it stays
            return False
        result = await self._recomputed(found, span, now)
        window, made_anew = result.window, result.sessions
        if window.from_at < raw_from:
            window = Window(raw_from, max(raw_from, window.to_at))
            made_anew = await self._behind(vehicle_id, raw_from, made_anew)
        fixes = await positions.fixes(self._store.history, found, window) if made_anew else []
        kept = [_kept(vehicle_id, located(each, (), fixes)) for each in made_anew]
        before = await self._store.sessions.sessions(vehicle_id, *window)
        if [each for each in kept if not each.is_open] != [each for each in before if not each.is_open]:
            self._settled.pop(vehicle_id, None)
        if kept != before:
            await self._store.sessions.replace_sessions(vehicle_id, *window, kept)
        return [each.started_at for each in kept if each.is_open] != [each.started_at for each in before if each.is_open]

    async def _recomputed(self, found: VehicleSeries, span: Window, now: int) -> Recomputed:
        """Recompute the sessions around a span; read as much history as that takes."""
        rules = await self._facts.rules(found)
        capacity = await histories.track(self._store.history, found, CAPACITY, 0, EVER_AT, every=False)
        wanted = first_read(*span, now, self._reads_back.get(found.vehicle.id, FIRST_READ_MS))
        while True:
            tracks = await histories.tracks(self._store.history, found, SIGNALS, *wanted)
            tracks = {**tracks, CAPACITY: capacity}
            result = await asyncio.to_thread(recompute, tracks, wanted, (span.from_at, span.to_at), now, rules)
            if isinstance(result, Recomputed):
                return result
            wanted = result
            self._reads_back[found.vehicle.id] = span.from_at - wanted.from_at

    async def _raw_from(self, vehicle_id: str) -> int:
        """Return since when all is there that sessions are computed from: older history may have grown coarse."""
        groups = {signal.group: signal for signal in SIGNALS}
        horizons = [await self._store.history.horizon(vehicle_id, signal) for signal in groups.values()]
        return max((each.raw_from for each in horizons if each is not None), default=0)

    async def _behind(self, vehicle_id: str, raw_from: int, found: Sequence[Session]) -> list[Session]:
        """Return the sessions that began behind `raw_from`, but for what is the rest of one that began before."""
        older = await self._store.sessions.sessions(vehicle_id, raw_from - LONGEST_MS, raw_from)
        ended_at = max((msgspec.json.decode(each.body, type=Session).ended_at for each in older), default=0)
        return [each for each in found if each.started_at >= raw_from and each.started_at > ended_at]

    def _made(
        self, vehicle_id: str, own: Sequence[KeptSession], theirs: Sequence[Session], edits: Sequence[Edit]
    ) -> list[Record]:
        """Return the records of these sessions. Slow where they are many."""
        mine = [msgspec.json.decode(each.body, type=Session) for each in own]
        every = all_joined(mine, closed(theirs, mine, self._clock.now()))
        shown = [self._prices.priced(self._prices.placed(each)) for each in every]
        return edited(made.records(vehicle_id, shown), edits).records

    def _settle(self, vehicle_id: str, every: Sequence[Record], edits: Sequence[KeptEdit]) -> None:
        """Remember what the older records came to, up to a time at which nothing charged; with edits, of none."""
        settled = _Settled(0, 0.0)
        for index in range(len(every) - FEWEST_OPEN, 0, -1):
            ends_at, starts_at = every[index - 1].session.ended_at, every[index].session.started_at
            if not edits and starts_at - ends_at > APART_MS:
                settled = _Settled((starts_at + ends_at) // 2, made.total_kwh([each.session for each in every[:index]]))
                break
        if len(self._settled) >= MAX_SETTLED:
            self._settled.clear()
        self._settled[vehicle_id] = settled


def changes(edits: Sequence[KeptEdit]) -> dict[int, Change]:
    """Return what people changed, by number."""
    return {each.number: msgspec.json.decode(each.body, type=Change) for each in edits}


def _kept(vehicle_id: str, session: Session) -> KeptSession:
    body = msgspec.json.encode(session).decode()
    return KeptSession(session.started_at, made.record_id(vehicle_id, session), session.is_open, body)
