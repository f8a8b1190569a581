"""How often a source may send requests for one car: a number per hour and per day, counted across restarts.

The windows roll: within any hour and any 24 hours there are never more requests than allowed.
"""

from typing import Final

import msgspec

from chargeport.clock import Clock
from chargeport.sources.base import Memory

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
KEPT_FOR_CHARGING: Final = 2  # an idle car uses its budget divided by this


class Spent(msgspec.Struct, frozen=True):
    """The stored state: when requests were made, and until when the other side accepts none."""

    at: tuple[int, ...] = ()
    silent_until_at: int = 0


class Budget:
    """The remaining requests, stored in a source's memory under `key`. A limit of None is no limit."""

    def __init__(
        self, memory: Memory, clock: Clock, key: str, *, per_hour: int | None = None, per_day: int | None = None
    ) -> None:
        self._memory = memory
        self._clock = clock
        self._key = key
        self._limits = [(limit, window) for limit, window in ((per_hour, HOUR_MS), (per_day, DAY_MS)) if limit is not None]
        self._spent: Spent | None = None

    async def left(self) -> int | None:
        """Return the requests that may be made at this moment; None: any number."""
        spent, now = await self._known(), self._clock.now()
        if now < spent.silent_until_at:
            return 0
        return min((max(0, limit - _since(spent, now - window)) for limit, window in self._limits), default=None)

    async def next_at(self) -> int:
        """Return when the next request may be made, at the earliest; the past or now, if one may be made."""
        spent = await self._known()
        free = [spent.silent_until_at]
        for limit, window in self._limits:
            if len(spent.at) >= limit:
                free.append(spent.at[-limit] + window)
        return max(free)

    async def spend(self) -> bool:
        """Count a request before it is made; return False, and count nothing, if none may be made now."""
        now = self._clock.now()
        if await self.next_at() > now:
            return False
        spent = await self._known()
        longest = max((window for _, window in self._limits), default=0)
        await self._keep(Spent((*(at for at in spent.at if at > now - longest), now) if longest else (), spent.silent_until_at))
        return True

    async def silence(self, duration_s: float) -> None:
        """Make no request for this many seconds, as the other side required."""
        spent = await self._known()
        until_at = self._clock.now() + round(duration_s * 1000)
        await self._keep(Spent(spent.at, max(spent.silent_until_at, until_at)))

    def idle_interval_s(self, every_s: float) -> float:
        """Return the seconds between requests while nothing happens: `every_s`, or more, to leave enough for charging."""
        return max([every_s, *(KEPT_FOR_CHARGING * window / limit / 1000 for limit, window in self._limits)])

    async def _known(self) -> Spent:
        if self._spent is None:
            self._spent = _read(await self._memory.get(self._key))
        return self._spent

    async def _keep(self, spent: Spent) -> None:
        self._spent = spent
        await self._memory.put(self._key, msgspec.json.encode(spent).decode())


def _since(spent: Spent, after_at: int) -> int:
    return sum(at > after_at for at in spent.at)


def _read(text: str | None) -> Spent:
    try:
        return msgspec.json.decode(text or "{}", type=Spent)
    except msgspec.MsgspecError:  # it was changed from outside: counting starts again
        return Spent()
