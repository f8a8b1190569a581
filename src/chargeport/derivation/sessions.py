"""Charge records: sessions from history, joined with reported ones, with places, costs and people's edits."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
from cachetools import TTLCache

from chargeport.clock import Clock
from chargeport.derivation import histories, positions, reported_sessions
from chargeport.derivation.positions import LOCATION
from chargeport.derivation.prices import Prices
from chargeport.derivation.publication import records_entries, total_entries
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
from chargeport.derive.sessions.rules import reported_capacities
from chargeport.derive.sessions.session import Session
from chargeport.derive.sessions.window import FIRST_READ_MS, Recomputed, Window, first_read, recompute
from chargeport.derive.tracks import Track, sightings
from chargeport.settings import Settings
from chargeport.signals.ranks import derived_of, reported_of
from chargeport.signals.reading import Entry
from chargeport.store.protocols import Store
from chargeport.store.records import StoredEdit, StoredSession, VehicleSeries
from chargeport.store.retention_policy import DAY_MS, HOUR_MS
from chargeport.tasks import in_thread_if

RELEVANT: Final = frozenset({*SIGNALS, RECORDS, CAPACITY, LOCATION})
"""The signals whose changes may change records."""

LONGEST_MS: Final = 30 * DAY_MS  # of an open session
MAX_SETTLED: Final = 50_000  # cars
REMEMBER_READ_MS: Final = 15 * 60_000  # for which the history that a vehicle needed is read at once
MIN_UNSETTLED: Final = 3  # the newest records, which are computed again while a session is open
SHORT_SIGHTINGS: Final = 200  # of the tracks of a window, which are recomputed within 2 ms
SHORT_RECORDS: Final = 5  # which are joined within a millisecond
MIN_GAP_MS: Final = 2 * HOUR_MS


class Step(NamedTuple):
    """The result of a step: whether windows are left, what is to be published, and whether a session is open."""

    is_more: bool
    entries: Sequence[Entry] = ()
    is_open: bool = False
    has_other_open: bool = False
    """An open session began, ended or has another start, so that its derived values may change."""


class _Settled(msgspec.Struct, frozen=True):
    """The total of all records that started before `from_at`, in kWh."""

    from_at: int
    kwh: float


class SessionDeriver:
    """Compute and store the sessions of vehicles; return records and totals for publication."""

    def __init__(self, store: Store, settings: Settings, clock: Clock, facts: FactsReader | None = None) -> None:
        """Prepare. Raises SettingError for a wrong place, tariff or file of car models."""
        self._store = store
        self._clock = clock
        self._facts = facts or FactsReader(store, settings, clock)
        self._prices = Prices(settings.places, settings.tariffs, settings.folder)
        self._settled: dict[str, _Settled] = {}
        self._reads_back: TTLCache[str, int] = TTLCache(MAX_SETTLED, REMEMBER_READ_MS, clock.now)

    async def step(self, job: Job, changed: Changed, now: int) -> Step:
        """Recompute the next window of the changes of a vehicle; after the last one return its records and total.

        The caller writes these before the next step of the vehicle. Raises StoreError; the step can be repeated.
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
        entries = await (self._published(found) if settled is None else self._counted(found, settled))
        open_from = now - LONGEST_MS
        recent = await self._store.sessions.sessions(job.vehicle_id, open_from, EVER_AT)
        is_open = any(session.is_open for session in recent)
        return Step(is_more=False, entries=entries, is_open=is_open, has_other_open=has_other_open)

    async def _windows(self, found: VehicleSeries, changed: Changed, now: int) -> list[Window]:
        """Store the sessions that sources reported; return the windows in which computed ones may change, the newest first."""
        vehicle_id, first_at, last_at = found.vehicle.id, changed.first_at, changed.last_at
        if first_at > last_at:
            return []
        capacity = reported_of(found.series, CAPACITY)
        if capacity is not None and first_at <= (capacity.changed_at or -1) <= last_at:
            first_at, last_at = 0, max(last_at, now)  # all sessions depend on the capacity
        is_news = await reported_sessions.take(self._store, found, first_at, last_at + 1)
        if is_news or derived_of(found.series, RECORDS) is None:  # a new list may lack records that only the old one had
            self._settled.pop(vehicle_id, None)
        if last_at - first_at > DAY_MS:
            first_at = max(first_at, min(await self._starts(found, first_at, last_at), default=last_at))
        days = [Window(at, min(at + DAY_MS - 1, last_at)) for at in range(first_at, last_at + 1, DAY_MS)]
        return [*days, *await positions.affected(self._store, found, first_at, last_at)][::-1]

    async def _starts(self, found: VehicleSeries, first_at: int, last_at: int) -> list[int]:
        """Return the first instants of the signals of sessions, and the starts of stored sessions: readings may be erased."""
        firsts = [await histories.first_at(self._store.history, found, signal) for signal in SIGNALS]
        stored = await self._store.sessions.sessions(found.vehicle.id, first_at, last_at + 1)
        return [*(first for first in firsts if first is not None), *(session.started_at for session in stored)]

    async def records(self, found: VehicleSeries, from_at: int = 0) -> list[Record]:
        """Return the records of a car from `from_at` on, oldest first, with open ones, costs, places and edits."""
        vehicle_id = found.vehicle.id
        own = await self._store.sessions.sessions(vehicle_id, from_at, EVER_AT)
        edits = changes(await self._store.sessions.edits(vehicle_id))
        # Further back, for an energy may continue the count of an earlier session.
        reported = await reported_sessions.since(self._store, vehicle_id, from_at - LONGEST_MS, withdrawn(edits))
        if reported:
            capacities = reported_capacities(await self._capacity_track(found))
            checked = with_plausible_energy(reported, await self._facts.rules(found), capacities)
            reported = [session for session in checked if session.started_at >= from_at]
        is_long = len(own) + len(reported) > SHORT_RECORDS
        return await in_thread_if(is_long, self._records_of, vehicle_id, own, reported, in_force(edits))

    async def _published(self, found: VehicleSeries) -> list[Entry]:
        """Return the records of a car and its total, where they changed and no source reports the same."""
        every = await self.records(found)
        closed = [record for record in every if not record.session.is_open]
        now = self._clock.now()
        listed = await in_thread_if(len(closed) > SHORT_RECORDS, records_entries, found, closed, now)
        entries = total_entries(found, every, 0.0, now) + listed
        self._settle(found.vehicle.id, every, await self._store.sessions.edits(found.vehicle.id))
        return entries

    async def _counted(self, found: VehicleSeries, settled: _Settled) -> list[Entry]:
        """Return the total of a car with an open session, where it changed: the settled total and the records since."""
        return total_entries(found, await self.records(found, settled.from_at), settled.kwh, self._clock.now())

    async def _recompute(self, found: VehicleSeries, target: Window, now: int) -> bool:
        """Recompute and store the sessions around a window; return whether the open sessions changed.

        If a closed session has changed, the records are published again.
        """
        vehicle_id = found.vehicle.id
        raw_from = await self._raw_from(vehicle_id)
        if target.to_at < raw_from:  # its history was folded, so the stored sessions stay
            return False
        result = await self._recomputed(found, target, now)
        window, sessions = result.window, result.sessions
        if window.from_at < raw_from:
            window = Window(raw_from, max(raw_from, window.to_at))
            sessions = await self._started_since(vehicle_id, raw_from, sessions)
        fixes = await positions.fixes(self._store.history, found, window) if sessions else []
        stored = [_stored(vehicle_id, located(session, (), fixes)) for session in sessions]
        before = await self._store.sessions.sessions(vehicle_id, *window)
        if [new for new in stored if not new.is_open] != [old for old in before if not old.is_open]:
            self._settled.pop(vehicle_id, None)
        if stored != before:
            await self._store.sessions.replace_sessions(vehicle_id, *window, stored)
        return [new.started_at for new in stored if new.is_open] != [old.started_at for old in before if old.is_open]

    async def _recomputed(self, found: VehicleSeries, target: Window, now: int) -> Recomputed:
        """Recompute the sessions around a window; read as much history as that needs."""
        rules = await self._facts.rules(found)
        capacity = await self._capacity_track(found)
        to_read = first_read(*target, now, self._reads_back.get(found.vehicle.id, FIRST_READ_MS))
        while True:
            tracks = await histories.tracks(self._store.history, found, SIGNALS, *to_read)
            tracks = {**tracks, CAPACITY: capacity}
            is_long = sightings(tracks) > SHORT_SIGHTINGS
            result = await in_thread_if(is_long, recompute, tracks, to_read, (target.from_at, target.to_at), now, rules)
            if isinstance(result, Recomputed):
                return result
            to_read = result
            self._reads_back[found.vehicle.id] = target.from_at - to_read.from_at

    async def _capacity_track(self, found: VehicleSeries) -> Track:
        """Return the capacities of all time: a session is computed by that of its own time."""
        return await histories.track(self._store.history, found, CAPACITY, 0, EVER_AT, every=False)

    async def _raw_from(self, vehicle_id: str) -> int:
        """Return from when on history has every sighting that sessions are computed from; older history may be folded."""
        groups = {signal.group: signal for signal in SIGNALS}
        horizons = [await self._store.history.horizon(vehicle_id, signal) for signal in groups.values()]
        return max((horizon.raw_from for horizon in horizons if horizon is not None), default=0)

    async def _started_since(self, vehicle_id: str, raw_from: int, found: Sequence[Session]) -> list[Session]:
        """Return the sessions that started at `raw_from` or later, without the rest of one that started before."""
        older = await self._store.sessions.sessions(vehicle_id, raw_from - LONGEST_MS, raw_from)
        ended_at = max((msgspec.json.decode(stored.body, type=Session).ended_at for stored in older), default=0)
        return [session for session in found if session.started_at >= raw_from and session.started_at > ended_at]

    def _records_of(
        self, vehicle_id: str, own: Sequence[StoredSession], reported: Sequence[Session], edits: Sequence[Edit]
    ) -> list[Record]:
        """Return the records of computed and reported sessions. Slow for many."""
        computed = [msgspec.json.decode(stored.body, type=Session) for stored in own]
        joined = all_joined(computed, closed(reported, computed, self._clock.now()))
        placed = [self._prices.placed(session) for session in joined]
        return edited(made.records(vehicle_id, placed), edits, self._prices.priced).records

    def _settle(self, vehicle_id: str, every: Sequence[Record], edits: Sequence[StoredEdit]) -> None:
        """Store the total of the older records, up to a gap between sessions; with edits a total of no records."""
        settled = _Settled(0, 0.0)
        for index in range(len(every) - MIN_UNSETTLED, 0, -1):
            ends_at, starts_at = every[index - 1].session.ended_at, every[index].session.started_at
            if not edits and starts_at - ends_at > MIN_GAP_MS:
                settled = _Settled((starts_at + ends_at) // 2, made.total_kwh([record.session for record in every[:index]]))
                break
        if len(self._settled) >= MAX_SETTLED:
            self._settled.clear()
        self._settled[vehicle_id] = settled


def changes(edits: Sequence[StoredEdit]) -> dict[int, Change]:
    """Return the changes of edits, by their number."""
    return {edit.number: msgspec.json.decode(edit.body, type=Change) for edit in edits}


def _stored(vehicle_id: str, session: Session) -> StoredSession:
    body = msgspec.json.encode(session).decode()
    return StoredSession(session.started_at, made.record_id(vehicle_id, session), session.is_open, body)
