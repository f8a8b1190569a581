"""The page for those who come from Smartcar says of each method of its SDKs what is so."""

import asyncio
import hashlib
import hmac
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from sdk_calls import node_calls, origins, python_calls

from chargeport.api.access import Access
from chargeport.api.consents import Consents
from chargeport.clock import SystemClock
from chargeport.signals.definition import Permission
from chargeport.store.records import Connection, user_uuid_of
from chargeport.store.sqlite import SqliteStore
from servers import demo

pytestmark = pytest.mark.service

PAGE: Final = Path(__file__).parents[2] / "docs" / "from-smartcar.md"
BACK: Final = "http://127.0.0.1:9/back"
ROW: Final = re.compile(r"^\| `([\w.]+)` \| (works|differs|not served) \| .+ \|$", re.MULTILINE)


async def prepared(database: Path, car: str) -> dict[str, Any]:
    """An application with a person's consent, made beside the running server: what the SDKs are given."""
    store, clock = SqliteStore.open(database), SystemClock()
    access = Access(store, clock)
    application, secret = await access.register("Charts", frozenset(Permission), connected_only=True)
    await store.connect.add_redirects(application.client_id, [BACK])
    vehicle = await store.vehicles.vehicle(car)
    assert vehicle is not None
    await store.access.add_connection(
        Connection(id="c", client_id=application.client_id, user_id="ann", vehicle=vehicle, permissions=frozenset(Permission),
                   created_at=clock.now())
    )  # fmt: skip
    consents, user = Consents(store, access, clock), user_uuid_of("ann")
    codes = [await consents.code(application.client_id, BACK, None, user) for _ in range(4)]
    refresh = [(await consents.by_code(application, code, BACK, None))[1] for code in codes[2:]]
    token = await access.issue_token(application, user_uuid=user)
    await store.close()
    payload = '{"eventType":"VEHICLE_STATE"}'
    signature = hmac.new(application.management_token.encode(), payload.encode(), hashlib.sha256).hexdigest()
    return {
        "car": car, "token": token, "client_id": application.client_id, "client_secret": secret, "back": BACK,
        "codes": codes, "refresh": refresh, "key": application.management_token, "payload": payload, "signature": signature,
    }  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, Any]]]:
    database = tmp_path_factory.mktemp("demo") / "demo.db"
    with demo("--vehicles", "1", "--database", str(database)) as answers_of:
        yield answers_of["url"], asyncio.run(prepared(database, answers_of["vehicles"][0]["id"]))


def answers_of(section: str) -> dict[str, str]:
    """What the page says of each method below a heading."""
    text = PAGE.read_text("utf-8").split(f"\n## {section}\n", 1)[1].split("\n## ", 1)[0]
    return dict(ROW.findall(text))


@pytest.mark.parametrize(
    ("section", "calls"), [("Methods of the Python SDK", python_calls), ("Methods of the Node SDK", node_calls)]
)
def test_each_method_does_what_the_page_says(
    section: str, calls: Callable[[str, dict[str, Any]], dict[str, Any]], server: tuple[str, dict[str, Any]]
) -> None:
    found = calls(*server)
    sent = answers_of(section)
    assert sent.keys() == found.keys()
    for method, came in found.items():
        match sent[method]:
            case "works":
                assert came == "answered", (method, came)
            case "differs":
                assert came == "refused", (method, came)
            case _:
                assert came == [404, "RESOURCE_NOT_FOUND", "INVALID_PATH"], (method, came)


def test_the_page_names_every_variable_that_the_sdks_read() -> None:
    text = PAGE.read_text("utf-8")
    assert [name for name in (*origins(""), "SMARTCAR_AUTH_ORIGIN") if f"`{name}`" not in text] == []
