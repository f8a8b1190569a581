"""Sessions whose begin and end lie between two reports, and those whose reports say less than what flowed."""

import pytest
from charging_days import CABLE, CHARGING, ENERGY, MINUTE, POWER, SOC, STATUS, T0, Seen, course, steady
from test_session_issues import RULES, made, minutes

from chargeport.derive.edges import EdgeEnergy, SocRise, step_percent, with_edges
from chargeport.derive.sessions.measurements import CURRENT, REGISTER
from chargeport.derive.sessions.session import Session

ADDED_KW = 7.2 * RULES.ac_efficiency


def seen(every: int, offset: int, lasts: int, *, percent: bool = True, after: int = 60) -> list[Seen]:
    """A car of 60 kWh that is polled every so many minutes and charges at 7.2 kW from minute 0 on."""
    instants = range(offset - every, lasts + after, every)
    flows = {minute: 0 <= minute < lasts for minute in instants}
    charge = {minute: round(40.3 + min(max(0, minute), lasts) / 60 * ADDED_KW / 60 * 100) for minute in instants}
    return [
        *course(CHARGING, dict(flows)),
        *course(POWER, {minute: 7_200 if is_flowing else 0 for minute, is_flowing in flows.items()}),
        *(course(SOC, charge) if percent else []),
    ]


# Between two polls


@pytest.mark.parametrize("every", [5, 10, 15])
def test_the_state_of_charge_narrows_what_flowed_between_two_polls(every: int) -> None:
    narrowed, alone_by_power = 0.0, 0.0
    for lasts in (62, 67, 74):
        for offset in range(every):
            (one,) = made(seen(every, offset, lasts))
            (alone,) = made(seen(every, offset, lasts, percent=False))
            truth = lasts / 60 * ADDED_KW
            assert one.energy_added_kwh is not None
            assert alone.energy_added_kwh is not None
            narrowed += (one.energy_added_kwh / truth - 1) ** 2
            alone_by_power += (alone.energy_added_kwh / truth - 1) ** 2
            assert one.energy_bounds_kwh is not None
            assert one.energy_bounds_kwh[0] <= truth <= one.energy_bounds_kwh[1]
    assert narrowed < 0.6 * alone_by_power


def test_energy_that_two_polls_leave_open_by_more_than_a_tenth_is_estimated() -> None:
    (seldom,), (often,) = made(seen(15, 4, 62)), made(seen(2, 1, 62))
    assert (seldom.estimated, often.estimated) == (True, False)


def test_a_source_that_reports_changes_has_no_time_between_two_polls() -> None:
    reported = [
        *course(CHARGING, {-300: False, 0: True, 61: False}),
        *course(POWER, {0: 7_200, 20: 7_210, 40: 7_190, 61: 0}),
        *course(SOC, {-300: 40, 0: 40, 30: 46, 61: 52}),
    ]
    (one,) = made(reported)
    assert one.energy_drawn_kwh == pytest.approx(7.2 * 61 / 60, rel=0.005)


def test_the_estimate_never_leaves_what_the_intervals_allow() -> None:
    for rise in (0.0, 3.0, 9.0, 12.0, 40.0):
        found = with_edges(10.0, (1.0, 0.5), SocRise(rise, 9.0, rise, 0.6))
        assert (found.low_kwh, found.high_kwh) == (10.0, 11.5)
        assert 10.0 <= found.kwh <= 11.5
    assert with_edges(10.0, (0.0, 0.0), SocRise(3.0, 9.0, 3.0, 0.6)).kwh == 10.0


def test_fine_steps_of_the_state_of_charge_decide_and_coarse_ones_say_little() -> None:
    fine, coarse = (with_edges(10.0, (2.0, 2.0), SocRise(0.2, 10.0, 1.9, step)).kwh for step in (0.01, 8.0))
    assert fine == pytest.approx(12.1, abs=0.1)
    assert coarse == pytest.approx(12.0, abs=0.1)
    assert with_edges(1.0, (1.0, 1.0), None) == EdgeEnergy(2.0, 1.0, 3.0)


def test_a_capacity_that_is_wrong_is_corrected_by_what_flowed_during_charging() -> None:
    right = with_edges(30.0, (1.5, 1.5), SocRise(0.6, 30.0, 0.6, 0.6)).kwh
    wrong = with_edges(30.0, (1.5, 1.5), SocRise(0.66, 33.0, 0.66, 0.66)).kwh
    assert wrong == pytest.approx(right, abs=0.3)


@pytest.mark.parametrize(
    ("charge", "step"), [([50.0, 53.0], 1.0), ([50.0, 50.5, 52.0], 0.5), ([50.2, 50.9, 51.2], 0.1), ([50.0], 1.0)]
)
def test_the_step_of_a_state_of_charge_follows_from_its_reports(charge: list[float], step: float) -> None:
    assert step_percent(charge) == pytest.approx(step)


def test_the_efficiency_of_a_session_is_that_of_its_current() -> None:
    reported = seen(5, 0, 120, percent=False)
    added = [
        made(reported, steady(CURRENT, range(0, 120, 5), amperes))[0].energy_added_kwh or 0 for amperes in (6.5, 16.0, 32.0)
    ]  # fmt: skip
    assert added == sorted(added)
    assert added[0] / added[2] == pytest.approx(0.8755 / 0.9404, rel=0.01)


# A source that is always asked in a pause


@pytest.mark.parametrize("signal", [ENERGY, REGISTER])
@pytest.mark.parametrize("denial", [CHARGING, POWER])
@pytest.mark.parametrize("on", [5, 15])
def test_a_counter_that_rises_on_and_on_counts_what_flowed_between_reports_that_deny_it(
    signal: object, denial: object, on: int
) -> None:
    every = range(-30, 240, 30)
    kwh = {minute: 100 + max(0, minute) // 30 * on / 60 * 7.4 for minute in every}
    reported = [
        *course(CABLE, {minute: minute >= 0 for minute in every} | {240: False}),
        *steady(denial, every, 0 if denial is POWER else False),  # type: ignore[arg-type]
        *course(signal, kwh),  # type: ignore[arg-type]
    ]
    (one,) = made(reported)
    assert one.energy_added_kwh == pytest.approx(7 * on / 60 * 7.4, rel=0.02)


@pytest.mark.parametrize(
    "kwh",
    [
        {0: 100, 30: 100, 60: 104, 90: 104, 120: 104},  # a leap
        {0: 100, 30: 100.05, 60: 100.1, 90: 100.15, 120: 100.2},  # standby
    ],
)
def test_a_counter_that_leaps_once_or_creeps_while_charging_is_denied_counts_nothing(kwh: dict[int, float]) -> None:
    assert made(course(CABLE, dict.fromkeys(kwh, True)), course(CHARGING, dict.fromkeys(kwh, False)), course(ENERGY, kwh)) == []


def test_a_counter_that_rises_on_while_nothing_is_plugged_in_counts_nothing() -> None:
    every = range(0, 241, 30)
    reported = [*steady(CABLE, every, value=False), *steady(CHARGING, every, value=False)]
    assert made(reported, course(ENERGY, {minute: minute / 60 * 3.7 for minute in every})) == []


def test_a_battery_that_fills_in_steps_with_the_cable_in_charges_whatever_is_said() -> None:
    every = range(-30, 300, 30)
    reported = [
        *course(CABLE, {minute: minute >= 0 for minute in every} | {300: False}),
        *steady(CHARGING, every, value=False),
        *course(SOC, {minute: 40 + max(0, min(minute, 240)) / 60 * 6 for minute in every}),
    ]
    (one,) = made(reported)
    assert (one.start_soc, one.end_soc, one.estimated) == (40, 64, True)
    unplugged = [each for each in reported if each.signal is not CABLE]
    assert made(unplugged, steady(CABLE, every, value=False)) == []


# Reports that are repeated


def repeating(measure: object, rises: dict[int, float], until: int, watts: float | None = 7_200) -> list[Seen]:
    """Charging that is reported every 5 minutes up to `until`, while a measure stops earlier."""
    every = range(0, until, 5)
    last = max(rises)
    return [
        *course(CABLE, {-10: False, 0: True, until + 10: False}),
        *steady(CHARGING, every, value=True),
        *course(CHARGING, {until: False}),
        *course(measure, rises | dict.fromkeys(range(last, until + 5, 5), rises[last])),  # type: ignore[arg-type]
        *([] if watts is None else [*steady(POWER, every, watts), *course(POWER, {until: 0})]),
    ]


def ended(one: Session) -> float:
    return (one.ended_at - T0) / MINUTE


@pytest.mark.parametrize("watts", [7_200, None])
@pytest.mark.parametrize("measure", [ENERGY, REGISTER, SOC])
def test_a_session_ends_when_the_last_report_of_a_cloud_is_only_repeated(measure: object, watts: float | None) -> None:
    rises = {minute: 40 + minute / 60 * ADDED_KW / (0.6 if measure is SOC else 1) for minute in range(0, 121, 5)}
    (one,) = made(repeating(measure, rises, 420, watts))
    assert (ended(one), one.estimated) == (120, True)
    assert one.energy_added_kwh == pytest.approx(2 * ADDED_KW, rel=0.01)


def test_a_session_begins_when_its_measures_begin_to_rise() -> None:
    every = range(0, 481, 10)
    charge = {minute: 40 + max(0, minute - 300) // 10 for minute in every}
    reported = [
        *course(CABLE, {-10: False, 0: True, 500: False}),
        *steady(CHARGING, every, value=True),
        *course(CHARGING, {490: False}),
    ]
    (one,) = made(reported, course(SOC, charge))
    assert minutes(one) == (300, 490)


def test_power_that_varies_shows_that_a_counter_is_stuck() -> None:
    rises = {minute: minute / 60 * ADDED_KW for minute in range(0, 121, 5)}
    reported = repeating(ENERGY, rises, 240)
    varying = course(POWER, {minute: 7_200 + minute for minute in range(0, 240, 5)})
    (one,) = made([each for each in reported if each.signal is not POWER], varying, course(POWER, {240: 0}))
    assert ended(one) == 240


def test_a_car_that_repeats_its_state_of_charge_does_not_end_what_a_station_reports() -> None:
    charge = {minute: 40 + minute / 60 * 11 for minute in range(0, 61, 5)}
    station = [
        *steady(CHARGING, range(0, 240, 5), True, "station"),
        *steady(POWER, range(0, 240, 5), 7_200, "station"),
        *course(CHARGING, {240: False}, "station"),
        *course(POWER, {240: 0}, "station"),
    ]
    (one,) = made(repeating(SOC, charge, 240, None), station)
    assert ended(one) == 240


def test_a_car_that_balances_its_full_battery_charges_on() -> None:
    full = {minute: min(100, 90 + minute // 5) for minute in range(0, 60, 5)}
    (one,) = made(repeating(SOC, full, 240, 600))
    assert ended(one) == 240


# Power that is told at the begin only


@pytest.mark.parametrize("power", [{0: 7_200, 180: 0}, {0: 7_200, 179: 7_200, 180: 0}])
def test_power_that_is_reported_on_change_holds_where_nothing_else_is_known(power: dict[int, float]) -> None:
    reported = [*course(CABLE, {-10: True, 200: False}), *course(STATUS, {0: "CHARGING", 180: "STOPPED"})]
    (one,) = made(reported, course(POWER, power))
    assert one.energy_drawn_kwh == pytest.approx(21.6)
    assert one.estimated
    assert one.energy_bounds_kwh == (0, pytest.approx(2 * 21.6 * RULES.ac_efficiency))
    (charged,) = made(reported, course(POWER, power), course(SOC, {-5: 40, 90: 55, 185: 70}))
    assert (charged.energy_method, charged.energy_drawn_kwh) == ("state_of_charge", None)


def test_power_that_was_not_reported_as_charging_began_does_not_hold() -> None:
    reported = [*course(CABLE, {-10: True, 300: False}), *course(STATUS, {0: "CHARGING", 280: "STOPPED"})]
    (one,) = made(reported, course(POWER, {120: 7_200, 280: 0}))
    assert one.energy_added_kwh is None
