"""`chargeport share`: links that show one car, read-only and without sign-in."""

from typing import Annotated, Any

import typer

from chargeport.cli import typed
from chargeport.cli.database import with_store
from chargeport.cli.finding import described, every, vehicle_called
from chargeport.cli.options import Database, Json, VehicleName
from chargeport.cli.output import print_done, print_json, print_table, say
from chargeport.cli.page_address import ELSEWHERE, page_address, share_url
from chargeport.cli.sign_in import people, say_aside
from chargeport.cli.times import ago, long
from chargeport.clock import SystemClock
from chargeport.errors import NotFoundError
from chargeport.store.protocols import Store
from chargeport.store.retention_policy import DAY_MS
from chargeport.store.sign_in import ShareLink
from chargeport.wire.envelope import iso

group = typer.Typer(help="Share links: one car on the page, read-only, for everyone with the link.", no_args_is_help=True)


@group.command("add")
def add(
    *,
    vehicle: VehicleName,
    label: Annotated[
        str | None, typer.Option("--name", parser=typed.label, metavar="TEXT", help="The recipient.", show_default=False)
    ] = None,
    days: Annotated[
        int | None, typer.Option(min=1, max=3650, help="Validity in days; else until it is removed.", show_default=False)
    ] = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Print a link that shows a car on the page. It can be opened any number of times, and is read-only."""

    async def run(store: Store) -> tuple[str, ShareLink]:
        car = await vehicle_called(store, vehicle)
        secret, link = await people(store).share(car, label or described(car), None if days is None else days * DAY_MS)
        return share_url(await page_address(store), secret), link

    url, link = with_store(database, run)
    if as_json:
        print_json({"id": link.client_id, "link": url, "expires_at": None if link.expires_at is None else iso(link.expires_at)})
        return
    say(url)
    say_aside(f"chargeport share remove {link.client_id} ends it." + (f" {ELSEWHERE}" if "//127.0.0.1" in url else ""))


@group.command("list")
def list_shares(*, database: Database = None, as_json: Json = False) -> None:
    """List the share links, oldest first. The links themselves are not stored."""

    async def look(store: Store) -> list[tuple[ShareLink, str | None, str]]:
        found = []
        for share in await store.sign_in.shares():
            connections = await every(lambda page, of=share.client_id: store.access.connections(page, of))  # type: ignore[misc]
            car = connections[0].vehicle if connections else None
            found.append((share, None if car is None else car.id, "—" if car is None else described(car)))
        return found

    rows, now = with_store(database, look), SystemClock().now()
    if as_json:
        print_json([_fields(link, vehicle_id) for link, vehicle_id, _ in rows])
        return
    table = [(link.client_id, link.label, car, ago(link.created_at, now), _left(link, now)) for link, _, car in rows]
    empty = "There is no share link: chargeport share add makes one."
    print_table(("id", "name", "vehicle", "made", "ends in"), table, empty, spare=("made", "ends in"))


@group.command("remove")
def remove(
    *,
    share_id: Annotated[str, typer.Argument(metavar="ID", help="As share list shows it.", show_default=False)],
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Delete a share link; it is invalid immediately."""
    if not with_store(database, lambda store: people(store).end_share(share_id)):
        raise NotFoundError(f"No share link has the id {typed.quoted(share_id)}: chargeport share list shows those there are.")
    print_done({"id": share_id, "removed": True}, f"{share_id} shows nothing any more.", as_json=as_json)


def _left(link: ShareLink, now: int) -> str:
    if link.expires_at is None:
        return "never"
    return "over" if link.expires_at <= now else long((link.expires_at - now) / 1000)


def _fields(link: ShareLink, vehicle_id: str | None) -> dict[str, Any]:
    return {
        "id": link.client_id, "name": link.label, "vehicle_id": vehicle_id, "created_at": iso(link.created_at),
        "expires_at": None if link.expires_at is None else iso(link.expires_at),
    }  # fmt: skip
