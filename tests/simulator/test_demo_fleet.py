"""The promises of the demo fleet, at any instant and for any seed."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_cars import HOUR, MINUTE, MONDAY, at

from chargeport.sources.base import RawMessage
from chargeport.sources.simulator import FIELDS, demo_fleet

instants = st.integers(at("2024-01-01"), at("2031-01-01"))
seeds = st.integers(0, 1000)


@settings(max_examples=60, deadline=None)
@given(instants, seeds)
def test_the_first_car_reports_every_field_in_its_first_report(now_at: int, seed: int) -> None:
    (full,) = demo_fleet(now_at, seed)[0].due(now_at)
    assert set(full.fields) == set(FIELDS)
    assert full.observed_at == now_at
    assert full.fields["records"]["values"]
    assert {value["type"] for value in full.fields["limits"]["values"]} == {"GLOBAL", "LOCATION", "CHARGING_TYPE"}
    assert {value["type"] for value in full.fields["timers"]["values"]} == {"GLOBAL", "LOCATION"}
    assert (full.fields["phases"], full.fields["port_color"]) == (3, "Green")
    assert 10_500 < full.fields["power_w"] < 11_200


@settings(max_examples=60, deadline=None)
@given(instants, seeds)
def test_the_first_car_charges_for_two_more_hours(now_at: int, seed: int) -> None:
    car = demo_fleet(now_at, seed)[0].car
    assert car.snapshot()["minutes_to_limit"] > 120
    while car.at < now_at + 2 * HOUR:
        assert car.status == "CHARGING"
        car.step(now_at + 2 * HOUR)


@settings(max_examples=40, deadline=None)
@given(instants, seeds)
def test_the_others_are_in_the_situations_they_stand_for(now_at: int, seed: int) -> None:
    _, road, idle, waiting, small, lost = demo_fleet(now_at, seed)
    newest = [reporter.due(now_at)[-1] for reporter in (road, idle, waiting, small, lost)]
    assert_fast_charging(newest[0])
    assert (newest[1].fields["status"], newest[1].observed_at) == ("DISCONNECTED", now_at)
    assert idle.car.place == idle.profile.home
    assert (newest[2].fields["status"], newest[2].fields["phases"]) == ("SCHEDULED", 1)
    assert newest[2].fields["voltage_v"] == 240.0
    waiting.car.advance(now_at + HOUR)
    assert waiting.car.status == "SCHEDULED"
    assert len(newest[3].fields["not_capable"]) == len(FIELDS) // 2
    assert newest[4].fields["charging"] is True
    assert newest[4].observed_at == now_at - 3 * HOUR
    assert lost.due(now_at + HOUR) == []


def assert_fast_charging(message: RawMessage) -> None:
    assert message.fields["charging"]
    assert message.fields["fast_charger"] == "CCS"
    assert 700 <= message.fields["voltage_v"] <= 800
    assert message.fields["power_w"] > 100_000


def test_the_road_car_goes_home_and_plugs_in_there() -> None:
    road = demo_fleet(MONDAY)[1]
    road.due(MONDAY + 5 * HOUR)
    assert road.car.place == road.profile.home
    assert road.car.snapshot()["plugged"]


def test_ids_and_vins_depend_on_seed_and_position_alone() -> None:
    now, later = demo_fleet(MONDAY, 5), demo_fleet(MONDAY + 3 * HOUR, 5, count=50)
    assert [car.profile.id for car in now] == [car.profile.id for car in later[:6]]
    assert [car.profile.vin for car in now] == [car.profile.vin for car in later[:6]]
    assert len({car.profile.id for car in [*later, *demo_fleet(MONDAY, 6)]}) == 56
    assert all(re.fullmatch("ZZZSYNTH[0-9A-HJ-NPR-Z]{9}", car.profile.vin) for car in later)


def test_the_same_seed_gives_the_same_fleet() -> None:
    def messages() -> list[RawMessage]:
        return [message for reporter in demo_fleet(MONDAY, 2, 12) for message in reporter.due(MONDAY + 10 * MINUTE)]

    assert messages() == messages()


def test_lost_and_late_reports_can_be_configured() -> None:
    quiet = demo_fleet(MONDAY, 1, count=1, drop_probability=1.0)[0]
    assert len(quiet.due(MONDAY + HOUR)) == 1
    late = demo_fleet(MONDAY, 1, count=1, late_probability=0.3)[0]
    observed = [message.observed_at or 0 for message in late.due(MONDAY + HOUR)]
    assert observed != sorted(observed)
