"""How old a live value gets before its source sends the next one: the gaps between sightings of a car while it charges.

A gap reaches from the instant at which a value was observed to that at which the next one is received. So it holds what the
delivery takes too, and is what the value must stand for to be fresh all the time.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from math import ceil
from typing import Final

from chargeport.signals.catalogue import BY_CODE, IS_CHARGING
from chargeport.signals.definition import Cadence
from chargeport.signals.reading import Reading

LIVE_KEYS: Final = frozenset(signal.key for signal in BY_CODE.values() if signal.cadence is Cadence.LIVE)
LAG_MS: Final = 120_000  # what is received later than this was kept back or imported, and says nothing of the cadence
TOGETHER_MS: Final = 500  # what is received within so much came with the one before, however far apart the two were observed
MAX_GAPS: Final = 64  # of a car and signal: the newest
PART: Final = 0.95
CONFIRMS: Final = 0.05  # of all gaps end with the value of before: the source says again what has not changed

_FLOWING: Final = frozenset({BY_CODE["charge-wattage"].key, BY_CODE["charge-amperage"].key})


class CarGaps:
    """What is noted of one car of one source. Knows whether it charges from what this source says itself."""

    __slots__ = ("_charges", "_gaps", "_last", "_observed_at", "received_at")

    def __init__(self) -> None:
        self.received_at = 0
        """When something of it was received last, by our clock."""
        self._charges = False
        self._observed_at = 0
        self._last: dict[int, Reading] = {}
        self._gaps: dict[int, deque[int]] = {}  # in milliseconds; below zero where the value was the same again

    def take(self, reading: Reading, pause_ms: int) -> None:
        """Note a reading of a live signal that was received live. A car that was silent for `pause_ms` begins anew."""
        if reading.received_at - self.received_at > pause_ms:
            self._last.clear()
            self._charges = False
        self.received_at = max(self.received_at, reading.received_at)
        charges = says_charging(reading)
        if charges:
            self._charges = True
        if not self._charges:
            return
        self._note(reading, pause_ms)
        if charges is False and reading.observed_at >= self._observed_at:
            self._last.clear()
            self._charges = False
        self._observed_at = max(self._observed_at, reading.observed_at)

    def gaps(self) -> Iterable[tuple[int, Sequence[int]]]:
        """Return the newest gaps by signal key."""
        return self._gaps.items()

    def _note(self, reading: Reading, pause_ms: int) -> None:
        key = reading.signal.key
        last = self._last.get(key)
        if last is not None:
            if reading.observed_at <= last.observed_at:
                return  # a repetition, or late
            if reading.received_at - last.received_at >= TOGETHER_MS:
                gap = min(reading.received_at - last.observed_at, pause_ms)
                kept = self._gaps.get(key)
                if kept is None:
                    kept = self._gaps[key] = deque(maxlen=MAX_GAPS)
                kept.append(-gap if reading.value == last.value else gap)
        self._last[key] = reading


def says_charging(reading: Reading) -> bool | None:
    """Return whether the car charges, if this reading alone says so."""
    if reading.signal is IS_CHARGING:
        return reading.value is True
    if reading.signal.key in _FLOWING and isinstance(reading.value, int | float):
        return reading.value > 0
    return None


def longest_usual(gaps: Sequence[int]) -> int:
    """Return the gap that all but a twentieth stay below, in milliseconds; there is one at least.

    Of a source that says again what has not changed, a twentieth of the gaps: each is as good as another. One that tells
    changes only is silent for long where nothing changes, seldom but most of the time: there it is a twentieth of the time.
    """
    sizes = sorted(abs(gap) for gap in gaps)
    if sum(gap < 0 for gap in gaps) >= CONFIRMS * len(sizes):
        return sizes[ceil(PART * len(sizes)) - 1]
    covered, wanted = 0, PART * sum(sizes)
    for size in sizes:
        covered += size
        if covered >= wanted:
            return size
    return sizes[-1]
