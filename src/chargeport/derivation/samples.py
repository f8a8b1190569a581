"""The samples of a long session, thinned, and for how long what was read can be reused."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final

import msgspec

from chargeport.derive.live.inputs import Sample
from chargeport.derive.series import CHARGING_W, MINUTE_MS
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.definition import Signal

POWER, VOLTAGE, CURRENT, SOC = (
    BY_CODE[code] for code in ("charge-wattage", "charge-voltage", "charge-amperage", "tractionbattery-stateofcharge")
)
SAMPLED: Final = (POWER, VOLTAGE, CURRENT, SOC)

POINTS: Final = 240  # of the part that is thinned: every two minutes of a night
WHOLE_MS: Final = 5 * MINUTE_MS  # at both ends, where ramps and the latest level are read from
REREAD_MS: Final = 10_000  # how often the samples of a session are read again, at the most
REREAD_SHARE: Final = 50  # and not before a fiftieth of its length is over: reading it costs by its length


class SessionSamples(msgspec.Struct):
    """What was measured since charging began, as it was read last, and what has been reported since."""

    began_at: int
    read_at: int
    samples: dict[Signal, list[Sample]]

    def holds(self, began_at: int, now: int) -> bool:
        """Return whether it is of this session and needs not be read again yet."""
        return self.began_at == began_at and now - self.read_at < max(REREAD_MS, (now - began_at) // REREAD_SHARE)

    def add(self, signal: Signal, sample: Sample) -> None:
        """Add the newest report of a signal."""
        known = self.samples.setdefault(signal, [])
        if not known or known[-1].at < sample.at:
            known.append(sample)


def thinned(signal: Signal, found: Sequence[Sample]) -> list[Sample]:
    """Return the samples, by time, with those far from both ends put together: their mean, of a state of charge the last.

    What charges is never put together with what does not, so that pauses keep their edges and power its energy.
    """
    if len(found) <= POINTS:
        return list(found)
    first_at, last_at = found[0].at + WHOLE_MS, found[-1].at - WHOLE_MS
    step_ms = max(1, (last_at - first_at) // POINTS)

    def part(sample: Sample) -> tuple[int, int, bool]:
        if not first_at <= sample.at < last_at:
            return (sample.at, 0, True)
        return (first_at, (sample.at - first_at) // step_ms, signal is not POWER or sample.value > CHARGING_W)

    return list(_together(signal, ([*group] for _, group in groupby(found, part))))


def _together(signal: Signal, groups: Iterable[list[Sample]]) -> Iterator[Sample]:
    for group in groups:
        if signal is SOC or len(group) == 1:
            yield group[-1]
        else:
            mean = sum(sample.value for sample in group) / len(group)
            yield Sample(sum(sample.at for sample in group) // len(group), mean)
