"""Derives what sources leave out: listens to what is stored, and works out cars in which something happened.

Two kinds of work, side by side. *Values*: what the reported ones say of signals that nobody reports; they are stored as a
source of their own. *Sessions*: worked out from history around what changed. Both are functions of what is stored, so work
that is lost in a crash is done again: how far everything is worked off is kept, and what came behind that is looked at anew.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec

from chargeport.clock import Clock
from chargeport.derivation.context import ContextReader
from chargeport.derivation.deriving import ValueDeriver
from chargeport.derivation.progress import Mark, Marks, Names, Progress
from chargeport.derivation.sessions import RELEVANT, SessionDeriver
from chargeport.derivation.throttle import Rest, Throttle
from chargeport.derivation.values import MAX_TOUCHED, Values
from chargeport.derivation.vehicles import FactsReader
from chargeport.errors import StoreError
from chargeport.settings import Settings
from chargeport.signals.effective import DERIVED
from chargeport.signals.reading import Entry
from chargeport.store.protocols import Store

PORTION: Final = 2_000  # changes of the feed looked through at once
SWEPT: Final = 2_000  # cars looked through at once after a start
WAIT_S: Final = 1.0
SOON_MS: Final = 2_000  # how often a car is worked out while few others wait; with each that does, it is so much more seldom:
EACH_MS: Final = 100
BREATH_S: Final = 0.2  # between two rounds at the least, however often something is stored
OPEN_EVERY_MS: Final = 15_000  # how often the session of a car that charges is worked out, at the most
OTHERS_EVERY_MS: Final = 60_000  # the same of a car that does not; and how often an open session is looked at in silence
KEPT_EVERY_MS: Final = 5_000  # how often it is written down how far the work has come
MARGIN_MS: Final = 60_000  # received so shortly before that may have been stored after it

_OWNER, _PROGRESS = "derivation", "progress"
_KEYS: Final = frozenset(signal.key for signal in RELEVANT)

_log = logging.getLogger("chargeport.derivation")

Wait = Callable[[float], Awaitable[object]]


class Derivation:
    """Works out cars, one after the other, in a share of the server's time."""

    def __init__(self, store: Store, settings: Settings, clock: Clock, wait: Wait, *, rest: Rest = asyncio.sleep) -> None:
        """`wait` returns when something was stored, or after so many seconds; `rest` after so many. Raises SettingError."""
        self._store = store
        self._clock = clock
        facts = FactsReader(store, settings, clock)
        self._sessions = SessionDeriver(store, settings, clock, facts)
        self._wait = wait
        self._rest = rest
        self._reached = Progress()
        self._kept: Progress | None = None
        self._kept_at = 0
        self._heard: dict[str, Mark] = {}  # by what the source calls the car
        self._names = Names(store.vehicles)
        self._values = Values(store, clock, ValueDeriver(store, ContextReader(store, facts)), self._names)
        self._marks = Marks()
        self._worked_at: dict[str, int] = {}
        self._open: dict[str, int] = {}  # cars with a session that may go on, and when to look at it again

    def heard(self, entries: Sequence[Entry]) -> None:
        """Something was stored. It may only confirm what was known, which the feed does not tell."""
        touched, marks, position = self._values.touched, self._heard, self._reached.position
        if len(touched) >= MAX_TOUCHED:
            return
        for entry in entries:
            signal, name, at = entry.signal, entry.vehicle, entry.observed_at
            if entry.source == DERIVED:
                continue
            touched[name] = None
            if signal.key in _KEYS:
                known = marks.get(name)
                if known is None:
                    marks[name] = Mark(at, at, position, entry.received_at)
                elif at < known.first_at:
                    known.first_at = at
                elif at > known.last_at:
                    known.last_at = at

    async def run(self) -> None:
        """Work for good. What fails is tried again."""
        while not await self._tried(self.begin):
            await self._rest(WAIT_S)
        async with asyncio.TaskGroup() as both:
            both.create_task(self._go_on(self._values.work))
            both.create_task(self._go_on(self.work_out_sessions))

    async def _go_on(self, work: Callable[[Throttle], Awaitable[object]]) -> None:
        throttle = Throttle(self._rest)
        while True:
            await self._tried(lambda: work(throttle))
            await self._wait(WAIT_S)
            await self._rest(BREATH_S)

    async def _tried(self, work: Callable[[], Awaitable[object]]) -> bool:
        try:
            await work()
        except StoreError as error:
            _log.warning("derivation waits: %s", error)
        except Exception:  # noqa: BLE001  (a rule that fails must not end all others)
            _log.exception("a derivation failed")
        else:
            return True
        return False

    async def begin(self) -> None:
        """Go on where the work was left. A new database with old readings is worked through from its beginning."""
        kept = await self._store.notes.recall(_OWNER, _PROGRESS)
        if kept is not None:
            self._reached = msgspec.json.decode(kept, type=Progress)
        position = self._reached.position
        for vehicle_id, started_at in await self._store.sessions.cars_with_open_sessions():
            self._open[vehicle_id] = 0
            self._values.touched[vehicle_id] = None
            self._marks.add(vehicle_id, Mark(started_at, self._clock.now(), position, self._reached.heard_at))
        after: int | None = 0 if kept is not None else None
        while after is not None:
            dirty, after = await self._store.sessions.received_since(self._reached.heard_at - MARGIN_MS, after, SWEPT)
            for each in dirty:
                self._values.touched[each.vehicle_id] = None
                if each.first_at is not None and each.last_at is not None:
                    self._marks.add(each.vehicle_id, Mark(each.first_at, each.last_at, position, self._reached.heard_at))

    async def catch_up(self) -> None:
        """Work off everything that happened until now, what was looked at a moment ago too."""
        self._worked_at.clear()
        self._values.not_before.clear()
        throttle = Throttle(self._rest)
        await self.work_out_sessions(throttle)
        await self._values.work(throttle)

    async def work_out_sessions(self, throttle: Throttle) -> None:
        """Work out the sessions around what changed; a car that goes on changing waits a little between two times."""
        await self._listen()
        await self._follow()
        now = self._clock.now()
        for vehicle_id, look_at in list(self._open.items()):
            if look_at <= now:
                self._marks.add(vehicle_id, Mark(now, now, self._reached.position, now))
        for vehicle_id in self._marks:
            every_ms = OPEN_EVERY_MS if vehicle_id in self._open else OTHERS_EVERY_MS
            every_ms = min(every_ms, SOON_MS + EACH_MS * len(self._marks))
            if now - self._worked_at.get(vehicle_id, -every_ms) >= every_ms:
                throttle.begin()
                await self._session(vehicle_id, self._clock.now())
                await throttle.end()
        self._worked_at = {each: at for each, at in self._worked_at.items() if now - at < OTHERS_EVERY_MS}
        await self._keep(now)

    async def _session(self, vehicle_id: str, now: int) -> None:
        mark = self._marks.remove(vehicle_id)
        if mark is None:
            return
        try:
            is_open = await self._sessions.bring_up_to_date(vehicle_id, mark.first_at, mark.last_at, now)
        except (StoreError, asyncio.CancelledError):
            self._marks.add(vehicle_id, mark)
            raise
        except Exception:  # noqa: BLE001  (a car whose sessions fail must not hold up all others)
            _log.exception("the sessions of a car can't be worked out")
            return
        self._worked_at[vehicle_id] = now
        self._open.pop(vehicle_id, None)
        if is_open:
            self._open[vehicle_id] = now + OTHERS_EVERY_MS

    async def _listen(self) -> None:
        """Take in what was heard."""
        heard, self._heard = self._heard, {}
        for name, mark in heard.items():
            vehicle_id = await self._names.id_of(name)
            if vehicle_id is not None:
                self._marks.add(vehicle_id, mark)

    async def _follow(self) -> None:
        """Take in the feed, and people's edits, from where they were left."""
        while True:
            begun_at, before = self._clock.now(), self._reached.position
            dirty, position = await self._store.sessions.changed_since(before, PORTION, RELEVANT)
            for each in dirty:
                self._values.touched[each.vehicle_id] = None
                if each.first_at is not None and each.last_at is not None:
                    self._marks.add(each.vehicle_id, Mark(each.first_at, each.last_at, before, self._reached.heard_at))
            self._reached = msgspec.structs.replace(self._reached, position=position)
            if position - before < PORTION:
                break
        for span in await self._store.sessions.erased_since(self._reached.erasure):
            self._values.touched[span.vehicle_id] = None
            self._marks.add(span.vehicle_id, Mark(span.first_at, span.last_at, self._reached.position, self._reached.heard_at))
            self._reached = msgspec.structs.replace(self._reached, erasure=span.number)
        self._reached = msgspec.structs.replace(self._reached, heard_at=begun_at)
        for vehicle_id, number in await self._store.sessions.edited_since(self._reached.edit):
            found = await self._store.readings.signals(vehicle_id)
            if found is not None:
                await self._sessions.publish(found)
            self._reached = msgspec.structs.replace(self._reached, edit=max(self._reached.edit, number))

    async def _keep(self, now: int) -> None:
        """Write down how far the work has come."""
        progress = self._marks.worked_off(self._reached, self._heard.values())
        has_moved = self._kept is None or msgspec.structs.replace(progress, heard_at=self._kept.heard_at) != self._kept
        if has_moved and (now - self._kept_at >= KEPT_EVERY_MS or not len(self._marks)):
            await self._store.notes.remember(_OWNER, _PROGRESS, msgspec.json.encode(progress).decode())
            self._kept, self._kept_at = progress, now
