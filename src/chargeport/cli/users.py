"""`chargeport user`: the people who sign in to the page, and those whose cars are connected, as applications call them."""

from collections import Counter, defaultdict
from typing import Annotated, Any

import msgspec
import typer

from chargeport.cli import sign_in, typed
from chargeport.cli.database import with_store
from chargeport.cli.finding import every
from chargeport.cli.options import Database, Json, Yes
from chargeport.cli.output import confirm, print_json, print_table, say
from chargeport.cli.vehicles import ERASED, TRACES
from chargeport.errors import NotFoundError
from chargeport.store.protocols import Store
from chargeport.store.records import Connection, Erased, user_uuid_of
from chargeport.store.sign_in import PageSession, User

UserName = Annotated[str, typer.Argument(metavar="USER", help="As user list shows them.", show_default=False)]

group = typer.Typer(
    help="Users: the people who sign in to the page, and those whose vehicles are connected.", no_args_is_help=True
)
group.command("add")(sign_in.add)
group.command("link")(sign_in.link)
group.command("password")(sign_in.password)
group.command("sessions")(sign_in.sessions)


@group.command("list")
def list_users(*, database: Database = None, as_json: Json = False) -> None:
    """List the users: how many vehicles and applications each is connected with, and how they sign in to the page."""

    async def look(store: Store) -> tuple[list[Connection], list[User], list[PageSession]]:
        return await every(store.access.connections), await store.sign_in.users(), await store.sign_in.sessions()

    connections, people, sessions = with_store(database, look)
    cars, apps = defaultdict[str, set[str]](set), defaultdict[str, set[str]](set)
    for each in connections:
        cars[each.user_id].add(each.vehicle.id)
        apps[each.user_id].add(each.client_id)
    known = {each.name: each for each in people}
    names = sorted({*cars, *known})
    signed_in = Counter(each.user for each in sessions)
    if as_json:
        print_json(
            [
                {"user_id": name, "vehicles": len(cars[name]), "applications": len(apps[name]), "signs_in": name in known,
                 "has_password": name in known and known[name].password_hash is not None, "sessions": signed_in[name]}
                for name in names
            ]
        )  # fmt: skip
        return
    rows = [(name, len(cars[name]), len(apps[name]), _way_in(known.get(name)), signed_in[name]) for name in names]
    columns = ("user", "vehicles", "applications", "signs in", "sessions")
    print_table(columns, rows, "There is no user yet: chargeport user add makes one who signs in to the page.")


def _way_in(user: User | None) -> str:
    """How a user signs in to the page."""
    if user is None:
        return "no"
    return "by link" if user.password_hash is None else "by password or link"


@group.command("remove")
def remove(
    *,
    user: UserName,
    vehicles: Annotated[
        bool,
        typer.Option(
            "--vehicles/--keep-vehicles", help="The vehicles that nobody else is connected to go, too, with everything."
        ),
    ] = True,
    yes: Yes = False,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Erase a user: sign-in, connections, and the vehicles that were theirs alone with everything stored of them."""

    async def run(store: Store) -> tuple[list[Connection], dict[str, Erased], bool] | None:
        mine = await every(lambda page: store.access.connections(page, user_uuid=user_uuid_of(user)))
        if not mine and await store.sign_in.user(user) is None:
            raise NotFoundError(f"No user is called {typed.quoted(user)}: chargeport user list shows those there are.")
        theirs = [each for each in {one.vehicle.id for one in mine} if vehicles and await _is_alone(store, each, user)]
        what = f"{len(mine)} connections and {len(theirs)} vehicles with everything stored of them"
        if not confirm(f"Erase {typed.quoted(user)}: {what}?", yes=yes):
            return None
        erased: dict[str, Erased] = {}
        for vehicle_id in sorted(theirs):
            gone = await store.vehicles.remove_vehicle(vehicle_id)
            if gone is not None:
                erased[vehicle_id] = gone
        for each in mine:
            await store.access.remove_connection(each.id)
        await store.sign_in.remove_user(user)
        return mine, erased, await store.vehicles.wipe()

    done = with_store(database, run)
    if done is None:
        say("Nothing was removed.")
        raise typer.Exit(1)
    _tell(user, *done, as_json=as_json)


async def _is_alone(store: Store, vehicle_id: str, user: str) -> bool:
    connections = await every(lambda page: store.access.connections(page, vehicle_id=vehicle_id))
    return all(each.user_uuid == user_uuid_of(user) for each in connections)


def _tell(user: str, connections: list[Connection], erased: dict[str, Erased], wiped: bool, *, as_json: bool) -> None:
    counts = {vehicle_id: msgspec.structs.asdict(each) for vehicle_id, each in erased.items()}
    if as_json:
        summary: dict[str, Any] = {"user_id": user, "connections": len(connections), "vehicles": counts, "rewritten": wiped}
        print_json(summary)
        return
    say(f"{user} is gone: {len(connections)} connections.")
    for vehicle_id, each in counts.items():
        say(f"{vehicle_id} is gone: {', '.join(f'{count} {ERASED[kind]}' for kind, count in each.items())}.")
    if not wiped:
        say(TRACES)
