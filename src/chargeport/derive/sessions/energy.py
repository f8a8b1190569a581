"""The energy of a session: into the battery (added) and out of the grid (drawn).

No measure is taken for itself: counters, power over time and the state of charge are checked against each other.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final, Literal, NamedTuple

import msgspec

from chargeport.derive.series import HOUR_MS, MINUTE_MS
from chargeport.derive.sessions import power
from chargeport.derive.sessions.counters import Counted, EnergyMethod, Plug, Span, counted
from chargeport.derive.sessions.power import Drawn, Slot, drawn, scaled
from chargeport.derive.sessions.reports import POWER
from chargeport.derive.sessions.rules import Rules
from chargeport.derive.sessions.soc import SOC, held_on, led_back
from chargeport.derive.sessions.stretches import Stretch
from chargeport.derive.tracks import Sample, between, by_source, number

UNKNOWN_CAPACITY_KWH: Final = 120.0
"""The largest batteries of cars hold as much; more than that one session doesn't charge where no capacity is known."""
MOST_OF_CAPACITY: Final = 1.15
"""What a counter may show beyond the capacity that is known, which is a nominal one."""

COUNTER_WITHIN: Final = (0.9, 1.1, 0.3)  # of a counter, as shares, and in kWh on top of that
POWER_WITHIN: Final = (0.85, 1.15, 0.3)
POOR_POWER_WITHIN: Final = (0.7, 1.4, 0.5)  # sampled seldom, or scaled
POOR_SHARE: Final = 0.1  # by which such power may differ from a state of charge that is no old one
SOC_WITHIN: Final = (0.8, 1.25, 0.0)
SOC_PERCENT: Final = 1.5  # by which the difference of two states of charge is known
DISAGREES_KWH: Final = 1.5
"""Two measures that differ by less do not contradict each other, whatever their shares."""
LIKELY_SHARE: Final = 0.15
"""Of several counters one that lies within this share of power, or of the state of charge, counts before the others."""
DRAWN_WITHIN_KWH: Final = 0.5
LONGEST_MS: Final = 24 * HOUR_MS
"""So long before the first report a session may have begun."""
SETTLED_MS: Final = 45 * MINUTE_MS
SETTLED_COUNT: Final = 3
NEAR_END_MS: Final = 15 * MINUTE_MS
LEAST_ROOM: Final = 0.15
"""A share of the capacity that charging may bring to a battery that is said to be almost full."""
MOST_SHARE: Final = 1.03
LEAST_SHARE: Final = 0.5
LEAST_SHARE_CONCLUDED: Final = 0.8
"""What reaches the battery of what is drawn lies between these shares: less where the car heats its battery meanwhile.

Where power is known for a part of the time only, what is concluded for the rest must fit better.
"""


class Energy(msgspec.Struct, frozen=True):
    """The energy of a session, how it is known, and by which of the measures it is not."""

    added_kwh: float | None
    drawn_kwh: float | None
    method: EnergyMethod | None
    estimated: bool
    bounds_kwh: tuple[float, float] | None
    """What was added lies between these."""
    slots: tuple[Slot, ...]
    used: tuple[tuple[str, str, Sequence[Sample]], ...]
    """The fact, the signal's code, and its samples."""
    set_aside: tuple[tuple[str, Sequence[Sample]], ...] = ()
    register_start: float | None = None
    register_end: float | None = None


class Inputs(msgspec.Struct, frozen=True, kw_only=True):
    """What the energy of a session is worked out from. `counts` by the code of their signal, from before it to the next one.

    `idle_at` is the last instant before at which nothing charged; a counter's reading until `base_until` is from before.
    `registers` are the codes of counters that count on over sessions; `share` is what reaches the battery of what is drawn.
    """

    stretches: Sequence[Stretch]
    counts: Mapping[str, Sequence[Sample]]
    registers: frozenset[str]
    power: Sequence[Sample]
    soc: Sequence[Sample]
    start_soc: float | None
    end_soc: float | None
    capacity_kwh: float | None
    idle_at: int | None
    base_until: int
    share: float
    plug: Plug


Name = Literal["car", "station", "power", "soc"]


class _Measure(NamedTuple):
    """One measure of the energy that was added, with what it may be off by; a poor one is sampled seldom, or scaled."""

    name: Name
    kwh: float
    low: float
    high: float
    is_poor: bool = False

    def agrees(self, other: "_Measure") -> bool:
        apart = max(self.low - other.high, other.low - self.high)
        return apart <= 0 or abs(self.kwh - other.kwh) <= DISAGREES_KWH


class _Known(msgspec.Struct, frozen=True):
    """What there is: the counters of the car and of the station, each with its signal's code, power, and state of charge."""

    by_car: tuple[str, Counted] | None
    by_grid: tuple[str, Counted] | None
    register: Counted | None
    drew: Drawn | None
    risen_kwh: float | None


def energy(inputs: Inputs, rules: Rules) -> Energy:
    """Return the energy by the best of what there is and agrees: a counter, else power over time, else the state of charge."""
    drew, risen = drawn(inputs.power, inputs.stretches, rules), _risen_kwh(inputs)
    likely = risen if drew is None else drew.kwh * inputs.share
    if likely is not None and risen is not None and likely < risen / 2 and risen - likely > DISAGREES_KWH:
        likely = risen
    known = _Known(*_counters(inputs, likely, rules), drew, risen)
    choice = _chosen(_measures(known, inputs), _most_kwh(inputs), _soc_course(inputs))
    return _result(choice, known, inputs)


def _risen_kwh(inputs: Inputs) -> float | None:
    start, end = inputs.stretches[0].start, inputs.stretches[-1].end
    low = led_back(inputs.soc, start, end) if inputs.start_soc is None else inputs.start_soc
    high = held_on(inputs.soc, start, end) if inputs.end_soc is None else inputs.end_soc
    if low is None or high is None or inputs.capacity_kwh is None or high < low:
        return None
    return (high - low) / 100 * inputs.capacity_kwh


def _counters(
    inputs: Inputs, likely: float | None, rules: Rules
) -> tuple[tuple[str, Counted] | None, tuple[str, Counted] | None, Counted | None]:
    """Return what the counters of the car and of the station say, of several one that is likely and has most reports.

    The register is that of a meter, of the station before that of the car, whether or not it is that counter.
    """
    start, end = inputs.stretches[0].start, inputs.stretches[-1].end
    found: dict[bool, list[tuple[bool, int, str, str, Counted]]] = {False: [], True: []}
    for code, counts in inputs.counts.items():
        for source, own in by_source(counts).items():
            is_grid = source in rules.grid_sources
            factor = 1.0 if is_grid else inputs.share
            likely_kwh = None if likely is None else likely * factor / inputs.share
            span = Span(
                start,
                end,
                inputs.idle_at,
                inputs.base_until,
                likely_kwh,
                _most_before(inputs, start),
                [(one.end, other.start) for one, other in pairwise(inputs.stretches)],
            )

            def fill(low: int, high: int, factor: float = factor) -> float | None:
                kwh = power.within(inputs.power, low, high, rules)
                return _soc_kwh(inputs, low, high) if kwh is None else kwh * factor

            count = counted(own, span, inputs.plug, fill, is_register=code in inputs.registers)
            if count is not None:
                found[is_grid].append((_is_unlikely(count.kwh, likely_kwh), -len(count.samples), source, code, count))
    best = [min(found[is_grid], key=lambda each: each[:4], default=None) for is_grid in (False, True)]
    car, grid = (None if each is None else (each[3], each[4]) for each in best)
    registers = [each[4] for is_grid in (True, False) for each in found[is_grid] if each[3] in inputs.registers]
    return car, grid, next(iter(registers), None)


def _is_unlikely(kwh: float, likely_kwh: float | None) -> bool:
    return likely_kwh is not None and abs(kwh - likely_kwh) > max(LIKELY_SHARE * likely_kwh, DISAGREES_KWH)


def _most_before(inputs: Inputs, start: int) -> float:
    """Return the most that a counter of this session can show when it is first seen."""
    most = inputs.capacity_kwh or UNKNOWN_CAPACITY_KWH
    first = next((number(sample) for sample in inputs.soc if sample.at >= start), inputs.start_soc)
    return MOST_OF_CAPACITY * most * (1.0 if first is None or inputs.capacity_kwh is None else first / 100)


def _soc_kwh(inputs: Inputs, low: int, high: int) -> float | None:
    """Return what the state of charge rose by between two instants."""
    if inputs.capacity_kwh is None:
        return None
    for own in by_source(inputs.soc).values():
        before, after = [each for each in own if each.at <= low][-1:], [each for each in own if each.at >= high][:1]
        if before and after and after[0].at > before[0].at:
            shared = (high - low) / (after[0].at - before[0].at)
            return max(0.0, number(after[0]) - number(before[0])) / 100 * inputs.capacity_kwh * shared
    return None


def _measures(known: _Known, inputs: Inputs) -> list[_Measure]:
    """Return the measures that there are, the best first."""

    def measure(name: Name, kwh: float, within: tuple[float, float, float]) -> _Measure:
        return _Measure(name, kwh, kwh * within[0] - within[2], kwh * within[1] + within[2])

    found = []
    if known.by_car is not None:
        found.append(measure("car", known.by_car[1].kwh, COUNTER_WITHIN))
    if known.by_grid is not None:
        found.append(measure("station", known.by_grid[1].kwh * inputs.share, COUNTER_WITHIN))
    if known.drew is not None:
        within = POOR_POWER_WITHIN if known.drew.estimated else POWER_WITHIN
        by_power = measure("power", known.drew.kwh * inputs.share, within)
        found.append(by_power._replace(is_poor=known.drew.estimated))
    if known.risen_kwh is not None and inputs.capacity_kwh is not None:
        slack = SOC_PERCENT / 100 * inputs.capacity_kwh
        risen = known.risen_kwh
        found.append(_Measure("soc", risen, risen * SOC_WITHIN[0] - slack, risen * SOC_WITHIN[1] + slack))
    return found


def _most_kwh(inputs: Inputs) -> float:
    """Return the most that can have been added: what the battery takes, and what the plug can give since it was idle."""
    start, end = inputs.stretches[0].start, inputs.stretches[-1].end
    since = start - LONGEST_MS if inputs.idle_at is None else inputs.idle_at
    room = float("inf") if inputs.capacity_kwh is None else MOST_OF_CAPACITY * inputs.capacity_kwh
    if inputs.capacity_kwh is not None and inputs.start_soc is not None:
        room = max(room * (100 - inputs.start_soc) / 100, LEAST_ROOM * inputs.capacity_kwh)
    # What the car uses between two stretches may be charged again in the second.
    return min(room * len(inputs.stretches), inputs.plug.most_kw * (end - min(since, start)) / HOUR_MS + DISAGREES_KWH)


def _soc_course(inputs: Inputs) -> Literal["settled", "rising"] | None:
    """Return how the state of charge went: it rose up to the end, or rose and stood still for long before it.

    In either case it is no old one. None where neither is known.
    """
    end = inputs.stretches[-1].end
    for own in by_source(between(inputs.soc, inputs.stretches[0].start, end + NEAR_END_MS)).values():
        rises = [other.at for one, other in pairwise(own) if number(other) > number(one)]
        if rises and end - rises[-1] >= SETTLED_MS and len(between(own, rises[-1] + 1, end)) >= SETTLED_COUNT:
            return "settled"
        if len(rises) >= SETTLED_COUNT and end - rises[-1] <= NEAR_END_MS:
            return "rising"
    return None


class _Choice(NamedTuple):
    """The measure that counts, its bounds, those that are set aside, and whether others disagree."""

    best: _Measure | None
    bounds_kwh: tuple[float, float] | None
    set_aside: list[_Measure]
    disagrees: bool


def _chosen(measures: Sequence[_Measure], most_kwh: float, course: Literal["settled", "rising"] | None) -> _Choice:
    """Choose the best measure that is possible and not outvoted."""
    left = [each for each in measures if each.kwh <= most_kwh]
    soc = next((each for each in left if each.name == "soc" and course is not None), None)
    if soc is not None:  # power that was sampled seldom is no match for it
        left = [each for each in left if not (each.is_poor and abs(each.kwh - soc.kwh) > POOR_SHARE * soc.kwh + DISAGREES_KWH)]
    rejected = [each for each in measures if each not in left]
    while left:
        best = left[0]
        against = [other for other in left[1:] if not best.agrees(other)]
        behind = [other for other in left[1:] if best.agrees(other)]
        if not against or behind or not _is_outvoted(best, against, course):
            unsettled = [] if behind else against
            set_aside = rejected + (against if behind else [])
            return _Choice(best, _bounds(best, behind, unsettled, most_kwh), set_aside, bool(against))
        left.remove(best)
        rejected.append(best)
    return _Choice(None, None, rejected, False)


def _bounds(best: _Measure, behind: Sequence[_Measure], unsettled: Sequence[_Measure], most_kwh: float) -> tuple[float, float]:
    """Return between what the energy lies: within the bounds of all that agree, and as far as any that disagrees says."""
    low, high = max(each.low for each in (best, *behind)), min(each.high for each in (best, *behind))
    said = [best.kwh, *(each.kwh for each in unsettled)]
    return max(0.0, min(low, *said)), min(max(high, *said), most_kwh)


def _is_outvoted(best: _Measure, against: Sequence[_Measure], course: Literal["settled", "rising"] | None) -> bool:
    """Return whether a measure that none supports is wrong: two that agree say so, or the state of charge.

    That by having risen by more; by less only where it has settled, for it may be an old one.
    """
    if any(one.agrees(other) for one, other in pairwise(against)):
        return True
    soc = next((other for other in against if other.name == "soc"), None)
    return soc is not None and (soc.low > best.high or (course == "settled" and soc.high < best.low))


def _result(choice: _Choice, known: _Known, inputs: Inputs) -> Energy:
    chosen, set_aside = choice.best, {each.name for each in choice.set_aside}
    added = None if chosen is None else chosen.kwh
    drawn_kwh, slots, used = _drawn(added, set_aside, known, inputs.stretches)
    method, estimated = _method(chosen, known)
    if method in ("counter", "lifetime") and known.by_car is not None and chosen is not None and chosen.name == "car":
        used = (("energy_added", known.by_car[0], known.by_car[1].samples), *used)
    counters = {"car": known.by_car, "station": known.by_grid}
    aside = [(found[0], found[1].samples) for name, found in counters.items() if name in set_aside and found is not None]
    if "power" in set_aside and known.drew is not None:
        aside.append((POWER.code, known.drew.samples))
    if "soc" in set_aside:
        aside.append((SOC.code, between(inputs.soc, inputs.stretches[0].start, inputs.stretches[-1].end)))
    read = [known.register, *(each[1] for each in (known.by_grid, known.by_car) if each is not None)]
    meter = next((each for each in read if each is not None and each.register_start is not None), None)
    return Energy(
        added_kwh=added,
        drawn_kwh=drawn_kwh,
        method=method,
        estimated=estimated or choice.disagrees,
        bounds_kwh=choice.bounds_kwh,
        slots=slots,
        used=used,
        set_aside=tuple(each for each in aside if each[1]),
        register_start=None if meter is None else meter.register_start,
        register_end=None if meter is None else meter.register_end,
    )


def _method(chosen: _Measure | None, known: _Known) -> tuple[EnergyMethod | None, bool]:
    """Return how the energy is known, and whether it was concluded and not reported."""
    if chosen is None:
        return None, False
    if chosen.name == "car" and known.by_car is not None:
        return known.by_car[1].method, known.by_car[1].filled
    if chosen.name == "station" and known.by_grid is not None:
        return known.by_grid[1].method, True
    if chosen.name == "power" and known.drew is not None:
        return "integral", known.drew.estimated
    return "state_of_charge", True


def _drawn(
    added: float | None, set_aside: set[Name], known: _Known, stretches: Sequence[Stretch]
) -> tuple[float | None, tuple[Slot, ...], tuple[tuple[str, str, Sequence[Sample]], ...]]:
    """Return what was drawn: by the station's counter, else by power; never what does not fit to what was added."""
    drew = known.drew
    if known.by_grid is not None and "station" not in set_aside:
        slots = () if drew is None or "power" in set_aside else drew.slots
        code, found = known.by_grid
        return found.kwh, scaled(slots, found.kwh, stretches), (("energy_drawn", code, found.samples),)
    if drew is None:
        return None, (), ()
    least = LEAST_SHARE if drew.covered >= power.WHOLLY_COVERED else LEAST_SHARE_CONCLUDED
    for kwh in (drew.kwh, drew.measured_kwh):
        low, high = kwh * least - DRAWN_WITHIN_KWH, kwh * MOST_SHARE + DRAWN_WITHIN_KWH
        if added is None or low <= added <= high:
            return kwh, scaled(drew.slots, kwh, stretches), (("energy_drawn", POWER.code, drew.samples),)
    return None, (), ()
