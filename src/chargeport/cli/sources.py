"""`chargeport source`: the states of the sources, whether they can be reached, and their issues."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import typer

from chargeport.cli import configuration, source_forget, source_record, source_replay
from chargeport.cli.database import opened, resolved, with_store
from chargeport.cli.finding import described, recognised
from chargeport.cli.options import Database, Json
from chargeport.cli.output import print_json, print_table, say
from chargeport.cli.times import ago, long
from chargeport.clock import SystemClock
from chargeport.config import FILE_NAME
from chargeport.errors import NotFoundError
from chargeport.ingest.vehicle_names import VehicleNames
from chargeport.runtime.source_status import SILENT_AFTER_MS, SourceState
from chargeport.sources.base import Cause, SourceError, StationStatus
from chargeport.store.protocols import Store
from chargeport.store.records import IssueCount, Page, Vehicle
from chargeport.store.urls import is_missing

if TYPE_CHECKING:
    from chargeport.runtime.builder import Built

CHECK_WITHIN_S: Final = 10.0
NO_SOURCE: Final = f"There is no source: [[sources]] in {FILE_NAME} names them, or in the file that --config names."

group = typer.Typer(help="Sources: the systems that report about vehicles.", no_args_is_help=True)
group.command("forget")(source_forget.forget)
group.command("record")(source_record.record)
group.command("replay")(source_replay.replay)

COLUMNS: Final = ("source", "station", "how it is")
_SHOWN_MS: Final = 1_000  # smaller deviations of a clock are not shown


@group.command("list")
def list_sources(*, database: Database = None, as_json: Json = False) -> None:
    """List the sources with the state that the server stored last, including those that never ran."""
    now = SystemClock().now()
    tables = configuration.settings().sources
    states = _written(database, none_is_fine=bool(tables))
    idle = [_Idle.of(table) for table in tables if table.get("name") not in states]
    running = [(state, now - at <= SILENT_AFTER_MS) for state, at in states.values()]
    if as_json:
        print_json([*(_document(*source) for source in running), *map(msgspec.to_builtins, idle)])
        return
    rows: list[tuple[Any, ...]] = [
        (state.name, state.type, state.dialect, sentence(state, live, now)) for state, live in running
    ]
    rows += [(source.name, source.type, source.dialect, "not started: chargeport serve starts it") for source in idle]
    print_table(("name", "type", "dialect", "how it is"), rows, NO_SOURCE)
    if stations := station_rows((state for state, live in running if live), now):
        print_table(COLUMNS, stations)


class _Idle(msgspec.Struct, frozen=True):
    """A source in the settings that no server has run yet."""

    name: str | None
    type: str | None
    dialect: str | None
    condition: str = "not started"

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> "_Idle":
        name, kind, dialect = (None if table.get(key) is None else str(table[key]) for key in ("name", "type", "dialect"))
        return cls(name, kind, dialect)


def sentence(state: SourceState, live: bool, now: int) -> str:
    """Describe the state of a source in one line that a person can act on."""
    if not live:
        return f"the server does not run; it was {state.condition}, with {state.messages} messages"
    traffic = f"{state.messages} messages, {state.per_second:g}/s, last {ago(state.last_message_at, now) or 'never'}"
    traffic += f", {state.rejected} not understood (chargeport source issues)" if state.rejected else ""
    traffic += f", {state.lag} waiting there" if state.lag else ""
    if state.left:
        vehicle, count = min(state.left.items(), key=lambda item: item[1])
        traffic += f", {count} requests left" + (f" for {vehicle}" if len(state.left) > 1 else "")
    if state.condition == "waiting":
        retry = long(max(0, (state.retry_at or now) - now) / 1000)
        return f"{state.cause}: {state.sentence} Next try in {retry}. {traffic}"
    since = long((now - state.since_at) / 1000)
    why = f" ({state.cause}: {state.sentence})" if state.condition == "connecting" and state.cause else ""
    return f"{state.condition} since {since}{why}: {traffic}"


@group.command("check")
def check(
    *,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="One source; else all.", show_default=False)] = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Try to reach each source once, and print the reason if it fails. Exits with 1 when one can't be reached."""
    results = asyncio.run(_checked(database, name))
    if as_json:
        print_json(results)
    else:
        rows = [
            (result["name"], result["type"], result["detail"] if result["ok"] else f"{result['cause']}: {result['detail']}")
            for result in results
        ]
        print_table(("name", "type", "result"), rows, NO_SOURCE)
    if not all(result["ok"] for result in results):
        raise typer.Exit(1)


async def _checked(database: str | None, name: str | None) -> list[dict[str, Any]]:
    from chargeport.runtime.feeds import Feeds

    settings = configuration.settings()
    async with opened(database, create=True) as store:
        chosen = [built for built in Feeds(store, settings, SystemClock()).built if name in (None, built.source.name)]
        if name is not None and not chosen:
            raise NotFoundError(f"No source is called {name!r}: chargeport source list shows them.")
        return [await _result(built) for built in chosen]


async def _result(built: "Built") -> dict[str, Any]:
    """Try to reach a source and return the result."""
    result: dict[str, Any] = {"name": built.source.name, "type": built.status.state.type}
    check = getattr(built.source, "check", None)
    if check is None:
        return result | {"ok": True, "detail": "it waits for connections: there is nothing to reach"}
    try:
        await check(CHECK_WITHIN_S)
    except SourceError as error:
        return result | {"ok": False, "cause": error.cause.value, "detail": str(error)}
    except Exception as error:  # noqa: BLE001  (a source of somebody else's, perhaps)
        return result | {"ok": False, "cause": Cause.PROTOCOL.value, "detail": f"{type(error).__name__}: {error}"}
    return result | {"ok": True, "detail": "reached"}


@group.command("issues")
def issues(
    *,
    raw: Annotated[bool, typer.Option("--raw", help="With the newest message of each, as it was received.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Maximum number, newest first.")] = 100,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """List the parts of messages that could not be understood; chargeport source replay --issues reads them again."""

    async def look(store: Store) -> tuple[list[tuple[IssueCount, Vehicle | None]], int]:
        found, total = await store.issues.issues(Page(1, limit))
        vehicles = await _vehicles(store, found)
        return [(count, vehicles.get((count.issue.source, count.issue.vehicle))) for count in found], total

    found, total = with_store(database, look)
    now = SystemClock().now()
    if as_json:
        print_json([_issue(*issue) for issue in found])
        return
    rows = [(*_shown(count, vehicle, now), count.issue.raw) if raw else _shown(count, vehicle, now) for count, vehicle in found]
    columns = ("source", "vehicle", "subject", "what is wrong", "count", "last") + (("message",) if raw else ())
    print_table(columns, rows, "Everything was understood.", spare=("message",))
    if total > len(found):
        say(f"and {total - len(found)} more: --limit {total} shows all.")


async def _vehicles(store: Store, found: Sequence[IssueCount]) -> dict[tuple[str, str | None], Vehicle | None]:
    """Return the vehicles of issues, by source and the source's name for the vehicle."""
    names = VehicleNames(store.vehicles, SystemClock())
    vehicles: dict[tuple[str, str | None], Vehicle | None] = {}
    for source, name in {(count.issue.source, count.issue.vehicle) for count in found}:
        vehicle_id = None if name is None else await names.find(source, source, name)
        vehicles[source, name] = None if vehicle_id is None else await store.vehicles.vehicle(vehicle_id)
    return vehicles


def _shown(each: IssueCount, vehicle: Vehicle | None, now: int) -> tuple[Any, ...]:
    issue = each.issue
    called = issue.vehicle if vehicle is None else recognised(vehicle)
    return issue.source, called, issue.subject, issue.detail, each.count, ago(issue.received_at, now)


def _issue(each: IssueCount, vehicle: Vehicle | None) -> dict[str, Any]:
    issue = each.issue
    return {
        "source": issue.source, "vehicle": issue.vehicle, "subject": issue.subject, "detail": issue.detail, "count": each.count,
        "first_at": each.first_at, "last_at": issue.received_at, "message": issue.raw,
        "application": each.client_id,
        "vehicle_name": None if vehicle is None else described(vehicle), "vin": None if vehicle is None else vehicle.vin,
    }  # fmt: skip


def _document(state: SourceState, live: bool) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.to_builtins(state) | {"outranked": 0}  # of version 0.1, where it could be more
    return document if live else document | {"condition": "stopped"}


def _written(database: str | None, *, none_is_fine: bool) -> dict[str, tuple[SourceState, int]]:
    """Return the states that a server stored, and when; with `none_is_fine` there may be no database yet."""
    if none_is_fine and is_missing(resolved(database)):
        return {}

    async def look(store: Store) -> dict[str, tuple[SourceState, int]]:
        found = await store.notes.source_states()
        return {name: (msgspec.json.decode(text, type=SourceState), at) for name, (text, at) in sorted(found.items())}

    return with_store(database, look)


def station_rows(states: Iterable[SourceState], now: int) -> list[tuple[str, str, str]]:
    """Return a row for each station of these sources, sorted by name."""
    return [
        (state.name, station.name, station_sentence(station, now))
        for state in states
        for station in sorted(state.stations, key=lambda station: station.name)
    ]


def station_sentence(station: StationStatus, now: int) -> str:
    """Describe in one line the status of a station, and what its owner can do about it."""
    times = "once" if station.refusals == 1 else f"{station.refusals} times"
    refused = f"refused {times}, last {ago(station.refused_at, now)}: {station.refused_because}"
    if station.refused_because is not None and not station.is_connected:
        return refused
    since = "" if station.since_at is None else f" since {long((now - station.since_at) / 1000)}"
    found = f"{'connected' if station.is_connected else 'not connected'}{since}"
    found += f", OCPP {station.version}" if station.version else ""
    found += clock_words(station.clock_offset_ms)
    return found if station.refused_because is None else f"{found}; somebody under its name was {refused}"


def clock_words(offset_ms: int | None) -> str:
    """Describe the deviation of a station's clock; an empty text if it is right or unknown.

    >>> clock_words(7_200_000), clock_words(-90_000), clock_words(400), clock_words(None)
    (', its clock is 2 h ahead', ', its clock is 90 s behind', '', '')
    """
    if offset_ms is None or abs(offset_ms) < _SHOWN_MS:
        return ""
    return f", its clock is {long(abs(offset_ms) / 1000)} {'ahead' if offset_ms > 0 else 'behind'}"
