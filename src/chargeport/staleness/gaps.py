"""How old a live value gets before its source sends the next one: the gaps between sightings of a car while it charges.

A gap is the time from the instant at which a value was observed to that at which the next one is received. It includes the
delivery, and is how long a value must be fresh for the signal to be fresh all the time.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from math import ceil
from typing import Final

from chargeport.signals.catalogue import BY_CODE, IS_CHARGING
from chargeport.signals.definition import Cadence
from chargeport.signals.reading import Reading

LIVE_KEYS: Final = frozenset(signal.key for signal in BY_CODE.values() if signal.cadence is Cadence.LIVE)
MAX_DELAY_MS: Final = 120_000  # between observation and receipt; later readings were buffered or imported, and are not measured
SAME_DELIVERY_MS: Final = 500  # readings received within this time belong to one delivery, whenever they were observed
MAX_GAPS: Final = 64  # of a car and signal: the newest
QUANTILE: Final = 0.95
CONFIRMING: Final = 0.05  # share of gaps that end with an unchanged value: the source repeats values

_POWER_KEYS: Final = frozenset({BY_CODE["charge-wattage"].key, BY_CODE["charge-amperage"].key})


class CarGaps:
    """The gaps of one car of one source. Whether the car charges is taken from the readings of this source."""

    __slots__ = ("_gaps", "_is_charging", "_last", "_observed_at", "received_at")

    def __init__(self) -> None:
        self.received_at = 0
        """When its last reading was received, by our clock."""
        self._is_charging = False
        self._observed_at = 0
        self._last: dict[int, Reading] = {}
        self._gaps: dict[int, deque[int]] = {}  # in milliseconds; negative if the value was unchanged

    def add(self, reading: Reading, max_ms: int) -> None:
        """Measure a reading of a live signal. After a silence of `max_ms`, the car's state is reset."""
        if reading.received_at - self.received_at > max_ms:
            self._last.clear()
            self._is_charging = False
        self.received_at = max(self.received_at, reading.received_at)
        charging = is_charging(reading)
        if charging:
            self._is_charging = True
        if not self._is_charging:
            return
        self._note(reading, max_ms)
        if charging is False and reading.observed_at >= self._observed_at:
            self._last.clear()
            self._is_charging = False
        self._observed_at = max(self._observed_at, reading.observed_at)

    def gaps(self) -> Iterable[tuple[int, Sequence[int]]]:
        """Return the newest gaps by signal key."""
        return self._gaps.items()

    def _note(self, reading: Reading, max_ms: int) -> None:
        key = reading.signal.key
        last = self._last.get(key)
        if last is not None:
            if reading.observed_at <= last.observed_at:
                return  # a repetition, or late
            if reading.received_at - last.received_at >= SAME_DELIVERY_MS:
                gap = min(reading.received_at - last.observed_at, max_ms)
                gaps = self._gaps.get(key)
                if gaps is None:
                    gaps = self._gaps[key] = deque(maxlen=MAX_GAPS)
                gaps.append(-gap if reading.value == last.value else gap)
        self._last[key] = reading


def is_charging(reading: Reading) -> bool | None:
    """Return whether the car charges, as far as this reading alone decides it."""
    if reading.signal is IS_CHARGING:
        return reading.value is True
    if reading.signal.key in _POWER_KEYS and isinstance(reading.value, int | float):
        return reading.value > 0
    return None


def usual_maximum(gaps: Sequence[int]) -> int:
    """Return the 95th percentile of at least one gap, in milliseconds.

    For a source that repeats unchanged values, gaps are weighted equally. A source that reports changes only has few long gaps,
    which take most of the time: there each gap is weighted by its length.
    """
    sizes = sorted(abs(gap) for gap in gaps)
    if sum(gap < 0 for gap in gaps) >= CONFIRMING * len(sizes):
        return sizes[ceil(QUANTILE * len(sizes)) - 1]
    covered, limit = 0, QUANTILE * sum(sizes)
    for size in sizes:
        covered += size
        if covered >= limit:
            return size
    return sizes[-1]
