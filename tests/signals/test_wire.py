"""What stands on the wire: compact JSON, numbers as JavaScript writes them, and every example unchanged."""

import json
import shutil
import struct
import subprocess
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chargeport.signals import bodies, wire
from chargeport.signals.catalogue import BY_CODE, CATALOGUE
from chargeport.signals.definition import Kind, Signal

LIMITS = BY_CODE["charge-chargelimits"]

finite = st.floats(allow_nan=False, allow_infinity=False)
each_signal = pytest.mark.parametrize("signal", CATALOGUE, ids=lambda signal: signal.code)

EDGES = [
    0.0,
    -0.0,
    80.0,
    10.7,
    5e-324,
    1.7976931348623157e308,
    1e-6,
    9.99e-7,
    1.5e-6,
    5e-5,
    1e16,
    2.0**53,
    2.0**60,
    1e20,
    123e18,
]
EDGES += [1.2345678901234568e20, 1e21, 999999999999999900000.0, 1.5e300, 0.1 + 0.2, 1 / 3, -7200.5, 100.0, 1e-7, 123456789.125]


def ecma_262(value: float) -> str:
    """Number::toString, step by step: the digits s, their count k, and n such that the value is 0.s times ten to the n."""
    if value == 0:
        return "0"
    sign, digits, exponent = Decimal(repr(value)).as_tuple()
    assert isinstance(exponent, int)
    s = "".join(map(str, digits))
    n = len(s) + exponent
    s = s.lstrip("0").rstrip("0")
    k = len(s)
    if k <= n <= 21:
        text = s + "0" * (n - k)
    elif 0 < n <= 21:
        text = f"{s[:n]}.{s[n:]}"
    elif -6 < n <= 0:
        text = "0." + "0" * -n + s
    else:
        text = f"{s[0]}{'.' if k > 1 else ''}{s[1:]}e{'+' if n > 0 else '-'}{abs(n - 1)}"
    return ("-" if sign else "") + text


@given(finite)
@example(2.0**60)
@example(1.2345678901234568e20)
@example(-0.0)
@example(5e-5)
def test_a_number_is_written_as_javascript_writes_it(value: float) -> None:
    assert wire.number(value) == ecma_262(value)


@pytest.mark.parametrize("value", EDGES)
def test_a_number_at_an_edge_of_the_notation_is_written_as_javascript_writes_it(value: float) -> None:
    assert wire.number(value) == ecma_262(value)


@given(finite)
def test_a_number_is_read_back_as_it_was(value: float) -> None:
    assert float(wire.number(value)) == value


@given(st.integers(-(2**53), 2**53))
def test_an_integer_is_written_in_full(value: int) -> None:
    assert wire.number(value) == str(value)


@given(finite)
def test_equal_numbers_have_one_form(value: float) -> None:
    form = wire.canonical(value)
    assert form == value
    assert isinstance(form, int) == value.is_integer()
    assert wire.canonical(form) is form


def test_node_writes_the_same_numbers() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no node on the PATH to compare with")
    sample = EDGES + [number for number in map(scattered, range(2000)) if number == number and abs(number) != float("inf")]  # noqa: PLR0124
    script = (
        "process.stdout.write(JSON.stringify(JSON.parse(require('fs').readFileSync(0)).map(t => JSON.stringify(Number(t)))))"
    )
    done = subprocess.run(
        [node, "-e", script], input=json.dumps([repr(x) for x in sample]), capture_output=True, text=True, check=True
    )
    written = json.loads(done.stdout)
    assert len(written) == len(sample) > 1900
    assert [wire.number(value) for value in sample] == written


def scattered(index: int) -> float:
    """A double of the index's own: every other one a pattern of bits, the others of the size that measurements have."""
    bits = index * 0x9E3779B97F4A7C15 % 2**64
    if index % 2:
        return bits / 10 ** (index % 24)
    value: float = struct.unpack("<d", struct.pack("<Q", bits))[0]
    return value


@each_signal
def test_an_example_comes_back_as_it_went_in(signal: Signal) -> None:
    value = bodies.parse(signal, msgspec.json.encode(signal.example))
    assert json.loads(wire.body(signal, value)) == signal.example
    assert bodies.parse(signal, signal.example) == value


@each_signal
def test_a_rendered_body_is_compact(signal: Signal) -> None:
    text = wire.body(signal, bodies.parse(signal, signal.example))
    assert text == json.dumps(json.loads(text), separators=(",", ":"), ensure_ascii=False)


@each_signal
def test_a_frame_and_a_text_make_the_body(signal: Signal) -> None:
    value = bodies.parse(signal, signal.example)
    before, after = wire.frame(signal)
    assert before + wire.text(signal, value) + after == wire.body(signal, value)


@pytest.mark.parametrize(
    ("code", "value", "text"),
    [
        ("charge-wattage", 7200, '{"value":7200,"unit":"watts"}'),
        ("charge-wattage", 10.7, '{"value":10.7,"unit":"watts"}'),
        ("charge-chargerphases", 3, '{"value":3}'),
        ("charge-ischarging", False, '{"value":false}'),
        ("charge-ischarging", True, '{"value":true}'),
        ("charge-chargingconnectortype", "Type 2", '{"value":"Type 2"}'),
        ("charge-chargingconnectortype", 'a "b" \\ ü 🔌', '{"value":"a \\"b\\" \\\\ ü 🔌"}'),
        ("charge-chargelimits", '{"activeLimit":80}', '{"activeLimit":80}'),
    ],
)
def test_a_value_has_one_text(code: str, value: Any, text: str) -> None:
    assert wire.body(BY_CODE[code], value) == text


@given(st.floats(-90, 90), st.floats(-180, 180))
@example(51.5, -0.00001)
@example(0.000001, 0.0000001)
def test_the_numbers_of_a_document_are_written_as_javascript_writes_them(latitude: float, longitude: float) -> None:
    place = {"latitude": latitude, "longitude": longitude}
    value = bodies.parse(LIMITS, {"values": [{"type": "LOCATION", "limit": 80.0, "condition": place}]})
    condition = f'{{"latitude":{ecma_262(latitude)},"longitude":{ecma_262(longitude)}}}'
    assert value == f'{{"values":[{{"type":"LOCATION","limit":80,"condition":{condition}}}],"unit":"percent"}}'


def test_null_members_are_left_out_and_numbers_made_canonical_at_every_depth() -> None:
    document = {"a": None, "b": [1.0, {"c": None, "d": 2.5, "e": -0.0}], "f": {"g": None}}
    assert wire.document_text(document) == '{"b":[1,{"d":2.5,"e":0}],"f":{}}'


def test_every_kind_has_an_example_here() -> None:
    assert {signal.kind for signal in CATALOGUE} == set(Kind)
