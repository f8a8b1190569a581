"""`POST /oauth2/token`: client credentials in, as each client writes them; a token or an error of OAuth out."""

import base64
import gzip
import hashlib
import json
from typing import Any
from urllib.parse import quote, urlencode

import apsw
import httpx
import pytest

from answers import typed_error
from world import Client, World, bearer

FORM = "application/x-www-form-urlencoded"
GRANT = {"grant_type": "client_credentials"}


def basic(client_id: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()


def credentials(client: Client) -> dict[str, str]:
    return GRANT | {"client_id": client.id, "client_secret": client.secret}


async def post(world: World, content: bytes | str, kind: str | None = FORM, **headers: str) -> httpx.Response:
    sent = ({} if kind is None else {"Content-Type": kind}) | {name.replace("_", "-"): value for name, value in headers.items()}
    return await world.client.post("/oauth2/token", content=content, headers=sent)


def refusal(response: httpx.Response, status: int, error: str) -> dict[str, Any]:
    """The error in OAuth's form, beside our own: a client of either kind understands it."""
    body = typed_error(response, status)
    assert body["error"] == error
    assert body["error_description"] == body["description"]
    assert response.headers["pragma"] == "no-cache"
    return body


async def test_every_form_in_which_clients_send_their_credentials_gives_a_token(world: World, app: Client) -> None:
    given = credentials(app)
    ways = [
        await post(world, json.dumps(given), "application/json"),
        await post(world, json.dumps(given), "application/json; charset=utf-8"),
        await post(world, json.dumps(given), None),
        await post(world, json.dumps(given), FORM),
        await post(world, urlencode(given)),
        await post(world, urlencode(given), None),
        await post(world, urlencode(GRANT), authorization=basic(app.id, app.secret)),
        await post(world, urlencode(GRANT), authorization=basic(app.id, app.secret).replace("Basic", "bAsIc")),
        await post(world, json.dumps(GRANT), "application/json", authorization=basic(quote(app.id), quote(app.secret))),
        await post(world, urlencode(given), authorization="Bearer an old token"),
        await post(world, gzip.compress(urlencode(given).encode()), content_encoding="gzip"),
    ]
    tokens = set()
    for response in ways:
        assert response.status_code == 200, response.text
        body = response.json()
        assert body.keys() == {"access_token", "token_type", "expires_in"}
        assert (body["token_type"], body["expires_in"]) == ("Bearer", 3600)
        assert response.headers["pragma"] == "no-cache"
        tokens.add(body["access_token"])
        answer = await world.client.get("/v3/vehicles", headers=bearer(body["access_token"]))
        assert answer.status_code == 200
    assert len(tokens) == len(ways), "each is a new one"


async def test_whoever_gets_a_new_token_may_use_the_old_one_on(world: World, app: Client) -> None:
    await post(world, urlencode(credentials(app)))
    assert (await world.client.get("/v3/vehicles", headers=app.headers)).status_code == 200


async def test_wrong_credentials_are_refused_alike_whatever_is_wrong(world: World, app: Client) -> None:
    revoked = await world.application()
    await world.store.access.revoke_application(revoked.id, 1)
    rotated = await world.application()
    await world.store.access.rotate_secret(rotated.id, hashlib.sha256(b"new").digest(), "cpm")
    pairs = [
        (app.id, "wrong"), (app.id, app.secret[:-1]), (app.id, app.secret + " "), ("client_unknown", app.secret),
        (app.id.upper(), app.secret), (revoked.id, revoked.secret), (rotated.id, rotated.secret), (app.id + "\x00", app.secret),
        (app.id, revoked.secret), ("' OR 1=1 --", app.secret),
    ]  # fmt: skip
    reported = set()
    for client_id, secret in pairs:
        for response in (
            await post(world, urlencode(GRANT | {"client_id": client_id, "client_secret": secret})),
            await post(world, urlencode(GRANT), authorization=basic(client_id, secret)),
        ):
            reported.add(refusal(response, 401, "invalid_client")["description"])
            assert response.headers["www-authenticate"].startswith("Basic")
    assert len(reported) == 1
    assert (await post(world, urlencode(GRANT | {"client_id": rotated.id, "client_secret": "new"}))).status_code == 200


@pytest.mark.parametrize("grant", ["implicit", "password", "Client_Credentials", "client_credentials "])
async def test_another_grant_is_named_as_not_supported(world: World, app: Client, grant: str) -> None:
    response = await post(world, urlencode(credentials(app) | {"grant_type": grant}))
    refusal(response, 400, "unsupported_grant_type")


@pytest.mark.parametrize(("grant", "missing"), [("authorization_code", "code"), ("refresh_token", "refresh_token")])
async def test_a_grant_of_consent_needs_what_it_is_about(world: World, app: Client, grant: str, missing: str) -> None:
    response = await post(world, urlencode(credentials(app) | {"grant_type": grant}))
    assert f"{missing} is missing" in refusal(response, 400, "invalid_request")["description"]


@pytest.mark.parametrize("missing", ["grant_type", "client_id", "client_secret"])
async def test_what_is_missing_is_named(world: World, app: Client, missing: str) -> None:
    given = {name: value for name, value in credentials(app).items() if name != missing}
    for response in (await post(world, urlencode(given)), await post(world, json.dumps(given), "application/json")):
        assert missing in refusal(response, 400, "invalid_request")["description"]


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"not gzip", {"content_encoding": "gzip"}, 400),
        (b"x", {"content_encoding": "br"}, 415),
        (b"x" * 20_000, {}, 413),
        (b"\xff", {}, 400),
    ],
)
async def test_a_body_that_can_not_be_read_is_an_error_of_oauth_too(
    world: World, content: bytes, headers: dict[str, str], status: int
) -> None:
    refusal(await post(world, content, **headers), status, "invalid_request")


async def test_no_secret_and_no_token_is_stored_in_plain_text(world: World, app: Client) -> None:
    token = (await post(world, urlencode(credentials(app)))).json()["access_token"]
    database = apsw.Connection(str(world.database))
    dump = b"".join(
        bytes(cell) if isinstance(cell, bytes) else str(cell).encode()
        for table in ("applications", "tokens")
        for row in database.execute(f"SELECT * FROM {table}")
        for cell in row
    )
    assert app.id.encode() in dump
    for secret in (token, app.secret, app.headers["Authorization"].removeprefix("Bearer ")):
        assert secret.encode() not in dump
        assert len(secret) >= 43, "256 bits"
    database.close()
