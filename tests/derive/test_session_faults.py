"""What cars, wallboxes and clouds report wrongly, each kind as a rule: no energy that did not flow, none lost that did."""

import pytest
from charging_days import (
    CABLE,
    CHARGING,
    DAY,
    ENERGY,
    HOUR,
    MINUTE,
    POWER,
    SOC,
    STATUS,
    T0,
    Seen,
    climbing,
    course,
    steady,
)  # fmt: skip
from hypothesis import given
from hypothesis import strategies as st
from test_session_issues import RULES, made, minutes

from chargeport.derive.sessions.detection import CAPACITY
from chargeport.derive.sessions.measurements import CURRENT, REGISTER
from chargeport.derive.sessions.session import Session
from chargeport.signals import bodies

OUT = {-10: False, 130: False}


def charging(end: int = 120, step: int = 5, watts: float = 7_200, source: str = "car") -> list[Seen]:
    """Plugged in and charging from 0 on, with a state of charge that rises by 12 % an hour (of 60 kWh)."""
    during = range(0, end, step)
    return [
        *course(CABLE, {-10: False, end + 10: False}, source),
        *steady(CABLE, during, value=True, source=source),
        *course(CHARGING, {-10: False, end: False}, source),
        *steady(CHARGING, during, value=True, source=source),
        *steady(POWER, during, watts, source),
        *course(POWER, {-10: 0, end: 0}, source),
    ]


def shown(counter: dict[int, float], source: str = "car", signal: object = ENERGY) -> list[Seen]:
    return course(signal, counter, source)  # type: ignore[arg-type]


def aside(one: Session) -> set[str]:
    return {code for fact in one.evidence.facts if fact.fact == "set_aside" for code in fact.signals}


# Counters


@pytest.mark.parametrize("readings", [{0: 8_400.5, 120: 8_413.9}, {-300: 8_400.5, 0: 8_400.5, 120: 8_413.9, 300: 8_413.9}])
def test_a_register_gives_the_meters_readings_whatever_else_counts_more_often(readings: dict[int, float]) -> None:
    counter = {minute: round(minute / 60 * 6.7, 3) for minute in range(0, 121, 5)}
    (one,) = made(charging(), shown(counter), shown(readings, signal=REGISTER))
    assert (one.meter_start_kwh, one.meter_end_kwh) == (8_400.5, 8_413.9)
    assert one.energy_added_kwh == pytest.approx(13.4, rel=0.01)


@pytest.mark.parametrize("wrap", [0.0, 3.0, 40.0, 900.0, 5_000.0])
def test_a_counter_that_leaps_under_power_neither_parts_the_session_nor_adds_to_it(wrap: float) -> None:
    counter: dict[int, float] = {-10: 50.0, -5: 50.0}
    counter |= {minute: 50 + minute / 60 * 6.7 + (wrap - 50 if minute >= 60 else 0) for minute in range(0, 121, 5)}
    (one,) = made(charging(), shown(counter))
    assert minutes(one) == (0, 120)
    assert one.energy_added_kwh == pytest.approx(13.4, rel=0.05)


@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize("leak", [0.0, 1_771.6])
def test_reports_after_which_a_counter_goes_on_as_before_never_were(leak: float, count: int) -> None:
    counter = {minute: minute / 60 * 6.8 for minute in range(0, 121, 5)}
    counter |= {60 + 5 * each: leak + each / 10 for each in range(count)}
    (one,) = made(charging(), shown(counter))
    assert one.energy_added_kwh == pytest.approx(13.6, rel=0.02)


@pytest.mark.parametrize("counter", [{0: 532, 20: 532, 40: 265}, {0: 265, 20: 265, 40: 532}, {0: 532, 20: 5}, {0: 0, 20: 12}])
def test_a_counter_that_moves_while_nothing_is_plugged_in_is_no_session(counter: dict[int, float]) -> None:
    idle = [*steady(CABLE, range(0, 61, 20), value=False), *steady(CHARGING, range(0, 61, 20), value=False)]
    assert made(idle, shown(counter)) == []
    assert made(idle, shown(counter, signal=REGISTER)) == []


@pytest.mark.parametrize("first", [5.0, 11.4])
def test_what_a_counter_of_the_day_had_counted_before_the_cable_was_in_is_not_of_the_session(first: float) -> None:
    counter = {minute: first + 0.5 * minute / 5 for minute in range(0, 121, 5)}
    (one,) = made(course(CABLE, {-15: False, -5: True, 130: False}), charging(), shown(counter))
    assert one.energy_added_kwh == pytest.approx(12, abs=0.1)


@pytest.mark.parametrize("left_out", [[CABLE], [CABLE, POWER]])
def test_a_counter_that_is_back_where_it_stopped_has_charged_nothing_meanwhile(left_out: list[object]) -> None:
    counter = {minute: 0.54 * minute / 5 for minute in range(0, 121, 5)}
    gone = {123: 0.0, 130: 0.0, 140: counter[120], 160: counter[120], 170: 0.0}
    reported = [seen for seen in charging() if seen.signal not in left_out]
    (one,) = made(reported, shown(counter | gone))
    assert one.energy_added_kwh == pytest.approx(counter[120], abs=0.1)
    under_way = counter | {60: 0.0}
    (one,) = made(reported, shown(under_way))
    assert one.energy_added_kwh == pytest.approx(counter[120], abs=0.1)
    assert made(shown({0: 14.2, 60: 0.0, 110: 14.2, 180: 14.2})) == []


@pytest.mark.parametrize(("still_from", "still_until"), [(0, 20), (40, 75)])
def test_a_counter_that_stands_still_under_power_and_catches_up_has_missed_nothing(still_from: int, still_until: int) -> None:
    counter = {minute: 0.54 * minute / 5 for minute in range(0, 121, 5)}
    late = {minute: counter[still_from] if still_from <= minute <= still_until else kwh for minute, kwh in counter.items()}
    (one,) = made(charging(), shown(late))
    assert (one.energy_added_kwh, one.estimated) == (pytest.approx(counter[120]), False)


@pytest.mark.parametrize("left_out", [[], [POWER]])
def test_of_two_counters_the_one_that_power_or_the_battery_confirms_counts_whatever_its_name(left_out: list[object]) -> None:
    right, wrong = ({minute: an_hour * minute / 60 for minute in range(0, 121, 5)} for an_hour in (6.5, 9.5))
    reported = [seen for seen in charging() if seen.signal not in left_out]
    battery = course(SOC, {minute: 40 + round(minute * 6.5 / 36) for minute in range(0, 121, 5)})
    (one,) = made(reported, battery, shown(right, "car"), shown(wrong, "api"))
    assert one.energy_added_kwh == pytest.approx(13)
    (other,) = made(reported, battery, shown(wrong, "car"), shown(right, "api"))
    assert other.energy_added_kwh == pytest.approx(13)


@pytest.mark.parametrize("step", [1, 5, 15])
@pytest.mark.parametrize("left_out", [[], [POWER]])
def test_a_counter_that_is_reset_at_each_start_is_summed_where_the_cable_stays_connected(
    step: int, left_out: list[object]
) -> None:
    starts = {0: 60, 90: 180, 240: 300}  # each until
    flows = {minute: start for start, end in starts.items() for minute in range(start, end, step)}
    every = range(-30, 330, step)
    counter, counted = {}, 0.0
    for minute in every:
        counted = round((minute - flows[minute]) / 60 * 6.7, 3) if minute in flows else counted
        counter[minute] = counted
    reported = [
        *course(CABLE, dict.fromkeys(every, True) | {-45: False, 330: False}),
        *course(CHARGING, {minute: minute in flows for minute in every}),
        *course(POWER, {minute: 7_200 if minute in flows else 0 for minute in every}),
    ]
    (one,) = made([seen for seen in reported if seen.signal not in left_out], shown(counter))
    assert minutes(one) == (0, 300)
    assert one.energy_added_kwh == pytest.approx(23.5, abs=3 * step / 60 * 6.7 + 0.1)


@given(st.lists(st.tuples(st.integers(3, 12), st.integers(1, 24)), min_size=1, max_size=5), st.booleans())
def test_pauses_with_one_cable_make_one_session_with_all_energy_whether_or_not_the_counter_is_reset(
    flows: list[tuple[int, int]], is_reset: bool
) -> None:
    """Each flow lasts some polls of 5 minutes, and so does the pause after it."""
    charges = [each for on, off in flows for each in (*[True] * on, *[False] * off)]
    reported, counted = [*course(CABLE, {-10: False, -5: True, 5 * len(charges): False})], 0.0
    for poll, flows_now in enumerate(charges):
        begins, flowed = flows_now and not (poll and charges[poll - 1]), bool(poll and charges[poll - 1])
        counted = 0.0 if begins and is_reset else counted + (0.6 if flowed else 0.0)
        reported += [
            *course(CABLE, {5 * poll: True}),
            *course(CHARGING, {5 * poll: flows_now}),
            *shown({5 * poll: round(counted, 3)}),
        ]
        reported += course(POWER, {5 * poll: 7_750 if flows_now else 0})
    (one,) = made(reported)
    assert minutes(one) == (0, 5 * (len(charges) - flows[-1][1]))
    assert one.energy_added_kwh == pytest.approx(0.6 * sum(on for on, _ in flows), rel=0.01)


@pytest.mark.parametrize("step", [1, 5, 15])
@pytest.mark.parametrize("wrap", [51.2, 65.536])
def test_a_counter_that_falls_while_charging_is_reported_on_makes_no_second_session(step: int, wrap: float) -> None:
    counter = {minute: round((50 + max(0, minute) / 60 * 6.7) % wrap, 3) for minute in range(-15, 331, step)}
    reported = [seen for seen in charging(330, step) if seen.signal is not POWER]
    (one,) = made(reported, shown(counter))
    assert minutes(one) == (0, 330)
    assert one.energy_added_kwh == pytest.approx(36.9, rel=0.06)


@pytest.mark.parametrize("fall", [40, 50, 58])
def test_a_counter_that_falls_just_before_a_pause_makes_no_second_session(fall: int) -> None:
    flows = {minute: not 60 <= minute < 70 for minute in range(120)}
    counter = {minute: minute / 60 * 6.7 + (40 if minute < fall else 0) for minute in range(-5, 60)}
    reported = [
        *course(CABLE, {-10: False, -5: True, 130: False}),
        *course(POWER, {minute: 7_200 if flows[minute] else 0 for minute in flows} | {120: 0}),
    ]
    assert len(made(reported, shown(counter))) == 1


@pytest.mark.parametrize("gap", [1, 3, 10])
@pytest.mark.parametrize("step", [1, 5])
def test_two_sessions_of_one_cable_are_two_however_soon_the_second_one_begins(gap: int, step: int) -> None:
    def transaction(start: int, end: int) -> list[Seen]:
        counter = {minute: (minute - start) / 60 * 7 for minute in [*range(start, end, step), end]}
        return [
            *course(STATUS, {start: "CHARGING", end: "STOPPED"}, "wallbox"),
            *steady(POWER, range(start, end, step), 7_000, "wallbox"),
            *shown(counter, "wallbox"),
        ]

    cable = course(STATUS, {-5: "CONNECTED", 90 + gap: "DISCONNECTED"}, "wallbox")
    first, second = made(cable, transaction(0, 30), transaction(30 + gap, 75 + gap))
    assert (minutes(first), minutes(second)) == ((0, 30), (30 + gap, 75 + gap))
    assert (first.energy_drawn_kwh, second.energy_drawn_kwh) == (pytest.approx(3.5), pytest.approx(5.25))


@pytest.mark.parametrize("signals", [[POWER], [POWER, CABLE], [POWER, CHARGING, CABLE]])
@pytest.mark.parametrize(("on", "off"), [(1, 1), (1, 3), (5, 5)])
def test_power_that_a_controller_switches_on_and_off_is_one_session_with_all_its_energy(
    on: int, off: int, signals: list[object]
) -> None:
    times = range(-10, 130)
    flows = {minute: 0 <= minute < 120 and minute % (on + off) < on for minute in times}
    reported = [
        *course(CABLE, {minute: minute >= -5 for minute in times} | {130: False}),
        *course(CHARGING, dict(flows)),
        *course(POWER, {minute: 3_600 if flows[minute] else 0 for minute in times}),
    ]
    (one,) = made([seen for seen in reported if seen.signal in signals])
    assert minutes(one) == (0, pytest.approx(120 - off))
    assert one.energy_drawn_kwh == pytest.approx(7.2 * on / (on + off), rel=0.02)


@pytest.mark.parametrize("signal", [POWER, CHARGING])
@pytest.mark.parametrize("count", [1, 2, 4])
def test_handshakes_that_fail_before_charging_are_not_its_start(signal: object, count: int) -> None:
    on, off = (3_000, 0) if signal is POWER else (True, False)
    failed = [
        Seen(signal, T0 - (3 * each + 2) * MINUTE + lasted, value)  # type: ignore[arg-type]
        for each in range(count)
        for lasted, value in ((0, on), (12_000, off))
    ]
    steadily = 100_000 if signal is POWER else True
    reported = steady(signal, range(0, 25, 5), steadily)  # type: ignore[arg-type]
    (one,) = made(course(signal, {-60: off}), failed, reported, course(signal, {25: off}))  # type: ignore[arg-type]
    assert minutes(one) == (0, 25)


@pytest.mark.parametrize("signal", [ENERGY, REGISTER, SOC])
@pytest.mark.parametrize("watts", [360, 900])
def test_little_power_that_neither_a_counter_nor_the_battery_confirms_is_standby(signal: object, watts: float) -> None:
    every = range(-10, 700, 5)
    reported = [
        *course(CABLE, {minute: minute >= 0 for minute in every} | {700: False}),
        *course(POWER, {minute: (watts if minute >= 120 else 7_200) if minute >= 0 else 0 for minute in every} | {700: 0}),
    ]
    flowed = {minute: min(max(0, minute), 120) / 60 * 6.7 for minute in every}
    shown_kwh = {minute: 40 + int(kwh / 0.6) if signal is SOC else round(kwh, 1) for minute, kwh in flowed.items()}
    (one,) = made(reported, shown(shown_kwh, signal=signal))
    assert minutes(one) == (0, 120)
    assert one.energy_added_kwh == pytest.approx(13.4, rel=0.03)


def test_little_power_that_charges_on_is_part_of_the_session() -> None:
    every = range(-10, 250, 5)
    reported = [
        *course(CABLE, {minute: minute >= 0 for minute in every} | {250: False}),
        *course(POWER, {minute: 7_200 if 0 <= minute < 120 else 600 if 120 <= minute < 240 else 0 for minute in every}),
    ]
    kwh = {minute: min(max(0, minute), 120) / 60 * 6.7 + min(max(0, minute - 120), 120) / 60 * 0.55 for minute in every}
    (counted,) = made(reported, shown(kwh))
    assert minutes(counted) == (0, 240)
    full = {minute: min(100, 76 + max(0, minute) // 5) for minute in every}
    (balanced,) = made(reported, course(SOC, full))
    assert minutes(balanced) == (0, 240)


def test_power_all_day_that_the_battery_does_not_confirm_is_no_session_while_it_flows() -> None:
    reported = [*course(CABLE, {-10: False}), *steady(CABLE, range(0, 700, 5), value=True), *steady(POWER, range(700), 420)]
    assert made(reported, steady(SOC, range(-10, 696, 5), 60), now=T0 + 700 * MINUTE) == []


def test_power_sampled_beyond_the_end_is_not_drawn_where_the_counter_shows_less() -> None:
    every = {minute: 0 <= minute < 30 for minute in (-12, -6, 0, 7, 13, 19, 25, 31, 37)}
    reported = [
        *course(CHARGING, {minute: flows or minute == 31 for minute, flows in every.items()}),
        *course(POWER, {minute: 100_000 if flows or minute == 31 else 0 for minute, flows in every.items()}),
        *course(ENERGY, {minute: round(min(max(0, minute), 30) / 60 * 95, 1) for minute in every}),
    ]
    (one,) = made(reported)
    assert one.energy_added_kwh == pytest.approx(47.5)
    assert one.energy_drawn_kwh is None


@pytest.mark.parametrize("step", [4, 10, 15])
def test_what_the_battery_rose_by_before_the_first_report_of_charging_is_of_the_session(step: int) -> None:
    reported = [*course(CABLE, {-step: True, 3 * step: False}), *course(CHARGING, {-step: False, 0: True, step: False})]
    (one,) = made(reported, course(SOC, {-2 * step: 40, -step: 40, 0: 52, step: 63, 2 * step: 63}))
    assert (one.start_soc, one.end_soc) == (40, 63)
    assert one.energy_added_kwh == pytest.approx(13.8)


def test_power_that_empties_the_battery_is_no_session_where_nobody_says_what_it_is() -> None:
    emptier = {minute: 80 - minute // 8 for minute in range(-30, 250, 10)}
    assert (
        made(steady(CABLE, range(-5, 600, 30), value=True), steady(POWER, range(0, 240, 10), 5_000), course(SOC, emptier)) == []
    )


@pytest.mark.parametrize("signal", [ENERGY, REGISTER])
@pytest.mark.parametrize("base", [211.03, 1_950.5])
def test_a_register_seen_around_a_session_is_what_it_rose_by(base: float, signal: object) -> None:
    reported = [*course(CABLE, {-30: False, 95: False}), *course(CHARGING, {-30: False, 0: True, 70: False})]
    (one,) = made(reported, shown({-60: base, 30: base + 4, 90: base + 12.5}, signal=signal))
    assert one.energy_added_kwh == pytest.approx(12.5)


def test_a_station_s_register_is_what_left_the_wall() -> None:
    register = {minute: 6_211 + minute / 60 * 7.2 for minute in range(0, 121, 10)}
    (one,) = made(charging(), shown({-60: 6_211.0} | register, "wallbox", REGISTER))
    assert one.energy_drawn_kwh == pytest.approx(14.4)
    assert one.energy_added_kwh == pytest.approx(14.4 * RULES.ac_efficiency)
    assert one.meter_start_kwh == 6_211.0
    assert one.meter_end_kwh == pytest.approx(6_225.4)


def test_a_register_that_is_first_seen_in_a_session_counts_from_there_and_the_rest_is_concluded() -> None:
    (one,) = made(charging(), shown({60: 6_211.0, 90: 6_214.4, 119: 6_217.8}, signal=REGISTER))
    assert one.energy_added_kwh == pytest.approx(13.4, rel=0.05)
    assert one.estimated


@pytest.mark.parametrize("first", [0.0, 3.4, 7.2])
def test_the_first_reading_of_a_session_counter_loses_nothing_before_it(first: float) -> None:
    reported = [
        *course(CHARGING, {60: True, 120: True, 180: False}),
        *course(CABLE, {60: True, 120: True, 180: True, 240: False}),
    ]
    (one,) = made(reported, shown({60: first, 120: first + 7.2, 180: first + 14.4, 240: first + 14.4}))
    assert one.energy_added_kwh == pytest.approx(first + 14.4)


def test_a_counter_that_shows_its_lifetime_at_once_is_counted_from_there() -> None:
    counter = {0: 0.0} | {minute: 937 + minute / 60 * 6.7 for minute in range(10, 121, 10)}
    (one,) = made(charging(), shown(counter))
    assert one.energy_added_kwh == pytest.approx(13.4, rel=0.05)


def test_a_counter_that_others_contradict_is_set_aside_and_the_evidence_says_so() -> None:
    stuck = shown({minute: min(0.5, minute / 60) for minute in range(0, 121, 5)})
    (one,) = made(charging(), stuck, climbing(SOC, range(-5, 126, 5), 40, 12))
    assert one.energy_added_kwh == pytest.approx(14.4 * RULES.ac_efficiency, rel=0.02)
    assert aside(one) == {"charge-energyadded"}


@pytest.mark.parametrize(("until", "watts"), [(20, 3_600), (120, 11_000)], ids=["not reported any more", "stuck"])
def test_a_counter_at_zero_costs_no_session_in_which_power_flowed(until: int, watts: float) -> None:
    (one,) = made(charging(watts=watts), shown(dict.fromkeys(range(0, until + 1, 5), 0.0)))
    assert minutes(one) == (0, 120)
    assert one.energy_added_kwh == pytest.approx(watts / 500 * RULES.ac_efficiency, rel=0.02)
    assert aside(one) == (set() if until < 60 else {"charge-energyadded"})


@pytest.mark.parametrize("late", [35, 40, 45])
def test_a_counter_that_begins_late_yields_to_power_and_battery_that_agree(late: int) -> None:
    counter = {minute: max(0, minute - late) / 60 * 6.7 for minute in range(0, 121, 5)}
    (one,) = made(charging(), climbing(SOC, range(-5, 126, 5), 40, 11.1), shown(counter))
    assert one.energy_added_kwh == pytest.approx(13.3, rel=0.05)
    assert aside(one) == {"charge-energyadded"}


def test_a_counter_that_shows_the_session_before_until_this_one_ends_loses_nothing() -> None:
    counted = {-10: 8.1, 0: 8.1, 60: 8.1, 119: 8.1, 123: 13.2, 300: 13.2}
    (one,) = made(charging(), shown(counted))
    assert one.energy_added_kwh == pytest.approx(13.2)


def test_no_less_is_drawn_than_was_added() -> None:
    counter = {minute: minute / 60 * 6.7 for minute in range(0, 121, 5)}
    (one,) = made(charging(watts=6_600), shown(counter))
    assert one.energy_drawn_kwh == one.energy_added_kwh == pytest.approx(13.4)
    assert sum(slot.kwh for slot in one.slots) == pytest.approx(13.4)


def test_a_counter_at_zero_shows_that_a_car_only_heats_itself() -> None:
    assert made(charging(watts=6_000), shown(dict.fromkeys(range(0, 121, 5), 0.0))) == []


# Power and state of charge


def test_power_that_is_stuck_at_zero_is_set_aside_where_the_battery_fills() -> None:
    reported = [seen for seen in charging() if seen.signal is not POWER]
    power = [*steady(POWER, range(0, 10, 5), 7_200), *steady(POWER, range(10, 121, 5), 0)]
    (one,) = made(reported, power, climbing(SOC, range(-5, 126, 5), 40, 12))
    assert minutes(one) == (0, 120)
    assert one.energy_added_kwh == pytest.approx(14.4, abs=0.8)
    assert (one.energy_method, one.estimated, one.energy_drawn_kwh) == ("state_of_charge", True, None)
    assert aside(one) == {"charge-wattage"}


def test_power_that_goes_on_being_reported_after_the_battery_is_full_is_set_aside() -> None:
    soc = [*climbing(SOC, range(-5, 121, 5), 50, 12), *steady(SOC, range(121, 305, 5), 75)]
    (one,) = made(charging(300), course(POWER, dict.fromkeys(range(125, 300, 10), 7300), "car"), soc)
    assert one.energy_added_kwh == pytest.approx(14.4, abs=1)
    assert (one.energy_method, one.energy_drawn_kwh, aside(one)) == ("state_of_charge", None, {"charge-wattage"})


@pytest.mark.parametrize("lag", [5, 20, 45])
@pytest.mark.parametrize("has_power", [True, False])
def test_a_counter_that_still_shows_the_session_before_loses_nothing(lag: int, has_power: bool) -> None:
    counter: dict[int, float] = dict.fromkeys(range(-10, lag, 5), 21.3)
    counter |= {minute: min(minute, 120) / 60 * 6.7 for minute in range(lag, 126, 5)}
    reported = [seen for seen in charging() if has_power or seen.signal is not POWER]
    (one,) = made(reported, shown(counter))
    assert minutes(one) == (0, 120)
    assert one.energy_added_kwh == pytest.approx(13.4, rel=0.05)


def test_a_state_of_charge_of_since_the_cable_is_in_is_that_of_the_begin_and_of_the_end() -> None:
    plugged = course(CABLE, {-300: False, -240: True, 300: False})
    reported = [*plugged, *course(CHARGING, {-240: False, 0: True, 60: False}), *course(SOC, {-240: 40, 30: 46, 200: 52})]
    (one,) = made(reported)
    assert (one.start_soc, one.end_soc, one.energy_added_kwh) == (40, 52, pytest.approx(7.2))
    driven = [each for each in reported if each.signal is not CABLE]
    (one,) = made(driven)
    assert (one.start_soc, one.end_soc) == (None, None)


@pytest.mark.parametrize("before", [{}, {-40: 40}, {-40: 62}])
def test_the_begin_of_a_course_of_the_state_of_charge_is_led_back(before: dict[int, float]) -> None:
    reported = [*course(CABLE, {-50: False, 121: False}), *course(CHARGING, {0: True, 120: False})]
    (one,) = made(reported, course(SOC, {**before, 30: 46, 60: 52, 90: 58, 119: 64}))
    assert one.start_soc is None, "it is not known to the percent"
    assert (one.energy_added_kwh, one.estimated) == (pytest.approx(14.4, rel=0.02), True)


def test_a_state_of_charge_that_was_seen_too_late_is_not_led_back() -> None:
    reported = [*course(CABLE, {-50: False, 121: False}), *course(CHARGING, {0: True, 120: False})]
    (one,) = made(reported, course(SOC, {100: 60, 119: 64}))
    assert one.energy_added_kwh is None


def test_a_state_of_charge_that_never_moves_is_an_old_one() -> None:
    (one,) = made(charging(), steady(SOC, range(-5, 126, 5), 40))
    assert one.energy_added_kwh == pytest.approx(14.4 * RULES.ac_efficiency)


@pytest.mark.parametrize("wrong", [{20: 0}, {20: 0, 30: 0, 40: 0}, {20: 100}, {0: 0}, {10: 2}])
def test_a_state_of_charge_that_is_gone_and_back_while_unplugged_is_no_charge(wrong: dict[int, float]) -> None:
    idle = [*steady(CABLE, range(0, 61, 10), value=False), *steady(CHARGING, range(0, 61, 10), value=False)]
    assert made(idle, course(SOC, {**dict.fromkeys(range(0, 61, 10), 75.0), **wrong})) == []


@pytest.mark.parametrize("wrong", [{60: 100}, {120: 97.5}, {60: 0, 120: 0}, {60: 1}])
def test_a_state_of_charge_that_is_gone_and_back_between_hourly_sightings_is_no_charge(wrong: dict[int, float]) -> None:
    idle = [*steady(CABLE, range(0, 301, 60), value=False), *steady(CHARGING, range(0, 301, 60), value=False)]
    assert made(idle, course(SOC, {**dict.fromkeys(range(0, 301, 60), 45.0), **wrong})) == []


@pytest.mark.parametrize("after", [{120: 60, 180: 45}, {120: 52}, {180: 45}])
def test_a_charge_between_two_sightings_that_is_driven_off_again_stays(after: dict[int, float]) -> None:
    idle = steady(CABLE, range(0, 241, 60), value=False)
    (one,) = made(idle, course(SOC, {0: 45, 60: 80, **after}))
    assert minutes(one) == (0, 60)


def test_a_recalibration_while_unplugged_is_no_charge() -> None:
    idle = steady(CABLE, range(0, 301, 60), value=False)
    assert made(idle, course(SOC, {0: 50, 60: 50, 120: 56, 180: 56})) == []


def test_a_zero_at_the_end_is_no_end_value() -> None:
    (one,) = made(charging(), climbing(SOC, range(-5, 120, 5), 40, 12), course(SOC, {121: 0, 125: 64, 200: 64}))
    assert (one.start_soc, one.end_soc) == (41, 64)
    assert minutes(one) == (0, 120)


def test_a_battery_that_was_really_empty_charges_from_zero() -> None:
    (one,) = made(charging(), course(SOC, {-60: 2, -20: 0, -1: 0}), climbing(SOC, range(0, 126, 5), 0, 12))
    assert one.start_soc == 0
    assert one.end_soc == pytest.approx(24)


def test_what_was_charged_into_the_old_battery_stays() -> None:
    def capacity(kwh: float) -> str:
        return str(
            bodies.parse(CAPACITY, {"capacity": kwh, "source": "USER_SELECTED", "availableCapacities": [], "unit": "kWh"})
        )

    reported = [seen for seen in charging() if seen.signal is not POWER]
    old = course(CAPACITY, {-100_000: capacity(24)})
    before = made(reported, climbing(SOC, range(-5, 126, 5), 20, 12), old)
    after = made(reported, climbing(SOC, range(-5, 126, 5), 20, 12), old, course(CAPACITY, {100_000: capacity(40)}))
    assert before == after
    assert before[0].energy_added_kwh == pytest.approx(5.9, abs=0.2)


# Words


@pytest.mark.parametrize("word", ["DISCHARGING", "FULLY_CHARGED", "NOT_CHARGING", None])
@pytest.mark.parametrize("watts", [1_200, 3_500])
def test_a_word_that_was_said_once_holds_against_power_until_it_is_taken_back(word: str | None, watts: float) -> None:
    sent = course(CHARGING, {-400: False}) if word is None else course(STATUS, {-400: word})
    flowing = [*steady(POWER, range(0, 90, 5), watts), *course(POWER, {-5: 0, 90: 0})]
    assert made(sent, course(CABLE, {-400: True, 300: False}), flowing, steady(SOC, range(-400, 120, 20), 80)) == []
    taken_back = course(CHARGING, {-10: True}) if word is None else course(STATUS, {-10: "CHARGING"})
    assert len(made(sent, taken_back, course(CABLE, {-400: True, 300: False}), flowing)) == 1


def test_a_car_that_gives_energy_is_emptier_afterwards_and_has_not_charged() -> None:
    flowing = [*steady(POWER, range(0, 120, 5), 1_200), *course(POWER, {-5: 0, 120: 0})]
    assert made(flowing, climbing(SOC, range(-10, 131, 10), 80, -2)) == []


def test_a_battery_that_fills_shows_that_its_car_has_forgotten_to_say_so() -> None:
    sent = [*course(CHARGING, {-400: False}), *course(CABLE, {-400: True, 300: False})]
    flowing = [*steady(POWER, range(0, 90, 5), 3_600), *course(POWER, {-5: 0, 90: 0})]
    (one,) = made(sent, flowing, climbing(SOC, range(-10, 101, 5), 40, 6))
    assert minutes(one) == (0, 90)


@pytest.mark.parametrize("signal", [POWER, CURRENT])
def test_charging_that_is_stated_while_nothing_flows_is_waiting(signal: object) -> None:
    flows = 7_200 if signal is POWER else 31
    during = range(0, 600, 20)
    reported = [
        *steady(CHARGING, during, value=True),
        *steady(CABLE, during, value=True),
        *course(CABLE, {-20: False, 700: False}),
    ]
    reported += shown({minute: flows if 360 <= minute < 500 else 0 for minute in during}, signal=signal)
    (one,) = made(reported)
    assert minutes(one) == (360, 500)


def test_charging_that_was_only_stated_is_no_session() -> None:
    during = range(0, 300, 10)
    reported = [*steady(CHARGING, during, value=True), *steady(POWER, during, 0), *steady(SOC, during, 100)]
    assert made(reported, course(CABLE, {-5: True, 400: False})) == []


@pytest.mark.parametrize(("lasted_s", "count"), [(50, 0), (90, 1)])
def test_a_short_session_that_moved_energy_is_a_record(lasted_s: int, count: int) -> None:
    def seen(signal: object, at_s: int, value: float) -> Seen:
        return Seen(signal, T0 + at_s * 1000, value, "car")  # type: ignore[arg-type]

    times = range(0, lasted_s, 10)
    reported = [seen(CHARGING, at, value=True) for at in times] + [seen(POWER, at, 50_000) for at in times]
    reported += [seen(CHARGING, lasted_s, value=False), seen(POWER, lasted_s, 0)]
    assert len(made(reported, shown({-10: 0.0, lasted_s // 60 + 1: 1.25}))) == count


# Several sources


def test_an_idle_second_station_ends_nothing_and_takes_part_in_nothing() -> None:
    idle = [
        *steady(CABLE, range(-7, 200, 13), value=False, source="home"),
        *steady(CHARGING, range(-7, 200, 13), value=False, source="home"),
        *steady(POWER, range(-7, 200, 13), 0, source="home"),
    ]
    (one,) = made(charging(source="office"), idle)
    assert minutes(one) == (0, 120)
    assert one.sources == ("office",)
    by_changes = [
        *course(CABLE, {-5: True, 130: False}, "office"),
        *course(CHARGING, {0: True, 120: False}, "office"),
    ]
    (other,) = made(by_changes, idle)
    assert (minutes(other), other.sources) == ((0, 120), ("office",))


def test_a_station_that_the_car_left_ends_the_session_there_and_not_the_next_one_elsewhere() -> None:
    home = [Seen(each.signal, each.at - 3 * HOUR, each.value, "home") for each in charging(source="home")]
    home += steady(CABLE, range(-50, 200, 20), value=False, source="home")
    first, second = made(home, charging(source="office"))
    assert (first.sources, second.sources) == (("home",), ("office",))
    assert minutes(second) == (0, 120)


@pytest.mark.parametrize("skew", [-90, -60, 60, 90])
def test_a_box_with_a_wrong_clock_draws_no_more_than_its_counter(skew: int) -> None:
    car = [seen for seen in charging(180) if seen.signal is not POWER]
    box = [*charging(180, source="box"), *shown({minute: minute / 60 * 7.2 for minute in range(0, 181, 5)}, "box")]
    box = [Seen(each.signal, each.at + skew * MINUTE, each.value, "box") for each in box]
    (one,) = made(car, box, climbing(SOC, range(-5, 186, 5), 40, 12))
    assert one.energy_added_kwh == pytest.approx(21.6, rel=0.1)
    assert one.energy_drawn_kwh is None or one.energy_drawn_kwh == pytest.approx(21.6, rel=0.05)


def test_days_do_not_matter_to_each_other() -> None:
    again = [Seen(each.signal, each.at + 3 * DAY, each.value, each.source) for each in charging()]
    assert [one.energy_drawn_kwh for one in made(charging(), again)] == [pytest.approx(14.4), pytest.approx(14.4)]


# Waiting and estimates


def test_charging_without_any_current_is_waiting_though_power_is_told_only_once_it_flows() -> None:
    during = range(0, 360, 15)
    reported = [
        *steady(CHARGING, during, value=True),
        *course(CABLE, {-10: False, 0: True, 400: False}),
        *course(CHARGING, {360: False}),
    ]
    reported += [*steady(CURRENT, range(0, 300, 15), 0), *steady(CURRENT, range(300, 360, 15), 16)]
    reported += [*steady(POWER, range(300, 360, 5), 3_680), *course(POWER, {360: 0})]
    (one,) = made(reported, climbing(SOC, range(300, 361, 5), 40, 5.5))
    assert minutes(one) == (300, 360)


def dc(every: int, watts: dict[int, float], end: int, kwh_an_hour: float) -> list[list[Seen]]:
    """A charge with DC of a battery of 60 kWh, told every so many minutes."""
    reported = [*course(CHARGING, {-5: False, end: False}), *steady(CHARGING, range(0, end, every), value=True)]
    return [reported, course(POWER, watts), climbing(SOC, range(0, end + 1, every), 20, kwh_an_hour / 0.6)]


def test_power_that_is_sampled_seldom_yields_to_a_state_of_charge_that_rises_to_the_end() -> None:
    (one,) = made(*dc(15, {15: 75_000, 30: 65_000}, 45, 38.0))
    assert one.energy_added_kwh == pytest.approx(28.5, rel=0.1), "the car had to wait for power in between"
    assert one.energy_method == "state_of_charge"


def test_an_estimated_energy_lies_within_its_bounds_and_so_does_the_truth() -> None:
    (one,) = made(*dc(15, {15: 50_000, 30: 40_000}, 45, 38.0))
    assert one.estimated
    assert one.energy_bounds_kwh is not None
    low, high = one.energy_bounds_kwh
    assert low < one.energy_added_kwh < high  # type: ignore[operator]
    assert low < 28.5 < high
    assert high - low < 28.5


def test_measures_that_disagree_are_both_within_the_bounds() -> None:
    counter = {minute: minute / 60 * 12 for minute in range(0, 121, 5)}
    (one,) = made(charging(), shown(counter))
    assert one.estimated
    assert one.energy_bounds_kwh is not None
    low, high = one.energy_bounds_kwh
    assert low < 13.4, "by power"
    assert high >= 24.0, "by the counter"


@pytest.mark.parametrize("until", [60, 90, 110])
def test_an_old_state_of_charge_that_a_cloud_repeats_is_no_charge(until: int) -> None:
    shown_percent = {minute: 71.3 if 30 <= minute < until else 50.0 if minute < 30 else 28.9 for minute in range(0, 180, 10)}
    assert made(course(SOC, shown_percent)) == []


def test_a_charge_before_a_state_of_charge_that_is_wrong_for_a_while_stays() -> None:
    (one,) = made(course(SOC, {0: 40, 60: 75, 90: 75, 120: 30, 130: 75, 240: 75}))
    assert (one.start_soc, one.end_soc) == (40, 75)


def test_a_counter_that_leaps_as_charging_resumes_counts_what_the_power_allows() -> None:
    counted = {minute: minute / 60 * 1.4 for minute in range(0, 55, 2)} | {56: 17.3, 58: 17.3, 60: 17.3}
    counted |= {minute: (minute - 2) / 60 * 1.4 for minute in range(66, 121, 2)}
    power = {minute: 0 if minute in {54, 120} else 1_400 for minute in range(0, 121, 2)}
    flags = {minute: minute not in {54, 120} for minute in range(0, 121, 2)}
    (one,) = made(
        course(CABLE, {-10: False, 0: True, 130: False}), course(CHARGING, flags), course(POWER, power), shown(counted)
    )
    assert one.energy_added_kwh == pytest.approx(2.75, abs=0.05)


def test_what_a_counter_falls_by_in_a_pause_was_charged() -> None:
    counted = {minute: minute / 60 * 6 for minute in range(0, 121, 5)} | {
        minute: 12 - minute / 400 for minute in range(150, 600, 30)
    }
    counted |= {minute: (minute - 600) / 60 * 6 for minute in range(600, 681, 5)}
    reported = [
        *course(CABLE, {-10: False, 0: True, 700: False}),
        *steady(CHARGING, range(0, 120, 5), value=True),
        *steady(CHARGING, range(600, 680, 5), value=True),
        *course(CHARGING, {120: False, 680: False}),
    ]
    (one,) = made(reported, shown(counted))
    assert one.energy_added_kwh == pytest.approx(20, abs=0.5)


def test_a_session_whose_end_was_lost_goes_on_as_long_as_the_battery_fills() -> None:
    reported = [
        *course(CABLE, {-10: False, 0: True, 400: False}),
        *course(CHARGING, {0: True, 2: True, 4: True, 6: True, 390: False}),
        *course(POWER, {0: 2_000, 2: 2_000, 4: 2_000, 6: 2_000}),
    ]
    (one,) = made(reported, course(SOC, {-10: 40, 4: 40, 390: 58}))
    assert (minutes(one), one.estimated) == ((0, 390), True)
    assert one.energy_added_kwh == pytest.approx(10.8)
