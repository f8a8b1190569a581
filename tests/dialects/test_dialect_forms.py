import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chargeport.dialects.field_values import flag, number
from chargeport.dialects.forms import MAX_DEPTH, at_ms, by_topic, flattened, items, json_value, text_value, vehicle_of
from chargeport.dialects.table import Dialect, Unreadable, dialect, row
from chargeport.sources.base import Delivery

NOW = 1_777_629_598_000
SHED: Dialect = dialect(
    "shed",
    row("v.soc", "tractionbattery-stateofcharge", "%"),
    topics=("shed/{vehicle}/m/{field...}", "shed/{vehicle}/all"),
    read=by_topic,
)


def delivery(payload: bytes, topic: str = "", **more: Any) -> Delivery:
    return Delivery(source="s", dialect="shed", payload=payload, received_at=NOW, topic=topic, **more)


def fields_of(payload: bytes, topic: str = "", **more: Any) -> list[tuple[str, dict[str, Any]]]:
    return [(message.vehicle, dict(message.fields)) for message in by_topic(SHED, delivery(payload, topic, **more), ".")]


def test_a_topic_names_the_car_and_the_field_and_its_slashes_become_the_tables_own_separator() -> None:
    assert fields_of(b"62", "shed/ann/m/v/soc") == [("ann", {"v.soc": 62})]
    assert fields_of(b"yes", "shed/ann/m/v/on") == [("ann", {"v.on": "yes"})]
    assert fields_of(b'{"v":{"soc":62}}', "shed/ann/all") == [("ann", {"v.soc": 62})]


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b'{"v.soc": 62}', [("car", {"v.soc": 62})]),
        (b'{"v": {"soc": 62}}', [("car", {"v.soc": 62})]),
        (b'{"v/soc": 62}', [("car", {"v.soc": 62})]),
        (b'{"shed/ann/m/v/soc": 62}', [("car", {"v.soc": 62})]),
        (b'[{"topic": "shed/ann/m/v/soc", "payload": "62"}]', [("car", {"v.soc": 62})]),
        (b'{"v.soc": 62}\n{"v.soc": 63}\n', [("car", {"v.soc": 62}), ("car", {"v.soc": 63})]),
        (b'{"elsewhere": 1, "topic": "shed/ann/m/v/soc"}', [("car", {"elsewhere": 1, "topic": "shed/ann/m/v/soc"})]),
    ],
)
def test_without_a_topic_fields_come_in_many_shapes(payload: bytes, expected: list[tuple[str, dict[str, Any]]]) -> None:
    assert fields_of(payload, vehicle="car") == expected


def test_a_payload_may_name_its_car_but_what_the_transport_was_told_holds() -> None:
    assert fields_of(b'{"vin": "x1", "v.soc": 1}') == [("x1", {"v.soc": 1})]
    assert fields_of(b'{"vin": "x1", "v.soc": 1}', vehicle="mine") == [("mine", {"v.soc": 1})]
    assert fields_of(b"1", "shed/ann/m/v/soc", vehicle="mine") == [("mine", {"v.soc": 1})]


def test_without_any_name_for_the_car_a_delivery_says_what_to_do() -> None:
    with pytest.raises(Unreadable, match=r"\?vehicle=ID"):
        fields_of(b'{"v.soc": 1}')
    with pytest.raises(Unreadable, match="128"):
        vehicle_of(delivery(b""), "x" * 129)


def test_items_of_one_instant_make_one_message_and_a_field_that_comes_twice_two() -> None:
    lines = (
        b'{"topic":"shed/ann/m/a","payload":1,"at":1777629598}\n'
        b'{"topic":"shed/ann/m/b","payload":2,"at":"2026-05-01T09:59:58Z"}\n'
        b'{"topic":"shed/ann/m/b","payload":3,"at":1777629598000,"retain":true}'
    )
    first, second = by_topic(SHED, delivery(lines), ".")
    assert (dict(first.fields), first.observed_at, first.retained) == ({"a": 1, "b": 2}, NOW, False)
    assert (dict(second.fields), second.observed_at, second.retained) == ({"b": 3}, NOW, True)


def test_a_retained_delivery_makes_retained_messages() -> None:
    [message] = by_topic(SHED, delivery(b"1", "shed/ann/m/v/soc", retained=True), ".")
    assert message.retained


def test_a_topic_that_is_none_of_ours_is_refused_or_where_the_car_is_known_an_unknown_field() -> None:
    with pytest.raises(Unreadable, match=r"shed/\{vehicle\}/m"):
        fields_of(b"1", "barn/ann/m/v/soc")
    assert fields_of(b"1", "barn/ann/m/v/soc", vehicle="car") == [("car", {"barn/ann/m/v/soc": 1})]


@pytest.mark.parametrize("payload", [b"NaN", b"{", b"\xff", b"[1,]", b"{'a':1}", b"", b"1e999", b"[" * 100_000])
def test_what_is_no_strict_json_is_unreadable(payload: bytes) -> None:
    with pytest.raises(Unreadable):
        json_value(payload)


def test_json_is_read_as_deep_as_it_may_be_and_no_deeper() -> None:
    assert json_value(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    with pytest.raises(Unreadable, match=str(MAX_DEPTH)):
        json_value(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1))
    assert len(json_value(b"[" + b"[]," * 500 + b"[]]")) == 501


@pytest.mark.parametrize(
    ("payload", "value"),
    [
        (b"12.5", 12.5),
        (b"true", True),
        (b"null", None),
        (b'"x"', "x"),
        (b"yes", "yes"),
        (b"", ""),
        (b"NaN", "NaN"),
        (b"[1]", "[1]"),
    ],
)
def test_one_value_is_a_scalar_of_json_or_its_text(payload: bytes, value: Any) -> None:
    assert text_value(payload) == value


def test_bytes_that_are_no_text_are_no_value() -> None:
    with pytest.raises(Unreadable, match="UTF-8"):
        text_value(b"\xff\xfe")


def test_lines_that_begin_like_json_are_items_and_a_single_broken_one_is_not() -> None:
    assert items(b'{"a":1}\n\n{"a":2}') == [{"a": 1}, {"a": 2}]
    with pytest.raises(Unreadable):
        items(b'{"a":1')


def test_a_value_with_its_unit_stays_whole_when_its_object_is_flattened() -> None:
    content = {"a": {"b": {"value": 1, "unit": "kW"}, "c": [1]}, "d": {}}
    assert flattened(content, "/") == {"a/b": {"value": 1, "unit": "kW"}, "a/c": [1]}


@pytest.mark.parametrize(
    ("sent", "at"),
    [
        (None, None),
        ("", None),
        (1_777_629_598, NOW),
        (1_777_629_598.25, NOW + 250),
        (NOW, NOW),
        (str(NOW), NOW),
        ("2026-05-01T11:59:58+02:00", NOW),
        ("2026-05-01T09:59:58.123456789Z", NOW + 123),
    ],
)
def test_an_instant_is_read_from_text_seconds_or_milliseconds(sent: Any, at: int | None) -> None:
    assert at_ms(sent) == at


@pytest.mark.parametrize("sent", ["2026-05-01T09:59:58", "yesterday", True, [1], math.nan, math.inf])
def test_what_is_no_instant_is_refused(sent: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        at_ms(sent)


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**15), 10**15))
def test_a_number_and_its_text_are_the_same_number(value: float) -> None:
    assert number(value) == number(str(value)) == value


@pytest.mark.parametrize("sent", ["", "five", "nan", "inf", True, None, [1], {"value": 1}])
def test_what_is_no_number_is_refused(sent: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        number(sent)


def test_a_flag_is_read_from_its_usual_words() -> None:
    assert [flag(sent) for sent in (True, "Yes", "on", 1, "1", "TRUE")] == [True] * 6
    assert [flag(sent) for sent in (False, "no", "Off", 0, "0", "false")] == [False] * 6
    with pytest.raises(ValueError, match="neither"):
        flag("perhaps")
