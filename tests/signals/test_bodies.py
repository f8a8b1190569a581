"""A body becomes a value or one violation: which rule, which member."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chargeport.signals import bodies, wire
from chargeport.signals.catalogue import BY_CODE, CATALOGUE
from chargeport.signals.definition import Kind, Signal, Value
from chargeport.signals.documents import Document
from chargeport.signals.violation import Rule, Violation

WATTAGE = BY_CODE["charge-wattage"]
PHASES = BY_CODE["charge-chargerphases"]
STATUS = BY_CODE["charge-detailedchargingstatus"]
CHARGING = BY_CODE["charge-ischarging"]
OF_KIND = {Kind.QUANTITY: WATTAGE, Kind.COUNT: PHASES, Kind.TEXT: STATUS, Kind.FLAG: CHARGING}
SIMPLE = [signal for signal in CATALOGUE if signal.kind is not Kind.DOCUMENT]
MEASURED = [signal for signal in CATALOGUE if signal.minimum is not None]

each_simple_signal = pytest.mark.parametrize("signal", SIMPLE, ids=lambda signal: signal.code)
each_measured_signal = pytest.mark.parametrize("signal", MEASURED, ids=lambda signal: signal.code)


def broken(signal: Signal, body: bytes | dict[str, Any], path: str = "body") -> Violation:
    with pytest.raises(Violation) as caught:
        bodies.parse(signal, body, path)
    assert caught.value.detail
    return caught.value


def finding(signal: Signal, body: bytes | dict[str, Any]) -> tuple[Rule, str]:
    found = broken(signal, body)
    return found.rule, found.path


HUGE = b'{"value":' + b"9" * 400 + b"}"
LONGER_THAN_PYTHON_READS = b'{"value":' + b"9" * 5000 + b"}"

# The same for every kind of body with a value.
BAD_FOR_ALL = [
    (b'{"value":null}', Rule.MISSING, "body.value"),
    (b"{}", Rule.MISSING, "body.value"),
    (b'{"Value":1}', Rule.UNKNOWN_MEMBER, "body.Value"),
    (b'{"value":[]}', Rule.WRONG_TYPE, "body.value"),
    (b'{"value":{}}', Rule.WRONG_TYPE, "body.value"),
    (b"[]", Rule.WRONG_TYPE, "body"),
    (b"null", Rule.WRONG_TYPE, "body"),
    (b"5", Rule.WRONG_TYPE, "body"),
    (b'"CHARGING"', Rule.WRONG_TYPE, "body"),
    (b"", Rule.NOT_JSON, "body"),
    (b"{", Rule.NOT_JSON, "body"),
    (b'{"value":null}}', Rule.NOT_JSON, "body"),
    (b'{"value":NaN}', Rule.NOT_JSON, "body"),
    (b'{"value":-Infinity}', Rule.NOT_JSON, "body"),
    (b'{"value":01}', Rule.NOT_JSON, "body"),
    (b"{'value':1}", Rule.NOT_JSON, "body"),
    (b'{"\xff":1}', Rule.NOT_JSON, "body"),
]


@each_simple_signal
@pytest.mark.parametrize(("body", "rule", "path"), BAD_FOR_ALL)
def test_a_body_that_is_none_is_refused_for_every_signal(signal: Signal, body: bytes, rule: Rule, path: str) -> None:
    assert finding(signal, body) == (rule, path)


@each_simple_signal
def test_a_member_that_the_seed_does_not_know_is_refused(signal: Signal) -> None:
    assert finding(signal, signal.example | {"extra": 1}) == (Rule.UNKNOWN_MEMBER, "body.extra")
    assert finding(signal, signal.example | {"value ": 1}) == (Rule.UNKNOWN_MEMBER, "body.value ")


BAD = [
    (Kind.QUANTITY, b'{"value":true}', Rule.WRONG_TYPE, "body.value"),
    (Kind.QUANTITY, b'{"value":false,"unit":"watts"}', Rule.WRONG_TYPE, "body.value"),
    (Kind.QUANTITY, b'{"value":"7200"}', Rule.WRONG_TYPE, "body.value"),
    (Kind.QUANTITY, b'{"value":"7200 W"}', Rule.WRONG_TYPE, "body.value"),
    (Kind.QUANTITY, b'{"value":""}', Rule.WRONG_TYPE, "body.value"),
    (Kind.QUANTITY, b'{"value":1e400}', Rule.NOT_FINITE, "body.value"),
    (Kind.QUANTITY, b'{"value":-1e400}', Rule.NOT_FINITE, "body.value"),
    (Kind.QUANTITY, b'{"value":1e308,"unit":"MW"}', Rule.NOT_FINITE, "body.value"),
    (Kind.QUANTITY, HUGE, Rule.NOT_FINITE, "body.value"),
    (Kind.QUANTITY, LONGER_THAN_PYTHON_READS, Rule.NOT_FINITE, "body.value"),
    (Kind.QUANTITY, b'{"value":999999999999999999999999}', Rule.OUT_OF_BOUNDS, "body.value"),
    (Kind.QUANTITY, b'{"value":4000001}', Rule.OUT_OF_BOUNDS, "body.value"),
    (Kind.QUANTITY, b'{"value":-0.001}', Rule.OUT_OF_BOUNDS, "body.value"),
    (Kind.QUANTITY, b'{"value":1,"unit":5}', Rule.WRONG_TYPE, "body.unit"),
    (Kind.QUANTITY, b'{"value":1,"unit":"horses"}', Rule.UNKNOWN_UNIT, "body.unit"),
    (Kind.QUANTITY, b'{"unit":"watts"}', Rule.MISSING, "body.value"),
    (Kind.COUNT, b'{"value":true}', Rule.WRONG_TYPE, "body.value"),
    (Kind.COUNT, b'{"value":"3"}', Rule.WRONG_TYPE, "body.value"),
    (Kind.COUNT, b'{"value":2.5}', Rule.WRONG_TYPE, "body.value"),
    (Kind.COUNT, b'{"value":0}', Rule.OUT_OF_BOUNDS, "body.value"),
    (Kind.COUNT, b'{"value":4}', Rule.OUT_OF_BOUNDS, "body.value"),
    (Kind.COUNT, b'{"value":3,"unit":"phases"}', Rule.UNKNOWN_UNIT, "body.unit"),
    (Kind.COUNT, b'{"value":3,"unit":""}', Rule.UNKNOWN_UNIT, "body.unit"),
    (Kind.COUNT, HUGE, Rule.NOT_FINITE, "body.value"),
    (Kind.COUNT, b'{"value":1e400}', Rule.NOT_FINITE, "body.value"),
    (Kind.TEXT, b'{"value":1}', Rule.WRONG_TYPE, "body.value"),
    (Kind.TEXT, b'{"value":true}', Rule.WRONG_TYPE, "body.value"),
    (Kind.TEXT, b'{"value":"CHARGING","unit":"text"}', Rule.UNKNOWN_MEMBER, "body.unit"),
    (Kind.TEXT, b'{"value":"\\u0000"}', Rule.BAD_FORMAT, "body.value"),
    (Kind.TEXT, b'{"value":"two\\nlines"}', Rule.BAD_FORMAT, "body.value"),
    (Kind.TEXT, b'{"value":"\\u202egreen"}', Rule.BAD_FORMAT, "body.value"),
    (Kind.TEXT, b'{"value":"\xff"}', Rule.NOT_JSON, "body"),
    (Kind.TEXT, b'{"value":"\\ud800"}', Rule.NOT_JSON, "body"),
    (Kind.FLAG, b'{"value":1}', Rule.WRONG_TYPE, "body.value"),
    (Kind.FLAG, b'{"value":0}', Rule.WRONG_TYPE, "body.value"),
    (Kind.FLAG, b'{"value":"true"}', Rule.WRONG_TYPE, "body.value"),
    (Kind.FLAG, b'{"value":true,"unit":"flag"}', Rule.UNKNOWN_MEMBER, "body.unit"),
]


@pytest.mark.parametrize(("kind", "body", "rule", "path"), BAD, ids=lambda part: repr(part)[:40])
def test_a_bad_body_names_its_rule_and_member(kind: Kind, body: bytes, rule: Rule, path: str) -> None:
    assert finding(OF_KIND[kind], body) == (rule, path)


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (float("nan"), Rule.NOT_FINITE),
        (float("inf"), Rule.NOT_FINITE),
        (float("-inf"), Rule.NOT_FINITE),
        (10**400, Rule.NOT_FINITE),
        (-(10**5000), Rule.NOT_FINITE),
        (10**30, Rule.OUT_OF_BOUNDS),
    ],
    ids=["nan", "inf", "-inf", "10**400", "-10**5000", "10**30"],
)
@pytest.mark.parametrize("signal", [WATTAGE, PHASES], ids=lambda signal: signal.code)
def test_a_number_without_end_is_refused_as_python_holds_it(signal: Signal, value: float, rule: Rule) -> None:
    assert finding(signal, {"value": value}) == (rule, "body.value")


@each_measured_signal
def test_both_bounds_are_inside(signal: Signal) -> None:
    assert bodies.parse(signal, {"value": signal.minimum}) == signal.minimum
    assert bodies.parse(signal, {"value": signal.maximum}) == signal.maximum


@each_measured_signal
def test_just_beyond_either_bound_is_outside(signal: Signal) -> None:
    assert signal.minimum is not None
    assert signal.maximum is not None
    step = 1 if signal.kind is Kind.COUNT else 1e-6
    for value in (signal.minimum - step, signal.maximum + step):
        found = broken(signal, {"value": value})
        assert (found.rule, found.path) == (Rule.OUT_OF_BOUNDS, "body.value")
        assert f"within {signal.minimum:g} to {signal.maximum:g}" in found.detail


@pytest.mark.parametrize("text", [b'{"value":3}', b'{"value":3.0}', b'{"value":3e0}', b'{"value":3,"unit":null}'])
def test_a_count_is_whole_however_it_is_written(text: bytes) -> None:
    assert repr(bodies.parse(PHASES, text)) == "3"


@pytest.mark.parametrize(("text", "value"), [(b"33.0", "33"), (b"-0.0", "0"), (b"1e3", "1000"), (b"0.5", "0.5")])
def test_equal_numbers_become_one_value(text: bytes, value: str) -> None:
    assert repr(bodies.parse(WATTAGE, b'{"value":' + text + b"}")) == value


PLACEHOLDERS = (
    "", " ", "\t", "-", "unknown", "Unknown", "UNKNOWN", " unknown ", "invalid", "<invalid>", "n/a", "N/A", "na", "nan", "NaN",
    "none", "None", "null", "NULL", "sna", "SNA", "unavailable", "undefined", "UNDEF", "nil", "<nil>", "Not available",
    "NOT_AVAILABLE", "--", "---", "???", "\u2014", "\u2026", "#N/A", "n.a.", "(unknown)", "[Unknown]", "{null}",
    "not-available", "notAvailable",
)  # fmt: skip


@pytest.mark.parametrize("text", PLACEHOLDERS)
@pytest.mark.parametrize("signal", [one for one in SIMPLE if one.kind is Kind.TEXT], ids=lambda signal: signal.code)
def test_a_word_for_no_value_is_no_value(signal: Signal, text: str) -> None:
    assert finding(signal, {"value": text}) == (Rule.PLACEHOLDER, "body.value")


def test_every_placeholder_is_tried_here() -> None:
    assert {text.lower() for text in PLACEHOLDERS} >= bodies.PLACEHOLDERS


def test_a_text_may_be_as_long_as_the_limit_and_no_longer() -> None:
    assert bodies.parse(STATUS, {"value": "X" * 64}) == "X" * 64
    assert finding(STATUS, {"value": "X" * 65}) == (Rule.BAD_FORMAT, "body.value")


@pytest.mark.parametrize("signal", [one for one in SIMPLE if one.known], ids=lambda signal: signal.code)
def test_every_known_text_is_taken_and_unknown_ones_too(signal: Signal) -> None:
    for text in (*signal.known, "SOMETHING_NEW", "ladebereit ü"):
        assert bodies.parse(signal, {"value": text}) == text


def test_a_lone_surrogate_is_a_violation_wherever_it_stands() -> None:
    assert finding(STATUS, {"value": "\ud800"}) == (Rule.BAD_FORMAT, "body.value")
    limits = {"values": [{"type": "LOCATION", "limit": 1, "condition": {"name": "\ud800"}}]}
    assert finding(BY_CODE["charge-chargelimits"], limits) == (Rule.NOT_JSON, "body")


def test_deep_nesting_is_a_violation() -> None:
    deep = b'{"value":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    assert broken(WATTAGE, deep).rule in {Rule.WRONG_TYPE, Rule.NOT_JSON}


def test_a_violation_names_members_as_the_caller_calls_the_body() -> None:
    assert broken(WATTAGE, b'{"value":true}', "signals.charge-wattage").path == "signals.charge-wattage.value"
    assert broken(WATTAGE, b"{", "signals.charge-wattage").path == "signals.charge-wattage"


def test_a_raw_body_is_read_like_its_text() -> None:
    assert bodies.parse(WATTAGE, msgspec.Raw(b'{"value":7.2,"unit":"kW"}')) == 7200


# What is universal.

WORDS = [
    "value", "unit", "values", "type", "limit", "condition", "activeLimit", "name", "address", "latitude", "longitude",
    "chargingType", "schedules", "departureTimers", "start", "end", "days", "time", "isOEMOptimizationEnabled", "scheduleId",
    "scheduleType", "startTime", "endTime", "startStateOfCharge", "endStateOfCharge", "energyAdded", "isPublicCharger", "cost",
    "currency", "energyAmount", "otherAmount", "location", "id", "capacity", "source", "availableCapacities", "description",
    "additionalValues",
]  # fmt: skip
TEXTS = [
    "GLOBAL", "LOCATION", "CHARGING_TYPE", "AC", "DC", "MONDAY", "SUNDAY", "23:00:00", "24:00:00", "2026-05-01T10:00:00+02:00",
    "0001-01-01T00:00:00+14:00", "2026-05-01T10:00:00.0004Z", "EUR", "percent", "fraction", "kW", "mi", "DEFAULT", "DAILY",
    "SMARTCAR",
]  # fmt: skip
ANY_TEXT = st.text(st.characters(), max_size=20) | st.sampled_from(TEXTS)  # lone surrogates too
SCALARS = st.none() | st.booleans() | st.integers(-(10**400), 10**400) | st.integers(-200, 200) | st.floats() | ANY_TEXT
ANY_JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=5), inner, max_size=6)
    ),
    max_leaves=25,
)


def shaped(info: Any) -> st.SearchStrategy[Any]:
    """Values of a typed body's own shape, most of them within the rules, with anything at all in between."""
    kinds: dict[type, Any] = {
        msgspec.inspect.FloatType: lambda: st.floats(0, 100) | st.integers(0, 100) | SCALARS,
        msgspec.inspect.StrType: lambda: ANY_TEXT,
        msgspec.inspect.BoolType: st.booleans,
        msgspec.inspect.NoneType: st.none,
        msgspec.inspect.LiteralType: lambda: st.sampled_from(info.values),
        msgspec.inspect.ListType: lambda: st.lists(shaped(info.item_type), max_size=3),
        msgspec.inspect.UnionType: lambda: st.one_of(*map(shaped, info.types)),
        msgspec.inspect.StructType: lambda: st.fixed_dictionaries(
            {field.encode_name: shaped(field.type) for field in info.fields if field.required},
            optional={field.encode_name: shaped(field.type) for field in info.fields if not field.required},
        ),
    }
    strategy: st.SearchStrategy[Any] = kinds[type(info)]()
    return strategy


def value_or_violation(signal: Signal, body: bytes | dict[str, Any]) -> Value | None:
    try:
        return bodies.parse(signal, body)
    except Violation as violation:
        found = violation
    assert found.rule in Rule
    assert found.path.startswith("body")
    assert found.detail
    return None


def assert_stands(signal: Signal, value: Value) -> None:
    """The value is what its own rendering is read as, but for the members that the wire leaves out."""
    again = bodies.parse(signal, wire.body(signal, value).encode())
    shown = wire.text(signal, value) if wire.kept_members(signal) else value
    assert (again, type(again)) == (shown, type(shown))


@pytest.mark.parametrize("signal", CATALOGUE, ids=lambda signal: signal.code)
@given(data=st.data())
def test_whatever_has_the_shape_of_a_body_gives_a_lasting_value_or_a_violation(signal: Signal, data: st.DataObject) -> None:
    body = data.draw(shaped(msgspec.inspect.type_info(bodies.body_type(signal))))
    value = value_or_violation(signal, body)
    if value is not None:
        assert_stands(signal, value)


@given(body=st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=5), ANY_JSON, max_size=5))
def test_any_object_gives_every_signal_a_value_or_a_violation(body: dict[str, Any]) -> None:
    for signal in CATALOGUE:
        value = value_or_violation(signal, body)
        if value is not None:
            assert_stands(signal, value)


@given(body=ANY_JSON)
def test_any_json_text_gives_every_signal_a_value_or_a_violation(body: Any) -> None:
    text = json.dumps(body).encode()
    for signal in CATALOGUE:
        value = value_or_violation(signal, text)
        if value is not None:
            assert_stands(signal, value)


@given(st.binary(max_size=60) | st.binary(max_size=20).map(lambda raw: b'{"value":' + raw + b"}"))
def test_any_bytes_give_every_signal_a_value_or_a_violation(text: bytes) -> None:
    for signal in CATALOGUE:
        value_or_violation(signal, text)


@pytest.mark.parametrize("signal", [one for one in CATALOGUE if one.kind is Kind.DOCUMENT], ids=lambda signal: signal.code)
def test_a_document_is_decoded_with_its_own_type(signal: Signal) -> None:
    assert bodies.body_type(signal) is signal.document
    assert issubclass(bodies.body_type(signal), Document)
