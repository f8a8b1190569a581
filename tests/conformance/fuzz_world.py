"""What the fuzzed server holds: everything that the examples of the description name, and some connections to lose."""

from pathlib import Path
from typing import Final

from chargeport.api.access import Access, hashed
from chargeport.api.examples import AT, VEHICLE
from chargeport.api.operator_examples import (
    CLIENT_ID,
    CLIENT_SECRET,
    CONNECTION_ID,
    EVENT_ID,
    PASSWORD,
    REDIRECT,
    USER_ID,
    USER_NAME,
    WEBHOOK_ID,
)
from chargeport.api.sign_in import SignIn
from chargeport.clock import SystemClock
from chargeport.signals import bodies
from chargeport.signals.catalogue import CATALOGUE
from chargeport.signals.definition import Permission
from chargeport.signals.reading import Reading
from chargeport.store.protocols import Store
from chargeport.store.records import Application, Connection, Vehicle, user_uuid_of
from chargeport.store.sqlite import SqliteStore
from chargeport.store.webhooks import Event, Webhook, WebhookFields

EVERYTHING: Final = frozenset(Permission)
CALLER: Final = "client_fuzz"
READER: Final = "owner-1"  # as the examples call the user of the vehicle
KEPT: Final = frozenset({VEHICLE.id, "connection-0", READER, *map(user_uuid_of, (READER, CALLER))})
"""Connections and users by which the vehicle of the examples is read: without them nothing would be left to ask about."""
# Of these the requests end the connections, the newest first.
SPARE: Final = 200


async def populate(database: Path) -> str:
    """Fill a database; a token that may do everything."""
    store, clock = SqliteStore.open(database), SystemClock()
    access, now = Access(store, clock), clock.now()
    application = Application(client_id=CALLER, name="Fuzz", permissions=EVERYTHING, created_at=now)
    await store.access.add_application(application, hashed("secret"))
    await store.vehicles.add_vehicle(VEHICLE)
    await store.readings.write(
        [
            Reading(VEHICLE.id, each, bodies.parse(each, each.example), at, at, source)
            for each in CATALOGUE
            for at, source in ((AT, "garage"), (now, "http"))  # the examples ask for both
        ]
    )
    await _connect(store, application, now)
    await _call_back(store, application, now)
    shown = Application(client_id=CLIENT_ID, name="Of the examples", permissions=EVERYTHING, created_at=now)
    await store.access.add_application(shown, hashed(CLIENT_SECRET))
    await store.connect.add_redirects(CLIENT_ID, [REDIRECT])
    people = SignIn(store, access, clock)
    await people.add_user(USER_NAME)
    await people.set_password(USER_NAME, PASSWORD)
    token = await access.issue_token(application)
    await store.close()
    return token


async def _connect(store: Store, application: Application, now: int) -> None:
    """Connect the vehicle of the examples, and after it the spare ones: the first to the user of the examples."""
    vehicles = [VEHICLE, *(Vehicle(id=f"ffffffff-0000-4000-8000-{number:012x}", make="SPARE") for number in range(SPARE))]
    for number, vehicle in enumerate(vehicles):
        if vehicle is not VEHICLE:
            await store.vehicles.add_vehicle(vehicle)
        await store.access.add_connection(
            Connection(
                id=CONNECTION_ID if number == 1 else f"connection-{number}", client_id=application.client_id,
                user_id=USER_ID if number == 2 else f"owner-{number + 1}", vehicle=vehicle, permissions=EVERYTHING,
                created_at=now + number,
            )
        )  # fmt: skip


async def _call_back(store: Store, application: Application, now: int) -> None:
    """Make the webhook of the examples, with an event that was given up."""
    fields = WebhookFields(
        name="Home", callback_uri="http://127.0.0.1:9/", triggers=("charge-voltage",), data=("charge-voltage",)
    )
    webhook = Webhook(id=WEBHOOK_ID, client_id=application.client_id, fields=fields, created_at=now, updated_at=now)
    await store.webhooks.put_webhook(webhook)
    made = await store.webhooks.subscribe(WEBHOOK_ID, VEHICLE.id, user_uuid_of(application.client_id), now)
    assert made is not None
    event = Event(id=EVENT_ID, webhook_id=WEBHOOK_ID, kind="VEHICLE_STATE", body="{", created_at=now, state="dead")
    await store.webhooks.enqueue(made, [event], "{}", None)
    await store.webhooks.unsubscribe(made.id, now)
