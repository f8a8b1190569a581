"""All vehicles that an application may see, with the signals of an overview. Slow results are cached for a while."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final, NamedTuple, Self

from chargeport import tasks
from chargeport.api.access import Access
from chargeport.errors import StoreError
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.definition import Cadence, Permission
from chargeport.signals.effective import Effective, Ranks, effective_of
from chargeport.signals.reading import AbsenceReason
from chargeport.store.protocols import Store
from chargeport.store.records import Grant, Page, Vehicle, VehicleSeries

CODES: Final = (
    "tractionbattery-stateofcharge", "tractionbattery-range", "charge-ischarging", "charge-detailedchargingstatus",
    "charge-ischargingcableconnected", "charge-wattage", "charge-timetocomplete", "charge-chargelimits", "charge-energyadded",
)  # fmt: skip
STATES: Final = ("charging", "scheduled", "full", "plugged", "idle", "error", "silent", "unknown")
SORTS: Final = ("name", "state", "soc", "power", "finish", "heard")
QUICK_S: Final = 0.05  # results that take less are not cached
KEPT_FOR: Final = 20  # times the duration of the computation
KEPT_LISTS: Final = 8
PORTION: Final = 1000
_PART: Final = 50  # vehicles that are processed before other tasks run

_SORTED_BY: Final = ("tractionbattery-stateofcharge", "charge-wattage", "charge-timetocomplete")
"""The signals of the members of a `Summary`, in their order."""
_SIGNALS: Final = [BY_CODE[code] for code in CODES]
_BY_STATUS: Final = (("ERROR", "error"), ("FAULT", "error"), ("NO_POWER", "error"), ("SCHEDUL", "scheduled"), ("FULL", "full"))

_log = logging.getLogger("chargeport.api")


class Row(NamedTuple):
    """A vehicle with the effective states of its signals, by code, as far as the application is `allowed` to see them."""

    vehicle: Vehicle
    found: dict[str, Effective]
    allowed: frozenset[Permission]

    @property
    def state(self) -> str:
        """One of `STATES`."""
        live = [each for each in self.found.values() if each.state.signal.cadence is Cadence.LIVE]
        silent = [each for each in live if _reason(each) is AbsenceReason.UNREACHABLE]
        if silent and all(each.unavailability is not None for each in live):
            return "silent"
        if self.value("charge-ischarging") is True:
            return "charging"
        status = str(self.value("charge-detailedchargingstatus") or "")
        named = next((state for word, state in _BY_STATUS if word in status), None)
        if named is not None:
            return named
        if self.value("charge-ischargingcableconnected") is True:
            return "plugged"
        return "unknown" if all(self.value(code) is None for code in CODES[2:5]) else "idle"

    def value(self, code: str) -> Any:
        """Return the valid value; None where there is none."""
        found = self.found.get(code)
        return None if found is None or found.unavailability is not None else found.state.value

    @property
    def heard_at(self) -> int:
        """When the newest value was observed; 0 without a value."""
        return max((each.state.observed_at or 0 for each in self.found.values()), default=0)


class Summary(NamedTuple):
    """The members by which a list of all vehicles is filtered and ordered: whole rows would take too much memory."""

    vehicle: Vehicle
    state: str
    soc: float | None
    power: float | None
    finish: float | None
    heard: int | None

    @classmethod
    def of(cls, row: Row) -> Self:
        """Return the summary of a row."""
        soc, power, finish = (row.value(code) for code in _SORTED_BY)
        return cls(row.vehicle, row.state, soc, power, finish, row.heard_at or None)


class _Vehicles(NamedTuple):
    visibility: int
    vehicles: list[Vehicle]


class _List(NamedTuple):
    visibility: int
    summaries: list[Summary]
    good_until: float


_Scope = tuple[str, str | None, bool, bool]
"""An application, one of its users, whether only its connections count, and whether it has ended connections."""


class Fleet:
    """A cache of lists of vehicles, for filters and orders. A list expires after a multiple of the time of its computation.

    Lists are computed again immediately after a change of permissions or vehicles: data that was erased, or that the
    application may not see any more, must not be shown, found, counted or sorted by.
    """

    def __init__(self, store: Store, access: Access) -> None:
        self._store = store
        self._access = access
        self._vehicles: dict[_Scope | None, _Vehicles] = {}
        self._lists: dict[tuple[_Scope, frozenset[Permission]], _List] = {}
        self._making = asyncio.Lock()
        self._preparing: asyncio.Task[None] | None = None

    async def vehicles(self, grant: Grant) -> list[Vehicle]:
        """Return all vehicles that a token may see, by name."""
        return await self._listed(grant, await self._store.vehicles.visibility())

    async def _listed(self, grant: Grant, visibility: int) -> list[Vehicle]:
        """Return the vehicles as of this value of the store's `visibility`, or later."""
        scope = None if grant.sees_all else _scope(grant)
        known = self._vehicles.get(scope)
        if known is not None and known.visibility == visibility:
            return known.vehicles
        clock = asyncio.get_running_loop().time
        began, found, page = clock(), list[Vehicle](), Page(1, PORTION)
        while True:
            part, total = await self._page(grant, page)
            found += part
            if not part or len(found) >= total:
                break
            page = Page(page.number + 1, PORTION)
            await asyncio.sleep(0)
        await asyncio.to_thread(found.sort, key=_by_name)
        if clock() - began > QUICK_S:
            if len(self._vehicles) >= KEPT_LISTS:
                self._vehicles.clear()
            self._vehicles[scope] = _Vehicles(visibility, found)
        return found

    async def _page(self, grant: Grant, page: Page) -> tuple[list[Vehicle], int]:
        """Return a page of the vehicles, and how many there are in all."""
        return await self._store.vehicles.vehicles(
            page,
            connected_to=grant.client_id if grant.connected_only else None,
            user_uuid=grant.user_uuid,
            not_ended_by=grant.client_id if grant.has_ended else None,
        )

    def prepare(self, grant: Grant, now: int) -> None:
        """Begin to compute the summaries of all vehicles, unless they are cached: a list that was opened may be filtered next.

        This takes at most a few percent of the time, because a list is cached for much longer than its computation takes.
        """
        known = self._lists.get(_key(grant))
        is_good = known is not None and known.good_until > asyncio.get_running_loop().time()
        if not is_good and (self._preparing is None or self._preparing.done()):
            self._preparing = asyncio.create_task(self._prepare(grant, now), name="fleet")

    async def _prepare(self, grant: Grant, now: int) -> None:
        try:
            await self.summaries(grant, now)
        except StoreError as error:  # a later request gets the error
            _log.debug("the list of all vehicles was not prepared: %s", error)

    async def close(self) -> None:
        """Cancel the computation of `prepare`."""
        if self._preparing is not None:
            await tasks.end(self._preparing)

    async def summaries(self, grant: Grant, now: int) -> list[Summary]:
        """Return the summaries of all vehicles, by name; lists are cached for a short time."""
        key, clock = _key(grant), asyncio.get_running_loop().time
        async with self._making:
            known, began = self._lists.get(key), clock()
            visibility = await self._store.vehicles.visibility()
            if known is not None and known.good_until > began and known.visibility == visibility:
                return known.summaries
            vehicles = await self._listed(grant, visibility)
            made = [Summary.of(row) async for rows in self._portions(vehicles, grant, now) for row in rows]
            if len(self._lists) >= KEPT_LISTS:
                self._lists.clear()
            self._lists[key] = _List(visibility, made, _good_until(began, clock()))
            return made

    async def of(self, vehicles: Sequence[Vehicle], grant: Grant, now: int) -> list[Row]:
        """Return the rows of these vehicles with the effective signals, as far as the application may read them."""
        return [row async for rows in self._portions(vehicles, grant, now) for row in rows]

    async def _portions(self, vehicles: Sequence[Vehicle], grant: Grant, now: int) -> AsyncIterator[list[Row]]:
        for start in range(0, len(vehicles), _PART):
            await asyncio.sleep(0)
            few = vehicles[start : start + _PART]
            ids = [vehicle.id for vehicle in few]
            allowed = await self._access.permissions_on(grant, ids, None)
            series = await self._store.readings.signals_of(ids)
            rows = list[Row]()
            for vehicle in few:
                found, may = series.get(vehicle.id), allowed.get(vehicle.id)
                if may is not None:  # else access was withdrawn since it was listed
                    unknown = Row(vehicle, {}, may)
                    rows.append(unknown if found is None else row_of(found, may, self._store.readings.ranks, now))
            yield rows


def _scope(grant: Grant) -> _Scope:
    return grant.client_id, grant.user_uuid, grant.connected_only, grant.has_ended


def _key(grant: Grant) -> tuple[_Scope, frozenset[Permission]]:
    """Return the key of a list of summaries in the cache."""
    return _scope(grant), grant.permissions


def row_of(found: VehicleSeries, allowed: frozenset[Permission], ranks: Ranks, now: int) -> Row:
    """Return a vehicle with the effective signals of an overview that a reader with these permissions may see."""
    wanted = [each for each in _SIGNALS if each.permission in allowed]
    counts = effective_of(wanted, found.series, ranks, now)
    return Row(found.vehicle, {each.state.signal.code: each for each in counts}, allowed)


def _good_until(began: float, ended: float) -> float:
    took_s = ended - began
    return ended + KEPT_FOR * took_s if took_s > QUICK_S else began


def name_of(vehicle: Vehicle) -> str:
    """Return the display name of a vehicle: its first alias that a person gave, else make and model."""
    given = [alias for alias in vehicle.aliases if ":" not in alias]
    return given[0] if given else " ".join(filter(None, (vehicle.make, vehicle.model))) or "Unnamed car"


def _by_name(vehicle: Vehicle) -> str:
    """Return a sort key by name, then id: one text, because texts are compared fastest."""
    return f"{name_of(vehicle).casefold()}\0{vehicle.id}"


def _reason(found: Effective) -> AbsenceReason | None:
    return None if found.unavailability is None else found.unavailability.reason
