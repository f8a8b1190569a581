"""The tables of webhooks."""

import json
import uuid
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from chargeport.store.audit import Act, recorded
from chargeport.store.records import Page
from chargeport.store.sql import Connection, Reader, Row, Scans, Writer, fetch
from chargeport.store.tables import rows
from chargeport.store.webhooks import Attempt, Event, EventState, Subscription, Webhook, WebhookFields

_WEBHOOK: Final = "id, client_id, document, verified_at, failing_at, reason, created_at, updated_at"
_PUT: Final = (
    f"INSERT INTO webhooks ({_WEBHOOK}) VALUES (?,?,?,?,?,?,?,?) ON CONFLICT (id) DO UPDATE SET client_id = excluded.client_id,"
    " document = excluded.document, verified_at = excluded.verified_at, failing_at = excluded.failing_at,"
    " reason = excluded.reason, created_at = excluded.created_at, updated_at = excluded.updated_at"
)
_SUBSCRIPTION: Final = f"s.id, s.webhook_id, s.user_uuid, s.created_at, s.sent, {rows.VEHICLE}"
_OF: Final = "FROM subscriptions s JOIN vehicles v ON v.key = s.vehicle_key AND s.ended_at IS NULL"
_EVENT: Final = "id, webhook_id, kind, document, created_at, attempts, due_at, state"
_ATTEMPT: Final = "id, event_id, webhook_id, started_at, duration_ms, status, error, response"
_ENQUEUED: Final = "UPDATE subscriptions SET sent = ?, look_at = ? WHERE id = ?"
_CHOSEN: Final = (
    "s.webhook_id IN (SELECT value FROM json_each(CAST(?1 AS TEXT)))"
    " AND (CAST(?2 AS TEXT) IS NULL OR v.id = ?2) AND (CAST(?3 AS TEXT) IS NULL OR s.user_uuid = ?3)"
)

_fields = msgspec.json.Decoder(WebhookFields)


class WebhookTables:
    """`store.webhooks.Webhooks`."""

    def __init__(self, reader: Reader, writer: Writer, scans: Scans) -> None:
        self._reader = reader
        self._writer = writer
        self._scans = scans

    async def put_webhook(self, webhook: Webhook) -> None:
        """Store a webhook."""
        row = (
            webhook.id, webhook.client_id, msgspec.json.encode(webhook.fields).decode(), webhook.verified_at,
            webhook.failing_at, webhook.reason, webhook.created_at, webhook.updated_at,
        )  # fmt: skip
        await self._writer.call(recorded(Act.WEBHOOK_SET, webhook.id, _change(_PUT, row)))

    async def webhook(self, webhook_id: str, client_id: str | None = None) -> Webhook | None:
        """Return one webhook (of an application)."""
        row = await self._reader.select_row(
            f"SELECT {_WEBHOOK} FROM webhooks WHERE id = ?1 AND (CAST(?2 AS TEXT) IS NULL OR client_id = ?2)",
            (webhook_id, client_id),
        )
        return None if row is None else _webhook(row)

    async def webhooks(self, client_id: str | None = None) -> list[Webhook]:
        """Return all webhooks, or those of an application."""
        found = await self._reader.select(
            f"SELECT {_WEBHOOK} FROM webhooks WHERE CAST(?1 AS TEXT) IS NULL OR client_id = ?1 ORDER BY created_at, id",
            (client_id,),
        )
        return [_webhook(row) for row in found]

    async def set_failing(self, webhook_id: str, at: int | None) -> None:
        """Note since when a webhook fails."""
        await self._run("UPDATE webhooks SET failing_at = ? WHERE id = ?", (at, webhook_id))

    async def disable(self, webhook_id: str, reason: str) -> None:
        """Disable a webhook."""
        await self._run(
            "UPDATE webhooks SET reason = ?, document = replace(document, '\"isEnabled\":true', '\"isEnabled\":false')"
            " WHERE id = ?",
            (reason, webhook_id),
        )

    async def verified(self, webhook: Webhook, at: int | None, reason: str | None) -> None:
        """Note whether the receivers have proved that they have the key."""
        await self._run(
            "UPDATE webhooks SET verified_at = ?, reason = ?, failing_at = NULL WHERE id = ?"
            " AND json_extract(document, '$.callbackUri') = ?"
            " AND json_extract(document, '$.errorCallbackUri') IS NOT DISTINCT FROM CAST(? AS TEXT)",
            (at, reason, webhook.id, webhook.fields.callback_uri, webhook.fields.error_callback_uri),
        )

    async def remove_webhook(self, webhook_id: str) -> bool:
        """Remove a webhook with all that belongs to it."""

        def remove(connection: Connection) -> bool:
            for table in ("subscriptions", "webhook_events", "webhook_attempts"):
                connection.execute(f"DELETE FROM {table} WHERE webhook_id = ?", (webhook_id,))
            connection.execute("DELETE FROM webhooks WHERE id = ?", (webhook_id,))
            return connection.changes() > 0

        return await self._writer.call(recorded(Act.WEBHOOK_REMOVED, webhook_id, remove))

    async def subscribe(
        self, webhook_id: str, vehicle_id: str, user_uuid: str, at: int, *, again: bool = True
    ) -> Subscription | None:  # fmt: skip
        """Subscribe a webhook to a vehicle."""
        subscription_id = str(uuid.uuid4())
        do = _change(
            "INSERT INTO subscriptions (vehicle_key, webhook_id, id, user_uuid, created_at)"
            " SELECT key, ?1, ?2, ?3, ?4 FROM vehicles WHERE id = ?5 ON CONFLICT (vehicle_key, webhook_id)"
            " DO UPDATE SET id = ?2, user_uuid = ?3, created_at = ?4, sent = NULL, ended_at = NULL"
            " WHERE subscriptions.ended_at IS NOT NULL AND ?6",
            (webhook_id, subscription_id, user_uuid, at, vehicle_id, again),
        )
        if again:  # requested explicitly
            do = recorded(Act.SUBSCRIBED, vehicle_id, do, f"webhook {webhook_id}")
        return await self.subscription(subscription_id) if await self._writer.call(do) else None

    async def subscription(self, subscription_id: str, client_id: str | None = None) -> Subscription | None:
        """Return one subscription (of an application's webhook)."""
        row = await self._reader.select_row(
            f"SELECT {_SUBSCRIPTION} {_OF} WHERE s.id = ?1 AND (CAST(?2 AS TEXT) IS NULL"
            " OR EXISTS (SELECT 1 FROM webhooks w WHERE w.id = s.webhook_id AND w.client_id = ?2))",
            (subscription_id, client_id),
        )
        return None if row is None else _subscription(row)

    async def subscriptions(
        self, page: Page, webhook_ids: Sequence[str], *, vehicle_id: str | None = None, user_uuid: str | None = None
    ) -> tuple[list[Subscription], int]:
        """Return a page of subscriptions."""
        bindings = (json.dumps(list(webhook_ids)), vehicle_id, user_uuid)
        total = await self._reader.select_count(f"SELECT count(*) {_OF} WHERE {_CHOSEN}", bindings)
        found = await self._reader.select(
            f"SELECT {_SUBSCRIPTION} {_OF} WHERE {_CHOSEN} ORDER BY s.created_at, s.id LIMIT ?4 OFFSET ?5",
            (*bindings, page.size, page.offset),
        )
        return [_subscription(row) for row in found], total

    async def subscriptions_of(self, vehicle_id: str) -> list[Subscription]:
        """Return all subscriptions to a vehicle."""
        return [
            _subscription(row)
            for row in await self._reader.select(f"SELECT {_SUBSCRIPTION} {_OF} WHERE v.id = ?", (vehicle_id,))
        ]

    async def unsubscribe(self, subscription_id: str, at: int) -> bool:
        """End a subscription."""
        ended = "UPDATE subscriptions SET ended_at = ?, look_at = NULL, sent = NULL WHERE id = ? AND ended_at IS NULL"
        do = _change(ended, (at, subscription_id))
        return await self._writer.call(recorded(Act.UNSUBSCRIBED, subscription_id, do)) > 0

    async def forget_sent(self, webhook_id: str) -> None:
        """Make the next event of each subscription a first delivery."""
        await self._run("UPDATE subscriptions SET sent = NULL WHERE webhook_id = ?", (webhook_id,))

    async def due_vehicles(self, now: int, limit: int) -> list[str]:
        """Return the vehicles of which a value may have gone stale."""
        found = await self._reader.select(f"SELECT DISTINCT v.id {_OF} WHERE s.look_at <= ? LIMIT ?", (now, limit))
        return [row[0] for row in found]

    async def next_look_at(self) -> int | None:
        """Return when the next value may go stale."""
        return await self._first("SELECT min(look_at) FROM subscriptions WHERE look_at IS NOT NULL")

    async def enqueue(self, subscription: Subscription, events: Sequence[Event], sent: str, look_at: int | None) -> None:
        """Add events to the outbox and store their content."""

        def write(connection: Connection) -> None:
            connection.execute(f"{_ENQUEUED} AND ended_at IS NULL", (sent, look_at, subscription.id))
            if connection.changes() == 0:  # ended in the meantime
                return
            connection.executemany(
                "INSERT INTO webhook_events (id, webhook_id, kind, document, created_at, due_at, vehicle_key)"
                " SELECT ?1, ?2, ?3, ?4, ?5, ?6, key FROM vehicles WHERE id = ?7",
                [
                    (each.id, each.webhook_id, each.kind, each.body, each.created_at, each.due_at, subscription.vehicle.id)
                    for each in events
                ],
            )

        await self._writer.call(write)

    async def due_webhooks(self) -> dict[str, int]:
        """Return when the next attempt is due, by webhook."""
        next_of = "SELECT min(due_at) FROM webhook_events WHERE webhook_id = ? AND due_at IS NOT NULL"
        found = [
            (name, await self._reader.select_row(next_of, (name,)))
            for (name,) in await self._reader.select("SELECT id FROM webhooks")
        ]
        return {name: row[0] for name, row in found if row is not None and row[0] is not None}

    async def due_events(self, webhook_id: str, now: int, limit: int) -> list[Event]:
        """Return the events whose next attempt is due."""
        found = await self._reader.select(
            f"SELECT {_EVENT} FROM webhook_events WHERE webhook_id = ? AND due_at <= ?"
            " ORDER BY due_at, created_at, vehicle_key, kind LIMIT ?",
            (webhook_id, now, limit),
        )
        return [_event(row) for row in found]

    async def attempted(self, attempt: Attempt, due_at: int | None, state: EventState) -> None:
        """Store an attempt."""

        def write(connection: Connection) -> None:
            connection.execute(
                f"INSERT INTO webhook_attempts ({_ATTEMPT}) VALUES (?,?,?,?,?,?,?,?)", msgspec.structs.astuple(attempt)
            )
            connection.execute(
                "UPDATE webhook_events SET attempts = attempts + 1, due_at = ?, state = ? WHERE id = ?",
                (due_at, state, attempt.event_id),
            )

        await self._writer.call(write)

    async def event(self, event_id: str) -> Event | None:
        """Return one event."""
        row = await self._reader.select_row(f"SELECT {_EVENT} FROM webhook_events WHERE id = ?", (event_id,))
        return None if row is None else _event(row)

    async def events(self, webhook_id: str, page: Page, state: EventState | None = None) -> tuple[list[Event], int]:
        """Return a page of the events of a webhook."""
        chosen, bindings = "WHERE webhook_id = ?1 AND (CAST(?2 AS TEXT) IS NULL OR state = ?2)", (webhook_id, state)
        total = await self._reader.select_count(f"SELECT count(*) FROM webhook_events {chosen}", bindings)
        found = await self._reader.select(
            f"SELECT {_EVENT} FROM webhook_events {chosen} ORDER BY created_at DESC, id LIMIT ?3 OFFSET ?4",
            (*bindings, page.size, page.offset),
        )
        return [_event(row) for row in found], total

    async def attempts(self, event_ids: Sequence[str]) -> list[Attempt]:
        """Return all attempts for these events."""
        found = await self._reader.select(
            f"SELECT {_ATTEMPT} FROM webhook_attempts WHERE event_id IN (SELECT value FROM json_each(CAST(? AS TEXT)))"
            " ORDER BY started_at, id",
            (json.dumps(list(event_ids)),),
        )
        return [Attempt(**dict(zip(Attempt.__struct_fields__, row, strict=True))) for row in found]

    async def redeliver(self, webhook_id: str, event_ids: Sequence[str] | None, from_at: int, to_at: int, at: int) -> int:
        """Make events due again."""
        chosen = "state = 'dead'" if event_ids is None else "id IN (SELECT value FROM json_each(CAST(?5 AS TEXT)))"
        given: tuple[Any, ...] = (at, webhook_id, from_at, to_at)
        do = _change(
            "UPDATE webhook_events SET due_at = ?1, state = 'pending', attempts = 0"
            f" WHERE webhook_id = ?2 AND created_at >= ?3 AND created_at < ?4 AND {chosen}",
            given if event_ids is None else (*given, json.dumps(list(event_ids))),
        )
        return await self._writer.call(recorded(Act.REDELIVERED, webhook_id, do, "{} events".format))

    async def prune_events(self, before_at: int, limit: int) -> int:
        """Remove events that are no longer pending."""

        def prune(connection: Connection) -> int:
            found = fetch(
                connection,
                "SELECT id FROM webhook_events WHERE due_at IS NULL AND created_at < ? ORDER BY created_at LIMIT ?",
                (before_at, limit),
            )
            connection.executemany("DELETE FROM webhook_attempts WHERE event_id = ?", found)
            connection.executemany("DELETE FROM webhook_events WHERE id = ?", found)
            return len(found)

        return await self._writer.call(prune)

    async def pending(self) -> dict[str, tuple[int, int]]:
        """Return how many events wait, and since when."""
        counted = (
            "SELECT webhook_id, count(*), min(created_at) FROM webhook_events WHERE due_at IS NOT NULL GROUP BY webhook_id"
        )
        return {row[0]: (row[1], row[2]) for row in await self._scans.run(lambda database: fetch(database, counted))}

    async def _first(self, sql: str) -> int | None:
        row = await self._reader.select_row(sql)
        return None if row is None or row[0] is None else int(row[0])

    async def _run(self, sql: str, bindings: tuple[Any, ...]) -> int:
        return await self._writer.call(_change(sql, bindings))


def _change(sql: str, bindings: tuple[Any, ...]) -> Callable[[Connection], int]:
    """Return a function that runs one statement and returns how many rows it changed."""

    def change(connection: Connection) -> int:
        connection.execute(sql, bindings)
        return connection.changes()

    return change


def _webhook(row: Row) -> Webhook:
    return Webhook(
        id=row[0], client_id=row[1], fields=_fields.decode(row[2]), verified_at=row[3], failing_at=row[4], reason=row[5],
        created_at=row[6], updated_at=row[7],
    )  # fmt: skip


def _subscription(row: Any) -> Subscription:
    return Subscription(
        id=row[0], webhook_id=row[1], user_uuid=row[2], created_at=row[3], sent=row[4], vehicle=rows.vehicle(row[5:])
    )


def _event(row: Row) -> Event:
    return Event(
        id=row[0], webhook_id=row[1], kind=row[2], body=row[3], created_at=row[4], attempts=row[5], due_at=row[6], state=row[7]
    )
