"""Detect charging sessions in the stored history: a pure function of the reports, in whatever order they arrived.

In: the tracks of `SIGNALS`. Out: `Session`s. There is no state from one report to the next: each report describes its own
instant, and sessions are computed from all of them together. So a restart, a late report or a repeated one makes no difference.
The steps:

1. Read what the tracks report (`reports`, `soc`).
2. Divide the history into cable periods, and find the stretches of charging in each (`periods`, `stretches`).
3. Group the stretches of a period into sessions (`periods.session_groups`).
4. Find the energy, the states of charge and the type of each (`energy`, `counters`, `power`), and leave out handshakes.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from statistics import median
from typing import Final

import msgspec

from chargeport.derive.efficiency import MIN_CURRENT_A, ac_efficiency_at
from chargeport.derive.series import HOUR_MS
from chargeport.derive.sessions.energy import EnergyInputs, energy
from chargeport.derive.sessions.measurements import CURRENT, ENERGY, REGISTER
from chargeport.derive.sessions.periods import (
    FOREVER,
    CablePeriod,
    Observations,
    cable_periods,
    power_supply,
    read_observations,
    session_groups,
    stays_plugged,
)
from chargeport.derive.sessions.reports import CABLE, CLOCK_TOLERANCE_MS, POWER, STATUS
from chargeport.derive.sessions.rules import Rules, reported_capacities
from chargeport.derive.sessions.session import Evidence, Fact, Session
from chargeport.derive.sessions.soc import LOOK_BACK_MS, ROUNDING_PERCENT, SOC, after_drive, rise_between
from chargeport.derive.sessions.stretches import Stretch
from chargeport.derive.tracks import AT, Sample, Tracks, between, by_source, number, samples
from chargeport.signals.catalogue import BY_CODE, IS_CHARGING
from chargeport.signals.definition import Signal
from chargeport.signals.documents import ChargingType

FAST: Final = BY_CODE["charge-isfastchargerpresent"]
CAPACITY: Final = BY_CODE["tractionbattery-nominalcapacity"]

SIGNALS: Final[tuple[Signal, ...]] = (IS_CHARGING, CABLE, STATUS, POWER, CURRENT, ENERGY, REGISTER, SOC, FAST)
"""The signals that sessions are detected from; CAPACITY, of all time, is used too where it is given."""

SOC_INSIDE_MS: Final = 2 * 60_000
"""Where no state of charge is known from outside of the charging, one from this shortly inside is used."""
HEATING_SHARE: Final = 0.015
HEATING_KWH: Final = 2.0
"""Energy of at least this share of the capacity (or this, where it is unknown) makes the state of charge rise.

Less power over time that leaves the state of charge unchanged is heating, or a discharge.
"""


def sessions(tracks: Tracks, now: int, rules: Rules | None = None) -> list[Session]:
    """Return all sessions of the tracks, by time; `now` decides only which of them may continue."""
    rules = rules or Rules()
    observations = read_observations(tracks, rules)
    return sessions_of_periods(cable_periods(observations, rules), observations, tracks, now, rules)


class _Charging(msgspec.Struct, frozen=True):
    """The charging of one session in its cable period, and the time that no other session has.

    `previous_end` is the end of the session before in this period, `next_start` the start of the one after; else the start and
    the end of the period. `last_charged_at` is when it charged last before, in any period. `fast` are the reports of a fast
    charger.
    """

    period: CablePeriod
    stretches: Sequence[Stretch]
    previous_end: int
    next_start: int
    last_charged_at: int
    fast: Sequence[Sample]

    @property
    def start(self) -> int:
        return self.stretches[0].start

    @property
    def end(self) -> int:
        return self.stretches[-1].end


def sessions_of_periods(
    periods: Sequence[CablePeriod], observations: Observations, tracks: Tracks, now: int, rules: Rules
) -> list[Session]:
    """Return the sessions of the cable periods that were found in these observations of the tracks."""
    fast, capacities = samples(tracks, FAST), reported_capacities(tracks.get(CAPACITY))
    found: list[Session] = []
    last_charged_at = -FOREVER
    for period in periods:
        groups = session_groups(period, rules)
        for index, group in enumerate(groups):
            previous_end = groups[index - 1][-1].end if index else period.start
            next_start = groups[index + 1][0].start if index + 1 < len(groups) else period.end
            fast_since = max(period.start, previous_end, group[0].start - rules.reach_ms)
            fast_reports = between(fast, fast_since, group[-1].end - 1)
            charging = _Charging(period, group, previous_end, next_start, last_charged_at, fast_reports)
            own_rules = rules.at(group[-1].end, capacities)
            session = _session(charging, observations, own_rules)
            last_charged_at = group[-1].end
            rise_percent = rise_between(observations.measurements.soc, session.started_at, session.ended_at, own_rules)
            if _is_session(session, rise_percent, own_rules):
                found.append(_with_cable_times(session, charging, now, rules))
    return found


def _is_session(session: Session, rise_percent: float | None, rules: Rules) -> bool:
    """Return whether charging is more than a handshake, and whether it is charging at all.

    Power alone shows no charging where the state of charge did not rise by it: the car heated itself, or discharged.
    `rise_percent` is its rise where it is not known at both ends.
    """
    lasted_ms, added_kwh = session.ended_at - session.started_at, session.energy_added_kwh
    is_measured = session.energy_method not in (None, "state_of_charge")
    if lasted_ms < rules.min_duration_ms and (not is_measured or lasted_ms <= rules.handshake_ms):
        return False
    codes = [code for fact in session.evidence.facts if fact.fact == "charging" for code in fact.signals]
    if session.start_soc is not None and session.end_soc is not None:
        rise_percent = session.end_soc - session.start_soc
    if codes == [POWER.code] and rise_percent is not None and rise_percent <= 0:
        heating_kwh = HEATING_KWH if rules.capacity_kwh is None else HEATING_SHARE * rules.capacity_kwh
        return added_kwh is not None and rules.min_energy_kwh <= added_kwh < heating_kwh
    return added_kwh is None or added_kwh >= rules.min_energy_kwh


def _session(charging: _Charging, observations: Observations, rules: Rules) -> Session:
    """Return a session with its energy, states of charge and type; without the times of the cable."""
    period, start, end = charging.period, charging.start, charging.end
    soc = observations.measurements.soc
    start_soc, end_soc = _start_soc(soc, charging, rules), _end_soc(soc, charging, rules)
    within = period.measurements.between(start, end)
    max_power_w = max((number(sample) for sample in within.power), default=0.0) or None
    is_dc = _charging_type(max_power_w, None, charging, rules) == "DC"
    found = energy(_energy_inputs(charging, observations, (start_soc, end_soc), rules, is_dc=is_dc), rules)
    reports = [report for report in period.charging if start <= report.at <= end]
    facts = _facts("charging", sorted({report.code for report in reports}), [report.at for report in reports])
    for fact, code, used in found.used:
        facts += _facts(fact, [code], [sample.at for sample in used])
    for code, unused in found.set_aside:
        facts += _facts("set_aside", [code], [sample.at for sample in unused])
    facts += _facts("state_of_charge", [SOC.code], [sample.at for sample in within.soc])
    measured = [*within.energy, *within.register, *within.power, *within.soc]
    return Session(
        started_at=start,
        ended_at=end,
        is_open=False,
        start_soc=start_soc,
        end_soc=end_soc,
        energy_added_kwh=found.added_kwh,
        energy_drawn_kwh=found.drawn_kwh,
        energy_method=found.method,
        energy_bounds_kwh=found.bounds_kwh,
        estimated=found.estimated or any(stretch.estimated for stretch in charging.stretches[:-1]),
        charging_type=_charging_type(max_power_w, found.added_kwh, charging, rules),
        max_power_w=max_power_w,
        meter_start_kwh=found.register_start,
        meter_end_kwh=found.register_end,
        sources=tuple(sorted({report.source for report in reports} | {sample.source for sample in measured})),
        evidence=Evidence(tuple(facts)),
        stretches=tuple(charging.stretches),
        slots=found.slots,
    )


def _facts(fact: str, codes: Sequence[str], instants: Sequence[int]) -> list[Fact]:
    return [Fact(fact, tuple(codes), min(instants), max(instants), len(instants))] if instants else []


def _charging_type(
    max_power_w: float | None, added_kwh: float | None, charging: _Charging, rules: Rules
) -> ChargingType | None:
    """Return the type by the reports of a fast charger, else by the highest power, else by the mean power; None if unknown."""
    within = [sample.value for sample in charging.fast if sample.at >= charging.start]
    last = charging.fast[-1].value if charging.fast else None
    if within or last is True:
        return "DC" if (last is True and not within) or True in within else "AC"
    if max_power_w is not None:  # "no fast charger", reported before, may be of another place
        return "DC" if max_power_w > rules.dc_from_w else "AC"
    if last is False:
        return "AC"
    if added_kwh is not None and added_kwh / max(charging.end - charging.start, 1) * HOUR_MS > rules.dc_from_w / 1000:
        return "DC"
    return None


def _with_cable_times(session: Session, charging: _Charging, now: int, rules: Rules) -> Session:
    """Return a session with when the cable was connected and disconnected, and whether it may continue."""
    period, previous_end, next_start = charging.period, charging.previous_end, charging.next_start
    plugged = period.plugged
    first = bisect_left(plugged, max(previous_end, period.start), key=AT)
    plugged_at = None
    is_recent = previous_end >= session.started_at - rules.reach_ms
    if is_recent and first < len(plugged) and plugged[first].at <= session.started_at:
        plugged_at = plugged[first].at
    unplugged_at = None
    if next_start == period.end != FOREVER and period.end - session.ended_at <= rules.reach_ms:
        unplugged_at = period.end
    has_just_ended = now - session.ended_at <= rules.pause_ms
    is_open = next_start == FOREVER and (
        has_just_ended or stays_plugged(plugged, session.ended_at + rules.pause_ms, now, rules)
    )
    estimated = session.estimated or (session.stretches[-1].estimated and not is_open)
    return msgspec.structs.replace(
        session, plugged_at=plugged_at, unplugged_at=unplugged_at, is_open=is_open, estimated=estimated
    )


def _start_soc(soc: Sequence[Sample], charging: _Charging, rules: Rules) -> float | None:
    """Return the state of charge at the start: one from shortly before, or since the cable was connected.

    A first report of charging comes after the start. What the state of charge rose until then belongs to the session.
    """
    at = charging.start
    earliest = max(charging.previous_end, at - rules.state_holds_ms)
    plugged_at = min((report.at for report in charging.period.plugged if earliest <= report.at <= at), default=at)
    known = between(soc, min(plugged_at, at - rules.soc_max_age_ms), at)[-1:] or between(soc, at, at + SOC_INSIDE_MS)[:1]
    if not known:
        return None
    before = between(soc, max(charging.previous_end, at - rules.soc_max_age_ms), at - 1)[-1:]
    has_risen = bool(before) and number(known[0]) - number(before[0]) > ROUNDING_PERCENT
    return number(before[0] if has_risen else after_drive(soc, known[0], charging.end, rules))


def _end_soc(soc: Sequence[Sample], charging: _Charging, rules: Rules) -> float | None:
    """Return the state of charge at the end: one from shortly after, or before the cable was disconnected."""
    at = charging.end
    known = between(soc, at, at + rules.soc_max_age_ms)[:1] or between(soc, at - SOC_INSIDE_MS, at)[-1:]
    if not known and any(at - rules.cable_holds_ms <= report.at <= at for report in charging.period.plugged):
        known = between(soc, at, min(charging.next_start, at + rules.state_holds_ms))[:1]
    return number(known[0]) if known else None


def _ac_efficiency(current: Sequence[Sample], start: int, end: int, rules: Rules) -> float:
    """Return the efficiency at the usual current of a session, by the source with most samples; that of the rules without."""
    own = max(by_source(between(current, start, end)).values(), key=len, default=[])
    flowing = [number(sample) for sample in own if number(sample) > MIN_CURRENT_A]
    return ac_efficiency_at(median(flowing)) if flowing else rules.ac_efficiency


def _energy_inputs(
    charging: _Charging, observations: Observations, socs: tuple[float | None, float | None], rules: Rules, *, is_dc: bool
) -> EnergyInputs:
    """Return the measurements that the energy of a session is found from."""
    period, start, end = charging.period, charging.start, charging.end
    # The last report of a counter may come a little after the cable was disconnected.
    next_start = charging.next_start + CLOCK_TOLERANCE_MS if charging.next_start == period.end else charging.next_start
    later = period.charging[bisect_right(period.charging, end, key=AT) :][:1]
    until = min([next_start, end + rules.reach_ms, *(report.at - 1 for report in later)])
    since = max(charging.previous_end, start - rules.reach_ms)
    # A register counts while the cable is disconnected, too.
    counts_since = max(charging.last_charged_at, min(since, start - rules.state_holds_ms))
    idle = observations.reports.not_charging_between(None, since, start - 1, rules)[-1:]
    if charging.previous_end >= since:
        idle = [*idle, charging.previous_end]
    measurements = observations.measurements
    counts = {ENERGY.code: measurements.energy, REGISTER.code: measurements.register}
    return EnergyInputs(
        stretches=charging.stretches,
        counts={code: between(counter_samples, counts_since, until) for code, counter_samples in counts.items()},
        registers=frozenset({REGISTER.code}),
        power=period.measurements.power,
        soc=between(measurements.soc, start - LOOK_BACK_MS, end + rules.soc_max_age_ms),
        start_soc=socs[0],
        end_soc=socs[1],
        capacity_kwh=rules.capacity_kwh,
        idle_at=max(idle, default=None),
        base_until=start - 1 if any(report.at == start for report in period.charging) else start,
        efficiency=rules.dc_efficiency if is_dc else _ac_efficiency(period.measurements.current, start, end, rules),
        supply=power_supply(period.measurements, observations.reports, rules),
    )
