"""The forms of deliveries that several dialects share: JSON, NDJSON, topics, single values."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from chargeport.dialects.field_values import MEASURED, flag, is_nothing, number
from chargeport.dialects.table import Dialect, Unreadable
from chargeport.dialects.topics import TopicPattern
from chargeport.signals.documents import instant
from chargeport.sources.base import Delivery, RawMessage

MAX_DEPTH: Final = 64  # of objects in objects; the deepest payload known has 7
MAX_NAME: Final = 128  # of a vehicle, as everywhere
MAX_FIELD: Final = 512  # characters of a field's name with those of the objects around it; the longest known has 130
MAX_FIELDS: Final = 100_000  # of one delivery; a message counts as at least one
MAX_MESSAGE_FIELDS: Final = 2_000  # a car of CarConnectivity, the largest known, has 600

T = TypeVar("T")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS_BELOW: Final = 100_000_000_000  # in milliseconds that is 1973, in seconds the year 5138: no instant is both


def json_value(payload: bytes) -> Any:
    """Decode strict JSON. Raises Unreadable for anything else (NaN is no JSON), and for more than MAX_DEPTH levels."""
    try:
        value = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise Unreadable(f"this is no JSON: {error}") from None
    if payload.count(b"[") + payload.count(b"{") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise Unreadable(f"this JSON is nested deeper than {MAX_DEPTH} levels")
    return value


def _depth(value: Any) -> int:
    """Return how deep a value is nested, without recursion."""
    depth, level = 0, [value]
    while level:
        depth += 1
        inner = [list(each.values()) if isinstance(each, dict) else each for each in level if isinstance(each, dict | list)]
        level = [item for each in inner for item in each]
    return depth


def text_value(payload: bytes) -> Any:
    """Return the single value of a payload: its JSON scalar, else its text. Raises Unreadable if it is not UTF-8."""
    try:
        value = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        value = []
    if not isinstance(value, dict | list):
        return value
    try:
        return payload.decode()
    except UnicodeDecodeError:
        raise Unreadable("the payload is neither JSON nor text in UTF-8") from None


def items(payload: bytes) -> list[Any]:
    """Return the items of a body: of a JSON array, of NDJSON, or a single value. Raises Unreadable."""
    try:
        value = json_value(payload)
    except Unreadable:
        lines = [line for line in payload.splitlines() if line.strip()]
        if len(lines) < 2 or lines[0].lstrip()[:1] not in b"{[":  # noqa: PLR2004  (one line is no NDJSON)
            raise
        return [json_value(line) for line in bounded(lines)]
    return list(bounded(value)) if isinstance(value, list) else [value]


def bounded(values: Iterable[T], most: int = MAX_FIELDS) -> Iterator[T]:
    """Yield the values. Raises Unreadable for more than `most`."""
    for index, each in enumerate(values):
        if index == most:
            raise Unreadable(f"there are more than {most} values at once: send them in parts")
        yield each


def checked_sizes(messages: list[RawMessage]) -> list[RawMessage]:
    """Return the messages of a delivery. Raises Unreadable where they are too many or have too many fields."""
    sizes = [max(1, len(part.fields)) for part in messages]
    if max(sizes, default=0) > MAX_MESSAGE_FIELDS or sum(sizes) > MAX_FIELDS:
        raise Unreadable(f"more than {MAX_MESSAGE_FIELDS} fields of one car, or {MAX_FIELDS} in all: send them in parts")
    return messages


def joined_name(path: str, name: str) -> str:
    """Return the name of a nested member with its path. Raises Unreadable above MAX_FIELD characters.

    Each member has its whole path in its name: without a limit half a megabyte would become gigabytes.
    """
    if len(path) + len(name) > MAX_FIELD:
        raise Unreadable(f"{(path + name[:40])[:40]!r}…: a field's name has at most {MAX_FIELD} characters")
    return path + name


def flattened(content: Mapping[str, Any], separator: str) -> dict[str, Any]:
    """Return the members of nested objects by their joined names; a value with its unit is not taken apart.

    >>> flattened({"v": {"c": {"charging": "yes"}}, "soc": {"value": 62, "unit": "%"}}, ".")
    {'v.c.charging': 'yes', 'soc': {'value': 62, 'unit': '%'}}
    """
    return dict(bounded(_members(content, separator, ""), MAX_MESSAGE_FIELDS))


def _members(content: Mapping[str, Any], separator: str, path: str) -> Iterator[tuple[str, Any]]:
    for name, member in content.items():
        if isinstance(member, dict) and member.keys() not in MEASURED:
            yield from _members(member, separator, joined_name(path, name) + separator)
        else:
            yield joined_name(path, name), member


def at_ms(value: Any) -> int | None:
    """Return an instant in ms since the epoch, from ISO 8601 with an offset or a count of s or ms; None for "no value".

    Raises ValueError or TypeError.
    """
    if value is None or (isinstance(value, str) and is_nothing(value)):
        return None
    if isinstance(value, str) and not value.strip().lstrip("-").replace(".", "", 1).isdigit():
        return (instant(value.strip(), "observedAt") - _EPOCH) // timedelta(milliseconds=1)
    count = number(value)
    return round(count * 1000 if abs(count) < _SECONDS_BELOW else count)


def vehicle_of(delivery: Delivery, named: Any = None) -> str:
    """Return the car of a delivery, named by the transport or else the payload. Raises Unreadable without either."""
    name = delivery.vehicle or named
    name = str(name) if isinstance(name, int) and not isinstance(name, bool) else name
    if not isinstance(name, str) or not name.strip():
        raise Unreadable("no vehicle is named: name it in the payload, or with ?vehicle=ID")
    if len(name) > MAX_NAME:
        raise Unreadable(f"a vehicle is named by 1 to {MAX_NAME} characters, not {len(name)}")
    return name.strip()


def message(delivery: Delivery, vehicle: str, fields: Mapping[str, Any], observed_at: int | None = None) -> RawMessage:
    """Return a message of this delivery; `observed_at` is the payload's, by default the transport's."""
    return RawMessage(
        source=delivery.source,
        dialect=delivery.dialect,
        vehicle=vehicle,
        fields=fields,
        received_at=delivery.received_at,
        observed_at=delivery.observed_at if observed_at is None else observed_at,
        retained=delivery.retained,
    )


class _Field(NamedTuple):
    """One field of a car, with its instant of observation, and whether the broker retained it."""

    vehicle: str
    field: str
    value: Any
    at: int | None
    retained: bool


def by_topic(
    dialect: Dialect,
    delivery: Delivery,
    separator: str = "/",
    named_by: tuple[str, ...] = ("vin", "vehicle"),
    ignored_topics: tuple[TopicPattern, ...] = (),
) -> list[RawMessage]:
    """Read a delivery of a system that has a topic for each field. Raises Unreadable.

    With a topic, its address names car and field, and the payload is the value, or an object of fields if the topic names none;
    topics of `ignored_topics` are skipped. Without a topic: objects of fields (the names of nested ones are joined by
    `separator`; a name may be a whole topic; the car is in a member of `named_by`), or of {topic, payload, retain?, at?}, in a
    JSON array or one a line.
    """
    reader = _ByTopic(dialect, delivery, separator, named_by, ignored_topics)
    if delivery.topic:
        return _messages(delivery, reader.of_topic(delivery.topic, _payload(delivery.payload), None, delivery.retained))
    fields = (field for item in items(delivery.payload) for field in reader.of_item(item))
    return _messages(delivery, bounded(fields))


def _payload(payload: bytes) -> Any:
    """Return the value of a topic: a decoded object or array, or else a single value."""
    if payload.lstrip()[:1] in (b"{", b"["):
        try:
            return json_value(payload)
        except Unreadable:
            return text_value(payload)
    return text_value(payload)


class _ByTopic(NamedTuple):
    """Reads one delivery: see `by_topic`."""

    dialect: Dialect
    delivery: Delivery
    separator: str
    named_by: tuple[str, ...]
    ignored_topics: tuple[TopicPattern, ...]

    def of_topic(self, topic: str, value: Any, at: int | None, retained: bool) -> list[_Field]:
        """Return the fields of a topic and its value. An unknown topic is a field of that name, which becomes an issue."""
        for pattern in self.dialect.topics:
            address = pattern.match(topic)
            if address is not None:
                vehicle = vehicle_of(self.delivery, address.vehicle)
                return [_Field(vehicle, name, member, at, retained) for name, member in self.fields_of(address.field, value)]
        if any(pattern.match(topic) for pattern in self.ignored_topics):
            return []
        if self.delivery.vehicle is None:
            known = ", ".join(pattern.text for pattern in self.dialect.topics)
            raise Unreadable(f"{topic!r:.100} is none of the topics known here: {known}")
        return [_Field(self.delivery.vehicle, topic, value, at, retained)]

    def fields_of(self, field: str, value: Any) -> Iterable[tuple[str, Any]]:
        """Return the fields of a topic: the one that it names, or those in its object."""
        if field:
            return [(field.replace("/", self.separator), value)]
        if not isinstance(value, dict):
            raise Unreadable("this topic names no field, so its payload is an object of fields")
        return flattened(value, self.separator).items()

    def of_item(self, item: Any) -> Iterator[_Field]:
        """Yield the fields of an object."""
        if not isinstance(item, dict):
            raise Unreadable(f"{item!r:.40}: an object is wanted: fields with their values, or topic and payload")
        if isinstance(topic := item.get("topic"), str) and "payload" in item:
            payload = item["payload"]
            value = _payload(payload.encode()) if isinstance(payload, str) else payload
            retained = flag(item.get("retain", item.get("retained", self.delivery.retained)))
            yield from self.of_topic(topic, value, at_ms(item.get("at")), retained)
            return
        fields = flattened(item, self.separator)
        named = next((fields[name] for name in self.named_by if fields.get(name)), None)
        for name, value in fields.items():
            if any(pattern.match(name) for pattern in (*self.dialect.topics, *self.ignored_topics)):
                yield from self.of_topic(name, value, None, self.delivery.retained)
            elif name not in self.named_by or name in self.dialect.by_field:
                vehicle = vehicle_of(self.delivery, named)
                yield _Field(vehicle, name.replace("/", self.separator), value, None, self.delivery.retained)


def _messages(delivery: Delivery, reported: Iterable[_Field]) -> list[RawMessage]:
    """Return messages of these fields, in order: one for the same car and instant, as long as no field comes twice."""
    messages: list[RawMessage] = []
    fields: dict[str, Any] = {}
    last: tuple[str, int | None, bool] | None = None
    for field in reported:
        kind = (field.vehicle, field.at, field.retained)
        if kind != last or field.field in fields:
            last, fields = kind, {}
            new = message(delivery, field.vehicle, fields, field.at)
            messages.append(new if new.retained is field.retained else msgspec.structs.replace(new, retained=field.retained))
        fields[field.field] = field.value
    return messages
