"""Administration over the API: sources, issues, webhooks, applications, settings, backup.

All routes need the permission `manage`, which the page has for people who are signed in, and concern the whole server.
"""

import asyncio
import re
import tempfile
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlsplit, urlunsplit

import msgspec
from msgspec import Meta

from chargeport import __version__
from chargeport.api import paging, webhooks
from chargeport.api.administration_documents import (
    AuditEntry,
    ConnectionEntry,
    IssuedToken,
    IssueEntry,
    ListedApplication,
    NewApplication,
)
from chargeport.api.instants import instant
from chargeport.api.request import Request
from chargeport.api.request_body import json_body
from chargeport.api.response import Header, Response, answer, json_answer, packed_answer
from chargeport.errors import CONFLICT, CONNECTION_NOT_FOUND, MALFORMED, USER_NOT_FOUND, Problem, instead_of
from chargeport.runtime import replaying
from chargeport.runtime.source_status import SILENT_AFTER_MS, SourceState
from chargeport.settings import Settings
from chargeport.signals.definition import READS, Permission
from chargeport.store import audit
from chargeport.store.audit import Act, AuditFilter
from chargeport.store.records import Application, IssueCount, Page
from chargeport.store.sqlite.backup import back_up
from chargeport.store.urls import database_file, is_server
from chargeport.wire.encoding import encode
from chargeport.wire.envelope import iso

MAX_BYTES: Final = 8192
MAX_NAME: Final = 128
PART_BYTES: Final = 1 << 16
HIDDEN: Final = "(not shown)"
ACT: Final = "filter[act]"
ACTOR: Final = "filter[actor]"
SUBJECT: Final = "filter[subject]"
FROM: Final = "from"
TO: Final = "to"
_SECRET: Final = re.compile(r"password|secret|token|(?:^|_)key$|credential", re.IGNORECASE)
_DATABASE: Final[Header] = (b"content-type", b"application/vnd.sqlite3")


async def list_sources(request: Request) -> Response:
    """Return the last stored state of each source, and the configured sources that never ran."""
    await request.allowed(Permission.MANAGE)
    now, written = request.context.clock.now(), await request.context.store.notes.source_states()
    data = []
    for name, (text, at) in sorted(written.items()):
        state = msgspec.json.decode(text, type=SourceState)
        running = now - at <= SILENT_AFTER_MS
        data.append(msgspec.to_builtins(state) | {"is_running": running, "written_at": at, "name": name})
    tables = [table for table in request.context.settings.sources if table.get("name") not in written]
    data += [{name: table.get(name) for name in ("name", "type", "dialect")} | {"is_running": False} for table in tables]
    recorded = {str(source.get("name")): source.get("record") for source in request.context.settings.sources}
    return _packed(request, {"data": [source | {"record": recorded.get(str(source["name"]))} for source in data]})


async def list_issues(request: Request) -> Response:
    """Return a page of the issues, newest first."""
    await request.allowed(Permission.MANAGE)
    page = paging.requested_page(request.query, default_size=50)
    found, total = await request.context.store.issues.issues(page)
    return _page(request, "issues", list(map(_issue, found)), page, total)


async def replay_issues(request: Request) -> Response:
    """Read the messages of the issues again, with the present dialects."""
    await request.allowed(Permission.MANAGE)
    tally = await replaying.replay_issues(request.context.store, request.context.pipeline)
    return json_answer(200, {"data": tally.document()}, request.request_id)


async def list_audit(request: Request) -> Response:
    """Return a page of the audit log, newest first."""
    await request.allowed(Permission.MANAGE)
    page, query = paging.requested_page(request.query, default_size=50), dict(request.query)
    times = [query.get(name) for name in (FROM, TO)]
    from_at, to_at = (None if text is None else instant(name, text) for name, text in zip((FROM, TO), times, strict=True))
    selection = AuditFilter(query.get(ACT), query.get(ACTOR), query.get(SUBJECT), from_at, to_at)
    if selection.act is not None and selection.act not in set(Act):
        raise Problem(MALFORMED, f"{ACT}: the log has no act of this name: {instead_of(selection.act, list(Act))}.")
    found, total = await request.context.store.audit.entries(selection, page)
    return _page(request, "audit", list(map(_audit_entry, found)), page, total)


async def list_settings(request: Request) -> Response:
    """Return the settings in use, without secrets, and whether each has its default value."""
    await request.allowed(Permission.MANAGE)
    settings, usual = msgspec.to_builtins(request.context.settings), msgspec.to_builtins(Settings())
    data = [
        {"name": f"{table}.{key}" if isinstance(values, dict) else table, "value": _open(key, value),
         "isDefault": value == (usual[table].get(key) if isinstance(usual[table], dict) else usual[table])}
        for table, values in settings.items()
        for key, value in (values.items() if isinstance(values, dict) else [(table, values)])
    ]  # fmt: skip
    return _packed(request, {"data": data, "meta": {"version": __version__}})


async def list_applications(request: Request) -> Response:
    """Return all applications without their secrets, and whether each belongs to the page."""
    await request.allowed(Permission.MANAGE)
    own = {await request.context.sign_in.page_application()}
    own |= {share.client_id for share in await request.context.store.sign_in.shares()}
    found = await request.context.store.access.applications()
    data = [ListedApplication(**_application(known), is_of_the_page=known.client_id in own) for known in found]
    return _packed(request, {"data": data})


class ApplicationWish(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The application to create."""

    name: Annotated[str, Meta(max_length=MAX_NAME, pattern=r"[^\s]")]
    permissions: tuple[Permission, ...] = (*sorted(READS), Permission.WRITE_READINGS)
    connected_only: bool = False


async def create_application(request: Request) -> Response:
    """Create an application; its secrets are returned only once."""
    await request.allowed(Permission.MANAGE)
    wish: ApplicationWish = await json_body(request, ApplicationWish, MAX_BYTES)
    access = request.context.access
    made, secret = await access.register(wish.name.strip(), frozenset(wish.permissions), connected_only=wish.connected_only)
    shown = NewApplication(**_application(made), client_secret=secret, management_token=made.management_token)
    return json_answer(201, {"data": shown}, request.request_id)


async def issue_application_token(request: Request) -> Response:
    """Issue a bearer token of an application, valid for an hour."""
    await request.allowed(Permission.MANAGE)
    application = await _known(request)
    token = await request.context.access.issue_token(application)
    return json_answer(201, {"data": IssuedToken(token, "Bearer")}, request.request_id)


async def revoke_application(request: Request) -> Response:
    """Revoke an application; delete its tokens and webhooks."""
    grant = await request.allowed(Permission.MANAGE)
    application = await _known(request)
    if application.client_id in (grant.client_id, await request.context.sign_in.page_application()):
        raise Problem(CONFLICT, "This is the page's own application: revoke another one, or sign out.")
    await request.context.store.access.revoke_application(application.client_id, request.context.clock.now())
    request.context.access.forget(application.client_id)
    return answer(204, b"", request.request_id)


async def list_all_connections(request: Request) -> Response:
    """Return a page of the connections of all applications, newest first."""
    await request.allowed(Permission.MANAGE)
    page = paging.requested_page(request.query, default_size=50)
    found, total = await request.context.store.access.connections(page)
    data = [
        ConnectionEntry(
            id=connection.id, client_id=connection.client_id, user=connection.user_id, vehicle_id=connection.vehicle.id,
            permissions=sorted(connection.permissions), created_at=iso(connection.created_at),
        )
        for connection in found
    ]  # fmt: skip
    return _page(request, "connections", data, page, total)


async def remove_connection(request: Request) -> Response:
    """Delete a connection of any application."""
    await request.allowed(Permission.MANAGE)
    connection = await request.context.store.access.connection_by_id(request.path("connection_id"))
    if connection is None or not await request.context.store.access.remove_connection(connection.id):
        raise Problem(CONNECTION_NOT_FOUND, "No connection with this id is known to this server.")
    request.context.access.forget(connection.client_id)
    return answer(204, b"", request.request_id)


async def list_all_webhooks(request: Request) -> Response:
    """Return the webhooks of all applications."""
    await request.allowed(Permission.MANAGE)
    found = await request.context.store.webhooks.webhooks()
    data = [
        webhooks.resource(webhook, request.base) | {"client_id": webhook.client_id, "reason": webhook.reason}
        for webhook in found
    ]
    return _packed(request, {"data": data})


async def list_all_deliveries(request: Request) -> Response:
    """Return a page of a webhook's events, newest first, each with its attempts."""
    await request.allowed(Permission.MANAGE)
    return await webhooks.deliveries_of(request, await webhooks.any_webhook(request), "admin/webhooks")


async def redeliver_any(request: Request) -> Response:
    """Send an event of any application's webhook once more."""
    await request.allowed(Permission.MANAGE)
    return await webhooks.sent_again(request, await webhooks.any_webhook(request))


async def download_backup(request: Request) -> Response:
    """Return the whole database as it is now, as a file."""
    await request.allowed(Permission.MANAGE)
    named = b'attachment; filename="chargeport-%s.db"' % iso(request.context.clock.now())[:10].encode()
    about = answer(200, b"", request.request_id, (b"content-disposition", named), kind=_DATABASE)
    if request.raw.method == "HEAD":
        return about
    if is_server(request.context.settings.database.url):
        raise Problem(CONFLICT, "The database is on a PostgreSQL server: back it up with pg_dump.")
    file = database_file(request.context.settings.database.url)
    folder = tempfile.TemporaryDirectory(prefix="chargeport-backup-")
    copy = Path(folder.name) / "chargeport.db"
    try:
        await asyncio.to_thread(back_up, file, copy, lambda _: None)
    except BaseException:
        folder.cleanup()
        raise
    await request.context.store.audit.add(Act.EXPORTED, detail="backup of the whole database")
    headers = [header for header in about.headers if header[0] != b"content-length"]
    return Response(200, [*headers, (b"content-length", b"%d" % copy.stat().st_size)], parts=_parts(copy, folder))


async def _parts(file: Path, folder: "tempfile.TemporaryDirectory[str]") -> AsyncGenerator[bytes, None]:
    with folder, file.open("rb") as content:
        while part := content.read(PART_BYTES):
            yield part


async def _known(request: Request) -> Application:
    found = await request.context.store.access.application(request.path("client_id"))
    if found is None or found[0].revoked_at is not None:
        raise Problem(USER_NOT_FOUND, "No application with this id may use the server: GET /admin/applications lists them.")
    return found[0]


def _application(each: Application) -> dict[str, Any]:
    revoked_at = None if each.revoked_at is None else iso(each.revoked_at)
    return {
        "client_id": each.client_id, "name": each.name, "permissions": sorted(each.permissions),
        "connected_only": each.connected_only, "created_at": iso(each.created_at), "revoked_at": revoked_at,
    }  # fmt: skip


def _issue(each: IssueCount) -> IssueEntry:
    issue = each.issue
    return IssueEntry(
        source=issue.source, vehicle=issue.vehicle, subject=issue.subject, detail=issue.detail, count=each.count,
        first_at=iso(each.first_at), last_at=iso(issue.received_at), message=issue.raw, application=each.client_id,
    )  # fmt: skip


def _audit_entry(entry: audit.AuditEntry) -> AuditEntry:
    return AuditEntry(
        number=entry.number, act=entry.act, actor=entry.actor, address=entry.address, subject=entry.subject,
        detail=entry.detail, count=entry.count, at=iso(entry.at), last_at=iso(entry.last_at),
    )  # fmt: skip


def _open(key: str, value: Any) -> Any:
    """Return a setting's value without the secrets in it."""
    if _SECRET.search(key) and value is not None:
        return HIDDEN
    if isinstance(value, Mapping):
        return {name: _open(str(name), member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_open(key, element) for element in value]
    return _without_password(value) if isinstance(value, str) else value


def _without_password(text: str) -> str:
    """Return a URL without the password in it; return other texts unchanged."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return text
    if not parts.password:
        return text
    return urlunsplit(parts._replace(netloc=f"{parts.username}:{HIDDEN}@{parts.netloc.rpartition('@')[2]}"))


def _page(request: Request, name: str, data: list[Any], page: Page, total: int) -> Response:
    return _packed(request, paging.listed(f"{request.base}/admin/{name}", data, page, total, request.query))


def _packed(request: Request, document: dict[str, Any]) -> Response:
    return packed_answer(request.header(b"accept-encoding"), encode(document), request.request_id)
