"""Power curves of models, tapers and efficiencies of cars, and the energy under a course of power."""

import pytest

from chargeport.derive import efficiency
from chargeport.derive.live.curves import CarModel, car_model, curve
from chargeport.derive.live.inputs import Sample
from chargeport.derive.live.taper import FinishedSession, learn
from chargeport.derive.series import energy, level

T0 = 1_777_629_600_000
MINUTE = 60_000


def entry(**changes: object) -> dict[str, object]:
    """An entry in the shape of open-ev-data; its numbers are invented."""
    made: dict[str, object] = {
        "id": "0", "brand": "ACME", "vehicle_type": "car", "type": "bev", "model": "Runabout", "release_year": 2023,
        "variant": "Long", "usable_battery_size": 58.0,
        "ac_charger": {"usable_phases": 3, "ports": ["type2"], "max_power": 11.0},
        "dc_charger": {
            "ports": ["ccs"], "max_power": 120.0, "is_default_charging_curve": False,
            "charging_curve": [{"percentage": soc, "power": power_kw} for soc, power_kw in ((0, 100), (50, 90), (100, 9))],
        },
        "energy_consumption": {"average_consumption": 16.5},
    }  # fmt: skip
    return made | changes


def test_a_curve_is_a_line_between_its_points_and_level_beyond_them() -> None:
    made = curve([(80, 50_000), (20, 110_000)])
    assert [made.power_w(soc) for soc in (0, 20, 50, 80, 100)] == [110_000, 110_000, 80_000, 50_000, 50_000]


@pytest.mark.parametrize(
    "points", [[], [(50, 1e5)], [(-1, 1e5), (50, 1e5)], [(0, 0), (50, 1e5)], [(0, float("nan")), (9, 1e5)]]
)
def test_what_is_no_curve_is_refused(points: list[tuple[float, float]]) -> None:
    with pytest.raises(ValueError, match="curve"):
        curve(points)


def test_a_model_is_found_by_its_name_with_or_without_its_variant() -> None:
    data = {"data": [entry(), entry(model="Other")]}
    found = car_model(data, "acme", "Runabout")
    assert found == CarModel(capacity_kwh=58.0, phases=3, curve=curve([(0, 100_000), (50, 90_000), (100, 9_000)]))
    assert car_model(data, "ACME", "runabout  long") == found
    assert car_model(data, "ACME", "Nothing") is None


def test_of_several_entries_the_year_or_the_battery_decides_and_otherwise_nothing() -> None:
    data = {"data": [entry(usable_battery_size=40.0, release_year=2020), entry()]}
    assert car_model(data, "ACME", "Runabout") is None
    assert car_model({"data": [entry(), entry()]}, "ACME", "Runabout") is not None
    for found in (car_model(data, "ACME", "Runabout", year=2022), car_model(data, "ACME", "Runabout", capacity_kwh=41)):
        assert found is not None
        assert found.capacity_kwh == 40


def test_a_curve_that_nobody_measured_is_none() -> None:
    default = {
        "charging_curve": [{"percentage": 0, "power": 95}, {"percentage": 75, "power": 100}],
        "is_default_charging_curve": True,
    }
    for dc in (default, None, {"charging_curve": []}):
        found = car_model({"data": [entry(dc_charger=dc)]}, "ACME", "Runabout")
        assert found is not None
        assert found.curve is None


def test_an_entry_that_cannot_be_read_costs_no_other() -> None:
    data = {"data": [entry(usable_battery_size="many"), entry()]}
    assert car_model(data, "ACME", "Runabout") is not None


@pytest.mark.parametrize("data", [None, [], {"data": "cars"}, {"cars": []}])
def test_a_file_of_another_kind_is_refused_with_the_way_out(data: object) -> None:
    with pytest.raises(ValueError, match=r"give ev-data\.json"):
        car_model(data, "ACME", "Runabout")


def finished(peak_w: float, kind: str = "DC") -> FinishedSession:
    """A session from 20 to 100 % in 80 minutes: full power to 60 %, then evenly down to a fifth at 100 %."""
    soc = [Sample(T0 + n * MINUTE, 20 + n) for n in range(81)]
    power = [Sample(at, peak_w * min(1.0, 1 - 0.8 * (percent - 60) / 40)) for at, percent in soc]
    return FinishedSession(kind=kind, started_at=T0, power=power, soc=soc)  # type: ignore[arg-type]


def test_a_taper_is_learnt_from_two_sessions_and_not_from_one() -> None:
    assert learn([finished(100_000)]) is None
    taper = learn([finished(100_000), finished(110_000)])
    assert taper is not None
    assert taper.ac is None
    assert taper.dc is not None
    assert taper.dc.share(40) == pytest.approx(1.0, abs=0.02)
    assert taper.dc.share(80) == pytest.approx(0.6, abs=0.02)
    assert taper.dc.curve().power_w(80) == pytest.approx(0.6 * 105_000, rel=0.03)
    assert taper.dc.covers(20, 100)
    assert not taper.dc.covers(5, 100)


def test_a_session_at_a_weak_station_teaches_nothing_about_the_car() -> None:
    weak = finished(50_000)
    assert learn([finished(100_000), weak]) is None
    assert learn([finished(100_000), finished(100_000)]) == learn([finished(100_000), weak, finished(100_000)])


def test_an_efficiency_is_learnt_from_two_sessions_that_can_be_believed() -> None:
    assert efficiency.learned([(9.0, 10.0)]) is None
    assert efficiency.learned([(9.0, 10.0), (9.2, 10.0)]) == pytest.approx(0.91)
    assert efficiency.learned([(9.0, 10.0), (1.0, 1.1), (20.0, 10.0), (9.0, 0.0)]) is None


def at_minutes(*points: tuple[float, float]) -> list[Sample]:
    return [Sample(T0 + round(minutes * MINUTE), value) for minutes, value in points]


def test_a_pause_of_any_length_adds_nothing() -> None:
    steady = [(n, 6000.0) for n in range(31)]
    power = at_minutes(*steady, (30.5, 0), (400, 0), (400.5, 6000), *((400 + n, 6000.0) for n in range(1, 31)))
    found = energy(power, T0)
    assert found is not None
    assert found.kwh == pytest.approx(6.0, rel=0.01)
    assert not found.bridged


def test_half_of_the_time_between_two_polls_counts_at_either_end() -> None:
    found = energy(at_minutes((0, 6000), (10, 6000), (20, 6000), (30, 0)), T0, idle_at=T0 - 10 * MINUTE)
    assert found is not None
    assert found.kwh == pytest.approx(6 * 30 / 60)


def test_a_report_out_of_turn_tells_when_charging_began_and_ended() -> None:
    found = energy(at_minutes((0, 600), (10, 6000), (20, 6000), (23, 0)), T0, idle_at=T0 - 9_000)
    assert found is not None
    assert found.kwh == pytest.approx(6 * 23 / 60, rel=0.02)


def test_one_sample_or_an_hour_of_silence_is_no_energy() -> None:
    assert energy(at_minutes((0, 6000)), T0) is None
    assert energy(at_minutes((0, 6000), (60, 6000)), T0) is None


def test_repeats_at_one_instant_do_no_harm() -> None:
    assert energy(at_minutes((0, 6000), (0, 6000), (0, 6000)), T0) is not None


def test_the_level_is_the_median_of_the_last_three_after_the_ramp() -> None:
    power = at_minutes((0, 1000), (2, 9000), (3, 9500), (4, 100))
    assert level(power, T0 + 2 * MINUTE, 5 * MINUTE) == 9000
    assert level(power, T0 + 2 * MINUTE, 1 * MINUTE) == 4800
    assert level(power, T0 + 5 * MINUTE, 5 * MINUTE) is None
