"""Webhooks from end to end: made over the API, verified, told of changes, retried, listed and sent again."""

import asyncio
import hashlib
import hmac
import json
from typing import Any

import pytest

from answers import detail, typed_error
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.definition import Permission
from chargeport.signals.reading import AbsenceReason, Reading
from chargeport.store.records import Outcome, Vehicle
from chargeport.store.sqlite import SqliteStore
from webhook_receiver import Made, Receiver, pump
from world import HEARD_MS, T0, Client, World, bearer

CHARGING = "charge-ischarging"
VOLTAGE = "charge-voltage"


async def charged(world: World, car: Vehicle, at: int = T0, *, charging: bool = True) -> None:
    await world.report(car, VOLTAGE, {"value": 230}, at)
    await world.report(car, CHARGING, {"value": charging}, at)


async def attributes(world: World, app: Client, webhook_id: str) -> dict[str, Any]:
    found = await world.client.get(f"/v3/webhooks/{webhook_id}", headers=app.headers)
    attributes: dict[str, Any] = found.json()["data"]["attributes"]
    return attributes


async def test_the_first_delivery_and_each_change_of_a_trigger_are_sent_with_all_signals(
    world: World, app: Client, car: Vehicle, receiver: Receiver, webhook: Made
) -> None:
    await webhook()
    await charged(world, car, charging=False)
    await pump(world)
    (first,) = receiver.events()
    assert first["triggers"] == [{"type": "FIRST_DELIVERY", "name": "FIRST_DELIVERY"}]
    await world.report(car, VOLTAGE, {"value": 231}, T0 + 1000)
    await pump(world)
    assert len(receiver.events()) == 1, "the voltage is no trigger"
    await world.report(car, CHARGING, {"value": True}, T0 + 2000)
    await pump(world)
    (_, event) = receiver.events()
    assert [each["signal"]["code"] for each in event["triggers"]] == [CHARGING]
    assert [each["code"] for each in event["data"]["triggers"]] == [CHARGING]
    assert [(each["code"], each["body"]["value"]) for each in event["data"]["signals"]] == [(CHARGING, True), (VOLTAGE, 231)]
    assert event["data"]["signals"][0]["meta"] == {"oemUpdatedAt": T0 + 2000, "retrievedAt": T0 + 2250}
    assert event["vehicleId"] == event["data"]["vehicle"]["id"] == car.id
    assert event["meta"].items() >= {"version": "4.0", "mode": "LIVE", "signalCount": 2, "webhookName": "Home"}.items()


async def test_what_is_sent_is_signed_to_the_letter(
    world: World, app: Client, car: Vehicle, receiver: Receiver, webhook: Made
) -> None:
    await webhook()
    await charged(world, car)
    await pump(world)
    _, raw, headers = receiver.got[-1]
    assert headers["SC-Signature"] == hmac.new(receiver.key.encode(), raw, hashlib.sha256).hexdigest()
    assert raw == json.dumps(json.loads(raw), separators=(",", ":"), ensure_ascii=False).encode()


async def test_a_change_of_a_source_that_does_not_count_is_no_event(
    world: World, app: Client, car: Vehicle, receiver: Receiver, webhook: Made
) -> None:
    await webhook(triggers=[VOLTAGE])
    await charged(world, car, T0)
    await pump(world)
    before = len(receiver.events())
    await world.report(car, VOLTAGE, {"value": 199}, T0 - 60_000)  # older than what is known
    await pump(world)
    assert len(receiver.events()) == before


async def test_a_burst_is_one_event_that_names_each_trigger(
    world: World, app: Client, car: Vehicle, receiver: Receiver, webhook: Made
) -> None:
    await webhook(triggers=[CHARGING, VOLTAGE])
    await charged(world, car, T0, charging=False)
    await pump(world)
    await charged(world, car, T0 + 1000)
    await world.report(car, VOLTAGE, {"value": 240}, T0 + 1100)
    await pump(world)
    assert {each["signal"]["code"] for each in receiver.events()[-1]["triggers"]} == {CHARGING, VOLTAGE}
    assert len(receiver.events()) == 2


async def test_a_backlog_is_sent_burst_by_burst_and_once(
    world: World, app: Client, car: Vehicle, receiver: Receiver, webhook: Made
) -> None:
    await webhook(triggers=[VOLTAGE])
    await charged(world, car, T0)
    await pump(world)
    position = await world.store.readings.position()
    for number in range(1, 6):  # stored while nobody looked, as after a crash
        await world.report(car, VOLTAGE, {"value": 230 + number}, T0 + number * 1000)
    await world.report(car, VOLTAGE, {"value": 199}, T0 + 1500)  # late, and overtaken
    await pump(world)
    reported = [event["data"]["signals"][1]["body"]["value"] for event in receiver.events()]
    assert sorted(reported) == [230, 231, 232, 233, 234, 235]
    await world.store.notes.remember("webhooks", "cursor", str(position))  # a crash before the cursor was written
    await pump(world)
    assert len(receiver.events()) == len(reported)


async def test_a_value_that_ends_by_silence_is_an_event_and_an_error(
    world: World, app: Client, car: Vehicle, receiver: Receiver, webhook: Made
) -> None:
    await webhook()
    await charged(world, car)
    await pump(world)
    world.clock.move(2 * 3600)
    await pump(world)
    event = receiver.events()[-1]
    assert event["data"]["signals"][0]["status"]["error"]["code"] == "UNREACHABLE"
    (error,) = receiver.events("VEHICLE_ERROR")
    assert [(each["code"], each["state"]) for each in error["data"]["errors"]] == [("UNREACHABLE", "ERROR")]
    await charged(world, car, T0 + 2 * 3_600_000)
    await pump(world)
    resolved = receiver.events("VEHICLE_ERROR")[-1]
    assert [(each["code"], each["state"]) for each in resolved["data"]["errors"]] == [("UNREACHABLE", "RESOLVED")]


@pytest.mark.parametrize("is_restarted", [False, True], ids=["watching", "restarted meanwhile"])
async def test_a_value_that_another_process_confirms_after_its_silence_is_sent_as_valid_again(
    world: World, car: Vehicle, receiver: Receiver, webhook: Made, is_restarted: bool
) -> None:
    await webhook()
    await charged(world, car)
    await pump(world)
    watch = world.service.webhooks.watch
    watch.has_other_writers = True
    world.clock.move(2 * 3600)
    await pump(world)
    assert len(receiver.events("VEHICLE_ERROR")) == 1
    reported = len(receiver.events())
    await pump(world)
    assert len(receiver.events()) == reported, "looking tells nothing"
    other = SqliteStore.open(world.database)
    for code, value in ((VOLTAGE, 230), (CHARGING, True)):
        confirmed = Reading(car.id, BY_CODE[code], value, T0 + 2 * 3_600_000, T0 + 2 * 3_600_000 + HEARD_MS, "box")
        assert await other.readings.write([confirmed]) == [Outcome.UNCHANGED]
    await other.close()
    if is_restarted:
        watch._stale.clear()
        await watch.load_stale()
    await pump(world)
    assert [(each["code"], each["state"]) for each in receiver.events("VEHICLE_ERROR")[-1]["data"]["errors"]] == [
        ("UNREACHABLE", "RESOLVED")
    ]
    assert receiver.events()[-1]["data"]["signals"][0]["body"] == {"value": True}


async def test_an_absence_is_sent_without_a_body(
    world: World, app: Client, car: Vehicle, receiver: Receiver, webhook: Made
) -> None:
    await webhook(data=[CHARGING, "charge-chargerphases", "charge-energyadded"])
    await charged(world, car)
    await world.absent(car, "charge-chargerphases", AbsenceReason.NOT_CAPABLE)
    await pump(world)
    signals = {each["code"]: each for each in receiver.events()[-1]["data"]["signals"]}
    phases = signals["charge-chargerphases"]
    assert phases["status"]["error"]["code"] == "VEHICLE_NOT_CAPABLE"
    assert "body" not in phases
    assert signals["charge-energyadded"]["status"]["error"]["code"] == "SIGNAL_NOT_FOUND"
    assert b"null" not in receiver.got[-1][1]


async def test_a_failed_delivery_is_tried_again_with_the_same_event_id(
    world: World, app: Client, car: Vehicle, receiver: Receiver, webhook: Made
) -> None:
    made = await webhook()
    receiver.statuses = [500, 302]
    await charged(world, car)
    await pump(world)
    for seconds in (1, 2):
        world.clock.move(seconds)
        await pump(world)
    events = receiver.events()
    assert len({each["eventId"] for each in events}) == 1
    assert len({each["meta"]["deliveryId"] for each in events}) == 3
    log = await world.client.get(f"/v3/webhooks/{made['id']}/deliveries", headers=app.headers)
    (delivery,) = log.json()["data"]
    assert delivery["attributes"]["state"] == "delivered"
    assert [each["status"] for each in delivery["attributes"]["attempts"]] == [500, 302, 204]


async def test_an_attempt_that_ends_while_the_outbox_is_read_is_not_repeated_immediately(
    world: World, car: Vehicle, receiver: Receiver, webhook: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    await webhook()
    deliveries, outbox = world.service.webhooks.deliveries, world.store.webhooks
    due_events = outbox.due_events

    async def slow(*arguments: Any) -> Any:
        found = await due_events(*arguments)
        await deliveries.drain()
        return found

    receiver.statuses = [500]
    await world.report(car, "charge-ischarging", {"value": True}, at=world.clock.now())
    await world.service.webhooks.watch.step()
    await deliveries.step()
    monkeypatch.setattr(outbox, "due_events", slow)
    await deliveries.step()
    await deliveries.drain()
    assert len(receiver.events()) == 1
    world.clock.move(1)
    await pump(world)
    assert len(receiver.events()) == 2


async def test_a_pause_of_the_background_work_waits_for_the_answer_of_a_receiver(
    world: World, car: Vehicle, receiver: Receiver, webhook: Made
) -> None:
    await webhook()
    receiver.may_answer.clear()
    await world.report(car, "charge-ischarging", {"value": True}, at=world.clock.now())
    await world.service.webhooks.watch.step()
    await world.service.webhooks.deliveries.step()
    await receiver.arrived.wait()
    pausing = asyncio.create_task(world.service.pause())
    await asyncio.sleep(0)
    receiver.may_answer.set()
    await pausing
    assert await world.store.webhooks.due_webhooks() == {}, "it is delivered, and not to be sent again"


async def test_an_event_that_was_given_up_is_stored_and_can_be_sent_again(
    world: World, app: Client, car: Vehicle, receiver: Receiver, webhook: Made
) -> None:
    made = await webhook()
    receiver.statuses = [500] * 3
    await charged(world, car)
    for _ in range(3):
        await pump(world)
        world.clock.move(5)
    path = f"/v3/webhooks/{made['id']}/deliveries"
    (dead,) = (await world.client.get(f"{path}?filter[state]=dead", headers=app.headers)).json()["data"]
    again = await world.client.post(f"{path}/{dead['id']}/redeliver", headers=app.headers)
    assert again.status_code == 202
    await pump(world)
    assert len(receiver.events()) == 4
    (shown,) = (await world.client.get(path, headers=app.headers)).json()["data"]
    assert shown["attributes"]["state"] == "delivered"


async def test_nothing_but_verify_is_sent_before_it_is_answered(
    world: World, app: Client, car: Vehicle, receiver: Receiver, webhook: Made
) -> None:
    receiver.answers_challenges = False
    made = await webhook()
    await charged(world, car)
    await pump(world)
    assert {event["eventType"] for event, _, _ in receiver.got} == {"VERIFY"}
    reported = await attributes(world, app, made["id"])
    assert not reported["isVerified"]
    assert "HMAC-SHA256" in reported["reason"]
    receiver.answers_challenges = True
    verified = await world.client.post(f"/v3/webhooks/{made['id']}/verify", headers=app.headers)
    assert verified.json()["meta"]["verification"] == {"isVerified": True, "status": 200}
    await pump(world)
    assert receiver.events()[0]["triggers"][0]["type"] == "FIRST_DELIVERY"


async def test_a_receiver_that_fails_for_long_is_disabled_with_a_reason_and_can_be_enabled(
    world: World, app: Client, car: Vehicle, receiver: Receiver, webhook: Made
) -> None:
    made = await webhook()
    receiver.statuses = [410] * 50
    for hour in range(0, 24 * 7, 12):
        await charged(world, car, T0 + hour * 3_600_000, charging=hour % 24 == 0)
        await pump(world)
        world.clock.move(12 * 3600)
    app = app._replace(headers=bearer(await world.service.access.issue_token(app.application)))
    reported = await attributes(world, app, made["id"])
    assert not reported["isEnabled"]
    assert "no delivery has succeeded" in reported["reason"]
    receiver.statuses = []
    body = {"data": {"attributes": {"isEnabled": True}}}
    changed = await world.client.patch(f"/v3/webhooks/{made['id']}", json=body, headers=app.headers)
    assert changed.json()["data"]["attributes"]["isEnabled"]
    before = len(receiver.events())
    await pump(world)
    assert len(receiver.events()) > before


async def test_events_survive_a_restart(world: World, app: Client, car: Vehicle, receiver: Receiver, webhook: Made) -> None:
    await webhook()
    receiver.statuses = [500]
    await charged(world, car)
    await pump(world)
    assert [count for count, _ in (await world.store.webhooks.pending()).values()] == [1]
    assert list((await world.store.webhooks.due_webhooks()).values()) == [T0 + 1000]


async def test_an_application_that_may_not_see_a_signal_gets_that_error_alone(
    world: World, car: Vehicle, receiver: Receiver
) -> None:
    client = await world.application(frozenset({Permission.READ_CHARGE}))
    receiver.key = client.application.management_token
    body = {"data": {"attributes": {
        "name": "x", "callbackUri": receiver.url, "triggers": [VOLTAGE], "data": [VOLTAGE, "tractionbattery-stateofcharge"],
        "autoSubscribe": True,
    }}}  # fmt: skip
    made = (await world.client.post("/v3/webhooks", json=body, headers=client.headers)).json()["data"]
    assert made["attributes"]["name"] == "x"
    await world.service.webhooks.settle()
    await charged(world, car)
    await world.report(car, "tractionbattery-stateofcharge", {"value": 55})
    await pump(world)
    hidden = receiver.events()[-1]["data"]["signals"][1]
    assert hidden["status"] == {"value": "ERROR", "error": {"type": "PERMISSION"}}
    assert "body" not in hidden


async def test_of_a_signal_that_may_not_be_read_no_change_and_no_error_is_sent(
    world: World, car: Vehicle, receiver: Receiver
) -> None:
    client = await world.application(frozenset({Permission.READ_BATTERY}))
    receiver.key = client.application.management_token
    soc = "tractionbattery-stateofcharge"
    body = {"data": {"attributes": {
        "name": "x", "callbackUri": receiver.url, "triggers": [CHARGING, VOLTAGE, soc], "data": [CHARGING, VOLTAGE, soc],
        "autoSubscribe": True,
    }}}  # fmt: skip
    assert (await world.client.post("/v3/webhooks", json=body, headers=client.headers)).status_code == 201
    await world.service.webhooks.settle()
    await charged(world, car)
    await pump(world)
    assert receiver.events() == [], "nothing that it may read was reported"
    await world.report(car, soc, {"value": 55})
    await pump(world)
    (first,) = receiver.events()
    assert [each["status"]["value"] for each in first["data"]["signals"]] == ["ERROR", "ERROR", "SUCCESS"]
    await world.report(car, VOLTAGE, {"value": 231}, T0 + 1000)
    await world.absent(car, CHARGING, AbsenceReason.NOT_CAPABLE, T0 + 1000)
    world.clock.move(2 * 3600)
    await pump(world)
    assert len(receiver.events()) == 1
    assert receiver.events("VEHICLE_ERROR") == []


async def test_subscriptions_are_made_once_listed_and_ended(
    world: World, app: Client, car: Vehicle, receiver: Receiver, webhook: Made
) -> None:
    made = await webhook(autoSubscribe=False)
    await charged(world, car)
    await pump(world)
    assert receiver.events() == []
    body = {"data": {"attributes": {"webhookId": made["id"], "vehicleId": car.id}}}
    first = await world.client.post("/v3/subscriptions", json=body, headers=app.headers)
    assert (first.status_code, "message" in first.json()["meta"]) == (202, True)
    typed_error(await world.client.post("/v3/subscriptions", json=body, headers=app.headers), 409, "VALIDATION/CONFLICT")
    (listed,) = (await world.client.get("/v3/subscriptions", headers=app.headers)).json()["data"]
    assert listed["relationships"]["vehicle"]["data"]["id"] == car.id
    await pump(world)
    assert len(receiver.events()) == 1
    assert (await world.client.delete(f"/v3/subscriptions/{listed['id']}", headers=app.headers)).status_code == 204
    await charged(world, car, T0 + 5000, charging=False)
    await pump(world)
    assert len(receiver.events()) == 1


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_a_webhook_of_another_application_does_not_exist(world: World, app: Client, webhook: Made, method: str) -> None:
    made = await webhook()
    other = await world.application()
    body = {"data": {"attributes": {"name": "Mine"}}}
    response = await world.client.request(method, f"/v3/webhooks/{made['id']}", json=body, headers=other.headers)
    typed_error(response, 404, "RESOURCE_NOT_FOUND/WEBHOOK_NOT_FOUND")


@pytest.mark.parametrize(
    ("attributes", "reported"),
    [
        ({"callbackUri": "ftp://example.org/x"}, "https"),
        ({"callbackUri": "https://user@example.org/x"}, "user"),
        ({"callbackUri": "nowhere"}, "https"),
        ({"triggers": ["charge-colour"]}, "charge-colour"),
        ({"triggers": []}, "at least one"),
        ({"data": "charge-voltage"}, "data"),
        ({"name": ""}, "name"),
        ({"isEnabled": "yes"}, "isEnabled"),
    ],
)
async def test_what_is_wrong_with_a_webhook_is_an_error(
    world: World, app: Client, attributes: dict[str, Any], reported: str
) -> None:
    whole = {"name": "x", "callbackUri": "https://example.org/x", "triggers": [VOLTAGE], "data": [VOLTAGE]}
    response = await world.client.post("/v3/webhooks", json={"data": {"attributes": whole | attributes}}, headers=app.headers)
    assert reported in detail(response, 400, "VALIDATION/INVALID_INPUT_FORMAT")


async def test_limits_and_timers_have_a_condition_in_each_entry(
    world: World, app: Client, car: Vehicle, receiver: Receiver, webhook: Made
) -> None:
    await webhook(triggers=["charge-chargelimits"], data=["charge-chargelimits"])
    body = {"activeLimit": 80.5, "unit": "percent", "values": [{"type": "GLOBAL", "limit": 80}]}
    await world.report(car, "charge-chargelimits", body)
    await pump(world)
    (shown,) = receiver.events()[-1]["data"]["signals"]
    assert shown["body"]["values"] == [{"type": "GLOBAL", "limit": 80, "condition": None}]


async def test_a_subscription_that_was_ended_stays_so_until_it_is_made_again(
    world: World, app: Client, car: Vehicle, receiver: Receiver, webhook: Made
) -> None:
    made = await webhook()
    await charged(world, car)
    await pump(world)
    (listed,) = (await world.client.get("/v3/subscriptions", headers=app.headers)).json()["data"]
    ended = await world.client.delete(f"/v3/subscriptions/{listed['id']}", headers=app.headers)
    assert ended.status_code == 204
    before = len(receiver.events())
    await charged(world, car, T0 + 60_000, charging=False)
    await pump(world)
    assert len(receiver.events()) == before
    assert (await world.client.get("/v3/subscriptions", headers=app.headers)).json()["data"] == []
    typed_error(
        await world.client.delete(f"/v3/subscriptions/{listed['id']}", headers=app.headers),
        404,
        "RESOURCE_NOT_FOUND/SUBSCRIPTION_NOT_FOUND",
    )
    body = {"data": {"attributes": {"webhookId": made["id"], "vehicleId": car.id}}}
    assert (await world.client.post("/v3/subscriptions", json=body, headers=app.headers)).status_code == 202
    await pump(world)
    assert receiver.events()[-1]["triggers"][0]["type"] == "FIRST_DELIVERY"
