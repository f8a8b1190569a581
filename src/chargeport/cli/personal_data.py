"""`chargeport data`: export or erase everything that is stored of one vehicle or one person."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from chargeport.cli import configuration
from chargeport.cli.database import resolved, with_store
from chargeport.cli.finding import ERASED, TRACES, recognised, vehicle_called
from chargeport.cli.options import Database, Json, Yes
from chargeport.cli.output import confirm, print_json, print_table, say
from chargeport.cli.users import Removal, erase_user, whose_alone
from chargeport.clock import SystemClock
from chargeport.errors import StartError
from chargeport.settings import Settings
from chargeport.store.audit import Act
from chargeport.store.protocols import Store
from chargeport.store.urls import database_file, is_server

LEAST_SOUGHT: Final = 8  # bytes of a name that is searched in files: a shorter one may be part of other words
PART: Final = 1 << 24

group = typer.Typer(help="Personal data: export or erase everything of one vehicle or one person.", no_args_is_help=True)

OfVehicle = Annotated[
    str | None, typer.Option("--vehicle", metavar="VEHICLE", help="Its id, its VIN or one of its aliases.", show_default=False)
]
OfUser = Annotated[
    str | None, typer.Option("--user", metavar="USER", help="A person, as user list shows them.", show_default=False)
]

Recordings = Annotated[
    bool, typer.Option("--recordings", help="Also delete the recordings of all sources: the people in them are not known.")
]


@group.command("export")
def export(
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The zip file to write.", show_default=False)],
    vehicle: OfVehicle = None,
    user: OfUser = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Write everything that is stored of a vehicle, or of a person and the vehicles that are theirs alone, to one archive.

    The archive has JSON files and a README.md that explains them. Secrets and their hashes are left out.
    """
    _check_one(vehicle, user)
    from chargeport.cli.subject_archive import Archive
    from chargeport.store.sqlite.copies import beside

    async def run(store: Store) -> dict[str, int]:
        with beside(file) as partial:
            archive = Archive(partial)
            connections = [] if user is None else await archive.add_person(store, user)
            names = [vehicle or ""] if user is None else await whose_alone(store, user, connections)
            cars = [await vehicle_called(store, name) for name in names]
            for car in cars:
                await archive.add_vehicle(store, car, "" if user is None else f"vehicles/{car.id}/")
            archive.close(user or recognised(cars[0]), SystemClock().now())
            await store.audit.add(Act.EXPORTED, user or cars[0].id, "everything")
            partial.replace(file)
            return archive.counts

    try:
        counts = with_store(database, run)
    except OSError as error:
        raise StartError(f"{file} can't be written: {error.strerror or error}.") from error
    if as_json:
        print_json({"file": str(file), "counts": counts})
        return
    print_table(("file", "entries"), sorted(counts.items()))
    say(f"All of it is in {file}; its README.md explains the files.")


@group.command("erase")
def erase(
    *,
    vehicle: OfVehicle = None,
    user: OfUser = None,
    recordings: Recordings = False,
    yes: Yes = False,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Erase everything of a vehicle, or of a person and the vehicles that are theirs alone, and check whether any is left.

    Readings, history, charging sessions, edits, issues, events for webhooks, notes, connections, sign-in and the names in the
    audit log are erased; then the database file is rewritten and searched for the names. Stop the server first if a source
    reports the vehicle: else the server stores new reports of it. Exits with 1 when a trace is left.
    """
    _check_one(vehicle, user)
    settings = configuration.settings()
    files = list(_recordings(settings))

    async def run(store: Store) -> tuple[Removal, list[str], bool] | None:
        removal = await _removal(store, vehicle, user)
        names = list(removal.names())
        if not confirm(f"Erase {removal.described()}?", yes=yes):
            return None
        await erase_user(store, removal)
        return removal, names, await store.vehicles.wipe()

    done = with_store(database, run)
    if done is None:
        say("Nothing was erased.")
        raise typer.Exit(1)
    removal, names, wiped = done
    deleted, remaining = (files, []) if recordings else ([], files)
    for file in deleted:
        file.unlink(missing_ok=True)
    account: dict[str, Any] = {
        "user": user, "connections": len(removal.connections), "vehicles": removal.counts,
        "recordings": list(map(str, deleted)), "rewritten": wiped, "traces": _traces(resolved(database), names, remaining),
    }  # fmt: skip
    if as_json:
        print_json(account)
    else:
        _report(account, remaining, is_file=not is_server(resolved(database)))
    if account["traces"] or not wiped:
        raise typer.Exit(1)


async def _removal(store: Store, vehicle: str | None, user: str | None) -> Removal:
    """Return the data to erase: a person with their vehicles, or a vehicle. Raises NotFoundError."""
    if user is not None:
        return await Removal.of_user(store, user)
    return Removal(None, [], [await vehicle_called(store, vehicle or "")])


def _check_one(vehicle: str | None, user: str | None) -> None:
    if (vehicle is None) is (user is None):
        raise typer.BadParameter("name one: --vehicle VEHICLE or --user USER.")


def _report(account: dict[str, Any], remaining: list[Path], *, is_file: bool) -> None:
    rows = [
        (vehicle_id, ERASED[kind], count)
        for vehicle_id, counts in account["vehicles"].items()
        for kind, count in counts.items()
    ]
    print_table(("vehicle", "erased", "how many"), rows, "No vehicle was erased.")
    say(f"{account['connections']} connections of the person, {len(account['recordings'])} recordings were erased, too.")
    if not account["rewritten"]:
        say(TRACES)
    for file in account["traces"]:
        say(f"A name of it is still in {file}.")
    if remaining:
        say(f"{len(remaining)} recordings stay: names are replaced in them. --recordings deletes all of them.")
    if is_file and not account["traces"]:
        say("No name of it is left in the database's files. Backups, exports and logs elsewhere are not looked at.")


def _recordings(settings: Settings) -> Iterator[Path]:
    """Return the recordings in the folders of the settings."""
    named = [settings.ingest.record, *(source.get("record") for source in settings.sources)]
    for folder in {Path(settings.folder) / str(name) for name in named if name}:
        yield from sorted(folder.glob("*.jsonl"))


def _traces(url: str, names: list[str], others: list[Path]) -> list[str]:
    """Return the files, of the database and others, that contain one of the names. Files of a database server are not read."""
    file = None if is_server(url) else database_file(url)
    files = [] if file is None else [file, *(file.with_name(f"{file.name}-{part}") for part in ("wal", "journal"))]
    sought = [name.encode() for name in names if len(name.encode()) >= LEAST_SOUGHT]
    return [str(file) for file in (*files, *others) if file.is_file() and _has_any(file, sought)]


def _has_any(file: Path, sought: list[bytes]) -> bool:
    longest, before = max(map(len, sought), default=0), b""
    with file.open("rb") as content:
        while part := content.read(PART):
            if any(text in before + part for text in sought):
                return True
            before = part[-longest:]
    return False
