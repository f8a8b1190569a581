"""The stored state of a station: its transactions, the cars that are plugged in, its clock and its settings.

It is one JSON text for each station, so that it is written as a whole. The names of its members are stored in databases.
"""

import asyncio
import logging
from typing import Final

import msgspec

from chargeport.clock import Clock
from chargeport.sources.base import Memory
from chargeport.sources.ocpp.energy import SessionMeter
from chargeport.sources.ocpp.samples import iso
from chargeport.sources.ocpp.schedules import Schedule

LOOP_MS: Final = 15 * 60_000
LOOP_BOOTS: Final = 4
"""A station that starts this often within LOOP_MS is in a restart loop."""

_CLOCK_STEP_MS: Final = 1_000  # smaller changes of a station's clock are not written
_KEY: Final = "ocpp"
_BOOTS_KEPT: Final = 16
_OPEN_KEPT: Final = 32  # more than any station has connectors; the end of older ones was lost
_PLUGS_KEPT: Final = 64
_ENDED_KEPT: Final = 16  # an end that was not acknowledged is sent again
_LAZILY_MS: Final = 60_000  # meter readings are written at most this often: the next one contains what a crash loses

_log = logging.getLogger("chargeport.sources.ocpp")


class Transaction(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A transaction. `car` is the vehicle's name (None: unknown); once known, it stays to the end.

    `started` is the station's timestamp of the start, `started_at` the instant by our clock. `heard_at` is the time of its
    receipt, where the station's clock was unknown then. `ended_at` is the end, where it was reported.
    """

    id: str
    connector: int | None = None
    started: str | int | float | None = None
    started_at: int | None = None
    heard_at: int | None = None
    id_tag: str | None = None
    car: str | None = None
    meter: SessionMeter = SessionMeter()
    has_ended: bool = False
    ended_at: int | None = None


class Plug(msgspec.Struct, frozen=True, omit_defaults=True):
    """A car that is plugged in (None: unknown), and in OCPP 2.x the connector of the EVSE that it uses."""

    car: str | None = None
    connector: int | None = None


class Written(msgspec.Struct, frozen=True, omit_defaults=True):
    """A setting that was written to the station: the desired value, the accepted one ("" if none), and the instant."""

    wanted: str
    taken: str
    at: int


class StationState(msgspec.Struct, omit_defaults=True):
    """The stored state of one station."""

    transactions: list[Transaction] = []
    plugs: dict[str, Plug] = {}
    clock_offset_ms: int | None = None
    written: dict[str, Written] = {}
    boots: list[int] = []
    schedules: dict[str, Schedule] = {}
    confirmed_at: int = 0
    has_own_ids: bool = False


def with_end(transaction: Transaction, at: int) -> Transaction:
    """Return the transaction with its end; of a repeated end the earlier time counts."""
    return msgspec.structs.replace(transaction, ended_at=min(at, transaction.ended_at or at))


def record(station: str, transaction: Transaction) -> str | None:
    """Return an ended transaction as a JSON record, energy in Wh; None where its start or end is unknown."""
    started_at, ended_at = transaction.started_at, transaction.ended_at
    if started_at is None or ended_at is None:
        return None
    members = {
        "id": f"ocpp-{station}-{transaction.id}-{started_at // 1000}",
        "startTime": iso(started_at),
        "endTime": iso(max(ended_at, started_at + 1)),  # both are times of receipt where the clock was not set
        "energyWh": transaction.meter.total_wh,
        "registerWh": transaction.meter.register_wh,
    }
    return msgspec.json.encode({name: value for name, value in members.items() if value is not None}).decode()


class Numbering:
    """Unique transaction ids, over all stations and restarts, for OCPP 1.6."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._turn = asyncio.Lock()

    async def next_id(self) -> str:
        """Return an id that was never used before."""
        async with self._turn:
            last = await self._memory.get(_KEY)
            number = str(int(last or 0) + 1)
            await self._memory.put(_KEY, number)
            return number


class StationMemory:
    """Reads and writes the state of one station. Each method returns when its change is stored, unless it is `lazily`."""

    def __init__(self, memory: Memory, station: str, clock: Clock) -> None:
        self._memory = memory
        self._key = f"{_KEY}/{station}"
        self._clock = clock
        self._state = StationState()
        self._written = ""
        self._written_at = 0

    async def load(self) -> None:
        """Read the stored state."""
        kept = await self._memory.get(self._key)
        if kept is None:
            return
        try:
            self._state, self._written = msgspec.json.decode(kept, type=StationState), kept
        except msgspec.MsgspecError as error:
            _log.warning("the state stored in %s can't be read and is left: %s", self._key, error)

    def find(self, transaction_id: str) -> Transaction | None:
        """Return a transaction that is open or has ended recently."""
        return next((one for one in self._state.transactions if one.id == transaction_id), None)

    def named(self, transaction_id: str, connector: int, at: int) -> Transaction | None:
        """Return the transaction that a report of an instant names; None if the id is that of another one.

        Stations that number their transactions themselves use an id again after its end, and at several connectors: then no
        id counts any more. `connector` is 0 where the report names none.
        """
        known = None if self._state.has_own_ids else self.find(transaction_id)
        if known is None:
            return None
        if connector > 0 and known.connector not in (None, connector):
            self._state.has_own_ids, self._written_at = True, 0  # the next change is not written lazily
            return None
        return None if known.ended_at is not None and known.ended_at < at else known

    def same_start(self, start: Transaction, *, is_stamp_usable: bool) -> Transaction | None:
        """Return the transaction with the same start: one that was not acknowledged is sent again.

        A station that reconnects may send it with the register of then. Where timestamps are unusable, all starts may have the
        same one: then only an open transaction with the same register is the same.
        """
        begun = (start.connector, start.started, start.id_tag)
        for one in self._state.transactions:
            is_same_register = one.meter.start_wh == start.meter.start_wh
            is_same = is_same_register or not one.has_ended if is_stamp_usable else is_same_register and not one.has_ended
            if is_same and (one.connector, one.started, one.id_tag) == begun:
                return one
        return None

    def open_at(self, connector: int | None) -> Transaction | None:
        """Return the open transaction of a connector, of several the latest; None without one."""
        found = [one for one in self.open if one.connector == connector]
        return max(found, key=lambda one: one.started_at or 0, default=None)

    @property
    def open(self) -> list[Transaction]:
        """The open transactions."""
        return [one for one in self._state.transactions if not one.has_ended]

    @property
    def has_own_ids(self) -> bool:
        """Whether the station numbers its transactions itself, at each connector: then its ids name none."""
        return self._state.has_own_ids

    @property
    def ended(self) -> list[Transaction]:
        """The transactions whose end was reported, as far as they are kept."""
        return [one for one in self._state.transactions if one.has_ended and one.ended_at is not None]

    @property
    def replaced(self) -> list[Transaction]:
        """The transactions that ended because another one began at their connector; their own end was not reported yet."""
        return [one for one in self._state.transactions if one.has_ended and one.ended_at is None]

    def plug(self, connector: int) -> Plug:
        """Return the car that is plugged in at a connector."""
        return self._state.plugs.get(str(connector), Plug())

    @property
    def connectors(self) -> set[int]:
        """The connectors at which something was plugged in."""
        return {int(number) for number in self._state.plugs}

    @property
    def clock_offset_ms(self) -> int | None:
        """How far the station's clock was ahead of ours; None if unknown."""
        return self._state.clock_offset_ms

    @property
    def confirmed_at(self) -> int:
        """When the last reports of the station were confirmed; it is written with the next change, or at the end."""
        return self._state.confirmed_at

    @confirmed_at.setter
    def confirmed_at(self, at: int) -> None:
        self._state.confirmed_at = at

    @property
    def written(self) -> dict[str, Written]:
        """The settings that were written to the station, by name."""
        return self._state.written

    @property
    def schedules(self) -> dict[int, Schedule]:
        """The schedules of the station, by connector."""
        return {int(number): one for number, one in self._state.schedules.items()}

    async def set_schedule(self, connector: int, schedule: Schedule | None) -> None:
        """Store the schedule of a connector; None if it has none."""
        others = {number: one for number, one in self._state.schedules.items() if number != str(connector)}
        self._state.schedules = others if schedule is None else {**others, str(connector): schedule}
        await self.write()

    async def begin(self, transaction: Transaction, plug: Plug) -> None:
        """Store a new transaction, which ends an older one at its connector; a late report ends no newer one."""
        is_newest = True
        for one in self.open:
            if one.connector == transaction.connector and one.id != transaction.id:
                if (one.started_at or 0) > (transaction.started_at or 0):
                    is_newest = False
                else:
                    self._put(msgspec.structs.replace(one, has_ended=True))
        self._put(transaction)
        if is_newest and transaction.connector is not None:
            self._set_plug(transaction.connector, plug)
        await self.write()

    async def store(self, transaction: Transaction, *, lazily: bool = False) -> None:
        """Store a changed transaction; `lazily`: it is written later, with the next change."""
        self._put(transaction)
        if not lazily or self._clock.now() - self._written_at >= _LAZILY_MS:
            await self.write()

    def _put(self, transaction: Transaction) -> None:
        """Set a transaction, and remove the oldest: the state is bounded."""
        known = self._state.transactions
        if any(one.id == transaction.id for one in known):
            known = [transaction if one.id == transaction.id else one for one in known]
        else:
            known = [*known, transaction]
        ended_ids = [one.id for one in known if one.has_ended][-_ENDED_KEPT:]
        open_ids = [one.id for one in known if not one.has_ended][-_OPEN_KEPT:]
        self._state.transactions = [one for one in known if one.id in ended_ids or one.id in open_ids]

    async def set_plug(self, connector: int, plug: Plug) -> None:
        """Store that a car is plugged in."""
        self._set_plug(connector, plug)
        await self.write()

    def _set_plug(self, connector: int, plug: Plug) -> None:
        others = [(number, one) for number, one in self._state.plugs.items() if number != str(connector)]
        self._state.plugs = dict([*others, (str(connector), plug)][-_PLUGS_KEPT:])

    async def clear_plug(self, connector: int) -> None:
        """Store that no car is plugged in."""
        self._state.plugs = {number: plug for number, plug in self._state.plugs.items() if number != str(connector)}
        await self.write()

    async def set_clock_offset(self, offset_ms: int | None) -> bool:
        """Store how far the station's clock is ahead of ours; return whether it has changed by a second or more."""
        before = self._state.clock_offset_ms
        if offset_ms == before or (None not in (offset_ms, before) and abs((offset_ms or 0) - (before or 0)) < _CLOCK_STEP_MS):
            return False
        self._state.clock_offset_ms = offset_ms
        await self.write()
        return True

    async def booted(self) -> int:
        """Store that the station has started; return the number of its starts within LOOP_MS."""
        now = self._clock.now()
        self._state.boots = [*(at for at in self._state.boots if now - LOOP_MS < at <= now), now][-_BOOTS_KEPT:]
        await self.write()
        return len(self._state.boots)

    def is_looping(self) -> bool:
        """Return whether the station restarts again and again."""
        now = self._clock.now()
        return sum(now - LOOP_MS < at <= now for at in self._state.boots) >= LOOP_BOOTS

    async def store_setting(self, name: str, written: Written) -> None:
        """Store that a setting was written to the station."""
        self._state.written = {**self._state.written, name: written}
        await self.write()

    async def check_erased(self) -> None:
        """Remove the car of a schedule if it was erased meanwhile."""
        if self._state.schedules:
            await self.write()

    async def write(self) -> None:
        """Write the state, without names that were erased from the stored text meanwhile."""
        self._remove_erased(await self._memory.get(self._key) or "")
        text = msgspec.json.encode(self._state).decode()
        self._written_at = self._clock.now()
        if text != self._written:
            await self._memory.put(self._key, text)
            self._written = text

    def _remove_erased(self, kept: str) -> None:
        """Remove the names that the stored text no longer has: their vehicle was erased, perhaps by another process."""
        erased = set() if kept == self._written else _names_in(self._written) - _names_in(kept)
        if not erased:
            return
        replace = msgspec.structs.replace
        self._state.transactions = [
            replace(one, car=_unless(one.car, erased), id_tag=_unless(one.id_tag, erased)) for one in self._state.transactions
        ]
        self._state.plugs = {
            number: replace(one, car=_unless(one.car, erased)) for number, one in self._state.plugs.items()
        }  # fmt: skip
        self._state.schedules = {
            number: replace(one, car="") if one.car in erased else one for number, one in self._state.schedules.items()
        }  # fmt: skip


def _names_in(text: str) -> set[str]:
    """Return the names of cars and cards in a stored text."""
    try:
        state = msgspec.json.decode(text or "{}", type=StationState)
    except msgspec.MsgspecError:
        return set()
    named = [name for one in state.transactions for name in (one.car, one.id_tag)]
    named += [one.car for one in state.plugs.values()] + [one.car for one in state.schedules.values()]
    return {name for name in named if name}


def _unless(name: str | None, erased: set[str]) -> str | None:
    return None if name in erased else name
