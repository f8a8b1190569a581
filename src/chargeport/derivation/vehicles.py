"""Facts of vehicles that rules need in addition to reports: of the model, and learnt from past sessions."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from chargeport.clock import Clock
from chargeport.derivation import histories
from chargeport.derivation.samples import POWER, SOC, thinned
from chargeport.derive import efficiency
from chargeport.derive.live.curves import CarModel, car_model
from chargeport.derive.live.inputs import CarFacts, Sample
from chargeport.derive.live.taper import FinishedSession, Taper, learn
from chargeport.derive.sessions.rules import Rules
from chargeport.derive.sessions.session import Session
from chargeport.derive.tracks import Track, samples
from chargeport.errors import SettingError
from chargeport.ingest.dialects import stations
from chargeport.settings import Settings
from chargeport.signals.battery import NominalCapacity
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.definition import Signal
from chargeport.signals.effective import effective
from chargeport.signals.state import State
from chargeport.store.protocols import Store
from chargeport.store.records import VehicleSeries

LEARN_FROM: Final = 12  # the newest finished sessions
LEARN_EVERY_MS: Final = 6 * 3_600_000
LEARN_BACK_MS: Final = 90 * 24 * 3_600_000
MAX_CARS: Final = 50_000  # in the cache

CAPACITY, _CONNECTOR = BY_CODE["tractionbattery-nominalcapacity"], BY_CODE["charge-chargingconnectortype"]


class _Learnt(msgspec.Struct, frozen=True):
    at: int
    taper: Taper | None
    ac_efficiency: float | None
    dc_efficiency: float | None


_NOTHING_LEARNT: Final = _Learnt(0, None, None, None)


class FactsReader:
    """Read the facts of vehicles that rules need. Raises SettingError for a wrong file of car models."""

    def __init__(self, store: Store, settings: Settings, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._models = _models(settings)
        self._grid_sources = stations(settings)  # they measure on the grid side of the car's charger
        self._known_models: dict[tuple[str, str, int | None, float | None], CarModel | None] = {}
        self._learnt_of: dict[str, _Learnt] = {}

    async def facts(self, found: VehicleSeries, *, has_session: bool = True) -> CarFacts:
        """Return the facts of a car; with `has_session` also those learnt from its sessions, which need a charging car."""
        capacity_kwh, model = self._capacity(found)
        learnt = await self._learnt_facts(found) if has_session else _NOTHING_LEARNT
        connector = self._state(found, _CONNECTOR)
        return CarFacts(
            capacity_kwh=capacity_kwh,
            curve=None if model is None else model.curve,
            taper=learnt.taper,
            connector=None if connector is None or connector.value is None else str(connector.value),
            make=found.vehicle.make,
            phases=None if model is None else model.phases,
            ac_efficiency=learnt.ac_efficiency,
            dc_efficiency=learnt.dc_efficiency,
        )

    async def rules(self, found: VehicleSeries) -> Rules:
        """Return the rules by which the sessions of a vehicle are computed."""
        return Rules(capacity_kwh=self._capacity(found)[0], grid_sources=self._grid_sources)

    def _capacity(self, found: VehicleSeries) -> tuple[float | None, CarModel | None]:
        """Return the capacity in kWh, reported or else that of the model, and the model."""
        state = self._state(found, CAPACITY)
        reported_kwh = None
        if state is not None and state.value is not None:
            reported_kwh = msgspec.json.decode(str(state.value), type=NominalCapacity).capacity
        model = self._model(found, reported_kwh)
        return reported_kwh if reported_kwh is not None or model is None else model.capacity_kwh, model

    def _state(self, found: VehicleSeries, signal: Signal) -> State | None:
        counts = effective(signal, found.series, self._store.readings.ranks, self._clock.now())
        return None if counts is None else counts.state

    def _model(self, found: VehicleSeries, capacity_kwh: float | None) -> CarModel | None:
        car = found.vehicle
        if self._models is None or car.make is None or car.model is None:
            return None
        key = (car.make, car.model, car.year, capacity_kwh)
        if key not in self._known_models:
            self._known_models[key] = car_model(self._models, car.make, car.model, year=car.year, capacity_kwh=capacity_kwh)
        return self._known_models[key]

    async def _learnt_facts(self, found: VehicleSeries) -> _Learnt:
        """Return the facts learnt from the sessions of a car, at most LEARN_EVERY_MS old."""
        now, vehicle_id = self._clock.now(), found.vehicle.id
        known = self._learnt_of.get(vehicle_id)
        if known is None or now - known.at >= LEARN_EVERY_MS:
            if len(self._learnt_of) >= MAX_CARS:
                self._learnt_of.clear()
            known = self._learnt_of[vehicle_id] = await self._learn(found, now)
        return known

    async def _learn(self, found: VehicleSeries, now: int) -> _Learnt:
        kept = await self._store.sessions.sessions(found.vehicle.id, now - LEARN_BACK_MS, now + 1)
        finished = [msgspec.json.decode(stored.body, type=Session) for stored in kept if not stored.is_open][-LEARN_FROM:]
        past = [await self._session_samples(found, session) for session in finished if session.charging_type is not None]
        taper = await asyncio.to_thread(learn, past)
        return _Learnt(now, taper, _efficiency(finished, "AC"), _efficiency(finished, "DC"))

    async def _session_samples(self, found: VehicleSeries, session: Session) -> FinishedSession:
        span = (session.started_at, session.ended_at + 1)
        tracks = await histories.tracks(self._store.history, found, (POWER, SOC), *span)
        return FinishedSession(
            kind=session.charging_type or "AC",
            started_at=session.started_at,
            power=await asyncio.to_thread(_measured, tracks.get(POWER), *span),
            soc=await asyncio.to_thread(_measured, tracks.get(SOC), *span),
        )


def _measured(track: Track | None, from_at: int, to_at: int) -> Sequence[Sample]:
    """Return the thinned samples of a track within a time."""
    if track is None:
        return []
    within = [sample for sample in samples({track.signal: track}, track.signal) if from_at <= sample.at < to_at]
    numbers = [Sample(sample.at, sample.value) for sample in within if isinstance(sample.value, int | float)]
    return thinned(track.signal, numbers)


def _efficiency(finished: Sequence[Session], kind: str) -> float | None:
    return efficiency.learned(
        (session.energy_added_kwh, session.energy_drawn_kwh)
        for session in finished
        if session.charging_type == kind
        and session.energy_method in ("counter", "lifetime")
        and session.energy_added_kwh is not None
        and session.energy_drawn_kwh is not None
    )


def _models(settings: Settings) -> Any:
    """Return the decoded file of car models, if the settings name one."""
    if settings.derive.models is None:
        return None
    file = Path(settings.folder) / settings.derive.models
    try:
        return msgspec.json.decode(file.read_bytes())
    except OSError as error:
        raise SettingError(f"derive.models: {file} can't be read: {error.strerror}.") from error
    except msgspec.DecodeError as error:
        raise SettingError(f"derive.models: {file} is not JSON: {error}.") from error
