"""Which source's value counts: rules one by one, then any reports of three sources against an oracle."""

import random
from collections.abc import Mapping, Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chargeport.signals.catalogue import BY_CODE, BY_KEY, CABLE_CONNECTED, CATALOGUE, IS_CHARGING
from chargeport.signals.definition import Cadence, Signal, Value
from chargeport.signals.effective import DERIVED, Effective, Ranks, Why, effective
from chargeport.signals.flags import flag
from chargeport.signals.freshness import Freshness
from chargeport.signals.ranks import DERIVED_FIRST, SETTINGS
from chargeport.signals.reading import AbsenceReason
from chargeport.signals.state import LIVE_FOR_MS, State
from chargeport.signals.sweep import Report, Reports, Span, Sweep, reported, steps
from effective_oracle import HOME, LIMITS, MIN, OFFICE, WATTAGE, Oracle, S

NOW = 1_000 * MIN
SOC = BY_CODE["tractionbattery-stateofcharge"]
PHASES, FAST, RECORDS = BY_CODE["charge-chargerphases"], BY_CODE["charge-isfastchargerpresent"], BY_CODE["charge-chargerecords"]
GONE = AbsenceReason.UNREADABLE
CAR, APP = "car", "app"
RANKS = Ranks(stations=(HOME, OFFICE))

Told = tuple[Signal, str, float, Value | AbsenceReason]


def reports_of(*reports: Told) -> Reports:
    """Reports by series: signal, source, minutes from now, and what."""
    found: dict[int, dict[str, list[Report]]] = {}
    for signal, source, minutes, what in sorted(reports, key=lambda each: each[2]):
        at = NOW + int(minutes * MIN)
        absence = what if isinstance(what, AbsenceReason) else None
        report = Report(at, at, None if absence else what, absence)
        found.setdefault(signal.key, {}).setdefault(source, []).append(report)
    return found


def series_at(reports: Reports, now: int, freshness: Freshness | None = None) -> dict[int, list[State]]:
    """The states as a store has them at an instant, in no particular order."""
    series: dict[int, list[State]] = {}
    for key, sources in reports.items():
        for source, every in sources.items():
            state = None
            for report in every:
                if report.at <= now:
                    state = reported(state, BY_KEY[key], source, report, freshness or Freshness())
            if state is not None:
                series.setdefault(key, []).append(state)
    return series


def sweep(signal: Signal, reports: Reports, ranks: Ranks, freshness: Freshness, until: int) -> list[Span]:
    """All of the effective history, in two parts as a reader of a store may fetch it."""
    start, middle = NOW - 91 * MIN, NOW - 10 * MIN
    whole = Sweep(signal, ranks, freshness, start)
    before = {
        key: {name: [each for each in every if each.at < middle] for name, every in sources.items()}
        for key, sources in reports.items()
    }
    behind = {
        key: {name: [each for each in every if each.at >= middle] for name, every in sources.items()}
        for key, sources in reports.items()
    }
    return [*whole.take(before, middle), *whole.take(behind, until)]


def found_at(signal: Signal, reports: Reports, ranks: Ranks = RANKS, now: int = NOW) -> Effective:
    found = effective(signal, series_at(reports, now), ranks, now)
    assert found is not None
    return found


def shown(found: Effective) -> Value | AbsenceReason | None:
    return found.state.value if found.unavailability is None else found.unavailability.reason


def why(found: Effective) -> dict[str | None, Why]:
    return {each.state.source: each.why for each in found.passed_over}


def test_of_what_nobody_reported_nothing_is_effective() -> None:
    assert effective(WATTAGE, {}, RANKS, NOW) is None


def test_a_station_is_preferred_for_what_it_measures_and_a_car_for_what_it_knows() -> None:
    both = reports_of((WATTAGE, HOME, -3, 7000), (WATTAGE, CAR, -1, 6500), (SOC, HOME, -1, 60), (SOC, CAR, -3, 61))
    power, soc = found_at(WATTAGE, both), found_at(SOC, both)
    assert (shown(power), why(power)) == (7000, {CAR: Why.OUTRANKED})
    assert (shown(soc), why(soc)) == (61, {HOME: Why.OUTRANKED})


def test_the_settings_may_name_another_order_and_who_is_not_in_it_comes_behind() -> None:
    reports = reports_of((WATTAGE, HOME, -1, 1), (WATTAGE, CAR, -2, 2), (WATTAGE, APP, -3, 3))
    assert shown(found_at(WATTAGE, reports, Ranks({WATTAGE: [APP, CAR]}, (HOME,)))) == 3
    assert shown(found_at(WATTAGE, reports, Ranks({WATTAGE: [CAR]}, (HOME,)))) == 2


def test_of_two_sources_of_one_rank_the_newer_report_counts() -> None:
    found = found_at(WATTAGE, reports_of((WATTAGE, APP, -2, 1), (WATTAGE, CAR, -1, 2)))
    assert (shown(found), why(found)) == (2, {APP: Why.OLDER})


def test_a_preferred_source_that_fell_silent_yields_to_the_next_and_takes_over_when_it_is_back() -> None:
    silent = [(WATTAGE, HOME, -31, 7000), (WATTAGE, CAR, -1, 6500)]
    found = found_at(WATTAGE, reports_of(*silent))
    assert (shown(found), why(found)) == (6500, {HOME: Why.SILENT})
    assert shown(found_at(WATTAGE, reports_of(*silent, (WATTAGE, HOME, -2, 7100)))) == 7100


def test_a_setting_of_the_car_stands_a_day_against_a_newer_report_of_a_lesser_source() -> None:
    assert shown(found_at(LIMITS, reports_of((LIMITS, CAR, -1400, "80"), (LIMITS, HOME, -1, "90")))) == "80"
    assert shown(found_at(LIMITS, reports_of((LIMITS, CAR, -1500, "80"), (LIMITS, HOME, -1, "90")))) == "90"
    assert shown(found_at(LIMITS, reports_of((LIMITS, CAR, -9999, "80")))) == "80", "silence alone ends no lasting value"


def test_what_the_settings_file_says_of_a_car_nobody_overrules() -> None:
    capacity = BY_CODE["tractionbattery-nominalcapacity"]
    assert shown(found_at(capacity, reports_of((capacity, SETTINGS, -9999, "60"), (capacity, CAR, -1, "58")))) == "60"


def test_that_one_source_has_no_value_hides_nothing_that_another_reported() -> None:
    found = found_at(WATTAGE, reports_of((WATTAGE, HOME, -2, 7000), (WATTAGE, HOME, -1, GONE), (WATTAGE, CAR, -3, 6500)))
    assert (shown(found), why(found)) == (6500, {HOME: Why.ABSENT})
    assert shown(found_at(WATTAGE, reports_of((WATTAGE, HOME, -2, 7000), (WATTAGE, HOME, -1, GONE)))) is GONE


def test_a_derived_value_counts_where_none_is_reported() -> None:
    derived = (WATTAGE, DERIVED, 0, 6900)
    assert shown(found_at(WATTAGE, reports_of(derived))) == 6900
    assert shown(found_at(WATTAGE, reports_of(derived, (WATTAGE, CAR, -31, 7000)))) == 6900
    found = found_at(WATTAGE, reports_of(derived, (WATTAGE, CAR, -29, 7000)))
    assert (shown(found), why(found)) == (7000, {DERIVED: Why.DERIVED})


def test_derived_records_count_before_reported_ones_which_they_contain() -> None:
    assert frozenset({RECORDS}) == DERIVED_FIRST
    assert shown(found_at(RECORDS, reports_of((RECORDS, DERIVED, -9, "both"), (RECORDS, CAR, -1, "one")))) == "both"


def test_a_car_charges_as_soon_as_one_source_says_so() -> None:
    reports = reports_of((IS_CHARGING, HOME, -1, True), (IS_CHARGING, CAR, -60, False), (IS_CHARGING, CAR, -1, False))
    found = found_at(IS_CHARGING, reports)
    assert (shown(found), why(found)) == (True, {CAR: Why.OUTVOTED})
    assert shown(found_at(IS_CHARGING, reports, Ranks({IS_CHARGING: [CAR]}))) is False, "the settings may name who decides"


@pytest.mark.parametrize("flag", [IS_CHARGING, CABLE_CONNECTED])
def test_a_denial_that_began_after_the_other_report_counts_once_that_one_had_time_to_be_repeated(flag: Signal) -> None:
    reports = reports_of((flag, CAR, -10, True), (flag, HOME, -7, False))
    assert shown(found_at(flag, reports, now=NOW - 7 * MIN)) is False
    lagging = reports_of((flag, CAR, -10, True), (flag, HOME, -9, False))
    assert shown(found_at(flag, lagging, now=NOW - 8 * MIN - 1)) is True
    found = found_at(flag, lagging, now=NOW - 8 * MIN)
    assert (shown(found), why(found)) == (False, {CAR: Why.DENIED})


@pytest.mark.parametrize("flag", [IS_CHARGING, CABLE_CONNECTED])
def test_a_wallbox_that_stands_idle_all_day_denies_nothing(flag: Signal) -> None:
    reports = reports_of((flag, HOME, -600, False), (flag, CAR, -9, True), (flag, HOME, -1, False))
    assert shown(found_at(flag, reports)) is True


@pytest.mark.parametrize("flag", [IS_CHARGING, CABLE_CONNECTED])
def test_a_station_says_nothing_of_the_plug_of_another_one(flag: Signal) -> None:
    assert shown(found_at(flag, reports_of((flag, OFFICE, -9, True), (flag, HOME, -5, False)))) is True
    assert shown(found_at(flag, reports_of((flag, OFFICE, -9, True), (flag, OFFICE, -5, False)))) is False


def test_a_cable_is_in_as_long_as_the_source_that_said_so_reports_that_it_charges() -> None:
    reports = reports_of((CABLE_CONNECTED, CAR, -300, True), (IS_CHARGING, CAR, -1, True), (CABLE_CONNECTED, APP, -60, False))
    assert shown(found_at(CABLE_CONNECTED, reports)) is True


def test_charging_ends_with_the_plug() -> None:
    found = found_at(IS_CHARGING, reports_of((IS_CHARGING, CAR, -9, True), (CABLE_CONNECTED, CAR, -5, False)))
    assert shown(found) is AbsenceReason.NOT_CHARGING


def test_a_live_value_ends_with_its_session() -> None:
    reports = reports_of((IS_CHARGING, CAR, -25, True), (WATTAGE, CAR, -20, 7000), (IS_CHARGING, CAR, -15, False))
    assert shown(found_at(WATTAGE, reports)) is AbsenceReason.NOT_CHARGING


def test_a_live_value_of_an_ended_session_stays_ended_when_the_next_one_starts() -> None:
    before = [(IS_CHARGING, CAR, -25, True), (WATTAGE, CAR, -24, 50_000), (IS_CHARGING, CAR, -20, False)]
    again = [*before, (IS_CHARGING, CAR, -3, True)]
    assert shown(found_at(WATTAGE, reports_of(*again))) is AbsenceReason.NOT_CHARGING
    assert shown(found_at(WATTAGE, reports_of(*again, (WATTAGE, CAR, -2, 50_000)))) == 50_000, (
        "what the new session reports is shown"
    )


def test_a_live_value_from_before_the_cable_was_plugged_in_again_is_over_though_nobody_reported_the_end_of_charging() -> None:
    reports = [(IS_CHARGING, CAR, -25, True), (CABLE_CONNECTED, CAR, -25, True), (WATTAGE, CAR, -24, 50_000)]
    unplugged = [*reports, (CABLE_CONNECTED, CAR, -20, False), (CABLE_CONNECTED, CAR, -5, True), (IS_CHARGING, CAR, -5, True)]
    assert shown(found_at(WATTAGE, reports_of(*reports, (IS_CHARGING, CAR, -5, True)))) == 50_000
    assert shown(found_at(WATTAGE, reports_of(*unplugged))) is AbsenceReason.NOT_CHARGING
    assert shown(found_at(WATTAGE, reports_of(*unplugged, (WATTAGE, CAR, -6, 7000)))) == 7000, (
        "the cable may be reported a bit later"
    )


def test_a_zero_of_the_pause_is_not_the_power_of_the_session_that_begins() -> None:
    reports = reports_of((IS_CHARGING, CAR, -9, False), (WATTAGE, CAR, -3, 0), (IS_CHARGING, CAR, -3, True))
    assert shown(found_at(WATTAGE, reports)) == 0, "reported with it"
    reports = reports_of((IS_CHARGING, CAR, -9, False), (WATTAGE, CAR, -4, 0), (IS_CHARGING, CAR, -3, True))
    assert shown(found_at(WATTAGE, reports)) is AbsenceReason.NOT_CHARGING


def test_a_value_that_came_seconds_before_the_word_that_charging_began_belongs_to_it() -> None:
    for seconds, expected in ((10, 7000), (11, AbsenceReason.NOT_CHARGING)):
        states = {
            WATTAGE.key: [State(WATTAGE, 7000, NOW - seconds * S, NOW - seconds * S, NOW, CAR)],
            IS_CHARGING.key: [State(IS_CHARGING, True, NOW, NOW, NOW, CAR)],
        }
        found = effective(WATTAGE, states, RANKS, NOW)
        assert found is not None
        assert shown(found) == expected


def test_a_meter_may_notice_the_power_up_to_two_minutes_before_the_car_says_that_it_charges() -> None:
    for minutes, expected in ((-5, 7000), (-6, AbsenceReason.NOT_CHARGING)):
        reports = reports_of((WATTAGE, APP, minutes, 7000), (IS_CHARGING, CAR, -3, True))
        assert shown(found_at(WATTAGE, reports)) == expected


def test_of_two_flags_of_one_instant_and_rank_one_counts_in_any_order_of_the_series() -> None:
    ranks = Ranks({IS_CHARGING: [OFFICE]})
    reports = reports_of((CABLE_CONNECTED, HOME, -90, False), (IS_CHARGING, HOME, -29, False), (IS_CHARGING, CAR, -29, True))
    series = series_at(reports, NOW)
    turned = {key: states[::-1] for key, states in series.items()}
    assert [flag(IS_CHARGING, each, ranks, NOW).is_on for each in (series, turned)] == [True, True]


def test_the_power_of_a_source_that_says_the_car_does_not_charge_there_is_passed_over() -> None:
    reports = reports_of(
        (IS_CHARGING, OFFICE, -5, True), (WATTAGE, OFFICE, -4, 11_000), (IS_CHARGING, HOME, -60, False), (WATTAGE, HOME, -1, 0)
    )  # fmt: skip
    found = found_at(WATTAGE, reports)
    assert (shown(found), why(found)) == (11_000, {HOME: Why.ELSEWHERE})


def test_a_session_that_one_source_saw_end_later_ends_no_value_that_another_reported_after_its_own_end() -> None:
    reports = reports_of(
        (IS_CHARGING, HOME, -20, True), (IS_CHARGING, HOME, -9, False), (WATTAGE, HOME, -8, 0),
        (IS_CHARGING, CAR, -20, True), (IS_CHARGING, CAR, -5, False),
    )  # fmt: skip
    assert shown(found_at(WATTAGE, reports)) == 0


def test_what_follows_from_being_unplugged_stays_while_the_car_sleeps() -> None:
    reports = reports_of((CABLE_CONNECTED, CAR, -600, False), (IS_CHARGING, CAR, -600, False), (WATTAGE, CAR, -600, 0))
    assert shown(found_at(IS_CHARGING, reports)) is False
    assert shown(found_at(WATTAGE, reports)) == 0
    plugged = reports_of((CABLE_CONNECTED, CAR, -600, True), (IS_CHARGING, CAR, -600, False), (WATTAGE, CAR, -600, 0))
    assert shown(found_at(IS_CHARGING, plugged)) is AbsenceReason.UNREACHABLE, "it may charge by now"
    assert shown(found_at(WATTAGE, plugged)) is AbsenceReason.UNREACHABLE


def test_where_it_is_unknown_by_now_whether_the_cable_is_out_nothing_follows_from_it() -> None:
    reports = reports_of(
        (CABLE_CONNECTED, CAR, -600, False), (CABLE_CONNECTED, CAR, -500, GONE), (IS_CHARGING, CAR, -600, False)
    )
    assert shown(found_at(IS_CHARGING, reports)) is AbsenceReason.UNREACHABLE


def test_time_to_complete_is_no_fact_of_an_unplugged_car() -> None:
    left = BY_CODE["charge-timetocomplete"]
    reports = reports_of((CABLE_CONNECTED, CAR, -600, False), (IS_CHARGING, CAR, -600, False), (left, CAR, -601, 0))
    assert shown(found_at(left, reports)) is AbsenceReason.NOT_CHARGING


@pytest.mark.parametrize("signal", [each for each in CATALOGUE if each.cadence is Cadence.PLUGGED], ids=lambda each: each.code)
def test_what_holds_while_plugged_in_ends_with_the_plug_and_does_not_come_back_with_the_next(signal: Signal) -> None:
    value = True if signal is FAST else 3
    plugged = [(CABLE_CONNECTED, CAR, -600, True), (signal, CAR, -599, value)]
    pulled = [*plugged, (CABLE_CONNECTED, CAR, -30, False)]
    assert shown(found_at(signal, reports_of(*plugged))) == value, "silence alone ends it not"
    assert shown(found_at(signal, reports_of(*pulled))) is AbsenceReason.NOT_CHARGING
    assert shown(found_at(signal, reports_of(*pulled, (CABLE_CONNECTED, CAR, -5, True)))) is AbsenceReason.NOT_CHARGING


def test_that_there_is_no_fast_charger_lasts() -> None:
    reports = reports_of((FAST, CAR, -600, False), (CABLE_CONNECTED, CAR, -500, True), (CABLE_CONNECTED, CAR, -400, False))
    assert shown(found_at(FAST, reports)) is False


def test_the_time_since_when_a_value_is_unavailable_is_never_before_it_was_received() -> None:
    late = State(WATTAGE, 7000, NOW - 40 * MIN, NOW - 40 * MIN, NOW, CAR)
    found = effective(WATTAGE, {WATTAGE.key: [late]}, RANKS, NOW)
    assert found is not None
    assert found.unavailability is not None
    assert found.unavailability.since == NOW


def test_each_reason_has_a_sentence() -> None:
    assert all(each.sentence.endswith(".") for each in Why)


def values_of(signal: Signal) -> st.SearchStrategy[Value | AbsenceReason]:
    if signal in {IS_CHARGING, CABLE_CONNECTED, FAST}:
        return st.sampled_from([True, True, False, False, GONE])
    return st.sampled_from([0, 0, 3, 11, 11, GONE])


JUDGED = (WATTAGE, WATTAGE, WATTAGE, IS_CHARGING, CABLE_CONNECTED, PHASES, FAST, SOC, LIMITS)


SOURCES = [(HOME, CAR, DERIVED), (HOME, OFFICE, CAR), (CAR, APP, HOME), (CAR,), (CAR, DERIVED)]
PLACES = [-90, -61, -45, -31, -30, -29, -20, -12, -10, -9, -8.1, -8, -5.1, -5, -4, -3, -1, 0]  # a tenth: six seconds


@st.composite
def cases(draw: st.DrawFn) -> tuple[Signal, Reports, Ranks]:
    """A signal, reports of it and of the flags by some sources, and an order."""
    signal = draw(st.sampled_from(JUDGED))
    kinds = list(dict.fromkeys((signal, IS_CHARGING, CABLE_CONNECTED)))
    sources = st.sampled_from(draw(st.sampled_from(SOURCES)))
    places = st.lists(st.tuples(st.sampled_from(kinds), sources, st.sampled_from(PLACES)), min_size=3, max_size=16, unique=True)
    reports = [(*place, draw(values_of(place[0]))) for place in draw(places)]
    order = draw(st.sampled_from([{}, {signal: [CAR, HOME]}, {signal: [OFFICE]}]))
    return signal, reports_of(*reports), Ranks(order, (HOME, OFFICE))


@settings(max_examples=1500)
@given(cases())
def test_any_reports_of_three_sources_lead_to_what_the_oracle_says(case: tuple[Signal, Reports, Ranks]) -> None:
    signal, reports, ranks = case
    if signal is LIMITS or ranks.preferred_for_ms(State(signal)) == LIVE_FOR_MS or signal.cadence is Cadence.LIVE:
        found = effective(signal, series_at(reports, NOW), ranks, NOW)
        expected = Oracle(reports, ranks, NOW).shown(signal)
        assert (None if found is None or found.unavailability else found.state.value) == expected


@given(cases(), st.randoms(use_true_random=False))
def test_the_order_of_the_series_does_not_matter(case: tuple[Signal, Reports, Ranks], chance: random.Random) -> None:
    signal, reports, ranks = case
    series: Mapping[int, Sequence[State]] = series_at(reports, NOW)
    mixed = {key: chance.sample(list(states), len(states)) for key, states in series.items()}
    found, other = effective(signal, series, ranks, NOW), effective(signal, mixed, ranks, NOW)
    assert (found is None) is (other is None)
    if found is not None and other is not None:
        assert (found.state, found.unavailability, why(found)) == (other.state, other.unavailability, why(other))


@given(cases(), st.sampled_from([Freshness(), Freshness(by_signal={"charge-wattage": 3 * MIN, "charge-ischarging": 7 * MIN})]))
def test_a_sweep_is_what_is_effective_at_each_instant(case: tuple[Signal, Reports, Ranks], freshness: Freshness) -> None:
    signal, reports, ranks = case
    until = NOW + 60 * MIN
    spans = sweep(signal, reports, ranks, freshness, until)
    assert all(before.end == after.start for before, after in pairwise(spans))
    assert spans[-1].end == until
    for at in range(NOW - 91 * MIN, until, MIN // 2):
        expected = effective(signal, series_at(reports, at, freshness), ranks, at)
        swept = [span.effective for span in spans if span.start <= at < span.end]
        assert (swept or [None])[0] == expected or same(swept[0], expected)


def same(one: Effective | None, other: Effective | None) -> bool:
    """Whether two are equal but for the order of what is passed over."""
    return one is not None and other is not None and one.state == other.state and why(one) == why(other)


@given(cases())
def test_the_steps_of_a_single_source_are_its_own_changes(case: tuple[Signal, Reports, Ranks]) -> None:
    signal, reports, ranks = case
    alone = {signal.key: {CAR: reports[signal.key][CAR]}} if CAR in reports.get(signal.key, {}) else {}
    found = [(step.at, step.value, step.absence) for step in steps(sweep(signal, alone, ranks, Freshness(), NOW + 1))]
    every = alone[signal.key][CAR] if alone else []
    assert found == [
        (now.at, now.value, now.absence)
        for before, now in zip([None, *every], every, strict=False)
        if before is None or (before.value, before.absence) != (now.value, now.absence)
    ]
