"""The central system's parts by themselves: frames, the meter's register, the pace, what is kept of a station."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from surroundings import T0, KeptMemory

from chargeport.clock import ManualClock
from chargeport.sources.ocpp.frames import Call, Refused, Reply, failure, parse
from chargeport.sources.ocpp.messages16 import MeterValues, StartTransaction, StatusNotification, StopTransaction
from chargeport.sources.ocpp.messages201 import TransactionEvent
from chargeport.sources.ocpp.meter import instant, last_at, readings, register_wh
from chargeport.sources.ocpp.pace import Pace
from chargeport.sources.ocpp.schema import violation
from chargeport.sources.ocpp.station import read
from chargeport.sources.ocpp.transactions import Ledger, Numbering, Plug, Transaction

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
FRAMES = st.text(max_size=80) | JSON.map(json.dumps) | st.lists(JSON, max_size=5).map(lambda rest: json.dumps([2, *rest]))


def refused(make: Callable[[], object]) -> Refused | None:
    """Why something was refused; None when it was not."""
    try:
        make()
    except Refused as error:
        return error
    return None


@given(FRAMES, st.sampled_from(["1.6", "2.0.1"]))
def test_every_text_is_a_message_or_refused_with_a_frame_that_can_be_read(text: str, version: str) -> None:
    error = refused(lambda: parse(text, version))
    if error is None:
        assert isinstance(parse(text, version), Call | Reply)
        return
    kind, call_id, code, sentence, details = json.loads(failure(error))
    assert (kind, call_id, details) == (4, error.call_id, {})
    assert code
    assert sentence


@given(JSON)
def test_every_payload_is_understood_or_refused(payload: Any) -> None:
    raw = json.dumps(payload).encode()
    for type_ in (MeterValues, StartTransaction, StatusNotification, StopTransaction, TransactionEvent):
        error = refused(partial(read, raw, type_))
        assert error is None or error.sentence
    assert (violation("1.6", "Heartbeat", raw) is None) is (payload == {})
    register_wh(readings(msgspec.Raw(raw)), "Transaction.Begin", whole=True)


def values(*samples: dict[str, Any], at: str = "2026-05-01T10:00:00Z") -> Any:
    return readings(msgspec.Raw(msgspec.json.encode([{"timestamp": at, "sampledValue": list(samples)}])))


@pytest.mark.parametrize(
    ("sample", "wh"),
    [
        ({"value": "1234"}, 1234),
        ({"value": "1.5", "unit": "kWh"}, 1500),
        ({"value": 12.5, "unitOfMeasure": {"unit": "kWh", "multiplier": -1}}, 1250),
        ({"value": 7, "unitOfMeasure": {}}, 7),
        ({"value": "0"}, 0),
        ({"value": "7", "phase": "L1"}, None),
        ({"value": "7", "location": "Inlet"}, None),
        ({"value": "7", "measurand": "Power.Active.Import"}, None),
        ({"value": "7", "unit": "varh"}, None),
        ({"value": "seven"}, None),
        ({"value": "nan"}, None),
        ({"value": "1e308", "unit": "kWh"}, None),
        ({"value": 1, "unitOfMeasure": {"multiplier": 4000}}, None),
    ],
)
def test_the_register_is_read_in_any_unit_and_never_guessed(sample: dict[str, Any], wh: float | None) -> None:
    assert register_wh(values(sample), "Transaction.Begin", whole=True) == wh


def test_the_samples_of_the_edge_go_before_the_others() -> None:
    begin, middle, end = (
        {"value": n, "context": c} for n, c in ((1, "Transaction.Begin"), (2, "Other"), (3, "Transaction.End"))
    )
    assert register_wh(values(middle, begin, end), "Transaction.Begin", whole=True) == 1
    assert register_wh(values(begin, end, middle), "Transaction.End", whole=True) == 3
    assert register_wh(values(begin), "Transaction.End", whole=True) is None
    assert register_wh(values(middle), "Transaction.Begin", whole=False) is None
    assert register_wh(values(middle), "Transaction.Begin", whole=True) == 2


def test_a_time_without_a_zone_is_utc_and_what_is_none_is_none() -> None:
    assert instant("2026-05-01T09:59:58") == instant("2026-05-01T11:59:58.000+02:00") == T0
    assert [instant(text) for text in ("", "soon", "9999-99-99T00:00:00Z", None)] == [None] * 4
    both = values({"value": 1}) + values({"value": 1}, at="2026-05-01T10:00:05Z") + values({"value": 1}, at="soon")
    assert last_at(both) == T0 + 7_000
    assert last_at(values({"value": 1}, at="soon")) is None


async def test_a_pace_lets_a_burst_through_and_then_so_many_a_second() -> None:
    clock = ManualClock(T0)
    pace = Pace(clock, 2)
    for _ in range(20):
        await pace.wait()
    assert clock.now() == T0
    for _ in range(4):
        await pace.wait()
    assert clock.now() == T0 + 2_000
    clock.move(3_600)
    for _ in range(20):
        await pace.wait()
    assert clock.now() == T0 + 3_602_000, "a long silence earns one burst and no more"


async def test_ids_are_never_given_twice_over_stations_and_restarts() -> None:
    memory = KeptMemory()
    first, second = Numbering(memory), Numbering(memory)
    assert [await one.next_id() for one in (first, first, second)] == ["1", "2", "3"]


async def test_a_page_holds_what_goes_on_and_only_the_last_of_what_is_over() -> None:
    memory = KeptMemory()
    ledger = Ledger(memory, "box")
    await ledger.begin(Transaction(id="long", connector=7), Plug("car"))
    for number in range(200):
        await ledger.begin(Transaction(id=str(number), connector=1), Plug(f"car-{number}"))
    again = Ledger(memory, "box")
    await again.load()
    going_on = again.open_at(1)
    assert going_on
    assert going_on.id == "199"
    assert again.plug(1) == Plug("car-199")
    assert again.find("long") == Transaction(id="long", connector=7)
    assert again.find("184")
    assert not again.find("100")
    assert len(memory.kept["ocpp/box"]) < 4_000


async def test_a_page_that_cannot_be_read_is_left() -> None:
    memory = KeptMemory()
    await memory.put("ocpp/box", "nonsense")
    ledger = Ledger(memory, "box")
    await ledger.load()
    assert ledger.open_at(1) is None
    assert ledger.connectors == set()
