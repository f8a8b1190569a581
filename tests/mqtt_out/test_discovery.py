"""What Home Assistant is told of a car keeps the rules that it documents."""

import json
import re
from typing import Any, Final

import pytest

from chargeport.mqtt_out.discovery import ENTITIES, device, discovery_topic
from chargeport.signals.catalogue import CATALOGUE, CHARGE
from chargeport.store.records import Vehicle

CAR: Final = Vehicle(
    id="0b0c6b0e-1b5e-4d6e-9b3f-2f8f5f2a7c11", make="ACME", model="Bolt One", year=2026, vin="1ACME00000B000001"
)

# developers.home-assistant.io/docs/core/entity/sensor: units and state classes of the device classes that we use.
UNITS: Final = {
    "current": {"A", "mA"}, "voltage": {"V", "mV", "kV"}, "power": {"W", "kW", "MW"}, "energy": {"Wh", "kWh", "MWh"},
    "speed": {"km/h", "m/s", "mph"}, "duration": {"s", "min", "h", "d"}, "battery": {"%"},
}  # fmt: skip
STATE_CLASSES: Final = {kind: {"total", "total_increasing"} if kind == "energy" else {"measurement"} for kind in UNITS}
BINARY: Final = {"battery_charging", "plug", "opening", None}
# home-assistant.io/integrations/mqtt and sensor.mqtt: the options of a component that we use.
OPTIONS: Final = {
    "platform", "unique_id", "name", "device_class", "state_class", "unit_of_measurement", "icon", "state_topic",
    "value_template", "json_attributes_topic", "json_attributes_template", "availability_mode", "availability",
}  # fmt: skip


@pytest.fixture
def document() -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(device(CAR, "chargeport"))
    return decoded


def test_every_charge_signal_and_the_total_have_an_entity(document: dict[str, Any]) -> None:
    charge = {signal.code for signal in CATALOGUE if signal.group == CHARGE}
    assert charge | {"chargeport-energytotal"} <= document["components"].keys()


def test_the_document_has_what_a_device_needs(document: dict[str, Any]) -> None:
    assert document.keys() <= {"device", "origin", "components", "qos"}
    assert document["device"]["identifiers"]
    assert document["device"]["name"] == "ACME Bolt One 2026"
    assert document["origin"].keys() == {"name", "sw_version"}
    assert re.fullmatch(r"homeassistant/device/[A-Za-z0-9_-]+/config", discovery_topic("homeassistant", CAR.id))
    ids = [each["unique_id"] for each in document["components"].values()]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("code", ENTITIES)
def test_an_entity_keeps_the_rules_of_its_classes(code: str, document: dict[str, Any]) -> None:
    found = document["components"][code]
    assert found.keys() <= OPTIONS
    assert None not in found.values()
    assert found["state_topic"] == f"chargeport/{CAR.id}/{code}"
    assert found["icon"].startswith("mdi:") if "icon" in found else "device_class" in found
    assert [each["topic"] for each in found["availability"]] == ["chargeport/status", found["state_topic"]]
    kind, unit, state_class = (found.get(name) for name in ("device_class", "unit_of_measurement", "state_class"))
    if found["platform"] == "binary_sensor":
        assert kind in BINARY
        assert (unit, state_class) == (None, None)
    elif kind is not None:
        assert unit in UNITS[kind]
        assert state_class in STATE_CLASSES[kind]


def test_the_energy_dashboard_takes_the_total(document: dict[str, Any]) -> None:
    total = document["components"]["chargeport-energytotal"]
    assert (total["device_class"], total["unit_of_measurement"], total["state_class"]) == ("energy", "kWh", "total")
