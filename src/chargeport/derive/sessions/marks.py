"""What each report says of the charging state at its own instant: charging, not charging, plugged, unplugged."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from chargeport.derive import status
from chargeport.derive.series import MINUTE_MS
from chargeport.derive.sessions.rules import Rules
from chargeport.derive.tracks import Sample, Tracks, number, samples
from chargeport.signals.catalogue import BY_CODE, IS_CHARGING

CABLE: Final = BY_CODE["charge-ischargingcableconnected"]
STATUS: Final = BY_CODE["charge-detailedchargingstatus"]
POWER: Final = BY_CODE["charge-wattage"]

# The others say nothing lasting of the cable: many sources have no other word for a car on the road.
PLUGGED: Final = (status.NEVER_CHARGING | status.CHARGING_WITH_POWER) - (
    status.UNPLUGGED | status.SILENT_ABOUT_CABLE | {"FULLY_CHARGED", "DISCHARGING"}
)

GLITCH_MS: Final = 2 * MINUTE_MS
"""Nobody charges again in less time after pulling the cable; two sources, or their clocks, differ by as much (sources 15.9)."""


class Mark(NamedTuple):
    """A report at an instant; `is_stated` tells a state from a conclusion drawn from power."""

    at: int
    source: str
    is_stated: bool = True
    code: str = IS_CHARGING.code


class Marks(msgspec.Struct, frozen=True):
    """The marks of each kind, by time. `unplugged` has only those that nothing contradicts."""

    on: list[Mark]
    off: list[int]
    plugged: list[Mark]
    unplugged: list[int]


def marks(tracks: Tracks, rules: Rules) -> Marks:
    """The marks of all sightings. Each depends on what was reported within an hour around it and on nothing else."""
    told = samples(tracks, STATUS)
    stated = _stated(samples(tracks, IS_CHARGING), told)
    on, off = _with_power(stated, samples(tracks, POWER), rules)
    cable = samples(tracks, CABLE)
    plugged = [Mark(each.at, each.source, code=CABLE.code) for each in cable if each.value is True]
    plugged += [Mark(each.at, each.source, code=STATUS.code) for each in told if str(each.value).upper() in PLUGGED]
    unplugged = [each.at for each in cable if each.value is False]
    unplugged += [each.at for each in told if str(each.value).upper() in status.UNPLUGGED]
    plugged.sort()
    return Marks(on, off, plugged, _uncontradicted(unplugged, on, plugged))


def _stated(charging: Sequence[Sample], told: Sequence[Sample]) -> list[tuple[Mark, bool]]:
    """What was said in so many words, by time; at one instant charge-ischarging counts more than the status."""
    found: dict[int, tuple[Mark, bool]] = {}
    for each in told:
        says = status.is_charging(str(each.value), None)
        if says is not None:
            found[each.at] = (Mark(each.at, each.source, code=STATUS.code), says)
    for each in charging:
        found[each.at] = (Mark(each.at, each.source), each.value is True)
    return [found[at] for at in sorted(found)]


def _with_power(stated: list[tuple[Mark, bool]], power: Sequence[Sample], rules: Rules) -> tuple[list[Mark], list[int]]:
    """When it charged and when it did not; power is asked where no fresh statement is against it."""
    on = [mark for mark, is_on in stated if is_on]
    off = [mark.at for mark, is_on in stated if not is_on]
    stated_at = [mark.at for mark, _ in stated]
    for index, each in enumerate(power):
        last = bisect_right(stated_at, each.at) - 1
        is_fresh = last >= 0 and each.at - stated_at[last] <= rules.state_counts_ms
        if is_fresh:
            continue
        if number(each) <= rules.power_from_w:
            off.append(each.at)
        elif _is_more_than_a_blip(power, index, rules):
            on.append(Mark(each.at, each.source, is_stated=False, code=POWER.code))
    return sorted(on), sorted(off)


def _is_more_than_a_blip(power: Sequence[Sample], index: int, rules: Rules) -> bool:
    """Whether the sample before or after says so, too, or the next one came late enough for it to have lasted."""
    at = power[index].at
    before = power[index - 1] if index else None
    after = power[index + 1] if index + 1 < len(power) else None
    if before is not None and at - before.at <= rules.pause_ms and number(before) > rules.power_from_w:
        return True
    if after is None or after.at - at > rules.pause_ms:
        return False
    return number(after) > rules.power_from_w or after.at - at >= rules.shortest_ms


def _uncontradicted(unplugged: list[int], on: list[Mark], plugged: list[Mark]) -> list[int]:
    """Those instants at which the cable was out: not where it is said to be in then, or both at once before and after."""
    seen = sorted({mark.at for mark in [*on, *plugged]})
    return [at for at in sorted(set(unplugged)) if not _is_between(seen, at)]


def _is_between(instants: Sequence[int], at: int) -> bool:
    """Whether one of the instants, which are by time, is `at`, or the two around it are too close for a cable to be pulled."""
    index = bisect_left(instants, at)
    if index == len(instants):
        return False
    return instants[index] == at or (index > 0 and instants[index] - instants[index - 1] <= GLITCH_MS)
