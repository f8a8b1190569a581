"""The tail of the feed: one reader for all live streams of this process.

    store ── changes after a position ──▶ Tail ── wakes the streams that selected them ──▶ streams

It waits for the doorbell, and also reads every second, because another process may not ring. The newest changes stay in memory,
within limits, so that a thousand streams read the store once. A stream that is further behind reads the store itself, in small
portions. In addition to the feed there are *notices* of expired live values: nothing is stored at an expiry, so notices have no
position of their own, and are sent to the streams that are open at that moment.
"""

import asyncio
import logging
from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Iterable
from itertools import islice
from operator import attrgetter
from typing import Final

import msgspec

from chargeport import tasks
from chargeport.api.access import Access, Permits
from chargeport.api.events import IdentifiedEvents
from chargeport.api.follower import Follower
from chargeport.bus.shared import Doorbell
from chargeport.clock import Clock
from chargeport.errors import UNAVAILABLE, Problem, StoreError
from chargeport.settings import LimitSettings
from chargeport.staleness.expiry import Expiry, ExpiryWatch
from chargeport.store.effective_feed import EffectiveFeed
from chargeport.store.protocols import Store
from chargeport.store.records import Change, Page

POLL_S: Final = 1.0  # the longest delay of changes that another process wrote
PORTION: Final = 200  # changes read at a time: about a millisecond, in which no other task runs
MAX_CHANGES: Final = 10_000  # in memory: some seconds of a busy server, or the time of a restart
MAX_TEXT: Final = 32 * 1024 * 1024  # characters of the texts and documents among them
SHARE: Final = 2  # the divisor of the server's connections that one application may use for its streams
MAX_NOTICES: Final = 10_000  # in memory; clients that are further behind can use `staleAt`
LOOK_MS: Final = 1_000  # between two checks of tokens
HEARTBEAT_MS: Final = 15_000  # well below the 30 s to 60 s after which proxies close a silent connection

_STOPPING: Final = Problem(UNAVAILABLE, "The server is stopping: connect again with the id of the last event.")
_POSITION: Final = attrgetter("position")

_log = logging.getLogger("chargeport.api")


class Notice(msgspec.Struct, frozen=True):
    """An expiry with its number, in the order of detection. It comes after the change at `position` of the feed."""

    number: int
    position: int
    ending: Expiry


class Tail:
    """The newest changes, and the streams that wait for more. It reads the feed only while there are streams."""

    def __init__(
        self,
        store: Store,
        access: Access,
        clock: Clock,
        doorbell: Doorbell,
        *,
        most_of_one: int = LimitSettings().streams_by_application,
    ) -> None:
        self.permits = Permits(access, store)
        self.position = 0
        """The position up to which the feed was read."""
        self.noticed = 0
        """The number of the newest notice."""
        self.events = IdentifiedEvents()
        """The events that several streams send."""
        self.vehicle_lists = 1
        """The number of the present list of vehicles; it increases with each change while a stream follows the list."""
        self._vehicles: int | None = None
        self._store = store
        self._feed = EffectiveFeed(store)
        self._access = access
        self._clock = clock
        self._doorbell = doorbell
        self._changes: list[Change] = []  # all events of the feed between `_floor` and `position`
        self._floor = 0
        self._text = 0
        self._followers: dict[str | None, set[Follower]] = {}  # by vehicle; those of all vehicles under None
        self._everyone: set[Follower] = set()
        self._by_application: Counter[str] = Counter()
        self._endings = ExpiryWatch(store, clock, lambda car: None in self._followers or car in self._followers)
        self._notices: deque[Notice] = deque(maxlen=MAX_NOTICES)
        self._behind = asyncio.Lock()  # one portion per turn of the loop, for all streams that are behind
        self._task: asyncio.Task[None] | None = None
        self._stopped = False
        self._looked_at = 0
        self.most_of_one = most_of_one
        """The number of streams that one application may have open."""

    def join(self, follower: Follower) -> None:
        """Add a stream, which is woken from now on."""
        self._everyone.add(follower)
        self._by_application[follower.grant.client_id] += 1
        follower.noticed, follower.joined_at = self.noticed, self._clock.now()
        if follower.vehicles is not None or None not in self._followers:
            self._endings.watch(follower.vehicles)
        for vehicle_id in follower.vehicles or (None,):
            self._followers.setdefault(vehicle_id, set()).add(follower)
        if self._stopped:
            follower.end(_STOPPING)
        elif self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="tail of the feed")

    def leave(self, follower: Follower) -> None:
        """Remove a stream."""
        self._everyone.discard(follower)
        client_id = follower.grant.client_id
        self._by_application[client_id] -= 1
        if not self._by_application[client_id]:
            del self._by_application[client_id]
        for vehicle_id in follower.vehicles or (None,):
            waiting = self._followers.get(vehicle_id, set())
            waiting.discard(follower)
            if not waiting:
                self._followers.pop(vehicle_id, None)

    def share(self, connections: int) -> None:
        """Limit the streams of an application to half of the server's connections, whatever the setting is."""
        self.most_of_one = min(self.most_of_one, max(1, connections // SHARE))

    def streams_of(self, client_id: str) -> int:
        """Return the number of open streams of an application."""
        return self._by_application[client_id]

    async def after(self, position: int) -> tuple[list[Change], int]:
        """Return some changes after a position, in order, and the position up to which they are complete. Raises StoreError."""
        if position >= self._floor:
            start = bisect_right(self._changes, position, key=_POSITION)
            found, known = self._changes[start : start + PORTION], self.position
        else:
            async with self._behind:
                known = self.position
                found = await self._store.readings.changes(position, PORTION)
                await asyncio.sleep(0)
                events = await self._feed.events(found)
            upto = found[-1].position if found else position
            return events, upto if len(found) == PORTION else max(known, upto)
        if len(found) == PORTION:
            return found, found[-1].position
        return found, max(known, position, *(change.position for change in found[-1:]))

    def notices(self, after: int) -> list[Notice]:
        """Return the notices after this number, in order."""
        if after >= self.noticed:
            return []
        return list(islice(self._notices, max(0, after + 1 - self._notices[0].number), None))

    def has_more(self, follower: Follower) -> bool:
        """Return whether there is anything that this stream has not processed."""
        lists = follower.vehicle_lists
        return follower.position < self.position or follower.noticed < self.noticed or lists not in (None, self.vehicle_lists)

    def stop(self) -> None:
        """End all streams with a last event: the server is stopping."""
        self._stopped = True
        for follower in self._everyone:
            follower.end(_STOPPING)

    async def close(self) -> None:
        """Stop reading."""
        self.stop()
        if self._task is not None:
            await tasks.end(self._task)

    async def _run(self) -> None:
        """Read the feed and wake streams while there are any. Errors of the store are logged, and the read is repeated."""
        started = False
        while self._everyone:
            is_behind = False
            try:
                if not started:
                    await self._start()
                    started = True
                await self._look_after()
                await self._notice()
                await self._read()  # last: a later write ends the wait
                is_behind = self._endings.is_behind
            except StoreError as error:
                _log.warning("streams wait: %s", error)
            except Exception:  # noqa: BLE001  (any error: without the tail no stream would be served)
                _log.exception("the feed can't be followed; it is tried again")
            await (asyncio.sleep(0) if is_behind else self._doorbell.wait(POLL_S))
            self.permits.forget()
        self._endings.stop()

    async def _start(self) -> None:
        """Skip the changes that exceed the limit of memory; a stream that needs them reads the store."""
        oldest = await self._store.readings.position() - MAX_CHANGES
        if oldest > self.position:
            self._changes, self._text = [], 0
            before, self.position, self._floor = self.position, oldest, oldest
            self._wake(self._everyone, before, self.noticed)

    async def _read(self) -> None:
        """Read the new changes."""
        while True:
            changes = await self._store.readings.changes(self.position, PORTION)
            if changes:
                self._take(changes, await self._feed.events(changes))
            if len(changes) < PORTION:
                return
            await asyncio.sleep(0)

    def _take(self, changes: list[Change], events: list[Change]) -> None:
        """Add those of the changes that are events, and wake the streams that may need them."""
        before, self.position = self.position, changes[-1].position
        self._changes += events
        self._text += sum(map(_text, events))
        self._trim()
        self._endings.take(changes)
        for vehicle_id in {None, *(change.vehicle_id for change in events)}:
            self._wake(self._followers.get(vehicle_id, ()), before, self.noticed)

    async def _notice(self) -> None:
        """Add notices of expired values, and wake the streams of their cars."""
        try:
            endings = await self._endings.look()
        except StoreError:
            raise
        except Exception:  # noqa: BLE001  (any error: the feed continues)
            _log.exception("ends of live values can't be sent; the next attempt follows")
            return
        before = self.noticed
        for ending in endings:
            self.noticed += 1
            self._notices.append(Notice(self.noticed, self.position, ending))
        for vehicle_id in {None, *(ending.vehicle_id for ending in endings)} if endings else ():
            self._wake(self._followers.get(vehicle_id, ()), self.position, before)

    def _trim(self) -> None:
        """Remove the oldest changes, down to the limits."""
        surplus = max(0, len(self._changes) - MAX_CHANGES)
        self._text -= sum(map(_text, self._changes[:surplus]))
        while self._text > MAX_TEXT:
            self._text -= _text(self._changes[surplus])
            surplus += 1
        if surplus:
            self._floor = self._changes[surplus - 1].position
            del self._changes[:surplus]

    def _wake(self, followers: Iterable[Follower], seen: int, noticed: int) -> None:
        for follower in followers:
            follower.wake(seen, noticed)

    async def _look_after(self) -> None:
        """End streams whose token is no longer valid, and wake those that are due for a heartbeat."""
        now = self._clock.now()
        if 0 <= now - self._looked_at < LOOK_MS:
            return
        self._looked_at = now
        for follower in list(self._everyone):
            try:
                follower.grant = await self._access.grant(follower.authorization)
            except Problem as problem:
                follower.end(problem)
            if now - follower.sent_at >= HEARTBEAT_MS:
                follower.wake(self.position, self.noticed)
        await self._look_at_vehicles()

    async def _look_at_vehicles(self) -> None:
        """Wake the streams that follow the list of vehicles, if the number of vehicles has changed."""
        following = [follower for follower in self._everyone if follower.vehicle_lists is not None]
        if not following:
            self._vehicles = None
            return
        _, count = await self._store.vehicles.vehicles(Page(1, 1))
        if self._vehicles != count:  # also after a time without followers, in which changes were not counted
            self.vehicle_lists += 1
        self._vehicles = count
        for follower in following:
            if follower.vehicle_lists != self.vehicle_lists:
                follower.wake(follower.position, follower.noticed)


def _text(change: Change) -> int:
    """Return the number of characters of the change in memory."""
    return len(change.value) if isinstance(change.value, str) else 0
