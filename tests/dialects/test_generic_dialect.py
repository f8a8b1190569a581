import json
from typing import Any

import pytest
from recorded import Outcome, run, values

from chargeport.dialects.generic import GENERIC, code_of
from chargeport.signals.catalogue import CATALOGUE
from chargeport.signals.definition import Signal
from chargeport.sources.base import Delivery

NOW = 1_777_629_598_000


def outcome(payload: Any, topic: str = "", vehicle: str | None = None) -> Outcome:
    content = (payload if isinstance(payload, str) else json.dumps(payload)).encode()
    return run(
        GENERIC, [Delivery(source="s", dialect="generic", payload=content, received_at=NOW, topic=topic, vehicle=vehicle)]
    )


@pytest.mark.parametrize("signal", CATALOGUE, ids=lambda signal: signal.code)
def test_every_signal_takes_the_body_of_its_example_under_its_code_and_its_short_name(signal: Signal) -> None:
    long = outcome(signal.example, f"chargeport/zoe/{signal.code}")
    short = outcome(signal.example, f"chargeport/zoe/{signal.code.partition('-')[2]}")
    in_object = outcome({signal.name: signal.example}, "chargeport/zoe")
    assert long.issues == []
    assert long == short == in_object
    [entry] = long.entries
    assert (entry.signal, entry.vehicle) == (signal, "zoe")


@pytest.mark.parametrize(
    ("payload", "value"),
    [
        ("7200", 7200),
        ('{"value": 7.2, "unit": "kW"}', 7200),
        ('{"value": "7.2", "unit": "kW"}', 7200),
        ('{"value": 7200}', 7200),
    ],
)
def test_a_value_stands_alone_or_with_its_unit(payload: str, value: int) -> None:
    assert values(outcome(payload, "chargeport/zoe/wattage")) == {"wattage": value}


def test_one_number_is_enough_for_limit_range_and_capacity() -> None:
    reported = values(
        outcome({"chargelimits": 80, "range": {"value": 100, "unit": "mi"}, "nominalcapacity": "52"}, vehicle="zoe")
    )
    assert (reported["chargelimits"]["activeLimit"], reported["range"]["value"], reported["nominalcapacity"]["capacity"]) == (
        80,
        160.9344,
        52,
    )


@pytest.mark.parametrize("car", ["vehicle", "vehicleId", "vin"])
@pytest.mark.parametrize(
    ("time", "at"), [("observedAt", "2026-05-01T09:50:00Z"), ("time", 1777629000), ("timestamp", 1777629000000)]
)
def test_an_object_names_car_time_and_signals(car: str, time: str, at: Any) -> None:
    flat, nested = outcome({car: "zoe", time: at, "voltage": 230}), outcome({car: "zoe", time: at, "signals": {"voltage": 230}})
    assert flat == nested
    [entry] = flat.entries
    assert (entry.vehicle, entry.observed_at) == ("zoe", 1_777_629_000_000)


def test_arrays_and_lines_are_read_alike() -> None:
    one, two = '{"vehicle": "a", "voltage": 230}', '{"vehicle": "b", "voltage": 231}'
    assert outcome(f"[{one}, {two}]") == outcome(f"{one}\n{two}")
    assert [entry.vehicle for entry in outcome(f"[{one}, {two}]").entries] == ["a", "b"]


def test_a_name_that_is_no_signal_stays_as_it_is_and_is_an_issue() -> None:
    assert code_of("mood") == "mood"
    found = outcome({"mood": 1, "voltage": 230}, vehicle="zoe")
    assert values(found) == {"voltage": 230}
    assert [issue.subject for issue in found.issues] == ["mood"]


@pytest.mark.parametrize(
    ("name", "sent", "shown"),
    [
        ("detailedchargingstatus", "charging", "CHARGING"), ("detailedchargingstatus", "fully-charged", "FULLY_CHARGED"),
        ("chargingconnectortype", "type 2", "Type 2"), ("fastchargertype", "ccs", "CCS"),
        ("detailedchargingstatus", "Daydreaming", "Daydreaming"),
    ],
)  # fmt: skip
def test_a_known_word_is_read_in_any_spelling_and_another_one_as_it_is(name: str, sent: str, shown: str) -> None:
    assert values(outcome({name: sent}, vehicle="zoe")) == {name: shown}


def test_the_words_within_a_body_are_read_in_any_spelling() -> None:
    limits = {
        "values": [{"type": "global", "limit": 80}, {"type": "Charging-Type", "condition": {"chargingType": "dc"}, "limit": 90}]
    }
    [every, fast] = values(outcome({"chargelimits": limits}, vehicle="zoe"))["chargelimits"]["values"]
    assert (every["type"], fast["type"], fast["condition"]) == ("GLOBAL", "CHARGING_TYPE", {"chargingType": "DC"})
    timer = {"values": [{"type": "global", "scheduleType": "weekly", "schedules": [{"start": "23:00:00", "days": ["monday"]}]}]}
    [shown] = values(outcome({"chargetimers": timer}, vehicle="zoe"))["chargetimers"]["values"]
    assert (shown["type"], shown["scheduleType"], shown["schedules"][0]["days"]) == ("GLOBAL", "WEEKLY", ["MONDAY"])
    named = {"values": [{"type": "location", "condition": {"name": "global"}, "limit": 80}]}
    [place] = values(outcome({"chargelimits": named}, vehicle="zoe"))["chargelimits"]["values"]
    assert place["condition"]["name"] == "global", "a name is no word"


def test_a_place_may_have_a_direction() -> None:
    place = {"latitude": 52.2, "longitude": 0.15, "heading": 45.3, "direction": "NE", "locationType": "LAST_PARKED"}
    assert values(outcome({"preciselocation": place}, vehicle="zoe")) == {"preciselocation": place}
