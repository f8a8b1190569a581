"""`chargeport user`: the people whose cars are connected, as applications call them."""

from typing import Annotated, Any

import msgspec
import typer

from chargeport.cli import typed
from chargeport.cli.database import with_store
from chargeport.cli.finding import every
from chargeport.cli.options import Database, Json, Yes
from chargeport.cli.output import confirm, print_json, print_table, say
from chargeport.cli.vehicles import ERASED, TRACES
from chargeport.errors import NotFoundError
from chargeport.store.protocols import Store
from chargeport.store.records import Connection, Erased, user_uuid_of

User = Annotated[str, typer.Argument(metavar="USER", help="As connection list shows them.", show_default=False)]

group = typer.Typer(help="Users: the people whose vehicles are connected.", no_args_is_help=True)


@group.command("list")
def list_users(*, database: Database = None, as_json: Json = False) -> None:
    """List the users, with how many vehicles and applications each is connected with."""
    found: dict[str, tuple[set[str], set[str]]] = {}
    for each in with_store(database, lambda store: every(store.access.connections)):
        cars, apps = found.setdefault(each.user_id, (set(), set()))
        cars.add(each.vehicle.id)
        apps.add(each.client_id)
    rows = [(user, len(cars), len(apps)) for user, (cars, apps) in sorted(found.items())]
    if as_json:
        print_json([{"user_id": user, "vehicles": cars, "applications": apps} for user, cars, apps in rows])
        return
    print_table(("user", "vehicles", "applications"), rows, "There is no user yet: chargeport connection add names one.")


@group.command("remove")
def remove(
    *,
    user: User,
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
    """Erase a user: all connections, and the vehicles that were theirs alone with everything stored of them."""

    async def run(store: Store) -> tuple[list[Connection], dict[str, Erased], bool] | None:
        mine = await every(lambda page: store.access.connections(page, user_uuid=user_uuid_of(user)))
        if not mine:
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
        told: dict[str, Any] = {"user_id": user, "connections": len(connections), "vehicles": counts, "rewritten": wiped}
        print_json(told)
        return
    say(f"{user} is gone: {len(connections)} connections.")
    for vehicle_id, each in counts.items():
        say(f"{vehicle_id} is gone: {', '.join(f'{count} {ERASED[kind]}' for kind, count in each.items())}.")
    if not wiped:
        say(TRACES)
