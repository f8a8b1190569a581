"""What follows from reported values, signal by signal, and what must not."""

from collections.abc import Mapping
from typing import Any

import pytest

from chargeport.derive import status
from chargeport.derive.live import curves
from chargeport.derive.live.inputs import CarFacts, Context, Observed, OpenSession, Sample
from chargeport.derive.live.rule import Derived
from chargeport.derive.live.rules import RULES, derive
from chargeport.signals import bodies
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.definition import Value
from chargeport.signals.state import LIVE_FOR_MS

T0 = 1_777_629_600_000
MINUTE = 60_000
HOUR = 60 * MINUTE

AC = {"charge-isfastchargerpresent": False, "charge-ischarging": True, "charge-ischargingcableconnected": True}
DC = AC | {"charge-isfastchargerpresent": True}
V, A, P, N = "charge-voltage", "charge-amperage", "charge-wattage", "charge-chargerphases"
SOC, FAST, CABLE, CHARGING = (
    "tractionbattery-stateofcharge",
    "charge-isfastchargerpresent",
    "charge-ischargingcableconnected",
    "charge-ischarging",
)
ENERGY, RATE, TIME, STATUS = "charge-energyadded", "charge-chargerate", "charge-timetocomplete", "charge-detailedchargingstatus"


def limit(percent: float) -> dict[str, Value]:
    return {"charge-chargelimits": bodies.parse(BY_CODE["charge-chargelimits"], {"activeLimit": percent})}


def full_range(km: float) -> dict[str, Value]:
    return {"tractionbattery-range": bodies.parse(BY_CODE["tractionbattery-range"], {"value": km})}


def context(
    values: Mapping[str, Value], session: OpenSession | None = None, *, ages_ms: Mapping[str, int] | None = None, **car: Any
) -> Context:
    """Values reported at T0, or as much earlier as `ages_ms` says."""
    ages = ages_ms or {}
    observed = {BY_CODE[code]: Observed(value, T0 - ages.get(code, 0), "box") for code, value in values.items()}
    return Context(observed, session, CarFacts(**car))


def derived(*args: Any, now: int = T0, **kwargs: Any) -> dict[str, Derived]:
    return {each.signal.code: each for each in derive(context(*args, **kwargs), now)}


def course(value: float, minutes: int, every_min: float = 1, end_at: int = T0) -> list[Sample]:
    steps = round(minutes / every_min)
    return [Sample(round(end_at - (steps - n) * every_min * MINUTE), value) for n in range(steps + 1)]


def charging_for(minutes: int, power_w: float, **more: Any) -> OpenSession:
    return OpenSession(started_at=T0 - minutes * MINUTE, power=course(power_w, minutes), **more)


# What has no rule


def test_no_rule_gives_what_must_never_be_derived() -> None:
    never = {
        "charge-chargeportstatuscolor",
        "charge-ischargingcablelatched",
        "charge-ischargingportflapopen",
        "charge-chargelimits",
        "charge-chargetimers",
        "charge-amperagerequested",
        "charge-chargerecords",
    }
    given = {rule.signal.code for rule in RULES}
    assert not never & given
    assert given == {P, V, A, N, ENERGY, RATE, TIME, CHARGING, CABLE, FAST}


def test_every_rule_has_a_label_of_its_own_that_names_its_signal() -> None:
    labels = [rule.label for rule in RULES]
    assert len(set(labels)) == len(labels)
    assert all(f"charge-{label.partition('/')[0]}" == rule.signal.code for label, rule in zip(labels, RULES, strict=True))


def test_nothing_follows_from_nothing() -> None:
    assert derived({}) == {}
    assert derived({}, OpenSession(started_at=T0), capacity_kwh=60, phases=1, connector="J1772") == {}


# Voltage, current, power, phases


@pytest.mark.parametrize(
    ("values", "code", "value", "rule"),
    [
        (AC | {V: 230, A: 16, N: 3}, P, 11040, "wattage/voltage-amperage-phases@1"),
        (AC | {V: 400, A: 16, N: 3}, P, 11085, "wattage/voltage-amperage-phases@1"),
        (AC | {V: 240, A: 40, N: 1}, P, 9600, "wattage/voltage-amperage-phases@1"),
        (DC | {V: 377, A: 206.7}, P, 77926, "wattage/voltage-amperage@1"),
        (AC | {P: 11040, V: 230, N: 3}, A, 16, "amperage/wattage-voltage-phases@1"),
        (DC | {P: 78000, V: 377}, A, 206.9, "amperage/wattage-voltage@1"),
        (AC | {P: 11040, A: 16, N: 3}, V, 230, "voltage/wattage-amperage-phases@1"),
        (DC | {P: 78000, A: 206.7}, V, 377.4, "voltage/wattage-amperage@1"),
    ],
)
def test_two_of_voltage_current_and_power_give_the_third(values: dict[str, Value], code: str, value: float, rule: str) -> None:
    found = derived(values)[code]
    assert found.value == pytest.approx(value, abs=0.05)
    assert (found.rule, found.observed_at) == (rule, T0)
    assert {each.code for each in found.inputs} <= set(values)


@pytest.mark.parametrize(
    "values",
    [
        AC | {V: 230, A: 16},  # one phase or three
        AC | {V: 2, A: 16, N: 3},  # no supply
        AC | {V: 340, A: 16, N: 3},  # no mains
        DC | {V: 2, A: 206},  # the AC side of a car on DC
        {CHARGING: True, V: 377, A: 16, N: 3},  # a pack, or a line-to-line voltage
        AC | {P: 11040, A: 2, N: 3},  # too little current to divide by
        AC | {P: 11040, A: 3, N: 3},  # 1,227 V
    ],
)
def test_what_does_not_fit_together_gives_neither_power_nor_voltage(values: dict[str, Value]) -> None:
    missing = {P, V} - set(values)
    assert not missing & derived(values).keys()


def test_a_tesla_that_says_two_phases_has_three() -> None:
    values = AC | {V: 241, A: 5, N: 2}
    assert derived(values, make="Tesla")[P].value == 3615
    assert derived(values, make="ACME")[P].value == 2410


def test_no_more_phases_carry_current_than_the_car_has() -> None:
    assert derived(AC | {V: 230, A: 16, N: 3}, phases=1)[P].value == 3680


@pytest.mark.parametrize("connector", ["J1772", "NACS", "CCS1"])
def test_an_inlet_of_one_phase_says_how_many_there_are(connector: str) -> None:
    found = derived(AC | {V: 240, A: 32, "charge-chargingconnectortype": connector})
    assert (found[N].value, found[P].value) == (1, 7680)
    assert BY_CODE["charge-chargingconnectortype"] in found[P].inputs
    assert N not in derived(AC | {V: 240, A: 32, "charge-chargingconnectortype": "Type 2"})


def flow(power_w: list[float], voltage_v: float, current_a: float) -> OpenSession:
    instants = [T0 - (len(power_w) - 1 - n) * MINUTE for n in range(len(power_w))]
    return OpenSession(
        started_at=instants[0],
        power=[Sample(at, value) for at, value in zip(instants, power_w, strict=True)],
        voltage=[Sample(at, voltage_v) for at in instants],
        amperage=[Sample(at, current_a) for at in instants],
    )


def test_the_number_of_phases_is_power_over_volts_and_amperes_by_its_median() -> None:
    assert derived(AC, flow([4000, 3000, 4000], 241, 5))[N].value == 3
    assert derived(AC, flow([7000, 8000, 7000], 230, 32))[N].value == 1
    assert derived(AC, flow([11000, 11000, 11000], 400, 16))[N].value == 3


@pytest.mark.parametrize(
    "session",
    [
        flow([4000, 4000], 241, 5),  # too few
        flow([5400] * 3, 230, 16),  # 1.47 phases
        flow([600] * 3, 230, 2.6),  # too little
        flow([1000] * 3, 230, 16),  # 0.27 phases
    ],
)
def test_the_number_of_phases_is_not_guessed(session: OpenSession) -> None:
    assert N not in derived(AC, session)


# Flags


def test_every_known_status_says_what_the_table_of_statuses_says() -> None:
    known = set(BY_CODE[STATUS].known)
    spoken_of = status.ALWAYS_CHARGING | status.NEVER_CHARGING | status.CHARGING_WITH_POWER
    assert spoken_of == known - {"ERROR"}
    for each in known:
        found = derived({STATUS: each})
        assert (CHARGING in found) is (each not in {"ERROR", "CONSERVING"})
        assert (CABLE in found) is (each not in {"ERROR", "NOT_CHARGING"})
        assert CABLE not in found or found[CABLE].value is (each != "DISCONNECTED")
        assert CHARGING not in found or found[CHARGING].value is (each == "CHARGING")


@pytest.mark.parametrize(("power_w", "charging"), [(2000, True), (0, False)])
def test_a_car_that_keeps_its_charge_charges_while_there_is_power(power_w: int, charging: bool) -> None:
    assert derived({STATUS: "CONSERVING", P: power_w})[CHARGING].value is charging


@pytest.mark.parametrize(("power_w", "charging"), [(7000, True), (0, False), (200, None)])
def test_power_into_a_plugged_car_is_charging(power_w: int, charging: bool | None) -> None:
    found = derived({CABLE: True, P: power_w}).get(CHARGING)
    assert (None if found is None else found.value) is charging
    assert CHARGING not in derived({P: power_w})


def test_power_that_may_heat_a_full_car_is_not_called_charging() -> None:
    assert CHARGING not in derived({CABLE: True, P: 3000, SOC: 80} | limit(80))
    assert CHARGING not in derived({CABLE: True, P: 3000, SOC: 100})
    assert derived({CABLE: True, P: 3000, SOC: 79} | limit(80))[CHARGING].value is True


def test_power_that_raises_no_charge_is_not_called_charging() -> None:
    heating = charging_for(60, 6000, soc=[Sample(T0 - HOUR, 50), Sample(T0, 50)])
    assert CHARGING not in derived({CABLE: True, P: 6000, SOC: 50}, heating, capacity_kwh=60)
    filling = charging_for(60, 6000, soc=[Sample(T0 - HOUR, 50), Sample(T0, 59)])
    assert derived({CABLE: True, P: 6000, SOC: 59}, filling, capacity_kwh=60)[CHARGING].value is True


def test_a_rising_charge_is_charging_only_with_a_cable_in() -> None:
    rising = OpenSession(started_at=T0 - HOUR, soc=[Sample(T0 - (4 - n) * 5 * MINUTE, 50 + n) for n in range(5)])
    assert derived({CABLE: True, SOC: 54}, rising)[CHARGING].value is True
    assert CHARGING not in derived({SOC: 54}, rising)
    assert derived({CABLE: False, SOC: 54}, rising)[CHARGING].value is False
    ended = OpenSession(started_at=T0 - HOUR, soc=[*rising.soc, Sample(T0 + 20 * MINUTE, 54)])
    assert CHARGING not in derived({CABLE: True, SOC: 54}, ended, now=T0 + 20 * MINUTE)


@pytest.mark.parametrize(
    ("values", "ages_ms", "charging"),
    [
        ({CABLE: False}, {}, False),
        ({CABLE: False}, {CABLE: 10 * HOUR}, False),  # a parked car sleeps
        ({CABLE: False, P: 50_000}, {P: 1_000}, False),
        ({CABLE: False, A: 16}, {A: 1_000}, False),
        ({CABLE: False, P: 50_000}, {CABLE: 1_000}, None),  # at a station that tells of no cable
        ({CABLE: False, A: 16}, {CABLE: 1_000}, None),
        ({CABLE: False, P: 5, A: 0.1}, {CABLE: 1_000}, False),
        ({CABLE: True}, {}, None),
    ],
)
def test_without_a_cable_nothing_charges_unless_something_flows_since(
    values: dict[str, Value], ages_ms: dict[str, int], charging: bool | None
) -> None:
    found = derived(values, ages_ms=ages_ms).get(CHARGING)
    assert (None if found is None else found.value) is charging


def test_a_charging_car_has_a_cable_in_and_one_that_does_not_charge_may_have() -> None:
    assert derived({CHARGING: True})[CABLE].value is True
    assert CABLE not in derived({CHARGING: False})
    assert derived({FAST: True})[CABLE].value is True
    assert CABLE not in derived({FAST: False})


@pytest.mark.parametrize(
    ("values", "fast"),
    [
        ({CABLE: False}, False),
        ({CHARGING: True, V: 231}, False),
        ({CHARGING: True, V: 620}, True),
        ({CHARGING: True, V: 400}, None),
        ({V: 620}, None),
        ({CHARGING: True, P: 60_000}, True),
        ({P: 60_000}, None),
        ({CHARGING: True, P: 11_000}, None),
        ({CHARGING: True, P: 24_000}, None),  # 22 kW AC at 250 V
        ({CHARGING: True, P: 43_000, N: 3}, None),
        ({CHARGING: True, P: 43_000, N: 3, V: 230}, False),
        ({CHARGING: True, A: 160}, True),
        ({CHARGING: True, A: 32}, None),
    ],
)
def test_a_fast_charger_is_told_by_what_no_ac_has(values: dict[str, Value], fast: bool | None) -> None:
    found = derived(values).get(FAST)
    assert (None if found is None else found.value) is fast


# Energy


def test_energy_comes_from_a_counter_before_power_and_from_power_before_the_state_of_charge() -> None:
    soc = [Sample(T0 - HOUR, 50), Sample(T0, 60)]
    counted = charging_for(60, 10_000, soc=soc, energy_at_start_kwh=100.0, counter=Sample(T0, 109.0))
    found = derived(AC, counted, capacity_kwh=60)[ENERGY]
    assert (found.rule, found.value) == ("energyadded/counter@1", pytest.approx(9 * 0.925, abs=0.01))
    found = derived(AC, charging_for(60, 10_000, soc=soc), capacity_kwh=60)[ENERGY]
    assert (found.rule, found.value) == ("energyadded/wattage-integral@1", 9.25)
    assert {P, FAST} <= {each.code for each in found.inputs}
    found = derived(AC, OpenSession(started_at=T0 - HOUR, soc=soc), capacity_kwh=60)[ENERGY]
    assert (found.rule, found.value) == ("energyadded/stateofcharge@1", 6)


def test_power_that_was_seen_too_seldom_gives_way_to_a_state_of_charge_that_rose_by_more() -> None:
    soc = [Sample(T0 - HOUR, 20), Sample(T0, 80)]
    found = derived(AC, charging_for(60, 10_000, soc=soc), capacity_kwh=60)[ENERGY]
    assert (found.rule, found.value) == ("energyadded/stateofcharge@1", 36)


def test_a_counter_of_the_battery_loses_nothing_and_one_that_was_reset_says_nothing() -> None:
    session = OpenSession(started_at=T0 - HOUR, energy_at_start_kwh=100.0, counter=Sample(T0, 109.0), counter_side="battery")
    assert derived({}, session)[ENERGY].value == 9
    reset = OpenSession(started_at=T0 - HOUR, energy_at_start_kwh=100.0, counter=Sample(T0, 3.0))
    assert ENERGY not in derived({}, reset)


def test_energy_is_voltage_times_current_where_no_power_is_reported() -> None:
    session = OpenSession(started_at=T0 - HOUR, voltage=course(230, 60), amperage=course(16, 60))
    found = derived(AC | {N: 3}, session)[ENERGY]
    assert (found.rule, found.value) == ("energyadded/voltage-amperage-integral@1", pytest.approx(11.04 * 0.924, abs=0.01))
    assert ENERGY not in derived(AC, session)


def test_energy_stays_after_the_session_as_old_as_its_last_sample() -> None:
    session = OpenSession(started_at=T0 - HOUR, power=course(10_000, 60), voltage=course(230, 60))
    found = derived({CABLE: True}, session, now=T0 + 9 * HOUR)[ENERGY]
    assert (found.value, found.observed_at) == (9.25, T0)


def test_a_short_gap_is_bridged_and_said_and_a_long_one_leaves_power_out() -> None:
    def with_gap(minutes: int) -> OpenSession:
        power = course(10_000, 30, end_at=T0 - minutes * MINUTE) + course(10_000, 30, end_at=T0 + 30 * MINUTE)
        return OpenSession(started_at=power[0].at, power=power)

    found = derived(AC, with_gap(20))[ENERGY]
    assert found.rule == "energyadded/wattage-integral-with-gaps@1"
    assert found.value == pytest.approx(80 / 60 * 9.25, abs=0.01)
    assert ENERGY not in derived(AC, with_gap(40))


# Rate and time


def test_the_charge_rate_is_battery_power_over_consumption() -> None:
    values = AC | {P: 10_000, SOC: 50} | full_range(200)  # 400 km on 60 kWh
    found = derived(values, capacity_kwh=60)[RATE]
    assert found.value == pytest.approx(9.25 / 0.15, abs=0.1)
    assert {"tractionbattery-range", SOC, P} <= {each.code for each in found.inputs}


def test_no_charge_rate_follows_from_a_nearly_empty_battery() -> None:
    assert RATE not in derived(AC | {P: 10_000, SOC: 19} | full_range(70), capacity_kwh=60)
    assert RATE not in derived(AC | {P: 10_000, SOC: 50} | full_range(200))


TO_80 = AC | {P: 10_000, SOC: 50} | limit(80)


def test_time_on_ac_is_what_is_missing_over_battery_power() -> None:
    found = derived(TO_80, charging_for(10, 10_000), capacity_kwh=60)[TIME]
    assert found.value == pytest.approx(18 / 9.25 * 60, abs=1)
    assert found.rule == "timetocomplete/wattage-ac@1"


def test_the_capacity_of_the_new_battery_stands_in_for_the_configured_one() -> None:
    capacity = {"tractionbattery-nominalcapacity": bodies.parse(BY_CODE["tractionbattery-nominalcapacity"], {"capacity": 60})}
    found = derived(TO_80 | capacity, charging_for(10, 10_000))[TIME]
    assert found.value == derived(TO_80, charging_for(10, 10_000), capacity_kwh=60)[TIME].value
    assert BY_CODE["tractionbattery-nominalcapacity"] in found.inputs


def test_the_last_five_percent_take_ten_to_twenty_minutes_longer() -> None:
    for capacity_kwh, longer_min in ((20, 10), (77, 16.6), (200, 20)):
        session = charging_for(10, 10_000)
        full = derived(AC | {P: 10_000, SOC: 90} | limit(100), session, capacity_kwh=capacity_kwh)[TIME].value
        assert full == pytest.approx(capacity_kwh / 10 / 9.25 * 60 + longer_min, abs=2)


def test_the_ramp_of_the_first_two_minutes_promises_nothing() -> None:
    assert TIME not in derived(TO_80, charging_for(1, 10_000), capacity_kwh=60)
    assert TIME in derived(TO_80, charging_for(2, 10_000), capacity_kwh=60)


def test_one_sample_that_stands_out_does_not_change_the_time() -> None:
    session = OpenSession(started_at=T0 - HOUR, power=[*course(10_000, 50, end_at=T0 - MINUTE), Sample(T0, 3_000)])
    assert derived(TO_80 | {P: 3_000}, session, capacity_kwh=60)[TIME].value == pytest.approx(117, abs=1)


def test_a_charge_reported_a_while_ago_is_carried_on_by_the_power_since() -> None:
    found = derived(TO_80, charging_for(60, 10_000), ages_ms={SOC: 30 * MINUTE}, capacity_kwh=60)[TIME]
    assert found.value == pytest.approx((18 - 4.625) / 9.25 * 60, abs=1)


@pytest.mark.parametrize(
    "values",
    [
        {**TO_80, CHARGING: False},
        {code: value for code, value in TO_80.items() if code != SOC},
        {code: value for code, value in TO_80.items() if code != "charge-chargelimits"},
        {**TO_80, FAST: True},  # no curve of this car
    ],
)
def test_no_time_is_promised_without_charging_charge_limit_or_curve(values: dict[str, Value]) -> None:
    assert TIME not in derived(values, charging_for(10, 10_000), capacity_kwh=60)


def test_the_owners_limit_counts_where_the_car_reports_none() -> None:
    values = {code: value for code, value in TO_80.items() if code != "charge-chargelimits"}
    assert TIME in derived(values, charging_for(10, 10_000), capacity_kwh=60, limit_percent=80)


CURVE = curves.curve([(0, 100_000), (50, 100_000), (100, 20_000)])


def dc_time(power_w: float, soc: float = 50) -> Derived | None:
    values = DC | {P: power_w, SOC: soc} | limit(80)
    return derived(values, charging_for(10, power_w), capacity_kwh=60, curve=CURVE).get(TIME)


def test_time_on_dc_follows_the_curve_of_the_model_and_what_the_station_gives() -> None:
    by_curve, by_station = dc_time(100_000), dc_time(40_000)
    assert by_curve is not None
    assert by_station is not None
    assert by_curve.value == pytest.approx(60 * 18 / (0.95 * 74.8), abs=1)  # 48 / ln(100/52) kW is the mean of the curve
    assert by_station.value == pytest.approx(60 * 18 / (0.95 * 40), abs=1)


def test_a_car_that_takes_much_more_than_its_curve_has_another_curve() -> None:
    assert dc_time(130_000) is None


# Age, spread, precedence, chains


def test_a_reported_value_is_never_replaced() -> None:
    assert P not in derived(AC | {V: 230, A: 16, N: 3, P: 9_000})


@pytest.mark.parametrize(("age_ms", "follows"), [(LIVE_FOR_MS, True), (LIVE_FOR_MS + 1, False)])
def test_what_is_too_old_gives_nothing(age_ms: int, follows: bool) -> None:
    values = AC | {V: 230, A: 16, N: 3}
    assert (P in derived(values, now=T0 + age_ms)) is follows


@pytest.mark.parametrize(("apart_ms", "follows"), [(2 * MINUTE, True), (2 * MINUTE + 1, False)])
def test_what_was_measured_too_far_apart_gives_nothing(apart_ms: int, follows: bool) -> None:
    values = AC | {V: 230, A: 16, N: 3}
    assert (P in derived(values, ages_ms={A: apart_ms})) is follows


def test_what_lasts_may_be_older_than_what_is_measured() -> None:
    found = derived(AC | {V: 230, A: 16, N: 3}, ages_ms={N: 9 * HOUR, FAST: 9 * HOUR, A: MINUTE})[P]
    assert found.observed_at == T0


def test_a_chain_of_derivations_names_the_reported_values_at_its_beginning() -> None:
    values = {STATUS: "CHARGING", V: 240, A: 40, "charge-chargingconnectortype": "J1772", SOC: 50} | limit(80)
    session = OpenSession(started_at=T0 - 10 * MINUTE, voltage=course(240, 10), amperage=course(40, 10))
    found = derived(values, session, capacity_kwh=60)
    assert found.keys() == {CABLE, CHARGING, FAST, N, P, ENERGY, TIME}
    assert {each.code for each in found[TIME].inputs} == set(values)


def test_a_chain_does_not_stretch_what_was_measured_at_one_time() -> None:
    values = AC | {V: 230, A: 16, N: 3, SOC: 50} | full_range(200)
    later = {SOC: -4 * MINUTE, "tractionbattery-range": -4 * MINUTE}  # the rate's inputs may be five minutes apart
    assert RATE in derived(values, ages_ms={**later, V: MINUTE}, capacity_kwh=60)
    assert RATE not in derived(values, ages_ms={**later, V: 2 * MINUTE}, capacity_kwh=60)
