"""A table of what nobody should send. Each row gets one typed 4xx that says what is wrong, and leaves everything as it was."""

import gzip
import json
import time
import tracemalloc
from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest

from answers import typed_error
from chargeport.signals.violation import Rule
from world import T0, World, ask

CAR = "0b0c6b0e-1b5e-4d6e-9b3f-2f8f5f2a7c11"
MEBIBYTE = 1 << 20
LINES = "application/x-ndjson"

Header = tuple[bytes, bytes]


class Bad(NamedTuple):
    """A request, and what its answer must be: a status, and texts that say what is wrong."""

    name: str
    status: int
    named: Sequence[str] = ()
    body: bytes = b""
    method: str = "POST"
    path: str = "/ingest/readings"
    query: bytes = b""
    headers: Sequence[Header] = ()
    token: bool = True


def reading(body: str = '{"value":231}', code: str = '"charge-voltage"', more: str = "") -> bytes:
    return f'{{"vehicle":"{CAR}","signal":{code},"body":{body}{more}}}'.encode()


def value(text: str, code: str = "charge-voltage", unit: str = "") -> bytes:
    return reading(f'{{"value":{text}{unit}}}', f'"{code}"')


def at(text: str) -> bytes:
    return reading(more=f',"observedAt":{text}')


def limits(text: str) -> bytes:
    return reading(text, '"charge-chargelimits"')


def records(text: str) -> bytes:
    return reading(f'{{"values":[{text}]}}', '"charge-chargerecords"')


def item(name: str, body: bytes, rule: Rule, path: str) -> Bad:
    return Bad(name, 422, (rule.value, path), body)


def packed(name: str, status: int, body: bytes, *named: str) -> Bad:
    return Bad(name, status, named, body, headers=[(b"content-encoding", b"gzip")])


def read(name: str, status: int, path: str, query: bytes = b"", *headers: Header, named: Sequence[str] = ()) -> Bad:
    return Bad(name, status, named, method="GET", path=path, query=query, headers=headers)


def token(name: str, status: int, body: bytes, *headers: Header, named: Sequence[str] = ()) -> Bad:
    return Bad(name, status, named, body, path="/oauth2/token", headers=headers, token=False)


DEEP = 100_000
LOCATION = '{"values":[{"type":"LOCATION","limit":80,"condition":{%s}}]}'

# Bodies that are no items at all
BROKEN = [
    Bad("nothing", 400, ("empty",)),
    Bad("blanks", 400, ("empty",), b" \n\t "),
    Bad("an empty array", 422, ("no items",), b"[]"),
    Bad("no JSON", 400, ("NOT_JSON",), b"charge-voltage=231"),
    Bad("XML", 400, ("NOT_JSON",), b"<reading/>"),
    Bad("a number", 400, ("array",), b"1"),
    Bad("a text", 400, ("array",), b'"x"'),
    Bad("null", 400, ("array",), b"null"),
    Bad("true", 400, ("array",), b"true"),
    Bad("half an object", 422, ("NOT_JSON", "item"), b'{"vehicle":"' + CAR.encode()),
    Bad("half an array", 400, ("NOT_JSON",), b"[" + reading()),
    Bad("an array that closes twice", 400, ("NOT_JSON",), b"[" + reading() + b"]]"),
    Bad("an object and more", 422, ("NOT_JSON", "item"), reading() + b"x"),
    Bad("two objects", 422, ("NOT_JSON", "item"), reading() + reading()),
    Bad("a comma too many", 422, ("NOT_JSON", "item"), b"[,]"),
    Bad("a comma alone", 400, ("NOT_JSON",), b","),
    Bad("single quotes", 422, ("NOT_JSON", "item"), reading().replace(b'"', b"'")),
    Bad("a comment", 422, ("NOT_JSON", "item"), b"{/**/" + reading()[1:]),
    Bad("a byte order mark", 400, ("NOT_JSON",), b"\xef\xbb\xbf[" + reading() + b"]"),
    Bad("UTF-16", 400, ("NOT_JSON",), reading().decode().encode("utf-16")),
    Bad("NUL", 400, ("NOT_JSON",), b"\x00"),
    Bad("NUL behind the array", 400, ("NOT_JSON",), b"[" + reading() + b"]\x00"),
    Bad("arrays, 100,000 deep", 422, ("item",), b"[" * DEEP + b"]" * DEEP),
    Bad("arrays, 100,000 deep and open", 400, ("NOT_JSON",), b"[" * DEEP),
    Bad("objects, 100,000 deep", 422, ("UNKNOWN_MEMBER",), b'{"a":' * DEEP + b"1" + b"}" * DEEP),
    Bad("9 MB", 413, ("8388608",), b"[" + b" " * (9 * MEBIBYTE) + b"]"),
    Bad("10,001 items", 413, ("10001", "10000"), b"[" + b",".join([reading()] * 10_001) + b"]"),
    Bad("10,001 wrong items", 413, ("10001", "10000"), b"[" + b",".join([b"7"] * 10_001) + b"]"),
    Bad("10,001 lines", 413, ("10001", "10000"), b"\n".join([b"7"] * 10_001), headers=[(b"content-type", LINES.encode())]),
    Bad("an array sent as lines", 422, ("WRONG_TYPE",), b"[" + reading() + b"]", headers=[(b"content-type", LINES.encode())]),
    Bad("lines sent as JSON", 422, ("NOT_JSON", "item"), reading() + b"\n" + reading()),
]  # fmt: skip

# Items that break a rule
ITEMS = [
    item("a number for an item", b"[7]", Rule.WRONG_TYPE, "item"),
    item("null for an item", b"[null]", Rule.WRONG_TYPE, "item"),
    item("an array for an item", b"[[]]", Rule.WRONG_TYPE, "item"),
    item("an empty object", b"{}", Rule.MISSING, "vehicle"),
    item("no vehicle", b'{"signal":"charge-voltage","body":{"value":1}}', Rule.MISSING, "vehicle"),
    item("no signal", f'{{"vehicle":"{CAR}"}}'.encode(), Rule.MISSING, "signal"),
    item("no body", f'{{"vehicle":"{CAR}","signal":"charge-voltage"}}'.encode(), Rule.MISSING, "body"),
    item("null for a body", reading("null"), Rule.MISSING, "body"),
    item("a number for a body", reading("231"), Rule.WRONG_TYPE, "body"),
    item("an array for a body", reading("[231]"), Rule.WRONG_TYPE, "body"),
    item("an empty body", reading("{}"), Rule.MISSING, "body.value"),
    item("a number for a vehicle", reading().replace(f'"{CAR}"'.encode(), b"7"), Rule.WRONG_TYPE, "vehicle"),
    item("an empty vehicle", reading().replace(CAR.encode(), b""), Rule.OUT_OF_BOUNDS, "vehicle"),
    item("an overlong vehicle", reading().replace(CAR.encode(), b"x" * 129), Rule.OUT_OF_BOUNDS, "vehicle"),
    item("an unknown vehicle", reading().replace(CAR.encode(), b"nobody"), Rule.UNKNOWN_VEHICLE, "vehicle"),
    item("another case of the vehicle", reading().replace(CAR.encode(), CAR.upper().encode()), Rule.UNKNOWN_VEHICLE, "vehicle"),
    item("a vehicle with NUL", reading().replace(CAR.encode(), CAR.encode() + b"\\u0000"), Rule.UNKNOWN_VEHICLE, "vehicle"),
    item("SQL for a vehicle", reading().replace(CAR.encode(), b"' OR '1'='1"), Rule.UNKNOWN_VEHICLE, "vehicle"),
    item("an unknown signal", reading(code='"charge-nothing"'), Rule.UNKNOWN_SIGNAL, "signal"),
    item("an empty signal", reading(code='""'), Rule.UNKNOWN_SIGNAL, "signal"),
    item("another case of the signal", reading(code='"Charge-Voltage"'), Rule.UNKNOWN_SIGNAL, "signal"),
    item("a number for a signal", reading(code="7"), Rule.WRONG_TYPE, "signal"),
    item("a lone surrogate for a signal", reading(code='"\\ud800"'), Rule.NOT_JSON, "item"),
    item("an unknown member", reading(more=',"unit":"volts"'), Rule.UNKNOWN_MEMBER, "unit"),
    item("a misspelt member", reading(more=',"observed_at":1'), Rule.UNKNOWN_MEMBER, "observed_at"),
    item("body and status", reading(more=',"status":{"value":"ERROR","error":{"type":"SERVER"}}'), Rule.MISSING, "body"),
    item("signal and signals", reading(more=',"signals":{"charge-voltage":{"value":1}}'), Rule.NOT_ALLOWED, "signals"),
    item("an empty bundle", f'{{"vehicle":"{CAR}","signals":{{}}}}'.encode(), Rule.MISSING, "signals"),
    item("an array for a bundle", f'{{"vehicle":"{CAR}","signals":[]}}'.encode(), Rule.WRONG_TYPE, "signals"),
    item("an unknown one, bundled", f'{{"vehicle":"{CAR}","signals":{{"x":{{}}}}}}'.encode(), Rule.UNKNOWN_SIGNAL, "signals.x"),
    item("a status of success", f'{{"vehicle":"{CAR}","signal":"charge-voltage","status":{{"value":"SUCCESS"}}}}'.encode(),
         Rule.NOT_ALLOWED, "status.value"),
    item("a status of an unknown type",
         f'{{"vehicle":"{CAR}","signal":"charge-voltage","status":{{"value":"ERROR","error":{{"type":"MOOD"}}}}}}'.encode(),
         Rule.NOT_ALLOWED, "status.error.type"),
]  # fmt: skip

# Values
VALUES = [
    item("a text for a number", value('"231"'), Rule.WRONG_TYPE, "body.value"),
    item("a flag for a number", value("true"), Rule.WRONG_TYPE, "body.value"),
    item("null for a number", value("null"), Rule.MISSING, "body.value"),
    item("an object for a number", value("{}"), Rule.WRONG_TYPE, "body.value"),
    item("NaN", value("NaN"), Rule.NOT_FINITE, "body.value"),
    item("Infinity", value("Infinity"), Rule.NOT_FINITE, "body.value"),
    item("-Infinity", value("-Infinity"), Rule.NOT_FINITE, "body.value"),
    item("1e309", value("1e309"), Rule.NOT_FINITE, "body.value"),
    item("-1e309", value("-1e309"), Rule.NOT_FINITE, "body.value"),
    item("a number of 5,000 digits", value("9" * 5000), Rule.NOT_FINITE, "body.value"),
    item("a number of 400 digits", value("1" * 400), Rule.NOT_FINITE, "body.value"),
    item("a hexadecimal number", value("0x10"), Rule.NOT_JSON, "item"),
    item("a number with a plus", value("+1"), Rule.NOT_JSON, "item"),
    item("a number with a zero in front", value("007"), Rule.NOT_JSON, "item"),
    item("a comma for a point", value("1,5"), Rule.NOT_JSON, "item"),
    item("less than there can be", value("-0.001", "charge-amperagemax"), Rule.OUT_OF_BOUNDS, "body.value"),
    item("more than there can be", value("1500.001"), Rule.OUT_OF_BOUNDS, "body.value"),
    item("more than there can be, in its unit", value("5", "charge-wattage", ',"unit":"MW"'), Rule.OUT_OF_BOUNDS, "body.value"),
    item("more than a float holds", value("1.7e308", "charge-wattage", ',"unit":"MW"'), Rule.NOT_FINITE, "body.value"),
    item("an unknown unit", value("1", unit=',"unit":"horses"'), Rule.UNKNOWN_UNIT, "body.unit"),
    item("an empty unit", value("1", unit=',"unit":""'), Rule.UNKNOWN_UNIT, "body.unit"),
    item("a unit of another kind", value("1", unit=',"unit":"kWh"'), Rule.UNKNOWN_UNIT, "body.unit"),
    item("a milliwatt or a megawatt", value("1", "charge-wattage", ',"unit":"mw"'), Rule.UNKNOWN_UNIT, "body.unit"),
    item("a number for a unit", value("1", unit=',"unit":7'), Rule.WRONG_TYPE, "body.unit"),
    item("a unit for a count", value("3", "charge-chargerphases", ',"unit":"phases"'), Rule.UNKNOWN_UNIT, "body.unit"),
    item("half a phase", value("2.5", "charge-chargerphases"), Rule.WRONG_TYPE, "body.value"),
    item("no phase", value("0", "charge-chargerphases"), Rule.OUT_OF_BOUNDS, "body.value"),
    item("a number for a flag", value("1", "charge-ischarging"), Rule.WRONG_TYPE, "body.value"),
    item("a text for a flag", value('"true"', "charge-ischarging"), Rule.WRONG_TYPE, "body.value"),
    item("a unit for a flag", value("true", "charge-ischarging", ',"unit":"x"'), Rule.UNKNOWN_MEMBER, "body.unit"),
    item("a number for a text", value("7", "charge-fastchargertype"), Rule.WRONG_TYPE, "body.value"),
    item("an empty text", value('""', "charge-fastchargertype"), Rule.PLACEHOLDER, "body.value"),
    item("a placeholder", value('" <INVALID> "', "charge-fastchargertype"), Rule.PLACEHOLDER, "body.value"),
    item("a text with NUL", value('"C\\u0000S"', "charge-fastchargertype"), Rule.BAD_FORMAT, "body.value"),
    item("a text with a line break", value('"C\\r\\nSet-Cookie: x"', "charge-fastchargertype"), Rule.BAD_FORMAT, "body.value"),
    item("an overlong text", value(f'"{"x" * 65}"', "charge-fastchargertype"), Rule.BAD_FORMAT, "body.value"),
    item("a lone surrogate", value('"\\ud800"', "charge-fastchargertype"), Rule.NOT_JSON, "item"),
    item("a lone surrogate behind", value('"\\udc00x"', "charge-fastchargertype"), Rule.NOT_JSON, "item"),
    item("bad UTF-8", value('"X"', "charge-fastchargertype").replace(b"X", b"\xff\xfe"), Rule.NOT_JSON, "body"),
    item("an overlong UTF-8 form", value('"X"', "charge-fastchargertype").replace(b"X", b"\xc0\xaf"), Rule.NOT_JSON, "body"),
    item("a surrogate in UTF-8", value('"X"', "charge-fastchargertype").replace(b"X", b"\xed\xa0\x80"), Rule.NOT_JSON, "body"),
    item("an unescaped control character", value('"a\tb"', "charge-fastchargertype"), Rule.NOT_JSON, "item"),
    item("a body 100,000 deep", reading('{"value":' + "[" * DEEP + "]" * DEEP + "}"), Rule.NOT_JSON, "item"),
]  # fmt: skip

# Instants
INSTANTS = [
    item("a second too far ahead", at(str(T0 + 301_000)), Rule.IN_THE_FUTURE, "observedAt"),
    item("the year 9999", at('"9999-12-31T23:59:59Z"'), Rule.IN_THE_FUTURE, "observedAt"),
    item("the largest integer", at(str(2**63 - 1)), Rule.IN_THE_FUTURE, "observedAt"),
    item("more than the largest integer", at(str(2**64)), Rule.IN_THE_FUTURE, "observedAt"),
    item("1e300", at("1e300"), Rule.IN_THE_FUTURE, "observedAt"),
    item("1e309 for an instant", at("1e309"), Rule.NOT_FINITE, "observedAt"),
    item("NaN for an instant", at("NaN"), Rule.NOT_FINITE, "observedAt"),
    item("epoch 0", at("0"), Rule.TOO_OLD, "observedAt"),
    item("before the epoch", at("-1"), Rule.TOO_OLD, "observedAt"),
    item("far before the epoch", at(str(-(2**63))), Rule.TOO_OLD, "observedAt"),
    item("seconds", at(str(T0 // 1000)), Rule.TOO_OLD, "observedAt"),
    item("half a millisecond", at(f"{T0}.5"), Rule.WRONG_TYPE, "observedAt"),
    item("a flag for an instant", at("true"), Rule.WRONG_TYPE, "observedAt"),
    item("an object for an instant", at("{}"), Rule.WRONG_TYPE, "observedAt"),
    item("an empty instant", at('""'), Rule.BAD_FORMAT, "observedAt"),
    item("no offset", at('"2026-05-01T09:59:58"'), Rule.BAD_FORMAT, "observedAt"),
    item("a date alone", at('"2026-05-01"'), Rule.BAD_FORMAT, "observedAt"),
    item("the 30th of February", at('"2026-02-30T00:00:00Z"'), Rule.BAD_FORMAT, "observedAt"),
    item("hour 25", at('"2026-05-01T25:00:00Z"'), Rule.BAD_FORMAT, "observedAt"),
    item("milliseconds as a text", at(f'"{T0}"'), Rule.BAD_FORMAT, "observedAt"),
    item("other digits", at('"\uff12\uff10\uff12\uff16-05-01T09:59:58Z"'), Rule.BAD_FORMAT, "observedAt"),
]  # fmt: skip

# Documents
DOCUMENTS = [
    item("limits that say nothing", limits("{}"), Rule.MISSING, "body"),
    item("a limit above 100", limits('{"activeLimit":100.5}'), Rule.OUT_OF_BOUNDS, "body.activeLimit"),
    item("a limit of no kind", limits('{"values":[{"type":"MOON","limit":8}]}'), Rule.NOT_ALLOWED, "body.values[0].type"),
    item("a text for values", limits('{"values":"x"}'), Rule.WRONG_TYPE, "body.values"),
    item("a place off Earth", limits(LOCATION % '"latitude":91,"longitude":0'), Rule.OUT_OF_BOUNDS, "latitude"),
    item("half a place", limits(LOCATION % '"latitude":51'), Rule.MISSING, "longitude"),
    item("a place without end", limits(LOCATION % '"latitude":1e309,"longitude":0'), Rule.NOT_FINITE, "latitude"),
    item("an unknown member of a place", limits(LOCATION % '"street":"x"'), Rule.UNKNOWN_MEMBER, "street"),
    item("1,001 limits", limits('{"values":[' + ",".join(['{"type":"GLOBAL","limit":8}'] * 1001) + "]}"),
         Rule.OUT_OF_BOUNDS, "body.values"),
    item("a session that ends first", records('{"startTime":"2026-05-01T09:00:00Z","endTime":"2026-05-01T08:00:00Z"}'),
         Rule.BAD_ORDER, "endTime"),
    item("a currency of four letters", records('{"cost":{"currency":"EURO"}}'), Rule.BAD_FORMAT, "currency"),
    item("an instant in no calendar", records('{"startTime":"0001-01-01T00:00:00+14:00"}'), Rule.OUT_OF_BOUNDS, "startTime"),
]  # fmt: skip

# Packing
BOMB = gzip.compress(b"[" + b" " * (9 * MEBIBYTE) + b"]", 9)
PACKED = [
    packed("what is not gzip", 400, reading(), "gzip"),
    packed("gzip cut short", 400, gzip.compress(reading())[:-9], "gzip"),
    packed("gzip with a wrong checksum", 400, gzip.compress(reading())[:-8] + b"\x00" * 8, "gzip"),
    packed("gzip with something behind", 400, gzip.compress(reading()) + b"x", "gzip"),
    packed("a bomb of 9 MB", 413, BOMB, "8388608"),
    packed("a bomb behind a good file", 413, gzip.compress(reading()) + BOMB, "8388608"),
    packed("twice packed", 400, gzip.compress(gzip.compress(reading())), "NOT_JSON"),
    packed("65 files in one", 400, gzip.compress(b"") * 65, "64"),
    packed("nothing, packed", 400, gzip.compress(b""), "empty"),
    Bad("an unknown packing", 415, ("br",), reading(), headers=[(b"content-encoding", b"br")]),
    Bad("a packing of bytes", 415, ("gzip",), reading(), headers=[(b"content-encoding", b"\xff\x00")]),
    Bad("a length of 9 MB announced", 413, ("8388608",), reading(), headers=[(b"content-length", b"9437184")]),
    Bad("a length without end announced", 413, ("8388608",), reading(), headers=[(b"content-length", b"9" * 60)]),
]

# Headers, paths and queries
SIGNALS = f"/v3/vehicles/{CAR}/signals"
OUTSIDE = [
    read("no token", 401, SIGNALS, b"", (b"authorization", b""), named=["Bearer"]),
    read("an empty token", 401, SIGNALS, b"", (b"authorization", b"Bearer "), named=["1 to 512"]),
    read("a token of 513 characters", 401, SIGNALS, b"", (b"authorization", b"Bearer " + b"x" * 513), named=["1 to 512"]),
    read("a token of 1 MB", 401, SIGNALS, b"", (b"authorization", b"Bearer " + b"x" * MEBIBYTE), named=["1 to 512"]),
    read("a token of bytes", 401, SIGNALS, b"", (b"authorization", b"Bearer \xff\x00\r\n"), named=["not known"]),
    read("a token with SQL", 401, SIGNALS, b"", (b"authorization", b"Bearer ' OR 1=1 --"), named=["not known"]),
    read("two headers, the last one bad", 401, SIGNALS, b"", (b"authorization", b"Bearer x"), named=["not known"]),
    read("a user of bytes", 404, SIGNALS, b"", (b"sc-user-id", b"\xff\x00"), named=["sc-user-id"]),
    read("an overlong user", 404, SIGNALS, b"", (b"sc-user-id", b"u" * 100_000), named=["sc-user-id"]),
    read("an empty user", 404, SIGNALS, b"", (b"sc-user-id", b""), named=["sc-user-id"]),
    read("a line break in a user", 404, SIGNALS, b"", (b"sc-user-id", b"x\r\nset-cookie: y=1"), named=["sc-user-id"]),
    read("an unknown vehicle's signals", 404, "/v3/vehicles/nobody/signals", named=["No vehicle"]),
    read("a vehicle of 100,000 characters", 404, f"/v3/vehicles/{'x' * 100_000}/signals", named=["No vehicle"]),
    read("a vehicle with a line break", 404, "/v3/vehicles/x\r\nset-cookie: y=1/signals", named=["No vehicle"]),
    read("a vehicle with NUL behind", 404, f"/v3/vehicles/{CAR}\x00/signals", named=["No vehicle"]),
    read("a signal with NUL behind", 404, f"{SIGNALS}/charge-voltage\x00", named=["no signal"]),
    read("a signal of 100,000 characters", 404, f"{SIGNALS}/{'x' * 100_000}", named=["no signal"]),
    read("a script for a signal", 404, f"{SIGNALS}/<script>", named=["no signal"]),
    read("a way up", 404, f"{SIGNALS}/../../../../etc/passwd", named=["nothing at"]),
    read("a path of 100,000 characters", 404, "/" + "x" * 100_000, named=["nothing at"]),
    read("page 0", 400, SIGNALS, b"page[number]=0", named=["page[number]", "from 1"]),
    read("page -1", 400, SIGNALS, b"page[number]=-1", named=["page[number]"]),
    read("page 2.5", 400, "/v3/vehicles", b"page[number]=2.5", named=["page[number]"]),
    read("a page behind every page", 400, "/v3/vehicles", b"page[number]=1000000001", named=["page[number]"]),
    read("a page of 10**40", 400, "/v3/vehicles", b"page[number]=" + b"9" * 40, named=["page[number]"]),
    read("a page that is no text", 400, "/v3/connections", b"page[number]=%ff%00", named=["page[number]"]),
    read("a page of other digits", 400, "/v3/connections", b"page[number]=%d9%a1", named=["page[number]"]),
    read("a size of 0", 400, "/v3/connections", b"page[size]=0", named=["page[size]"]),
    read("an empty size", 400, "/v3/vehicles", b"page[size]=", named=["page[size]"]),
    read("an unknown code to filter by", 400, SIGNALS, b"filter[code]=charge-nothing", named=["filter[code]"]),
    read("an unknown group to filter by", 400, SIGNALS, b"filter[group]=%00", named=["filter[group]"]),
    read("a code of 100,000 characters to filter by", 400, SIGNALS, b"filter[code]=" + b"x" * 100_000, named=["filter[code]"]),
    Bad("an unknown method", 405, ("GET",), method="BREW", path=SIGNALS),
    Bad("a method of 1,000 letters", 405, ("GET",), method="X" * 1000, path=SIGNALS),
]

# Credentials
FORM = (b"content-type", b"application/x-www-form-urlencoded")
JSON = (b"content-type", b"application/json")
CREDENTIALS = [
    token("no credentials", 400, b"", named=["grant_type"]),
    token("no JSON at all", 400, b"{", JSON, named=["JSON"]),
    token("an array of credentials", 400, b"[]", JSON, named=["JSON"]),
    token("credentials 100,000 deep", 400, (b'{"a":' * 2000), JSON, named=["JSON"]),
    token("a number for a secret", 400, b'{"grant_type":"client_credentials","client_secret":1}', JSON, named=["JSON"]),
    token("no grant", 400, b"client_id=x&client_secret=y", FORM, named=["grant_type"]),
    token("another grant", 400, b"grant_type=password", FORM, named=["client_credentials"]),
    token("no id", 400, b"grant_type=client_credentials&client_secret=y", FORM, named=["client_id"]),
    token("no secret", 400, b"grant_type=client_credentials&client_id=x&client_secret=", FORM, named=["client_secret"]),
    token("wrong credentials", 401, b"grant_type=client_credentials&client_id=x&client_secret=y", FORM, named=["wrong"]),
    token("a form of 33 members", 400, b"&".join(b"a%d=1" % n for n in range(33)), FORM, named=["form"]),
    token("a form of bytes", 400, b"grant_type=\xff\xfe", FORM, named=["UTF-8"]),
    token("17 kB of credentials", 413, b"x" * 17_000, FORM, named=["16384"]),
    token("credentials that are not gzip", 400, b"x", (b"content-encoding", b"gzip"), named=["gzip"]),
    token("an unknown packing of it", 415, b"x", (b"content-encoding", b"br"), named=["br"]),
    token("Basic, no base64", 400, b"grant_type=client_credentials", FORM, (b"authorization", b"Basic !!"), named=["base64"]),
    token("Basic, no colon", 400, b"grant_type=client_credentials", FORM, (b"authorization", b"Basic eHh4"), named=["id:"]),
    token("Basic of bytes", 400, b"grant_type=client_credentials", FORM, (b"authorization", b"Basic //8="), named=["base64"]),
]  # fmt: skip

CORPUS = [*BROKEN, *ITEMS, *VALUES, *INSTANTS, *DOCUMENTS, *PACKED, *OUTSIDE, *CREDENTIALS]


@pytest.fixture
async def known(world: World) -> tuple[World, Header]:
    """A world of which something is known, to see that it stays so."""
    car = await world.car(CAR)
    await world.report(car, "charge-voltage", {"value": 230}, T0 - 60_000)
    client = await world.application()
    return world, (b"authorization", client.headers["Authorization"].encode())


async def everything(world: World) -> tuple[Any, ...]:
    """All that a request could have changed."""
    changes = await world.store.readings.changes(0, 1_000_000)
    return changes, await world.store.readings.signals(CAR), [app.client_id for app in await world.store.access.applications()]


def test_the_corpus_is_as_large_as_is_promised_and_names_no_row_twice() -> None:
    assert len(CORPUS) >= 120
    assert len({bad.name for bad in CORPUS}) == len(CORPUS)


GROUPS = {
    "bodies that are no items": BROKEN, "items": ITEMS, "values": VALUES, "instants": INSTANTS, "documents": DOCUMENTS,
    "packing": PACKED, "headers, paths and queries": OUTSIDE, "credentials": CREDENTIALS,
}  # fmt: skip


@pytest.mark.parametrize("group", GROUPS.values(), ids=GROUPS)
async def test_each_row_gets_one_typed_4xx_that_names_what_is_wrong_and_changes_nothing(
    known: tuple[World, Header], group: list[Bad]
) -> None:
    world, own = known
    before = await everything(world)
    wrong = []
    for bad in group:
        headers = [*([own] if bad.token else []), *bad.headers]
        response = await ask(world.app, bad.path, headers, method=bad.method, query=bad.query, body=[bad.body])
        try:
            body = typed_error(response, bad.status)
            statement = f"{body['description']} {json.dumps(body.get('rejected', ''))}"
            missing = [text for text in bad.named if text not in statement]
            assert not missing, f"says nothing of {missing}: {statement[:300]}"
            assert len(response.content) < 10_000, f"{len(response.content)} bytes in answer to it"
            assert b"\r\n" not in b"".join(value for _, value in response.headers.raw)
            assert "error" in body or bad.path != "/oauth2/token", "an OAuth client looks for `error`"
            assert await everything(world) == before, "it changed something"
        except AssertionError as error:
            wrong.append(f"{bad.name}: {error}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("group", [ITEMS, VALUES, INSTANTS, DOCUMENTS], ids=["items", "values", "instants", "documents"])
@pytest.mark.parametrize("form", ["array", "lines"])
async def test_a_bad_item_never_costs_its_neighbours(known: tuple[World, Header], group: list[Bad], form: str) -> None:
    world, own = known
    wrong = []
    for count, bad in enumerate(group):
        first, last = (
            json.dumps({"vehicle": CAR, "signal": code, "body": {"value": count}, "observedAt": T0 + count}).encode()
            for code in ("charge-amperagemax", "charge-amperage")
        )
        inner = bad.body[1:-1] if bad.body.startswith(b"[") else bad.body
        if form == "array":
            headers, body = [own], b"[" + first + b"," + inner + b"," + last + b"]"
        else:
            headers = [own, (b"content-type", LINES.encode())]
            body = b"\n".join((first, inner.replace(b"\n", b" "), last))
        result = (await ask(world.app, "/ingest/readings", headers, method="POST", body=[body])).json()
        expected = (2, {1})
        got = (result.get("accepted"), {each["index"] for each in result.get("rejected", [])})
        if got != expected:
            wrong.append(f"{bad.name}: {got} {result.get('description', '')}")
        others = [each for each in result.get("rejected", []) if each["code"] not in (*bad.named, Rule.NOT_JSON.value)]
        wrong += [f"{bad.name}: {each}" for each in others]
    assert not wrong, "\n".join(wrong)


async def test_of_a_member_that_occurs_twice_the_last_one_counts(known: tuple[World, Header]) -> None:
    world, own = known
    body = f'{{"vehicle":"nobody","vehicle":"{CAR}","signal":"charge-voltage","body":{{"value":1,"value":233}}}}'.encode()
    response = await ask(world.app, "/ingest/readings", [own], method="POST", body=[body])
    assert response.json()["accepted"] == 1
    shown = await ask(world.app, f"/vehicles/{CAR}/signals/charge-voltage", [own])
    assert shown.json()["data"]["attributes"]["body"]["value"] == 233


# What bombs cost. Limits are coarse: several times what is needed, a fraction of what an unbounded reader would take.


async def cost(world: World, own: Header, body: bytes, *headers: Header) -> tuple[int, int, float]:
    """Status, memory at its peak in bytes, and seconds."""
    tracemalloc.start()
    started = time.perf_counter()
    response = await ask(world.app, "/ingest/readings", [own, *headers], method="POST", body=[body])
    took = time.perf_counter() - started
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return response.status_code, peak, took


async def test_a_bomb_of_a_thousand_to_one_is_not_unpacked(known: tuple[World, Header]) -> None:
    bomb = gzip.compress(b" " * (1 << 28), 9)
    assert len(bomb) < MEBIBYTE
    status, peak, took = await cost(*known, bomb, (b"content-encoding", b"gzip"))
    assert (status, peak < 32 * MEBIBYTE, took < 2) == (413, True, True), (status, peak, took)


async def test_a_body_of_countless_gzip_files_is_refused_immediately(known: tuple[World, Header]) -> None:
    many = gzip.compress(b"") * 400_000
    status, peak, took = await cost(*known, many, (b"content-encoding", b"gzip"))
    assert (status, peak < 32 * MEBIBYTE, took < 2) == (400, True, True), (status, peak, took)


async def test_an_endless_body_is_cut_at_the_limit(known: tuple[World, Header]) -> None:
    world, own = known
    sent = 0

    async def receive() -> dict[str, Any]:
        nonlocal sent
        sent += 65_536
        return {"type": "http.request", "body": b" " * 65_536, "more_body": True}

    answered: list[Any] = []

    async def send(message: Any) -> None:
        answered.append(message)

    scope = {
        "type": "http", "method": "POST", "scheme": "http", "path": "/ingest/readings", "query_string": b"",
        "headers": [own], "client": ("203.0.113.9", 1),
    }  # fmt: skip
    await world.app(scope, receive, send)
    assert answered[0]["status"] == 413
    assert sent < 9 * MEBIBYTE
