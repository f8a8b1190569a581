"""The forms of evcc: topics, /api/state, /api/sessions; and its sessions and plans as documents."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

import msgspec

from chargeport.dialects.amounts import amount
from chargeport.dialects.forms import at_ms, by_topic, items, message, vehicle_of
from chargeport.dialects.table import NOT_KNOWN, Decoded, Dialect, Unreadable
from chargeport.dialects.topics import TopicPattern
from chargeport.signals.documents import MAX_ENTRIES
from chargeport.sources.base import Delivery, RawMessage

CURRENTS: Final = ("chargeCurrents/l1", "chargeCurrents/l2", "chargeCurrents/l3")
VOLTAGES: Final = ("chargeVoltages/l1", "chargeVoltages/l2", "chargeVoltages/l3")
SESSIONS: Final = "sessions"

_WEEKDAYS: Final = ("SUNDAY", "MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY")
_NO_TIME: Final = "0001-"  # how Go writes an instant that is not set
_ANY_TOPIC: Final = (TopicPattern.parse("{field...}"),)
_NOBODY: Final = "?"
_NAMELESS: Final = "a car without a name"
_SESSION: Final = {"created", "chargedEnergy"}  # members of every session, and of nothing else


def read(dialect: Dialect, delivery: Delivery) -> list[RawMessage]:
    """Read topics with their values, the whole state, or the list of sessions. Raises Unreadable."""
    if not delivery.topic:
        content = items(delivery.payload)
        if len(content) == 1 and isinstance(content[0], dict) and "result" in content[0]:
            result = content[0]["result"]
            content = result if isinstance(result, list) else [result]
        if any(isinstance(each, dict) and each.keys() >= _SESSION for each in content):
            return _sessions(delivery, content)
        if len(content) == 1 and isinstance(content[0], dict) and isinstance(content[0].get("loadpoints"), list):
            return _state(delivery, content[0])
    return _topics(dialect, delivery)


def _topics(dialect: Dialect, delivery: Delivery) -> list[RawMessage]:
    """Read topics, each of a loadpoint or a car; a field without one is of a loadpoint of the transport's car."""
    anywhere = msgspec.structs.replace(dialect, topics=_ANY_TOPIC)
    unnamed = msgspec.structs.replace(delivery, vehicle=_NOBODY)
    found: list[RawMessage] = []
    for each in by_topic(anywhere, unnamed, "/", named_by=()):
        fields: dict[str, dict[str, Any]] = {}
        for topic, value in each.fields.items():
            if (address := _address(dialect, delivery, topic)) is not None:
                fields.setdefault(address[0], {}).update(_phases({address[1]: value}))
        found += [msgspec.structs.replace(each, vehicle=name, fields=own) for name, own in fields.items()]
    return found


def _address(dialect: Dialect, delivery: Delivery, topic: str) -> tuple[str, str] | None:
    """Return the car of a topic and the field; None for topics of the site (`evcc/site/…`, `evcc/status`)."""
    for pattern in dialect.topics:
        address = pattern.match(topic)
        if address is not None and address.vehicle is not None:
            if "vehicles/{vehicle}" in pattern.text:
                return vehicle_of(delivery, address.vehicle), f"vehicle/{address.field}"
            return vehicle_of(delivery, loadpoint_name(address.vehicle)), address.field
    if any(topic.startswith(pattern.text.partition("/")[0] + "/") for pattern in dialect.topics):
        return None
    if delivery.topic:
        known = ", ".join(pattern.text for pattern in dialect.topics)
        raise Unreadable(f"{topic!r:.100} is none of the topics known here: {known}")
    return vehicle_of(delivery), topic


def loadpoint_name(number: Any) -> str:
    """Return the name of the car at a loadpoint; the first is 1."""
    return f"loadpoints/{number}"


def _phases(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields, with a list of the three phases under the names of topics; without a list no phase has a value."""
    found: dict[str, Any] = {}
    for name, value in fields.items():
        if name in ("chargeCurrents", "chargeVoltages") and (isinstance(value, list) or value in (None, "")):
            phases = [*(value or ()), *[None] * 3][:3]  # phases missing in a shorter list no longer have a value
            found.update({f"{name}/l{index}": each for index, each in enumerate(phases, 1)})
        elif value != "" and not (isinstance(value, str) and value.startswith(_NO_TIME)):
            found[name] = value
        else:
            found[name] = None
    return found


def _state(delivery: Delivery, state: Mapping[str, Any]) -> list[RawMessage]:
    """Return a message for each loadpoint and for each car of /api/state."""
    points = {loadpoint_name(index): _phases(point) for index, point in enumerate(state["loadpoints"], 1)}
    cars = {
        str(name): {f"vehicle/{field}": value for field, value in car.items()}
        for name, car in (state.get("vehicles") or {}).items()
    }
    if delivery.vehicle is None:
        return [message(delivery, name, fields) for name, fields in (*points.items(), *cars.items())]
    if delivery.vehicle in cars and delivery.vehicle not in points:
        here = [name for name, fields in points.items() if fields.get("vehicleName") == delivery.vehicle]
    else:
        here = _chosen(delivery.vehicle, points)
    found = [message(delivery, delivery.vehicle, points[name]) for name in here]
    own = {points[name].get("vehicleName") for name in here} | {delivery.vehicle}
    return found + [message(delivery, delivery.vehicle, cars[name]) for name in cars if name in own]


def _chosen(vehicle: str, points: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the loadpoint that is meant when one car is named for all: the one of that name, else the only one in use."""
    if vehicle in points:
        return [vehicle]
    in_use = [name for name, fields in points.items() if fields.get("connected")] if len(points) > 1 else list(points)
    if len(in_use) != 1:
        raise Unreadable(f"which loadpoint is meant? Name {' or '.join(points)}, or give the vehicle one of these as an alias")
    return in_use


def _sessions(delivery: Delivery, sessions: list[Any]) -> list[RawMessage]:
    """Return a message for each car that sessions are of, as of the end of its last one.

    A guest's session names no car and is not of any named one. An item that is not a session is reported with the first car's.
    """
    of_car: dict[str, list[Any]] = {}
    for session in sessions:
        if (name := _car(delivery, session)) is not None:
            of_car.setdefault(name, []).append(session)
    next(iter(of_car.values())).extend(session for session in sessions if _car(delivery, session) is None)
    if delivery.vehicle in of_car:
        of_car = {delivery.vehicle: of_car[delivery.vehicle]}
    if delivery.vehicle is not None and len(of_car) > 1:
        names = ", ".join(sorted(of_car))
        raise Unreadable(f"these are sessions of {names}: give each vehicle its title as an alias, and name none here")
    return [
        message(delivery, vehicle_of(delivery, name), {SESSIONS: own}, max(_ends(own), default=None))
        for name, own in of_car.items()
    ]


def _car(delivery: Delivery, session: Any) -> str | None:
    """Return the title of a session's car; that of the loadpoint for a guest's; None where this is no session."""
    if not isinstance(session, dict):
        return None
    if session.get("vehicle"):
        return str(session["vehicle"])
    if not session.keys() >= _SESSION:
        return None
    loadpoint = session.get("loadpoint") if delivery.vehicle is None else None
    return str(loadpoint or _NAMELESS)


def _ends(sessions: Iterable[Any]) -> Iterator[int]:
    """Yield when sessions ended, as far as that can be read."""
    for session in sessions:
        with suppress(ValueError, TypeError, AttributeError, ArithmeticError):
            if (at := _ended_at(session)) is not None:
                yield at


def _ended_at(session: Mapping[str, Any]) -> int | None:
    finished = session.get("finished")
    return None if not finished or str(finished).startswith(_NO_TIME) else at_ms(finished)


def records(sessions: Any) -> Decoded:
    """Return sessions that have ended, as records. Energy is the grid's, in kWh here (the live field has Wh)."""
    ended = [(at, session) for session in sessions if (at := _ended_at(session)) and at > (at_ms(session["created"]) or 0)]
    newest = sorted(ended, key=lambda each: each[0])[-MAX_ENTRIES:]
    return {"values": [dict(_record(session)) for _, session in newest]}


def _record(session: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "id", f"evcc-{session['id']}"
    yield "startTime", session["created"]
    yield "endTime", session["finished"]
    yield "startStateOfCharge", session.get("socStart")
    yield "endStateOfCharge", session.get("socStop", session.get("socEnd"))  # its code and its docs differ
    yield "energyAdded", amount(session["chargedEnergy"])
    yield "isPublicCharger", False  # evcc controls private chargers
    for name, member in (("odometer", "odometer"), ("meterStart", "meterStart"), ("meterEnd", "meterStop")):
        if found := session.get(member):  # 0 is written while it is not known
            yield name, amount(found)
    if session.get("price") is not None:
        yield "cost", {"energyAmount": session["price"]}
    if session.get("loadpoint"):
        yield "location", {"name": session["loadpoint"]}


def timers(plans: Any) -> Decoded:
    """Return weekly plans as departure timers, in the car's local time. Over MQTT only their number is in one message."""
    if not isinstance(plans, list):
        return NOT_KNOWN
    departures = [
        {"time": f"{plan['time']}:00", "days": [_WEEKDAYS[day] for day in plan["weekdays"]]}
        for plan in plans
        if plan.get("active", True)
    ]
    return {"values": [{"type": "GLOBAL", "departureTimers": departures}] if departures else []}
