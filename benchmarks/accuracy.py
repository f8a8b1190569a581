"""How far derived energy, time to complete and charge rate are from the truth, at samplings from 10 s to 15 minutes.

Two kinds of session are made here and played to the rules with those three signals left out: one like a session that was
really measured (one phase of 240 V and 40 A, 57 to 70 % of 76.9 kWh, 10.61 kWh from the wall and 10.07 into the battery),
polled at every offset; and the simulator's, which reports changes at once. Targets: energy ± 3 % at 5 minutes or less, time
± 5 minutes or 10 %, rate ± 10 %.

    python -m benchmarks.accuracy

Columns: the error of the session's energy at its end; the worst of it all along (from a tenth of the session on), of the time
to complete in minutes and as a share of what the target allows, and of the rate (from the third minute on). "default" knows a
car's capacity and DC curve only, "learnt" its efficiency from two sessions before (and the taper in place of the curve).

A poll can't see when charging began and ended, so the check session is polled at many offsets: targets are those of the usual
one (the median of the absolute errors). "worst" is the unluckiest: at 5 minutes charging may have taken up to 10 minutes more
than the polls prove. The state of charge narrows that, and its energy has a target of ± 3.6 %. A target that is missed and
does not stand in KNOWN_MISSES, or is met and stands there, ends the run with 1.
"""

import math
import sys
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from msgspec.structs import replace

from chargeport.derive import efficiency
from chargeport.derive.live import curves, taper
from chargeport.derive.live.inputs import CarFacts, Context, Observed, OpenSession, Sample
from chargeport.derive.live.rules import derive
from chargeport.dialects.simulator import SIMULATOR
from chargeport.ingest.engine import normalise
from chargeport.signals import bodies
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.definition import Signal, Value
from chargeport.signals.reading import Reading
from chargeport.sources.simulator import Car, CarProfile, Limit, Reporter, Station, home_station, models

ENERGY: Final = BY_CODE["charge-energyadded"]
TIME: Final = BY_CODE["charge-timetocomplete"]
RATE: Final = BY_CODE["charge-chargerate"]
WATTAGE: Final = BY_CODE["charge-wattage"]
VOLTAGE: Final = BY_CODE["charge-voltage"]
AMPERAGE: Final = BY_CODE["charge-amperage"]
CHARGING: Final = BY_CODE["charge-ischarging"]
SOC: Final = BY_CODE["tractionbattery-stateofcharge"]
HIDDEN: Final = frozenset({ENERGY, TIME, RATE})

ENERGY_PERCENT: Final = 3.0
WORST_ENERGY_PERCENT: Final = 3.6
ENERGY_EVERY_S: Final = 300
DC_ENERGY_PERCENT: Final = 10.0
DC_ENERGY_EVERY_S: Final = 900
TIME_MIN: Final = 5.0
TIME_SHARE: Final = 0.10
RATE_PERCENT: Final = 10.0

SECOND_MS: Final = 1000
MINUTE_MS: Final = 60_000
T0: Final = 1_777_629_600_000
SAMPLINGS_S: Final = (10, 60, 300, 600, 900)


class Truth(NamedTuple):
    """What is so at an instant."""

    energy_kwh: float
    rate_km_h: float | None


class Report(NamedTuple):
    """What a car says at an instant, and what is so."""

    at: int
    values: dict[Signal, Value]
    truth: Truth


class Errors(NamedTuple):
    """The worst errors of a session; NaN where nothing was derived. `time_share` is 1 where the target is just met."""

    energy_end_percent: float
    energy_percent: float
    time_min: float
    time_share: float
    rate_percent: float
    rules: frozenset[str]


def usual(many: list[Errors]) -> Errors:
    """Return the median of each error, by its size."""
    return _picked(many, len(many) // 2)


def worst(many: list[Errors]) -> Errors:
    """Return the largest of each error."""
    return _picked(many, -1)


def _picked(many: list[Errors], index: int) -> Errors:
    columns = [sorted(column, key=abs)[index] for column in zip(*(errors[:5] for errors in many), strict=True)]
    return Errors(*columns, frozenset().union(*(errors.rules for errors in many)))


# Playing a session to the rules


class Listener:
    """Keeps what is reported, as a service does, and asks the rules after each report."""

    def __init__(self, car: CarFacts, hidden: Iterable[Signal]) -> None:
        self.car = car
        self.hidden = frozenset(hidden)
        self.values: dict[Signal, Observed] = {}
        self.samples: dict[Signal, list[Sample]] = {signal: [] for signal in (WATTAGE, VOLTAGE, AMPERAGE, SOC)}
        self.started_at: int | None = None
        self.idle_at: int | None = None
        self.soc_before: float | None = None

    def hear(self, report: Report) -> None:
        """Take in a report."""
        charging = report.values.get(CHARGING)
        if self.started_at is None and charging is True:
            self.started_at = report.at
        elif self.started_at is None:
            self.idle_at, soc = report.at, report.values.get(SOC)
            self.soc_before = self.soc_before if soc is None else float(soc)
        for signal, value in report.values.items():
            if signal not in self.hidden:
                self.values[signal] = Observed(value, report.at, "box")
                if self.started_at is not None and signal in self.samples:
                    self.samples[signal].append(Sample(report.at, float(value)))

    def context(self) -> Context:
        """Return what the rules are given now."""
        return Context(self.values, self.session(), self.car)

    def session(self) -> OpenSession | None:
        """Return the session so far; None where none has begun."""
        if self.started_at is None:
            return None
        power, voltage, amperage, soc = self.samples.values()
        return OpenSession(
            started_at=self.started_at,
            idle_at=self.idle_at,
            soc_before=self.soc_before,
            power=power,
            voltage=voltage,
            amperage=amperage,
            soc=soc,
        )


def play(reports: Iterable[Report], ends_at: int, car: CarFacts, hidden: Iterable[Signal] = HIDDEN) -> Errors:
    """Return the worst errors over a session that reaches its limit at `ends_at`."""
    listener = Listener(car, hidden)
    energies, times, rates, rules = [], [], [], set()
    reports = list(reports)
    whole_kwh = reports[-1].truth.energy_kwh
    for report in reports:
        listener.hear(report)
        found = {each.signal: each for each in derive(listener.context(), report.at)}
        rules |= {each.rule for each in found.values() if each.signal in HIDDEN}
        if ENERGY in found and report.truth.energy_kwh > whole_kwh / 10:
            energies.append(_percent(found[ENERGY].value, report.truth.energy_kwh))
        if TIME in found:
            left_min = (ends_at - found[TIME].observed_at) / MINUTE_MS
            times.append((float(found[TIME].value) - left_min, left_min))
        began_at = report.at if listener.started_at is None else listener.started_at
        if RATE in found and report.truth.rate_km_h and report.at >= began_at + 2 * MINUTE_MS:
            rates.append(_percent(found[RATE].value, report.truth.rate_km_h))
    shares = [error / max(TIME_MIN, TIME_SHARE * left_min) for error, left_min in times]
    return Errors(
        energies[-1] if energies else math.nan,
        _worst(energies),
        _worst([error for error, _ in times]),
        _worst(shares),
        _worst(rates),
        frozenset(rules),
    )


def _percent(value: Value, truth: float) -> float:
    return 100 * (float(value) / truth - 1)


def _worst(errors: list[float]) -> float:
    return max(errors, key=abs) if errors else math.nan


# A session like the one that was measured


CHECK_KWH: Final = 76.9
CHECK_SOC: Final = (56.9, 70.0)
CHECK_EFFICIENCY: Final = 0.949
CHECK_KWH_PER_KM: Final = 0.180
CHECK_CAR: Final = CarFacts(capacity_kwh=CHECK_KWH)


def check_course() -> list[tuple[float, float, float]]:
    """Second by second until the limit: volts, amperes, percent. The first minute is a ramp; the mains sways by 2 V."""
    course: list[tuple[float, float, float]] = []
    soc_percent = CHECK_SOC[0]
    while soc_percent < CHECK_SOC[1]:
        second = len(course)
        current_a = 40 * min(1.0, 0.1 + second / 60)
        voltage_v = 240 + 2 * math.sin(second / 400)
        course.append((voltage_v, current_a, soc_percent))
        soc_percent += voltage_v * current_a * CHECK_EFFICIENCY / 3_600_000 / CHECK_KWH * 100
    return course


def check_reports(every_s: int, offset_s: int, *, whole_kw: bool = False) -> Iterator[Report]:
    """Yield the session polled every so often: whole volts, amperes and percent; or whole kW instead of the first two."""
    course = check_course()
    for second in range(offset_s - every_s, len(course) + every_s, every_s):
        charging = 0 <= second < len(course)
        volts, amperes, soc_percent = course[min(max(second, 0), len(course) - 1)]
        flow = (volts, amperes) if charging else (0.0, 0.0)
        values: dict[Signal, Value] = {
            CHARGING: charging,
            BY_CODE["charge-isfastchargerpresent"]: False,
            BY_CODE["charge-chargerphases"]: 1,
            BY_CODE["charge-ischargingcableconnected"]: True,
            BY_CODE["charge-chargelimits"]: bodies.parse(BY_CODE["charge-chargelimits"], {"activeLimit": 70}),
            SOC: round(soc_percent),
            BY_CODE["tractionbattery-range"]: bodies.parse(
                BY_CODE["tractionbattery-range"], {"value": round(soc_percent / 100 * CHECK_KWH / CHECK_KWH_PER_KM)}
            ),
        }
        if whole_kw:
            values[WATTAGE] = 1000 * round(flow[0] * flow[1] / 1000)
        else:
            values |= {VOLTAGE: round(flow[0]), AMPERAGE: round(flow[1])}
        rate = flow[0] * flow[1] * CHECK_EFFICIENCY / 1000 / CHECK_KWH_PER_KM
        stored_kwh = (soc_percent - CHECK_SOC[0]) / 100 * CHECK_KWH
        yield Report(T0 + second * SECOND_MS, values, Truth(stored_kwh, rate or None))


def check_learnt(*, whole_kw: bool = False) -> CarFacts:
    """Return what two such sessions before, reported in the same way and with the car's energy, teach of its efficiency.

    A power that is rounded up is so in the sessions before, too: the share that is learnt makes up for it.
    """
    pairs = []
    for offset_s in (20, 40):
        listener = Listener(CarFacts(ac_efficiency=1.0), HIDDEN)
        for report in check_reports(60, offset_s, whole_kw=whole_kw):
            listener.hear(report)
        drawn = {each.signal: each.value for each in derive(listener.context(), report.at)}
        pairs.append((round(report.truth.energy_kwh, 1), float(drawn[ENERGY])))
    return replace(CHECK_CAR, ac_efficiency=efficiency.learned(pairs))


def check_errors(every_s: int, car: CarFacts = CHECK_CAR, *, offsets: int = 12, whole_kw: bool = False) -> list[Errors]:
    """Return the errors of polls that begin at different offsets."""
    ends_at = T0 + len(check_course()) * SECOND_MS
    return [
        play(check_reports(every_s, number * every_s // offsets + 1, whole_kw=whole_kw), ends_at, car)
        for number in range(min(offsets, every_s))
    ]


# Sessions of the simulator


class Case(NamedTuple):
    """A simulated session: the car, from where to where, at which station."""

    name: str
    model: CarProfile
    start_percent: float
    limit_percent: float
    station: Station

    def profile(self) -> CarProfile:
        """Return the car as it comes to the station."""
        limits = (Limit(type="GLOBAL", limit=self.limit_percent),)
        return replace(self.model, start_soc_percent=self.start_percent, limits=limits, timers=(), sleep_after_min=None)


CASES: Final = (
    Case("AC 11 kW, 30 to 80 %", models.RUNABOUT, 30, 80, home_station(models.RUNABOUT)),
    Case("AC 11.5 kW split phase, 40 to 90 %", models.FRONTIER, 40, 90, home_station(models.FRONTIER)),
    Case("AC 11 kW, 80 to 100 %", models.GRAND, 80, 100, home_station(models.GRAND)),
    Case("DC 300 kW 800 V, 12 to 80 %", models.TOURER_800, 12, 80, Station(kind="DC", power_w=300_000)),
    Case("DC 150 kW, 20 to 90 %", models.FJORD, 20, 90, Station(kind="DC", power_w=150_000)),
    Case("DC 50 kW, 20 to 80 %", models.RUNABOUT, 20, 80, Station(kind="DC", power_w=50_000)),
)


def simulated(case: Case, every_s: int, seed: int = 1) -> tuple[list[Report], int]:
    """Return a car's reports from plugging in until it is full, and when that was; the truth is from a twin without noise."""
    reporter = Reporter(Car(case.profile(), seed, T0), seed, charging_every_s=every_s)
    twin = Car(case.profile(), seed, T0)
    messages = reporter.due(T0)
    for car in (reporter.car, twin):
        car.plug(case.station)
    reports, at = [], T0
    while reporter.car.status != "FULLY_CHARGED":
        at += MINUTE_MS
        messages += reporter.due(at)
    for message in messages:
        observed_at = message.observed_at or 0
        twin.advance(observed_at)
        fields = twin.snapshot()
        values = {each.signal: each.value for each in normalise(message, SIMULATOR).entries if isinstance(each, Reading)}
        charging = twin.status == "CHARGING"
        truth = Truth(fields.get("energy_added_kwh", 0.0), fields["rate_km_h"] if charging else None)
        reports.append(Report(observed_at, values, truth))
    return reports, reports[-1].at


def facts(case: Case) -> CarFacts:
    """Return what an owner configures: the capacity, and the curve of the model."""
    curve = curves.curve(case.model.dc_curve) if case.model.dc_curve else None
    return CarFacts(capacity_kwh=case.model.capacity_kwh, curve=curve)


def learnt_facts(case: Case, every_s: int) -> CarFacts:
    """Return what two sessions from 10 % to full teach, with no curve configured."""
    past, pairs = [], []
    for seed in (2, 3):
        reports, _ = simulated(case._replace(start_percent=10, limit_percent=100), every_s, seed)
        listener = Listener(CarFacts(ac_efficiency=1.0, dc_efficiency=1.0), HIDDEN)
        for report in reports:
            listener.hear(report)
        session = listener.session()
        assert session is not None
        past.append(
            taper.FinishedSession(kind=case.station.kind, started_at=session.started_at, power=session.power, soc=session.soc)
        )
        drawn = {each.signal: each.value for each in derive(listener.context(), reports[-1].at)}
        pairs.append((reports[-1].truth.energy_kwh, float(drawn[ENERGY])))
    share = efficiency.learned(pairs)
    known = CarFacts(capacity_kwh=case.model.capacity_kwh, taper=taper.learn(past))
    return replace(known, dc_efficiency=share) if case.station.kind == "DC" else replace(known, ac_efficiency=share)


def simulated_errors(case: Case, every_s: int, car: CarFacts, hidden: Iterable[Signal] = HIDDEN) -> Errors:
    """Return the errors of one simulated session."""
    reports, ends_at = simulated(case, every_s)
    return play(reports, ends_at, car, hidden)


# The table


KNOWN_MISSES: Final = {
    ("AC 11 kW, 80 to 100 %", "learnt", 300): "time",  # the taper of the last 5 % is seen in few samples
}


def misses(errors: Errors, every_s: int, *, is_dc: bool = False, is_worst: bool = False) -> list[str]:
    """Which targets are missed. Energy has one up to 5 minutes, on DC a wider one up to 15."""
    missed = []
    limit = ENERGY_PERCENT if every_s <= ENERGY_EVERY_S else DC_ENERGY_PERCENT
    limit = WORST_ENERGY_PERCENT if is_worst else limit
    if every_s <= (DC_ENERGY_EVERY_S if is_dc else ENERGY_EVERY_S) and not abs(errors.energy_end_percent) <= limit:
        missed.append(f"energy {errors.energy_end_percent:+.1f} %")
    if not abs(errors.time_share) <= 1:
        missed.append(f"time {errors.time_min:+.1f} min")
    if not abs(errors.rate_percent) <= RATE_PERCENT:
        missed.append(f"rate {errors.rate_percent:+.1f} %")
    return missed


def rows(samplings_s: Iterable[int] = SAMPLINGS_S) -> Iterator[tuple[str, str, int, Errors]]:
    """Every session at every sampling: its name, what is known of the car, the sampling, the errors."""
    for flow, whole_kw in (("V and A", False), ("whole kW", True)):
        for known, car in (("default", CHECK_CAR), ("learnt", check_learnt(whole_kw=whole_kw))):
            for every_s in (60, 300, 600, 1200):
                many = check_errors(every_s, car, whole_kw=whole_kw)
                yield f"check session, {flow}, usual", known, every_s, usual(many)
                yield f"check session, {flow}, worst", known, every_s, worst(many)
    for case in CASES:
        for every_s in samplings_s:
            yield case.name, "default", every_s, simulated_errors(case, every_s, facts(case))
        for every_s in samplings_s:
            learnt = learnt_facts(case, min(every_s, 60))
            yield case.name, "learnt", every_s, simulated_errors(case, every_s, learnt)
    case = CASES[0]
    yield f"{case.name}, no wattage", "default", 60, simulated_errors(case, 60, facts(case), HIDDEN | {WATTAGE})


def main() -> None:
    """Print the table; end with 1 where a target is missed that is not known to be, or met that is."""
    print(f"{'session':<36} {'car':<8} {'every':>6} {'end %':>6} {'energy %':>8} {'min':>6} {'share':>6} {'rate %':>7}  missed")
    wrong = []
    for name, known, every_s, errors in rows():
        missed = misses(errors, every_s, is_dc=name.startswith("DC"), is_worst=name.endswith("worst"))
        print(
            f"{name:<36} {known:<8} {every_s:>4} s {errors.energy_end_percent:>+6.1f} {errors.energy_percent:>+8.1f}"
            f" {errors.time_min:>+6.1f} {errors.time_share:>+6.2f} {errors.rate_percent:>+7.1f}"
            f"  {', '.join(missed)}"
        )
        expected = [KNOWN_MISSES[name, known, every_s]] if (name, known, every_s) in KNOWN_MISSES else []
        if [each.split()[0] for each in missed] != expected:
            wrong.append(f"{name}, {known}, every {every_s} s: missed {missed or 'nothing'}, expected {expected or 'nothing'}")
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
