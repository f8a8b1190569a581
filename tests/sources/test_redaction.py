"""Redaction: what is replaced, what stays, and that no recording of ours holds anything that had to be replaced."""

import base64
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chargeport.sources.base import Cause, SourceError
from chargeport.sources.redaction import Redaction
from unredacted import unredacted

RECORDINGS = Path(__file__).parent.parent / "data" / "recordings"
# In the shape of a VIN, with a right check digit, and nobody's: the first three characters belong to no maker.
VIN = "ZZZFV2C57HM726913"

PERSONAL = [
    {"vin": VIN},
    {"id": 1492931337, "user_id": 1492931337, "vehicle_id": 99887766},
    {"drive_state": {"latitude": 52.520008, "longitude": 13.404954, "timestamp": 1777629598000}},
    {"latitude": "52.520008", "lng": 13.404954},
    {"location": {"lat": 52.520008, "lon": 13.404954, "name": "Grandma's"}},
    {"coordinates": [13.404954, 52.520008]},
    {"geofence": "Grandma's", "address": {"city": "Berlin", "street": "Unter den Linden 1"}},
    {"key": "Location", "value": {"locationValue": {"latitude": 52.520008, "longitude": 13.404954}}},
    {"key": "VehicleName", "value": {"stringValue": "Bob's car"}},
    {"entity_id": "sensor.car_latitude", "state": "52.520008"},
    {"entity_id": "sensor.x", "attributes": {"friendly_name": "Bob's car"}},
    {"vehicle.cabin.navigation.currentLocation.latitude": {"value": "52.520008", "unit": "degrees"}},
    {"owner": "Bob Miller", "email": "bob.miller@mail.test", "phone": "030 1234567"},
    {"text": "write to bob.miller@mail.test or call +49 170 1234567"},
    {"licensePlate": "B-AB 1234", "serialNumber": "AB12345678", "imei": 358240051111110},
    {"idTag": "04A1B2C3D4", "idToken": {"idToken": "04A1B2C3D4", "type": "ISO14443"}},
    {"access_token": "abcdefgh", "password": "hunter2", "pin": 1234, "Authorization": "Bearer abcdefghijkl"},
    {"url": "http://relay.test/?token=abcdefgh&x=1"},
    {"mac": "a4:cf:12:34:56:78", "note": "seen A4-CF-12-34-56-78", "ip": "84.12.33.7"},
    {"jwt_in_text": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"},
    {"wrapped": json.dumps({"vin": VIN, "lat": 52.520008})},
    {"text": "parked at 52.520008, 13.404954 since noon"},
    {"latitude_e6": 1, "lat": 52520008},
    {VIN: {"soc": 50}},
    {"note": "sent with cpt_5UOMxL9Zq8TKcabcdefghR1oI6 and cps_abcdefghij-kl_mn", "body": "cpm_abcdefghijkl"},
    {"url": "http://server.test/stream?access=cpt_5UOMxL9Zq8TKcabcdefghR1oI6"},
    {"body": "by cpc_codecodecode, cpr_refreshrefresh or cpw_wallwallwall of cpl_linklinklink"},
    {"refresh_tokens": ["abcdefgh"], "clientSecrets": {"a": "abcdefghij"}, "passwords": "hunter2", "apiKeys": ["abcdefghi"]},
    {"vins": [VIN], "emails": "bob.miller@mail.test", "cities": ["Berlin"], "licencePlates": ["B-AB 1234"]},
]
SECRETS = (
    VIN, "52.5200", "13.4049", "52520008", "Bob", "Berlin", "Grandma", "B-AB", "04A1", "hunter2", "abcdefgh", "codecode",
    "refreshr", "wallwall", "linklink", "1492931337",
    "99887766", "1234567", "AB12345678", "358240051111110", "cf:12", "CF-12", "84.12", "dozjg",
)  # fmt: skip
IMPERSONAL = [
    {"soc": 55, "power": 7.4123, "voltage": 230.71, "plugged_in": True, "since": "2026-05-01T09:59:58.123+02:00", "none": None},
    {"charging_state": "Charging", "unit": "kWh", "firmware": "2026.8.3.1", "odometer": 12345.678},
    {"latitude": None, "longitude": 0, "location": "unavailable", "vin": "", "address": "unknown"},
    {"latitude": 52.5, "longitude": 13.4, "geofence": "Home"},
    {"measurand": "Voltage", "location": "Outlet", "vin": {"value": None, "heard": "2026-05-01T09:59:58Z"}},
    {"key": "Soc", "value": {"doubleValue": 55.123}},
    {"status": "charging", "phases": 3, "miles": 120.5, "gps": "fine", "pass_count": 2, "cps": 16, "mode": "cpt_mode"},
    {"lat_lon_text": "7.4 kW and 230.7 V", "energy": "12.345"},
    {"vin": "5YJ3E1EA7KF000000", "email": "anybody@example.org", "user": "account1"},
]


def payload_of(value: Any) -> str:
    line = Redaction(["Bob"]).line({"at": 1, "payload": json.dumps(value)})
    assert isinstance(line["payload"], str)
    return line["payload"]


@pytest.mark.parametrize("value", PERSONAL, ids=lambda value: next(iter(value)))
def test_what_tells_who_somebody_is_is_replaced_once_and_for_all(value: dict[str, Any]) -> None:
    text = json.dumps({"at": 1, "payload": json.dumps(value)})
    assert unredacted(text)
    assert unredacted(json.dumps({"at": 1, "payload": value})), "as JSON in the line"
    redacted = json.dumps(Redaction(["Bob"]).line(json.loads(text)))
    assert unredacted(redacted) == []
    assert [secret for secret in SECRETS if secret in redacted] == []


@pytest.mark.parametrize("value", IMPERSONAL, ids=lambda value: next(iter(value)))
def test_what_tells_nothing_of_anybody_stays_letter_for_letter(value: dict[str, Any]) -> None:
    text = json.dumps(value, indent=1)
    assert Redaction().payload(text) == text
    assert unredacted(text) == []


def test_the_shape_stays_what_it_was() -> None:
    given = {"vin": VIN, "location": {"latitude": 52.520008, "timestamp": 1777629598000}, "user_id": 1492931337, "soc": 55}
    assert json.loads(payload_of(given)) == {
        "vin": "ZZZFV2C5001000000",
        "location": {"latitude": -48.801, "timestamp": 1777629598000},
        "user_id": 1,
        "soc": 55,
    }


def test_the_same_thing_has_the_same_stand_in_everywhere_and_another_has_another() -> None:
    redaction = Redaction()
    other = VIN[:-1] + "4"
    lines = [
        redaction.line(
            {"at": 1, "topic": f"cars/{one}/soc", "vehicle": one, "headers": {"VIN": one}, "payload": f'{{"vin": "{one}"}}'}
        )
        for one in (VIN, other, VIN)
    ]
    assert lines[0] == lines[2]
    assert lines[0] != lines[1]
    stand_in = str(lines[0]["vehicle"])
    assert lines[0] == {
        "at": 1,
        "topic": f"cars/{stand_in}/soc",
        "vehicle": stand_in,
        "headers": {"VIN": stand_in},
        "payload": f'{{"vin": "{stand_in}"}}',
    }


@pytest.mark.parametrize(
    ("topic", "payload", "redacted_topic", "redacted_payload"),
    [
        ("teslamate/cars/1/latitude", "52.520008", "teslamate/cars/1/latitude", "-48.801"),
        ("teslamate/cars/1/geofence", "Grandma's", "teslamate/cars/1/geofence", "place1"),
        ("teslamate/cars/1/display_name", "Bob's car", "teslamate/cars/1/display_name", "name1"),
        ("teslamate/cars/1/battery_level", "55", "teslamate/cars/1/battery_level", "55"),
        ("garage/x/location/name", "Grandma's", "garage/x/location/name", "place1"),
        ("ovms/bob/bobs-leaf/metric/v/p/longitude", "13.404954", "ovms/account1/name1/metric/v/p/longitude", "-123.301"),
        ("evcc/site/gridPower", "1234.5678", "evcc/site/gridPower", "1234.5678"),
        ("1b4e28ba-2fa1-41d2-883f-0016d3cca427/soc", "5", "00000000-0000-4000-8000-000000000001/soc", "5"),
    ],
)
def test_a_topic_says_what_its_payload_is(topic: str, payload: str, redacted_topic: str, redacted_payload: str) -> None:
    line = Redaction().line({"at": 1, "topic": topic, "payload": payload})
    assert line == {"at": 1, "topic": redacted_topic, "payload": redacted_payload}


def test_names_that_are_given_are_replaced_wherever_they_stand() -> None:
    line = Redaction(["Bob", "Knut"]).line(
        {"at": 1, "topic": "home/bob_leaf", "payload": '{"sensor.bob_leaf_soc": "of Bob, not Bobby"}'}
    )
    assert line == {"at": 1, "topic": "home/name1_leaf", "payload": '{"sensor.name1_leaf_soc": "of name1, not Bobby"}'}


def test_a_name_that_would_be_everywhere_is_refused() -> None:
    with pytest.raises(SourceError, match="3 letters") as found:
        Redaction(["A"])
    assert found.value.cause is Cause.CONFIGURATION


def test_a_vin_in_a_binary_payload_is_found_and_replaced_at_its_length() -> None:
    payload = b"\x0a\x11" + VIN.encode() + b"\xff\x00"
    line: dict[str, Any] = {"at": 1, "payload_base64": base64.b64encode(payload).decode()}
    assert unredacted(json.dumps(line)) == [f"vin: {VIN}"]
    redacted = base64.b64decode(str(Redaction().line(line)["payload_base64"]))
    assert redacted == b"\x0a\x11ZZZFV2C5001000000\xff\x00"


def test_lines_of_json_are_redacted_one_by_one() -> None:
    text = f'{{"vin": "{VIN}"}}\n{{"soc": 5.50}}\n'
    assert Redaction().payload(text) == '{"vin": "ZZZFV2C5001000000"}\n{"soc": 5.50}\n'


Values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([VIN, "52.520008", "bob@mail.test"]),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text() | st.sampled_from(["vin", "lat", "location", "key", "value", "token"]), inner)
    ),
    max_leaves=8,
)


@given(Values)
def test_what_is_redacted_has_nothing_left_to_redact(value: Any) -> None:
    redacted = Redaction().value(value)
    assert unredacted(json.dumps([redacted])) == []


@given(st.text())
def test_any_text_can_be_looked_through(text: str) -> None:
    redacted = Redaction().payload(text)
    assert Redaction().payload(redacted) == redacted


# Names in our recordings that whoever composed them has made up.
INVENTED = {"name: blue", "name: Niro", "account: u", "place: Example road 1", "longitude: 0.2500000"}


def recordings() -> list[Path]:
    return sorted(file for file in RECORDINGS.rglob("*") if file.suffix in {".json", ".jsonl"})


@pytest.mark.parametrize("file", recordings(), ids=lambda file: str(file.relative_to(RECORDINGS)))
def test_no_recording_of_ours_tells_who_anybody_is(file: Path) -> None:
    found = [one for one in unredacted(file.read_text("utf-8")) if one not in INVENTED]
    assert not found, f"{file.name}: {found[:5]}"


@pytest.mark.parametrize("text", ["k" * 200_000, "a@" * 50_000, "@" * 100_000, "1." * 50_000, "+1 " * 50_000, "eyJ" * 50_000])
def test_a_long_text_takes_no_longer_than_its_length_warrants(text: str) -> None:
    started = time.process_time()
    Redaction().line({"at": 1, "topic": text, "payload": {text: text}})
    assert time.process_time() - started < 2
