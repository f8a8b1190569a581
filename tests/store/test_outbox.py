"""Webhooks, subscriptions and the outbox of events: the same on both databases."""

import pytest
from msgspec.structs import replace

from chargeport.store.protocols import Store
from chargeport.store.records import Application, Page, Vehicle
from chargeport.store.webhooks import Attempt, Event, Subscription, Webhook, WebhookFields

AT = 1_777_629_598_000
APP, USER = "client_app", "0b0c6b0e-1b5e-4d6e-9b3f-2f8f5f2a7caa"
CARS = [Vehicle(id=f"0b0c6b0e-1b5e-4d6e-9b3f-2f8f5f2a7c1{number}") for number in range(2)]
PAGE = Page(1, 100)


def webhook(key: str = "hook", *, at: int = AT) -> Webhook:
    fields = WebhookFields(name="mine", callback_uri="https://a.example/", triggers=("charge-ischarging",))
    return Webhook(id=key, client_id=APP, fields=fields, created_at=at, updated_at=at)


def event(key: str, *, webhook_id: str = "hook", at: int = AT, due_at: int | None = AT) -> Event:
    return Event(id=key, webhook_id=webhook_id, kind="VEHICLE_STATE", body="{}", created_at=at, due_at=due_at)


def attempt(key: str, event_id: str, status: int | None = 200) -> Attempt:
    error = None if status is not None else "no answer"
    return Attempt(id=key, event_id=event_id, webhook_id="hook", started_at=AT, duration_ms=5, status=status, error=error)


@pytest.fixture
async def known(store: Store) -> Store:
    await store.access.add_application(Application(client_id=APP, name="app", permissions=frozenset()), b"hash")
    for car in CARS:
        await store.vehicles.add_vehicle(car)
    await store.webhooks.put_webhook(webhook())
    return store


async def subscribed(store: Store, car: Vehicle = CARS[0], webhook_id: str = "hook", at: int = AT) -> Subscription:
    found = await store.webhooks.subscribe(webhook_id, car.id, USER, at)
    assert found is not None
    return found


async def test_a_webhook_is_changed_verified_disabled_and_removed(known: Store) -> None:
    await known.webhooks.put_webhook(webhook("first", at=AT - 1))
    assert [each.id for each in await known.webhooks.webhooks(APP)] == ["first", "hook"]
    assert await known.webhooks.webhooks("client_other") == []
    found = await known.webhooks.webhook("hook")
    assert found == webhook()
    await known.webhooks.verified(found, AT + 1, None)
    await known.webhooks.set_failing("hook", AT + 2)
    await known.webhooks.set_failing("hook", AT + 3)
    found = await known.webhooks.webhook("hook")
    assert found is not None
    assert (found.verified_at, found.failing_at is not None) == (AT + 1, True)
    await known.webhooks.disable("hook", "it failed for long")
    found = await known.webhooks.webhook("hook")
    assert found is not None
    assert (found.fields.is_enabled, found.reason) == (False, "it failed for long")
    changed = replace(found, fields=replace(found.fields, name="other", is_enabled=True), reason=None)
    await known.webhooks.put_webhook(changed)
    assert await known.webhooks.webhook("hook") == changed
    assert await known.webhooks.remove_webhook("hook")
    assert not await known.webhooks.remove_webhook("hook")
    assert await known.webhooks.webhook("hook") is None


async def test_a_subscription_that_was_ended_is_made_again_only_where_that_is_asked_for(known: Store) -> None:
    one = await subscribed(known)
    assert await known.webhooks.subscribe("hook", CARS[0].id, USER, AT) is None, "it is subscribed already"
    assert await known.webhooks.unsubscribe(one.id, AT + 1)
    assert not await known.webhooks.unsubscribe(one.id, AT + 2)
    assert await known.webhooks.subscribe("hook", CARS[0].id, USER, AT + 3, again=False) is None
    assert await known.webhooks.subscriptions_of(CARS[0].id) == []
    assert (await subscribed(known, at=AT + 4)).vehicle == CARS[0]
    assert await known.webhooks.subscribe("hook", "nobody", USER, AT) is None


async def test_subscriptions_are_listed_in_pages_and_filtered(known: Store) -> None:
    await known.webhooks.put_webhook(webhook("other"))
    made = [await subscribed(known, car, name, AT + number)
            for number, (car, name) in enumerate([(CARS[0], "hook"), (CARS[1], "hook"), (CARS[0], "other")])]  # fmt: skip
    found, total = await known.webhooks.subscriptions(Page(1, 2), ["hook", "other"])
    assert ([each.id for each in found], total) == ([made[0].id, made[1].id], 3)
    found, total = await known.webhooks.subscriptions(PAGE, ["hook", "other"], vehicle_id=CARS[0].id, user_uuid=USER)
    assert ([each.id for each in found], total) == ([made[0].id, made[2].id], 2)
    assert await known.webhooks.subscriptions(PAGE, ["hook"], user_uuid="nobody") == ([], 0)
    assert {each.id for each in await known.webhooks.subscriptions_of(CARS[0].id)} == {made[0].id, made[2].id}
    assert await known.webhooks.subscription(made[1].id) == made[1]


async def test_what_was_sent_and_its_events_are_written_together(known: Store) -> None:
    one = await subscribed(known)
    await known.webhooks.enqueue(one, [event("e1"), event("e2", due_at=AT + 9)], '{"position":7}', AT + 50)
    sent = await known.webhooks.subscription(one.id)
    assert sent is not None
    assert sent.sent == '{"position":7}'
    assert await known.webhooks.next_look_at() == AT + 50
    assert await known.webhooks.due_vehicles(AT + 49, 10) == []
    assert await known.webhooks.due_vehicles(AT + 50, 10) == [CARS[0].id]
    assert await known.webhooks.due_webhooks() == {"hook": AT}
    assert [each.id for each in await known.webhooks.due_events("hook", AT, 10)] == ["e1"]
    assert [each.id for each in await known.webhooks.due_events("hook", AT + 9, 10)] == ["e1", "e2"]
    assert await known.webhooks.pending() == {"hook": (2, AT)}
    await known.webhooks.forget_sent("hook")
    again = await known.webhooks.subscription(one.id)
    assert again is not None
    assert again.sent is None


async def test_attempts_end_an_event_or_put_it_off_and_it_can_be_sent_again(known: Store) -> None:
    one = await subscribed(known)
    await known.webhooks.enqueue(one, [event("e1", at=AT), event("e2", at=AT + 1), event("e3", at=AT + 2)], "{}", None)
    await known.webhooks.attempted(attempt("a1", "e1"), None, "delivered")
    await known.webhooks.attempted(attempt("a2", "e2", None), AT + 60, "pending")
    await known.webhooks.attempted(attempt("a3", "e2", 500), None, "dead")
    states = {each.id: (each.state, each.attempts, each.due_at) for each in (await known.webhooks.events("hook", PAGE))[0]}
    assert states == {"e3": ("pending", 0, AT), "e2": ("dead", 2, None), "e1": ("delivered", 1, None)}
    assert ([each.id for each in (await known.webhooks.events("hook", PAGE, "dead"))[0]]) == ["e2"]
    assert [each.id for each in await known.webhooks.attempts(["e2", "e1"])] == ["a1", "a2", "a3"]
    assert await known.webhooks.redeliver("hook", None, AT, AT + 10, AT + 70) == 1, "those that were given up"
    again = await known.webhooks.event("e2")
    assert again is not None
    assert (again.state, again.due_at) == ("pending", AT + 70)
    assert await known.webhooks.redeliver("hook", ["e1"], 0, AT + 10, AT + 80) == 1
    assert await known.webhooks.redeliver("hook", ["none"], 0, AT + 10, AT + 80) == 0


async def test_old_events_that_are_done_go_some_at_a_time(known: Store) -> None:
    one = await subscribed(known)
    await known.webhooks.enqueue(one, [event(f"e{number}", at=AT + number) for number in range(5)], "{}", None)
    for number in range(4):
        await known.webhooks.attempted(attempt(f"a{number}", f"e{number}"), None, "delivered")
    assert await known.webhooks.prune_events(AT + 3, 2) == 2
    assert await known.webhooks.prune_events(AT + 3, 2) == 1
    assert await known.webhooks.prune_events(AT + 3, 2) == 0
    assert {each.id for each in (await known.webhooks.events("hook", PAGE))[0]} == {"e3", "e4"}
    assert [each.event_id for each in await known.webhooks.attempts([f"e{number}" for number in range(5)])] == ["e3"]


async def test_a_vehicle_that_is_removed_takes_subscriptions_and_events_along(known: Store) -> None:
    one = await subscribed(known)
    await known.webhooks.enqueue(one, [event("e1")], "{}", AT)
    assert await known.vehicles.remove_vehicle(CARS[0].id) is not None
    assert await known.webhooks.subscription(one.id) is None
    assert await known.webhooks.event("e1") is None
    assert await known.webhooks.due_webhooks() == {}
