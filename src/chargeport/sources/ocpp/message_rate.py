"""Limit the messages of a station per second: further messages wait, so that none is lost and other stations are served."""

from typing import Final

from chargeport.clock import Clock

BURST_S: Final = 10  # messages of this time may come at once: a station empties its queue after an outage


class MessageRate:
    """Delays messages to at most `per_s` a second, after a first burst."""

    def __init__(self, clock: Clock, per_s: float) -> None:
        self._clock = clock
        self._interval_ms = 1000 / per_s
        self._next_at = float(clock.now() - BURST_S * 1000)

    async def wait(self) -> None:
        """Return when the next message may be taken."""
        now = self._clock.now()
        self._next_at = max(self._next_at, now - BURST_S * 1000) + self._interval_ms
        if self._next_at > now:
            await self._clock.sleep((self._next_at - now) / 1000)
