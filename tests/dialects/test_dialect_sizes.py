"""What is small on the wire stays small in memory, and long things take no longer than their length: for every dialect."""

import tracemalloc
from time import perf_counter

import pytest

from chargeport.dialects import user
from chargeport.dialects.all import ALL
from chargeport.dialects.forms import MAX_FIELD, MAX_FIELDS, MAX_MESSAGE_FIELDS, flattened
from chargeport.dialects.home_assistant_form import MAX_ENTITY
from chargeport.dialects.table import Dialect, Unreadable
from chargeport.ingest import engine
from chargeport.signals.reading import Issue
from chargeport.sources.base import Delivery

NOW = 1_777_629_598_000
MOST_BYTES = 200 << 20
MOST_S = 20  # under tracemalloc, on a busy machine; what takes the square takes hours
OWN = user.from_table(
    {
        "name": "own", "topics": ["own/{vehicle}"], "payload": "object",
        "rows": [{"field": "/a/b", "signal": "charge-voltage", "unit": "volts"}],
    },
    "own.toml",
)  # fmt: skip
READERS = [*(each for each in ALL.values() if each.read is not None), OWN]


def members(count: int) -> bytes:
    return b"{" + b",".join(b'"f%d":1' % number for number in range(count)) + b"}"


LONG = b"k" * 100_000
BOMBS = {
    "a long name around many": b'{"vin":"car","' + LONG + b'":' + members(15_000) + b"}",
    "long names in long names": b'{"vin":"car","' + LONG + b'":{"' + LONG + b'":' + members(9000) + b"}}",
    "a long name in a garage": b'{"garage":{"car":{"charging":{"' + LONG + b'":' + members(15_000) + b"}}}}",
    "a long name where a row looks": b'{"vin":"car","a":{"' + LONG + b'":' + members(15_000) + b"}}",
    "more members than a car has": b'{"vin":"car",' + members(MAX_MESSAGE_FIELDS * 10)[1:],
    "more cars than there are": b"[" + b",".join([b'{"vin":"car","soc":1}'] * (MAX_FIELDS + 1)) + b"]",
    "more lines than are read": b"\n".join([b'{"vin":"car","soc":1}'] * (MAX_FIELDS + 1)),
    "a wide table with short rows": b"charging_state," + b",".join(b"c%d" % n for n in range(9000)) + b"\n" + b"x\n" * 90_000,
    "an entity of underscores": b'{"entity_id":"sensor.' + b"_" * 400_000 + b'","state":"1"}',
    "digits": b'{"vin":"car","soc":"' + b"1" * 400_000 + b'","timestamp":' + b"1" * 400_000 + b"}",
    "a separator of underscores": b'{"vin":"car","state":"a' + b"_" * 400_000 + b'","plugged":"' + b"_." * 200_000 + b'"}',
}  # fmt: skip


@pytest.mark.parametrize("bomb", BOMBS)
@pytest.mark.parametrize("dialect", READERS, ids=[each.name for each in READERS])
def test_what_is_small_on_the_wire_stays_small_in_memory(dialect: Dialect, bomb: str) -> None:
    delivery = Delivery(source="s", dialect=dialect.name, payload=BOMBS[bomb], received_at=NOW, vehicle="car")
    tracemalloc.start()
    began = perf_counter()
    try:
        found = engine.read(delivery, dialect)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MOST_BYTES
    assert perf_counter() - began < MOST_S
    if isinstance(found, Issue):
        return
    for message in found[:10]:
        engine.normalise(message, dialect)
    assert sum(max(1, len(each.fields)) for each in found) <= MAX_FIELDS


def test_a_name_and_the_number_of_names_are_limited_in_words() -> None:
    assert flattened({"a" * (MAX_FIELD - 2): {"b": 1}}, ".") == {"a" * (MAX_FIELD - 2) + ".b": 1}
    with pytest.raises(Unreadable, match=f"at most {MAX_FIELD} characters"):
        flattened({"a" * (MAX_FIELD - 1): {"b": 1}}, ".")
    with pytest.raises(Unreadable, match=f"more than {MAX_MESSAGE_FIELDS} values"):
        flattened({f"f{number}": number for number in range(MAX_MESSAGE_FIELDS + 1)}, ".")


def test_an_entity_with_the_longest_id_there_can_be_is_found() -> None:
    dialect = ALL["home_assistant"]
    entity = "sensor." + "x" * (MAX_ENTITY - 30) + "_charging_power"
    found = engine.read(
        Delivery(
            source="s", dialect=dialect.name, received_at=NOW, vehicle="car",
            payload=b'{"entity_id":"' + entity.encode() + b'","state":"7","attributes":{"unit_of_measurement":"kW"}}',
        ),
        dialect,
    )  # fmt: skip
    assert not isinstance(found, Issue)
    assert [dict(each.fields) for each in found]
