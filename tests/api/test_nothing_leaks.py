"""What the server says of itself: its log at every level, metrics, errors and recordings hold no secret, VIN or place."""

import json
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from chargeport.api.access import new_secret
from chargeport.settings import IngestSettings
from chargeport.store.records import Vehicle
from world import Client, World, bearer

VIN = "WVWZZZE1ZKP054321"
LATITUDE, LONGITUDE = 52.518611, 13.376111
PLACES = ("52.5186", "13.3761")
PASSWORD = "correct horse battery"
GUESS = new_secret("cps_")
SIGNATURE = "a" * 64


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    opened = World.open(tmp_path, ingest=IngestSettings(record=str(tmp_path / "recordings")))
    await opened.service.feeds.start([])
    yield opened
    await opened.service.feeds.close()
    await opened.close()


@pytest.fixture
async def named(world: World, app: Client) -> Vehicle:
    return await world.car(vin=VIN, aliases=("Grandma's car",))


Call = tuple[str, str, dict[str, Any]]


async def secrets_of(world: World, app: Client, car: Vehicle) -> dict[str, str]:
    """One of everything that opens something."""
    sign_in = world.service.sign_in
    await sign_in.add_user("joe")
    await sign_in.set_password("joe", PASSWORD)
    share, _ = await sign_in.share(car, "a friend", None)
    return {
        "secret": app.secret, "management": app.application.management_token, "guess": GUESS[4:], "password": PASSWORD,
        "token": app.headers["Authorization"].removeprefix("Bearer "), "link": await sign_in.link("joe"), "share": share,
        "signature": SIGNATURE,
    }  # fmt: skip


def signing_in(client_id: str, known: dict[str, str]) -> Iterator[Call]:
    """Every way to show a secret, with the right one and with a guess."""
    page = {"X-Chargeport-Page": "1", "Origin": "http://cars.test"}
    for secret in (known["secret"], GUESS):
        form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
        yield "/oauth2/token", "POST", {"json": form}
        yield "/oauth/token", "POST", {"json": {**form, "grant_type": "authorization_code", "code": secret}}
    link, password = {"link": known["link"]}, {"name": "joe", "password": PASSWORD}
    for document in (link, link, password, {**password, "password": GUESS}):
        yield "/session", "POST", {"json": document, "headers": page}
    for document in ({"share": known["share"]}, {"share": GUESS}):
        yield "/session/token", "POST", {"json": document, "headers": page}
    for token in (known["token"], f"cpt_{GUESS[4:]}"):
        for path in ("/vehicles", f"/vehicles/{VIN}", f"/vehicles/{VIN}/signals"):
            yield path, "GET", {"headers": bearer(token)}


def telling(car: Vehicle, app: Client) -> Iterator[Call]:
    """Every way to tell of a car and where it is, rightly and wrongly."""
    place = {"latitude": LATITUDE, "longitude": LONGITUDE}
    for body in (place, {**place, "heading": "x" * 300}, {**place, "latitude": 900 + LATITUDE}):
        for name in (VIN, car.id, VIN.replace("Z", "Y")):
            item = {"vehicle": name, "signal": "location-preciselocation", "body": body}
            yield "/ingest/readings", "POST", {"json": [item], "headers": app.headers}
    for payload in ({"vin": VIN, "Location": place}, {"vin": VIN, "token": app.secret, "Nonsense": place}, "{"):
        for dialect in ("tesla", "tesla_rest", "home_assistant"):
            yield f"/ingest/{dialect}?vehicle={VIN}", "POST", {"content": json.dumps(payload), "headers": app.headers}
    yield "/ingest/smartcar", "POST", {"json": {"eventType": "VEHICLE_STATE"}, "headers": {"SC-Signature": SIGNATURE}}
    codes = ["charge-voltage"]
    hook = {"name": "x", "callbackUri": f"https://127.0.0.1/{GUESS}", "triggers": codes, "data": codes}
    yield "/webhooks", "POST", {"json": {"data": {"attributes": hook}}, "headers": app.headers}


def logged(caplog: pytest.LogCaptureFixture) -> str:
    """What the server logged, tracebacks too; the client of the tests logs for itself."""
    ours = [each for each in caplog.records if each.name.partition(".")[0] not in ("httpx", "httpcore")]
    return "\n".join(logging.Formatter().format(each) for each in ours)


async def test_no_log_metric_error_or_recording_has_a_secret_a_vin_or_a_place(
    world: World, app: Client, named: Vehicle, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise KeyError("of ours")

    known, errors = await secrets_of(world, app, named), []
    with caplog.at_level(logging.DEBUG):
        for path, method, more in (*signing_in(app.id, known), *telling(named, app)):
            response = await world.client.request(method, path, **more)
            errors += [] if response.is_success else [response.text]
        monkeypatch.setattr(world.store.readings, "signals", broken)
        crash = await world.client.get(f"/v3/vehicles/{named.id}/signals?filter[code]=charge-voltage", headers=app.headers)
    assert crash.status_code == 500
    texts = {
        "log": logged(caplog),
        "metrics": (await world.client.get("/metrics")).text,
        "recordings": "\n".join(file.read_text() for file in world.database.with_name("recordings").iterdir()),
        "errors": "\n".join([*errors, crash.text]),
    }
    assert "Traceback" in texts["log"], "the crash is told to who runs the server"
    assert "latitude" in texts["recordings"], "something was recorded"
    assert len(errors) > 10
    for kind, text in texts.items():
        personal = [] if kind == "errors" else [VIN, "Grandma", *PLACES]  # an error answers whoever sent the VIN
        assert [each for each in (*known.values(), *personal) if each in text] == [], kind
