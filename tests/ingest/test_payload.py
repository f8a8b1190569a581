"""From the bytes of a request to items: no item, however broken, costs its neighbours."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chargeport.ingest import payload
from chargeport.ingest.batch import Batch, Rejection
from chargeport.ingest.items import ItemChecker
from chargeport.ingest.payload import TooManyItemsError
from chargeport.signals.reading import Entry, Reading
from chargeport.signals.violation import Rule, Violation

NOW = 1_777_629_598_000
GOOD = b'{"vehicle":"CAR","signal":"charge-wattage","body":{"value":7.2,"unit":"kW"}}'
DEEP = b"[" * 100_000 + b"]" * 100_000


def read(text: bytes, *, lines: bool = False, max_items: int = 1000) -> tuple[int, Batch]:
    checker = ItemChecker(Batch(), "test", NOW, 300)
    return payload.read(text, checker, max_items, lines=lines), checker.batch


def in_body(value: bytes) -> bytes:
    return b'{"vehicle":"CAR","signal":"charge-wattage","body":{"value":' + value + b"}}"


# One item each, written as it stands; the rule and member of the only rejection.
BROKEN_ITEMS = {
    "NaN": (in_body(b"NaN"), "NOT_FINITE", "body.value"),
    "Infinity": (in_body(b"Infinity"), "NOT_FINITE", "body.value"),
    "-Infinity": (in_body(b"-Infinity"), "NOT_FINITE", "body.value"),
    "1e400": (in_body(b"1e400"), "NOT_FINITE", "body.value"),
    "an integer beyond every float": (in_body(b"9" * 400), "NOT_FINITE", "body.value"),
    "an integer longer than Python reads": (in_body(b"9" * 5000), "NOT_FINITE", "body.value"),
    "bad UTF-8 in a body": (in_body(b'"\xff"'), "WRONG_TYPE", "body.value"),
    "bad UTF-8 in a text": (b'{"vehicle":"CAR","signal":"charge-fastchargertype","body":{"value":"\xff"}}', "NOT_JSON", "body"),
    "bad UTF-8 in the vehicle": (GOOD.replace(b"CAR", b"C\xffR"), "NOT_JSON", "item"),
    "bad UTF-8 in the signal": (GOOD.replace(b"watt", b"w\xc3tt"), "NOT_JSON", "item"),
    "bad UTF-8 in a member's name": (GOOD.replace(b"vehicle", b"vehicl\xff"), "NOT_JSON", "item"),
    "a lone surrogate in the vehicle": (GOOD.replace(b"CAR", b"\\ud800"), "NOT_JSON", "item"),
    "a lone surrogate in a body": (in_body(b'"\\udc00 and more"'), "NOT_JSON", "item"),
    "NaN for a time": (GOOD[:-1] + b',"observedAt":NaN}', "NOT_FINITE", "observedAt"),
    "1e400 for a time": (GOOD[:-1] + b',"observedAt":1e400}', "NOT_FINITE", "observedAt"),
    "an integer longer than Python reads for a time": (
        GOOD[:-1] + b',"observedAt":' + b"9" * 5000 + b"}",
        "NOT_FINITE",
        "observedAt",
    ),
    "NaN for an item": (b"NaN", "NOT_FINITE", "item"),
    "lists in lists": (DEEP, "WRONG_TYPE", "item"),
    "lists in lists in a body": (in_body(DEEP), "NOT_JSON", "item"),
    "objects in objects in a body": (in_body(b'{"a":' * 100_000 + b"1" + b"}" * 100_000), "NOT_JSON", "item"),
    "objects in objects in an unknown member": (GOOD[:-1] + b',"x":' + DEEP + b"}", "UNKNOWN_MEMBER", "x"),
    "no colon": (b'{"vehicle" "CAR"}', "NOT_JSON", "item"),
    "a word": (b"charging", "NOT_JSON", "item"),
    "single quotes": (b"{'vehicle':'CAR'}", "NOT_JSON", "item"),
    "brackets that do not match": (b'{"vehicle":"CAR"]', "NOT_JSON", "item"),
    "two values": (GOOD + b" " + GOOD, "NOT_JSON", "item"),
    "a control character": (GOOD.replace(b"CAR", b"C\x00R"), "NOT_JSON", "item"),
    "a number for an item": (b"5", "WRONG_TYPE", "item"),
    "null for an item": (b"null", "WRONG_TYPE", "item"),
    "an empty object": (b"{}", "MISSING", "vehicle"),
}
broken_items = pytest.mark.parametrize(("broken", "code", "path"), BROKEN_ITEMS.values(), ids=BROKEN_ITEMS)


@broken_items
@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("lines", [False, True], ids=["array", "lines"])
def test_a_broken_item_costs_no_other_and_is_named(broken: bytes, code: str, path: str, *, place: int, lines: bool) -> None:
    sent = [GOOD, GOOD]
    sent.insert(place, broken)
    count, batch = read(b"\n".join(sent) if lines else b"[" + b",".join(sent) + b"]", lines=lines)
    assert count == 3
    assert [(found.index, found.code, found.path) for found in batch.rejections] == [(place, code, path)]
    assert batch.indices == [index for index in range(3) if index != place]
    assert {(entry.vehicle, entry.value) for entry in batch.entries if isinstance(entry, Reading)} == {("CAR", 7200)}


def test_all_broken_items_at_once_are_told_apart() -> None:
    sent = [part for broken, _, _ in BROKEN_ITEMS.values() for part in (broken, GOOD)]
    count, batch = read(b"[" + b" , ".join(sent) + b"]")
    assert count == len(sent)
    assert batch.indices == list(range(1, count, 2))
    expected = [(2 * index, code, path) for index, (_, code, path) in enumerate(BROKEN_ITEMS.values())]
    assert [(found.index, found.code, found.path) for found in batch.rejections] == expected


BROKEN_OBJECTS = {name: row for name, row in BROKEN_ITEMS.items() if row[0].startswith(b"{")}


@pytest.mark.parametrize(("broken", "code", "path"), BROKEN_OBJECTS.values(), ids=BROKEN_OBJECTS)
def test_a_broken_object_alone_is_one_rejection(broken: bytes, code: str, path: str) -> None:
    count, batch = read(broken)
    assert (count, batch.entries) == (1, [])
    assert [(found.index, found.code, found.path) for found in batch.rejections] == [(0, code, path)]


@pytest.mark.parametrize("value", [b"NaN", b'{"value":NaN}', b'{"value":1e400}', b'{"value":"\xff"}', b'{"value":-Infinity}'])
def test_a_bundle_with_a_broken_signal_keeps_the_others(value: bytes) -> None:
    signals = (
        b'{"charge-wattage":' + value + b',"charge-voltage":{"value":230},"charge-fastchargertype":{"value":"NaN, Infinity"}}'
    )
    _, batch = read(b'[{"vehicle":"CAR","signals":' + signals + b"}]")
    assert [(entry.signal.name, entry.value) for entry in batch.entries if isinstance(entry, Reading)] == [
        ("Voltage", 230),
        ("FastChargerType", "NaN, Infinity"),
    ]
    (found,) = batch.rejections
    assert found.signal == "charge-wattage"
    assert found.path.startswith("signals.charge-wattage")


def test_an_array_an_object_and_lines_say_the_same() -> None:
    expected = read(b"[" + GOOD + b"]")[1].entries
    assert len(expected) == 1
    for text, lines in (
        (GOOD, False),
        (b" \n\t" + GOOD + b"\r\n", False),
        (GOOD, True),
        (GOOD + b"\n", True),
        (b" [ " + GOOD + b" ] ", False),
    ):
        count, batch = read(text, lines=lines)
        assert (count, batch.entries, batch.rejections) == (1, expected, [])


def test_blank_lines_are_no_items() -> None:
    count, batch = read(b"\n\n" + GOOD + b"\r\n  \r\n\t\n" + GOOD + b"\n\n", lines=True)
    assert (count, batch.indices, batch.rejections) == (2, [0, 1], [])


def test_an_empty_array_and_no_lines_are_no_items() -> None:
    assert read(b"[]")[0] == read(b" [ ] ")[0] == read(b"", lines=True)[0] == read(b"\n \n", lines=True)[0] == 0


def test_what_stands_in_a_string_separates_nothing() -> None:
    texts = ["a,b", "[", "]", "{", "}", '"', '\\"', "\\", '\\\\",{', "NaN", "-Infinity,NaN", "]}]}"]
    sent = [json.dumps({"vehicle": text, "signal": "charge-ischarging", "body": {"value": True}}).encode() for text in texts]
    count, batch = read(b"[" + b",".join([*sent, b"NaN"]) + b"]")
    assert count == len(texts) + 1
    assert [entry.vehicle for entry in batch.entries] == texts
    assert [(found.index, found.code) for found in batch.rejections] == [(len(texts), "NOT_FINITE")]


@pytest.mark.parametrize("text", [b"5", b"null", b'"text"', b"true", b" 1.5 "])
def test_json_that_is_neither_items_nor_an_item_is_refused_as_a_whole(text: bytes) -> None:
    with pytest.raises(Violation) as caught:
        read(text)
    assert (caught.value.rule, caught.value.path) == (Rule.WRONG_TYPE, "")


@pytest.mark.parametrize(
    "text",
    [
        b"", b" ", b"nonsense", b"\xff\xfe", b"NaN", b"[", b"[" + GOOD, b"[" + GOOD + b",", b"[" + GOOD + b"]]",
        b"[" + GOOD + b"],[" + GOOD + b"]", b"[" + GOOD + b'],"', b'["', b'[NaN,"]', b"[" * 100_000, b"]", b"[}]",
        b"\xef\xbb\xbf[]", b'"[',
    ],
    ids=lambda text: ascii(text)[:24],
)  # fmt: skip
def test_what_is_no_json_at_all_is_refused_as_a_whole(text: bytes) -> None:
    with pytest.raises(Violation) as caught:
        read(text)
    assert (caught.value.rule, caught.value.path) == (Rule.NOT_JSON, "")


def test_a_trailing_comma_costs_no_item() -> None:
    count, batch = read(b"[" + GOOD + b"," + GOOD + b",]")
    assert (count, batch.indices) == (3, [0, 1])
    assert [(found.index, found.code) for found in batch.rejections] == [(2, "NOT_JSON")]


@pytest.mark.parametrize("more", [GOOD, b"NaN", b"{}", b"\xff"], ids=["sound", "NaN", "incomplete", "bad UTF-8"])
@pytest.mark.parametrize("lines", [True, False], ids=["lines", "array"])
def test_as_many_items_as_allowed_are_taken_and_not_one_more(more: bytes, lines: bool) -> None:
    sent = [GOOD, more, GOOD]
    text = b"\n".join(sent) if lines else b"[" + b",".join(sent) + b"]"
    assert read(text, lines=lines, max_items=3)[0] == 3
    with pytest.raises(TooManyItemsError) as caught:
        read(text, lines=lines, max_items=2)
    assert caught.value.args == (3,)


def test_nothing_is_taken_from_a_payload_with_too_many_items() -> None:
    checker = ItemChecker(Batch(), "test", NOW, 300)
    with pytest.raises(TooManyItemsError):
        payload.read(b"[" + GOOD + b"," + GOOD + b"]", checker, 1, lines=False)
    assert (checker.batch.entries, checker.batch.rejections) == ([], [])


# What is universal.

CODES = ["charge-wattage", "charge-ischarging", "charge-chargelimits", "charge-fastchargertype", "charge-nothing"]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
ANY_JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3), max_leaves=8
)
BODIES = st.fixed_dictionaries({"value": SCALARS}, optional={"unit": st.sampled_from(["watts", "kW", "horses"])}) | ANY_JSON
ITEMS = st.fixed_dictionaries(
    {"vehicle": st.sampled_from(["CAR", "OTHER"])},
    optional={
        "signal": st.sampled_from(CODES),
        "body": BODIES,
        "signals": st.dictionaries(st.sampled_from(CODES), BODIES, max_size=3),
        "observedAt": st.sampled_from([NOW, NOW - 5, float(NOW), "2026-05-01T09:00:00Z", NOW + 10**7, "x", 0]) | SCALARS,
        "status": st.fixed_dictionaries({"value": st.just("ERROR"), "error": st.just({"type": "SERVER"})}) | ANY_JSON,
    },
)


def assert_accounted_for(count: int, batch: Batch) -> None:
    """Every item gave at least an entry or a rejection, and no index is made up."""
    assert len(batch.indices) == len(batch.entries)
    assert {*batch.indices, *(found.index for found in batch.rejections)} == set(range(count))
    assert all(found.code in Rule.__members__ and found.detail for found in batch.rejections)


@given(
    st.binary()
    | st.lists(st.sampled_from([b"[", b"]", b"{", b"}", b",", b'"', b"\\", b"NaN", b"1", GOOD, b"\n", b"\xff"])).map(b"".join)
)
@example(b'["\\')
@example(b'"')
def test_any_bytes_are_items_or_refused(text: bytes) -> None:
    for lines in (True, False):
        try:
            count, batch = read(text, lines=lines, max_items=20)
        except (Violation, TooManyItemsError):
            continue
        assert_accounted_for(count, batch)


@given(st.lists(ITEMS | ANY_JSON, max_size=5), st.sampled_from([True, False]))
def test_any_json_is_items_or_rejections(sent: list[Any], ascii_only: bool) -> None:
    texts = [json.dumps(one, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass") for one in sent]
    for text, lines in ((b"[" + b",".join(texts) + b"]", False), (b"\n".join(texts), True)):
        count, batch = read(text, lines=lines)
        assert count == len(sent)
        assert_accounted_for(count, batch)


@given(
    sent=st.lists(ITEMS, max_size=5),
    broken=st.sampled_from([broken for broken, _, _ in BROKEN_ITEMS.values() if len(broken) < 9999]),
)
def test_the_quick_and_the_careful_way_agree(sent: list[Any], broken: bytes) -> None:
    """A broken item at the end makes the careful way read what the quick one would have."""
    texts = [json.dumps(one).encode() for one in sent]
    _, quick = read(b"[" + b",".join(texts) + b"]")
    count, careful = read(b"[" + b",".join([*texts, broken]) + b"]")
    assert count == len(sent) + 1
    assert outcome(careful, len(sent)) == outcome(quick, len(sent))
    assert {found.index for found in careful.rejections} - {found.index for found in quick.rejections} == {len(sent)}


@given(sent=st.lists(ITEMS, max_size=5))
def test_an_array_and_lines_agree(sent: list[Any]) -> None:
    texts = [json.dumps(one).encode() for one in sent]
    _, array = read(b"[" + b",".join(texts) + b"]")
    _, lines = read(b"\n".join(texts), lines=True)
    assert outcome(array, len(sent)) == outcome(lines, len(sent))


def outcome(batch: Batch, count: int) -> tuple[list[Entry], list[int], list[Rejection]]:
    return batch.entries, batch.indices, [found for found in batch.rejections if found.index < count]
