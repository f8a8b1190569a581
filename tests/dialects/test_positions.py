"""Where a car is, as each system tells it: whole or in halves, and never the sea off Africa."""

import json
from typing import Any

import pytest

from chargeport.dialects.all import ALL
from chargeport.ingest.engine import normalise, read
from chargeport.ingest.memory import Memory
from chargeport.signals.reading import Issue, Reading
from chargeport.sources.base import Delivery

AT = 1_777_629_600_000
WHERE = {"latitude": 52.5, "longitude": 13.4}
LINES: dict[str, tuple[str, list[tuple[str, Any]]]] = {
    "teslamate": ("1", [("teslamate/cars/1/location", WHERE)]),
    "tesla": ("5YJ3E1EA7KF000000", [("telemetry/5YJ3E1EA7KF000000/v/Location", WHERE)]),
    "ovms": ("car", [("ovms/me/car/metric/v/p/latitude", 52.5), ("ovms/me/car/metric/v/p/longitude", 13.4)]),
    "carconnectivity": (
        "V1",
        [("carconnectivity/0/garage/V1/position/latitude", 52.5), ("carconnectivity/0/garage/V1/position/longitude", 13.4)],
    ),
    "tesla_rest": ("1", [("", {"drive_state": {**WHERE, "timestamp": AT}})]),
}  # fmt: skip


def messages_of(name: str, vehicle: str, lines: list[tuple[str, Any]]) -> list[Any]:
    """What the dialect makes of payloads, one after the other."""
    memory, found = Memory().of("x", vehicle), []
    for topic, payload in lines:
        delivery = Delivery(
            source="x", dialect=name, payload=json.dumps(payload).encode(), received_at=AT, topic=topic, vehicle=vehicle
        )
        messages = read(delivery, ALL[name])
        assert not isinstance(messages, Issue), messages
        for message in messages:
            result = normalise(message, ALL[name], memory)
            assert not result.issues, result.issues
            found += [each for each in result.entries if each.signal.code == "location-preciselocation"]
    return found


@pytest.mark.parametrize("name", LINES)
def test_a_position_is_heard_once_it_is_whole(name: str) -> None:
    vehicle, lines = LINES[name]
    (found,) = messages_of(name, vehicle, lines)
    assert isinstance(found, Reading)
    assert json.loads(str(found.value)) == WHERE
    assert messages_of(name, vehicle, lines[:-1]) == []


@pytest.mark.parametrize("name", LINES)
def test_a_receiver_without_a_fix_says_nothing(name: str) -> None:
    vehicle, lines = LINES[name]
    zero = json.loads(json.dumps([payload for _, payload in lines]).replace("52.5", "0").replace("13.4", "0.0"))
    assert messages_of(name, vehicle, [(topic, payload) for (topic, _), payload in zip(lines, zero, strict=True)]) == []
