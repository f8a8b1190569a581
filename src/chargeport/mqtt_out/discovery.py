"""How Home Assistant shows a car: one device, with an entity for each charge signal and for the energy of all records.

The form is that of device-based discovery: https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload.
Which device classes take which units and state classes: https://developers.home-assistant.io/docs/core/entity/sensor/.
"""

from typing import Any, Final, NamedTuple

from chargeport import __version__
from chargeport.signals.catalogue import BY_CODE, CATALOGUE, CHARGE
from chargeport.signals.definition import Kind, Signal
from chargeport.store.records import Vehicle
from chargeport.wire.encoding import encode, without_none

ONLINE: Final = "online"
OFFLINE: Final = "offline"

_VALUE: Final = "{{ value_json.body.value }}"
_FLAG: Final = "{{ 'ON' if value_json.body.value else 'OFF' }}"
_COUNT: Final = "{{ value_json.body['values'] | count }}"  # `.values` is a method of the dictionary
_DOCUMENT: Final = "{{ value_json.body | tojson }}"
_AVAILABLE: Final = f"{{{{ '{ONLINE}' if value_json.status == 'SUCCESS' else '{OFFLINE}' }}}}"


class Entity(NamedTuple):
    """How a signal is shown. `unit` is Home Assistant's spelling; `template` reads the value from our JSON."""

    name: str
    device_class: str | None = None
    state_class: str | None = None
    unit: str | None = None
    icon: str | None = None
    template: str = _VALUE


_MEASUREMENT: Final = "measurement"

_SHOWN: Final[dict[str, Entity]] = {
    "charge-amperage": Entity("Current", "current", _MEASUREMENT, "A"),
    "charge-amperagemax": Entity("Maximum current", "current", _MEASUREMENT, "A"),
    "charge-amperagerequested": Entity("Requested current", "current", _MEASUREMENT, "A"),
    "charge-chargelimits": Entity(
        "Charge limit", None, _MEASUREMENT, "%", "mdi:battery-charging-90", "{{ value_json.body.activeLimit }}"
    ),
    "charge-chargeportstatuscolor": Entity("Charge port light", icon="mdi:led-on"),
    "charge-chargerate": Entity("Charge rate", "speed", _MEASUREMENT, "km/h", "mdi:speedometer"),
    "charge-chargerecords": Entity("Charge records", icon="mdi:history", template=_COUNT),
    "charge-chargerphases": Entity("Charger phases", None, _MEASUREMENT, None, "mdi:sine-wave"),
    "charge-chargetimers": Entity("Charge timers", icon="mdi:calendar-clock", template=_COUNT),
    "charge-chargingconnectortype": Entity("Connector", icon="mdi:ev-plug-type2"),
    "charge-detailedchargingstatus": Entity("Charging status", icon="mdi:ev-station"),
    "charge-energyadded": Entity("Energy added", "energy", "total_increasing", "kWh"),
    "charge-fastchargertype": Entity("Fast charger type", icon="mdi:ev-plug-ccs2"),
    "charge-ischarging": Entity("Charging", "battery_charging", template=_FLAG),
    "charge-ischargingcableconnected": Entity("Cable connected", "plug", template=_FLAG),
    "charge-ischargingcablelatched": Entity("Cable latched", icon="mdi:lock", template=_FLAG),
    "charge-ischargingportflapopen": Entity("Charge port flap", "opening", template=_FLAG),
    "charge-isfastchargerpresent": Entity("Fast charger present", icon="mdi:ev-station", template=_FLAG),
    "charge-timetocomplete": Entity("Time to complete", "duration", _MEASUREMENT, "min"),
    "charge-voltage": Entity("Voltage", "voltage", _MEASUREMENT, "V"),
    "charge-wattage": Entity("Power", "power", _MEASUREMENT, "W"),
    "tractionbattery-stateofcharge": Entity("State of charge", "battery", _MEASUREMENT, "%"),
    # Not `total_increasing`: a person may correct a record, and a decrease is not a new meter.
    "chargeport-energytotal": Entity("Energy total", "energy", "total", "kWh"),
}
_TEMPLATES: Final = {Kind.FLAG: _FLAG, Kind.DOCUMENT: _COUNT}


def _plain(signal: Signal) -> Entity:
    """Return the entity of a charge signal without a row: it has no device class and no unit, which are Home Assistant's."""
    return Entity(signal.name, icon="mdi:ev-station", template=_TEMPLATES.get(signal.kind, _VALUE))


ENTITIES: Final = {signal.code: _plain(signal) for signal in CATALOGUE if signal.group == CHARGE} | _SHOWN


def topic(prefix: str, vehicle_id: str, code: str) -> str:
    """Return the topic of a signal of a vehicle."""
    return f"{prefix}/{vehicle_id}/{code}"


def status_topic(prefix: str) -> str:
    """Return the topic for whether the server is connected."""
    return f"{prefix}/status"


def discovery_topic(discovery_prefix: str, vehicle_id: str) -> str:
    """Return the topic from which Home Assistant reads a device."""
    return f"{discovery_prefix}/device/chargeport_{vehicle_id}/config"


def device(vehicle: Vehicle, prefix: str) -> bytes:
    """Return the discovery payload of a vehicle."""
    facts = (vehicle.make, vehicle.model, None if vehicle.year is None else str(vehicle.year))
    about = {
        "identifiers": [f"chargeport_{vehicle.id}"],
        "name": " ".join(fact for fact in facts if fact) or vehicle.id,
        "manufacturer": vehicle.make,
        "model": vehicle.model,
        "serial_number": vehicle.vin,
    }
    document = {
        "device": without_none(about),
        "origin": {"name": "Chargeport", "sw_version": __version__},
        "qos": 1,
        "components": {code: _component(code, entity, vehicle.id, prefix) for code, entity in ENTITIES.items()},
    }
    return encode(document)


def _component(code: str, entity: Entity, vehicle_id: str, prefix: str) -> dict[str, Any]:
    signal, state_topic = BY_CODE[code], topic(prefix, vehicle_id, code)
    is_document = signal.kind is Kind.DOCUMENT
    return without_none(
        {
            "platform": "binary_sensor" if signal.kind is Kind.FLAG else "sensor",
            "unique_id": f"chargeport_{vehicle_id}_{code}",
            "name": entity.name,
            "device_class": entity.device_class,
            "state_class": entity.state_class,
            "unit_of_measurement": entity.unit,
            "icon": entity.icon,
            "state_topic": state_topic,
            "value_template": entity.template,
            "json_attributes_topic": state_topic if is_document else None,
            "json_attributes_template": _DOCUMENT if is_document else None,
            "availability_mode": "all",
            "availability": [
                {"topic": status_topic(prefix)},
                {"topic": state_topic, "value_template": _AVAILABLE},
            ],
        }
    )
