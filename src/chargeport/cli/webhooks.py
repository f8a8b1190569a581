"""`chargeport webhook`: the webhooks of applications, their deliveries, and a receiver for tests."""

import asyncio
import json
import uuid
from contextlib import suppress
from typing import Annotated, Any

import typer

from chargeport.api.access import Access
from chargeport.cli import configuration, typed
from chargeport.cli.applications import names
from chargeport.cli.database import with_store
from chargeport.cli.finding import application_with
from chargeport.cli.options import App, Database, Json
from chargeport.cli.output import print_done, print_facts, print_json, print_table, say
from chargeport.cli.times import ago
from chargeport.clock import SystemClock
from chargeport.errors import NotFoundError
from chargeport.signals.catalogue import BY_CODE
from chargeport.store.protocols import Store
from chargeport.store.records import Page
from chargeport.store.webhooks import NEVER, Attempt, Event, Webhook, WebhookFields
from chargeport.wire.envelope import iso

WebhookId = Annotated[str, typer.Argument(metavar="WEBHOOK", help="Its id, as webhook list shows it.", show_default=False)]
Code = typer.Option(metavar="CODE", help="A signal's code; may be repeated.", show_default=False)

group = typer.Typer(help="Webhooks: where changes are sent to applications.", no_args_is_help=True)


@group.command("add")
def add(
    *,
    app: App,
    uri: Annotated[str, typer.Argument(metavar="URI", help="The receiver of events.", show_default=False)],
    trigger: Annotated[list[str], Code],
    data: Annotated[list[str] | None, Code] = None,
    name: Annotated[str, typer.Option("--name", parser=typed.label, help="Its name.")] = "Webhook",
    error_uri: Annotated[str | None, typer.Option("--error-uri", help="The receiver of VEHICLE_ERROR, if another one.")] = None,
    every: Annotated[bool, typer.Option("--every/--subscribed", help="Report on every vehicle of the application.")] = True,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Create a webhook. A running server sends a VERIFY to its receiver and, after the answer, events."""
    from chargeport.webhooks.receivers import check_uri

    allow_private = configuration.settings({("database", "url"): database}).webhooks.allow_private_targets
    for address in (uri, error_uri):
        wrong = None if address is None else check_uri(address, allow_private=allow_private)
        if wrong is not None:
            raise typer.BadParameter(f"{typed.quoted(address or '')} can't be a receiver: {wrong}.")
    codes = [_known(code) for code in trigger]
    fields = WebhookFields(
        name=name, callback_uri=uri, error_callback_uri=error_uri, triggers=tuple(dict.fromkeys(codes)),
        data=tuple(dict.fromkeys([*codes, *(_known(code) for code in data or ())])), auto_subscribe=every,
    )  # fmt: skip

    async def make(store: Store) -> Webhook:
        application, now = await application_with(store, app), SystemClock().now()
        made = Webhook(id=str(uuid.uuid4()), client_id=application.client_id, fields=fields, created_at=now, updated_at=now)
        await store.webhooks.put_webhook(made)
        return made

    made = with_store(database, make)
    print_done(_shown(made), made.id, as_json=as_json)


@group.command("list")
def list_webhooks(*, database: Database = None, as_json: Json = False) -> None:
    """List the webhooks of all applications."""

    async def look(store: Store) -> tuple[list[Webhook], dict[str, str]]:
        return await store.webhooks.webhooks(), await names(store)

    found, called = with_store(database, look)
    if as_json:
        print_json([_shown(webhook) for webhook in found])
        return
    rows = [
        (webhook.id, webhook.fields.name, called.get(webhook.client_id), _state(webhook), webhook.fields.callback_uri)
        for webhook in found
    ]
    print_table(("id", "name", "application", "state", "receiver"), rows, "There is no webhook yet: chargeport webhook add.")


@group.command("verify")
def verify(*, webhook: WebhookId, database: Database = None, as_json: Json = False) -> None:
    """Verify now that the receiver of a webhook has the key."""
    settings = configuration.settings({("database", "url"): database}).webhooks

    async def verified(store: Store) -> tuple[int | None, str | None]:
        from chargeport.webhooks.delivery import Deliveries

        deliveries = Deliveries(store, SystemClock(), settings)
        try:
            answer = await deliveries.verify(await _called(store, webhook))
        finally:
            await deliveries.close()
        return answer.status, answer.error

    status, error = with_store(database, verified)
    print_done(
        {"id": webhook, "verified": error is None, "status": status, "error": error},
        "The receiver has the key." if error is None else f"Not verified: {error}.",
        as_json=as_json,
    )
    if error is not None:
        raise typer.Exit(1)


@group.command("deliveries")
def deliveries(*, webhook: WebhookId, database: Database = None, as_json: Json = False) -> None:
    """List the newest events of a webhook, with the state of their delivery."""

    async def look(store: Store) -> tuple[list[Event], list[Attempt]]:
        found, _ = await store.webhooks.events((await _called(store, webhook)).id, Page(size=100))
        return found, await store.webhooks.attempts([event.id for event in found])

    found, attempts = with_store(database, look)
    by_event: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        by_event.setdefault(attempt.event_id, []).append(attempt)
    if as_json:
        print_json([_event(event, by_event.get(event.id, [])) for event in found])
        return
    now = SystemClock().now()
    rows = [
        (event.id, event.kind, ago(event.created_at, now), event.state, event.attempts, _last(by_event.get(event.id, [])))
        for event in found
    ]
    print_table(("id", "event", "made", "state", "attempts", "last answer"), rows, "No event was made for it yet.")


@group.command("redeliver")
def redeliver(
    *,
    webhook: WebhookId,
    event: Annotated[list[str] | None, typer.Argument(metavar="[EVENT]", help="Ids; else all dead events.")] = None,
    start: Annotated[
        int | None, typer.Option("--from", parser=typed.instant, help="Only those created since then.", show_default=False)
    ] = None,
    end: Annotated[
        int | None, typer.Option("--to", parser=typed.instant, help="Only those created before this time.", show_default=False)
    ] = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Send events again, by a running server."""

    async def again(store: Store) -> int:
        found = await _called(store, webhook)
        return await store.webhooks.redeliver(found.id, event or None, start or 0, end or NEVER, SystemClock().now())

    count = with_store(database, again)
    print_done({"id": webhook, "events": count}, f"{count} events are sent again.", as_json=as_json)


@group.command("rotate")
def rotate(
    *,
    app: App,
    overlap_h: Annotated[
        float, typer.Option("--overlap-hours", min=0, max=720, help="For how long the previous token stays valid.")
    ] = 24,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Replace the management token of an application, with which its webhooks are signed, and print it, once."""

    async def renew(store: Store) -> dict[str, Any]:
        application = await application_with(store, app)
        renewed = await Access(store, SystemClock()).rotate_management_token(application.client_id, overlap_h * 3600)
        if renewed is None:
            raise NotFoundError(f"The application {app} was revoked just now.")
        return {"client_id": app, "management_token": renewed[0], "previous_valid_until": iso(renewed[1])}

    renewed = with_store(database, renew)
    if as_json:
        print_json(renewed)
    else:
        print_facts(renewed)


@group.command("listen")
def listen(
    *,
    token: Annotated[
        str, typer.Option("--management-token", help="The application's, as app create showed it.", show_default=False)
    ],
    port: Annotated[int, typer.Option("--port", help="Port on 127.0.0.1.")] = 8090,
) -> None:
    """Receive webhooks on this machine: answer VERIFY, check each signature, print each event as a line of JSON.

    The server that sends needs [webhooks] allow_private_targets = true.
    """
    with suppress(KeyboardInterrupt):  # the normal end
        asyncio.run(_listen(token, port))


async def _listen(token: str, port: int) -> None:
    from aiohttp import web

    from chargeport.webhooks.receivers import SIGNATURE, signature

    async def receive(request: web.Request) -> web.Response:
        raw = await request.read()
        try:
            event: dict[str, Any] = json.loads(raw)
        except ValueError:
            return web.Response(status=400)
        if event.get("eventType") == "VERIFY":
            say("VERIFY answered")
            return web.json_response({"challenge": signature(token, event["data"]["challenge"].encode())})
        if request.headers.get(SIGNATURE) != signature(token, raw):
            say("An event with a wrong signature was refused.")
            return web.Response(status=401)
        print_json(event)
        return web.Response(status=204)

    application = web.Application()
    application.router.add_post("/{tail:.*}", receive)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        say(f"Listening at http://127.0.0.1:{port}/ until Ctrl-C")
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


def _known(code: str) -> str:
    if code not in BY_CODE:
        raise NotFoundError(f"No signal has the code {typed.quoted(code)}: docs/reference/signals.md lists them.")
    return code


async def _called(store: Store, webhook_id: str) -> Webhook:
    found = await store.webhooks.webhook(webhook_id)
    if found is None:
        raise NotFoundError(f"No webhook has the id {typed.quoted(webhook_id)}: chargeport webhook list shows those there are.")
    return found


def _state(webhook: Webhook) -> str:
    if not webhook.fields.is_enabled:
        return f"disabled: {webhook.reason}" if webhook.reason else "disabled"
    if webhook.verified_at is None:
        return f"not verified: {webhook.reason}" if webhook.reason else "not verified yet"
    return "active" if webhook.failing_at is None else "failing"


def _last(attempts: list[Attempt]) -> str:
    if not attempts:
        return ""
    last = attempts[-1]
    return last.error or f"{last.status} in {last.duration_ms} ms"


def _shown(webhook: Webhook) -> dict[str, Any]:
    from chargeport.api.webhooks import resource

    return {"client_id": webhook.client_id, "state": _state(webhook)} | resource(webhook, "")


def _event(event: Event, attempts: list[Attempt]) -> dict[str, Any]:
    from chargeport.api.webhooks import delivery

    return delivery(event, attempts)
