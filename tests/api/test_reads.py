"""The two signal reads: every value, every absence, and what each reader may see of them.

Each test runs twice: on the fast path, and on the router alone.
"""

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from answers import detail, typed_error
from chargeport.errors import SettingError
from chargeport.settings import ServerSettings
from chargeport.signals.catalogue import BY_CODE, CATALOGUE
from chargeport.signals.definition import Cadence, Kind, Permission
from chargeport.signals.reading import AbsenceReason
from chargeport.signals.state import LIVE_FOR_MS
from chargeport.store.records import Vehicle
from world import EVERYTHING, HEARD_MS, HOST, READING, T0, World, ask, raw_headers

CODES = sorted(signal.code for signal in CATALOGUE)
LIVE = [signal.code for signal in CATALOGUE if signal.cadence is Cadence.LIVE]
OVER = [code for code in LIVE if code != "charge-ischarging"]
LASTING = [signal.code for signal in CATALOGUE if signal.cadence is Cadence.LASTING]
PLACED = ["charge-chargelimits", "charge-chargetimers", "charge-chargerecords"]
HOME = ["Home", "123 2nd street", "123 Main St, London", "123 Park Lane, London SW1A 1AA", "51.5014", "latitude", "longitude"]

Element = dict[str, Any]


@pytest.fixture
async def subject(either: World) -> Vehicle:
    return await either.car("0b0c6b0e-1b5e-4d6e-9b3f-2f8f5f2a7c11", aliases=("WVWZZZ00000000001",))


async def get(world: World, path: str, headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
    if headers is None:
        headers = (await world.application()).headers
    return await world.client.get(path, headers=headers, **more)


async def one(world: World, car: Vehicle, code: str, headers: dict[str, str] | None = None) -> Element:
    response = await get(world, f"/v3/vehicles/{car.id}/signals/{code}", headers)
    assert response.status_code == 200, response.text
    element: Element = response.json()["data"]
    listed = {each["id"]: each for each in await everything(world, car, headers)}
    assert listed[code] == element, "the list says of a signal what the signal says of itself"
    return element


async def everything(world: World, car: Vehicle, headers: dict[str, str] | None = None) -> list[Element]:
    response = await get(world, f"/v3/vehicles/{car.id}/signals", headers)
    assert response.status_code == 200, response.text
    found: list[Element] = response.json()["data"]
    return found


def iso(at: int) -> str:
    return f"2026-05-0{1 + (at - T0 + 35_998_000) // 86_400_000}T" + _clock((at - T0 + 35_998_000) % 86_400_000)


def _clock(ms: int) -> str:
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}.{ms % 1000:03}Z"


# Values


@pytest.mark.parametrize("code", CODES)
async def test_a_value_is_answered_whole(either: World, subject: Vehicle, code: str) -> None:
    await either.report(subject, code, BY_CODE[code].example)
    response = await get(either, f"/v3/vehicles/{subject.id}/signals/{code}")
    path = f"{HOST}/v3/vehicles/{subject.id}"
    signal = BY_CODE[code]
    meta = {"retrievedAt": iso(T0 + HEARD_MS), "oemUpdatedAt": iso(T0), "ingestedAt": iso(T0 + HEARD_MS), "source": "box"}
    if signal.cadence is Cadence.LIVE:
        meta["staleAt"] = iso(T0 + LIVE_FOR_MS)
    assert response.json() == {
        "data": {
            "id": code,
            "type": "signal",
            "attributes": {
                "code": code,
                "name": signal.name,
                "group": signal.group,
                "status": {"value": "SUCCESS"},
                "body": signal.example,
            },
            "meta": meta,
            "links": {"self": f"{path}/signals/{code}", "values": f"{path}/signals/{code}/values"},
        },
        "included": {
            "vehicle": {
                "id": subject.id,
                "type": "vehicle",
                "attributes": {"make": "ACME", "model": "Bolt One", "year": 2026, "powertrainType": "BEV", "mode": "live"},
                "links": {"self": path},
            }
        },
    }


async def test_the_list_has_all_that_is_known_by_code_on_one_page(either: World, subject: Vehicle) -> None:
    await either.report_all(subject)
    path = f"/v3/vehicles/{subject.id}/signals"
    document = (await get(either, path)).json()
    assert [element["id"] for element in document["data"]] == CODES
    assert document["meta"] == {"totalCount": len(CATALOGUE), "pageSize": len(CATALOGUE), "pageNumber": 1}
    assert document["links"] == {"self": HOST + path}
    assert document["included"]["vehicle"]["id"] == subject.id


async def test_a_car_of_which_nothing_is_known_has_an_empty_list(either: World, subject: Vehicle) -> None:
    document = (await get(either, f"/vehicles/{subject.id}/signals")).json()
    assert (document["data"], document["meta"]) == ([], {"totalCount": 0, "pageSize": 0, "pageNumber": 1})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (80.0, "80"), (10.70, "10.7"), (0, "0"), (-0.0, "0"), (0.1 + 0.2, "0.30000000000000004"), (1e-7, "1e-7"),
        (0.00005, "0.00005"), (2999.999999, "2999.999999"), (1 / 3, "0.3333333333333333"), (3e3, "3000"),
    ],
)  # fmt: skip
async def test_numbers_are_written_as_javascript_writes_them(either: World, subject: Vehicle, value: float, text: str) -> None:
    await either.report(subject, "charge-amperage", {"value": value})
    response = await get(either, f"/v3/vehicles/{subject.id}/signals/charge-amperage")
    assert f'"body":{{"value":{text},"unit":"ampere"}}' in response.text


async def test_documents_are_compact_too_and_letters_stand_as_they_are(either: World, subject: Vehicle) -> None:
    place = {"name": 'Größe "7"', "latitude": 52.0, "longitude": 4.25}
    limits = {"values": [{"type": "LOCATION", "limit": 80.0, "condition": place}]}
    await either.report(subject, "charge-chargelimits", limits)
    text = (await get(either, f"/v3/vehicles/{subject.id}/signals/charge-chargelimits")).text
    assert (
        '"body":{"values":[{"type":"LOCATION","limit":80,'
        '"condition":{"name":"Größe \\"7\\"","latitude":52,"longitude":4.25}}],"unit":"percent"}' in text
    )
    assert json.dumps(json.loads(text), separators=(",", ":"), ensure_ascii=False) == text


async def test_what_nobody_reported_of_a_car_is_null(either: World) -> None:
    car = await either.car(make=None, model=None, year=None, powertrain=None)
    await either.report(car, "charge-ischarging", {"value": True})
    document = (await get(either, f"/v3/vehicles/{car.id}/signals/charge-ischarging")).json()
    nothing = {"make": None, "model": None, "year": None, "powertrainType": None, "mode": "live"}
    assert document["included"]["vehicle"]["attributes"] == nothing


# Absences


@pytest.mark.parametrize("path", ["/signals", "/signals/charge-voltage", "/signals/charge-nothing", "", "/coverage"])
async def test_an_unknown_vehicle_is_404_for_every_read(either: World, path: str) -> None:
    for vehicle in ("0b0c6b0e-1b5e-4d6e-9b3f-2f8f5f2a7c11", "nobody", "WVWZZZ00000000001", "a" * 300):
        typed_error(await get(either, f"/v3/vehicles/{vehicle}{path}"), 404, "RESOURCE_NOT_FOUND/VEHICLE_NOT_FOUND")


async def test_a_vehicle_is_read_by_its_id_alone_not_by_its_vin(either: World, subject: Vehicle) -> None:
    typed_error(await get(either, f"/v3/vehicles/{subject.vin}/signals"), 404, "RESOURCE_NOT_FOUND/VEHICLE_NOT_FOUND")


@pytest.mark.parametrize("code", ["charge-nothing", "Charge-Voltage", "charge-voltage ", "voltage", "charge-voltage\n", "é"])
async def test_a_code_that_is_no_signal_is_404_and_points_to_the_list(either: World, subject: Vehicle, code: str) -> None:
    headers = raw_headers((await either.application()).headers)
    response = await ask(either.app, f"/v3/vehicles/{subject.id}/signals/{code}", headers)
    assert "/docs" in detail(response, 404, "RESOURCE_NOT_FOUND/SIGNAL_NOT_FOUND")


async def test_a_signal_that_was_never_reported_is_404_with_the_reason(either: World, subject: Vehicle) -> None:
    for code in CODES:
        response = await get(either, f"/v3/vehicles/{subject.id}/signals/{code}")
        sent = detail(response, 404, "RESOURCE_NOT_FOUND/SIGNAL_NOT_FOUND")
        assert code in sent
        assert "never reported" in sent


@pytest.mark.parametrize(
    ("reason", "kind", "code", "resolution"),
    [
        (AbsenceReason.NOT_CAPABLE, "COMPATIBILITY", "VEHICLE_NOT_CAPABLE", "UNKNOWN_RESOLUTION_TYPE"),
        (AbsenceReason.NOT_PERMITTED, "PERMISSION", "UNKNOWN", "REAUTHENTICATE"),
        (AbsenceReason.NOT_CHARGING, "VEHICLE_STATE", "NOT_CHARGING", "UNKNOWN_RESOLUTION_TYPE"),
        (AbsenceReason.UNREACHABLE, "VEHICLE_STATE", "UNREACHABLE", "RETRY_LATER"),
        (AbsenceReason.UNREADABLE, "UPSTREAM", "INVALID_DATA", "RETRY_LATER"),
        (AbsenceReason.SOURCE_FAILED, "SERVER", "INTERNAL", "RETRY_LATER"),
    ],
)
async def test_a_known_absence_is_200_with_its_error(
    either: World, subject: Vehicle, *, reason: AbsenceReason, kind: str, code: str, resolution: str
) -> None:
    await either.absent(subject, "charge-amperagemax", reason)
    element = await one(either, subject, "charge-amperagemax")
    assert element["attributes"].keys() == {"code", "name", "group", "status"}, "there was never a body"
    status = element["attributes"]["status"]
    error = status["error"]
    assert (status["value"], error["type"], error["code"]) == ("ERROR", kind, code)
    assert error.keys() == {"type", "code", "title", "detail", "description", "resolution"}
    assert error["resolution"] == {"type": resolution}
    assert error["detail"] == error["description"]
    assert element["meta"] == {"ingestedAt": iso(T0 + HEARD_MS), "source": "box"}


@pytest.mark.parametrize(
    ("reason", "kept"),
    [
        (AbsenceReason.NOT_CAPABLE, False), (AbsenceReason.NOT_PERMITTED, False), (AbsenceReason.NOT_CHARGING, True),
        (AbsenceReason.UNREACHABLE, True), (AbsenceReason.UNREADABLE, True), (AbsenceReason.SOURCE_FAILED, True),
    ],
)  # fmt: skip
async def test_an_error_keeps_the_last_body_with_its_old_times_where_smartcar_does(
    either: World, subject: Vehicle, reason: AbsenceReason, kept: bool
) -> None:
    await either.report(subject, "charge-amperagemax", {"value": 16})
    await either.absent(subject, "charge-amperagemax", reason, T0 + 5000)
    element = await one(either, subject, "charge-amperagemax")
    assert element["attributes"]["status"]["value"] == "ERROR"
    assert element["attributes"].get("body") == ({"value": 16, "unit": "ampere"} if kept else None)
    assert element["meta"].get("oemUpdatedAt") == (iso(T0) if kept else None)
    assert element["meta"]["ingestedAt"] == iso(T0 + 5000 + HEARD_MS)


async def test_a_value_after_an_absence_is_valid_again(either: World, subject: Vehicle) -> None:
    await either.absent(subject, "charge-amperagemax", AbsenceReason.UNREACHABLE)
    await either.report(subject, "charge-amperagemax", {"value": 16}, T0 + 1)
    assert (await one(either, subject, "charge-amperagemax"))["attributes"]["status"] == {"value": "SUCCESS"}


@pytest.mark.parametrize("code", OVER)
async def test_a_live_value_whose_session_is_over_is_not_charging(either: World, subject: Vehicle, code: str) -> None:
    body = BY_CODE[code].example
    await either.report(subject, "charge-ischarging", {"value": True})
    await either.report(subject, code, body)
    assert (await one(either, subject, code))["attributes"]["status"] == {"value": "SUCCESS"}
    await either.report(subject, "charge-ischarging", {"value": False}, T0 + 60_000)
    element = await one(either, subject, code)
    error = element["attributes"]["status"]["error"]
    assert (error["type"], error["code"]) == ("VEHICLE_STATE", "NOT_CHARGING")
    assert element["attributes"]["body"] == body
    assert (element["meta"]["oemUpdatedAt"], element["meta"]["retrievedAt"]) == (iso(T0), iso(T0 + HEARD_MS))
    assert element["meta"]["ingestedAt"] == iso(T0 + 60_000 + HEARD_MS)
    assert (await one(either, subject, "charge-ischarging"))["attributes"]["body"] == {"value": False}


async def test_a_fresh_live_value_after_the_session_is_believed(either: World, subject: Vehicle) -> None:
    await either.report(subject, "charge-wattage", {"value": 7200})
    await either.report(subject, "charge-ischarging", {"value": False}, T0 + 1000)
    await either.report(subject, "charge-wattage", {"value": 0}, T0 + 1001)
    element = await one(either, subject, "charge-wattage")
    assert (element["attributes"]["status"], element["attributes"]["body"]["value"]) == ({"value": "SUCCESS"}, 0)


@pytest.mark.parametrize("code", LIVE)
async def test_a_live_value_is_unreachable_from_its_stale_at_on(either: World, subject: Vehicle, code: str) -> None:
    await either.report(subject, code, BY_CODE[code].example)
    either.clock.move((LIVE_FOR_MS - 1) / 1000)
    element = await one(either, subject, code)
    assert element["attributes"]["status"] == {"value": "SUCCESS"}
    stale_at = element["meta"]["staleAt"]
    either.clock.move(0.001)
    assert iso(either.clock.now()) == stale_at
    element = await one(either, subject, code)
    error = element["attributes"]["status"]["error"]
    assert (error["type"], error["code"]) == ("VEHICLE_STATE", "UNREACHABLE")
    assert element["attributes"]["body"] == BY_CODE[code].example
    assert (element["meta"]["oemUpdatedAt"], element["meta"]["retrievedAt"]) == (iso(T0), iso(T0 + HEARD_MS))


@pytest.mark.parametrize("code", LASTING)
async def test_what_lasts_is_never_stale(either: World, subject: Vehicle, code: str) -> None:
    await either.report(subject, code, BY_CODE[code].example)
    await either.report(subject, "charge-ischarging", {"value": False}, T0 + 1)
    either.clock.move(3000)
    before = await one(either, subject, code)
    assert before["attributes"]["status"] == {"value": "SUCCESS"}
    assert "staleAt" not in before["meta"]
    either.clock.move(10 * 365 * 86_400)
    assert await one(either, subject, code) == before


# Permissions


@pytest.mark.parametrize("code", CODES)
async def test_a_signal_needs_its_permission(either: World, subject: Vehicle, code: str) -> None:
    await either.report_all(subject)
    needed = BY_CODE[code].permission
    narrow = await either.application(EVERYTHING - {needed})
    response = await get(either, f"/v3/vehicles/{subject.id}/signals/{code}", narrow.headers)
    body = typed_error(response, 403)
    assert (body["type"], body["resolution"]) == ("PERMISSION", {"type": "REAUTHENTICATE"})
    assert str(needed) in body["description"]
    for element in await everything(either, subject, narrow.headers):
        status = element["attributes"]["status"]
        if BY_CODE[element["id"]].permission is needed:
            assert (status["value"], status["error"]["type"]) == ("ERROR", "PERMISSION")
            assert status["error"]["resolution"] == {"type": "REAUTHENTICATE"}
            assert "body" not in element["attributes"]
            assert element["meta"] == {}, "not even who told it, or when"
        else:
            assert status == {"value": "SUCCESS"}


async def test_a_signal_that_is_not_permitted_says_the_same_whatever_is_known_of_it(either: World, subject: Vehicle) -> None:
    narrow = await either.application(frozenset())
    path = f"/v3/vehicles/{subject.id}/signals/charge-voltage"
    never = await get(either, path, narrow.headers)
    await either.absent(subject, "charge-voltage", AbsenceReason.NOT_CAPABLE)
    absent = await get(either, path, narrow.headers)
    assert detail(never, 403) == detail(absent, 403)
    (element,) = await everything(either, subject, narrow.headers)
    assert element["attributes"]["status"]["error"]["type"] == "PERMISSION"
    assert element["meta"] == {}


@pytest.mark.parametrize("code", PLACED)
async def test_places_are_for_those_who_may_see_them(either: World, subject: Vehicle, code: str) -> None:
    body = BY_CODE[code].example
    await either.report(subject, code, body)
    assert (await one(either, subject, code))["attributes"]["body"] == body
    narrow = await either.application(EVERYTHING - {Permission.READ_CHARGE_LOCATIONS})
    shown = (await one(either, subject, code, narrow.headers))["attributes"]["body"]
    text = json.dumps(shown)
    assert not [place for place in HOME if place in text]
    assert len(shown["values"]) == len(body["values"]), "entries stay, places go"
    assert _leaves(shown) == _leaves(body) - {"name", "address", "latitude", "longitude"}


def _leaves(part: Any) -> set[str]:
    """The names of all members that hold a value."""
    if isinstance(part, list):
        return set().union(*map(_leaves, part)) if part else set()
    if isinstance(part, dict):
        return {name for name, member in part.items() if not isinstance(member, dict)}.union(*map(_leaves, part.values()))
    return set()


async def test_an_error_that_keeps_its_body_keeps_no_place_in_it(either: World, subject: Vehicle) -> None:
    await either.report(subject, "charge-chargelimits", BY_CODE["charge-chargelimits"].example)
    await either.absent(subject, "charge-chargelimits", AbsenceReason.UNREACHABLE, T0 + 1)
    narrow = await either.application(EVERYTHING - {Permission.READ_CHARGE_LOCATIONS})
    element = await one(either, subject, "charge-chargelimits", narrow.headers)
    assert element["attributes"]["body"]["activeLimit"] == 80
    assert not [place for place in HOME if place in json.dumps(element)]


async def test_an_application_for_connected_vehicles_sees_no_other(either: World, subject: Vehicle) -> None:
    other = await either.car()
    await either.report_all(subject)
    await either.report_all(other)
    client = await either.application(connected_only=True)
    connection = await either.connect(client, subject, permissions=frozenset({Permission.READ_CHARGE}))
    mine = await everything(either, subject, client.headers)
    readable = [each["id"] for each in mine if each["attributes"]["status"]["value"] == "SUCCESS"]
    assert readable == [code for code in CODES if BY_CODE[code].permission is Permission.READ_CHARGE]
    for path in ("", "/signals", "/signals/charge-voltage", "/coverage"):
        foreign, unknown = [
            await get(either, f"/v3/vehicles/{vehicle}{path}", client.headers)
            for vehicle in (other.id, "0b0c6b0e-0000-4d6e-9b3f-2f8f5f2a7c11")
        ]
        assert detail(foreign, 404, "RESOURCE_NOT_FOUND/VEHICLE_NOT_FOUND") == detail(unknown, 404)
    await either.store.access.remove_connection(connection.id)
    typed_error(await get(either, f"/v3/vehicles/{subject.id}/signals", client.headers), 404)


async def test_a_connection_gives_no_more_than_the_application_has(either: World, subject: Vehicle) -> None:
    await either.report_all(subject)
    client = await either.application(frozenset({Permission.READ_BATTERY}), connected_only=True)
    await either.connect(client, subject, permissions=EVERYTHING)
    typed_error(await get(either, f"/v3/vehicles/{subject.id}/signals/charge-voltage", client.headers), 403)
    assert (await one(either, subject, "tractionbattery-range", client.headers))["attributes"]["status"]["value"] == "SUCCESS"


@pytest.mark.parametrize("connected_only", [False, True])
async def test_a_user_in_sc_user_id_sees_with_his_own_connection(either: World, subject: Vehicle, connected_only: bool) -> None:
    await either.report_all(subject)
    client = await either.application(connected_only=connected_only)
    await either.connect(client, subject, "driver", frozenset({Permission.READ_BATTERY}))
    await either.connect(client, subject, "owner", READING)
    path = f"/v3/vehicles/{subject.id}/signals/charge-voltage"
    assert (await get(either, path, client.headers | {"sc-user-id": "owner"})).status_code == 200
    typed_error(await get(either, path, client.headers | {"sc-user-id": "driver"}), 403)
    for nobody in ("nobody", "", "OWNER"):
        response = await get(either, path, client.headers | {"sc-user-id": nobody})
        assert "user" in detail(response, 404, "RESOURCE_NOT_FOUND/VEHICLE_NOT_FOUND")


# Asking again


async def test_an_unchanged_answer_is_304(either: World, subject: Vehicle) -> None:
    await either.report(subject, "charge-wattage", {"value": 7200})
    headers = (await either.application()).headers
    for path in (f"/vehicles/{subject.id}/signals", f"/vehicles/{subject.id}/signals/charge-wattage"):
        first = await get(either, path, headers)
        tag = first.headers["etag"]
        assert re.fullmatch(r'"[0-9a-f]{24,64}"', tag)
        for matching in (tag, f"W/{tag}", "*", f'"other", {tag}', f'{tag},"other"', f'  {tag}  ,W/"x"'):
            again = await get(either, path, headers | {"If-None-Match": matching})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
            for name in ("cache-control", "vary", "sc-request-id"):
                assert name in again.headers
        for other in ('"other"', tag.strip('"'), f'"{tag}"', "", tag.upper(), f"w/{tag}", f'"*", {tag[:-2]}"'):
            again = await get(either, path, headers | {"If-None-Match": other})
            assert (again.status_code, again.text) == (200, first.text)


async def test_the_tag_changes_with_the_content(either: World, subject: Vehicle) -> None:
    everyone, narrow = await either.application(), await either.application(EVERYTHING - {Permission.READ_BATTERY})
    path = f"/vehicles/{subject.id}/signals"
    await either.report_all(subject)
    tags = [(await get(either, path, everyone.headers)).headers["etag"]]
    assert (await get(either, path, everyone.headers)).headers["etag"] == tags[0], "not with each request"
    tags.append((await get(either, path, narrow.headers)).headers["etag"])
    await either.report(subject, "charge-wattage", {"value": 1}, T0 + 1)
    tags.append((await get(either, path, everyone.headers)).headers["etag"])
    either.clock.move(3000)
    tags.append((await get(either, path, everyone.headers)).headers["etag"])
    tags.append((await get(either, path, everyone.headers | {"Host": "other.test"})).headers["etag"])
    assert len(set(tags)) == len(tags)


async def test_an_error_has_no_tag(either: World, subject: Vehicle) -> None:
    response = await get(either, f"/vehicles/{subject.id}/signals/charge-wattage", None)
    assert response.status_code == 404
    assert "etag" not in response.headers
    headers = (await either.application()).headers | {"If-None-Match": "*"}
    assert (await get(either, f"/vehicles/{subject.id}/signals/charge-wattage", headers)).status_code == 404


# Pages and filters


@pytest.mark.parametrize("size", [1, 5, 7, 24, 25])
async def test_pages_follow_their_links_to_the_end_and_back(either: World, subject: Vehicle, size: int) -> None:
    await either.report_all(subject)
    headers = (await either.application()).headers
    first: str | None = f"{HOST}/v3/vehicles/{subject.id}/signals?page[size]={size}"
    seen: list[str] = []
    pages: list[dict[str, Any]] = []
    at = first
    while at is not None:
        page = (await get(either, at, headers)).json()
        seen += [element["id"] for element in page["data"]]
        pages.append(page)
        at = page["links"]["next"]
    assert seen == CODES
    assert len(pages) == -(-len(CATALOGUE) // size)
    for number, page in enumerate(pages, 1):
        assert page["meta"] == {"totalCount": len(CATALOGUE), "pageSize": size, "pageNumber": number}
        assert page["links"]["first"] == pages[0]["links"]["self"]
        assert page["links"]["last"] == pages[-1]["links"]["self"]
    assert pages[0]["links"]["prev"] is None
    for before, after in pairwise(pages):
        assert after["links"]["prev"] == before["links"]["self"]


async def test_a_page_behind_the_last_is_empty_and_leads_back(either: World, subject: Vehicle) -> None:
    await either.report_all(subject)
    page = (await get(either, f"/v3/vehicles/{subject.id}/signals?page[number]=9&page[size]=10")).json()
    assert (page["data"], page["links"]["next"]) == ([], None)
    assert dict(parse_qsl(urlsplit(page["links"]["prev"]).query)) == {"page[number]": "3", "page[size]": "10"}


NO_PAGES = ["0", "-1", "", " ", "x", "1.5", "1e1", "+1", "0x1", "1" * 40, "25000000000", "\u0663", "\x00", "1,2"]


@pytest.mark.parametrize("name", ["page[number]", "page[size]"])
async def test_a_page_that_is_no_whole_number_is_400(either: World, subject: Vehicle, name: str) -> None:
    headers = (await either.application()).headers
    for path in (f"/v3/vehicles/{subject.id}/signals", "/v3/vehicles", "/v3/connections"):
        for value in NO_PAGES:
            response = await get(either, path, headers, params={name: value})
            assert name in detail(response, 400, "VALIDATION/INVALID_INPUT_FORMAT")


async def test_filters_choose_by_code_and_by_group_and_stay_in_the_links(either: World, subject: Vehicle) -> None:
    await either.report_all(subject)
    path = f"/v3/vehicles/{subject.id}/signals"

    async def chosen(**query: str) -> list[str]:
        names = {"group": "filter[group]", "code": "filter[code]"}
        response = await get(either, path, params={names[name]: value for name, value in query.items()})
        assert response.status_code == 200, response.text
        return [element["id"] for element in response.json()["data"]]

    battery = [code for code in CODES if code.startswith("tractionbattery")]
    assert await chosen(group="TractionBattery") == battery
    assert await chosen(group="tractionbattery, CHARGE") == [
        code for code in CODES if BY_CODE[code].group in ("TractionBattery", "Charge")
    ]
    assert await chosen(code="charge-wattage,charge-amperage") == ["charge-amperage", "charge-wattage"]
    assert await chosen(code="charge-wattage,tractionbattery-range", group="Charge") == ["charge-wattage"]
    assert await chosen(code="charge-wattage", group="TractionBattery") == []
    paged = (await get(either, path, params={"filter[group]": "Charge", "page[size]": "5"})).json()
    assert paged["meta"]["totalCount"] == sum(signal.group == "Charge" for signal in CATALOGUE)
    query = dict(parse_qsl(urlsplit(paged["links"]["next"]).query))
    assert query == {"filter[group]": "Charge", "page[number]": "2", "page[size]": "5"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("filter[code]", "charge-nothing"), ("filter[code]", ""), ("filter[code]", "charge-wattage,"), ("filter[code]", "*"),
        ("filter[group]", "Tires"), ("filter[group]", ""), ("filter[group]", "Charge,,"), ("filter[code]", "\x00"),
    ],
)  # fmt: skip
async def test_a_filter_that_names_nothing_known_is_400(either: World, subject: Vehicle, name: str, value: str) -> None:
    response = await get(either, f"/v3/vehicles/{subject.id}/signals", params={name: value})
    assert name in detail(response, 400, "VALIDATION/INVALID_INPUT_FORMAT")


# What links start with


async def base_of(
    world: World, car: Vehicle, *headers: tuple[bytes, bytes], client: str = "203.0.113.9", scheme: str = "http"
) -> str:
    own = raw_headers((await world.application()).headers)
    path = f"/v3/vehicles/{car.id}"
    response = await ask(world.app, f"{path}/signals", [*headers, *own], client=client, scheme=scheme)
    document = response.json()
    link = str(document["links"]["self"])
    assert document["included"]["vehicle"]["links"]["self"] == link.removesuffix("/signals")
    return link.removesuffix(f"{path}/signals")


@pytest.mark.parametrize(
    "host", ["cars.example.org", "cars.example.org:8080", "127.0.0.1:1", "[::1]:8080", "[::1]", "a-b_c.test", "LOCALHOST"]
)
async def test_links_start_with_the_host_of_the_request(either: World, subject: Vehicle, host: str) -> None:
    assert await base_of(either, subject, (b"host", host.encode())) == f"http://{host}"
    assert await base_of(either, subject, (b"host", host.encode()), scheme="https") == f"https://{host}"


@pytest.mark.parametrize(
    "host",
    [
        b"", b'"><script>alert(1)</script>', b'a","data":[],"x":"', b"a/b", b"a@b", b"a b", b"a\x00b", b"a\r\nset-cookie: x=1",
        b"\xff\xfe", b"a\\b", b"a?b", b"a#b", b"a:b", b"a:123456", b"[::1", b"::1]", b"x" * 254, b"a.test, b.test",
        b"\xc3\xbc.test", b"a.test\n",
    ],
)  # fmt: skip
async def test_a_host_that_is_no_host_is_never_repeated(either: World, subject: Vehicle, host: bytes) -> None:
    assert await base_of(either, subject, (b"host", host)) == "http://localhost"
    refused = await ask(either.app, "/v3/vehicles", [(b"host", host)])
    assert typed_error(refused, 401)["docURL"].startswith("http://localhost/docs/errors#")


async def test_without_any_host_links_still_are_urls(either: World, subject: Vehicle) -> None:
    assert await base_of(either, subject) == "http://localhost"


@pytest.fixture
def proxied(tmp_path: Path) -> World:
    """Behind proxies that are trusted by address and by network."""
    trusted = ServerSettings(trusted_proxies=["127.0.0.1", "10.1.0.0/16", "fd00::/8"])
    return World.open(tmp_path, server=trusted)


@pytest.mark.parametrize(
    ("client", "trusted"),
    [
        ("127.0.0.1", True), ("10.1.255.255", True), ("fd00::7", True), ("::ffff:10.1.0.5", True), ("10.2.0.1", False),
        ("203.0.113.9", False), ("::1", False), ("::ffff:10.2.0.1", False), ("unix", False), ("", False),
    ],
)  # fmt: skip
async def test_a_forwarded_host_is_believed_from_trusted_proxies_only(proxied: World, client: str, trusted: bool) -> None:
    car = await proxied.car()
    forwarded = ((b"host", b"inner:8080"), (b"x-forwarded-host", b"cars.example.org"), (b"x-forwarded-proto", b"https"))
    expected = "https://cars.example.org" if trusted else "http://inner:8080"
    assert await base_of(proxied, car, *forwarded, client=client) == expected
    await proxied.close()


async def test_a_trusted_proxy_passes_on_no_nonsense(proxied: World) -> None:
    car = await proxied.car()
    for host, proto, expected in (
        (b"first.test, second.test", b"https, http", "https://first.test"),
        (b'"evil"', b"https", "https://localhost"),
        (b"good.test", b"javascript", "http://good.test"),
        (b"good.test", b"", "http://good.test"),
    ):
        forwarded = ((b"host", b"inner"), (b"x-forwarded-host", host), (b"x-forwarded-proto", proto))
        assert await base_of(proxied, car, *forwarded, client="127.0.0.1") == expected
    await proxied.close()


async def test_the_setting_goes_before_every_header(tmp_path: Path) -> None:
    settings = ServerSettings(base_url="https://cars.example.org/charge/", trusted_proxies=["127.0.0.1"])
    fixed = World.open(tmp_path, server=settings)
    forwarded = ((b"host", b"inner"), (b"x-forwarded-host", b"other.test"))
    assert await base_of(fixed, await fixed.car(), *forwarded, client="127.0.0.1") == "https://cars.example.org/charge"
    await fixed.close()


@pytest.mark.parametrize(
    "settings",
    [
        *[
            ServerSettings(base_url=url)
            for url in ("cars.test", "ftp://cars.test", "https://", 'http://a"b', "http://a/b?c", "")
        ],
        *[ServerSettings(trusted_proxies=[proxy]) for proxy in ("proxy.test", "10.0.0.0/33", "", "*")],
    ],
)
async def test_a_setting_that_is_no_url_and_a_proxy_that_is_no_address_stop_the_start(
    tmp_path: Path, settings: ServerSettings
) -> None:
    with pytest.raises(SettingError, match=r"server\.(base_url|trusted_proxies)"):
        World.open(tmp_path, server=settings)


def test_every_signal_is_of_a_kind_that_these_tests_know() -> None:
    assert {signal.kind for signal in CATALOGUE} == set(Kind)
    assert set(PLACED) == {signal.code for signal in CATALOGUE if signal.has_places}
    assert OVER
