"""The generic form, for the user's own scripts: signals by their codes.

`chargeport/{vehicle}/voltage` or `…/charge-voltage`, with a value, a value and its unit, or a whole body; or
`chargeport/{vehicle}` with an object of such signals. Over HTTP the same objects, also as {vehicle, time, signals}.
"""

from typing import Any, Final

import msgspec

from chargeport.dialects.forms import at_ms, by_topic, items, message, vehicle_of
from chargeport.dialects.plain import beside_currents, signal_row
from chargeport.dialects.table import Dialect, Unreadable, dialect
from chargeport.signals.catalogue import BY_CODE, CATALOGUE
from chargeport.sources.base import Delivery, RawMessage

_CARS: Final = ("vehicle", "vehicleId", "vin")
_TIMES: Final = ("observedAt", "time", "timestamp", "at")
_CODES: Final = {code.partition("-")[2]: code for code in BY_CODE} | {code: code for code in BY_CODE}


def code_of(name: str) -> str:
    """Return the code of a signal's name, which may lack the group; any other name unchanged."""
    return _CODES.get(name) or _CODES.get(name.strip().lower(), name)


def read(dialect: Dialect, delivery: Delivery) -> list[RawMessage]:
    """Read signals under their topics, or objects of signals. Raises Unreadable."""
    if delivery.topic:
        return [_in_codes(each) for each in _of_topic(dialect, delivery)]
    found = items(delivery.payload)
    if any(isinstance(item, dict) and "topic" in item for item in found):
        return [_in_codes(each) for each in by_topic(dialect, delivery)]
    return [_in_codes(_of_object(delivery, item, None)) for item in found]


def _of_topic(dialect: Dialect, delivery: Delivery) -> list[RawMessage]:
    """Return the messages of a topic; the payload of a topic without a signal is an object of signals."""
    address = next((match for pattern in dialect.topics if (match := pattern.match(delivery.topic))), None)
    if address is None or address.field:
        return by_topic(dialect, delivery)
    return [_of_object(delivery, item, address.vehicle) for item in items(delivery.payload)]


def _of_object(delivery: Delivery, item: Any, named: str | None) -> RawMessage:
    if not isinstance(item, dict):
        raise Unreadable('an object of signals is wanted: {"voltage": 230, "wattage": {"value": 7.2, "unit": "kW"}}')
    named = named or next((item[name] for name in _CARS if item.get(name)), None)
    at = next((at_ms(item[name]) for name in _TIMES if name in item), None)
    signals = item.get("signals")
    if signals is None:
        signals = {name: value for name, value in item.items() if name not in (*_CARS, *_TIMES)}
    if not isinstance(signals, dict):
        raise Unreadable("signals is an object: a value for each code")
    return message(delivery, vehicle_of(delivery, named), signals, at)


def _in_codes(raw: RawMessage) -> RawMessage:
    return msgspec.structs.replace(raw, fields={code_of(name): value for name, value in raw.fields.items()})


GENERIC: Final = dialect(
    "generic",
    *beside_currents([signal_row(signal.code, signal.code) for signal in CATALOGUE]),
    topics=("chargeport/{vehicle}", "chargeport/{vehicle}/{field}"),
    read=read,
)
