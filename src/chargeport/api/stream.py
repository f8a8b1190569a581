"""`GET /stream`: changes as server-sent events, from now on or from a position, while the client is connected.

Each stream stores only its position in the feed. The next events are created when the client has received the last ones. The
expiry of a live value, whose car no longer reports, is sent between the changes, without a position.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from heapq import merge
from operator import attrgetter
from typing import Final

import msgspec

from chargeport.api import events
from chargeport.api.events import ending_event
from chargeport.api.follower import Follower
from chargeport.api.request import AppContext, Request
from chargeport.api.response import Response, event_answer
from chargeport.api.tail import HEARTBEAT_MS, Notice
from chargeport.errors import MALFORMED, PERMISSION, RATE_LIMITED, VEHICLE_NOT_FOUND, Problem, StoreError
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.definition import Permission, Signal
from chargeport.signals.state import stale_at
from chargeport.store.records import Change, Grant
from chargeport.wire.errors import as_problem

MAX_VEHICLES: Final = 1000  # named in one request
VEHICLES: Final = "vehicles"
BEGINNING: Final = "0"  # in place of an id
PART_BYTES: Final = 65_536  # sent at a time: the most that waits in the server for a client that does not read

_POSITION: Final = attrgetter("position")


class StreamSelection(msgspec.Struct, frozen=True):
    """The client's selection: None selects all that it may see.

    `user_id` restricts it to a user's connections; `vehicle_list`: whether to send an event when the list of vehicles changes.
    """

    vehicles: frozenset[str] | None
    signals: frozenset[str] | None
    user_id: str | None
    vehicle_list: bool = False

    def has(self, vehicle_id: str, signal: Signal) -> bool:
        """Return whether the client selected this signal of this car, whether reported or derived."""
        if self.vehicles is not None and vehicle_id not in self.vehicles:
            return False
        return self.signals is None or signal.code in self.signals


async def stream_signals(request: Request) -> Response:
    """Stream the changes that the client may see. Errors of the request are answered before the stream begins."""
    grant = await request.grant()
    most, positions = request.context.tail.most_of_one, request.context.positions
    if request.context.tail.streams_of(grant.client_id) >= most:
        raise _too_many(most)
    selection = StreamSelection(_vehicles(request), _signals(request), request.user_id, _wants_vehicle_list(request))
    await _check(request, grant, selection)
    await positions.load()
    newest = await request.context.store.readings.position()
    resumed = _resumed_from(request, newest, grant.client_id)
    position = newest if resumed is None else resumed
    follower = Follower(grant, request.header(b"authorization"), selection.vehicles, position)
    follower.vehicle_lists = 0 if selection.vehicle_list else None
    stream = Stream(request.context, follower, selection, request.base, newest)
    greeting = events.RETRY + (events.reached(positions.seal(position, grant.client_id)) if resumed is None else b"")
    return event_answer(stream.parts(greeting), request.request_id, request.header(b"accept-encoding"))


class Stream:
    """The stream of one client."""

    __slots__ = ("_base", "_clock", "_follower", "_most", "_newest", "_positions", "_selection", "_store", "_tail")

    def __init__(self, deps: AppContext, follower: Follower, selection: StreamSelection, base: str, newest: int) -> None:
        """Prepare the stream. `newest` is the newest position of the feed at the time of the request."""
        self._store = deps.store
        self._tail = deps.tail
        self._clock = deps.clock
        self._follower = follower
        self._selection = selection
        self._base = base
        self._newest = newest
        self._positions = deps.positions
        self._most = deps.tail.most_of_one

    async def parts(self, greeting: bytes) -> AsyncGenerator[bytes, None]:
        """Yield the stream in parts; each is requested when the client can receive it."""
        follower = self._follower
        self._tail.join(follower)
        if self._tail.streams_of(follower.grant.client_id) > self._most:  # several were opened at the same time
            follower.end(_too_many(self._most))
        try:
            follower.sent_at = self._clock.now()
            yield greeting
            while follower.ended is None:
                part = self._vehicle_list() + await self._events() or self._heartbeat()
                if part:
                    follower.sent_at = self._clock.now()
                    yield part
                if self._tail.has_more(follower):
                    await asyncio.sleep(0)  # lets other tasks run
                elif follower.ended is None:
                    await follower.wait()
            yield events.end(follower.ended)
        except StoreError as error:
            yield events.end(as_problem(error))
        finally:
            self._tail.leave(follower)

    async def _events(self) -> bytes:
        """Return the next events, if there are any; advance the position."""
        follower = self._follower
        changes, reached = await self._tail.after(follower.position)
        notices = self._tail.notices(follower.noticed)
        # A notice comes after the changes that were read before it was created, and before all others.
        steps: Iterable[Change | Notice] = merge(changes, notices, key=_POSITION) if notices else changes
        parts: list[bytes] = []
        size = 0
        for step in steps:
            if step.position > reached:
                break
            event = await (self._event(step) if isinstance(step, Change) else self._ending(step))
            if event is not None:
                parts.append(event)
                size += len(event)
            if size >= PART_BYTES:
                reached = step.position
                break
        follower.position = reached
        return b"".join(parts)

    async def _event(self, change: Change) -> bytes | None:
        """Return the change as an event; None if the client did not select it or may not see it."""
        permissions = await self._permissions(change.vehicle_id, change.signal)
        if permissions is None:
            return None
        # A change that is sent again may still be in memory although the car was erased; new changes were just read.
        if change.position <= self._newest and not await self._tail.permits.is_there(change.vehicle_id):
            return None
        places = Permission.READ_CHARGE_LOCATIONS in permissions
        client_id, freshness = self._follower.grant.client_id, self._store.readings.freshness
        return self._tail.events.event(change, client_id, self._base, places, freshness, self._positions)

    async def _ending(self, notice: Notice) -> bytes | None:
        """Return a notice as an event; None if the client did not select it, may not see it, or connected after the expiry."""
        ending, self._follower.noticed = notice.ending, notice.number
        permissions = await self._permissions(ending.vehicle_id, ending.state.signal)
        if permissions is None or not await self._tail.permits.is_there(ending.vehicle_id):
            return None
        if not ending.has_returned and (stale_at(ending.state) or 0) < self._follower.joined_at:
            return None
        return ending_event(ending, self._base, places=Permission.READ_CHARGE_LOCATIONS in permissions)

    async def _permissions(self, vehicle_id: str, signal: Signal) -> frozenset[Permission] | None:
        """Return the client's permissions on the car; None if it did not select the signal or may not see it."""
        if not self._selection.has(vehicle_id, signal):
            return None
        permissions = await self._tail.permits.of(self._follower.grant, vehicle_id, self._selection.user_id)
        return permissions if signal.permission in permissions else None

    def _vehicle_list(self) -> bytes:
        """Return the event of a changed list of vehicles, if the client selected it and has not received it yet."""
        known, newest = self._follower.vehicle_lists, self._tail.vehicle_lists
        if known is None or known == newest:
            return b""
        self._follower.vehicle_lists = newest
        return events.block(events.VEHICLES, "{}") if known else b""

    def _heartbeat(self) -> bytes:
        """Return a heartbeat if it is due, with the position; else nothing."""
        if self._clock.now() - self._follower.sent_at < HEARTBEAT_MS:
            return b""
        sealed = self._positions.seal(self._follower.position, self._follower.grant.client_id)
        return events.HEARTBEAT + events.identified(sealed) + b"\n"


def _too_many(most: int) -> Problem:
    detail = f"The application has {most} streams open, as many as it may (limits.streams_by_application, half of all at most)."
    return Problem(RATE_LIMITED, detail, retry_after_s=5)


def _named(request: Request, parameter: str) -> list[str] | None:
    """Return the values of a parameter that is repeated or has commas; None if it is missing."""
    values = [value for name, value in request.query if name == parameter]
    return [name.strip() for value in values for name in value.split(",")] if values else None


def _vehicles(request: Request) -> frozenset[str] | None:
    named = _named(request, "vehicle")
    if named is None:
        return None
    if len(named) > MAX_VEHICLES:
        raise Problem(MALFORMED, f"{len(named)} vehicles are more than the {MAX_VEHICLES} that one stream can name.")
    return frozenset(named)


def _wants_vehicle_list(request: Request) -> bool:
    text = dict(request.query).get(VEHICLES, "false")
    if text not in ("true", "false"):
        raise Problem(MALFORMED, f"{VEHICLES} is true or false, not {text[:40]!r}.")
    return text == "true"


def _signals(request: Request) -> frozenset[str] | None:
    named = _named(request, "signal")
    if named is None:
        return None
    for code in named:
        if code not in BY_CODE:
            raise Problem(MALFORMED, f"signal: {code[:80]!r} is no signal of this server: /docs lists the codes.")
    return frozenset(named)


async def _check(request: Request, grant: Grant, selection: StreamSelection) -> None:
    """Reject a stream of vehicles or signals that the client may not see. Raises Problem (403, 404).

    For a client that follows the list of vehicles, vehicles that it may not see are left out without an error.
    """
    granted = [grant.permissions]
    if selection.vehicles is not None:
        granted = []
        for vehicle_id in sorted(selection.vehicles):
            try:
                granted.append(await request.context.access.permissions(grant, vehicle_id, selection.user_id))
                await request.context.reads.vehicle(vehicle_id)
            except Problem as problem:
                if problem.kind is not VEHICLE_NOT_FOUND or not selection.vehicle_list:
                    raise
    for signal in (BY_CODE[code] for code in selection.signals or ()):
        if any(signal.permission not in permissions for permissions in granted):
            raise Problem(PERMISSION, f"Following {signal.code} needs the permission {signal.permission}.")


def _resumed_from(request: Request, newest: int, client_id: str) -> int | None:
    """Return the position from which the client resumes; None if it sent none. Raises Problem (400)."""
    header = (request.header(b"last-event-id") or b"").decode("latin-1")
    text = header or dict(request.query).get("lastEventId")
    if not text:
        return None
    position = 0 if text == BEGINNING else request.context.positions.open(text, client_id)
    if position is None:
        detail = (
            f"Last-Event-ID is the id of an event that the application was sent, or 0 for the beginning, not {text[:40]!r}."
        )
        raise Problem(MALFORMED, detail)
    if position > newest:
        hint = "Leave it out to begin now, or send 0 to begin with the first change."
        raise Problem(MALFORMED, f"Last-Event-ID is ahead of the feed, which was put back to an earlier state. {hint}")
    return position
