from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chargeport.dialects.field_values import is_nothing
from chargeport.dialects.simulator import SIMULATOR
from chargeport.dialects.table import NOT_KNOWN, Decoded, Dialect, Gate, Known, combined, dialect, row, value
from chargeport.ingest.engine import normalise
from chargeport.ingest.memory import HELD_MS, CarMemory
from chargeport.signals.catalogue import BY_CODE, CATALOGUE
from chargeport.signals.reading import Absence, AbsenceReason, Issue, Reading
from chargeport.signals.state import State
from chargeport.sources.base import RawMessage
from chargeport.sources.simulator.snapshot import FIELDS

NOW = 1_777_629_598_000


def message(fields: dict[str, Any], observed_at: int | None = NOW, name: str = "simulator") -> RawMessage:
    return RawMessage(source="test", dialect=name, vehicle="car", fields=fields, received_at=NOW, observed_at=observed_at)


def test_the_simulators_table_has_a_row_for_each_field_it_can_report_and_for_each_signal() -> None:
    assert set(SIMULATOR.by_field) == set(FIELDS)
    reported = {each for each in CATALOGUE if each.group in {"Charge", "TractionBattery"}}
    assert {each.signal for each in SIMULATOR.rows} == reported


def test_a_field_becomes_a_reading_with_the_cars_time_ours_and_the_source() -> None:
    found = normalise(message({"power_w": 7200}, NOW - 5000), SIMULATOR)
    assert found.issues == []
    [reading] = found.entries
    assert isinstance(reading, Reading)
    assert (reading.signal.code, reading.value, reading.vehicle) == ("charge-wattage", 7200, "car")
    assert (reading.observed_at, reading.received_at, reading.source) == (NOW - 5000, NOW, "test")


def test_an_unknown_field_is_an_issue_that_keeps_the_message_and_costs_no_other_field() -> None:
    found = normalise(message({"power_w": 7200, "mood": "good"}), SIMULATOR)
    assert [entry.signal.code for entry in found.entries] == ["charge-wattage"]
    [issue] = found.issues
    assert issue.subject == "mood"
    assert '"mood":"good"' in issue.raw


def test_a_value_out_of_bounds_is_an_issue_and_never_a_reading() -> None:
    found = normalise(message({"soc_percent": 140}), SIMULATOR)
    assert found.entries == []
    assert found.issues[0].subject == "soc_percent"
    assert "100" in found.issues[0].detail


def test_what_the_car_cannot_report_becomes_an_absence_not_a_value() -> None:
    found = normalise(message({"not_capable": ["port_color", "phases"]}), SIMULATOR)
    assert {(entry.signal.name, getattr(entry, "reason", None)) for entry in found.entries} == {
        ("ChargePortStatusColor", AbsenceReason.NOT_CAPABLE),
        ("ChargerPhases", AbsenceReason.NOT_CAPABLE),
    }
    assert all(isinstance(entry, Absence) for entry in found.entries)


def test_an_ignored_field_is_neither_a_reading_nor_an_issue() -> None:
    quiet: Dialect = dialect("quiet", row("w", "charge-wattage", "W"), ignored=frozenset({"heartbeat"}))
    assert normalise(message({"heartbeat": 1}, name="quiet"), quiet) == ([], [])


@pytest.mark.parametrize("ahead_ms", [1, 280_000, 7_200_000, 10**12])
def test_a_stamp_ahead_of_our_clock_counts_as_of_receipt_and_outranks_nothing_that_comes_later(ahead_ms: int) -> None:
    memory = CarMemory()
    found = normalise(message({"power_w": 1, "phases": 3}, NOW + ahead_ms), SIMULATOR, memory)
    assert {entry.observed_at for entry in found.entries} == {NOW}
    assert found.issues == []
    [later] = normalise(message({"power_w": 2}, NOW + ahead_ms), SIMULATOR, memory).entries
    assert later.observed_at > NOW, "of two that are stamped ahead the one that came last holds"
    [right] = normalise(message({"power_w": 3}, NOW - 3000), SIMULATOR, memory).entries
    assert right.observed_at > later.observed_at, "a clock that is right is a little behind the time of receipt"
    [old] = normalise(message({"power_w": 4}, NOW - 3_600_000), SIMULATOR, memory).entries
    assert old.observed_at == NOW - 3_600_000, "what is late by far is old all the same"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*FIELDS, "not_capable", "other"]), json_values, max_size=8))
def test_no_message_makes_an_error(fields: dict[str, Any]) -> None:
    found = normalise(message(fields), SIMULATOR)
    answered = {issue.subject for issue in found.issues} | {
        each.fields[0] for each in SIMULATOR.rows if each.signal in {entry.signal for entry in found.entries}
    }
    zeros = {name for name in ("phases", "capacity_kwh") if type(fields.get(name)) in (int, float) and fields[name] == 0}
    reported = {name for name, value in fields.items() if not is_nothing(value)} - zeros  # no phases and no capacity
    assert reported - {"not_capable"} <= answered


LATE = dialect(
    "late",
    row("on", "charge-ischarging"),
    row("kw", "charge-wattage", "kW", gate=Gate.LIVE),
    row("left", "charge-timetocomplete", "min", gate=Gate.CHARGING),
)


def known_fields(memory: CarMemory, at: int, **fields: Any) -> dict[str, tuple[int, Any]]:
    sent = RawMessage(source="test", dialect="late", vehicle="car", fields=fields, received_at=at)
    return {
        each.signal.name: (each.observed_at, each.value if isinstance(each, Reading) else each.reason)
        for each in normalise(sent, LATE, memory).entries
    }


def test_what_counts_only_while_charging_counts_too_when_it_comes_just_before_the_word_that_the_car_charges() -> None:
    memory = CarMemory()
    assert known_fields(memory, NOW, on=False, kw=0)["Wattage"] == (NOW, 0)
    assert known_fields(memory, NOW + 10, kw=11) == {"Wattage": (NOW + 10, AbsenceReason.NOT_CHARGING)}
    known_fields(memory, NOW + 15, left=90)
    reported = known_fields(memory, NOW + 20, on=True)
    assert reported == {"IsCharging": (NOW + 20, True), "Wattage": (NOW + 20, 11_000), "TimeToComplete": (NOW + 20, 90)}
    assert known_fields(memory, NOW + 30, kw=7)["Wattage"] == (NOW + 30, 7000)
    assert "Wattage" not in known_fields(memory, NOW + 40, on=True)


@pytest.mark.parametrize(("between_ms", "then"), [(HELD_MS + 1, {}), (10, {"kw": None}), (10, {"kw": "nan"})])
def test_what_was_said_long_before_charging_or_taken_back_does_not_count(between_ms: int, then: dict[str, Any]) -> None:
    memory = CarMemory()
    known_fields(memory, NOW, on=False, kw=11)
    known_fields(memory, NOW + 5, **then)
    assert "Wattage" not in known_fields(memory, NOW + between_ms, on=True)


def test_of_what_is_heard_in_one_instant_without_a_time_of_its_own_the_last_word_holds() -> None:
    memory = CarMemory()
    times = [known_fields(memory, NOW, on=on)["IsCharging"] for on in (True, False, True, False, False)]
    assert times == [(NOW, True), (NOW + 1, False), (NOW + 2, True), (NOW + 3, False), (NOW + 3, False)]
    assert known_fields(memory, NOW, kw=0)["Wattage"] == (NOW, 0), "another field waits for nobody"
    assert known_fields(memory, NOW + 2, on=True)["IsCharging"] == (NOW + 4, True)
    assert known_fields(memory, NOW - 5, on=False)["IsCharging"] == (NOW - 5, False), "late is late"
    assert known_fields(memory, NOW + 9, on=False)["IsCharging"] == (NOW + 9, False)


def power(known: Known) -> Decoded:
    if "kw" not in known:
        return NOT_KNOWN
    return None if known.get("side") == "dc" else {"value": known["kw"], "unit": "kW"}


def state(known: Known) -> Decoded:
    newest = known.newest_first(("new", "old"))
    return value(known[newest[0]] == "on") if newest else NOT_KNOWN


BOX = dialect(
    "box",
    combined(("new", "old"), "charge-ischarging", state),
    row("plug", "charge-ischargingcableconnected"),
    row("state", "charge-detailedchargingstatus", words={"busy": "CHARGING", "idle": None, "asking": NOT_KNOWN}),
    combined(("kw", "side"), "charge-wattage", power, gate=Gate.LIVE),
    row("volts", "charge-voltage", "V", floor=20, gate=Gate.LIVE),
    row("left", "charge-timetocomplete", "min", gate=Gate.CHARGING),
    row("kind", "charge-fastchargertype"),
    row("fast", "charge-isfastchargerpresent"),
    row("phases", "charge-chargerphases"),
    row("asked", "charge-amperagerequested", "A"),
    row("soc", "tractionbattery-stateofcharge", "%"),
)


class Box:
    """What a box says over time, and what comes of it."""

    def __init__(self, table: Dialect = BOX) -> None:
        self.table = table
        self.memory = CarMemory()
        self.known: dict[str, Any] = {}
        self.issues: list[Issue] = []

    def says(self, at: int, stamped: bool = True, **fields: Any) -> dict[str, Any]:
        """Return what is known after it said this: the newest entry of each signal."""
        received_at, observed_at = (NOW, NOW - 100_000 + at) if stamped else (NOW + at, None)
        sent = RawMessage(
            source="test", dialect="box", vehicle="car", fields=fields, received_at=received_at, observed_at=observed_at
        )
        found = normalise(sent, self.table, self.memory)
        self.issues += found.issues
        for entry in found.entries:
            newest = self.known.get(entry.signal.name, (0, None))
            replaces = entry.observed_at > newest[0] or (entry.observed_at == newest[0] and isinstance(entry, Reading))
            if replaces:
                shown = entry.value if isinstance(entry, Reading) else entry.reason
                self.known[entry.signal.name] = (entry.observed_at, shown)
        return {name: shown for name, (_, shown) in self.known.items()}


@pytest.mark.parametrize("stamped", [True, False])
def test_a_row_that_stops_saying_anything_takes_back_what_it_said_in_whatever_order_its_fields_come(stamped: bool) -> None:
    box = Box()
    assert box.says(0, stamped, new="on", kw=7)["Wattage"] == 7000
    assert box.says(0, stamped, side="dc")["Wattage"] is AbsenceReason.UNREADABLE
    assert box.says(stamped, stamped, side="ac")["Wattage"] == 7000
    other = Box()
    assert "Wattage" not in other.says(0, stamped, side="dc")
    assert "Wattage" not in other.says(0, stamped, new="on", kw=7), "nothing was said, so nothing is taken back"


def test_a_word_for_nothing_takes_back_and_a_word_for_not_knowing_does_not() -> None:
    box = Box()
    box.says(0, state="busy")
    assert box.says(1, state="asking")["DetailedChargingStatus"] == "CHARGING"
    assert box.says(2, state=None)["DetailedChargingStatus"] == "CHARGING"
    assert box.says(3, state="idle")["DetailedChargingStatus"] is AbsenceReason.UNREADABLE
    assert box.issues == []


def test_a_word_that_the_table_gives_a_meaning_is_no_placeholder_and_of_other_rows_it_is_one() -> None:
    table = dialect(
        "box",
        row("state", "charge-detailedchargingstatus", words={"none": "DISCONNECTED", "busy": "CHARGING", "-": None}),
        row("state", "charge-ischargingcableconnected", words={"none": False, "busy": True}),
        row("kind", "charge-fastchargertype", words={"n/a": NOT_KNOWN, "combo": "CCS"}),
    )
    box = Box(table)
    assert box.says(0, state="busy", kind="combo")["IsChargingCableConnected"] is True
    assert box.says(1, state="None")["IsChargingCableConnected"] is False
    box.says(2, state="busy")
    known = box.says(3, state="-", kind="n/a")
    assert (known["DetailedChargingStatus"], known["IsChargingCableConnected"]) == (AbsenceReason.UNREADABLE, True)
    assert box.says(4, state=None)["IsChargingCableConnected"] is True
    assert box.issues == []


def test_a_late_message_takes_back_nothing_that_was_said_after_it() -> None:
    box = Box()
    box.says(50, state="busy")
    assert box.says(10, state="idle")["DetailedChargingStatus"] == "CHARGING"


def test_what_was_stored_before_a_restart_is_taken_back_too() -> None:
    box = Box()
    box.memory.resume([State(BY_CODE["charge-wattage"], 7000, observed_at=NOW - 200_000, source="test")])
    assert box.says(0, kw=7, side="dc")["Wattage"] is AbsenceReason.UNREADABLE


def test_a_live_number_that_the_source_calls_invalid_is_over_and_a_lasting_one_stands() -> None:
    box = Box()
    box.says(0, new="on", kw=7, soc=60)
    known = box.says(1, kw=None, soc=None)
    assert known["Wattage"] is AbsenceReason.UNREADABLE
    assert known["StateOfCharge"] == 60
    idle = Box()
    idle.says(0, new="off", kw=0)
    assert idle.says(1, kw=None)["Wattage"] == 0, "that nothing flows is true while the car sleeps, too"


def test_a_live_number_of_which_one_field_has_no_value_is_read_from_the_others() -> None:
    table = dialect(
        "box",
        row("on", "charge-ischarging"),
        combined(
            ("fine", "coarse"), "charge-timetocomplete",
            lambda known: value(known[best]) if (best := known.best("fine", "coarse")) else NOT_KNOWN,
        ),
    )  # fmt: skip
    box = Box(table)
    assert box.says(0, on=True, fine=61, coarse=60)["TimeToComplete"] == 61
    assert box.says(1, fine=None)["TimeToComplete"] == 60
    assert box.says(2, coarse=None)["TimeToComplete"] is AbsenceReason.UNREADABLE
    assert box.issues == []


@pytest.mark.parametrize(("field", "odd"), [("kw", "much"), ("kw", 10**9), ("state", "dreaming"), ("volts", "high")])
def test_a_state_or_live_number_that_cannot_be_read_leaves_no_old_one_standing(field: str, odd: Any) -> None:
    box = Box()
    box.says(0, new="on", kw=7, state="busy", volts=230, soc=60)
    [signal] = [each.signal.name for each in BOX.by_field[field] if each.fields[0] == field]
    assert box.says(1, **{field: odd})[signal] is AbsenceReason.UNREADABLE
    assert [issue.subject for issue in box.issues] == [field]


def test_a_lasting_number_that_cannot_be_read_leaves_the_old_one() -> None:
    box = Box()
    box.says(0, soc=60)
    assert box.says(1, soc=255)["StateOfCharge"] == 60
    assert [issue.subject for issue in box.issues] == ["soc"]


def test_a_field_that_is_at_fault_is_one_issue_and_not_one_with_every_field_beside_it() -> None:
    box = Box()
    box.says(0, new="on", kw="much")
    box.says(1, side="ac")
    box.says(2, side="dc")
    assert [issue.subject for issue in box.issues] == ["kw"]


@pytest.mark.parametrize("spelling", ["GoingHome", "going_home", "GOING-HOME", "going home"])
def test_an_unknown_word_is_one_kind_of_issue_however_it_is_spelled(spelling: str) -> None:
    box = Box()
    box.says(0, state=spelling)
    assert box.issues[0].detail.startswith("'goinghome' is none of the values known here: ")


def test_a_negative_live_number_is_no_issue_and_ends_the_positive_one() -> None:
    box = Box()
    box.says(0, new="on", kw=49, volts=400)
    known = box.says(1, kw=-1, volts=-3)
    assert (known["Wattage"], known["Voltage"]) == (AbsenceReason.NOT_CHARGING, AbsenceReason.UNREADABLE)
    assert box.issues == []


@pytest.mark.parametrize("odd", [-12.3, 10**9, "much"])
def test_what_a_gate_holds_back_is_no_issue_unless_it_is_no_number_at_all(odd: Any) -> None:
    box = Box()
    box.says(0, new="off")
    assert box.says(1, kw=odd)["Wattage"] is AbsenceReason.NOT_CHARGING
    assert box.issues == []


@pytest.mark.parametrize(("volts", "shown"), [(230, 230), (20, 20), (19.9, None), (0, None), (-400, None)])
def test_what_is_below_the_floor_is_no_value(volts: float, shown: float | None) -> None:
    assert Box().says(0, new="on", volts=volts).get("Voltage") == shown


@pytest.mark.parametrize(("older", "newer", "charging"), [("old", "new", True), ("new", "old", True)])
def test_of_two_fields_for_one_fact_the_newer_one_decides(older: str, newer: str, charging: bool) -> None:
    box = Box()
    assert box.says(0, **{older: "off"})["IsCharging"] is False
    assert box.says(10, **{newer: "on"})["IsCharging"] is charging
    assert box.says(20, **{older: "off"})["IsCharging"] is False
    assert box.says(20, new="on", old="off")["IsCharging"] is True, "of the same instant the better one"


@pytest.mark.parametrize("stamped", [True, False])
def test_what_holds_only_while_plugged_in_ends_with_the_plug(stamped: bool) -> None:
    box = Box()
    known = box.says(0, stamped, plug=True, new="on", kw=50, fast=True, kind="CCS", phases=3, asked=16, state="busy")
    assert (known["IsFastChargerPresent"], known["FastChargerType"], known["ChargerPhases"]) == (True, "CCS", 3)
    known = box.says(1, stamped, plug=False)
    assert (known["IsFastChargerPresent"], known["IsCharging"], known["DetailedChargingStatus"]) == (
        False,
        False,
        "DISCONNECTED",
    )
    gone = {known[name] for name in ("FastChargerType", "ChargerPhases", "AmperageRequested")}
    assert gone == {AbsenceReason.NOT_CHARGING}
    known = box.says(100_001, stamped, plug=True, new="on")
    assert known["ChargerPhases"] is AbsenceReason.NOT_CHARGING, "the next box may have other ones"
    assert known["IsFastChargerPresent"] is False


@pytest.mark.parametrize("stamped", [True, False])
def test_a_charge_that_begins_needs_a_cable_whatever_was_said_of_it_before(stamped: bool) -> None:
    box = Box()
    assert box.says(0, stamped, plug=False)["IsChargingCableConnected"] is False
    assert box.says(60_000, stamped, new="on")["IsChargingCableConnected"] is True
    assert box.says(120_000, stamped, plug=False)["IsChargingCableConnected"] is False
    known = box.says(180_000, stamped, plug=False, new="on")
    assert known["IsChargingCableConnected"] is False, "of the same instant its own field decides"


@pytest.mark.parametrize("stamped", [True, False])
def test_what_flowed_ends_with_the_plug_of_a_source_that_never_says_whether_the_car_charges(stamped: bool) -> None:
    box = Box()
    assert box.says(0, stamped, plug=True, kw=50)["Wattage"] == 50_000
    known = box.says(1, stamped, plug=False)
    assert known["Wattage"] is AbsenceReason.NOT_CHARGING
    assert "IsCharging" not in known, "that follows from it, and is derived"
    assert box.says(90_000, stamped, plug=True, kw=11)["Wattage"] == 11_000


def test_what_is_left_in_place_after_the_plug_is_pulled_does_not_count_and_what_comes_just_before_the_next_one_does() -> None:
    box = Box()
    assert box.says(0, plug=False, fast=True, kind="CCS", phases=1)["IsFastChargerPresent"] is False
    assert box.says(70_000, phases=3)["ChargerPhases"] is AbsenceReason.NOT_CHARGING
    assert box.says(70_010, plug=True)["ChargerPhases"] == 3
    assert box.known["FastChargerType"][1] is AbsenceReason.NOT_CHARGING


def test_a_number_of_an_ended_charge_is_not_read_beside_the_fields_of_the_next_one() -> None:
    box = Box()
    box.says(0, new="on", kw=50)
    box.says(1, plug=False)
    box.says(99_000, plug=True, new="on")
    assert box.says(99_001, side="ac")["Wattage"] is not None
    assert not isinstance(box.known["Wattage"][1], int) or box.known["Wattage"][0] < NOW - 99_000


ALARM = dialect("alarm", *BOX.rows, whole_car="error")


def test_an_error_that_names_no_signal_is_one_of_every_signal_that_the_source_told() -> None:
    box = Box(ALARM)
    box.says(0, new="on", soc=60)
    known = box.says(1, error="SOURCE_FAILED")
    assert known == {"IsCharging": AbsenceReason.SOURCE_FAILED, "StateOfCharge": AbsenceReason.SOURCE_FAILED}
    assert box.issues == []


@pytest.mark.parametrize("error", ["SOURCE_FAILED", "it rains"])
def test_an_error_of_a_car_that_was_never_told_of_is_an_issue(error: str) -> None:
    box = Box(ALARM)
    assert box.says(0, error=error) == {}
    assert [issue.subject for issue in box.issues] == ["error"]


# Lists of sessions

RIGHT: dict[str, Any] = {"startTime": "2026-04-30T20:00:00Z", "endTime": "2026-04-30T22:00:00Z", "energyAdded": 12.5}
WRONG: list[Any] = [
    RIGHT | {"endTime": "2026-04-30T19:00:00Z"}, RIGHT | {"energyAdded": -3}, RIGHT | {"startTime": "yesterday"}, {"kWh": 7},
    5, None,
]  # fmt: skip


@given(
    sessions=st.lists(
        st.one_of(st.integers(0, 99).map(lambda day: RIGHT | {"id": f"session-{day}"}), st.sampled_from(WRONG)), max_size=9
    )
)
def test_a_session_of_a_list_that_is_wrong_costs_no_other_and_is_an_issue_by_itself(sessions: list[Any]) -> None:
    right = [one for one in sessions if isinstance(one, dict) and "id" in one]
    found = normalise(message({"records": {"values": sessions}}), SIMULATOR)
    alone = normalise(message({"records": {"values": right}}), SIMULATOR)
    if not right:
        assert found.entries == ([] if sessions else alone.entries)
        assert len(found.issues) == bool(sessions)
        return
    assert found.entries == alone.entries
    assert len(found.issues) == len(sessions) - len(right)
    assert alone.issues == []


@pytest.mark.parametrize("nothing", ["", "N/A", "unknown", None])
def test_what_a_session_does_not_know_is_left_out_of_it(nothing: Any) -> None:
    found = normalise(message({"records": {"values": [RIGHT | {"id": nothing, "endStateOfCharge": nothing}]}}), SIMULATOR)
    assert found == normalise(message({"records": {"values": [RIGHT]}}), SIMULATOR)
    unknown = {"location": {"name": nothing}, "cost": {"currency": nothing, "energyAmount": nothing}}
    assert found == normalise(message({"records": {"values": [RIGHT | unknown]}}), SIMULATOR)


@pytest.mark.parametrize(
    ("member", "wrong", "detail"),
    [
        ("cost", {"currency": "EUR", "energyAmount": -4e6}, "cost.energyAmount is not within -1000000 to 1000000"),
        ("location", {"latitude": 95, "longitude": 1}, "location.latitude is not within -90 to 90"),
        ("meterEnd", -3, "meterEnd is not within 0 to 1000000000.0"),
    ],
)
@pytest.mark.parametrize("others", [0, 2])
def test_a_member_that_a_session_can_be_without_costs_no_session(member: str, wrong: Any, detail: str, others: int) -> None:
    one = {"id": "1", "startTime": "2026-04-30T18:00:00Z", "endTime": "2026-04-30T20:00:00Z", "energyAdded": 9.5}
    rest = [one | {"id": str(number), "endTime": f"2026-04-30T2{number}:00:00Z"} for number in range(2, 2 + others)]
    found = normalise(message({"records": {"values": [one | {member: wrong}, *rest]}}), SIMULATOR)
    assert found.entries == normalise(message({"records": {"values": [one, *rest]}}), SIMULATOR).entries
    assert [issue.detail for issue in found.issues] == [detail]


def test_a_session_needs_its_energy() -> None:
    one = {"startTime": "2026-04-30T18:00:00Z", "endTime": "2026-04-30T20:00:00Z", "energyAdded": -9.5}
    found = normalise(message({"records": {"values": [one]}}), SIMULATOR)
    assert found.entries == []
    assert len(found.issues) == 1


@pytest.mark.parametrize("text", ["INF", "-inf", "Infinity"])
def test_a_text_of_an_infinite_number_is_an_issue_and_ends_the_value_before(text: str) -> None:
    memory = CarMemory()
    normalise(message({"current_a": 16}), SIMULATOR, memory)
    found = normalise(message({"current_a": text}, NOW + 1), SIMULATOR, memory)
    assert [issue.subject for issue in found.issues] == ["current_a"]
    assert [type(entry) for entry in found.entries] == [Absence]
