"""The description of the API: valid OpenAPI 3.1, with examples that fit its schemas and schemas that fit the answers."""

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import httpx
import jsonschema_rs
import msgspec
import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31

from chargeport.api import instants
from chargeport.api.openapi import document
from chargeport.api.routes import ROUTES
from chargeport.api.webhook_documents import NewWebhook
from chargeport.errors import Problem
from chargeport.signals.catalogue import CATALOGUE
from chargeport.signals.reading import AbsenceReason
from chargeport.store.records import Vehicle
from chargeport.store.webhooks import WebhookFields
from world import Client, World

DOCUMENT = document(ROUTES)
OPERATIONS = [(path, method, operation) for path, methods in DOCUMENT["paths"].items() for method, operation in methods.items()]


@cache
def _validator(schema: bytes) -> jsonschema_rs.Draft202012Validator:
    whole = msgspec.json.decode(schema, type=dict[str, Any]) | {"components": DOCUMENT["components"]}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)


def validator(schema: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    """A validator for a schema of the document, with the names that it refers to."""
    return _validator(msgspec.json.encode(schema))


def problems(schema: dict[str, Any], instance: Any) -> list[str]:
    return [f"{list(error.instance_path)}: {error.message}"[:300] for error in validator(schema).iter_errors(instance)]


def examples() -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Every example in the document: where it stands, its schema, its value."""
    for path, method, operation in OPERATIONS:
        parts = {"request": operation.get("requestBody", {})} | operation["responses"]
        for part, content in ((name, part.get("content", {})) for name, part in parts.items()):
            for media in content.values():
                for name, example in media.get("examples", {}).items():
                    yield f"{method} {path} {part} {name}", media["schema"], example["value"]
        for parameter in operation["parameters"]:
            if "example" in parameter:
                yield f"{method} {path} {parameter['name']}", parameter["schema"], parameter["example"]
    for name, schema in DOCUMENT["components"]["schemas"].items():
        for example in schema.get("examples", ()):
            yield name, {"$ref": f"#/components/schemas/{name}"}, example


async def test_the_document_is_valid_openapi_3_1(world: World) -> None:
    served = (await world.client.get("/openapi.json")).json()
    assert served == DOCUMENT
    found = [error.message for error in jsonschema_rs.Draft202012Validator(OPENAPI_31).iter_errors(served)]
    assert not found, found[:5]


def test_every_schema_is_a_json_schema_and_every_reference_leads_somewhere() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        assert jsonschema_rs.meta.is_valid(schema), name
        validator({"$ref": f"#/components/schemas/{name}"})
    references = set(re.findall(r"'\$ref': '#/components/schemas/([^']+)'", str(DOCUMENT)))
    assert references <= DOCUMENT["components"]["schemas"].keys()
    unused = DOCUMENT["components"]["schemas"].keys() - references
    assert not unused, f"nothing refers to them: {unused}"


# What nobody here decides on: another system's payloads, values of settings, the members of this very document.
FOREIGN = {
    "Payload", "OpenApiDocument.info", "OpenApiDocument.paths", "OpenApiDocument.components", "OpenApiDocument.security",
    "CommandAttributes.parameters", "LoggedAttributes.parameters", "ScheduleAttributes.parameters", "Request.Say.fields",
    "Request.SetTimers.values",
}  # fmt: skip


def unsaid(name: str, schema: Any) -> Iterator[str]:
    """The places in a schema where any object will do."""
    if isinstance(schema, list):
        for each in schema:
            yield from unsaid(name, each)
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "object" and not {"properties", "additionalProperties", "propertyNames"} & schema.keys():
        yield name
    for key, part in schema.items():
        if key == "properties":
            for member, each in part.items():
                yield from unsaid(f"{name}.{member}", each)
        else:
            yield from unsaid(name, part)


def test_the_members_of_an_object_are_described_unless_others_define_them() -> None:
    found = {place for name, schema in DOCUMENT["components"]["schemas"].items() for place in unsaid(name, schema)}
    assert found == FOREIGN
    inline = {place for path, method, operation in OPERATIONS for place in unsaid(f"{method} {path}", operation)}
    assert not inline


def test_a_new_webhook_has_the_members_that_are_stored_of_one() -> None:
    described, kept = (msgspec.structs.fields(each) for each in (NewWebhook, WebhookFields))
    assert [each.encode_name for each in described] == [each.encode_name for each in kept]
    optional = [{each.encode_name: each.default for each in some if not each.required} for some in (described, kept)]
    assert optional[0].items() <= optional[1].items()
    assert optional[1].keys() - optional[0].keys() == {"triggers", "data"}, "the API wants one of each at least"


def test_every_example_fits_its_schema() -> None:
    wrong = [f"{where}: {found[0]}" for where, schema, value in examples() if (found := problems(schema, value))]
    assert not wrong, "\n".join(wrong)


def test_every_signal_has_examples_of_its_value_and_its_absences() -> None:
    media = DOCUMENT["paths"]["/v3/vehicles/{vehicle_id}/signals/{code}"]["get"]["responses"]["200"]["content"]
    shown = media["application/json"]["examples"]
    assert {signal.code for signal in CATALOGUE} <= shown.keys()
    statuses = {each["value"]["data"]["attributes"]["status"]["value"] for each in shown.values()}
    assert statuses == {"SUCCESS", "ERROR"}


def test_every_operation_has_an_id_of_its_own_and_says_what_it_does() -> None:
    ids = [operation["operationId"] for _, _, operation in OPERATIONS]
    assert len(set(ids)) == len(ids)
    for path, method, operation in OPERATIONS:
        assert len(operation["summary"]) > 10, (method, path)
        names = re.findall(r"{(\w+)}", path)
        assert [each["name"] for each in operation["parameters"] if each["in"] == "path"] == names
        for parameter in operation["parameters"]:
            assert parameter["description"].endswith((".", "holds.")), parameter["name"]


# Open routes that answer 401 all the same: they look at something else than a token.
GUARDED = ("issueToken", "issueTokenByCode", "answerConnect", "ingestSmartcar", "signIn", "issuePageToken")


def test_a_closed_operation_says_that_it_can_answer_401_and_an_open_one_that_it_needs_no_token() -> None:
    for route in ROUTES:
        operation = DOCUMENT["paths"][f"/v3{route.path}" if route.v3 else route.path][route.method.lower()]
        assert ("401" in operation["responses"]) == (not route.open or route.name in GUARDED)
        assert (operation.get("security") == []) == route.open


@pytest.fixture
async def full(world: World, app: Client, car: Vehicle) -> Vehicle:
    await world.report_all(car)
    for code, reason in zip(("charge-voltage", "charge-chargelimits", "charge-fastchargertype"), AbsenceReason, strict=False):
        await world.absent(car, code, reason, world.clock.now() + 1)
    await world.connect(app, car)
    return car


async def test_every_answer_fits_its_schema(world: World, app: Client, full: Vehicle) -> None:
    """What the other tests look at by eye, here every answer of a kind against the description."""
    connection = (await world.client.get("/v3/connections", headers=app.headers)).json()["data"][0]["id"]
    signals = f"/v3/vehicles/{full.id}/signals"
    identified = f"/v3/vehicles/{(await world.car(vin='WVWZZZ00000000009')).id}"
    paths = {
        "/v3/vehicles": ["/v3/vehicles", "/v3/vehicles?page[size]=0"],
        "/v3/vehicles/{vehicle_id}": [f"/v3/vehicles/{full.id}", "/v3/vehicles/nobody"],
        "/v3/vehicles/{vehicle_id}/signals": [
            signals,
            f"{identified}/signals",
            f"{signals}?page[size]=3",
            f"{signals}?filter[code]=x",
        ],
        "/v3/vehicles/{vehicle_id}/signals/{code}": [f"{signals}/{each.code}" for each in CATALOGUE]
        + [f"{signals}/nothing", f"{identified}/signals/vehicleidentification-vin"],
        "/v3/vehicles/{vehicle_id}/signals/{code}/values": [
            f"{signals}/{each.code}/values{query}"
            for each in CATALOGUE
            for query in ("", "?page[size]=1", "?resolution=PT1M", "?resolution=x")
        ],
        "/v3/vehicles/{vehicle_id}/coverage": [f"/v3/vehicles/{full.id}/coverage", f"{identified}/coverage"],
        "/v3/vehicles/{vehicle_id}/commands": [f"/v3/vehicles/{full.id}/commands", "/v3/vehicles/nobody/commands"],
        "/v3/connections": ["/v3/connections", "/v3/connections?page[number]=2"],
        "/v3/connections/{connection_id}": [f"/v3/connections/{connection}", "/v3/connections/nobody"],
        "/v3/webhooks": ["/v3/webhooks", "/v3/webhooks?page[number]=x"],
        "/v3/webhooks/{webhook_id}": ["/v3/webhooks/nobody"],
        "/v3/webhooks/{webhook_id}/deliveries": ["/v3/webhooks/nobody/deliveries"],
        "/v3/subscriptions": ["/v3/subscriptions"],
        "/v3/subscriptions/{subscription_id}": ["/v3/subscriptions/nobody"],
        "/v3/compatible-vehicles": ["/v3/compatible-vehicles", "/v3/compatible-vehicles?filter[region]=x"],
        "/v3/signals": ["/v3/signals?page[size]=1", "/v3/signals?page[cursor]=x"],
        "/fleet": ["/fleet", "/fleet?sort=-soc&filter[state]=idle", "/fleet?sort=x"],
        "/records": ["/records", "/records?filter[vehicleId]=nobody", "/records?zone=x"],
        "/vehicles/{vehicle_id}/records/edits": [f"/vehicles/{full.id}/records/edits", "/vehicles/nobody/records/edits"],
        **{f"/admin/{name}": [f"/admin/{name}"] for name in ("sources", "settings", "applications", "webhooks")},
        **{f"/admin/{name}": [f"/admin/{name}", f"/admin/{name}?page[size]=0"] for name in ("issues", "connections", "audit")},
        "/admin/webhooks/{webhook_id}/deliveries": ["/admin/webhooks/nobody/deliveries"],
        "/simulator": ["/simulator"],
        "/simulator/faults": ["/simulator/faults"],
        "/simulator/scenarios": ["/simulator/scenarios"],
        "/simulator/vehicles/{vehicle_id}": ["/simulator/vehicles/nobody"],
        "/healthz": ["/healthz"],
        "/readyz": ["/readyz"],
        "/openapi.json": ["/openapi.json"],
    }
    described = {path for path, method, operation in OPERATIONS if method == "get" and _is_json(operation)}
    assert {path for path in described if f"/v3{path}" not in described} == paths.keys(), "every kind of answer is looked at"
    narrow = await world.application(frozenset())
    wrong = []
    for template, asked in paths.items():
        for path in asked:
            for headers in (app.headers, narrow.headers, {}):
                response = await world.client.get(path, headers=headers)
                wrong += [f"{path}: {found}" for found in _misfits(template, "get", response)]
    assert not wrong, "\n".join(wrong)


async def test_every_answer_to_what_is_sent_fits_its_schema(world: World, app: Client, full: Vehicle) -> None:
    good = {"vehicle": full.id, "signal": "charge-voltage", "body": {"value": 1}}
    readings = [[good], [good, {}], [{}], 7, "", [good | {"signal": "x"}]]
    answers = [await world.client.post("/ingest/readings", json=each, headers=app.headers) for each in readings]
    assert {answer.status_code for answer in answers} == {200, 400, 422}
    wrong = [found for answer in answers for found in _misfits("/ingest/readings", "post", answer)]
    grant = {"grant_type": "client_credentials", "client_id": app.id}
    tokens = [grant | {"client_secret": app.secret}, grant | {"client_secret": "x"}, grant, {}]
    answers = [await world.client.post("/oauth2/token", data=each) for each in tokens]
    assert {answer.status_code for answer in answers} == {200, 400, 401}
    wrong += [found for answer in answers for found in _misfits("/oauth2/token", "post", answer)]
    assert not wrong, "\n".join(wrong)


def _is_json(operation: dict[str, Any]) -> bool:
    return "application/json" in operation["responses"].get("200", {}).get("content", {})


def _misfits(template: str, method: str, response: httpx.Response) -> list[str]:
    described = DOCUMENT["paths"][template][method]["responses"]
    if str(response.status_code) not in described:
        return [f"{response.status_code} is not described"]
    return problems(described[str(response.status_code)]["content"]["application/json"]["schema"], response.json())


@pytest.mark.parametrize(
    ("read", "pattern", "text"),
    [
        *((instants.instant, instants.INSTANT_PATTERN, text) for text in (
            "0", "1777629598000", "177762959800", "2026-05-01", "2026-5-1", "2026-13-01", "2026-05-01T10:00Z", "now", "",
            "2026-05-01T10:00", "2026-05-01t10:00:00,5z", "2026-05-01T10:00:00+0200", "2026-05-01T10:00:00 02:00", "-1", "1e12",
            "2026-05-01T24:00Z", "1969-05-01", "999999999999999", "\u0662\u0660\u0662\u0666-05-01", "2026-05-01T10:00:00Z ",
        )),
        *((instants.duration_ms, instants.DURATION_PATTERN, text) for text in (
            "PT15M", "P1D", "P1W", "P1DT2H", "PT1H30M", "PT90S", "pt15m", "15", "P1M", "PT1.5H", "-PT1H", "P1Y", "",
        )),
    ],
)  # fmt: skip
def test_the_patterns_of_times_say_what_is_taken(read: Callable[[str, str], int], pattern: str, text: str) -> None:
    try:
        read("name", text)
    except Problem:
        is_taken = False
    else:
        is_taken = True
    assert (re.search(pattern, text) is not None) == is_taken


def test_every_time_list_and_cursor_in_a_query_has_its_pattern() -> None:
    names = {"at", "from", "to", "filter[from]", "filter[to]", "resolution", "page[cursor]", "filter[code]", "filter[group]"}
    shown = [each for methods in DOCUMENT["paths"].values() for one in methods.values() for each in one["parameters"]]
    of_these = [each for each in shown if each["name"] in names]
    assert {each["name"] for each in of_these} == names
    assert all("pattern" in each["schema"] for each in of_these)
