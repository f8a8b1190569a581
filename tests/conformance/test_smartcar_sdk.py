"""Smartcar's own Python SDK, unchanged, against a demo: what it calls and how it fails is what its users rely on."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chargeport.api.access import Access
from chargeport.clock import SystemClock
from chargeport.signals.catalogue import CATALOGUE, VIN
from chargeport.signals.definition import Permission
from chargeport.store.sqlite import SqliteStore
from servers import demo

pytestmark = pytest.mark.service

CODES = [signal.code for signal in CATALOGUE if signal.group in {"Charge", "TractionBattery"} and not signal.is_ours]

# What runs in the SDK's process: it reads its addresses once, when it is imported.
CALLER = """
import json, sys
import smartcar
from smartcar.smartcar import get_vehicle

def told(request):
    try:
        got = request()
        return {"body": got["body"], "headers": dict(got["headers"])}
    except smartcar.SmartcarException as error:
        names = ("status_code", "request_id", "type", "code", "description", "doc_url", "resolution", "retry_after")
        return {name: getattr(error, name, None) for name in names} | {"exception": type(error).__name__}

answers = []
for name, vehicle_id, token, *arguments in json.load(sys.stdin):
    if name == "get_vehicle":
        answers.append(told(lambda: get_vehicle(token, vehicle_id)))
    else:
        answers.append(told(lambda: getattr(smartcar.Vehicle(vehicle_id, token), name)(*arguments)))
json.dump(answers, sys.stdout, default=lambda part: getattr(part, "__dict__", str(part)))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    database = tmp_path_factory.mktemp("demo") / "demo.db"
    with demo("--vehicles", "3", "--database", str(database)) as reported:
        yield reported | {"narrow": asyncio.run(narrow_token(database))}


async def narrow_token(database: Path) -> str:
    """A token of an application that may read batteries only, made beside the running server."""
    store = SqliteStore.open(database)
    access = Access(store, SystemClock())
    application, _ = await access.register("Narrow", frozenset({Permission.READ_BATTERY}))
    token = await access.issue_token(application)
    await store.close()
    return token


def call(server: dict[str, Any], *calls: tuple[str, ...]) -> list[dict[str, Any]]:
    """What the SDK gave back, or raised, for each request: a name, a vehicle, a token, and arguments."""
    url = server["url"]
    origins = dict.fromkeys(("SMARTCAR_VEHICLE_API_V3_ORIGIN", "SMARTCAR_API_ORIGIN", "SMARTCAR_MANAGEMENT_API_ORIGIN"), url)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CALLER],
        input=json.dumps(calls), capture_output=True, text=True, timeout=60, check=False,
        env=os.environ | origins | {"SMARTCAR_AUTH_ORIGIN": f"{url}/oauth2/token", "NO_PROXY": "*"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers


def first(server: dict[str, Any]) -> tuple[str, str]:
    return server["vehicles"][0]["id"], server["token"]


def test_every_signal_is_read_singly_and_in_the_list(server: dict[str, Any]) -> None:
    listed, *singles = call(server, ("get_signals", *first(server)), *[("get_signal", *first(server), code) for code in CODES])
    elements = {element["id"]: element for element in listed["body"]["data"]}
    ours = {signal.code for signal in CATALOGUE if signal.is_ours} | {VIN.code}
    assert elements.keys() - ours == set(CODES), "the demo's first car tells them all"
    assert listed["body"]["meta"]["totalCount"] == len(elements)
    for code, single in zip(CODES, singles, strict=True):
        data = single["body"]["data"]
        assert (data["id"], data["type"], data["attributes"]["code"]) == (code, "signal", code)
        assert data["attributes"]["status"] == {"value": "SUCCESS"}
        assert data["attributes"]["body"].keys() == elements[code]["attributes"]["body"].keys()
        assert single["body"]["included"]["vehicle"]["id"] == first(server)[0]
        assert single["headers"]["sc-request-id"]


def test_a_vehicle_is_read(server: dict[str, Any]) -> None:
    (answer,) = call(server, ("get_vehicle", *first(server)))
    car = server["vehicles"][0]
    attributes = answer["body"]["data"]["attributes"]
    assert {name: attributes[name] for name in ("make", "model", "year")} == {
        name: car[name] for name in ("make", "model", "year")
    }


def error(answer: dict[str, Any], status: int, kind: str, code: str | None) -> None:
    """An error of which the SDK understood every part."""
    assert answer.get("exception") == "SmartcarException", answer
    assert (answer["status_code"], answer["type"], answer["code"]) == (status, kind, code)
    assert len(answer["request_id"]) == 36
    assert answer["description"]
    assert "/docs/errors#" in answer["doc_url"]
    assert "type" in answer["resolution"]


def test_what_is_not_there_is_a_typed_error(server: dict[str, Any]) -> None:
    vehicle, token = first(server)
    nobody, nothing, path = call(
        server,
        ("get_signals", "00000000-0000-4000-8000-000000000000", token),
        ("get_signal", vehicle, token, "charge-nothing"),
        ("get_signal", vehicle, token, "charge-voltage/x"),
    )
    error(nobody, 404, "RESOURCE_NOT_FOUND", "VEHICLE_NOT_FOUND")
    error(nothing, 404, "RESOURCE_NOT_FOUND", "SIGNAL_NOT_FOUND")
    error(path, 404, "RESOURCE_NOT_FOUND", "INVALID_PATH")


def test_a_bad_token_is_a_typed_error_that_says_to_authenticate_again(server: dict[str, Any]) -> None:
    for answer in call(server, ("get_signals", first(server)[0], "cpt_wrong"), ("get_vehicle", first(server)[0], "")):
        error(answer, 401, "AUTHENTICATION", "UNAUTHORIZED")
        assert answer["resolution"]["type"] == "REAUTHENTICATE"


def test_a_query_that_is_wrong_is_a_typed_error(server: dict[str, Any]) -> None:
    """The SDK puts a code into the path as it is, so a query can be put behind it."""
    vehicle, token = first(server)
    (answer,) = call(server, ("get_signal", vehicle, token, "?page[size]=x"))
    error(answer, 400, "VALIDATION", "INVALID_INPUT_FORMAT")


def test_a_missing_permission_is_a_typed_error_that_says_to_authenticate_again(server: dict[str, Any]) -> None:
    vehicle, _ = first(server)
    (answer,) = call(server, ("get_signal", vehicle, server["narrow"], "charge-voltage"))
    error(answer, 403, "PERMISSION", None)
    assert answer["resolution"]["type"] == "REAUTHENTICATE"
    (listed,) = call(server, ("get_signals", vehicle, server["narrow"]))
    statuses = {each["id"]: each["attributes"]["status"] for each in listed["body"]["data"]}
    assert statuses["charge-voltage"]["error"]["type"] == "PERMISSION"
    assert statuses["tractionbattery-range"] == {"value": "SUCCESS"}
