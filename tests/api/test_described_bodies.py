"""Bodies as the description has them against what the checks take: where a schema is made of tables, both say the same."""

import re
from datetime import date, timedelta
from functools import cache
from itertools import combinations, product
from typing import Any

import jsonschema_rs
import pytest

from chargeport.api import instants
from chargeport.api.openapi import document
from chargeport.api.operation_links import links_of
from chargeport.api.routes import ROUTES
from chargeport.errors import Problem
from chargeport.signals import units
from chargeport.signals.catalogue import CATALOGUE
from chargeport.signals.definition import Kind, Signal
from chargeport.simulation.faults import checked
from chargeport.store.records import Vehicle
from chargeport.taxonomy import SMARTCAR_KINDS
from world import T0, Client, World

DOCUMENT = document(ROUTES)
QUANTITIES = [signal for signal in CATALOGUE if signal.kind is Kind.QUANTITY]


@cache
def validator(name: str) -> jsonschema_rs.Draft202012Validator:
    schema = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    return jsonschema_rs.Draft202012Validator(schema)


def fits(name: str, body: Any) -> bool:
    return validator(name).is_valid(body)


def is_fault(body: dict[str, Any]) -> bool:
    try:
        checked(body)
    except Problem:
        return False
    return True


MEMBERS: dict[str, Any] = {
    "type": "VEHICLE_STATE", "code": "ASLEEP", "detail": "slow", "retryAfterSeconds": 5, "latencySeconds": 0.5,
    "webhook": "DELAY", "delaySeconds": 5, "signal": "charge-voltage", "vehicle": "car", "rate": 0.5,
}  # fmt: skip


def test_a_fault_is_described_as_it_is_checked_whichever_members_it_has() -> None:
    for size in range(len(MEMBERS) + 1):
        for names in combinations(MEMBERS, size):
            body = {name: MEMBERS[name] for name in names}
            assert fits("NewFault", body) == is_fault(body), body


@pytest.mark.parametrize("name", MEMBERS)
def test_a_fault_may_have_a_null_where_the_checks_take_it(name: str) -> None:
    for base in ({"type": "VEHICLE_STATE"}, {"latencySeconds": 1}, {"webhook": "DROP"}, {}):
        body = base | {name: None}
        assert fits("NewFault", body) == is_fault(body), body


def test_each_type_of_error_has_its_own_codes() -> None:
    types = {type_ for type_, _ in SMARTCAR_KINDS}
    for code in {code for _, code in SMARTCAR_KINDS}:
        for type_ in types:
            body = {"type": type_, "code": code}
            assert fits("NewFault", body) == is_fault(body), body


def quantities(signal: Signal) -> list[dict[str, Any]]:
    """Bodies at both bounds of a quantity and beyond them, in each unit by each of its names; and in none that there is."""
    assert signal.dimension is not None
    assert signal.minimum is not None
    assert signal.maximum is not None
    found: list[dict[str, Any]] = [{"value": signal.maximum}, {"value": signal.maximum + 1}, {"value": 0, "unit": "horses"}]
    for factor, names in units.factors(signal.dimension).items():
        low, high = signal.minimum / factor, signal.maximum / factor
        step = max(1.0, 10 * units.ROUNDED_TO / factor)
        found += [{"value": value, "unit": name} for name in names for value in (low, high, low - step, high + step)]
    return found


@pytest.mark.parametrize("signal", QUANTITIES, ids=lambda signal: signal.code)
async def test_a_quantity_is_described_as_it_is_checked_in_every_unit(
    world: World, app: Client, car: Vehicle, signal: Signal
) -> None:
    items = [{"vehicle": car.id, "signal": signal.code, "body": body, "observedAt": T0} for body in quantities(signal)]
    answer = await world.client.post("/ingest/readings", json=items, headers=app.headers)
    refused = {each["index"] for each in answer.json()["rejected"]}
    assert 0 < len(refused) < len(items)
    for index, item in enumerate(items):
        assert fits("Item", item) == (index not in refused), item


ITEMS: list[dict[str, Any]] = [
    {"signal": "charge-ischarging", "body": {"value": True}}, {"signal": "charge-ischarging", "body": {"value": 1}},
    {"signal": "charge-ischarging", "body": {"value": True, "unit": "W"}}, {"signal": "charge-ischarging", "body": None},
    {"signal": "charge-chargerphases", "body": {"value": 3}}, {"signal": "charge-chargerphases", "body": {"value": 2.5}},
    {"signal": "charge-chargerphases", "body": {"value": 3, "unit": "A"}}, {"signal": "nothing", "body": {"value": 1}},
    {"signal": "charge-fastchargertype", "body": {"value": "CCS"}},
    {"signal": "charge-fastchargertype", "body": {"value": "x" * 65}},
    {"signal": "charge-voltage", "status": {"value": "ERROR", "error": {"type": "COMPATIBILITY"}}},
    {"signal": "charge-voltage", "status": {"value": "ERROR", "error": {"type": "BILLING"}}},
    {"signal": "charge-voltage", "status": {"value": "SUCCESS"}}, {"signal": "charge-voltage"}, {}, {"signals": {}},
    {"signals": {"charge-voltage": {"value": 230}}},
    {"signals": {"charge-voltage": {"value": 230}}, "signal": "charge-voltage"},
    {"signals": {"nothing": {"value": 230}}}, {"signals": {"charge-voltage": {"value": 230}}, "more": 1},
    {"signal": "charge-voltage", "body": {"value": 230}, "observedAt": "2026-05-01"},
    {"signal": "charge-voltage", "body": {"value": 230}, "observedAt": "2026-05-01T09:00:00Z"},
    {"signal": "charge-voltage", "body": {"value": 230}, "observedAt": 1}, {"signal": "charge-voltage", "body": {}},
]  # fmt: skip


@pytest.mark.parametrize("item", ITEMS, ids=str)
async def test_an_item_is_described_as_it_is_checked(world: World, app: Client, car: Vehicle, item: dict[str, Any]) -> None:
    body = {"vehicle": car.id} | item
    answer = await world.client.post("/ingest/readings", json=body, headers=app.headers)
    assert fits("Item", body) == (answer.status_code == 200), answer.text


@pytest.mark.parametrize(
    ("more", "taken"),
    [
        ({"grant_type": "client_credentials"}, True), ({"grant_type": "authorization_code"}, False), ({}, False),
        ({"grant_type": "refresh_token", "refresh_token": ""}, False), ({"grant_type": "password"}, False),
        ({"grant_type": "client_credentials", "scope": "all"}, True), ({"grant_type": "client_credentials", "scope": 1}, False),
    ],
)  # fmt: skip
async def test_a_request_for_a_token_is_described_as_it_is_checked(
    world: World, app: Client, more: dict[str, Any], taken: bool
) -> None:
    body = {"client_id": app.id, "client_secret": app.secret} | more
    answer = await world.client.post("/oauth2/token", json=body)
    assert (answer.status_code == 200) == taken
    assert fits("TokenRequest", body) == taken


def test_the_pattern_of_instants_in_bodies_knows_every_day_of_the_calendar() -> None:
    days = {day.isoformat() for day in (date(1970, 1, 1) + timedelta(number) for number in range(160_000))}  # until 2408
    for year in (1970, 1972, 1999, 2000, 2023, 2024, 2100, 2400):
        for month, day in product(range(14), range(33)):
            text = f"{year}-{month:02}-{day:02}"
            found = re.search(instants.RFC3339_PATTERN, f"{text}T10:00:00Z")
            assert (found is not None) == (text in days), text


def test_every_link_leads_from_a_success_to_an_operation_and_fills_its_path() -> None:
    operations = {
        operation["operationId"]: operation for methods in DOCUMENT["paths"].values() for operation in methods.values()
    }
    count = 0
    for operation in operations.values():
        for status, answer in operation["responses"].items():
            for link in answer.get("links", {}).values():
                count += 1
                assert status.startswith("2")
                names = {each["name"] for each in operations[link["operationId"]]["parameters"] if each["in"] == "path"}
                assert link["parameters"].keys() <= names
                assert {name for name in names if name.endswith("_id")} == link["parameters"].keys()
    assert count > 100


def test_every_id_of_a_path_comes_from_an_answer() -> None:
    linked = {link["operationId"] for route in ROUTES for link in links_of(route, ROUTES, "").values()}
    for route in ROUTES:
        if "_id}" in route.path:
            assert route.name in linked, f"no link leads to {route.name}"
