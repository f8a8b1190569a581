"""Connect: a person signs in, chooses vehicles for an application, and comes back with a code that is exchanged for tokens."""

import base64
import hashlib
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from chargeport.signals.definition import Permission
from chargeport.store.audit import Act, AuditFilter
from chargeport.store.records import Page, Vehicle, user_uuid_of
from world import Client, World

BACK = "http://127.0.0.1:9/back"
NAME, PASSWORD = "ann", "correct horse battery"
VERIFIER = "v" * 50
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture
async def asking(world: World) -> Client:
    """An application that people are sent back to."""
    await world.service.sign_in.add_user(NAME)
    await world.service.sign_in.set_password(NAME, PASSWORD)
    client = await world.application(connected_only=True, name="Charts <b>")
    await world.store.connect.add_redirects(client.id, [BACK, "scabc://exchange"])
    return client


def query(client: Client, **more: str | None) -> dict[str, str]:
    asked = {
        "response_type": "code",
        "client_id": client.id,
        "redirect_uri": BACK,
        "scope": "read_charge read_vin",
        "state": "s 1",
    }
    return {name: value for name, value in (asked | more).items() if value is not None}


async def shown(world: World, asked: dict[str, str], **headers: str) -> httpx.Response:
    return await world.client.get("/oauth/authorize", params=asked, headers=headers)


async def sent(world: World, asked: dict[str, str], **form: Any) -> httpx.Response:
    return await world.client.post("/oauth/authorize", params=asked, data=form)


async def sign_in(world: World, asked: dict[str, str]) -> None:
    answer = await sent(world, asked, action="sign-in", name=NAME, password=PASSWORD)
    assert answer.status_code == 303, answer.text
    assert urlsplit(answer.headers["location"]).path == "/oauth/authorize"


def parameters_of(answer: httpx.Response, address: str = BACK) -> dict[str, str]:
    """What the application is told in the address to which the person is sent back."""
    assert answer.status_code == 303, answer.text
    parts = urlsplit(answer.headers["location"])
    assert parts._replace(query="").geturl() == address
    return {name: value for name, (value,) in parse_qs(parts.query).items()}


async def code_for(world: World, client: Client, car: Vehicle, **more: str) -> str:
    asked = query(client, **more)
    await sign_in(world, asked)
    answer = await sent(world, asked, action="allow", vehicle=car.id, permission=["read_charge", "read_vin"])
    return parameters_of(answer)["code"]


async def exchange(world: World, client: Client, status: int = 200, **body: str) -> dict[str, Any]:
    answer = await world.client.post("/oauth/token", data=body, auth=(client.id, client.secret))
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_person_chooses_one_of_two_cars_and_the_code_reads_it_and_no_other(world: World, asking: Client) -> None:
    mine, other = await world.car(vin="WVWZZZE1ZMP040404"), await world.car()
    asked = query(asking)
    assert "Sign in" in (await shown(world, asked)).text
    await sign_in(world, asked)
    page = (await shown(world, asked)).text
    assert mine.id in page
    assert other.id in page
    assert "Charts &lt;b&gt;" in page
    answer = await sent(world, asked, action="allow", vehicle=mine.id, permission=["read_charge", "read_vin"])
    back = parameters_of(answer)
    assert (back["state"], back["user_id"]) == ("s 1", user_uuid_of(NAME))
    tokens = await exchange(world, asking, grant_type="authorization_code", code=back["code"], redirect_uri=BACK)
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 3600)
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    vin = await world.client.get(f"/v3/vehicles/{mine.id}/signals/vehicleidentification-vin", headers=headers)
    assert vin.json()["data"]["attributes"]["body"] == {"value": "WVWZZZE1ZMP040404"}
    assert (await world.client.get(f"/v3/vehicles/{other.id}", headers=headers)).status_code == 404
    (connection,) = (await world.client.get("/v3/connections", headers=headers)).json()["data"]
    assert connection["attributes"]["permissions"] == ["read_charge", "read_vin"]
    assert connection["attributes"]["user"]["id"] == back["user_id"]


async def test_who_lets_an_application_read_a_car_is_in_the_audit_log(world: World, asking: Client, car: Vehicle) -> None:
    asked = query(asking)
    await sign_in(world, asked)
    parameters_of(await sent(world, asked, action="allow", vehicle=car.id, permission=["read_charge"]))
    found, _ = await world.store.audit.entries(AuditFilter(), Page(1, 100))
    who = {each.act: (each.actor, each.address) for each in found if each.act in (Act.CONNECTION_SET, Act.CONSENT_GIVEN)}
    assert who == dict.fromkeys((Act.CONNECTION_SET, Act.CONSENT_GIVEN), (f"user:{NAME}", "203.0.113.9"))


async def test_a_refresh_token_is_good_once_and_a_second_use_ends_everything(
    world: World, asking: Client, car: Vehicle
) -> None:
    code = await code_for(world, asking, car)
    first = await exchange(world, asking, grant_type="authorization_code", code=code)
    second = await exchange(world, asking, grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert second["refresh_token"] != first["refresh_token"]
    refused = await exchange(world, asking, 400, grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert refused["error"] == "invalid_grant"
    assert refused["error_description"]
    await exchange(world, asking, 400, grant_type="refresh_token", refresh_token=second["refresh_token"])
    world.clock.move(2)
    headers = {"Authorization": f"Bearer {second['access_token']}"}
    assert (await world.client.get("/v3/connections", headers=headers)).status_code == 401


async def test_a_code_is_good_once_for_ten_minutes_and_for_its_application(world: World, asking: Client, car: Vehicle) -> None:
    code = await code_for(world, asking, car)
    other = await world.application()
    await exchange(world, other, 400, grant_type="authorization_code", code=code)
    await exchange(world, asking, 400, grant_type="authorization_code", code=code, redirect_uri="scabc://exchange")
    await exchange(world, asking, 400, grant_type="refresh_token", refresh_token=code)
    await exchange(world, asking, grant_type="authorization_code", code=code)
    assert (await exchange(world, asking, 400, grant_type="authorization_code", code=code))["error"] == "invalid_grant"
    late = await code_for(world, asking, car)
    world.clock.move(601)
    await exchange(world, asking, 400, grant_type="authorization_code", code=late)


async def test_a_code_with_a_challenge_needs_its_verifier(world: World, asking: Client, car: Vehicle) -> None:
    code = await code_for(world, asking, car, code_challenge=CHALLENGE, code_challenge_method="S256")
    for wrong in ({}, {"code_verifier": "w" * 50}, {"code_verifier": CHALLENGE}):
        await exchange(world, asking, 400, grant_type="authorization_code", code=code, **wrong)
    await exchange(world, asking, grant_type="authorization_code", code=code, code_verifier=VERIFIER)
    plain = await code_for(world, asking, car)
    await exchange(world, asking, 400, grant_type="authorization_code", code=plain, code_verifier=VERIFIER)


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": None}, "unsupported_response_type"),
        ({"mode": "test"}, "invalid_request"),
        ({"code_challenge": CHALLENGE}, "invalid_request"),
        ({"code_challenge": "short", "code_challenge_method": "S256"}, "invalid_request"),
        ({"scope": "read_odometer"}, "invalid_scope"),
    ],
)
async def test_what_is_wrong_is_reported_to_the_application(world: World, asking: Client, more: Any, error: str) -> None:
    back = parameters_of(await shown(world, query(asking, **more)))
    assert (back["error"], back["state"]) == (error, "s 1")
    assert back["error_description"]


@pytest.mark.parametrize(
    "more", [{"redirect_uri": f"{BACK}/x"}, {"redirect_uri": None}, {"client_id": "client_x"}, {"client_id": None}]
)
async def test_nobody_is_sent_to_an_address_that_is_not_registered(world: World, asking: Client, more: Any) -> None:
    answer = await shown(world, query(asking, **more))
    assert answer.status_code == 400
    assert "location" not in answer.headers


async def test_a_denial_is_reported_and_connects_nothing(world: World, asking: Client, car: Vehicle) -> None:
    asked = query(asking, redirect_uri="scabc://exchange")
    await sign_in(world, asked)
    answer = await sent(world, asked, action="deny", vehicle=car.id, permission="read_charge")
    assert parameters_of(answer, "scabc://exchange")["error"] == "access_denied"
    assert (await world.store.access.connections(Page(), asking.id))[1] == 0


async def test_without_a_session_nothing_is_connected(world: World, asking: Client, car: Vehicle) -> None:
    asked = query(asking)
    answer = await sent(world, asked, action="allow", vehicle=car.id, permission="read_charge")
    assert (answer.status_code, "Sign in" in answer.text) == (200, True)
    wrong = await sent(world, asked, action="sign-in", name=NAME, password="another")
    assert (wrong.status_code, "password is wrong" in wrong.text) == (401, True)
    assert (await world.store.access.connections(Page(), asking.id))[1] == 0


async def test_a_form_of_another_site_is_refused(world: World, asking: Client, car: Vehicle) -> None:
    asked = query(asking)
    await sign_in(world, asked)
    form = {"action": "allow", "vehicle": car.id, "permission": "read_charge"}
    foreign = ({"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}, {"origin": "null"})
    for headers in foreign:  # `null` is what a frame without an origin of its own sends
        answer = await world.client.post("/oauth/authorize", params=asked, data=form, headers=headers)
        assert answer.status_code == 403
    assert (await world.store.access.connections(Page(), asking.id))[1] == 0


async def test_a_browser_sends_the_forms_of_the_page_with_their_origin(world: World, asking: Client) -> None:
    shown_page = await shown(world, query(asking))
    assert shown_page.headers.get_list("referrer-policy") == ["same-origin"], "with no-referrer it would send null"
    form = {"action": "sign-in", "name": NAME, "password": PASSWORD}
    own = {"origin": "http://cars.test"}
    assert (await world.client.post("/oauth/authorize", params=query(asking), data=form, headers=own)).status_code == 303


async def test_whoever_comes_from_another_site_is_asked_for_the_session_once_more(world: World, asking: Client) -> None:
    page = (await shown(world, query(asking), **{"sec-fetch-site": "cross-site"})).text
    assert re.search(r'http-equiv="refresh" content="0"', page)


@pytest.mark.parametrize(("response_type", "member"), [("none", None), ("vehicle_id", "vehicle_id")])
async def test_without_a_code_the_user_comes_back(
    world: World, asking: Client, car: Vehicle, response_type: str, member: str | None
) -> None:
    asked = query(asking, response_type=response_type, external_id="owner 7", application_id=asking.id, client_id=None)
    await sign_in(world, asked)
    back = parameters_of(await sent(world, asked, action="allow", vehicle=car.id, permission="read_charge"))
    assert (back["user_id"], back["external_id"]) == (user_uuid_of("owner 7"), "owner 7")
    assert "code" not in back
    assert member is None or back[member] == car.id


async def test_what_is_required_stays_and_nothing_beyond_the_request_is_granted(
    world: World, asking: Client, car: Vehicle
) -> None:
    asked = query(asking, scope="required:read_vin read_charge control_charge")
    await sign_in(world, asked)
    answer = await sent(world, asked, action="allow", vehicle=car.id, permission=["read_battery", "write_readings"])
    assert "code" in parameters_of(answer)
    (connection,) = (await world.store.access.connections(Page(), asking.id))[0]
    assert connection.permissions == {Permission.READ_VIN}


async def test_only_vehicles_that_fit_can_be_chosen(world: World, asking: Client) -> None:
    tesla = await world.car(make="Tesla")
    simulated = await world.car(make="Tesla", mode="simulated")
    other = await world.car()
    asked = query(asking, make="TESLA", mode="live", single_select="true")
    await sign_in(world, asked)
    page = (await shown(world, asked)).text
    assert (tesla.id in page, simulated.id in page, other.id in page) == (True, False, False)
    assert 'type="radio"' in page
    again = await sent(world, asked, action="allow", vehicle=other.id, permission="read_charge")
    assert (again.status_code, "Choose one vehicle" in again.text) == (400, True)


async def test_a_persons_token_shows_that_persons_vehicles_and_manages_nothing(world: World, asking: Client) -> None:
    mine, others = await world.car(model="Mine"), await world.car(model="Another's")
    every = await world.application(name="Sees every car")
    await world.store.connect.add_redirects(every.id, [BACK])
    theirs = await world.connect(every, others, "bob")
    code = await code_for(world, every, mine)
    tokens = await exchange(world, every, grant_type="authorization_code", code=code)
    renewed = await exchange(world, every, grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    for token in (tokens, renewed):
        headers = {"Authorization": f"Bearer {token['access_token']}"}

        async def ask(path: str, headers: dict[str, str] = headers, **more: str) -> httpx.Response:
            return await world.client.get(f"/v3{path}", headers=headers | more)

        assert [each["id"] for each in (await ask("/vehicles")).json()["data"]] == [mine.id]
        (connection,) = (await ask("/connections")).json()["data"]
        assert connection["relationships"]["vehicle"]["data"]["id"] == mine.id
        assert (await ask("/connections?filter[user.externalId]=bob")).json()["data"] == []
        assert (await ask(f"/vehicles/{others.id}/signals")).status_code == 404
        assert (await ask(f"/vehicles/{others.id}", **{"sc-user-id": theirs.user_uuid})).status_code == 404
        assert (await ask(f"/connections/{theirs.id}")).status_code == 404
        assert (await ask("/webhooks")).status_code == 403
        fleet = (await world.client.get("/fleet", headers=headers)).json()["data"]
        assert [each["id"] for each in fleet] == [mine.id]
        write = await world.client.post("/ingest/readings", headers=headers, json={"vehicle": mine.id, "signals": {}})
        assert write.status_code == 403
