"""The structured bodies, to the last member."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chargeport.signals import bodies, wire
from chargeport.signals.catalogue import BY_CODE, CATALOGUE
from chargeport.signals.definition import Kind, Signal
from chargeport.signals.violation import Rule, Violation

LIMITS = BY_CODE["charge-chargelimits"]
TIMERS = BY_CODE["charge-chargetimers"]
RECORDS = BY_CODE["charge-chargerecords"]
RANGE = BY_CODE["tractionbattery-range"]
CAPACITY = BY_CODE["tractionbattery-nominalcapacity"]
LOCATION = BY_CODE["location-preciselocation"]
DOCUMENTS = [signal for signal in CATALOGUE if signal.kind is Kind.DOCUMENT]


def document(signal: Signal, body: dict[str, Any]) -> Any:
    """The canonical document; the same however the body came."""
    value = bodies.parse(signal, body)
    assert bodies.parse(signal, msgspec.json.encode(body)) == value
    assert isinstance(value, str)
    assert bodies.parse(signal, value.encode()) == value == wire.body(signal, value)
    return json.loads(value)


def finding(signal: Signal, body: dict[str, Any]) -> tuple[str, str]:
    with pytest.raises(Violation) as caught:
        bodies.parse(signal, msgspec.json.encode(body))
    with pytest.raises(Violation) as again:
        bodies.parse(signal, body)
    assert (again.value.rule, again.value.path) == (caught.value.rule, caught.value.path)
    return caught.value.rule.value, caught.value.path


def limit(**members: Any) -> dict[str, Any]:
    return {"values": [{"type": "GLOBAL", "limit": 80} | members]}


def timer(**members: Any) -> dict[str, Any]:
    return {"values": [{"type": "GLOBAL"} | members]}


def record(**members: Any) -> dict[str, Any]:
    return {"values": [members]}


def nested_members(body: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The path of every member of the body, at every depth."""
    parts = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    return [found for name, part in parts for found in [(*path, name), *nested_members(part, (*path, name))]]


def changed(body: dict[str, Any], path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    body = json.loads(json.dumps(body))
    part: Any = body
    for name in path[:-1]:
        part = part[name]
    part[path[-1]] = value
    return body


def as_text(path: tuple[str | int, ...]) -> str:
    return "body" + "".join(f"[{name}]" if isinstance(name, int) else f".{name}" for name in path)


def test_a_record_keeps_readings_that_the_wire_has_no_words_for() -> None:
    kept = record(id="a", energyAdded=7.0, odometer=40123.4, meterStart=100, meterEnd=107.5)
    value = bodies.parse(RECORDS, kept)
    assert json.loads(str(value)) == kept
    assert json.loads(wire.body(RECORDS, value)) == json.loads(wire.text(RECORDS, value)) == record(id="a", energyAdded=7)
    assert finding(RECORDS, record(odometer=-1)) == ("OUT_OF_BOUNDS", "body.values[0].odometer")


MEMBERS = [(signal, path) for signal in DOCUMENTS for path in nested_members(signal.example)]
PARTS = [(signal, ()) for signal in DOCUMENTS] + MEMBERS


def found_at(body: Any, path: tuple[str | int, ...]) -> Any:
    for name in path:
        body = body[name]
    return body


def name_of(part: Any) -> str:
    return part.code if isinstance(part, Signal) else as_text(part)


each_member = pytest.mark.parametrize(("signal", "path"), MEMBERS, ids=name_of)


@each_member
def test_a_member_of_the_wrong_type_is_named(signal: Signal, path: tuple[str | int, ...]) -> None:
    number = type(found_at(signal.example, path)) in {int, float}
    for wrong in ["80", True, {}] if number else [1]:
        assert finding(signal, changed(signal.example, path, wrong)) == ("WRONG_TYPE", as_text(path))


@pytest.mark.parametrize(
    ("signal", "path"), [one for one in PARTS if isinstance(found_at(one[0].example, one[1]), dict)], ids=name_of
)
def test_a_member_that_the_seed_does_not_know_is_named(signal: Signal, path: tuple[str | int, ...]) -> None:
    assert finding(signal, changed(signal.example, (*path, "extra"), 1)) == ("UNKNOWN_MEMBER", as_text((*path, "extra")))


@each_member
def test_a_member_that_is_null_is_absent_or_missed(signal: Signal, path: tuple[str | int, ...]) -> None:
    """Null never reaches the wire: an optional member is left out, a required one is asked for."""
    try:
        text = bodies.parse(signal, changed(signal.example, path, None))
    except Violation as violation:
        rule = violation.rule
    else:
        assert "null" not in str(text)
        return
    assert rule in {Rule.WRONG_TYPE, Rule.MISSING}


@pytest.mark.parametrize(
    ("signal", "path"), [one for one in MEMBERS if type(found_at(one[0].example, one[1])) in {int, float}], ids=name_of
)
@pytest.mark.parametrize("text", ["1e400", "9" * 400, "9" * 5000], ids=["1e400", "9 x 400", "9 x 5000"])
def test_a_number_without_end_is_refused(signal: Signal, path: tuple[str | int, ...], text: str) -> None:
    body = json.dumps(changed(signal.example, path, "HERE")).replace('"HERE"', text).encode()
    with pytest.raises(Violation) as caught:
        bodies.parse(signal, body)
    assert (caught.value.rule, caught.value.path) == (Rule.NOT_FINITE, as_text(path))


# The bounds of every number: both ends are inside, just beyond is not.

BOUNDS: list[tuple[Signal, str, float, float]] = [
    (LIMITS, "activeLimit", 0, 100),
    (LIMITS, "values[0].limit", 0, 100),
    (LIMITS, "values[1].condition.latitude", -90, 90),
    (LIMITS, "values[1].condition.longitude", -180, 180),
    (TIMERS, "values[1].condition.latitude", -90, 90),
    (TIMERS, "values[1].condition.longitude", -180, 180),
    (RECORDS, "values[0].startStateOfCharge", 0, 100),
    (RECORDS, "values[0].endStateOfCharge", 0, 100),
    (RECORDS, "values[0].energyAdded", 0, 2000),
    (RECORDS, "values[0].cost.energyAmount", -1_000_000, 1_000_000),
    (RECORDS, "values[0].cost.otherAmount", -1_000_000, 1_000_000),
    (RECORDS, "values[0].location.latitude", -90, 90),
    (RECORDS, "values[0].location.longitude", -180, 180),
    (RANGE, "value", 0, 5000),
    (RANGE, "additionalValues[0].value", 0, 5000),
    (CAPACITY, "capacity", 0, 2000),
    (CAPACITY, "availableCapacities[0].capacity", 0, 2000),
    (LOCATION, "latitude", -90, 90),
    (LOCATION, "longitude", -180, 180),
    (LOCATION, "heading", 0, 360),
]
EXAMPLES = {signal.code: signal.example for signal in DOCUMENTS}
EXAMPLES[RANGE.code] = {"value": 290, "type": "DEFAULT", "additionalValues": [{"type": "RATED", "value": 410}], "unit": "km"}


def steps(path: str) -> tuple[str | int, ...]:
    return tuple(int(step) if step.isdigit() else step for step in path.replace("]", "").replace("[", ".").split("."))


@pytest.mark.parametrize(("signal", "path", "low", "high"), BOUNDS, ids=lambda part: getattr(part, "name", str(part)))
def test_a_bound_is_inside_and_what_lies_beyond_is_not(signal: Signal, path: str, low: float, high: float) -> None:
    example = EXAMPLES[signal.code]
    for inside in (low, high):
        assert found_at(document(signal, changed(example, steps(path), inside)), steps(path)) == inside
    for outside in (low - 1e-6, high + 1e-6):
        assert finding(signal, changed(example, steps(path), outside)) == ("OUT_OF_BOUNDS", f"body.{path}")


def test_every_number_of_a_document_has_its_bounds_here() -> None:
    numbers = {
        (signal.code, path)
        for signal in DOCUMENTS
        for path in map(as_text, nested_members(EXAMPLES[signal.code]))
        if type(found_at(EXAMPLES[signal.code], steps(path)[1:])) in {int, float}
    }
    tried = {(signal.code, f"body.{path}") for signal, path, _, _ in BOUNDS}
    same = {("charge-chargelimits", f"body.values[{index}].limit") for index in (1, 2)}  # another entry of a list
    assert numbers - same == tried


# Every text has an end, every list too.

SHORT_TEXTS = [
    (LIMITS, "values[1].condition.name"),
    (LIMITS, "values[1].condition.address"),
    (TIMERS, "values[1].condition.name"),
    (TIMERS, "values[1].condition.address"),
    (TIMERS, "values[1].scheduleId"),
    (RECORDS, "values[0].id"),
    (RECORDS, "values[0].location.name"),
    (RECORDS, "values[0].location.address"),
    (CAPACITY, "availableCapacities[0].description"),
]


@pytest.mark.parametrize(("signal", "path"), SHORT_TEXTS, ids=lambda part: getattr(part, "name", str(part)))
def test_a_text_has_1_to_256_characters(signal: Signal, path: str) -> None:
    example = EXAMPLES[signal.code]
    for text in ("x", "ü" * 256):
        assert found_at(document(signal, changed(example, steps(path), text)), steps(path)) == text
    for text in ("", "x" * 257):
        assert finding(signal, changed(example, steps(path), text)) == ("OUT_OF_BOUNDS", f"body.{path}")


LISTS = [
    (LIMITS, "values", {"type": "GLOBAL", "limit": 80}),
    (TIMERS, "values", {"type": "GLOBAL"}),
    (TIMERS, "values[0].schedules", {"start": "23:00:00"}),
    (TIMERS, "values[0].departureTimers", {"time": "07:00:00"}),
    (RECORDS, "values", {}),
    (RANGE, "additionalValues", {"type": "RATED", "value": 1}),
    (CAPACITY, "availableCapacities", {"capacity": 1}),
]


@pytest.mark.parametrize(("signal", "path", "entry"), LISTS, ids=lambda part: getattr(part, "name", str(part)))
def test_a_list_has_at_most_1000_entries(signal: Signal, path: str, entry: dict[str, Any]) -> None:
    example = EXAMPLES[signal.code]
    assert len(found_at(document(signal, changed(example, steps(path), [entry] * 1000)), steps(path))) == 1000
    assert finding(signal, changed(example, steps(path), [entry] * 1001)) == ("OUT_OF_BOUNDS", f"body.{path}")
    assert found_at(document(signal, changed(example, steps(path), [])), steps(path)) == []


# Choices.

CHOICES = [
    (LIMITS, "values[0].type", "GLOBAL, LOCATION, CHARGING_TYPE"),
    (LIMITS, "values[2].condition.chargingType", "AC, DC"),
    (TIMERS, "values[0].type", "GLOBAL, LOCATION, CHARGING_TYPE"),
    (TIMERS, "values[2].condition.chargingType", "AC, DC"),
    (TIMERS, "values[1].scheduleType", "DAILY, WEEKLY, WORKWEEK"),
    (TIMERS, "values[0].schedules[0].days[2]", "MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY, SATURDAY, SUNDAY"),
    (TIMERS, "values[2].departureTimers[0].days[1]", "MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY, SATURDAY, SUNDAY"),
    (RECORDS, "values[0].chargingType", "AC, DC"),
    (RANGE, "type", "DEFAULT, IDEAL_CONDITIONS, ESTIMATED, RATED"),
    (RANGE, "additionalValues[0].type", "DEFAULT, IDEAL_CONDITIONS, ESTIMATED, RATED"),
    (CAPACITY, "source", "SMARTCAR, USER_SELECTED"),
]


@pytest.mark.parametrize(("signal", "path", "allowed"), CHOICES, ids=lambda part: getattr(part, "name", str(part)))
@pytest.mark.parametrize("wrong", ["", "global", "CONNECTOR", "ac", "Monday", "daily"])
def test_what_is_no_choice_is_refused_with_the_list_of_choices(signal: Signal, path: str, allowed: str, wrong: str) -> None:
    with pytest.raises(Violation) as caught:
        bodies.parse(signal, changed(EXAMPLES[signal.code], steps(path), wrong))
    assert (caught.value.rule, caught.value.path) == (Rule.NOT_ALLOWED, f"body.{path}")
    assert caught.value.detail.endswith(f"; allowed: {allowed}")


# Conditions, which limits and timers share.

CONDITIONS: list[tuple[dict[str, Any], tuple[str, str] | None]] = [
    ({"type": "GLOBAL"}, None),
    ({"type": "GLOBAL", "condition": None}, None),
    ({"type": "GLOBAL", "condition": {}}, None),
    ({"type": "GLOBAL", "condition": {"name": None}}, None),
    ({"type": "GLOBAL", "condition": {"name": "Home"}}, ("NOT_ALLOWED", "condition")),
    ({"type": "GLOBAL", "condition": {"chargingType": "AC"}}, ("NOT_ALLOWED", "condition")),
    ({"type": "LOCATION", "condition": {"name": "Home"}}, None),
    ({"type": "LOCATION", "condition": {"address": "1 Sample Road"}}, None),
    ({"type": "LOCATION", "condition": {"latitude": 0, "longitude": 0}}, None),
    ({"type": "LOCATION", "condition": {"name": "Home", "chargingType": "AC"}}, None),
    ({"type": "LOCATION"}, ("MISSING", "condition")),
    ({"type": "LOCATION", "condition": None}, ("MISSING", "condition")),
    ({"type": "LOCATION", "condition": {}}, ("MISSING", "condition")),
    ({"type": "LOCATION", "condition": {"chargingType": "AC"}}, ("MISSING", "condition")),
    ({"type": "LOCATION", "condition": {"latitude": 1}}, ("MISSING", "condition.longitude")),
    ({"type": "LOCATION", "condition": {"name": "Home", "longitude": 1}}, ("MISSING", "condition.latitude")),
    ({"type": "LOCATION", "condition": {"latitude": 1, "longitude": None}}, ("MISSING", "condition.longitude")),
    ({"type": "CHARGING_TYPE", "condition": {"chargingType": "AC"}}, None),
    ({"type": "CHARGING_TYPE", "condition": {"chargingType": "DC"}}, None),
    ({"type": "CHARGING_TYPE"}, ("MISSING", "condition.chargingType")),
    ({"type": "CHARGING_TYPE", "condition": None}, ("MISSING", "condition.chargingType")),
    ({"type": "CHARGING_TYPE", "condition": {"name": "Home"}}, ("MISSING", "condition.chargingType")),
]


@pytest.mark.parametrize(("entry", "wrong"), CONDITIONS, ids=str)
@pytest.mark.parametrize(("signal", "more"), [(LIMITS, {"limit": 80}), (TIMERS, {})], ids=["limit", "timer"])
def test_a_condition_says_what_its_type_promises(
    signal: Signal, more: dict[str, Any], entry: dict[str, Any], wrong: tuple[str, str] | None
) -> None:
    body = {"values": [{"type": "GLOBAL"} | more, entry | more]}
    if wrong is None:
        taken = document(signal, body)["values"][1]
        assert taken["type"] == entry["type"]
        assert taken.get("condition", {}) == {k: v for k, v in (entry.get("condition") or {}).items() if v is not None}
    else:
        assert finding(signal, body) == (wrong[0], f"body.values[1].{wrong[1]}")


# Limits.


def test_limits_as_cars_were_seen_to_send_them_are_taken() -> None:
    assert document(LIMITS, {"values": [], "activeLimit": 90, "unit": "percent"}) == {
        "activeLimit": 90,
        "values": [],
        "unit": "percent",
    }
    assert document(LIMITS, {"activeLimit": None, "values": [], "unit": "percent"}) == {"values": [], "unit": "percent"}
    captured = {"activeLimit": 80, "unit": "percent", "values": [{"type": "GLOBAL", "limit": 80, "condition": None}]}
    assert document(LIMITS, captured)["values"] == [{"type": "GLOBAL", "limit": 80}]


def test_limits_say_at_least_something() -> None:
    for body in ({}, {"unit": "percent"}, {"activeLimit": None, "values": None}):
        assert finding(LIMITS, body) == ("MISSING", "body")
    assert finding(LIMITS, {"values": [{"type": "GLOBAL"}]}) == ("MISSING", "body.values[0].limit")
    assert finding(LIMITS, {"values": [{"limit": 80}]}) == ("MISSING", "body.values[0].type")


@pytest.mark.parametrize("unit", ["fraction", "ratio", "Fraction"])
def test_a_fraction_becomes_percent(unit: str) -> None:
    body = {"activeLimit": 0.57, "values": [{"type": "GLOBAL", "limit": 1}], "unit": unit}
    assert document(LIMITS, body) == {"activeLimit": 57, "values": [{"type": "GLOBAL", "limit": 100}], "unit": "percent"}


def test_limits_without_a_unit_are_percent() -> None:
    for unit in ({}, {"unit": None}, {"unit": "%"}, {"unit": "percent"}):
        assert document(LIMITS, {"activeLimit": 80} | unit) == {"activeLimit": 80, "unit": "percent"}


def test_a_fraction_beyond_the_whole_is_refused() -> None:
    assert finding(LIMITS, {"activeLimit": 80, "unit": "fraction"}) == ("OUT_OF_BOUNDS", "body.activeLimit")
    assert finding(LIMITS, limit(limit=1.01) | {"unit": "fraction"}) == ("OUT_OF_BOUNDS", "body.values[0].limit")


def test_limits_in_another_unit_are_refused() -> None:
    assert finding(LIMITS, {"activeLimit": 80, "unit": "kWh"}) == ("UNKNOWN_UNIT", "body.unit")
    assert finding(LIMITS, limit() | {"unit": ""}) == ("UNKNOWN_UNIT", "body.unit")


# Timers.

CLOCK_TIMES = ["00:00:00", "23:59:59", "09:05:07", "19:30:00"]
NO_CLOCK_TIMES = [
    "",
    "7:00:00",
    "07:00",
    "24:00:00",
    "12:60:00",
    "12:00:60",
    "07:00:00Z",
    " 07:00:00",
    "\u0660\u0667:\u0660\u0660:\u0660\u0660",
    "07:00:00\n",
]
CLOCK_MEMBERS = ["schedules[0].start", "schedules[0].end", "departureTimers[0].time"]


@pytest.mark.parametrize("member", CLOCK_MEMBERS)
def test_a_time_of_day_has_hours_minutes_and_seconds(member: str) -> None:
    path = f"values[0].{member}"
    for text in CLOCK_TIMES:
        assert found_at(document(TIMERS, changed(TIMERS.example, steps(path), text)), steps(path)) == text
    for text in NO_CLOCK_TIMES:
        assert finding(TIMERS, changed(TIMERS.example, steps(path), text)) == ("BAD_FORMAT", f"body.{path}"), text


def test_a_window_may_cross_midnight_and_may_be_open_at_one_end() -> None:
    for schedule in ({"start": "23:00:00", "end": "07:00:00"}, {"start": "23:00:00"}, {"end": "07:00:00"}):
        assert document(TIMERS, timer(schedules=[schedule]))["values"][0]["schedules"] == [schedule]


def test_a_window_has_an_end_at_least() -> None:
    assert finding(TIMERS, timer(schedules=[{"days": ["MONDAY"]}])) == ("MISSING", "body.values[0].schedules[0].start")
    assert finding(TIMERS, timer(departureTimers=[{"days": ["MONDAY"]}])) == (
        "MISSING",
        "body.values[0].departureTimers[0].time",
    )


def test_a_weekday_stands_once() -> None:
    week = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"]
    taken = document(TIMERS, timer(departureTimers=[{"time": "07:00:00", "days": week}]))
    assert taken["values"][0]["departureTimers"][0]["days"] == week
    twice = ["MONDAY", "TUESDAY", "MONDAY"]
    assert finding(TIMERS, timer(departureTimers=[{"time": "07:00:00", "days": twice}])) == (
        "NOT_ALLOWED",
        "body.values[0].departureTimers[0].days",
    )
    assert finding(TIMERS, timer(schedules=[{"start": "07:00:00", "days": twice}])) == (
        "NOT_ALLOWED",
        "body.values[0].schedules[0].days",
    )


def test_timers_may_be_none_but_must_be_told() -> None:
    assert document(TIMERS, {"values": []}) == {"values": []}
    assert finding(TIMERS, {}) == ("MISSING", "body.values")
    assert finding(TIMERS, {"values": [{}]}) == ("MISSING", "body.values[0].type")


# Records.


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-05-01T09:59:58Z", "2026-05-01T09:59:58.000Z"),
        ("2026-05-01T09:59:58.1Z", "2026-05-01T09:59:58.100Z"),
        ("2026-05-01T09:59:58.123456Z", "2026-05-01T09:59:58.123Z"),
        ("2026-05-01T09:59:58.999999Z", "2026-05-01T09:59:58.999Z"),
        ("2026-05-01T01:59:58+02:00", "2026-04-30T23:59:58.000Z"),
        ("2026-12-31T23:30:00-05:30", "2027-01-01T05:00:00.000Z"),
        ("2024-02-29T00:00:00+00:00", "2024-02-29T00:00:00.000Z"),
    ],
)
@pytest.mark.parametrize("member", ["startTime", "endTime"])
def test_a_time_of_a_record_becomes_utc_to_the_millisecond(member: str, text: str, utc: str) -> None:
    assert document(RECORDS, record(**{member: text})) == {"values": [{member: utc}]}


@pytest.mark.parametrize("member", ["startTime", "endTime"])
def test_what_is_no_instant_is_refused(member: str) -> None:
    for text in (
        "",
        "yesterday",
        "2026-05-01",
        "2026-05-01T09:59:58",
        "2026-02-30T00:00:00Z",
        "1777629598",
        "2026-05-01T25:00:00Z",
    ):
        assert finding(RECORDS, record(**{member: text})) == ("BAD_FORMAT", f"body.values[0].{member}"), text
    for text in ("0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"):
        assert finding(RECORDS, record(**{member: text})) == ("OUT_OF_BOUNDS", f"body.values[0].{member}"), text


def test_a_session_starts_before_it_ends() -> None:
    before, after = "2026-05-01T10:00:00.000Z", "2026-05-01T10:00:00.001Z"
    assert document(RECORDS, record(startTime=before, endTime=after))
    for start, end in ((after, before), (before, before), (before, "2026-05-01T12:00:00+02:00")):
        assert finding(RECORDS, record(startTime=start, endTime=end)) == ("BAD_ORDER", "body.values[0].endTime")


def test_a_session_within_one_millisecond_has_no_order() -> None:
    """What is written is what is checked: both times would read the same on the wire."""
    times = {"startTime": "2026-05-01T10:00:00.0001Z", "endTime": "2026-05-01T10:00:00.0002Z"}
    assert finding(RECORDS, record(**times)) == ("BAD_ORDER", "body.values[0].endTime")


def test_the_order_is_that_of_the_instants_not_of_the_texts() -> None:
    times = {"startTime": "2026-05-01T12:00:00+02:00", "endTime": "2026-05-01T10:00:01Z"}
    assert document(RECORDS, record(**times))["values"] == [
        {"startTime": "2026-05-01T10:00:00.000Z", "endTime": "2026-05-01T10:00:01.000Z"}
    ]


def test_a_currency_is_three_capital_letters() -> None:
    for currency in ("EUR", "GBP", "XXX"):
        assert document(RECORDS, record(cost={"currency": currency}))
    for currency in ("", "eur", "EURO", "€", "E1R", "EU", "ÄÖÜ", "EUR\n"):
        assert finding(RECORDS, record(cost={"currency": currency})) == ("BAD_FORMAT", "body.values[0].cost.currency")


def test_a_record_may_be_empty_but_the_list_is_told() -> None:
    assert document(RECORDS, {"values": [{}, {"cost": {}, "location": {}}]}) == {"values": [{}, {"cost": {}, "location": {}}]}
    assert document(RECORDS, {"values": []}) == {"values": []}
    assert finding(RECORDS, {}) == ("MISSING", "body.values")


def test_a_place_has_both_coordinates_or_neither() -> None:
    assert document(RECORDS, record(location={"name": "Home"}))
    assert finding(RECORDS, record(location={"latitude": 1})) == ("MISSING", "body.values[0].location.longitude")
    assert finding(RECORDS, record(location={"longitude": 1})) == ("MISSING", "body.values[0].location.latitude")


# Range and capacity.


def test_ranges_become_kilometres() -> None:
    body = {"value": 100, "type": "DEFAULT", "additionalValues": [{"type": "RATED", "value": 200}], "unit": "mi"}
    assert document(RANGE, body) == {
        "value": 160.9344,
        "type": "DEFAULT",
        "additionalValues": [{"type": "RATED", "value": 321.8688}],
        "unit": "km",
    }
    assert document(RANGE, {"value": 290.0}) == {"value": 290, "unit": "km"}


def test_capacities_become_kilowatt_hours() -> None:
    body = {"capacity": 77_000, "availableCapacities": [{"capacity": 58_000, "description": "Standard"}], "unit": "Wh"}
    assert document(CAPACITY, body) == {
        "capacity": 77,
        "availableCapacities": [{"capacity": 58, "description": "Standard"}],
        "unit": "kWh",
    }
    assert document(CAPACITY, {"capacity": 77}) == {"capacity": 77, "unit": "kWh"}


def test_a_companion_is_checked_in_the_wire_s_unit() -> None:
    assert document(RANGE, {"value": 5_000_000, "unit": "m"})["value"] == 5000
    assert finding(RANGE, {"value": 3200, "unit": "mi"}) == ("OUT_OF_BOUNDS", "body.value")
    assert document(CAPACITY, {"capacity": 2, "unit": "MWh"})["capacity"] == 2000
    assert finding(CAPACITY, {"capacity": 3, "unit": "MWh"}) == ("OUT_OF_BOUNDS", "body.capacity")


def test_a_companion_in_another_unit_is_refused_with_the_list_of_known_ones() -> None:
    for signal, body, known in ((RANGE, {"value": 1}, "use km,"), (CAPACITY, {"capacity": 1}, "use kWh,")):
        with pytest.raises(Violation) as caught:
            bodies.parse(signal, body | {"unit": "leagues"})
        assert (caught.value.rule, caught.value.path) == (Rule.UNKNOWN_UNIT, "body.unit")
        assert known in caught.value.detail


def test_a_companion_says_its_value() -> None:
    assert finding(RANGE, {}) == ("MISSING", "body.value")
    assert finding(CAPACITY, {"unit": "kWh"}) == ("MISSING", "body.capacity")


@given(value=st.floats(0, 3000), more=st.lists(st.floats(0, 3000), max_size=3))
def test_a_range_in_miles_is_the_same_range(value: float, more: list[float]) -> None:
    body = {"value": value, "additionalValues": [{"type": "RATED", "value": one} for one in more], "unit": "miles"}
    taken = document(RANGE, body)
    assert taken["value"] == pytest.approx(value * 1.609344, abs=1e-6)
    assert [one["value"] for one in taken["additionalValues"]] == pytest.approx([one * 1.609344 for one in more], abs=1e-6)
