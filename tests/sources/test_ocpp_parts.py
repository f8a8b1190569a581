"""The central system's parts by themselves: frames, the meter's register, the pace, what is kept of a station."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ocpp.messages import MessageType, get_validator
from source_world import T0, KeptMemory

from chargeport.clock import ManualClock
from chargeport.sources.ocpp import ocpp16, ocpp201
from chargeport.sources.ocpp.energy import SessionMeter
from chargeport.sources.ocpp.frames import Call, Refused, Reply, failure, parse
from chargeport.sources.ocpp.message_rate import MessageRate
from chargeport.sources.ocpp.messages16 import MeterValues, StartTransaction, StatusNotification, StopTransaction
from chargeport.sources.ocpp.messages201 import TransactionEvent
from chargeport.sources.ocpp.payloads import read
from chargeport.sources.ocpp.samples import decoded, instant, last_at, readings
from chargeport.sources.ocpp.schema import is_action, violation
from chargeport.sources.ocpp.split_readings import SplitReadings
from chargeport.sources.ocpp.transactions import Numbering, Plug, StationMemory, Transaction

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
FRAMES = st.text(max_size=80) | JSON.map(json.dumps) | st.lists(JSON, max_size=5).map(lambda rest: json.dumps([2, *rest]))


def test_a_control_character_or_a_number_that_is_none_costs_no_frame() -> None:
    call = parse('[2,"a","StatusNotification",{"connectorId":1,"status":"Charging","info":"\x00\tx"}]', "1.6")
    assert isinstance(call, Call)
    assert json.loads(call.payload) == {"connectorId": 1, "status": "Charging", "info": "\x00\tx"}
    call = parse(
        '[2,"b","MeterValues",{"connectorId":1,"meterValue":[{"sampledValue":[{"value":NaN},{"value":-Infinity}]}]}]', "1.6"
    )
    assert isinstance(call, Call)
    assert json.loads(call.payload)["meterValue"][0]["sampledValue"] == [{"value": "NaN"}, {"value": "-Infinity"}]
    reply = parse('[3,"c",{"configurationKey":[{"key":"k","value":"6\x000"}]}]', "1.6")
    assert isinstance(reply, Reply)


def refused(make: Callable[[], object]) -> Refused | None:
    """Why something was refused; None when it was not."""
    try:
        make()
    except Refused as error:
        return error
    return None


@given(FRAMES, st.sampled_from(["1.6", "2.0.1", "2.1"]))
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
    assert all(isinstance(reading.register_wh(), list) for reading in decoded(msgspec.Raw(raw)))


@pytest.mark.parametrize(
    ("type_", "member", "value"),
    [
        (StartTransaction, "meterStart", "12 Wh"),
        (StartTransaction, "idTag", ["A"]),
        (StartTransaction, "timestamp", {}),
        (StopTransaction, "meterStop", ""),
        (TransactionEvent, "idToken", {"type": "Central"}),
        (TransactionEvent, "evse", {"connectorId": 1}),
        (TransactionEvent, "evse", 1),
        (TransactionEvent, "offline", "maybe"),
    ],
)
def test_an_optional_member_that_cannot_be_read_costs_itself_alone(type_: type[Any], member: str, value: object) -> None:
    whole = {
        "connectorId": 1, "idTag": "A", "meterStart": 7, "meterStop": 9, "timestamp": "2026-05-01T10:00:00Z",
        "eventType": "Started", "transactionInfo": {"transactionId": "t"}, "evse": {"id": 1}, "idToken": {"idToken": "A"},
    }  # fmt: skip
    assert read(json.dumps(whole).encode(), type_)[1] is None
    found, left_out = read(json.dumps(whole | {member: value}).encode(), type_)
    rest = {name: each for name, each in whole.items() if name != member}
    assert (found, None) == read(json.dumps(rest).encode(), type_)
    assert left_out is not None
    assert f"`$.{member}`" in left_out


def test_a_member_that_is_required_costs_its_message() -> None:
    error = refused(lambda: read(b'{"connectorId":"first","status":"Charging"}', StatusNotification))
    assert error is not None
    assert "$.connectorId" in error.sentence
    assert refused(lambda: read(b'{"connectorId":"1","status":"Charging","timestamp":{}', StatusNotification)) is not None


def test_a_card_may_be_a_number() -> None:
    found, left_out = read(b'{"connectorId":1,"idTag":4711}', StartTransaction)
    assert (found.id_tag, left_out) == ("4711", None)


@pytest.mark.parametrize("value", ['"NaN"', '"inf"', "-1", "1e300"])
def test_a_register_that_no_meter_shows_was_not_read(value: str) -> None:
    raw = f'{{"connectorId":1,"meterStart":{value},"meterStop":{value}}}'.encode()
    assert read(raw, StartTransaction)[0].register_wh is None
    assert read(raw, StopTransaction)[0].register_wh is None


@pytest.mark.parametrize(
    ("version", "replies"), [("1.6", ocpp16._ACKNOWLEDGED), ("2.0.1", ocpp201._ACKNOWLEDGED), ("2.1", ocpp201._ACKNOWLEDGED)]
)
def test_what_is_not_about_cars_gets_a_reply_that_the_schema_allows(version: str, replies: Mapping[str, Any]) -> None:
    known = [action for action in replies if is_action(version, action)]
    assert len(known) >= 7
    for action in known:
        validator = get_validator(MessageType.CallResult, action, version)
        assert list(validator.iter_errors(replies[action])) == [], action


def values(*samples: dict[str, Any], at: str = "2026-05-01T10:00:00Z") -> list[dict[str, Any]]:
    return [{"timestamp": at, "sampledValue": list(samples)}]


@pytest.mark.parametrize(
    ("sample", "wh"),
    [
        ({"value": "1234"}, [1234]),
        ({"value": "1.5", "unit": "kWh"}, [1500]),
        ({"value": 12.5, "unitOfMeasure": {"unit": "kWh", "multiplier": -1}}, [1250]),
        ({"value": 7, "unitOfMeasure": {}}, [7]),
        ({"value": 7, "unitOfMeasure": {"unit": "Wh", "multiplier": "3"}}, [7_000]),
        ({"value": 7, "unitOfMeasure": {"unit": "kWh", "multiplier": 0.0}}, [7_000]),
        ({"value": 7, "unitOfMeasure": {"multiplier": 0.5}}, []),
        ({"value": "7", "measurand": "energy.active.import.register "}, [7]),
        ({"value": 7, "unitOfMeasure": "kWh"}, [7_000]),
        ({"value": "7", "unit": " kWh "}, [7_000]),
        ({"value": "7", "unit": " "}, [7]),
        ({"value": "0"}, [0]),
        ({"value": "7", "phase": "L2-N"}, [7]),
        ({"value": "7", "phase": "N"}, [7]),
        ({"value": "7", "phase": "L1-L2"}, [7]),
        ({"value": "7", "location": "Inlet"}, [7]),
        ({"value": "7", "measurand": "Power.Active.Import"}, []),
        ({"value": "7", "unit": "varh"}, []),
        ({"value": "seven"}, []),
        ({"value": "nan"}, []),
        ({"value": "1_000"}, []),
        ({"value": True}, []),
        ({"value": "1e308", "unit": "kWh"}, []),
        ({"value": 1, "unitOfMeasure": {"multiplier": 4000}}, []),
    ],
)
def test_the_register_is_read_in_any_unit_and_never_guessed(sample: dict[str, Any], wh: list[float]) -> None:
    (reading,) = readings(values(sample))
    assert reading.register_wh() == wh


def test_registers_of_phases_are_added_unless_each_shows_the_total() -> None:
    def of(*phases: int) -> list[float]:
        samples = ({"value": wh, "phase": f"L{number}"} for number, wh in enumerate(phases, 1))
        return readings(values(*samples))[0].register_wh()

    assert of(100, 200, 300) == [600]
    assert of(500, 500, 500) == [1500, 500]
    assert readings(values({"value": 7}, {"value": 5, "phase": "L1"}))[0].register_wh() == [7]


def test_of_several_samples_of_a_field_the_readable_current_one_closest_to_the_car_counts() -> None:
    now, begin = {"value": "5", "context": "Sample.Clock"}, {"value": "1", "context": "Transaction.Begin"}
    signed = [{"value": "OCMF|{}|x"}, {"value": "AAEC", "format": "SignedData"}, {"value": "much"}, {"value": ""}, {}]
    for samples in ([now, begin, *signed], [*signed, begin, now]):
        (reading,) = readings(values(*samples))
        assert reading.register_wh() == [5]
        assert reading.register_wh(at_begin=True) == [1]
        assert reading.unreadable == []
    (reading,) = readings(values({"value": "9", "location": "Inlet"}, {"value": "8"}, {"value": "7", "location": "Body"}))
    assert reading.register_wh() == [8]


def test_one_meter_value_may_come_without_its_list() -> None:
    (value,) = values({"value": "7"})
    assert [each.register_wh() for each in readings(value)] == [[7]]
    split = SplitReadings()
    meter = SessionMeter()
    parts = [{"timestamp": value["timestamp"], "sampledValue": {"value": "3", "phase": f"L{line}"}} for line in (1, 2)]
    raws = [msgspec.Raw(json.dumps(part).encode()) for part in parts]
    whole = [split.take(1, raw, decoded(raw), None, meter) for raw in raws][-1]
    assert whole.found[0].register_wh() == [6, 3]
    assert whole.earlier == parts[:1]


def test_parts_of_a_reading_are_joined_beside_samples_of_the_transaction_s_begin() -> None:
    begin = {"context": "Transaction.Begin"}
    samples = [{"value": "3", "phase": f"L{line}"} | more for line, more in ((1, {}), (1, begin), (2, {}), (3, {}))]
    raws = [msgspec.Raw(json.dumps(values(sample)).encode()) for sample in samples]
    split, meter = SplitReadings(), SessionMeter()
    whole = [split.take(1, raw, decoded(raw), None, meter) for raw in raws][-1]
    assert whole.found[0].register_wh() == [9, 3]


def test_a_sample_of_an_interruption_displaces_none_of_now() -> None:
    now, then = {"value": "5", "context": "Sample.Periodic"}, {"value": "1", "context": "Interruption.Begin"}
    for samples in ([now, then], [then, now]):
        assert readings(values(*samples))[0].register_wh() == [5]
    assert readings(values(then))[0].register_wh() == [1]


def test_names_are_known_in_any_case_of_letters() -> None:
    begin = {"value": "1", "context": "transaction.begin"}
    amps = {"value": "6", "measurand": "CURRENT.IMPORT", "phase": "l2-n"}
    volts = {"value": "230", "measurand": "voltage", "phase": " L2 "}
    (reading,) = readings(values(begin, amps, volts))
    assert list(reading.current) == ["Current.Import.L2", "Voltage.L2-N"]
    assert reading.register_wh(at_begin=True) == [1]


def test_samples_of_a_measurand_are_of_one_place() -> None:
    amps = [{"value": f"{7 + n}", "measurand": "Current.Import", "phase": f"L{n}", "location": "Inlet"} for n in (1, 2, 3)]
    volts = {"value": "231", "measurand": "Voltage", "phase": "L1-N", "location": "Inlet"}
    out = {"value": "12", "measurand": "Current.Import", "location": "Outlet"}
    (reading,) = readings(values(*amps, volts, out))
    assert list(reading.current) == ["Voltage.L1-N", "Current.Import"], "the inlet's voltage is the only one"
    (reading,) = readings(values(*amps, {"value": "12", "measurand": "Current.Import"}))
    assert len(reading.current) == 4, "a sample without a place may be of any"
    charge = [{"value": value, "measurand": "SoC", "location": place} for value, place in (("0", "Outlet"), ("41", "EV"))]
    for samples in (charge, charge[::-1]):
        assert readings(values(*samples))[0].current["SoC"].value == 41, "only the car knows its battery"


def test_a_zero_beside_what_contradicts_it_was_not_measured() -> None:
    def fields(total: float, *phases: float) -> list[str]:
        by_phase = [{"value": each, "measurand": "Power.Active.Import", "phase": f"L{n}"} for n, each in enumerate(phases, 1)]
        return list(readings(values({"value": total, "measurand": "Power.Active.Import"}, *by_phase))[0].current)

    assert fields(0, 1_400, 1_380) == ["Power.Active.Import.L1", "Power.Active.Import.L2"]
    assert fields(2_780, 0, 0) == ["Power.Active.Import"]
    assert len(fields(0, 0, 0)) == len(fields(1_400, 1_400, 0)) == 3
    offered = {"value": "0", "measurand": "Current.Offered"}
    assert list(readings(values(offered, {"value": "9", "measurand": "Current.Import"}))[0].current) == ["Current.Import"]
    assert "Current.Offered" in readings(values(offered, {"value": "0", "measurand": "Current.Import"}))[0].current


@pytest.mark.parametrize(
    ("power", "amps", "volts", "is_wrong"),
    [
        ((5.5, "W"), 24, 229, True),
        ((5500, "kW"), 24, 229, True),
        ((5500, "kW"), 24, None, True),
        ((5.5, "kW"), 24, 229, False),
        ((5500, None), 8, 229, False),
        ((40, "kW"), 52, 770, False),
        ((3, "W"), 0.6, 231, False),
        ((0, "W"), 24, 229, False),
        ((11_000, "W"), 48, 65_535, False),
        ((3_700, "W"), 65_535, 229, False),
    ],
)
def test_a_power_in_another_unit_than_it_names_is_none(
    power: tuple[float, str | None], amps: float, volts: float | None, is_wrong: bool
) -> None:
    samples: list[dict[str, Any]] = [
        {"value": power[0], "unit": power[1], "measurand": "Power.Active.Import"},
        {"value": amps, "measurand": "Current.Import", "phase": "L1"},
        *([] if volts is None else [{"value": volts, "measurand": "Voltage", "phase": "L1-N"}]),
    ]
    (reading,) = readings(values(*samples))
    assert (reading.power_w() is None) is is_wrong
    assert reading.unreadable == (["Power.Active.Import: is in another unit than it names"] if is_wrong else [])


@pytest.mark.parametrize(("unit", "amps", "power_w"), [("kW", 3.5, None), ("W", 3.5, 0), ("kW", 1.5, 0), ("kW", 16, 0)])
def test_a_power_of_0_kw_while_a_small_current_flows_is_truncated(unit: str, amps: float, power_w: float | None) -> None:
    power, current = (
        {"value": "0", "unit": unit, "measurand": "Power.Active.Import"},
        {"value": amps, "measurand": "Current.Import"},
    )
    (reading,) = readings(values(power, current))
    assert (reading.power_w(), reading.unreadable) == (power_w, [])


def test_meter_values_without_samples_are_named() -> None:
    (reading,) = readings([{"timestamp": "2026-05-01T10:00:00Z", "value": [{"value": "7"}]}])
    assert reading.unreadable == ["sampledValue: is missing"]
    assert readings([{"timestamp": "2026-05-01T10:00:00Z", "sampledValue": []}])[0].unreadable == []


def test_a_sample_that_cannot_be_read_is_named_and_costs_no_other() -> None:
    broken: list[Any] = [None, 5, {"sampledValue": 5}, {"timestamp": 5, "sampledValue": [7, {"value": [1]}]}]
    found = readings([*broken, *values({"value": "x", "measurand": "SoC"}, {"value": 3})])
    assert found[-1].register_wh() == [3]
    assert found[-1].unreadable == ["SoC: is no number"]
    assert readings("none") == readings(None) == []


def test_an_energy_in_a_unit_of_another_quantity_is_named_and_not_passed_over() -> None:
    for measurand in ("Energy.Active.Import.Register", "Energy.Active.Export.Register", "Energy.Active.Import.Interval"):
        wrong = {"value": "7", "measurand": measurand, "unit": "W"}
        (reading,) = readings(values(wrong, {"value": 3, "measurand": "Energy.Reactive.Import.Register", "unit": "varh"}))
        assert (reading.register_wh(), reading.unreadable) == ([], [f"{measurand}: 'W' is no unit of energy"])
        (reading,) = readings(values(wrong, {"value": "7", "measurand": measurand, "unit": "WH"}))
        assert reading.unreadable == []


def test_meter_values_of_one_second_are_one_reading() -> None:
    parts = [("L1", ".000"), ("L2", ".300"), ("L3", ".900")]
    split = [each for phase, ms in parts for each in values({"value": 1, "phase": phase}, at=f"2026-05-01T10:00:00{ms}Z")]
    (reading,) = readings(split)
    assert (reading.register_wh(), reading.stamp) == ([3, 1], "2026-05-01T10:00:00.900Z")
    assert len(readings(split + values({"value": 1}, at="2026-05-01T10:00:02Z"))) == 2


@pytest.mark.parametrize(
    "text", ["0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z", 0, -1, 1e300], ids=str
)
def test_the_first_and_the_last_instants_that_can_be_written_are_no_times(text: object) -> None:
    assert instant(text) is None


def test_a_time_without_a_zone_is_utc_and_what_is_none_is_none() -> None:
    spellings = ("2026-05-01T09:59:58", "2026-05-01T11:59:58.000+02:00", " 2026-05-01t09:59:58.0z")
    assert {instant(text) for text in spellings} == {T0}
    assert [instant(text) for text in ("", "soon", "9999-99-99T00:00:00Z", None, True, [])] == [None] * 6
    assert instant(T0) == instant(T0 / 1000) == T0
    both = readings(values({"value": 1}) + values({"value": 1}, at="2026-05-01T10:00:05Z") + values({"value": 1}, at="soon"))
    assert last_at(both) == T0 + 7_000
    assert last_at(readings(values({"value": 1}, at="soon"))) is None


async def test_a_pace_lets_a_burst_through_and_then_so_many_a_second() -> None:
    clock = ManualClock(T0)
    pace = MessageRate(clock, 2)
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


async def test_a_station_s_memory_holds_what_goes_on_and_only_the_last_of_what_is_over() -> None:
    kept, clock = KeptMemory(), ManualClock(T0)
    memory = StationMemory(kept, "box", clock)
    await memory.begin(Transaction(id="long", connector=7), Plug("car"))
    for number in range(200):
        await memory.begin(Transaction(id=str(number), connector=1, started_at=T0 + number), Plug(f"car-{number}"))
    again = StationMemory(kept, "box", clock)
    await again.load()
    going_on = again.open_at(1)
    assert going_on
    assert going_on.id == "199"
    assert again.plug(1) == Plug("car-199")
    assert again.find("long") == Transaction(id="long", connector=7)
    assert again.find("184")
    assert not again.find("100")
    assert len(kept.kept["ocpp/box"]) < 4_000


async def test_a_start_that_comes_late_neither_ends_nor_unplugs_what_began_after_it() -> None:
    memory = StationMemory(KeptMemory(), "box", ManualClock(T0))
    await memory.begin(Transaction(id="now", connector=1, started_at=T0), Plug("car-now"))
    await memory.begin(Transaction(id="yesterday", connector=1, started_at=T0 - 86_400_000), Plug("car-then"))
    going_on = memory.open_at(1)
    assert going_on
    assert going_on.id == "now"
    assert memory.plug(1) == Plug("car-now")
    assert {one.id for one in memory.open} == {"now", "yesterday"}


async def test_meter_readings_are_written_once_a_minute_and_at_once_with_anything_else() -> None:
    kept, clock = KeptMemory(), ManualClock(T0)
    memory = StationMemory(kept, "box", clock)
    await memory.begin(Transaction(id="1", connector=1), Plug())
    before = kept.kept["ocpp/box"]
    one = msgspec.structs.replace(Transaction(id="1", connector=1), meter=SessionMeter(start_wh=5))
    await memory.store(one, lazily=True)
    assert kept.kept["ocpp/box"] == before
    clock.move(60)
    await memory.store(one, lazily=True)
    assert kept.kept["ocpp/box"] != before


async def test_what_was_kept_and_cannot_be_read_is_left() -> None:
    kept = KeptMemory()
    await kept.put("ocpp/box", "nonsense")
    memory = StationMemory(kept, "box", ManualClock(T0))
    await memory.load()
    assert memory.open_at(1) is None
    assert memory.connectors == set()


async def test_a_station_that_starts_again_and_again_is_seen_over_a_restart_of_ours() -> None:
    kept, clock = KeptMemory(), ManualClock(T0)
    for number in range(1, 5):
        memory = StationMemory(kept, "box", clock)
        await memory.load()
        assert await memory.booted() == number
        assert memory.is_looping() is (number == 4)
        clock.move(120)
    clock.move(3_600)
    assert not memory.is_looping()


async def test_a_name_that_was_erased_is_not_written_again() -> None:
    kept, clock = KeptMemory(), ManualClock(T0)
    memory = StationMemory(kept, "box", clock)
    await memory.begin(Transaction(id="1", connector=1, id_tag="CARD7777", car="CAR7777"), Plug("CAR7777"))
    await memory.begin(Transaction(id="2", connector=2, car="another"), Plug("another"))
    kept.kept["ocpp/box"] = kept.kept["ocpp/box"].replace("CAR7777", "").replace("CARD7777", "")
    await memory.set_clock_offset(5_000)
    assert "7777" not in kept.kept["ocpp/box"]
    assert memory.plug(1) == Plug()
    assert memory.plug(2) == Plug("another")
    found = memory.find("1")
    assert found
    assert (found.car, found.id_tag) == (None, None)
    await memory.set_plug(1, Plug("CAR7777"))
    assert memory.plug(1) == Plug("CAR7777"), "what is said of it from then on is new"


async def test_a_note_that_was_erased_as_a_whole_is_written_again_without_its_names() -> None:
    kept, clock = KeptMemory(), ManualClock(T0)
    memory = StationMemory(kept, "box", clock)
    await memory.begin(Transaction(id="1", connector=1, car="CAR7777"), Plug("CAR7777"))
    del kept.kept["ocpp/box"]
    await memory.store(Transaction(id="1", connector=1, car="CAR7777", has_ended=True))
    assert "7777" not in kept.kept["ocpp/box"]
