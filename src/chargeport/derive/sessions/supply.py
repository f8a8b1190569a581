"""Upper bounds of the energy that can have flowed into a vehicle between two instants, for checks of counters.

In: the samples of power and the reports of all sources. Out: an upper bound of the energy of a time, and whether charging
continued in it.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

import msgspec

from chargeport.derive.series import HOUR_MS, MINUTE_MS
from chargeport.derive.sessions.reports import SourceReports, instants_between
from chargeport.derive.tracks import AT, Sample, number

SLACK_KWH: Final = 0.5
"""Added to every upper bound: the step of a counter, and the difference of two clocks."""
NEAR_MS: Final = 15 * MINUTE_MS
"""Power is known without a break if its samples are no further apart."""
RATE_SHARE: Final = 1.5
"""It charges at most at this multiple of the rate that was observed."""


class PowerSupply(msgspec.Struct, frozen=True):
    """Upper bounds of the energy that can have flowed: by the power that was measured, else by the maximum of chargers.

    `power` are samples in W, by time; power above `from_w` is charging. `reports` are those of each source, by its name.
    """

    power: Sequence[Sample]
    max_kw: float
    from_w: float
    reports: Mapping[str, SourceReports]

    def max_kwh(self, start: int, end: int) -> float:
        """Return the most that can have flowed from one instant to the other."""
        highest_w = max(self._measured_w(start, end), default=0.0)  # 0 W may be stuck
        kw = self.max_kw if highest_w <= self.from_w else highest_w / 1000 * RATE_SHARE
        return kw * (end - start) / HOUR_MS + SLACK_KWH

    def goes_on(self, before: Sample, after: Sample) -> bool:
        """Return whether charging continued between two samples of a counter: by the reports of its source, else by power."""
        own = self.reports.get(before.source)
        if own is not None and instants_between(own.not_charging, before.at, after.at):
            return False
        if own is not None and own.charges_throughout(before.at, after.at):
            return True
        return min(self._measured_w(before.at, after.at), default=0.0) > self.from_w

    def flowing_since(self, at: int) -> int:
        """Return since when power was measured without a break until `at`; `at` itself where it was not."""
        since = at
        for index in range(bisect_right(self.power, at, key=AT) - 1, -1, -1):
            sample = self.power[index]
            if since - sample.at > NEAR_MS or number(sample) <= self.from_w:
                break
            since = sample.at
        return since

    def _measured_w(self, start: int, end: int) -> list[float]:
        """Return the samples of a time in which power was reported without a break; else none.

        They are those of the time, the last one before it and the first one after.
        """
        first = bisect_right(self.power, start, key=AT) - 1
        last = bisect_left(self.power, end, key=AT)
        if first < 0 or last >= len(self.power):
            return []
        near = self.power[first : last + 1]
        if start - near[0].at > NEAR_MS or near[-1].at - end > NEAR_MS:
            return []
        has_break = any(after.at - before.at > NEAR_MS for before, after in pairwise(near))
        return [] if has_break else [number(sample) for sample in near]
