"""Databases with cars in many states, with months of history and sessions: what the page is looked at with."""

import asyncio
import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from chargeport.api.access import Access
from chargeport.api.sign_in import SignIn
from chargeport.clock import SystemClock
from chargeport.derivation.record_changes import by_hand
from chargeport.signals import bodies
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.definition import READS
from chargeport.signals.reading import Entry, Issue, Reading
from chargeport.signals.records import ChargeRecord, Cost, Place
from chargeport.store.records import Vehicle
from chargeport.store.sqlite import SqliteStore
from chargeport.store.webhooks import Attempt, Event, Webhook, WebhookFields
from chargeport.wire.envelope import iso

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS
LONG_NAME: Final = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
STATES: Final = ("charging", "idle", "plugged", "full", "scheduled", "silent", "unknown", "error")
STATUS: Final = {
    "charging": "CHARGING", "silent": "CHARGING", "idle": "DISCONNECTED", "plugged": "CONNECTED", "full": "FULLY_CHARGED",
    "scheduled": "SCHEDULED", "error": "ERROR",
}  # fmt: skip
TOGETHER: Final = 1000  # vehicles that are written at once
MODELS: Final = ("Voltra Grand", "Nordvik Fjord", "Motora Piccola", "ACME Runabout", "Volthaus Tourer", "Solara Kombi")


def read(car: Vehicle, code: str, value: Any, at: int, source: str = "car") -> Reading:
    signal = BY_CODE[code]
    body = value if isinstance(value, dict) else {"value": value, **({"unit": signal.unit} if signal.unit else {})}
    return Reading(car.id, signal, bodies.parse(signal, body), at, at + 300, source)


def car(number: int, count: int) -> Vehicle:
    """A vehicle; where there are few, the last one has a long name."""
    make, model = MODELS[number % len(MODELS)].split(" ", 1)
    aliases = (LONG_NAME,) if 1 < count <= 6 and number == count - 1 else (f"B-CP {1000 + number}",) if count > 6 else ()
    return Vehicle(
        id=f"0b0c6b0e-1b5e-4d6e-9b3f-{number:012d}", make=make, model=model, year=2019 + number % 7, powertrain="BEV",
        vin=f"WVWZZZ00000{number:06d}", aliases=aliases, created_at=1,
    )  # fmt: skip


def now_of(one: Vehicle, state: str, now: int, chance: random.Random) -> Iterator[Entry]:
    """What a car in this state reported last."""
    if state == "unknown":
        return
    at = now - (5 * HOUR_MS if state == "silent" else 4000)
    soc = 100 if state == "full" else chance.randint(12, 88)
    charging = state in ("charging", "silent")
    status = STATUS[state]
    yield read(one, "tractionbattery-stateofcharge", soc, at)
    yield read(one, "tractionbattery-range", round(soc * 4.1), at)
    yield read(one, "charge-ischarging", charging, at)
    yield read(one, "charge-detailedchargingstatus", status, at)
    yield read(one, "charge-ischargingcableconnected", state != "idle", at)
    yield read(one, "charge-chargelimits", {"values": [{"type": "GLOBAL", "limit": 80}], "activeLimit": 80}, at)
    if charging:
        yield read(one, "charge-wattage", chance.choice((3600, 7200, 10_950, 48_000)), at)
        yield read(one, "charge-timetocomplete", chance.randint(20, 300), at)
        yield read(one, "charge-energyadded", chance.randint(2, 30), at)
        yield read(one, "charge-voltage", 231, at)
        yield read(one, "charge-amperage", 15.8, at, "wallbox")
        yield read(one, "charge-amperage", 16.0, at - 1000)


def past_of(one: Vehicle, now: int) -> Iterator[Entry]:
    """Three evenings of charging, and timers."""
    for day in (3, 2, 1):
        start = now - day * DAY_MS + 2 * HOUR_MS
        yield read(one, "charge-ischargingcableconnected", True, start - MINUTE_MS)
        yield read(one, "charge-ischarging", True, start)
        for step in range(0, 241, 5):
            share = step / 240
            power = 10_900 if share < 0.8 else 10_900 * math.exp(-6 * (share - 0.8))
            yield read(one, "charge-wattage", round(power), start + step * MINUTE_MS)
            yield read(
                one, "tractionbattery-stateofcharge", round(38 + 42 * min(1.0, share * 1.08), 1), start + step * MINUTE_MS
            )
        yield read(one, "charge-ischarging", False, start + 245 * MINUTE_MS)
        yield read(one, "charge-wattage", 0, start + 245 * MINUTE_MS)
        yield read(one, "tractionbattery-stateofcharge", 80 - 3 * day, start + 13 * HOUR_MS)
    workdays = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY"]
    timer = {
        "type": "LOCATION", "condition": {"name": "Home"}, "isOEMOptimizationEnabled": False,
        "schedules": [{"start": "22:00:00", "end": "06:00:00", "days": workdays}],
        "departureTimers": [{"time": "07:30:00", "days": workdays}],
    }  # fmt: skip
    yield read(one, "charge-chargetimers", {"values": [timer]}, now - DAY_MS)
    yield read(one, "charge-chargingconnectortype", "Type 2", now - DAY_MS)
    yield read(one, "charge-chargerphases", 3, now - DAY_MS, "wallbox")


async def fill(file: Path, count: int, *, now: int | None = None) -> str:
    """Fill a new database with so many cars; the secret of a link that signs in."""
    store, clock = SqliteStore.open(file), SystemClock()
    now, chance = now or clock.now(), random.Random(7)
    for first in range(0, count, TOGETHER):
        cars = [(number, car(number, count)) for number in range(first, min(count, first + TOGETHER))]
        await asyncio.gather(*(store.vehicles.add_vehicle(one) for _, one in cars))
        entries = [*(past_of(cars[0][1], now) if first == 0 else ())]
        for number, one in cars:
            entries += now_of(one, STATES[number % len(STATES)], now, chance)
        await store.readings.write(entries)
    if count <= 6:
        await sessions(store, car(0, count), now, chance)
        await around(store, now)
    people = SignIn(store, Access(store, clock), clock)
    await people.add_user("Ada")
    secret = await people.link("Ada")
    await store.close()
    return secret


async def sessions(store: SqliteStore, one: Vehicle, now: int, chance: random.Random) -> None:
    """Three months of sessions."""
    for day in range(5, 95, 3):
        start, kwh, place = (
            now - day * DAY_MS,
            round(chance.uniform(4, 48), 1),
            chance.choice(("Home", "Home", "Work", "Fast stop A7")),
        )
        fast = place.startswith("Fast")
        end = start + round(kwh / (70 if fast else 9)) * HOUR_MS + 20 * MINUTE_MS
        record = ChargeRecord(iso(start), iso(end), 30, min(100, 30 + round(kwh)), kwh, fast, "DC" if fast else "AC",
                              Cost("EUR", round(kwh * (0.59 if fast else 0.31), 2)), Place(name=place))  # fmt: skip
        drawn_kwh = None if fast else round(kwh * 1.09, 2)
        note = "with the trailer" if day == 8 else None
        edit = by_hand(one.id, record, now, note=note, drawn_kwh=drawn_kwh)
        await store.sessions.add_edit(one.id, now, msgspec.json.encode(edit).decode())


async def around(store: SqliteStore, now: int) -> None:
    """An application with a webhook and its log, and something that was not understood."""
    application, _ = await Access(store, SystemClock()).register("Home dashboard", READS)
    fields = WebhookFields(
        name="Automation", callback_uri="https://home.example.org/hook", triggers=("charge-ischarging",), is_enabled=False
    )
    hook = Webhook(
        id="hook",
        client_id=application.client_id,
        fields=fields,
        created_at=now,
        updated_at=now,
        verified_at=now,
        reason="no delivery succeeded for 5 days",
    )
    await store.webhooks.put_webhook(hook)
    made = await store.webhooks.subscribe("hook", car(0, 6).id, "7d0f5c1e-2a67-4f0b-9f61-0c5d3b1e8a01", now)
    if made is not None:
        event = Event(id="event-1", webhook_id="hook", kind="VEHICLE_STATE", body="{", created_at=now - HOUR_MS)
        await store.webhooks.enqueue(made, [event], "{}", None)
        attempt = Attempt(
            id="a", event_id="event-1", webhook_id="hook", started_at=now, duration_ms=214, error="connection refused"
        )
        await store.webhooks.attempted(attempt, None, "dead")
    issue = Issue(
        "wallbox", "MeterValues.Temperature", "no signal is known for this", '{"Temperature":{"value":"41"}}', now - HOUR_MS
    )
    await store.issues.add_issues([issue])
