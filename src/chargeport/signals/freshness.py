"""How long live values are valid without a new report, by source and signal."""

import msgspec

from chargeport.signals.definition import Signal
from chargeport.signals.state import LIVE_FOR_MS


class Freshness(msgspec.Struct, frozen=True):
    """Times in ms: the configured one of a signal (`by_signal`, by code), else that of its source, else `usual_ms`.

    `learnt` are the times of sources, by source and code. Derived values have no cadence of their own.
    """

    usual_ms: int = LIVE_FOR_MS
    by_signal: dict[str, int] = {}
    learnt: dict[str, dict[str, int]] = {}

    def of(self, source: str | None, signal: Signal) -> int:
        """Return how long a live value of this source is valid, in ms. Without a source: the configured time."""
        fixed = self.by_signal.get(signal.code)
        if fixed is not None:
            return fixed
        known = self.learnt.get(source) if source is not None else None
        return self.usual_ms if known is None else known.get(signal.code, self.usual_ms)

    @property
    def longest_ms(self) -> int:
        """The longest of these times."""
        learnt = (time_ms for codes in self.learnt.values() for time_ms in codes.values())
        return max(self.usual_ms, *self.by_signal.values(), *learnt, 0)
