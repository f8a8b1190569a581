"""`chargeport app`: who may use the API."""

from typing import Annotated, Any, Final

import typer

from chargeport.api.access import TOKEN_LIFE_S, Access
from chargeport.cli import typed
from chargeport.cli.database import with_store
from chargeport.cli.finding import application_with
from chargeport.cli.options import ClientId, Database, Json, Label, Permissions
from chargeport.cli.output import console, print_done, print_facts, print_json, print_table, say
from chargeport.cli.times import ago
from chargeport.clock import SystemClock
from chargeport.errors import NotFoundError
from chargeport.signals.definition import READS, USUAL, Permission
from chargeport.store.protocols import Store
from chargeport.store.records import Application

Redirects = Annotated[
    list[str] | None,
    typer.Option(
        "--redirect",
        parser=typed.redirect,
        metavar="URI",
        help="May be repeated: a URI to which Connect redirects people.",
        show_default=False,
    ),
]
SPARE: Final = ("created", "vehicles", "revoked")
ONCE: Final = "These secrets are not shown again."

group = typer.Typer(help="Applications: who may use the API.", no_args_is_help=True)


@group.command("create")
def create(
    *,
    name: Label,
    permissions: Permissions = None,
    connected_only: Annotated[
        bool, typer.Option("--connected-only", help="Only vehicles to which it has a connection; else every vehicle.")
    ] = False,
    redirects: Redirects = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Create an application and print its secrets, once. Without --permission it may read everything and send readings."""
    allowed = frozenset(permissions or USUAL)

    async def register(store: Store) -> dict[str, str]:
        access = Access(store, SystemClock())
        application, secret = await access.register(name, allowed, connected_only=connected_only)
        await store.connect.add_redirects(application.client_id, redirects or ())
        return _secrets(application.client_id, secret, application.management_token)

    _print_secrets(with_store(database, register, create=True), as_json)


@group.command("edit")
def edit(
    *,
    client_id: ClientId,
    redirects: Redirects = None,
    removed: Annotated[
        list[str] | None,
        typer.Option("--remove-redirect", metavar="URI", help="May be repeated: a URI to remove.", show_default=False),
    ] = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Change the URIs to which Connect may redirect people, and list them."""

    async def change(store: Store) -> list[str]:
        await application_with(store, client_id)
        unknown = set(removed or ()) - set(await store.connect.redirects(client_id))
        if unknown:
            raise NotFoundError(
                f"{typed.quoted(min(unknown))} is no redirect of it: chargeport app edit {client_id} lists them."
            )
        await store.connect.remove_redirects(client_id, removed or ())
        await store.connect.add_redirects(client_id, redirects or ())
        return await store.connect.redirects(client_id)

    found = with_store(database, change)
    if as_json:
        print_json({"client_id": client_id, "redirects": found})
    else:
        print_table(("redirect",), [(uri,) for uri in found], "It has no redirect: --redirect URI adds one.")


@group.command("list")
def list_applications(*, database: Database = None, as_json: Json = False) -> None:
    """List the applications, the revoked ones too. Secrets are not shown."""
    found = with_store(database, lambda store: store.access.applications())
    if as_json:
        print_json([_fields(application) for application in found])
        return
    now = SystemClock().now()
    columns = ("client_id", "name", "permissions", "vehicles", "created", "revoked")
    rows = [
        (
            application.client_id, application.name, permissions_shown(application.permissions),
            "connected" if application.connected_only else "every",
            ago(application.created_at, now), ago(application.revoked_at, now) or "no",
        )
        for application in found
    ]  # fmt: skip
    print_table(columns, rows, "There is no application yet: chargeport app create NAME makes one.", spare=SPARE)


@group.command("rotate")
def rotate(*, client_id: ClientId, database: Database = None, as_json: Json = False) -> None:
    """Replace the secrets of an application; the old ones and its tokens become invalid immediately."""

    async def renew(store: Store) -> dict[str, str]:
        await application_with(store, client_id)
        renewed = await Access(store, SystemClock()).rotate(client_id)
        if renewed is None:
            raise NotFoundError(f"The application {client_id} was revoked just now.")
        return _secrets(client_id, *renewed)

    _print_secrets(with_store(database, renew), as_json)


@group.command("revoke")
def revoke(*, client_id: ClientId, database: Database = None, as_json: Json = False) -> None:
    """Revoke an application and its tokens, permanently."""

    async def end(store: Store) -> None:
        await application_with(store, client_id)
        await store.access.revoke_application(client_id, SystemClock().now())

    with_store(database, end)
    print_done(
        {"client_id": client_id, "revoked": True}, f"{client_id} is revoked; its tokens end within a second.", as_json=as_json
    )


@group.command("encrypt")
def encrypt(*, database: Database = None, as_json: Json = False) -> None:
    """Encrypt the management tokens again with the first key of database.key, also while a server runs.

    To replace a key: put the new one before the old one in its file, run this, then remove the old one.
    """
    count = with_store(database, lambda store: store.access.encrypt_anew())
    if as_json:
        print_json({"encrypted": count})
    elif count:
        say(f"{count} management tokens are encrypted with the first key.")
    else:
        say("Nothing was encrypted: there is no application yet, or database.key names no key.")


@group.command("token")
def token(*, client_id: ClientId, database: Database = None, as_json: Json = False) -> None:
    """Print a bearer token, valid for an hour. This needs read access to the database."""

    async def issue(store: Store) -> str:
        return await Access(store, SystemClock()).issue_token(await application_with(store, client_id))

    issued = with_store(database, issue)
    if as_json:
        print_json({"access_token": issued, "token_type": "Bearer", "expires_in": TOKEN_LIFE_S})
    else:
        say(issued)  # standard output has only the token, for $(chargeport app token …)


def permissions_shown(permissions: frozenset[Permission]) -> str:
    """Return permissions as a cell of a table."""
    if permissions == frozenset(Permission):
        return "all"
    if permissions == USUAL:
        return "all reads, write_readings"
    reads = ["all reads"] if permissions >= READS else sorted(permissions & READS)
    return ", ".join([*reads, *sorted(permissions - READS)])


async def names(store: Store) -> dict[str, str]:
    """Return the name of each application, by its id."""
    return {application.client_id: application.name for application in await store.access.applications()}


def _fields(application: Application) -> dict[str, Any]:
    """Return the members of an application without its secrets."""
    from chargeport.wire.envelope import iso

    return {
        "client_id": application.client_id,
        "name": application.name,
        "permissions": sorted(application.permissions),
        "connected_only": application.connected_only,
        "created_at": iso(application.created_at),
        "revoked_at": None if application.revoked_at is None else iso(application.revoked_at),
    }


def _secrets(client_id: str, secret: str, management_token: str) -> dict[str, str]:
    return {"client_id": client_id, "client_secret": secret, "management_token": management_token}


def _print_secrets(secrets: dict[str, str], as_json: bool) -> None:
    if as_json:
        print_json(secrets)
        return
    print_facts(secrets)
    console(errors=True).print(ONCE, style="dim")
