import json
from pathlib import Path
from typing import Any

import pytest
from recorded import Outcome, run, shown, values

from chargeport.dialects.smartcar import SMARTCAR
from chargeport.dialects.statuses import REASONS, reason_of
from chargeport.signals.catalogue import CATALOGUE, CHARGE
from chargeport.signals.reading import AbsenceReason
from chargeport.sources.base import Delivery

NOW = 1_777_629_598_000


def outcome(content: Any, vehicle: str | None = None, at: int = NOW) -> Outcome:
    payload = content if isinstance(content, bytes) else json.dumps(content).encode()
    return run(SMARTCAR, [Delivery(source="s", dialect="smartcar", payload=payload, received_at=at, vehicle=vehicle)])


def event(*signals: Any, **meta: Any) -> dict[str, Any]:
    return {"eventType": "VEHICLE_STATE", "data": {"vehicle": {"id": "car"}, "signals": list(signals)}, "meta": meta}


def test_every_signal_has_a_row_under_its_own_code() -> None:
    assert set(SMARTCAR.by_field) == {signal.code for signal in CATALOGUE if not signal.is_ours}


@pytest.mark.parametrize(
    ("code", "body", "extra"),
    [
        ("charge-wattage", {"value": 4683}, {"value": 4683, "source": "OEM", "confidence": 0.9}),
        ("charge-ischarging", {"value": True}, {"value": True, "confidence": 1}),
        ("charge-chargelimits", {"activeLimit": 80, "values": [{"type": "GLOBAL", "limit": 80}]},
         {"activeLimit": 80, "values": [{"type": "GLOBAL", "limit": 80, "setBy": "owner"}], "setAt": NOW}),
    ],
)  # fmt: skip
def test_what_a_release_adds_to_a_body_is_one_issue_and_costs_no_value(code: str, body: Any, extra: Any) -> None:
    usual, added = outcome(event({"code": code, "body": body})), outcome(event({"code": code, "body": extra}))
    assert values(added) == values(usual)
    assert (usual.issues, [issue.subject for issue in added.issues]) == ([], [code])


def test_a_body_of_unknown_members_alone_is_an_issue_and_no_value() -> None:
    many = {"value": 1} | {f"new{index}": index for index in range(500)}
    for body in ({"amount": 4683}, many):
        found = outcome(event({"code": "charge-wattage", "body": body}))
        assert (found.entries, {issue.subject for issue in found.issues}) == ([], {"charge-wattage"})


def test_an_error_comes_before_the_old_body_beside_it() -> None:
    status = {"value": "ERROR", "error": {"type": "VEHICLE_STATE", "code": "NOT_CHARGING"}}
    found = outcome(event({"code": "charge-wattage", "body": {"value": 8000, "unit": "watts"}, "status": status}))
    assert values(found) == {"wattage": "<NOT_CHARGING>"}


@pytest.mark.parametrize(
    ("meta", "at"),
    [
        ({"oemUpdatedAt": NOW - 9000, "retrievedAt": NOW - 5000}, NOW - 9000),
        ({"oemUpdatedAt": 0, "retrievedAt": NOW - 5000}, NOW - 5000),
        ({"oemUpdatedAt": "2026-05-01T09:50:00.000Z"}, 1_777_629_000_000),
        ({"oemUpdatedAt": 1_777_629_000}, 1_777_629_000_000),
        ({"oemUpdatedAt": 0, "retrievedAt": 0}, NOW - 1000),
        ({"oemUpdatedAt": "yesterday"}, NOW - 1000),
        ({}, NOW - 1000),
        (None, NOW - 1000),
    ],
)
def test_a_signal_is_as_of_the_time_that_it_bears_in_whichever_spelling(meta: Any, at: int) -> None:
    [entry] = outcome(event({"code": "charge-voltage", "body": {"value": 230}, "meta": meta}, deliveredAt=NOW - 1000)).entries
    assert entry.observed_at == at


def test_each_instant_is_a_message_so_an_old_signal_is_not_made_young() -> None:
    found = outcome(
        event(
            {"code": "charge-voltage", "body": {"value": 230}, "meta": {"oemUpdatedAt": NOW - 9000}},
            {"code": "charge-amperage", "body": {"value": 16}, "meta": {"oemUpdatedAt": NOW - 1000}},
        )
    )
    assert [(entry.signal.name, entry.observed_at) for entry in found.entries] == [
        ("Voltage", NOW - 9000),
        ("Amperage", NOW - 1000),
    ]


def test_a_car_that_is_full_has_no_minutes_and_no_rate_whatever_it_reports() -> None:
    found = outcome(
        event(
            {"code": "charge-timetocomplete", "body": {"value": 14}},
            {"code": "charge-chargerate", "body": {"value": 15, "unit": "km/h"}},
            {"code": "charge-ischarging", "body": {"value": False}},
        )
    )
    assert values(found) == {"ischarging": False, "timetocomplete": "<NOT_CHARGING>", "chargerate": "<NOT_CHARGING>"}


def test_one_signal_of_the_api_and_a_list_of_them_are_read_alike() -> None:
    one = {
        "id": "charge-voltage",
        "type": "signal",
        "attributes": {"code": "charge-voltage", "body": {"value": 230}},
        "meta": {},
    }
    included = {"vehicle": {"id": "car"}}
    alone, listed = outcome({"data": one, "included": included}), outcome({"data": [one], "included": included})
    assert alone == listed
    assert values(alone) == {"voltage": 230}
    assert values(outcome(one, vehicle="car")) == {"voltage": 230}


def test_an_errors_signals_are_absent_until_it_is_resolved() -> None:
    def failed(state: str) -> Outcome:
        error = {"type": "CONNECTED_SERVICES_ACCOUNT", "code": None, "state": state, "signals": [{"code": "charge-voltage"}]}
        return outcome({"eventType": "VEHICLE_ERROR", "data": {"vehicle": {"id": "car"}, "errors": [error]}})

    assert values(failed("ERROR")) == {"voltage": "<SOURCE_FAILED>"}
    assert failed("RESOLVED") == ([], [])


@pytest.mark.parametrize(("kind", "code"), list(REASONS))
def test_every_known_error_has_a_reason(kind: str, code: str | None) -> None:
    assert reason_of(kind, code) is REASONS[kind, code]
    assert reason_of(kind, "SOMETHING_NEW") is REASONS.get((kind, None), AbsenceReason.UNREACHABLE)


def test_a_type_of_error_that_nobody_knows_is_an_issue() -> None:
    found = outcome(event({"code": "charge-voltage", "status": {"value": "ERROR", "error": {"type": "WEATHER"}}}))
    assert found.entries == []
    assert "'WEATHER' is no type of error" in found.issues[0].detail


@pytest.mark.parametrize("name", ["jaguar_ipace2_all", "polestar_2_all", "vw_id_4_error", "vw_id_4_verify"])
def test_a_recorded_payload_is_read_without_an_issue(others: Path, name: str) -> None:
    assert outcome((others / "smartcar" / f"{name}.json").read_bytes(), at=1_777_629_598_000).issues == []


def test_the_recorded_jaguar_says_all_signals_of_which_seven_have_values_and_the_stale_ones_are_held_back(others: Path) -> None:
    found = outcome((others / "smartcar" / "jaguar_ipace2_all.json").read_bytes())
    reported = {entry.signal.name: shown(entry) for entry in found.entries}
    of_charge = {entry.signal.name for entry in found.entries if entry.signal.group == CHARGE}
    assert len(of_charge) == 21
    assert sum(value == "<NOT_CAPABLE>" for value in reported.values()) == 14
    assert (reported["TimeToComplete"], reported["ChargeRate"]) == ("<NOT_CHARGING>", "<NOT_CHARGING>")
    assert (reported["DetailedChargingStatus"], reported["ChargeLimits"]["activeLimit"]) == ("FULLY_CHARGED", 100)


def test_the_recorded_polestar_charges_with_true_watts_on_three_phases(others: Path) -> None:
    reported = values(outcome((others / "smartcar" / "polestar_2_all.json").read_bytes()))
    assert (reported["wattage"], reported["amperage"], reported["voltage"], reported["timetocomplete"]) == (4683, 7, 223, 15)
    assert reported["chargetimers"] == "<SOURCE_FAILED>"


def test_an_element_that_is_no_signal_costs_no_other() -> None:
    found = outcome(event({"name": "Voltage"}, 7, {"code": "charge-voltage", "body": {"value": 230}}))
    assert values(found) == {"voltage": 230}
    assert [issue.subject for issue in found.issues] == ["signals[0]", "signals[1]"]
