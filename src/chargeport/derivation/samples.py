"""Samples of a session: thinned if they are many, and reused for a while."""

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

POINTS: Final = 240  # of the group_key that is thinned: every two minutes of a night
WHOLE_MS: Final = 5 * MINUTE_MS  # at both ends, which are not thinned: rules read ramps and the latest level from them
REREAD_MS: Final = 10_000  # the shortest time between two reads of a session
REREAD_SHARE: Final = 50  # and at least a fiftieth of its length, as the cost of a read is proportional to that


class SessionSamples(msgspec.Struct):
    """The samples of a session as they were last read, and those reported since."""

    began_at: int
    read_at: int
    samples: dict[Signal, list[Sample]]
    idle_at: int | None = None
    """The instant of the last report before that shows no charging, and the state of charge then."""
    soc_before: float | None = None

    def is_current(self, began_at: int, now: int) -> bool:
        """Return whether these are the samples of the session that began then, and recent enough."""
        return self.began_at == began_at and now - self.read_at < max(REREAD_MS, (now - began_at) // REREAD_SHARE)

    def add(self, signal: Signal, sample: Sample) -> None:
        """Add the newest report of a signal."""
        known = self.samples.setdefault(signal, [])
        if not known or known[-1].at < sample.at:
            known.append(sample)


def thinned(signal: Signal, ordered: Sequence[Sample]) -> list[Sample]:
    """Return samples ordered by time, thinned by groups except near both ends: by the mean, a state of charge by the last.

    No group has both charging and idle samples of power, so that pauses keep their edges and power its energy.
    """
    if len(ordered) <= POINTS:
        return list(ordered)
    first_at, last_at = ordered[0].at + WHOLE_MS, ordered[-1].at - WHOLE_MS
    step_ms = max(1, (last_at - first_at) // POINTS)

    def group_key(sample: Sample) -> tuple[int, int, bool]:
        if not first_at <= sample.at < last_at:
            return (sample.at, 0, True)
        return (first_at, (sample.at - first_at) // step_ms, signal is not POWER or sample.value > CHARGING_W)

    return list(_together(signal, ([*group] for _, group in groupby(ordered, group_key))))


def _together(signal: Signal, groups: Iterable[list[Sample]]) -> Iterator[Sample]:
    for group in groups:
        if signal is SOC or len(group) == 1:
            yield group[-1]
        else:
            mean = sum(sample.value for sample in group) / len(group)
            yield Sample(sum(sample.at for sample in group) // len(group), mean)
