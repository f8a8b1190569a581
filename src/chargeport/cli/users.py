"""`chargeport user`: the people who sign in to the page, and those whose cars are connected to applications."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
import typer

from chargeport.cli import sign_in, typed
from chargeport.cli.database import with_store
from chargeport.cli.finding import ERASED, TRACES, every, recognised
from chargeport.cli.options import Database, Json, Yes
from chargeport.cli.output import confirm, print_json, print_table, say
from chargeport.errors import NotFoundError
from chargeport.store.protocols import Store
from chargeport.store.records import Connection, Vehicle, user_uuid_of
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
    for connection in connections:
        cars[connection.user_id].add(connection.vehicle.id)
        apps[connection.user_id].add(connection.client_id)
    known = {person.name: person for person in people}
    names = sorted({*cars, *known})
    signed_in = Counter(session.user for session in sessions)
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
    """Return how a user signs in to the page."""
    if user is None:
        return "no"
    return "by link" if user.password_hash is None else "by password or link"


@group.command("remove")
def remove(
    *,
    user: UserName,
    vehicles: Annotated[
        bool,
        typer.Option("--vehicles/--keep-vehicles", help="Also erase the vehicles to which nobody else is connected."),
    ] = True,
    yes: Yes = False,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Erase a user: sign-in, connections, and the vehicles that were theirs alone with everything stored of them."""

    async def run(store: Store) -> tuple[Removal, bool] | None:
        removal = await Removal.of_user(store, user, vehicles=vehicles)
        if not confirm(f"Erase {removal.described()}?", yes=yes):
            return None
        await erase_user(store, removal)
        return removal, await store.vehicles.wipe()

    done = with_store(database, run)
    if done is None:
        say("Nothing was removed.")
        raise typer.Exit(1)
    removal, wiped = done
    _tell(user, removal, wiped, as_json=as_json)


class Removal:
    """The data that is erased with a person or a vehicle: connections, and vehicles with everything stored of them."""

    def __init__(self, user: str | None, connections: list[Connection], vehicles: list[Vehicle]) -> None:
        self.user = user
        self.connections = connections
        self.vehicles = vehicles
        self.counts: dict[str, dict[str, int]] = {}
        """The amount of erased data, by vehicle."""

    @classmethod
    async def of_user(cls, store: Store, user: str, *, vehicles: bool = True) -> "Removal":
        """Return the data of a person, and the vehicles that are theirs alone. Raises NotFoundError."""
        mine = await every(lambda page: store.access.connections(page, user_uuid=user_uuid_of(user)))
        if not mine and await store.sign_in.user(user) is None:
            raise NotFoundError(f"No user is called {typed.quoted(user)}: chargeport user list shows those there are.")
        theirs = await whose_alone(store, user, mine) if vehicles else []
        known = {connection.vehicle.id: connection.vehicle for connection in mine}
        return cls(user, mine, [known[vehicle_id] for vehicle_id in theirs])

    def described(self) -> str:
        """Describe the data to erase, for the confirmation."""
        if self.user is None:
            return f"{recognised(self.vehicles[0])} with everything stored of it"
        what = f"{len(self.connections)} connections and {len(self.vehicles)} vehicles with everything stored of them"
        return f"{typed.quoted(self.user)}: {what}"

    def names(self) -> Iterator[str]:
        """Yield the names of the person and the vehicles."""
        yield from () if self.user is None else (self.user, user_uuid_of(self.user))
        for vehicle in self.vehicles:
            yield from (name for name in (vehicle.id, vehicle.vin, *vehicle.aliases) if name)


async def erase_user(store: Store, removal: Removal) -> None:
    """Erase a person's vehicles, connections and sign-in."""
    for vehicle in removal.vehicles:
        gone = await store.vehicles.remove_vehicle(vehicle.id)
        if gone is not None:
            removal.counts[vehicle.id] = msgspec.structs.asdict(gone)
    for connection in removal.connections:
        await store.access.remove_connection(connection.id)
    if removal.user is not None:
        await store.sign_in.remove_user(removal.user)


async def whose_alone(store: Store, user: str, connections: list[Connection]) -> list[str]:
    """Return the ids of the vehicles of these connections that nobody else is connected to."""
    found = []
    for vehicle_id in sorted({connection.vehicle.id for connection in connections}):
        all_of_it = await every(lambda page, of=vehicle_id: store.access.connections(page, vehicle_id=of))  # type: ignore[misc]
        if all(connection.user_uuid == user_uuid_of(user) for connection in all_of_it):
            found.append(vehicle_id)
    return found


def _tell(user: str, removal: Removal, wiped: bool, *, as_json: bool) -> None:
    if as_json:
        summary: dict[str, Any] = {
            "user_id": user, "connections": len(removal.connections), "vehicles": removal.counts, "rewritten": wiped,
        }  # fmt: skip
        print_json(summary)
        return
    say(f"{user} is gone: {len(removal.connections)} connections.")
    for vehicle_id, counts in removal.counts.items():
        say(f"{vehicle_id} is gone: {', '.join(f'{count} {ERASED[kind]}' for kind, count in counts.items())}.")
    if not wiped:
        say(TRACES)
