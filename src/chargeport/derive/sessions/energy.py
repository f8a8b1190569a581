"""The energy of a session: added to the battery, and drawn from the grid.

In: `EnergyInputs`, the measurements of one session. Out: `Energy`. The steps:

1. Each measurement gives an energy: the counters of the car and of the station, power over time, the state of charge.
2. Each energy becomes a candidate for the added energy, with the bounds within which that measurement is right.
3. The best candidate counts unless it is impossible, or the others agree that it is wrong.
4. The drawn energy is that of the station's counter, else of power, if it fits the added one.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import msgspec

from chargeport.derive.series import HOUR_MS
from chargeport.derive.sessions import power
from chargeport.derive.sessions.choice import DISAGREES_KWH, Candidate, Choice, Name, choose
from chargeport.derive.sessions.counters import CountedSession, CounterEnergy, EnergyMethod, counter_energy
from chargeport.derive.sessions.polled import PolledInputs, between_polls
from chargeport.derive.sessions.power import Integral, Slot, integral, scaled
from chargeport.derive.sessions.reports import POWER
from chargeport.derive.sessions.rules import Rules
from chargeport.derive.sessions.soc import SOC, extrapolated_start, last_before_end, trend
from chargeport.derive.sessions.stretches import Stretch
from chargeport.derive.sessions.supply import PowerSupply
from chargeport.derive.tracks import Sample, between, by_source, number

DEFAULT_CAPACITY_KWH: Final = 120.0
"""The largest batteries of cars hold this much: where no capacity is known, one session charges no more."""
MAX_CAPACITY_SHARE: Final = 1.15
"""The known capacity is a nominal one: a counter may show more than it by this factor."""


class Tolerance(NamedTuple):
    """The true energy lies between `low` and `high` times the measured one, widened by `slack_kwh` at both ends."""

    low: float
    high: float
    slack_kwh: float

    def bounds_kwh(self, kwh: float) -> tuple[float, float]:
        """Return the bounds of a measured energy."""
        return kwh * self.low - self.slack_kwh, kwh * self.high + self.slack_kwh


COUNTER_TOLERANCE: Final = Tolerance(0.9, 1.1, 0.3)
POWER_TOLERANCE: Final = Tolerance(0.85, 1.15, 0.3)
ESTIMATED_POWER_TOLERANCE: Final = Tolerance(0.7, 1.4, 0.5)  # of power with long gaps
SOC_TOLERANCE: Final = (0.8, 1.25)
SOC_STEP_PERCENT: Final = 1.5  # the error of a difference of two states of charge
LIKELY_SHARE: Final = 0.15
"""Of several counters, those within this share of the energy by power, or by the state of charge, are preferred."""
DRAWN_SLACK_KWH: Final = 0.5
MAX_UNREPORTED_MS: Final = 24 * HOUR_MS
"""A session may have begun this long before its first report."""
MIN_ROOM_SHARE: Final = 0.15
"""The share of the capacity that can be charged even into a battery that is reported as almost full."""
MAX_ADDED_SHARE: Final = 1.03
MIN_ADDED_SHARE: Final = 0.5
MIN_ADDED_SHARE_SCALED: Final = 0.8
"""The added energy is this share of the drawn one: small where the car heats its battery meanwhile.

Where power is known for a part of the time only, so that its energy is scaled, the share must be larger. Heating takes at most
`Rules.max_heating_w`.
"""


class Energy(msgspec.Struct, frozen=True):
    """The energy of a session in kWh, how it is known, and the measurements that do not count."""

    added_kwh: float | None
    drawn_kwh: float | None
    method: EnergyMethod | None
    estimated: bool
    bounds_kwh: tuple[float, float] | None
    """The bounds of the added energy."""
    slots: tuple[Slot, ...]
    used: tuple[tuple[str, str, Sequence[Sample]], ...]
    """The fact, the signal's code, and its samples."""
    set_aside: tuple[tuple[str, Sequence[Sample]], ...] = ()
    register_start: float | None = None
    register_end: float | None = None


class EnergyInputs(msgspec.Struct, frozen=True, kw_only=True):
    """The measurements of a session.

    `counts` are the samples of counters by the code of their signal, from before the session to the next one; `registers` are
    the codes of counters that are not reset for a session. Nothing charged at `idle_at`, the last such instant before; a
    counter reading until `base_until` is from before the session. `efficiency` is the share of the drawn energy that is added.
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
    efficiency: float
    supply: PowerSupply

    @property
    def start(self) -> int:
        """The instant at which charging began."""
        return self.stretches[0].start

    @property
    def end(self) -> int:
        """The instant at which charging ended."""
        return self.stretches[-1].end


class _Counter(NamedTuple):
    """The energy of the session by the counter of a signal."""

    code: str
    energy: CounterEnergy


class _Measured(msgspec.Struct, frozen=True):
    """The energies that were measured; `register` is the meter whose readings the session shows."""

    car: _Counter | None
    station: _Counter | None
    register: CounterEnergy | None
    power: Integral | None
    soc_kwh: float | None


def energy(inputs: EnergyInputs, rules: Rules) -> Energy:
    """Return the energy by the best measurement: a counter, else power over time, else the state of charge."""
    by_power, soc_kwh = integral(inputs.power, inputs.stretches, rules), _soc_kwh(inputs)
    if by_power is not None:
        polled = PolledInputs(inputs.stretches, inputs.idle_at, inputs.soc, inputs.capacity_kwh, inputs.efficiency)
        by_power = between_polls(by_power, polled, rules)
    likely = soc_kwh if by_power is None else by_power.kwh * inputs.efficiency
    if likely is not None and soc_kwh is not None and likely < soc_kwh / 2 and soc_kwh - likely > DISAGREES_KWH:
        likely = soc_kwh
    car, station, register = _counters(inputs, likely, rules)
    if by_power is None and soc_kwh is None and car is None and station is None:
        by_power = power.held(inputs.power, inputs.stretches, rules)
    measured = _Measured(car, station, register, by_power, soc_kwh)
    limits = _max_added_kwh(inputs), _max_heating_kwh(inputs, rules)
    choice = choose(_candidates(measured, inputs), *limits, trend(inputs.soc, inputs.start, inputs.end))
    return _result(choice, measured, inputs, rules)


def _soc_kwh(inputs: EnergyInputs) -> float | None:
    """Return the energy by the rise of the state of charge and the capacity; None where either is unknown."""
    start, end = inputs.start, inputs.end
    start_soc = extrapolated_start(inputs.soc, start, end) if inputs.start_soc is None else inputs.start_soc
    end_soc = last_before_end(inputs.soc, start, end) if inputs.end_soc is None else inputs.end_soc
    if start_soc is None or end_soc is None or inputs.capacity_kwh is None or end_soc < start_soc:
        return None
    return (end_soc - start_soc) / 100 * inputs.capacity_kwh


def _counters(
    inputs: EnergyInputs, likely_added_kwh: float | None, rules: Rules
) -> tuple[_Counter | None, _Counter | None, CounterEnergy | None]:
    """Return the counter of the car, that of the station, and the register of a meter, of the station if it has one.

    Of several counters one that is likely counts, and of those the one with most samples.
    """
    found: dict[bool, list[tuple[bool, int, str, str, CounterEnergy]]] = {False: [], True: []}
    max_first_kwh = _max_first_kwh(inputs)
    pauses = [(before.end, after.start) for before, after in pairwise(inputs.stretches)]
    for code, counts in inputs.counts.items():
        for source, samples in by_source(counts).items():
            is_grid = source in rules.grid_sources
            factor = 1.0 if is_grid else inputs.efficiency
            likely = None if likely_added_kwh is None else likely_added_kwh * factor / inputs.efficiency
            session = CountedSession(
                inputs.start, inputs.end, inputs.idle_at, inputs.base_until, likely, max_first_kwh, pauses
            )  # fmt: skip

            def energy_between(start: int, end: int, factor: float = factor) -> float | None:
                kwh = power.energy_between(inputs.power, start, end, rules)
                return _soc_kwh_between(inputs, start, end) if kwh is None else kwh * factor

            is_register = code in inputs.registers
            counted = counter_energy(samples, session, inputs.supply, energy_between, is_register=is_register)
            if counted is not None:
                found[is_grid].append((_is_unlikely(counted.kwh, likely), -len(counted.samples), source, code, counted))
    best = [min(found[is_grid], key=lambda each: each[:4], default=None) for is_grid in (False, True)]
    car, station = (None if each is None else _Counter(each[3], each[4]) for each in best)
    registers = [each[4] for is_grid in (True, False) for each in found[is_grid] if each[3] in inputs.registers]
    return car, station, next(iter(registers), None)


def _is_unlikely(kwh: float, likely_kwh: float | None) -> bool:
    return likely_kwh is not None and abs(kwh - likely_kwh) > max(LIKELY_SHARE * likely_kwh, DISAGREES_KWH)


def _max_first_kwh(inputs: EnergyInputs) -> float:
    """Return the most that a session counter can show at its first reading: what the battery holds then."""
    capacity_kwh = inputs.capacity_kwh or DEFAULT_CAPACITY_KWH
    soc = next((number(sample) for sample in inputs.soc if sample.at >= inputs.start), inputs.start_soc)
    return MAX_CAPACITY_SHARE * capacity_kwh * (1.0 if soc is None or inputs.capacity_kwh is None else soc / 100)


def _soc_kwh_between(inputs: EnergyInputs, start: int, end: int) -> float | None:
    """Return the energy by the rise of the state of charge between two instants, interpolated; None where it is unknown."""
    if inputs.capacity_kwh is None:
        return None
    for samples in by_source(inputs.soc).values():
        before, after = [each for each in samples if each.at <= start][-1:], [each for each in samples if each.at >= end][:1]
        if before and after and after[0].at > before[0].at:
            share = (end - start) / (after[0].at - before[0].at)
            return max(0.0, number(after[0]) - number(before[0])) / 100 * inputs.capacity_kwh * share
    return None


def _candidates(measured: _Measured, inputs: EnergyInputs) -> list[Candidate]:
    """Return the candidates for the added energy, the best measurement first."""
    found = []
    if measured.car is not None:
        kwh = measured.car.energy.kwh
        found.append(Candidate("car", kwh, *COUNTER_TOLERANCE.bounds_kwh(kwh)))
    if measured.station is not None:
        kwh = measured.station.energy.kwh * inputs.efficiency
        found.append(Candidate("station", kwh, *COUNTER_TOLERANCE.bounds_kwh(kwh)))
    if measured.power is not None:
        kwh, is_estimated = measured.power.kwh * inputs.efficiency, measured.power.estimated
        tolerance = ESTIMATED_POWER_TOLERANCE if is_estimated else POWER_TOLERANCE
        low, high = tolerance.bounds_kwh(kwh)
        edge_kwh = measured.power.edge_kwh * inputs.efficiency
        found.append(Candidate("power", kwh, min(low, kwh - edge_kwh), max(high, kwh + edge_kwh), is_estimated))
    if measured.soc_kwh is not None and inputs.capacity_kwh is not None:
        kwh, slack_kwh = measured.soc_kwh, SOC_STEP_PERCENT / 100 * inputs.capacity_kwh
        is_estimated = inputs.start_soc is None or inputs.end_soc is None
        found.append(Candidate("soc", kwh, *Tolerance(*SOC_TOLERANCE, slack_kwh).bounds_kwh(kwh), is_estimated))
    return found


def _max_added_kwh(inputs: EnergyInputs) -> float:
    """Return the most that can have been added: by the free capacity of the battery, and by the supply since it was idle."""
    start, end = inputs.start, inputs.end
    since = start - MAX_UNREPORTED_MS if inputs.idle_at is None else inputs.idle_at
    room = float("inf") if inputs.capacity_kwh is None else MAX_CAPACITY_SHARE * inputs.capacity_kwh
    if inputs.capacity_kwh is not None and inputs.start_soc is not None:
        room = max(room * (100 - inputs.start_soc) / 100, MIN_ROOM_SHARE * inputs.capacity_kwh)
    # What the car uses between two stretches may be charged again in the second.
    return min(room * len(inputs.stretches), inputs.supply.max_kw * (end - min(since, start)) / HOUR_MS + DISAGREES_KWH)


def _max_heating_kwh(inputs: EnergyInputs, rules: Rules) -> float:
    """Return the most that a car can have used to heat itself while it charged."""
    charged_ms = sum(stretch.end - stretch.start for stretch in inputs.stretches)
    return rules.max_heating_w / 1000 * charged_ms / HOUR_MS


def _result(choice: Choice, measured: _Measured, inputs: EnergyInputs, rules: Rules) -> Energy:
    best, set_aside = choice.best, {each.name for each in choice.set_aside}
    added_kwh = None if best is None else best.kwh
    drawn_kwh, slots, used = _drawn(added_kwh, set_aside, measured, inputs, rules)
    method, estimated = _method(best, measured)
    if best is not None and best.name == "car" and measured.car is not None:
        used = (("energy_added", measured.car.code, measured.car.energy.samples), *used)
    counters = {"car": measured.car, "station": measured.station}
    unused = [(each.code, each.energy.samples) for name, each in counters.items() if name in set_aside and each is not None]
    if "power" in set_aside and measured.power is not None:
        unused.append((POWER.code, measured.power.samples))
    if "soc" in set_aside:
        unused.append((SOC.code, between(inputs.soc, inputs.start, inputs.end)))
    counted = [each.energy for each in (measured.station, measured.car) if each is not None]
    meters = [each for each in (measured.register, *counted) if each is not None and each.register_start is not None]
    return Energy(
        added_kwh=added_kwh,
        drawn_kwh=drawn_kwh,
        method=method,
        estimated=estimated or choice.is_disputed,
        bounds_kwh=choice.bounds_kwh,
        slots=slots,
        used=used,
        set_aside=tuple((code, samples) for code, samples in unused if samples),
        register_start=meters[0].register_start if meters else None,
        register_end=meters[0].register_end if meters else None,
    )


def _method(best: Candidate | None, measured: _Measured) -> tuple[EnergyMethod | None, bool]:
    """Return how the energy is known, and whether it is estimated."""
    if best is None:
        return None, False
    if best.name == "car" and measured.car is not None:
        return measured.car.energy.method, measured.car.energy.is_filled
    if best.name == "station" and measured.station is not None:
        return measured.station.energy.method, True
    if best.name == "power" and measured.power is not None:
        return "integral", measured.power.estimated
    return "state_of_charge", True


def _drawn(
    added_kwh: float | None, set_aside: set[Name], measured: _Measured, inputs: EnergyInputs, rules: Rules
) -> tuple[float | None, tuple[Slot, ...], tuple[tuple[str, str, Sequence[Sample]], ...]]:
    """Return the drawn energy, its slots and samples: by the station's counter, else by power that fits the added energy."""
    by_power = measured.power
    if measured.station is not None and "station" not in set_aside:
        slots = () if by_power is None or "power" in set_aside else by_power.slots
        code, counted = measured.station
        return counted.kwh, scaled(slots, counted.kwh, inputs.stretches), (("energy_drawn", code, counted.samples),)
    if by_power is None:
        return None, (), ()
    min_share = MIN_ADDED_SHARE if by_power.coverage >= power.FULL_COVERAGE else MIN_ADDED_SHARE_SCALED
    heating_kwh = _max_heating_kwh(inputs, rules)
    for kwh in (by_power.kwh, by_power.measured_kwh):
        low = max(kwh * min_share, kwh * inputs.efficiency - heating_kwh) - DRAWN_SLACK_KWH
        high = kwh * MAX_ADDED_SHARE + DRAWN_SLACK_KWH
        if added_kwh is None or low <= added_kwh <= high:
            drawn_kwh = max(kwh, added_kwh or 0.0)  # power in whole kW, or sampled seldom, may show a little less
            slots = scaled(by_power.slots, drawn_kwh, inputs.stretches)
            return drawn_kwh, slots, (("energy_drawn", POWER.code, by_power.samples),)
    return None, (), ()
