"""The audit log: each deed is recorded with it or not at all, what happens all the time is counted, and it is bounded."""

import uuid

import pytest

from chargeport.errors import ConflictError, NotFoundError
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.definition import Permission
from chargeport.signals.reading import Reading
from chargeport.store.audit import Act, Actor, AuditEntry, AuditFilter, acting
from chargeport.store.protocols import Store
from chargeport.store.records import Application, Connection, Page, Vehicle
from chargeport.store.sign_in import PageSession, ShareLink, User
from chargeport.store.webhooks import Webhook, WebhookFields

T0 = 1_777_629_598_000
DAY_MS = 86_400_000
VIN = "WVWZZZ00000000001"
APP = Application(
    client_id="client_a", name="Charts", permissions=frozenset({Permission.READ_CHARGE}), management_token="cpm_x"
)
CAR = Vehicle(id="5ec2e700-0000-4000-8000-000000000001", vin=VIN, created_at=T0)


def at(time: int, name: str = "shell:ada", address: str = "192.0.2.1") -> Actor:
    return Actor(name, address, lambda: time)


async def log(store: Store, **wanted: str | int) -> list[AuditEntry]:
    return (await store.audit.entries(AuditFilter(**wanted), Page(1, 1000)))[0]


async def test_each_deed_is_recorded_with_who_what_when_and_from_where(store: Store) -> None:
    webhook = Webhook(
        id="w", client_id="client_a", created_at=T0, updated_at=T0,
        fields=WebhookFields(name="w", callback_uri="https://receiver.example/secret-path", triggers=(), data=()),
    )  # fmt: skip
    session = PageSession("s1", "Ada", "Firefox", "192.0.2.1", T0, T0, T0 + DAY_MS)
    with acting(at(T0)):
        await store.vehicles.add_vehicle(CAR)
        await store.vehicles.update_vehicle(CAR)
        await store.access.add_application(APP, b"hash")
        connection = Connection(
            id=str(uuid.uuid4()), client_id="client_a", user_id="owner", vehicle=CAR, permissions=APP.permissions, created_at=T0
        )
        await store.access.add_connection(connection)
        await store.access.add_token(b"t", "client_a", T0 + DAY_MS)
        await store.access.expire_tokens(T0, "client_a")
        await store.access.rotate_secret("client_a", b"other", "cpm_y")
        await store.connect.add_redirects("client_a", ["https://app.example/back"])
        await store.sign_in.put_user(User("Ada", "argon2-hash", T0))
        await store.sign_in.add_link(b"l", "Ada", T0 + 1)
        await store.sign_in.add_session(b"c", session)
        await store.sign_in.end_sessions(session_id="s1")
        await store.sign_in.add_share(b"v", ShareLink("client_share", "For Bob", T0))
        await store.sign_in.remove_share("client_share")
        await store.sessions.add_edit(CAR.id, T0, '{"type":"annotate","note":"at the cottage"}')
        await store.webhooks.put_webhook(webhook)
        await store.webhooks.remove_webhook("w")
        await store.readings.write([Reading(CAR.id, BY_CODE["charge-voltage"], 230.0, T0, T0, "box")])
        await store.readings.forget("box", CAR.id)
        await store.access.remove_connection(connection.id)
        await store.access.revoke_application("client_a", T0)
        await store.audit.add(Act.COMMAND_SENT, CAR.id, "charge-start")
    found = (await log(store))[::-1]
    assert [each.act for each in found] == [
        Act.VEHICLE_ADDED, Act.VEHICLE_EDITED, Act.APPLICATION_CREATED, Act.CONNECTION_SET, Act.TOKEN_ISSUED, Act.TOKENS_ENDED,
        Act.SECRETS_RENEWED, Act.APPLICATION_EDITED, Act.USER_SET, Act.LINK_MADE, Act.SIGNED_IN, Act.SESSIONS_ENDED,
        Act.SHARE_CREATED, Act.SHARE_ENDED, Act.RECORD_EDITED, Act.WEBHOOK_SET, Act.WEBHOOK_REMOVED, Act.SOURCE_FORGOTTEN,
        Act.CONNECTION_ENDED, Act.APPLICATION_REVOKED, Act.COMMAND_SENT,
    ]  # fmt: skip
    assert {(each.at, each.address) for each in found} == {(T0, "192.0.2.1")}
    by_act = {each.act: each for each in found}
    assert by_act[Act.VEHICLE_ADDED].subject == CAR.id
    assert by_act[Act.CONNECTION_SET].detail == "read_charge"
    assert by_act[Act.SOURCE_FORGOTTEN].detail == "box"
    assert by_act[Act.SIGNED_IN].actor == "user:Ada"
    assert by_act[Act.TOKEN_ISSUED].actor == "client_a"
    reported = str(found)
    assert not [secret for secret in (VIN, "cpm_", "argon2-hash", "cottage", "secret-path") if secret in reported]


async def test_what_is_not_done_is_not_recorded(store: Store) -> None:
    await store.vehicles.add_vehicle(CAR)
    before = await log(store)
    with pytest.raises(ConflictError):
        await store.vehicles.add_vehicle(Vehicle(id=str(uuid.uuid4()), vin=VIN))
    with pytest.raises(NotFoundError):
        await store.sessions.add_edit("nobody", T0, "{}")
    assert not await store.access.revoke_application("nobody", T0)
    assert not await store.access.remove_connection("nothing")
    assert await store.vehicles.remove_vehicle("nobody") is None
    assert not await store.sign_in.remove_share("nothing")
    assert await log(store) == before


async def test_what_happens_all_the_time_is_counted_by_day(store: Store) -> None:
    await store.access.add_application(APP, b"hash")
    noon = T0 - T0 % DAY_MS + DAY_MS // 2
    for number, time in enumerate((noon, noon + 1000, noon + DAY_MS)):
        with acting(at(time)):
            await store.access.add_token(b"%d" % number, "client_a", time + DAY_MS)
        await store.audit.count(
            {(Act.REQUESTS, at(time, "client_a", ""), ""): 10, (Act.REQUESTS, at(time, "client_b", ""), ""): 1}
        )
    tokens = await log(store, act="token.issued")
    assert [(each.count, each.at, each.last_at) for each in tokens] == [
        (1, noon + DAY_MS, noon + DAY_MS), (2, noon, noon + 1000),
    ]  # fmt: skip
    assert [each.count for each in await log(store, act="requests", actor="client_a")] == [10, 20]


async def test_entries_are_found_by_act_actor_subject_and_time_and_come_in_pages(store: Store) -> None:
    for number in range(5):
        with acting(at(T0 + number, f"user:{number % 2}")):
            await store.audit.add(Act.EXPORTED, CAR.id if number == 3 else "", str(number))
    assert [each.detail for each in await log(store, actor="user:1")] == ["3", "1"]
    assert [each.detail for each in await log(store, subject=CAR.id)] == ["3"]
    assert [each.detail for each in await log(store, from_at=T0 + 1, to_at=T0 + 4)] == ["3", "2", "1"]
    assert await log(store, act="vehicle.erased") == []
    part, total = await store.audit.entries(AuditFilter(), Page(2, 2))
    assert ([each.detail for each in part], total) == (["2", "1"], 5)


async def test_what_is_too_old_or_too_much_goes(store: Store) -> None:
    for number in range(10):
        with acting(at(T0 + number * DAY_MS)):
            await store.audit.add(Act.EXPORTED, "", str(number))
    assert await store.audit.prune(T0 + 3 * DAY_MS, 5) == 5
    assert [each.detail for each in await log(store)] == ["9", "8", "7", "6", "5"]


async def test_what_is_erased_is_not_named_any_more(store: Store) -> None:
    with acting(at(T0, "user:Ada")):
        await store.vehicles.add_vehicle(CAR)
        await store.sign_in.put_user(User("Ada", None, T0))
        await store.vehicles.remove_vehicle(CAR.id)
        await store.sign_in.remove_user("Ada")
    found = await log(store)
    assert CAR.id not in str(found)
    assert [(each.act, each.actor) for each in found] == [
        (Act.USER_ERASED, "user:"), (Act.VEHICLE_ERASED, "user:"), (Act.USER_SET, "user:"), (Act.VEHICLE_ADDED, "user:"),
    ]  # fmt: skip
    assert found[1].detail == "names 2, audited 1"
