"""The position of one live stream in the feed, and its wait for new events."""

import asyncio

from chargeport.errors import Problem
from chargeport.store.records import Grant


class Follower:
    """The position of a stream, without data: a slow reader takes no memory.

    While `idle`, it has processed everything that the tail has read so far. Belongs to one event loop.
    """

    __slots__ = (
        "_woken", "authorization", "ended", "grant", "joined_at", "noticed", "position", "sent_at", "vehicle_lists",
        "vehicles",
    )  # fmt: skip

    def __init__(self, grant: Grant, authorization: bytes | None, vehicles: frozenset[str] | None, position: int) -> None:
        self.grant = grant
        self.authorization = authorization
        self.vehicles = vehicles
        """The vehicles whose changes are selected; None for all."""
        self.position = position
        """All selected changes up to here were sent to the client."""
        self.vehicle_lists: int | None = None
        """The number of the list of vehicles that the client was last notified of; None if it does not follow the list."""
        self.joined_at = 0
        """The start of the stream; earlier expiries are not sent."""
        self.noticed = 0
        """All selected notices of the tail up to this number were sent to the client."""
        self.sent_at = 0
        """When data was last sent to the client, in milliseconds."""
        self.ended: Problem | None = None
        """The reason for its end."""
        self._woken: asyncio.Future[None] | None = None  # not an Event: to set and clear it costs more

    @property
    def idle(self) -> bool:
        """Whether it waits to be woken."""
        return self._woken is not None and not self._woken.done()

    async def wait(self) -> None:
        """Wait until woken. Call `Tail.has_more` before, without an `await` in between."""
        self._woken = asyncio.get_running_loop().create_future()
        await self._woken

    def wake(self, seen: int, noticed: int) -> None:
        """Wake the reader, unless it runs: it has processed everything up to `seen` and `noticed`."""
        if self._woken is not None and not self._woken.done():
            self.position = max(self.position, seen)
            self.noticed = max(self.noticed, noticed)
            self._woken.set_result(None)

    def end(self, problem: Problem) -> None:
        """End the stream with this problem as the reason; the first reason is not replaced."""
        self.ended = self.ended or problem
        self.wake(self.position, self.noticed)
