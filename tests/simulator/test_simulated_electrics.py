"""What flows into a simulated car, at one instant and over time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulated_cars import FAST, HOUR, MINUTE, SECOND, WALLBOX, car, charging_car, run_until

from chargeport.sources.simulator import Place, Station
from chargeport.sources.simulator.electrics import ac_efficiency

ac_stations = st.builds(
    Station,
    kind=st.just("AC"),
    phases=st.sampled_from([1, 2, 3]),
    limit_a=st.sampled_from([6.0, 8.0, 10.0, 13.0, 16.0, 32.0]),
    cable_a=st.sampled_from([13.0, 20.0, 32.0]),
    voltage_v=st.sampled_from([220.0, 230.0, 240.0]),
)
dc_stations = st.builds(
    Station,
    kind=st.just("DC"),
    power_w=st.floats(20_000, 350_000),
    limit_a=st.sampled_from([None, 125.0, 200.0]),
)


@given(ac_stations, st.floats(1, 99), st.integers(0, 8 * 3600), st.sampled_from([6.0, 10.0, 16.0]))
def test_on_ac_power_is_voltage_times_current_times_phases(
    station: Station, soc_percent: float, after_s: int, requested_a: float
) -> None:
    charging = car(start_soc_percent=soc_percent)
    charging.set_requested_a(requested_a)
    charging.plug(station)
    charging.advance(charging.at + after_s * SECOND)
    fields = charging.snapshot()
    product_w = fields["voltage_v"] * fields["current_a"] * fields["phases"]
    assert fields["power_w"] == pytest.approx(product_w, rel=0.02)
    assert fields["current_a"] <= min(requested_a, fields["current_max_a"]) + 0.05


@given(dc_stations, st.floats(1, 99), st.integers(0, 3600))
def test_on_dc_power_is_voltage_times_current_and_there_are_no_phases(
    station: Station, soc_percent: float, after_s: int
) -> None:
    charging = car(start_soc_percent=soc_percent)
    charging.plug(station)
    charging.advance(charging.at + after_s * SECOND)
    fields = charging.snapshot()
    assert "phases" not in fields
    assert fields["fast_charger"] == "CCS"
    if fields["charging"]:
        assert fields["power_w"] == pytest.approx(fields["voltage_v"] * fields["current_a"], rel=0.02)
        assert fields["power_w"] <= station.power_w + 1
        assert 350 <= fields["voltage_v"] <= 400
    else:
        assert "voltage_v" not in fields


@pytest.mark.parametrize(("station", "efficiency"), [(WALLBOX, 0.92), (FAST, 0.95)])
def test_energy_added_is_the_integral_of_power_less_losses(station: Station, efficiency: float) -> None:
    charging = car(start_soc_percent=20.0)
    charging.plug(station)
    grid_wh = 0.0
    for _ in range(20 * 60):
        before_w = charging.snapshot()["power_w"]
        charging.advance(charging.at + SECOND)
        grid_wh += (before_w + charging.snapshot()["power_w"]) / 2 / 3600
    added_kwh = charging.snapshot()["energy_added_kwh"]
    assert added_kwh == pytest.approx(efficiency * grid_wh / 1000, rel=0.01)
    assert charging.soc_percent - 20 == pytest.approx(added_kwh / 60 * 100, abs=0.02)


@given(st.sampled_from([WALLBOX, FAST]), st.floats(3, 94), st.floats(0.1, 5))
def test_the_charge_rate_is_battery_power_over_consumption(station: Station, soc_percent: float, hours: float) -> None:
    charging = car(start_soc_percent=soc_percent)
    charging.plug(station)
    charging.advance(charging.at + round(hours * HOUR))
    fields = charging.snapshot()
    efficiency = 0.95 if station is FAST else ac_efficiency(fields["current_a"])
    battery_kw = fields["power_w"] / 1000 * efficiency
    assert fields["rate_km_h"] == pytest.approx(battery_kw / 0.16, rel=0.02, abs=0.1)


@pytest.mark.parametrize("station", [WALLBOX, FAST])
@pytest.mark.parametrize("soc_percent", [15.0, 60.0, 93.0])
def test_minutes_to_the_limit_fall_steadily_and_come_true(station: Station, soc_percent: float) -> None:
    charging = car(start_soc_percent=soc_percent)
    charging.plug(station)
    run_until(charging, "CHARGING")
    promised = charging.snapshot()["minutes_to_limit"]
    seen = []
    while charging.status == "CHARGING":
        seen.append(charging.snapshot()["minutes_to_limit"])
        charging.advance(charging.at + MINUTE)
    assert seen == sorted(seen, reverse=True)
    assert seen[-1] <= 2
    again = car(start_soc_percent=soc_percent)
    again.plug(station)
    run_until(again, "CHARGING")
    started_at = again.at
    run_until(again, "FULLY_CHARGED")
    assert (again.at - started_at) / MINUTE == pytest.approx(promised, abs=2)


def test_current_ramps_up_over_twenty_seconds_from_the_least_a_pilot_offers() -> None:
    charging = car()
    charging.plug(WALLBOX)
    run_until(charging, "CHARGING")
    currents = []
    for _ in range(25):
        currents.append(charging.snapshot()["current_a"])
        charging.advance(charging.at + SECOND)
    assert currents[0] == 6.0
    assert currents == sorted(currents)
    assert currents[-1] == 16.0


@pytest.mark.parametrize(
    ("station", "current_a", "phases"),
    [
        (Station(kind="AC", limit_a=32, cable_a=32), 16.0, 3),
        (Station(kind="AC", limit_a=32, cable_a=13), 13.0, 3),
        (Station(kind="AC", limit_a=10, cable_a=32), 10.0, 3),
        (Station(kind="AC", limit_a=32, phases=1), 16.0, 1),
    ],
)
def test_the_weakest_of_station_cable_and_car_sets_the_current(station: Station, current_a: float, phases: int) -> None:
    fields = charging_car(station).snapshot()
    assert (fields["current_a"], fields["phases"]) == (current_a, phases)


def test_us_split_phase_is_240_volts_on_one_phase() -> None:
    station = Station(kind="AC", phases=1, limit_a=48, cable_a=48, voltage_v=240)
    fields = charging_car(station, onboard_phases=1, onboard_a=48.0).snapshot()
    assert fields["phases"] == 1
    assert fields["voltage_v"] == pytest.approx(240 - 48 * 0.12, abs=0.1)
    assert fields["power_w"] == pytest.approx(11_243, abs=30)


def test_voltage_sags_under_load() -> None:
    idle = car(timers=(), limits=())
    idle.plug(Station(kind="AC", limit_a=16))
    assert idle.snapshot()["voltage_v"] == 230.0
    assert charging_car().snapshot()["voltage_v"] == pytest.approx(228.1)


def test_efficiency_falls_below_eight_amperes() -> None:
    assert [ac_efficiency(8), ac_efficiency(16), ac_efficiency(40), ac_efficiency(48)] == [0.90, 0.92, 0.945, 0.945]
    assert ac_efficiency(7) == pytest.approx(0.875)
    assert ac_efficiency(6) == pytest.approx(0.85)


def test_ac_tapers_only_above_95_percent() -> None:
    charging = charging_car(start_soc_percent=94.0)
    assert charging.snapshot()["current_a"] == 16.0
    currents = []
    while charging.status == "CHARGING":
        charging.advance(charging.at + MINUTE)
        currents.append(charging.snapshot()["current_a"])
    tapering = [current for current in currents if 0 < current < 16.0]
    assert tapering == sorted(tapering, reverse=True)
    assert tapering[-1] == pytest.approx(6.0, abs=0.2)


def test_dc_follows_the_cars_curve_where_the_station_gives_more() -> None:
    at_30 = charging_car(FAST, start_soc_percent=30.0).snapshot()
    at_80 = charging_car(FAST, start_soc_percent=80.0).snapshot()
    at_95 = charging_car(FAST, start_soc_percent=95.0).snapshot()
    assert at_30["power_w"] == pytest.approx(120_000, rel=0.01)
    assert at_80["power_w"] == pytest.approx(50_000, rel=0.05)
    assert at_95["power_w"] == pytest.approx(20_000, rel=0.05)


def test_dc_follows_the_stations_limits_where_the_car_takes_more() -> None:
    by_power = charging_car(Station(kind="DC", power_w=50_000), start_soc_percent=30.0).snapshot()
    by_current = charging_car(Station(kind="DC", limit_a=125), start_soc_percent=30.0).snapshot()
    assert by_power["power_w"] == pytest.approx(50_000, rel=0.001)
    assert by_current["current_a"] == 125.0
    assert by_current["current_requested_a"] == 125.0


def test_a_car_is_where_its_station_is() -> None:
    station = Station(kind="AC", place=Place(name="Office", address="", latitude=1.0, longitude=2.0))
    assert charging_car(station).place is station.place
