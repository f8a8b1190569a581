"""The forms of a user's own dialect: one value a topic, or an object whose members are named by JSON pointers."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec

from chargeport.dialects.field_values import is_nothing, number
from chargeport.dialects.forms import (
    MAX_MESSAGE_FIELDS,
    at_ms,
    bounded,
    by_topic,
    items,
    joined_name,
    json_value,
    message,
    text_value,
    vehicle_of,
)
from chargeport.dialects.table import Dialect, Reader, Unreadable
from chargeport.sources.base import Delivery, RawMessage


class Form(msgspec.Struct, frozen=True):
    """How a payload is read. `vehicle` and `time` are a field's name or a JSON pointer in it (`/device/id`)."""

    payload: str
    vehicle: str | None = None
    time: str | None = None
    time_unit: Literal["ms", "s", "iso"] | None = None


def reader(form: Form) -> Reader:
    """Return the reader of deliveries in this form."""

    def read(dialect: Dialect, delivery: Delivery) -> list[RawMessage]:
        if form.payload == "object":
            return [_of_object(form, dialect, delivery, item) for item in items(delivery.payload)]
        if not delivery.topic:
            return by_topic(dialect, delivery)
        content = text_value(delivery.payload) if form.payload == "text" else json_value(delivery.payload)
        address = next((found for each in dialect.topics if (found := each.match(delivery.topic)) is not None), None)
        if address is None or not address.field:
            return by_topic(dialect, delivery)
        return [message(delivery, vehicle_of(delivery, address.vehicle), {address.field: content})]

    return read


def _of_object(form: Form, dialect: Dialect, delivery: Delivery, item: Any) -> RawMessage:
    if not isinstance(item, dict):
        raise Unreadable("an object is wanted: a member for each field")
    address = next((found for each in dialect.topics if (found := each.match(delivery.topic)) is not None), None)
    named = address.vehicle if address is not None else None
    if form.vehicle is not None:
        named = _pointed(item, form.vehicle) or named
    at = None if form.time is None else _instant(form, _pointed(item, form.time))
    ignored_topics = {_canonical(each) for each in (form.vehicle, form.time) if each is not None}
    members = bounded(_members(dialect, item), MAX_MESSAGE_FIELDS)
    fields = {field: value for field, value in members if _canonical(field) not in ignored_topics}
    return message(delivery, vehicle_of(delivery, named), fields, at)


def _instant(form: Form, content: Any) -> int | None:
    if is_nothing(content) or form.time_unit is None:
        return at_ms(content)
    if form.time_unit == "iso":
        if not isinstance(content, str):
            raise Unreadable(f"{form.time}: {str(content)[:40]!r} is no text in ISO 8601")
        return at_ms(content)
    return round(number(content) * (1000 if form.time_unit == "s" else 1))


def _canonical(name: str) -> str:
    """Return a name as a pointer."""
    return name if name.startswith("/") else "/" + _escaped(name)


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _pointed(item: Any, pointer: str) -> Any:
    """Return the value at a pointer; None where there is none."""
    for part in _canonical(pointer)[1:].split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(item, dict):
            item = item.get(name)
        elif isinstance(item, list) and name.isdecimal() and int(name) < len(item):
            item = item[int(name)]
        else:
            return None
    return item


def _members(dialect: Dialect, item: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield every member that the table names, whole; and of all others each value, under its name or its pointer."""
    for name, value in item.items():
        pointer = "/" + _escaped(name)
        if name in dialect.by_field:
            yield name, value
        else:
            yield from _below(dialect, pointer, value, name, is_ignored=dialect.ignores(name))


def _below(dialect: Dialect, pointer: str, value: Any, name: str, *, is_ignored: bool) -> Iterator[tuple[str, Any]]:
    """Yield the values at and below a pointer. Of an ignored member only those that a row names further down."""
    is_ignored = is_ignored or dialect.ignores(pointer)
    leads_to_a_row = any(field.startswith(pointer + "/") for field in dialect.by_field)
    if pointer in dialect.by_field:
        yield pointer, value
    elif isinstance(value, dict) and value and (leads_to_a_row or not is_ignored):
        for each, inner in value.items():
            inside = joined_name(f"{pointer}/", _escaped(each))
            yield from _below(dialect, inside, inner, inside, is_ignored=is_ignored)
    elif isinstance(value, list) and leads_to_a_row:
        for index, inner in enumerate(value):
            yield from _below(dialect, f"{pointer}/{index}", inner, f"{pointer}/{index}", is_ignored=is_ignored)
    elif not is_ignored:
        yield name, value
