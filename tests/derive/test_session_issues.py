"""Wrong sessions that other projects' users met for years (peers 1C, 1D), each kind as a test; and cars that tell little."""

import pytest
from charging_days import (
    CABLE,
    CHARGING,
    DAY,
    ENERGY,
    FAST,
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
    tracks_of,
)  # fmt: skip

from chargeport.derive.sessions.detection import sessions
from chargeport.derive.sessions.rules import VERSION, Rules
from chargeport.derive.sessions.session import Session
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.definition import Signal, Value

REGISTER = BY_CODE["chargeport-energyregister"]
RULES = Rules(capacity_kwh=60.0, grid_sources=frozenset({"wallbox"}))
LATER = T0 + 30 * DAY


def made(*reported: list[Seen], now: int = LATER) -> list[Session]:
    return sessions(tracks_of([seen for part in reported for seen in part]), now, RULES)


def minutes(session: Session) -> tuple[float, float]:
    return (session.started_at - T0) / MINUTE, (session.ended_at - T0) / MINUTE


def charge(start: int, end: int, *, step: int = 5, counted: float = 0.0, source: str = "car") -> list[Seen]:
    """11 kW with all signals; the report of the end comes in time."""
    during = range(start, end, step)
    return [
        *steady(CHARGING, during, value=True, source=source),
        *steady(POWER, during, 11_000, source),
        *climbing(ENERGY, range(start, end + 1, step), counted, 10, source),
        *course(CHARGING, {end: False}, source),
        *course(POWER, {end: 0}, source),
    ]


def test_a_charge_that_rests_at_night_and_goes_on_in_the_morning_is_one_session() -> None:
    plugged = steady(CABLE, range(-30, 900, 30), value=True)
    (one,) = made(plugged, charge(0, 60), charge(600, 660, counted=10), course(CABLE, {-60: False, 930: False}))
    assert minutes(one) == (0, 660)
    assert one.energy_added_kwh == pytest.approx(20)
    assert (one.plugged_at, one.unplugged_at) == (T0 - 30 * MINUTE, T0 + 930 * MINUTE)
    assert [(a - T0, b - T0) for a, b, _ in one.stretches] == [(0, HOUR), (10 * HOUR, 11 * HOUR)]


def test_the_cable_pulled_in_between_makes_two_sessions() -> None:
    first, second = made(charge(0, 60), course(CABLE, {-5: True, 61: False, 70: True, 200: False}), charge(75, 135))
    assert (minutes(first), minutes(second)) == ((0, 60), (75, 135))
    assert first.energy_added_kwh == second.energy_added_kwh == pytest.approx(10)


@pytest.mark.parametrize(("pause", "count"), [(25, 1), (35, 2)])
def test_without_news_of_the_cable_a_pause_of_half_an_hour_parts_sessions(pause: int, count: int) -> None:
    assert len(made(charge(0, 60), charge(60 + pause, 120 + pause, counted=10))) == count


@pytest.mark.parametrize("step", [1, 15, 60])
def test_a_car_that_is_asked_every_quarter_or_hour_has_one_session_and_not_a_segment_for_each_answer(step: int) -> None:
    (one,) = made(steady(CHARGING, range(0, 480, step), value=True), course(CHARGING, {-step: False, 480: False}))
    assert minutes(one) == (0, 480)


def test_a_session_whose_end_nobody_reported_ends_where_it_was_seen_last() -> None:
    (one,) = made(steady(CHARGING, range(0, 60, 5), value=True), course(CABLE, {3 * 24 * 60: False}))
    assert minutes(one) == (0, 55)
    assert one.estimated
    assert not one.is_open


def test_a_car_that_fell_silent_is_not_charging_for_ever() -> None:
    reported = [*charge(0, 60)[:-2], *course(CABLE, {0: True})]
    assert made(reported, now=T0 + 70 * MINUTE)[0].is_open
    assert made(reported, now=T0 + 20 * HOUR)[0].is_open  # plugged in, as far as is known
    assert not made(reported, now=T0 + 40 * HOUR)[0].is_open


def test_a_lost_unplugging_does_not_let_one_session_run_on_into_the_next() -> None:
    first, second = made(course(CABLE, {-5: True}), charge(0, 60), charge(1200, 1260), course(CABLE, {1300: False}))
    assert (minutes(first), minutes(second)) == ((0, 60), (1200, 1260))


def test_a_car_that_is_emptier_afterwards_was_driven_though_no_report_says_so() -> None:
    plugged = course(CABLE, {-5: True, 1300: False})
    days = [*steady(CHARGING, range(0, 61, 5), value=True), *steady(CHARGING, range(1200, 1261, 5), value=True)]
    off = course(CHARGING, {65: False, 1190: False, 1265: False})
    assert len(made(plugged, days, off, course(SOC, {0: 40, 60: 60, 1190: 59}))) == 1
    assert len(made(plugged, days, off, course(SOC, {0: 40, 60: 60, 65: 60, 1190: 40}))) == 2


def test_a_smaller_counter_after_an_outage_ends_the_old_session_where_it_was_seen_last() -> None:
    before = [*steady(CHARGING, range(0, 100, 5), value=True), *climbing(ENERGY, range(0, 100, 5), 0, 10)]
    after = [*steady(CHARGING, range(120, 200, 5), value=True), *climbing(ENERGY, range(120, 200, 5), 0.5, 10)]
    first, second = made(before, after, course(CHARGING, {200: False}))
    assert (minutes(first), minutes(second)) == ((0, 95), (120, 200))
    assert first.estimated
    assert first.energy_added_kwh == pytest.approx(15.83)
    assert second.energy_added_kwh == pytest.approx(13)


def test_a_session_of_which_only_the_counter_knows_is_not_missing() -> None:
    idle = course(CHARGING, {0: False, 600: False})
    (one,) = made(idle, course(ENERGY, {0: 12.3, 600: 25.1}), course(CABLE, {0: True, 600: True}))
    assert minutes(one) == (0, 600)
    assert one.energy_added_kwh == pytest.approx(12.8)
    (anew,) = made(idle, course(ENERGY, {0: 25.1, 600: 12.3}))
    assert anew.energy_added_kwh == pytest.approx(12.3)


def test_a_session_of_which_only_the_state_of_charge_knows_is_not_missing() -> None:
    (one,) = made(course(CHARGING, {0: False, 90: False}), course(SOC, {0: 20, 90: 75}))
    assert one.energy_added_kwh == pytest.approx(33)
    assert (one.energy_method, one.estimated) == ("state_of_charge", True)


def test_what_was_charged_in_a_silence_is_in_the_session_and_in_its_time() -> None:
    during = [*steady(CHARGING, range(31), value=True), *steady(POWER, range(31), 11_000)]
    (one,) = made(during, climbing(ENERGY, range(31), 0, 10), course(CHARGING, {600: False}), course(ENERGY, {600: 25}))
    assert one.energy_added_kwh == 25
    assert minutes(one)[1] == pytest.approx(150, abs=5)
    assert one.estimated


def test_a_counter_that_still_shows_the_session_before_adds_nothing_to_this_one() -> None:
    late = course(ENERGY, {-10: 40, 0: 40, 5: 40, 10: 1.6, 30: 5, 60: 10})
    (one,) = made(steady(CHARGING, range(0, 60, 5), value=True), late, course(CHARGING, {-10: False, 60: False}))
    assert one.energy_added_kwh == 10
    assert minutes(one) == (0, 60)


def test_a_counter_that_counts_on_over_all_sessions_counts_from_the_start() -> None:
    reported = [*charge(0, 60, counted=500), *course(ENERGY, {-10: 500})]
    (one,) = made(reported)
    assert one.energy_added_kwh == pytest.approx(10)
    assert one.energy_method == "lifetime"


def test_energy_that_the_counter_adds_after_the_end_belongs_to_the_session() -> None:
    (one,) = made(charge(0, 60), course(ENERGY, {63: 10.11, 200: 10.11}))
    assert one.energy_added_kwh == 10.11
    assert minutes(one) == (0, 60)


def test_a_counter_that_is_zero_for_one_report_makes_no_second_session_and_no_negative_energy() -> None:
    reported = [seen for seen in charge(0, 60) if seen[:2] != (ENERGY, T0 + 30 * MINUTE)]
    (one,) = made(reported, course(ENERGY, {30: 0}))
    assert one.energy_added_kwh == pytest.approx(10)


def test_a_counter_may_fall_a_little_while_the_cable_is_in() -> None:
    (one,) = made(charge(0, 60), course(ENERGY, {61: 10, 70: 9.8}), course(CABLE, {0: True, 80: False}))
    assert one.energy_added_kwh == 9.8


def test_a_car_that_heats_itself_from_the_grid_does_not_charge() -> None:
    assert made(steady(POWER, range(0, 40, 2), 2_500), steady(CHARGING, range(0, 40, 2), value=False)) == []
    heated = [*steady(POWER, range(20), 2_500), *course(POWER, {20: 0}), *steady(ENERGY, range(-10, 30), 12.3)]
    assert made(heated, course(CHARGING, {-60: False})) == []


def test_power_shows_a_charge_whose_first_report_was_lost() -> None:
    (one,) = made(course(CHARGING, {-60: False, 60: False}), steady(POWER, range(0, 60, 5), 11_000), course(POWER, {60: 0}))
    assert minutes(one) == (0, 60)


def test_a_drive_with_descents_is_no_session() -> None:
    down_and_up = {minute: 60 - minute // 10 + (3 if minute % 20 > 10 else 0) for minute in range(0, 120, 2)}
    assert made(course(SOC, down_and_up)) == []
    descent = course(SOC, {minute: 50 + minute // 3 for minute in range(30)})
    assert made(descent, steady(CHARGING, range(0, 30, 5), value=False)) == []


def test_a_blip_or_a_handshake_is_no_session() -> None:
    assert made(course(POWER, {0: 0, 1: 7_000, 2: 0})) == []
    assert made(charge(0, 1, step=1)) == []
    assert made(steady(CHARGING, range(10), value=True), course(ENERGY, {0: 0, 9: 0.04}), course(CHARGING, {10: False})) == []


def test_a_cable_signal_that_is_always_false_does_not_hide_the_charging() -> None:
    (one,) = made(charge(0, 60), steady(CABLE, range(0, 60, 5), value=False))
    assert minutes(one) == (0, 60)


def test_one_wrong_report_of_the_cable_does_not_part_a_session() -> None:
    during = Seen(CABLE, T0 + 30 * MINUTE + 5_000, value=False)
    (one,) = made(charge(0, 60, step=1), steady(CABLE, range(60), value=True), [during])
    assert minutes(one) == (0, 60)


def test_two_sources_with_clocks_apart_make_one_session() -> None:
    box = [Seen(one.signal, one.at + 90_000, one.value, "wallbox") for one in charge(0, 60, step=1)]
    car = [*charge(0, 60, step=1), *steady(CABLE, range(62), value=True), *course(CABLE, {-10: False, 62: False})]
    box += [
        Seen(CABLE, T0 - 60_000, value=False, source="wallbox"),
        Seen(CABLE, T0 + 64 * MINUTE, value=False, source="wallbox"),
    ]
    (one,) = made(car, box)
    assert minutes(one) == (pytest.approx(0, abs=1.5), pytest.approx(60, abs=1.5))
    assert one.sources == ("car", "wallbox")


def test_the_stations_counter_tells_what_was_drawn_and_the_cars_what_was_added() -> None:
    box = climbing(ENERGY, range(1, 62, 5), 0.2, 11, "wallbox")
    (one,) = made(charge(0, 60), box)
    assert (one.energy_added_kwh, one.energy_drawn_kwh) == (pytest.approx(10), pytest.approx(11.2))
    assert sum(slot.kwh for slot in one.slots) == pytest.approx(11.2)
    (alone,) = made(steady(CHARGING, range(0, 61, 5), value=True), box)
    assert alone.energy_drawn_kwh == pytest.approx(11.2)
    assert alone.energy_added_kwh == pytest.approx(11.2 * RULES.ac_efficiency)
    assert alone.estimated


def test_states_of_charge_are_those_around_the_session_and_not_older_than_a_quarter() -> None:
    (one,) = made(charge(0, 60), course(SOC, {-10: 40, 70: 57}))
    assert (one.start_soc, one.end_soc) == (40, 57)
    (old,) = made(charge(0, 60), course(SOC, {-20: 40, 80: 57}))
    assert (old.start_soc, old.end_soc) == (None, None)


@pytest.mark.parametrize(
    ("power_w", "flag", "kind"),
    [
        (11_000, None, "AC"),
        (50_000, None, "DC"),
        (43_000, False, "AC"),
        (11_000, True, "DC"),
        (22_080, None, "AC"),
        (None, None, None),
    ],
)
def test_the_type_is_what_the_charger_is_said_to_be_or_what_its_power_shows(
    power_w: int | None, flag: bool | None, kind: str | None
) -> None:
    reported = steady(CHARGING, range(30), value=True)
    reported += [] if power_w is None else steady(POWER, range(30), power_w)
    reported += [] if flag is None else course(FAST, {0: flag})
    (one,) = made(reported)
    assert one.charging_type == kind
    assert one.is_public is None


@pytest.mark.parametrize(
    "reported",
    [
        course(STATUS, {-60: "DISCONNECTED", 0: "CHARGING", 240: "FULLY_CHARGED"}),
        steady(STATUS, range(0, 240, 15), "CHARGING") + course(STATUS, {240: "NOT_CHARGING"}),
        course(CHARGING, {-60: False, 0: True, 240: False}),
        steady(POWER, range(0, 240, 10), 7_000) + course(POWER, {240: 0}),
        climbing(ENERGY, range(0, 241, 5), 0, 7),
        climbing(SOC, range(0, 241, 5), 30, 11),
    ],
    ids=["changes of status", "status", "changes of ischarging", "power", "energy", "state of charge"],
)
def test_one_signal_is_enough_for_a_session(reported: list[Seen]) -> None:
    (one,) = made(reported)
    assert minutes(one) == (0, 240)


def test_a_cable_alone_tells_of_no_charging() -> None:
    assert made(course(CABLE, {0: False, 10: True, 600: False})) == []


def test_what_is_not_known_is_none_and_the_evidence_tells_the_rest() -> None:
    (one,) = made(course(CHARGING, {0: True, 60: False}))
    assert (one.energy_added_kwh, one.energy_drawn_kwh, one.energy_method, one.charging_type) == (None, None, None, None)
    (fact,) = one.evidence.facts
    assert (fact.fact, fact.signals, fact.first_at, fact.sightings) == ("charging", ("charge-ischarging",), T0, 1)
    assert one.evidence.rule_version == VERSION


def on_change(signal: Signal, start: int, base: float, step: float) -> list[Seen]:
    """A counter at 11 kW for two hours that is reported each time it has risen by `step`."""
    return course(
        signal, {start + round(60 * kwh / 11): base + kwh for kwh in [step * count for count in range(1, round(22 / step))]}
    )


@pytest.mark.parametrize("signal", [ENERGY, REGISTER])
@pytest.mark.parametrize("silence", [60, 180, 600])
def test_charging_begins_when_a_counter_that_is_reported_on_change_began_to_rise(signal: Signal, silence: int) -> None:
    (one,) = made(course(signal, {-silence: 0.0}), on_change(signal, 0, 0.0, 0.5))
    assert minutes(one) == (pytest.approx(0, abs=1), pytest.approx(120, abs=3))
    assert one.energy_added_kwh == pytest.approx(21.5)


@pytest.mark.parametrize("pause", [180, 600])
def test_a_counter_that_is_reported_on_change_counts_two_sessions_around_a_long_pause(pause: int) -> None:
    first = on_change(REGISTER, 0, 1000.0, 0.5)
    second = on_change(REGISTER, 120 + pause, 1021.5, 0.5)
    found = made(course(REGISTER, {-600: 1000.0}), first, second)
    assert [minutes(one)[0] for one in found] == [pytest.approx(0, abs=1), pytest.approx(120 + pause, abs=1)]
    assert [one.energy_added_kwh for one in found] == [pytest.approx(21.5)] * 2
    (plugged,) = made(
        course(CABLE, {-1: False}), steady(CABLE, range(0, 900, 60), value=True), course(REGISTER, {0: 1000.0}), first, second
    )
    assert plugged.energy_added_kwh == pytest.approx(43)


@pytest.mark.parametrize("step", [15, 30, 60])
@pytest.mark.parametrize("also", [[], [CABLE], [POWER], [CHARGING], [CABLE, CHARGING, POWER]])
def test_a_charge_to_the_limit_that_the_car_had_before_a_drive_between_two_reports_is_a_session(
    step: int, also: list[Signal]
) -> None:
    charged = {minute: min(24.0, round((minute - step + 10) * 6.5 / 60, 2)) for minute in range(step, 12 * step, step)}
    idle = dict.fromkeys(range(-4 * step, step, step), 11.0)
    battery = course(SOC, dict.fromkeys(idle, 80) | {minute: int(40 + kwh / 0.6) for minute, kwh in charged.items()})
    values: dict[Signal, dict[int, Value]] = {
        CABLE: dict.fromkeys(idle, False) | dict.fromkeys(charged, True),
        POWER: dict.fromkeys(idle, 0) | {minute: 7_000 if kwh < 24 else 0 for minute, kwh in charged.items()},
        CHARGING: dict.fromkeys(idle, False) | {minute: kwh < 24 for minute, kwh in charged.items()},
    }
    (one,) = made(battery, course(ENERGY, {**idle, **charged}), *(course(signal, values[signal]) for signal in also))
    assert one.energy_added_kwh == pytest.approx(max(charged.values()))
    assert one.energy_bounds_kwh is not None
    assert one.energy_bounds_kwh[0] > 0.8 * max(charged.values())
    assert one.start_soc in (None, 41)


@pytest.mark.parametrize("before", [10.2, 7.8, 5.3])
def test_a_counter_that_reaches_the_energy_of_the_session_before_has_counted_this_one(before: float) -> None:
    counted = {0: 0.2, 15: 2.5, 30: 2.7, 45: 5.1, 60: 5.3, 90: 7.8, 105: 10.2, 120: 10.2}  # by solar power, switched on and off
    idle = dict.fromkeys(range(-180, 0, 15), before)
    (one,) = made(
        course(ENERGY, idle | counted),
        course(CHARGING, dict.fromkeys(idle, False) | {minute: minute in (0, 30, 60, 90) for minute in counted}),
        course(CABLE, dict.fromkeys(idle, False) | dict.fromkeys(counted, True) | {135: False}),
    )
    assert one.energy_added_kwh == pytest.approx(10.2)
