"""How fast a station may talk: who says more has to wait, so nothing is lost and nobody else is kept waiting."""

from typing import Final

from chargeport.clock import Clock

BURST_S: Final = 10  # so many seconds' worth at once: a station empties its queue after an outage


class Pace:
    """Spaces messages out, `per_s` of them a second."""

    def __init__(self, clock: Clock, per_s: float) -> None:
        self._clock = clock
        self._gap_ms = 1000 / per_s
        self._next_at = float(clock.now() - BURST_S * 1000)

    async def wait(self) -> None:
        """Return when the next message may be taken."""
        now = self._clock.now()
        self._next_at = max(self._next_at, now - BURST_S * 1000) + self._gap_ms
        if self._next_at > now:
            await self._clock.sleep((self._next_at - now) / 1000)
