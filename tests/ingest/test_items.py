"""Items: each a signal with a body or a status, or a bundle; what is bad in one costs nothing else."""

from typing import Any

import msgspec
import pytest

from chargeport.dialects import statuses
from chargeport.ingest import payload
from chargeport.ingest.batch import Batch, Rejection
from chargeport.ingest.items import ItemChecker
from chargeport.signals.catalogue import BY_CODE, CATALOGUE
from chargeport.signals.reading import Absence, AbsenceReason, Reading
from chargeport.signals.violation import Rule

NOW = 1_777_629_598_000
WATTAGE = BY_CODE["charge-wattage"]
CHARGING = BY_CODE["charge-ischarging"]


def taken(*sent: Any) -> Batch:
    checker = ItemChecker(Batch(), "my-car", NOW, 300)
    assert payload.read(msgspec.json.encode(sent), checker, 1000, lines=False) == len(sent)
    return checker.batch


def item(**members: Any) -> dict[str, Any]:
    return {"vehicle": "CAR", "signal": "charge-wattage", "body": {"value": 7.2, "unit": "kW"}} | members


def bundle(signals: Any, **members: Any) -> dict[str, Any]:
    return {"vehicle": "CAR", "signals": signals} | members


def without(name: str) -> dict[str, Any]:
    return {member: value for member, value in item().items() if member != name}


def rejection(sent: Any) -> tuple[str, str]:
    batch = taken(sent)
    assert batch.entries == []
    (found,) = batch.rejections
    assert found.index == 0
    assert found.detail
    return found.code, found.path


def test_a_signal_becomes_a_reading_in_its_wire_unit_with_all_its_times() -> None:
    batch = taken(item(observedAt="2026-05-01T09:59:00Z"))
    assert batch.entries == [Reading("CAR", WATTAGE, 7200, NOW - 58_000, NOW, "my-car")]
    assert (batch.indices, batch.rejections) == ([0], [])


def test_a_bundle_becomes_a_reading_for_each_of_its_signals() -> None:
    batch = taken(
        bundle({"charge-ischarging": {"value": True}, "charge-wattage": {"value": 7.2, "unit": "kW"}}, observedAt=NOW - 5)
    )
    assert batch.entries == [
        Reading("CAR", CHARGING, True, NOW - 5, NOW, "my-car"),
        Reading("CAR", WATTAGE, 7200, NOW - 5, NOW, "my-car"),
    ]
    assert (batch.indices, batch.rejections) == ([0, 0], [])


def test_every_signal_is_taken_alone_and_in_a_bundle() -> None:
    alone = taken(*(item(signal=signal.code, body=signal.example) for signal in CATALOGUE))
    together = taken(bundle({signal.code: signal.example for signal in CATALOGUE}))
    assert [entry.signal for entry in alone.entries] == list(CATALOGUE)
    assert alone.entries == together.entries
    assert alone.rejections == together.rejections == []


def test_an_entry_knows_which_item_it_came_from() -> None:
    batch = taken(
        item(), item(signal="nothing"), bundle({"charge-wattage": {"value": 1}, "charge-voltage": {"value": 2}}), item()
    )
    assert batch.indices == [0, 2, 2, 3]
    assert [found.index for found in batch.rejections] == [1]


FORMS = {
    "nothing but a vehicle": ({"vehicle": "CAR"}, "MISSING", "signal"),
    "a body without a signal": (without("signal"), "MISSING", "signal"),
    "a signal without a body": (without("body"), "MISSING", "body"),
    "a signal with a null body": (item(body=None), "MISSING", "body"),
    "a signal with body and status": (item(status={"value": "ERROR", "error": {"type": "SERVER"}}), "MISSING", "body"),
    "a null signal": (item(signal=None), "MISSING", "signal"),
    "no vehicle": (without("vehicle"), "MISSING", "vehicle"),
    "a null vehicle": (item(vehicle=None), "WRONG_TYPE", "vehicle"),
    "a number for a vehicle": (item(vehicle=5), "WRONG_TYPE", "vehicle"),
    "a vehicle without a name": (item(vehicle=""), "OUT_OF_BOUNDS", "vehicle"),
    "a vehicle with a name too long": (item(vehicle="x" * 129), "OUT_OF_BOUNDS", "vehicle"),
    "a number for a signal": (item(signal=5), "WRONG_TYPE", "signal"),
    "an unknown signal": (item(signal="charge-nothing"), "UNKNOWN_SIGNAL", "signal"),
    "a signal by its name": (item(signal="Wattage"), "UNKNOWN_SIGNAL", "signal"),
    "a signal without letters": (item(signal=""), "UNKNOWN_SIGNAL", "signal"),
    "a member of our own spelling": (item(observed_at=NOW), "UNKNOWN_MEMBER", "observed_at"),
    "a member of the code's": (item(raw_body={}), "UNKNOWN_MEMBER", "raw_body"),
    "an unknown member": (item(extra=1), "UNKNOWN_MEMBER", "extra"),
    "a bundle with nothing in it": (bundle({}), "MISSING", "signals"),
    "a bundle that is a list": (bundle([]), "WRONG_TYPE", "signals"),
    "a bundle and a signal": (item(signals={"charge-voltage": {"value": 1}}), "NOT_ALLOWED", "signals"),
    "a bundle and a body": (bundle({"charge-voltage": {"value": 1}}, body={"value": 1}), "NOT_ALLOWED", "signals"),
    "a bundle and a status": (bundle({"charge-voltage": {"value": 1}}, status={"value": "ERROR"}), "NOT_ALLOWED", "signals"),
    "a bundle with an unknown signal": (bundle({"charge-nothing": {"value": 1}}), "UNKNOWN_SIGNAL", "signals.charge-nothing"),
    "a bundle with a null body": (bundle({"charge-wattage": None}), "WRONG_TYPE", "signals.charge-wattage"),
    "a bundle with a bare value": (bundle({"charge-wattage": 7200}), "WRONG_TYPE", "signals.charge-wattage"),
    "a bad body": (item(body={"value": "7200"}), "WRONG_TYPE", "body.value"),
    "a body that is a list": (item(body=[]), "WRONG_TYPE", "body"),
    "a body that is a bare value": (item(body=7200), "WRONG_TYPE", "body"),
    "an empty body": (item(body={}), "MISSING", "body.value"),
    "a time that is none": (item(observedAt="yesterday"), "BAD_FORMAT", "observedAt"),
    "a time that is a flag": (item(observedAt=True), "WRONG_TYPE", "observedAt"),
    "a time between milliseconds": (item(observedAt=NOW + 0.5), "WRONG_TYPE", "observedAt"),
    "a time in the future": (item(observedAt=NOW + 300_001), "IN_THE_FUTURE", "observedAt"),
    "a time in seconds": (item(observedAt=NOW // 1000), "TOO_OLD", "observedAt"),
    "a bundle at a time that is none": (bundle({"charge-wattage": {"value": 1}}, observedAt=""), "BAD_FORMAT", "observedAt"),
    "a status that is a text": (without("body") | {"status": "ERROR"}, "WRONG_TYPE", "status"),
    "a list": ([], "WRONG_TYPE", "item"),
    "null": (None, "WRONG_TYPE", "item"),
    "a text": ("charge-wattage", "WRONG_TYPE", "item"),
}


@pytest.mark.parametrize(("sent", "code", "path"), FORMS.values(), ids=FORMS)
def test_an_item_that_breaks_a_rule_names_it(sent: Any, code: str, path: str) -> None:
    assert rejection(sent) == (code, path)


@pytest.mark.parametrize("sent", [sent for sent, _, _ in FORMS.values()], ids=FORMS)
def test_an_item_that_breaks_a_rule_costs_no_other(sent: Any) -> None:
    batch = taken(item(), sent, item(vehicle="OTHER"))
    assert [entry.vehicle for entry in batch.entries] == ["CAR", "OTHER"]
    assert batch.indices == [0, 2]
    assert [found.index for found in batch.rejections] == [1]


@pytest.mark.parametrize(
    "sent", [item(vehicle="x"), item(vehicle="x" * 128), item(vehicle="Ü🚗"), item(status=None, signals=None)]
)
def test_an_item_at_the_edge_of_its_form_is_taken(sent: dict[str, Any]) -> None:
    assert [entry.vehicle for entry in taken(sent).entries] == [sent["vehicle"]]


def test_members_that_are_null_are_absent() -> None:
    nothing = {"signal": None, "body": None, "status": None, "observedAt": None}
    batch = taken(bundle({"charge-wattage": {"value": 1}}) | nothing)
    assert batch.entries == [Reading("CAR", WATTAGE, 1, NOW, NOW, "my-car")]
    absent = without("body") | {"body": None, "status": {"value": "ERROR", "error": {"type": "SERVER", "code": None}}}
    assert len(taken(absent).entries) == 1


def test_a_bad_signal_in_a_bundle_costs_only_itself() -> None:
    signals = {
        "charge-wattage": {"value": 7200},
        "charge-voltage": {"value": "230"},
        "charge-nothing": {"value": 1},
        "charge-ischarging": {"value": True},
        "charge-chargerphases": None,
        "charge-amperage": {"value": 16},
    }
    batch = taken(bundle(signals), item())
    assert [entry.signal.code for entry in batch.entries] == [
        "charge-wattage",
        "charge-ischarging",
        "charge-amperage",
        "charge-wattage",
    ]
    assert batch.indices == [0, 0, 0, 1]
    assert [(found.index, found.signal, found.code, found.path) for found in batch.rejections] == [
        (0, "charge-voltage", "WRONG_TYPE", "signals.charge-voltage.value"),
        (0, "charge-nothing", "UNKNOWN_SIGNAL", "signals.charge-nothing"),
        (0, "charge-chargerphases", "WRONG_TYPE", "signals.charge-chargerphases"),
    ]


def test_a_rejection_names_the_signal_where_there_is_one() -> None:
    assert taken(item(body={"value": -1})).rejections[0].signal == "charge-wattage"
    assert taken(item(observedAt="x")).rejections[0].signal == "charge-wattage"
    assert taken(bundle({})).rejections[0].signal is None


def test_a_rejection_is_written_without_a_signal_that_it_has_not() -> None:
    found = Rejection(7, "MISSING", "the bundle is empty", "signals")
    assert msgspec.to_builtins(found) == {"index": 7, "code": "MISSING", "detail": "the bundle is empty", "path": "signals"}


# Status objects.

REASONS = [
    ("COMPATIBILITY", None, AbsenceReason.NOT_CAPABLE),
    ("COMPATIBILITY", "VEHICLE_NOT_CAPABLE", AbsenceReason.NOT_CAPABLE),
    ("COMPATIBILITY", "MAKE_NOT_COMPATIBLE", AbsenceReason.NOT_CAPABLE),
    ("PERMISSION", None, AbsenceReason.NOT_PERMITTED),
    ("VEHICLE_STATE", None, AbsenceReason.UNREACHABLE),
    ("VEHICLE_STATE", "ASLEEP", AbsenceReason.UNREACHABLE),
    ("VEHICLE_STATE", "UNREACHABLE", AbsenceReason.UNREACHABLE),
    ("VEHICLE_STATE", "NOT_CHARGING", AbsenceReason.NOT_CHARGING),
    ("VEHICLE_STATE", "FULLY_CHARGED", AbsenceReason.NOT_CHARGING),
    ("UPSTREAM", None, AbsenceReason.SOURCE_FAILED),
    ("UPSTREAM", "NO_RESPONSE", AbsenceReason.SOURCE_FAILED),
    ("UPSTREAM", "INVALID_DATA", AbsenceReason.UNREADABLE),
    ("SERVER", "INTERNAL", AbsenceReason.SOURCE_FAILED),
    ("CONNECTED_SERVICES_ACCOUNT", "AUTHENTICATION_FAILED", AbsenceReason.SOURCE_FAILED),
    ("AUTHENTICATION", None, AbsenceReason.SOURCE_FAILED),
    ("RATE_LIMIT", "VEHICLE", AbsenceReason.SOURCE_FAILED),
]


def status(kind: Any, code: str | None = None, **more: Any) -> dict[str, Any]:
    error = {"type": kind} | ({} if code is None else {"code": code}) | more
    return without("body") | {"status": {"value": "ERROR", "error": error}}


@pytest.mark.parametrize(("kind", "code", "reason"), REASONS)
def test_a_status_becomes_an_absence_with_its_reason(kind: str, code: str | None, reason: AbsenceReason) -> None:
    batch = taken(status(kind, code) | {"observedAt": NOW - 9})
    assert batch.entries == [Absence("CAR", WATTAGE, reason, NOW - 9, NOW, "my-car")]
    assert batch.rejections == []


def test_every_type_of_error_and_every_reason_is_tried_here() -> None:
    assert {kind for kind, _, _ in REASONS} == {kind for kind, _ in statuses.REASONS}
    assert {reason for _, _, reason in REASONS} == set(AbsenceReason)


def test_the_rest_of_a_status_is_not_needed() -> None:
    sent = status("VEHICLE_STATE", "ASLEEP", description="…", resolution={"type": None})
    sent["status"]["requestId"] = "r"
    assert len(taken(sent).entries) == 1


@pytest.mark.parametrize(
    ("wrong", "code", "path"),
    [
        ({"value": "SUCCESS"}, "NOT_ALLOWED", "status.value"),
        ({"value": "error", "error": {"type": "SERVER"}}, "NOT_ALLOWED", "status.value"),
        ({"value": "ERROR"}, "NOT_ALLOWED", "status.value"),
        ({"value": "ERROR", "error": None}, "NOT_ALLOWED", "status.value"),
        ({"value": "ERROR", "error": {"type": "WEATHER"}}, "NOT_ALLOWED", "status.error.type"),
        ({"value": "ERROR", "error": {"type": ""}}, "NOT_ALLOWED", "status.error.type"),
        ({"value": "ERROR", "error": {"code": "ASLEEP"}}, "MISSING", "status.error.type"),
        ({"value": "ERROR", "error": {"type": 5}}, "WRONG_TYPE", "status.error.type"),
        ({"error": {"type": "SERVER"}}, "MISSING", "status.value"),
        ({}, "MISSING", "status.value"),
    ],
)
def test_a_status_that_says_no_reason_is_refused(wrong: dict[str, Any], code: str, path: str) -> None:
    assert rejection(without("body") | {"status": wrong}) == (code, path)


def test_an_unknown_type_of_error_is_refused_with_the_list_of_known_ones() -> None:
    (found,) = taken(status("WEATHER")).rejections
    assert found.code == Rule.NOT_ALLOWED
    assert all(kind in found.detail for kind, _, _ in REASONS)


def test_a_status_for_an_unknown_signal_is_refused() -> None:
    assert rejection(status("SERVER") | {"signal": "charge-nothing"}) == ("UNKNOWN_SIGNAL", "signal")


@pytest.mark.parametrize(
    ("code", "body", "reason"),
    [
        ("charge-wattage", {"value": -0.4, "unit": "kW"}, AbsenceReason.NOT_CHARGING),
        ("charge-amperage", {"value": -6}, AbsenceReason.NOT_CHARGING),
        ("charge-chargerate", {"value": -12}, AbsenceReason.NOT_CHARGING),
        ("charge-timetocomplete", {"value": -1}, AbsenceReason.UNREADABLE),
        ("charge-voltage", {"value": -230}, AbsenceReason.UNREADABLE),
    ],
)
def test_a_live_number_below_zero_is_rejected_and_takes_back_what_was_reported_before(
    code: str, body: dict[str, Any], reason: AbsenceReason
) -> None:
    for sent in (item(signal=code, body=body, observedAt=NOW - 5), bundle({code: body}, observedAt=NOW - 5)):
        batch = taken(sent)
        assert (batch.entries, [each.code for each in batch.rejections]) == ([], ["OUT_OF_BOUNDS"])
        assert batch.withdrawals == [Absence("CAR", BY_CODE[code], reason, NOW - 5, NOW, "my-car")]


@pytest.mark.parametrize(
    ("code", "body"),
    [
        ("charge-wattage", {"value": 9e9}), ("charge-wattage", {"value": "-7"}), ("charge-wattage", [-7]),
        ("charge-chargelimits", {"activeLimit": -7}), ("tractionbattery-stateofcharge", {"value": -7}),
    ],
)  # fmt: skip
def test_any_other_rejected_body_takes_nothing_back(code: str, body: Any) -> None:
    batch = taken(item(signal=code, body=body))
    assert batch.rejections
    assert batch.withdrawals == []
