"""One live stream's place in the feed, and its sleep until there may be something for it."""

import asyncio

from chargeport.errors import Problem
from chargeport.store.records import Grant


class Follower:
    """Has a position and no data, so a slow reader costs nothing but the wait.

    Whoever is `idle` has seen all that it wants of what the tail has read so far. Belongs to one event loop.
    """

    __slots__ = (
        "_woken", "authorization", "ended", "grant", "idle", "joined_at", "noticed", "position", "sent_at", "vehicle_lists",
        "vehicles",
    )  # fmt: skip

    def __init__(self, grant: Grant, authorization: bytes | None, vehicles: frozenset[str] | None, position: int) -> None:
        self.grant = grant
        self.authorization = authorization
        self.vehicles = vehicles
        """Whose changes it wants; None for those of all."""
        self.position = position
        """All that it wants up to here was handed to its client."""
        self.vehicle_lists: int | None = None
        """The number of the list of vehicles that its client knows of; None where it does not follow the list."""
        self.joined_at = 0
        """Since when it listens; what ended before is none of its business."""
        self.noticed = 0
        """Of the tail's notices it has all that it wants up to this number."""
        self.sent_at = 0
        """When its client was sent something last, in milliseconds."""
        self.ended: Problem | None = None
        """Why it must end."""
        self.idle = False
        self._woken = asyncio.Event()

    async def wait(self) -> None:
        """Sleep until woken. Whoever calls this must have looked at `Tail.has_more` in the same breath."""
        self._woken.clear()
        self.idle = True
        await self._woken.wait()

    def wake(self, seen: int, noticed: int) -> None:
        """Wake the reader, unless it runs: up to `seen` and `noticed` there is nothing for it that it does not have."""
        if self.idle:
            self.idle = False
            self.position = max(self.position, seen)
            self.noticed = max(self.noticed, noticed)
            self._woken.set()

    def end(self, problem: Problem) -> None:
        """End the stream with this problem as the reason; the first reason is not replaced."""
        self.ended = self.ended or problem
        self.wake(self.position, self.noticed)
