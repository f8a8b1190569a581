"""The forms of Home Assistant's states: events, lists, single states, compact changes, topics; and the cars they belong to."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from chargeport.dialects.amounts import bare, unit_of
from chargeport.dialects.forms import at_ms, items, text_value, vehicle_of
from chargeport.dialects.instants import by_instant, minutes_until
from chargeport.dialects.table import Dialect, Incomplete, Row, Unreadable
from chargeport.sources.base import BEGINNING, Delivery, RawMessage

UNIT_OF: Final = "/unit_of_measurement"
"""The suffix of a field's name for its unit, which is sent with the state only when it is new."""

# Names that telephones and vacuum cleaners have too: they do not identify a car.
_ANYBODYS: Final = frozenset({"sensor.battery_level", "sensor.battery_capacity", "sensor.battery_range"})
# Of the same integrations: they end like a preset, and are something else.
_OTHERS: Final = frozenset(
    {
        "sensor.usable_battery_level", "sensor.ideal_battery_range", "sensor.est_battery_range",
        "sensor.estimate_battery_range", "sensor.estimated_battery_range", "sensor.12v_battery_level",
        "sensor.auxiliary_battery_level", "sensor.low_voltage_battery_level",
    }
)  # fmt: skip
_STARTER: Final = "sensor.car_battery_level"  # of Hyundai and Kia; without a known beginning, "car" may be part of a car's name
MAX_ENTITY: Final = 255  # characters of an entity's id, in Home Assistant itself
_NO_UNIT: Final = "no unit_of_measurement"
_TIMES: Final = ("last_reported", "last_updated", "last_changed")  # the first is the last report of its integration


class State(NamedTuple):
    """A state of an entity; a unit alone has no state. `is_topic`: the unit is sent on a topic of its own."""

    entity: str
    state: Any = None
    unit: str | None = None
    is_timestamp: bool = False
    at: int | None = None
    is_topic: bool = False


class _Found(NamedTuple):
    """A state that a row is made for: the field's name, and the car that the entity's id begins with ("" for a user's own)."""

    field: str
    prefix: str
    state: State


def measured_in(known: Mapping[str, Any], field: str) -> str:
    """Return the unit of a field's number. Raises ValueError without one: a number without a unit is not a quantity.

    Raises Incomplete if the unit has a topic of its own.
    """
    number = known[field]
    unit = unit_of(number, "") or bare(known.get(field + UNIT_OF, ""))
    if not unit:
        raise (Incomplete if isinstance(number, Mapping) and "unit" in number else ValueError)(f"has {_NO_UNIT}")
    return str(unit)


def read(dialect: Dialect, delivery: Delivery) -> list[RawMessage]:
    """Read the states that have a row; all others are not of a car. Raises Unreadable."""
    states, is_chosen = _states(dialect, delivery)
    beginning = delivery.headers.get(BEGINNING)
    others = frozenset[str]() if is_chosen and beginning is None else _OTHERS
    found = [match for state in states if (match := _find(dialect, state, beginning or "", others)) is not None]
    if delivery.vehicle is not None:
        found = _of_car(found, delivery.vehicle, is_chosen)
    of_car: dict[str, list[_Found]] = {}
    for match in found:
        of_car.setdefault(vehicle_of(delivery, match.prefix or None), []).append(match)
    return [
        message
        for vehicle, own in of_car.items()
        for message in by_instant(delivery, vehicle, (value for state in own for value in _fields_at(dialect, delivery, state)))
    ]


def _states(dialect: Dialect, delivery: Delivery) -> tuple[list[State], bool]:
    """Return the states, and whether the sender selected them (else they are all states of Home Assistant)."""
    for pattern in dialect.topics:
        if delivery.topic and (address := pattern.match(delivery.topic)) is not None:
            return list(_of_topic(address.field, delivery.payload)), False
    content = items(delivery.payload)
    alone = content[0] if len(content) == 1 and isinstance(content[0], Mapping) else {}
    is_chosen = bool(alone) and not {"event", "event_type", "result", "type"} & alone.keys()
    is_chosen = is_chosen and delivery.topic in ("", alone.get("entity_id"))  # the websocket names an entity of the settings
    return [state for item in content for state in _of_item(item)], is_chosen


def _of_topic(path: str, payload: bytes) -> Iterator[State]:
    """Yield the states of Statestream: `sensor/model_3_charger_power/state` and its attributes, each under its own topic."""
    domain, _, rest = path.partition("/")
    entity, _, what = rest.partition("/")
    if what == "state":
        yield State(f"{domain}.{entity}", text_value(payload), is_topic=True)
    elif what == "unit_of_measurement":
        yield State(f"{domain}.{entity}", unit=str(text_value(payload)))


def _of_item(item: Any) -> Iterator[State]:
    if not isinstance(item, dict):
        raise Unreadable("a state, an event or a list of states is wanted")
    if "event" in item or "result" in item:
        inner = item.get("event", item.get("result"))
        for each in inner if isinstance(inner, list) else [inner] if inner else []:
            yield from _of_item(each)
    elif "data" in item and "event_type" in item:
        new = item["data"].get("new_state")
        yield from _of_item(new) if new else ()  # else the entity was removed
    elif "entity_id" in item:
        yield _full(str(item["entity_id"]), item)
    elif item.keys() & {"a", "c", "r"} and item.keys() <= {"a", "c", "r"}:
        yield from (_compact(entity, state) for entity, state in (item.get("a") or {}).items())
        yield from (_compact(entity, change.get("+") or {}) for entity, change in (item.get("c") or {}).items())
    else:
        for entity, state in item.items():
            yield _full(entity, state) if isinstance(state, dict) and "state" in state else _plain(entity, state)


def _full(entity: str, state: Mapping[str, Any]) -> State:
    attributes = state.get("attributes") or {}
    at = next((at for name in _TIMES if (at := at_ms(state.get(name)))), None)
    unit = attributes.get("unit_of_measurement")
    return State(entity, state.get("state"), unit, attributes.get("device_class") == "timestamp", at)


def _plain(entity: str, state: Any) -> State:
    return State(entity, bare(state), unit_of(state, "") or None)


def _compact(entity: str, state: Mapping[str, Any]) -> State:
    """Return a state of subscribe_entities: s, a, lc, lu; a change has only what changed."""
    attributes = state.get("a") or {}
    at = at_ms(state.get("lu", state.get("lc")))
    unit = attributes.get("unit_of_measurement")
    return State(entity, state.get("s"), unit, attributes.get("device_class") == "timestamp", at)


def _find(dialect: Dialect, state: State, beginning: str, others: frozenset[str]) -> _Found | None:
    """Return the field of an entity: the user's own row for it, else the longest preset that its id ends with.

    A name in `others` is no field. After a known beginning the rest of the id is a whole name, if there is one.
    """
    if state.entity in dialect.by_field:
        return _Found(state.entity, "", state)
    if len(state.entity) > MAX_ENTITY:
        return None
    domain, _, name = state.entity.partition(".")
    if beginning and name.startswith(beginning + "_"):
        field = f"{domain}.{name.removeprefix(beginning + '_')}"
        if field in dialect.by_field:
            return _Found(field, beginning, state)
        others |= {_STARTER}
    start = name.find("_")
    while start >= 0:
        field = f"{domain}.{name[start + 1 :]}"
        if field in dialect.by_field:
            return _Found(field, name[:start], state)
        if field in others:
            return None
        start = name.find("_", start + 1)
    return None


def _of_car(found: list[_Found], vehicle: str, is_chosen: bool) -> list[_Found]:
    """Return the states of the named car: those with its prefix, else those of the only car."""
    prefixes = {match.prefix for match in found if match.prefix}
    mine = vehicle.casefold().replace(" ", "_").replace("-", "_")
    if mine not in prefixes:
        if not is_chosen or len(prefixes) > 1:
            prefixes = {match.prefix for match in found if match.prefix and match.field not in _ANYBODYS}
        if len(prefixes) > 1:
            names = ", ".join(sorted(prefixes))
            raise Unreadable(f"these are entities of {names}: name none of the cars, and give each its prefix as an alias")
        mine = next(iter(prefixes), "")
    return [match for match in found if match.prefix in ("", mine)]


def _fields_at(dialect: Dialect, delivery: Delivery, found: _Found) -> Iterator[tuple[int | None, str, Any]]:
    field, _, state = found
    has_unit_field = field + UNIT_OF in dialect.by_field
    if state.unit is not None and has_unit_field:
        yield state.at, field + UNIT_OF, state.unit
    if state.state is None:
        return
    content = state.state
    rows = dialect.by_field[field]
    row = next((own for own in rows if own.fields[0] == field), rows[0])
    if _is_ahead(row, state):
        yield state.at, field, minutes_until(content, state.at or delivery.observed_at or delivery.received_at)
    elif has_unit_field and state.is_topic:
        yield state.at, field, {"value": content, "unit": None}
    elif has_unit_field or row.signal.dimension is None:
        yield state.at, field, content
    else:
        yield state.at, field, {"value": content, "unit": state.unit or row.unit or _NO_UNIT}


def _is_ahead(row: Row, state: State) -> bool:
    """Return whether a remaining time is given as the instant at which it ends."""
    is_time = row.signal.code == "charge-timetocomplete"
    return is_time and (state.is_timestamp or (isinstance(state.state, str) and "T" in state.state and ":" in state.state))
