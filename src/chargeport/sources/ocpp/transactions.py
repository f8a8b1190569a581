"""What is remembered of a station over a restart: its transactions, the cars that are plugged in, its clock and its settings.

One small text for each station, so that what belongs together changes together.
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
"""A station that starts so often within LOOP_MS does so by itself."""

_NEWS_MS: Final = 1_000  # a change of a station's clock that is worth a write
_KEY: Final = "ocpp"
_BOOTS_KEPT: Final = 16
_OPEN_KEPT: Final = 32  # more than any station has connectors; what is older was never ended
_PLUGS_KEPT: Final = 64
_ENDED_KEPT: Final = 16  # an end that was not acknowledged is said again
_LAZILY_MS: Final = 60_000  # meter readings are written no more often: with the next one a crash loses nothing

_log = logging.getLogger("chargeport.sources.ocpp")


class Transaction(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A transaction as far as it is known; `car` is whose it is, if anybody knows, and stays so to the end.

    `started` is the station's own timestamp, `started_at` the instant by our clock. `heard_at` is when the start was received,
    where nothing was known yet of the station's clock. `ended_at` is when it ended, where its end was told.
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
    """Who is plugged in: the car, if anybody knows, and in 2.x which of the EVSE's connectors it uses."""

    car: str | None = None
    connector: int | None = None


class Written(msgspec.Struct, frozen=True, omit_defaults=True):
    """A setting that was written to the station: what was wanted, what the station took of it ("" if nothing), and when."""

    wanted: str
    taken: str
    at: int


class StationState(msgspec.Struct, omit_defaults=True):
    """All that is remembered of one station."""

    transactions: list[Transaction] = []
    plugs: dict[str, Plug] = {}
    clock_offset_ms: int | None = None
    written: dict[str, Written] = {}
    boots: list[int] = []
    schedules: dict[str, Schedule] = {}


def over(transaction: Transaction, at: int) -> Transaction:
    """Return the transaction with its end; an end that is repeated with a later time is the first one still."""
    return msgspec.structs.replace(transaction, ended_at=min(at, transaction.ended_at or at))


def record(station: str, transaction: Transaction) -> str | None:
    """Return a transaction that is over as a JSON record; None where its begin or end is unknown. Energy in Wh."""
    started_at, ended_at = transaction.started_at, transaction.ended_at
    if started_at is None or ended_at is None:
        return None
    said = {
        "id": f"ocpp-{station}-{transaction.id}-{started_at // 1000}",
        "startTime": iso(started_at),
        "endTime": iso(max(ended_at, started_at + 1)),  # a station whose clock was not set: both are times of receipt
        "energyWh": transaction.meter.total_wh,
        "registerWh": transaction.meter.register_wh,
    }
    return msgspec.json.encode({name: value for name, value in said.items() if value is not None}).decode()


class Numbering:
    """Transaction ids for stations that want them from us: no two alike, over all stations and restarts."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._turn = asyncio.Lock()

    async def next_id(self) -> str:
        """Return an id that was never given before."""
        async with self._turn:
            last = await self._memory.get(_KEY)
            number = str(int(last or 0) + 1)
            await self._memory.put(_KEY, number)
            return number


class StationMemory:
    """The state of one station. Everything is on disk when a method returns, except for what is noted lazily."""

    def __init__(self, memory: Memory, station: str, clock: Clock) -> None:
        self._memory = memory
        self._key = f"{_KEY}/{station}"
        self._clock = clock
        self._state = StationState()
        self._written = ""
        self._written_at = 0

    async def load(self) -> None:
        """Read what was kept."""
        kept = await self._memory.get(self._key)
        if kept is None:
            return
        try:
            self._state, self._written = msgspec.json.decode(kept, type=StationState), kept
        except msgspec.MsgspecError as error:
            _log.warning("what was kept in %s can't be read and is left: %s", self._key, error)

    def find(self, transaction_id: str) -> Transaction | None:
        """Return a transaction, open or ended not long ago."""
        return next((one for one in self._state.transactions if one.id == transaction_id), None)

    def same_start(self, start: Transaction, *, may_have_ended: bool) -> Transaction | None:
        """Return the transaction that began just so: a start that was not acknowledged is sent again."""
        begun = (start.connector, start.started, start.id_tag, start.meter.start_wh)
        same = (
            one for one in self._state.transactions if (one.connector, one.started, one.id_tag, one.meter.start_wh) == begun
        )
        return next((one for one in same if may_have_ended or not one.has_ended), None)

    def open_at(self, connector: int | None) -> Transaction | None:
        """Return the transaction that goes on at a connector: of several the one that began last."""
        found = [one for one in self.open if one.connector == connector]
        return max(found, key=lambda one: one.started_at or 0, default=None)

    @property
    def open(self) -> list[Transaction]:
        """The transactions that go on."""
        return [one for one in self._state.transactions if not one.has_ended]

    @property
    def replaced(self) -> list[Transaction]:
        """The transactions that ended because another one began at their connector: their own end was not told yet."""
        return [one for one in self._state.transactions if one.has_ended and one.ended_at is None]

    def plug(self, connector: int) -> Plug:
        """Return who is plugged in at a connector."""
        return self._state.plugs.get(str(connector), Plug())

    @property
    def connectors(self) -> set[int]:
        """The connectors at which something was plugged in."""
        return {int(number) for number in self._state.plugs}

    @property
    def clock_offset_ms(self) -> int | None:
        """How far the station's clock was ahead of ours."""
        return self._state.clock_offset_ms

    @property
    def written(self) -> dict[str, Written]:
        """The settings that were written to the station, by name."""
        return self._state.written

    @property
    def schedules(self) -> dict[int, Schedule]:
        """The schedules that the station has, by connector."""
        return {int(number): one for number, one in self._state.schedules.items()}

    async def scheduled(self, connector: int, schedule: Schedule | None) -> None:
        """Note which schedule a connector has from now on, or that it has none."""
        others = {number: one for number, one in self._state.schedules.items() if number != str(connector)}
        self._state.schedules = others if schedule is None else {**others, str(connector): schedule}
        await self.write()

    async def begin(self, transaction: Transaction, plug: Plug) -> None:
        """Note that a transaction begins at its connector, which ends an older one there; a late word ends no newer one."""
        is_newest = True
        for one in self.open:
            if one.connector == transaction.connector and one.id != transaction.id:
                if (one.started_at or 0) > (transaction.started_at or 0):
                    is_newest = False
                else:
                    self._put(msgspec.structs.replace(one, has_ended=True))
        self._put(transaction)
        if is_newest and transaction.connector is not None:
            self._plug(transaction.connector, plug)
        await self.write()

    async def note(self, transaction: Transaction, *, lazily: bool = False) -> None:
        """Note that more is known of a transaction; `lazily`: it need not be on disk at once."""
        self._put(transaction)
        if not lazily or self._clock.now() - self._written_at >= _LAZILY_MS:
            await self.write()

    def _put(self, transaction: Transaction) -> None:
        """Keep the newest, so that the state never grows without end."""
        known = self._state.transactions
        if any(one.id == transaction.id for one in known):
            known = [transaction if one.id == transaction.id else one for one in known]
        else:
            known = [*known, transaction]
        ended = [one.id for one in known if one.has_ended][-_ENDED_KEPT:]
        going_on = [one.id for one in known if not one.has_ended][-_OPEN_KEPT:]
        self._state.transactions = [one for one in known if one.id in ended or one.id in going_on]

    async def plugged(self, connector: int, plug: Plug) -> None:
        """Note that a car is plugged in."""
        self._plug(connector, plug)
        await self.write()

    def _plug(self, connector: int, plug: Plug) -> None:
        others = [(number, one) for number, one in self._state.plugs.items() if number != str(connector)]
        self._state.plugs = dict([*others, (str(connector), plug)][-_PLUGS_KEPT:])

    async def unplugged(self, connector: int) -> None:
        """Note that nobody is plugged in."""
        self._state.plugs = {number: plug for number, plug in self._state.plugs.items() if number != str(connector)}
        await self.write()

    async def clock_is_off(self, offset_ms: int | None) -> bool:
        """Note how far the station's clock is ahead of ours; return whether that is news: by a second or more."""
        before = self._state.clock_offset_ms
        if offset_ms == before or (None not in (offset_ms, before) and abs((offset_ms or 0) - (before or 0)) < _NEWS_MS):
            return False
        self._state.clock_offset_ms = offset_ms
        await self.write()
        return True

    async def booted(self) -> int:
        """Note that the station has started; return how often it has within LOOP_MS."""
        now = self._clock.now()
        self._state.boots = [*(at for at in self._state.boots if now - LOOP_MS < at <= now), now][-_BOOTS_KEPT:]
        await self.write()
        return len(self._state.boots)

    def is_looping(self) -> bool:
        """Tell whether the station starts anew again and again."""
        now = self._clock.now()
        return sum(now - LOOP_MS < at <= now for at in self._state.boots) >= LOOP_BOOTS

    async def wrote(self, name: str, written: Written) -> None:
        """Note that a setting was written to the station."""
        self._state.written = {**self._state.written, name: written}
        await self.write()

    async def look(self) -> None:
        """Look whether the car of a schedule was erased meanwhile."""
        if self._state.schedules:
            await self.write()

    async def write(self) -> None:
        """Put down what is not on disk yet, but for names that were erased there meanwhile."""
        self._forget(await self._memory.get(self._key) or "")
        text = msgspec.json.encode(self._state).decode()
        self._written_at = self._clock.now()
        if text != self._written:
            await self._memory.put(self._key, text)
            self._written = text

    def _forget(self, kept: str) -> None:
        """Forget the names that are in the note no more: their vehicle was erased, by another process maybe."""
        gone = set() if kept == self._written else _names_in(self._written) - _names_in(kept)
        if not gone:
            return
        replace = msgspec.structs.replace
        self._state.transactions = [
            replace(one, car=_unless(one.car, gone), id_tag=_unless(one.id_tag, gone)) for one in self._state.transactions
        ]
        self._state.plugs = {
            number: replace(one, car=_unless(one.car, gone)) for number, one in self._state.plugs.items()
        }  # fmt: skip
        self._state.schedules = {
            number: replace(one, car="") if one.car in gone else one for number, one in self._state.schedules.items()
        }  # fmt: skip


def _names_in(text: str) -> set[str]:
    """Return the names in a note: of cars and of cards."""
    try:
        state = msgspec.json.decode(text or "{}", type=StationState)
    except msgspec.MsgspecError:
        return set()
    named = [name for one in state.transactions for name in (one.car, one.id_tag)]
    named += [one.car for one in state.plugs.values()] + [one.car for one in state.schedules.values()]
    return {name for name in named if name}


def _unless(name: str | None, gone: set[str]) -> str | None:
    return None if name in gone else name
