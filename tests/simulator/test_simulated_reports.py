"""What a simulated car sends, and what becomes of it on the way."""

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_cars import FAST, HOUR, MINUTE, MONDAY, SECOND, WALLBOX, car, charging_car, profile

from chargeport.clock import ManualClock
from chargeport.sources.base import RawMessage, Source
from chargeport.sources.simulator import FIELDS, LIVE_FIELDS, Car, Habits, Reporter, Simulator

DAY = 24 * HOUR


def lived_in(seed: int = 3) -> Car:
    return Car(profile(habits=Habits()), seed, MONDAY)


def observed(messages: list[RawMessage]) -> list[int]:
    return [message.observed_at or 0 for message in messages]


def test_the_first_report_comes_immediately_and_has_every_field() -> None:
    charging = charging_car()
    (message,) = Reporter(charging, 1, noise=False).due(charging.at)
    assert message.fields == charging.snapshot()
    assert (message.source, message.dialect, message.vehicle) == ("simulator", "simulator", charging.profile.id)
    assert message.observed_at == message.received_at == charging.at


def test_a_charging_car_reports_its_live_fields_every_ten_seconds() -> None:
    reporter = Reporter(charging_car(), 1)
    began_at = reporter.car.at
    _, *messages = reporter.due(began_at + MINUTE)
    assert observed(messages) == [began_at + n * 10 * SECOND for n in range(1, 7)]
    assert all(set(message.fields) == set(LIVE_FIELDS) for message in messages)


def test_an_idle_car_repeats_its_live_fields_while_it_is_awake_and_reports_everything_every_hour() -> None:
    reporter = Reporter(car(sleep_after_min=None), 1)
    messages = reporter.due(MONDAY + 3 * HOUR)
    assert observed(messages) == [MONDAY + n * 2 * MINUTE for n in range(91)]
    whole = [message for message in messages if "limits" in message.fields]
    assert observed(whole) == [MONDAY + n * HOUR for n in range(4)]
    assert all(message.fields["plugged"] is False for message in whole)
    assert all(message.fields["charging"] is False for message in messages)


def test_every_change_of_state_is_reported_in_full_at_its_own_instant() -> None:
    reporter = Reporter(car(), 1)
    reporter.due(MONDAY)
    reporter.car.plug(WALLBOX)
    messages = reporter.due(MONDAY + 12 * SECOND)
    assert [(m.fields["status"], (m.observed_at or 0) - MONDAY) for m in messages] == [
        ("CONNECTED", 0),
        ("STARTING", 3_000),
        ("CHARGING", 9_000),
    ]
    assert all("plugged" in message.fields for message in messages)
    reporter.car.unplug()
    (message,) = reporter.due(MONDAY + 12 * SECOND)
    assert message.fields["status"] == "DISCONNECTED"
    assert message.fields["power_w"] == 0


def test_a_changed_setting_is_reported_immediately() -> None:
    reporter = Reporter(charging_car(), 1)
    reporter.due(reporter.car.at)
    reporter.car.set_limit(85)
    (message,) = reporter.due(reporter.car.at)
    assert message.fields["limits"]["activeLimit"] == 85


def test_a_sleeping_car_sends_nothing_until_it_wakes() -> None:
    reporter = Reporter(car(sleep_after_min=90.0), 1)
    assert max(observed(reporter.due(MONDAY + DAY))) == MONDAY + 88 * MINUTE
    reporter.car.wake()
    assert observed(reporter.due(MONDAY + DAY)) == [MONDAY + DAY]


def test_a_car_that_sleeps_at_the_start_reported_last_as_it_fell_asleep() -> None:
    sleeping = car(sleep_after_min=90.0)
    sleeping.advance(MONDAY + DAY)
    (message,) = Reporter(sleeping, 1).due(MONDAY + DAY)
    assert message.observed_at == MONDAY + 90 * MINUTE
    assert message.received_at == MONDAY + DAY


def test_what_a_car_cannot_report_is_named_once_and_never_reported() -> None:
    not_capable = ("voltage_v", "phases", "fast_charger")
    reporter = Reporter(charging_car(FAST, not_capable=not_capable), 1)
    first, *later = reporter.due(reporter.car.at + HOUR)
    assert first.fields["not_capable"] == list(not_capable)
    assert not any("not_capable" in message.fields for message in later)
    assert not any(set(not_capable) & set(message.fields) for message in [first, *later])
    assert set(first.fields) - {"not_capable"} <= set(FIELDS)


def test_noise_does_not_need_the_fields_a_car_cannot_report() -> None:
    reporter = Reporter(charging_car(not_capable=("phases", "rate_km_h")), 1)
    (message,) = reporter.due(reporter.car.at)
    assert message.fields["power_w"] == pytest.approx(10_948, rel=0.03)


@pytest.mark.parametrize(("station", "phases"), [(WALLBOX, 3), (FAST, 1)])
def test_noise_keeps_power_equal_to_voltage_times_current(station: object, phases: int) -> None:
    reporter = Reporter(charging_car(WALLBOX if station is WALLBOX else FAST, start_soc_percent=10.0), 1)
    messages = reporter.due(reporter.car.at + 20 * MINUTE)
    live = [message.fields for message in messages if message.fields["charging"]]
    assert len(live) > 90
    for fields in live:
        assert fields["power_w"] == pytest.approx(fields["voltage_v"] * fields["current_a"] * phases, rel=0.001)
    assert len({fields["voltage_v"] for fields in live}) > 5


def test_measured_current_never_exceeds_the_set_point() -> None:
    reporter = Reporter(charging_car(), 1)
    assert all(message.fields["current_a"] <= 16.0 for message in reporter.due(reporter.car.at + HOUR))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32))
def test_measured_power_integrates_to_the_energy_added(seed: int) -> None:
    charging = charging_car(start_soc_percent=20.0)
    reporter = Reporter(charging, seed)
    messages = reporter.due(charging.at + HOUR)
    grid_kwh = sum(message.fields["power_w"] for message in messages[1:]) * 10 / 3_600_000
    added_kwh = messages[-1].fields["energy_added_kwh"] - messages[0].fields["energy_added_kwh"]
    assert added_kwh == pytest.approx(0.92 * grid_kwh, rel=0.01)


def test_dropped_reports_never_arrive_but_the_first_always_does() -> None:
    reporter = Reporter(charging_car(), 1, drop_probability=1.0)
    assert len(reporter.due(reporter.car.at + HOUR)) == 1
    some = Reporter(charging_car(start_soc_percent=5.0), 1, drop_probability=0.5)
    assert 130 < len(some.due(some.car.at + HOUR)) < 230


def test_late_reports_arrive_after_newer_ones_with_their_own_instant() -> None:
    reporter = Reporter(charging_car(start_soc_percent=5.0), 1, late_probability=0.2)
    began_at = reporter.car.at
    reporter.due(began_at)
    messages = reporter.due(began_at + HOUR)
    assert observed(messages) != sorted(observed(messages))
    assert len(set(observed(messages))) == len(messages) > 350
    received = [message.received_at for message in messages]
    assert received == sorted(received)
    late_s = [(m.received_at - (m.observed_at or 0)) / SECOND for m in messages if m.received_at != m.observed_at]
    assert 15 <= min(late_s) < max(late_s) <= 60


def test_the_same_seed_sends_the_same_messages_another_seed_does_not() -> None:
    def reported_messages(seed: int) -> list[RawMessage]:
        return Reporter(lived_in(), seed, drop_probability=0.1, late_probability=0.1).due(MONDAY + 3 * DAY)

    assert reported_messages(1) == reported_messages(1)
    assert reported_messages(1) != reported_messages(2)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 6 * HOUR), min_size=1, max_size=20))
def test_messages_do_not_depend_on_how_often_they_are_polled(steps_ms: list[int]) -> None:
    def reported_messages(instants: list[int]) -> list[RawMessage]:
        reporter = Reporter(lived_in(), 1, drop_probability=0.1, late_probability=0.1)
        reporter.due(MONDAY)
        return [message for instant in instants for message in reporter.due(instant)]

    instants = [MONDAY + sum(steps_ms[: n + 1]) for n in range(len(steps_ms))]
    assert reported_messages(instants) == reported_messages(instants[-1:])


def test_a_prelude_is_lived_through_when_the_car_is_first_needed() -> None:
    calls: list[Car] = []
    reporter = Reporter(car(), 1, prelude=calls.append)
    assert reporter.profile.make == "ACME"
    assert calls == []
    reporter.due(MONDAY)
    assert calls == [reporter.car]


def hear(simulator: Simulator, enough: Callable[[list[list[RawMessage]]], bool]) -> list[list[RawMessage]]:
    """Run a simulator by its own clock until enough was heard."""
    batches: list[list[RawMessage]] = []

    async def listen() -> None:
        heard_enough = asyncio.Event()

        async def emit(messages: list[RawMessage]) -> None:
            batches.append(messages)
            if enough(batches):
                heard_enough.set()
                await asyncio.Event().wait()

        running = asyncio.create_task(simulator.run(emit))
        await heard_enough.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(listen())
    return batches


def test_the_simulator_emits_immediately_and_then_whatever_is_due() -> None:
    charging = charging_car()
    simulator = Simulator("garage", [Reporter(charging, 1)], ManualClock(charging.at), step_s=5)
    source: Source = simulator
    began_at = charging.at
    batches = hear(simulator, lambda batches: len(batches) == 4)
    assert source.name == "garage"
    assert [observed(batch) for batch in batches] == [[began_at + n * 10 * SECOND] for n in range(4)]
    assert {message.source for batch in batches for message in batch} == {"garage"}


def test_the_simulator_hands_on_large_backlogs_in_batches() -> None:
    reporter = Reporter(charging_car(start_soc_percent=5.0), 1)
    clock = ManualClock(reporter.car.at + 3 * HOUR)
    others = [Reporter(charging_car(), n) for n in range(3)]
    (first,) = hear(Simulator("garage", [reporter, *others], clock), lambda batches: len(batches) == 1)
    assert len(first) > 1000
    assert {message.vehicle for message in first} == {reporter.profile.id}
