"""A user's own dialect in TOML: what it reads, and what is said of a table that is not as it should be."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from recorded import Outcome, run, values

from chargeport.dialects.all import ALL
from chargeport.dialects.table import Dialect
from chargeport.dialects.user import DialectError, from_file, from_table
from chargeport.ingest.memory import Memory
from chargeport.sources.base import Delivery

NOW = 1_777_629_598_000

BOX = """
name = "mybox"
topics = ["garage/{vehicle}/{field}"]
payload = "text"
ignored = ["rssi", "debug_*"]

[[rows]]
field = "ladeleistung"
signal = "charge-wattage"
unit = "kW"
scale = 0.1
floor = 0.05
gate = "live"

[[rows]]
field = "laden"
signal = "charge-ischarging"
words = { an = true, aus = false, "?" = "" }

[[rows]]
field = "ziel"
signal = "charge-chargelimits"

[[rows]]
field = "reichweite"
signal = "tractionbattery-range"
unit = "mi"
"""


def dialect(text: str) -> Dialect:
    return from_table(tomllib.loads(text), "box.toml")


def normalised(found: Dialect, *payloads: tuple[str, str], vehicle: str | None = None) -> Outcome:
    given = [
        Delivery(source="s", dialect=found.name, payload=payload.encode(), received_at=NOW, topic=topic, vehicle=vehicle)
        for topic, payload in payloads
    ]
    return run(found, given, Memory())


def test_a_row_converts_scales_and_looks_up_as_any_built_in_row() -> None:
    box = dialect(BOX)
    outcome = normalised(
        box,
        ("garage/zoe/laden", "AN"),
        ("garage/zoe/ladeleistung", "72"),
        ("garage/zoe/ziel", "80"),
        ("garage/zoe/reichweite", "100"),
        ("garage/zoe/rssi", "-60"),
        ("garage/zoe/debug_7", "x"),
    )
    assert outcome.issues == []
    assert values(outcome) == {
        "ischarging": True,
        "wattage": 7200,
        "chargelimits": {"activeLimit": 80, "values": [{"type": "GLOBAL", "limit": 80}], "unit": "percent"},
        "range": {"value": 160.9344, "type": "DEFAULT", "additionalValues": [], "unit": "km"},
    }


@pytest.mark.parametrize("wrong", ["true", "[16000]", '{"l1": 16000}', '{"value": true}', '{"value": [1]}'])
@pytest.mark.parametrize("key", ["scale = 0.001", "floor = 0.5"])
def test_what_is_no_number_is_one_issue_and_neither_scaled_nor_compared(wrong: str, key: str) -> None:
    box = dialect(f'name = "box"\npayload = "object"\n[[rows]]\nfield = "i"\nsignal = "charge-amperage"\n{key}')
    outcome = normalised(box, ("", f'{{"i": {wrong}}}'), vehicle="car")
    assert outcome.entries == []
    assert ["Expected `float" in issue.detail for issue in outcome.issues] == [True]


def test_a_gate_holds_back_the_last_power_once_charging_is_over() -> None:
    outcome = normalised(dialect(BOX), ("garage/zoe/laden", "aus"), ("garage/zoe/ladeleistung", "720"))
    assert values(outcome) == {"ischarging": False, "wattage": "<NOT_CHARGING>"}


def test_a_word_for_nothing_is_no_reading_and_an_unknown_word_is_an_issue() -> None:
    outcome = normalised(dialect(BOX), ("garage/zoe/laden", "?"), ("garage/zoe/laden", "vielleicht"), ("garage/zoe/neu", "1"))
    assert outcome.entries == []
    assert [issue.subject for issue in outcome.issues] == ["laden", "neu"]


def test_a_word_that_no_row_of_its_field_knows_is_one_issue() -> None:
    box = dialect(
        BOX
        + """
[[rows]]
field = "laden"
signal = "charge-detailedchargingstatus"
words = { an = "CHARGING", aus = "CONNECTED", "?" = "" }
"""
    )
    outcome = normalised(box, ("garage/zoe/laden", "an"), ("garage/zoe/laden", "vielleicht"))
    assert values(outcome) == {"ischarging": "<UNREADABLE>", "detailedchargingstatus": "<UNREADABLE>"}
    assert [issue.subject for issue in outcome.issues] == ["laden"]


OBJECT = """
name = "trackers"
payload = "object"
vehicle = "/device/id"
time = "ts"
time_unit = "s"
ignored = ["seq", "/device/*"]
rows = [
  { field = "/battery/soc", signal = "tractionbattery-stateofcharge" },
  { field = "/phases/1/volts", signal = "charge-voltage" },
  { field = "/a~1b", signal = "charge-amperage", unit = "mA" },
  { field = "plan", signal = "charge-chargetimers" },
]
"""


def test_an_object_names_car_time_and_fields_by_pointers() -> None:
    payload = (
        '{"device": {"id": "zoe", "fw": 3}, "ts": 1777629000, "seq": 5, "battery": {"soc": 61}, "a/b": 16000,'
        ' "phases": [{"volts": 1}, {"volts": 231}], "plan": {"values": []}}'
    )
    outcome = normalised(dialect(OBJECT), ("", payload))
    assert values(outcome) == {"stateofcharge": 61, "voltage": 231, "amperage": 16, "chargetimers": {"values": []}}
    assert {(entry.vehicle, entry.observed_at) for entry in outcome.entries} == {("zoe", 1_777_629_000_000)}
    assert [issue.subject for issue in outcome.issues] == ["/phases/0/volts"]


def test_lines_of_objects_are_each_a_message() -> None:
    lines = '{"device": {"id": "a"}, "battery": {"soc": 1}}\n{"device": {"id": "b"}, "battery": {"soc": 2}}'
    assert [(entry.vehicle, getattr(entry, "value", None)) for entry in normalised(dialect(OBJECT), ("", lines)).entries] == [
        ("a", 1),
        ("b", 2),
    ]


@pytest.mark.parametrize(
    ("unit", "sent", "at"),
    [
        ("ms", "1777629000000", 1_777_629_000_000),
        ("iso", '"2026-05-01T09:50:00Z"', 1_777_629_000_000),
        ("s", "1777629000.5", 1_777_629_000_500),
    ],
)
def test_a_time_is_read_in_the_unit_that_the_table_names(unit: str, sent: str, at: int) -> None:
    found = dialect(OBJECT.replace('time_unit = "s"', f'time_unit = "{unit}"'))
    [entry] = normalised(found, ("", f'{{"device": {{"id": "a"}}, "ts": {sent}, "battery": {{"soc": 1}}}}')).entries
    assert entry.observed_at == at


@pytest.mark.parametrize("unit", ["s", "ms", "iso"])
@pytest.mark.parametrize("sent", ["null", '""', '"unknown"', '"--"'])
def test_a_clock_that_is_not_set_yet_costs_no_value_which_counts_as_of_its_receipt(unit: str, sent: str) -> None:
    found = dialect(OBJECT.replace('time_unit = "s"', f'time_unit = "{unit}"'))
    outcome = normalised(found, ("", f'{{"device": {{"id": "a"}}, "ts": {sent}, "battery": {{"soc": 1}}}}'))
    assert ([entry.observed_at for entry in outcome.entries], outcome.issues) == ([NOW], [])


def test_a_time_of_the_wrong_kind_is_an_issue_and_no_reading() -> None:
    outcome = normalised(
        dialect(OBJECT.replace('"s"', '"iso"')), ("", '{"device": {"id": "a"}, "ts": 5, "battery": {"soc": 1}}')
    )
    assert outcome.entries == []
    assert "ISO 8601" in outcome.issues[0].detail


def test_a_table_that_starts_from_another_keeps_its_rows_topics_and_reader_but_for_those_it_replaces() -> None:
    found = dialect(
        'name = "my_evcc"\nbase = "evcc"\nignored = ["vehicleSoc"]\n'
        '[[rows]]\nfield = "chargedEnergy"\nsignal = "charge-energyadded"\nunit = "kWh"\n'
        '[[rows]]\nfield = "mode"\nsignal = "charge-detailedchargingstatus"\nwords = { pv = "CHARGING" }'
    )
    outcome = normalised(
        found,
        ("evcc/loadpoints/1/charging", "true"),
        ("evcc/loadpoints/1/chargedEnergy", "1.5"),
        ("evcc/loadpoints/1/mode", "pv"),
        ("evcc/loadpoints/1/vehicleSoc", "50"),
    )
    assert outcome.issues == []
    assert values(outcome) == {"ischarging": True, "energyadded": 1.5, "detailedchargingstatus": "CHARGING"}


def test_home_assistants_entities_get_rows_under_their_whole_ids_with_the_unit_that_they_bear() -> None:
    found = dialect(
        'name = "my_home"\nbase = "home_assistant"\n'
        '[[rows]]\nfield = "sensor.wallbox_leistung"\nsignal = "charge-wattage"\n'
        '[[rows]]\nfield = "binary_sensor.wallbox_stecker"\nsignal = "charge-ischargingcableconnected"'
    )
    states = (
        '[{"entity_id": "sensor.wallbox_leistung", "state": "7.2", "attributes": {"unit_of_measurement": "kW"}},'
        ' {"entity_id": "binary_sensor.wallbox_stecker", "state": "on"}, {"entity_id": "light.x", "state": "on"}]'
    )
    assert values(normalised(found, ("", states), vehicle="car")) == {"wattage": 7200, "ischargingcableconnected": True}
    without = normalised(found, ("", '{"sensor.wallbox_leistung": "7.2"}'), vehicle="car")
    assert without.entries == []
    assert "no unit_of_measurement" in without.issues[0].detail


def test_an_own_base_topic_is_a_table_of_three_lines() -> None:
    found = dialect('name = "mine"\nbase = "evcc"\ntopics = ["home/evcc/loadpoints/{vehicle}/{field...}"]')
    assert [entry.vehicle for entry in normalised(found, ("home/evcc/loadpoints/2/charging", "true")).entries] == [
        "loadpoints/2"
    ]


def wrong(**change: Any) -> dict[str, Any]:
    """A table that is right but for these keys."""
    row = {"field": "w", "signal": "charge-wattage", "unit": "W"} | change.pop("row", {})
    return {"name": "mybox", "rows": [{key: value for key, value in row.items() if value is not None}], **change}


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"rows": []}, "box.toml: name: letters"),
        (wrong(name="my box"), "name: letters"),
        (wrong(name="evcc"), "is a dialect already"),
        (wrong(name=7), "name: a text is wanted, not '7'"),
        ({"name": "mybox"}, "rows: at least one row"),
        (wrong(rows={}), "rows: a list is wanted"),
        (wrong(rows=[7]), "rows[1]: a table is wanted, not '7'"),
        (wrong(colour="red"), "colour: is no key here: use one of name, topics"),
        (wrong(base="tesler"), "base: 'tesler' is no dialect: the nearest name is tesla"),
        (wrong(payload="xml"), "payload: 'xml' is none of json, text, object"),
        (wrong(time_unit="ms"), "time_unit: is of no use without time"),
        (wrong(time="t", time_unit="min"), "time_unit: 'min' is none of ms, s, iso"),
        (wrong(payload="text", vehicle="/id"), "payload: one value has no other fields"),
        (wrong(topics=["a/{car}"]), "topics[1]: 'a/{car}'"),
        (wrong(topics=["a/#"]), "topics[1]: 'a/#'"),
        (wrong(topics=[1]), "topics[1]: a text is wanted"),
        (wrong(ignored=["a*b"]), "ignored[1]: 'a*b': * is allowed at the end only"),
        (wrong(ignored=["w"]), "w: ignored, and in a row"),
        (wrong(row={"field": None}), "rows[1]: field: is missing"),
        (wrong(row={"signal": None}), "rows[1]: signal: is missing"),
        (wrong(row={"signal": "wattage"}), "rows[1] (w): signal: 'wattage' is no signal: write charge-wattage"),
        (wrong(row={"signal": "power"}), "signal: 'power' is no signal: there are charge-amperage"),
        (wrong(row={"unit": "horses"}), "rows[1] (w): unit: 'horses' is no unit of power: use watts"),
        (wrong(row={"unit": "kWh"}), "unit: 'kWh' is no unit of power"),
        (wrong(row={"signal": "charge-ischarging"}), "unit: charge-ischarging has none"),
        (wrong(row={"signal": "charge-chargelimits"}), "unit: 'W' is no unit of ratio"),
        (wrong(row={"signal": "charge-chargerecords"}), "unit: charge-chargerecords has none"),
        (wrong(row={"scale": "x"}), "scale: a number is wanted, not 'x'"),
        (wrong(row={"scale": True}), "scale: a number is wanted"),
        (wrong(row={"scale": 0}), "scale: a number other than 0"),
        (wrong(row={"scale": float("nan")}), "scale: a number other than 0"),
        (wrong(row={"floor": float("inf")}), "floor: a number from 0 up"),
        (
            wrong(row={"signal": "charge-ischarging", "unit": None, "scale": 2}),
            "scale: a number other than 0 is wanted, and only",
        ),
        (wrong(row={"floor": -1}), "floor: a number from 0 up"),
        (wrong(row={"signal": "charge-chargerphases", "unit": None, "floor": 1}), "floor: a number from 0 up"),
        (wrong(row={"signal": "charge-chargelimits", "unit": "%", "floor": 5}), "floor: a number from 0 up"),
        (wrong(row={"gate": "sometimes"}), "gate: 'sometimes' is none of always, live, charging"),
        (wrong(row={"words": {"an": True}}), "words: not for charge-wattage, and not beside unit"),
        (wrong(row={"signal": "charge-chargetimers", "unit": None, "words": {"a": 1}}), "words: not for charge-chargetimers"),
        (wrong(row={"signal": "charge-ischarging", "unit": None, "words": {"an": 1}}), "words.an: Expected `bool | null`"),
        (wrong(row={"signal": "charge-chargerphases", "unit": None, "words": {"x": 9}}), "words.x: 9 is not within 1 to 3"),
        (wrong(row={"signal": "charge-ischarging", "unit": None, "words": {}}), "words: at least one"),
        (
            wrong(row={"signal": "charge-ischarging", "unit": None, "words": {"A": True, "a": False}}),
            "case, -, _ and spaces do not distinguish words",
        ),
        (wrong(row={"color": 1}), "rows[1]: color: is no key here"),
        ({"name": "mybox", "rows": [{"field": "w", "signal": "charge-wattage"}] * 2}, "a field has two rows for one signal"),
    ],
)
def test_a_wrong_table_is_refused_with_its_file_row_key_and_rule(table: dict[str, Any], says: str) -> None:
    with pytest.raises(DialectError) as caught:
        from_table(table, "box.toml")
    assert str(caught.value).startswith("box.toml: ")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "says"), [(b"name = ", "is no TOML"), (b"\xff", "is no TOML"), (None, "can't be read: No such file")]
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None, says: str) -> None:
    file = tmp_path / "box.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(DialectError, match=says) as caught:
        from_file(file)
    assert str(file) in str(caught.value)


def test_a_file_is_read_as_its_table_is(tmp_path: Path) -> None:
    file = tmp_path / "box.toml"
    file.write_text(BOX)
    assert [row.fields for row in from_file(file).rows] == [row.fields for row in dialect(BOX).rows]


@pytest.mark.parametrize("base", sorted(ALL))
def test_every_dialect_can_be_started_from(base: str) -> None:
    found = from_table({"name": "mine", "base": base}, "box.toml")
    assert found.rows == ALL[base].rows
    assert (found.ignored, found.ignored_under, found.topics) == (ALL[base].ignored, ALL[base].ignored_under, ALL[base].topics)
