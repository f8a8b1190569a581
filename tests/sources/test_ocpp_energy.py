"""A session's energy: which register readings are its own."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from source_world import T0

from chargeport.sources.ocpp.energy import SessionMeter
from chargeport.sources.ocpp.sampled_values import Sample
from chargeport.sources.ocpp.samples import Reading

STEP = 60_000


def after(start_wh: float, values: Iterable[float], power_w: float | None = 7_000) -> list[float | None]:
    """The energy after each reading, one a minute."""
    meter = SessionMeter().started(start_wh, T0)
    meter = meter if power_w is None else meter.with_power(power_w, T0)
    found = []
    for number, value in enumerate(values, 1):
        meter, _ = meter.with_reading([value], T0 + number * STEP)
        found.append(meter.total_wh)
    return found


def test_a_register_that_rises_is_the_session_s() -> None:
    assert after(4_000, [4_100, 4_200, 4_200, 4_350]) == [100, 200, 200, 350]


def test_a_register_that_falls_for_a_moment_changes_nothing() -> None:
    assert after(0, [100, 0, 200, 50, 300]) == [100, 100, 200, 200, 300]


def test_a_register_that_is_rounded_in_another_way_loses_nothing() -> None:
    assert after(4_000, [4_105, 4_100, 4_210]) == [105, 105, 210]


def test_intervals_are_added_up_where_there_is_no_register() -> None:
    meter = SessionMeter().started(0, T0).with_power(7_000, T0)
    found = []
    for number, (interval_wh, context) in enumerate(
        [(120, "Sample.Clock"), (110, "Sample.Periodic"), (130, "Sample.Clock"), (40, "Transaction.End")], 1
    ):
        meter, energy_wh = meter.with_interval(interval_wh, T0 + number * STEP, context)
        found.append(energy_wh)
    assert found == [120, None, 250, 290], "periodic intervals are within those of the clock"
    assert meter.with_interval(40, T0 + 4 * STEP, "Transaction.End") == (meter, None), "what is said again is not added again"
    assert meter.with_reading([0], T0 + 5 * STEP, is_named=True)[0].total_wh == 290, "a register that does not move is none"


def test_a_register_says_more_than_intervals() -> None:
    meter, _ = SessionMeter().started(4_000, T0).with_power(7_000, T0).with_interval(120, T0 + STEP, "Sample.Periodic")
    meter, energy_wh = meter.with_reading([4_125], T0 + STEP, is_named=True)
    assert (energy_wh, meter.total_wh) == (125, 125)
    meter, energy_wh = meter.with_interval(110, T0 + 2 * STEP, "Sample.Periodic")
    assert (energy_wh, meter.total_wh) == (None, 125)


def test_a_register_that_does_not_move_while_power_flows_is_none() -> None:
    meter = SessionMeter().started(4_000, T0)
    found = []
    for number in range(1, 7):
        meter = meter.with_power(3_600, T0 + number * 5 * STEP)
        meter, energy_wh = meter.with_reading([4_000], T0 + number * 5 * STEP, is_named=True)
        found.append(energy_wh)
    assert found == [0, 0, None, None, None, None], "300 Wh flow between two samples"
    assert meter.total_wh is None
    moved, energy_wh = meter.with_reading([6_000], T0 + 31 * STEP, is_named=True)
    assert (energy_wh, moved.total_wh) == (2_000, 2_000), "its steps may be of 1 kWh and more"
    added, energy_wh = meter.with_interval(300, T0 + 31 * STEP, "Sample.Periodic")
    assert (energy_wh, added.total_wh) == (300, 300)


def metered(start_wh: float, values: Iterable[float | None], power_w: float) -> SessionMeter:
    """The meter after these readings, one a minute, each with a sample of the power; None: without a register."""
    meter = SessionMeter().started(start_wh, T0)
    for number, value in enumerate(values, 1):
        at = T0 + number * STEP
        meter, _ = meter.with_power(power_w, at).with_reading([] if value is None else [value], at, is_named=True)
    return meter


def test_a_register_in_another_unit_than_it_names_is_none() -> None:
    in_kwh = [361 + minute // 9 for minute in range(60)]
    meter = metered(361, in_kwh, 7_200)
    assert (meter.total_wh, meter.register_wh, meter.last_at) == (None, None, None)
    meter = metered(12_345, [12.345 + minute * 0.12 for minute in range(60)], 7_200)
    assert meter.total_wh is None
    meter, energy_wh = meter.with_reading([12_345 + 7_200], T0 + 60 * STEP, is_named=True)
    assert (energy_wh, meter.total_wh) == (7_200, 7_200), "that of the end is in Wh"


def test_a_power_in_another_unit_than_it_names_costs_no_register() -> None:
    assert metered(4_000, [4_000 + minute * 120 for minute in range(61)], 7_200_000).total_wh == 7_200


def test_what_flowed_while_nothing_was_sampled_costs_no_register() -> None:
    meter = metered(4_000, [4_120, 4_240], 7_200)
    at = T0 + 12 * 60 * STEP
    meter, _ = meter.with_power(7_200, at).with_reading([4_360], at, is_named=True)
    assert meter.total_wh == 360


@pytest.mark.parametrize(("power_w", "energy_wh"), [(30_000, 1_800), (None, 1_700)], ids=["from 0", "nobody knows from where"])
def test_a_register_that_begins_anew_loses_nothing_that_the_power_explains(power_w: float | None, energy_wh: float) -> None:
    assert after(4_000, [4_500, 5_000, 5_500, 100, 200, 300], power_w)[-1] == energy_wh


def test_a_power_that_was_sampled_once_or_late_proves_no_energy() -> None:
    meter = SessionMeter().started(4_000, T0).with_power(0, T0).with_power(7_000, T0 + 60 * STEP).with_power(0, T0 + 120 * STEP)
    assert meter.with_power(7_000, T0 + STEP) == meter
    assert meter.with_reading([4_000], T0 + 121 * STEP, is_named=True)[1] == 0


@pytest.mark.parametrize("interval_wh", [-5, 900_000])
def test_an_interval_of_more_than_can_flow_is_left_out(interval_wh: float) -> None:
    meter = SessionMeter().started(0, T0).with_power(7_000, T0)
    assert meter.with_interval(interval_wh, T0 + STEP, "Sample.Periodic") == (meter, None)


@pytest.mark.parametrize(
    ("exports", "imports", "gives"),
    [
        ([100, 600], [1_000, 1_000], True),
        ([100, 600], [1_000, 1_900], False),
        ([100, 600, 600], [1_000, 1_000, 1_000], False),
        ([100, 104, 108, 113], [1_000, 1_000, 1_000, 1_000], True),
        ([100, 104], [1_000, 1_000], False),
        ([600, 20], [1_000, 1_000], False),
        ([100, 600, None], [1_000, 1_000, 1_000], True),
    ],
)
def test_a_car_gives_where_more_flows_out_than_in_by_the_registers(
    exports: list[float | None], imports: list[float], gives: bool
) -> None:
    meter = SessionMeter().started(1_000, T0)
    for number, (export_wh, import_wh) in enumerate(zip(exports, imports, strict=True), 1):
        before_wh = meter.energy_wh or 0
        meter, _ = meter.with_reading([import_wh], T0 + number * STEP)
        meter = meter.with_export(export_wh, (meter.energy_wh or 0) - before_wh)
    assert meter.is_giving is gives


def sampled(meter: SessionMeter, *readings: dict[str, float]) -> tuple[SessionMeter, list[float]]:
    """The meter and the energies after readings, one a minute; `E` and `P` are the exported register and power."""
    names = {"E": "Energy.Active.Export.Register", "P": "Power.Active.Export", "I": "Energy.Active.Import.Register"}
    found: list[float] = []
    for number, values in enumerate(readings, 1):
        reading = Reading(current={names[name]: Sample(value) for name, value in values.items()})
        meter, energies = meter.with_samples(reading, T0 + number * STEP, is_named=True, may_begin=False)
        found += energies
    return meter, found


def test_a_register_named_exported_that_continues_the_one_at_the_start_is_the_imported_one() -> None:
    meter, energies = sampled(SessionMeter().started(4_000, T0), {"E": 4_100, "P": 6_000}, {"E": 4_205, "P": 6_000})
    assert (meter.is_misnamed, meter.is_giving, energies) == (True, False, [100, 205])
    assert meter.with_reading([4_300], T0 + 3 * STEP, is_named=True)[1] == 300, "so does the register at the end"


@pytest.mark.parametrize(
    ("start_wh", "readings"),
    [
        (0, [{"E": 100}, {"E": 200}]),
        (4_000, [{"E": 90_000}, {"E": 90_100}]),
        (4_000, [{"I": 4_000, "E": 4_100}, {"I": 4_000, "E": 4_200}]),
    ],
    ids=["both may count from 0", "another register", "beside the imported one"],
)
def test_a_register_of_what_flows_out_is_no_imported_one(start_wh: float, readings: list[dict[str, float]]) -> None:
    meter, _ = sampled(SessionMeter().started(start_wh, T0), *readings)
    assert (meter.is_misnamed, meter.is_giving) == (False, True)
    assert not meter.total_wh


@pytest.mark.parametrize(
    ("readings", "is_misnamed"),
    [
        ([{"I": 4_050, "P": 6_000}, {"I": 4_150, "P": 6_000}], True),
        ([{"I": 4_050, "P": 6_000}, {"I": 4_050, "P": 6_000}], False),
        ([{"I": 4_100, "P": 0}, {"I": 4_150, "P": 6_000}], False),
    ],
    ids=["imported at that power", "nothing is imported", "the car has turned round"],
)
def test_a_power_named_exported_at_which_the_register_rises_is_imported(
    readings: list[dict[str, float]], is_misnamed: bool
) -> None:
    assert sampled(SessionMeter().started(4_000, T0), *readings)[0].is_misnamed is is_misnamed


@pytest.mark.parametrize("power_w", [3_000, 11_000, None])
def test_a_register_of_the_lifetime_between_readings_changes_nothing_however_long_it_goes_on(power_w: float | None) -> None:
    lifetime = [312_400 + number for number in range(600)]
    mixed = [value for number, other in enumerate(lifetime) for value in (number * 50, other)]
    assert after(0, mixed, power_w)[-1] == 599 * 50


def test_readings_that_count_from_the_session_s_begin_are_taken_as_such() -> None:
    assert after(4_076_400, [0, 104, 228]) == [None, 104, 228]
    assert after(4_076_400, [104, 4_076_628]) == [104, 228], "its end may be of the lifetime again"


def test_a_count_from_the_session_s_begin_may_pass_the_register_at_its_start() -> None:
    assert after(400, [120, 240, 360, 480, 600]) == [120, 240, 360, 480, 600]
    assert after(400, [120, 240, 760, 880]) == [120, 240, 360, 480], "the lifetime's register may take its place"


def test_a_count_from_the_session_s_begin_beside_a_register_that_began_anew_is_counted_once() -> None:
    assert after(60_000, [60_100, 230, 60_200, 60_205, 60_210, 260])[-1] == 260


def test_zeros_before_the_register_of_the_lifetime_may_be_without_the_transaction() -> None:
    assert after(0, [939_000, 939_100, 939_250]) == [None, 100, 250]
    leaked = SessionMeter().started(0, T0).with_power(7_000, T0)
    for number, (value, is_named) in enumerate([(939_000, False), (100, True), (220, True), (939_300, False)], 1):
        leaked, _ = leaked.with_reading([value], T0 + number * STEP, is_named=is_named)
    assert leaked.total_wh == 220, "the session's own register goes on"


def test_a_start_of_zero_that_is_none_begins_with_the_first_reading() -> None:
    meter, energy_wh = SessionMeter().started(0, T0).with_power(7_000, T0).with_reading([52_000], T0 + STEP, is_named=True)
    assert (energy_wh, meter.energy_wh, meter.total_wh) == (0, 0, None)
    meter, _ = meter.with_reading([52_100], T0 + 2 * STEP, is_named=True)
    assert meter.total_wh == 100


@pytest.mark.parametrize("lifetime_wh", [2_500, 8_000, 60_000])
def test_the_register_of_a_new_station_is_no_energy_of_a_session_that_starts_at_zero(lifetime_wh: int) -> None:
    assert metered(0, [lifetime_wh + 117 * minute for minute in range(31)], 7_020).total_wh == 3_510
    leaks_once = [0, lifetime_wh, *(117 * minute for minute in range(2, 31))]
    assert metered(0, leaks_once, 7_020).total_wh == 3_510


def test_zeros_before_the_register_of_the_lifetime_shows_up_are_no_readings_either() -> None:
    meter = SessionMeter().started(0, T0).with_power(7_000, T0)
    for number, value in enumerate([0, 0, 939_000, 939_100, 939_250], 1):
        meter, _ = meter.with_reading([value], T0 + number * STEP, is_named=True)
    assert meter.total_wh == 250
    leaked = SessionMeter().started(0, T0).with_power(7_000, T0)
    for number, value in enumerate([0, 939_000, 100, 220], 1):
        leaked, _ = leaked.with_reading([value], T0 + number * STEP, is_named=True)
    assert leaked.total_wh == 220, "a single leak, and the session's own register goes on"


def test_a_register_that_begins_anew_goes_on_from_what_was_there() -> None:
    assert after(4_000, [4_500, 0, 100, 200, 300])[-1] == 800


def test_readings_without_the_transaction_do_not_count_beside_those_with_it() -> None:
    meter, _ = SessionMeter().started(0, T0).with_reading([100], T0 + STEP, is_named=True)
    assert meter.with_reading([150], T0 + 2 * STEP) == (meter, None)
    assert meter.with_reading([150], T0 + 2 * STEP, is_named=True)[0].total_wh == 150


def test_a_named_message_without_a_reading_leaves_those_without_the_transaction_in_force() -> None:
    meter, _ = SessionMeter().started(1_000, T0).with_reading([], T0, is_named=True)
    assert meter.with_reading([1_800], T0 + STEP)[0].total_wh == 800


def test_of_the_values_that_a_register_may_show_the_first_that_goes_on_counts() -> None:
    meter = SessionMeter().started(5_000, T0).with_power(7_000, T0)
    assert meter.with_reading([15_300, 5_100], T0 + STEP)[0].total_wh == 100


@pytest.mark.parametrize(("power_w", "energy_wh"), [(7_000, 1_000), (60_000, 5_000), (None, 5_000)])
def test_of_a_sum_of_phases_and_a_total_the_one_that_the_power_explains_counts(power_w: float | None, energy_wh: float) -> None:
    meter = SessionMeter().started(1_000, T0)
    meter = meter if power_w is None else meter.with_power(power_w, T0)
    assert meter.with_reading([6_000, 2_000], T0 + 5 * STEP)[0].total_wh == energy_wh


def test_readings_that_are_told_once_more_at_the_end_tell_of_their_own_instants() -> None:
    meter = SessionMeter().started(4_000, T0)
    for number, value in enumerate((4_100, 4_200, 4_300, 4_400), 1):
        meter, _ = meter.with_reading([value], T0 + number * STEP, is_named=True)
    for number, value in enumerate((4_100, 4_200, 4_300), 1):
        assert meter.with_reading([value], T0 + number * STEP, is_named=True) == (meter, value - 4_000)
    assert meter.with_reading([4_500], T0 + STEP, is_named=True) == (meter, None), "not so much so early"


@pytest.mark.parametrize(
    ("start_wh", "values", "shown"),
    [
        (4_000, [4_100, 4_350], (4_000, 4_350)),
        (4_000, [], None),  # nobody read it at the end
        (0, [100, 350], None),  # it counts the session
        (4_000, [4_500, 10, 20, 30, 40], None),  # it began anew, nobody knows from where
    ],
)
def test_what_the_meter_showed_is_known_where_it_counts_on_over_sessions(
    start_wh: float, values: list[float], shown: tuple[float, float] | None
) -> None:
    meter = SessionMeter().started(start_wh, T0).with_power(7_000, T0)
    for number, value in enumerate(values, 1):
        meter, _ = meter.with_reading([value], T0 + number * STEP)
    assert meter.register_wh == shown


def test_without_a_begin_there_is_no_energy() -> None:
    assert SessionMeter().with_reading([500], T0) == (SessionMeter(), None)
    assert SessionMeter().started(500, T0).total_wh is None, "no reading after the begin"


@given(st.lists(st.tuples(st.integers(-100, 10_000_000), st.booleans()), max_size=30), st.integers(0, 5_000_000))
def test_the_energy_never_falls_and_never_grows_faster_than_power_can_flow(
    readings: list[tuple[int, bool]], start_wh: int
) -> None:
    meter, known = SessionMeter().started(start_wh, T0), 0.0
    for number, (value, is_named) in enumerate(readings, 1):
        meter, _ = meter.with_reading([value], T0 + number * STEP, is_named=is_named)
        assert meter.energy_wh is not None
        assert known <= meter.energy_wh
        known = meter.energy_wh
    assert known <= 400_000 / 60 * len(readings) + 500 * len(readings)


def test_a_register_that_began_anew_does_not_count_from_the_begin_once_it_has_passed_the_energy_before() -> None:
    before = [50_000 + 3_500 * minute / 30 for minute in range(1, 31)]
    assert metered(50_000, [*before, 0, *[None] * 14, 1_750, *[None] * 15, 3_600, *[None] * 14, 5_350], 7_000).total_wh == 8_850


@pytest.mark.parametrize("wrap_wh", [1_000_000, 10_000_000, 1_000_000_000])
def test_a_register_that_has_no_more_digits_goes_on_at_0(wrap_wh: int) -> None:
    registers = [(wrap_wh - 400 + 117 * minute) % wrap_wh for minute in range(1, 31)]
    assert metered(wrap_wh - 400, registers, 7_020).total_wh == 3_510


def test_a_register_that_falls_far_from_its_last_digit_has_not_passed_it() -> None:
    assert after(991_000, [991_100, 30, 991_200], 7_000) == [100, 100, 200]
    assert after(999_900, [999_950, 40, 999_990], None) == [50, 50, 90], "without a power nothing shows that it did"
    assert after(999_900, [110, 230, 1_000_240], 7_000) == [110, 230, 340], "it counts from the begin"
