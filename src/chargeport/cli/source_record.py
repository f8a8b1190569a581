"""`chargeport source record`: record the messages of one source, redacted, for inspection, sharing and replay."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer

from chargeport import tasks
from chargeport.cli import configuration
from chargeport.cli.database import opened
from chargeport.cli.options import Database, Json
from chargeport.cli.output import print_json, say
from chargeport.clock import SystemClock
from chargeport.errors import ChargeportError, NotFoundError
from chargeport.settings import PrecedenceSettings, Settings
from chargeport.sources.base import Delivery, Mounted, RawMessage, Source, SourceError
from chargeport.sources.recording import Recorder
from chargeport.sources.redaction import MIN_NAME, Redaction
from chargeport.store.protocols import Store
from chargeport.store.records import Page

ASIDE: Final = "-recorder"
"""The suffix of the recorder's own name at a broker: it must differ from the name of the running server."""
OWN_NAMES: Final = ("client_id", "group", "durable")  # the settings with our name at a broker
MAX_CARS: Final = 10_000  # whose names are searched in each message
FOR_NOW: Final = {"mqtt": {"session_expiry_s": 0}}  # the broker must not queue messages after the end of the recorder


def record(
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The source, as in the settings.", show_default=False)],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The new recording.", show_default=False)],
    seconds: Annotated[float, typer.Option(min=1, max=604_800, help="Duration.")] = 60.0,
    count: Annotated[
        int | None, typer.Option(min=1, max=10_000_000, help="End after this number of messages.", show_default=False)
    ] = None,
    also: Annotated[
        list[str] | None, typer.Option("--name", metavar="TEXT", help="Also replace this text everywhere; may be repeated.")
    ] = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Record the messages of a source, without VINs, places, accounts, tokens, plates. Check the file before you share it.

    Nothing is stored in the database. Exits with 1 when nothing was received.
    """
    settings = configuration.settings()
    result = asyncio.run(_recorded(settings, database, name, file=file, end=_End(seconds, count), also=also or []))
    if as_json:
        print_json(result)
    else:
        full = ", the file is full" if result["full"] else ""
        say(f"{result['written']} messages in {file}, {result['left_out']} left out{full}.")
    if not result["written"]:
        raise typer.Exit(1)


class _End:
    """The condition of the end of a recording."""

    def __init__(self, seconds: float, count: int | None) -> None:
        self.seconds = seconds
        self.count = count
        self.reached = asyncio.Event()


async def _recorded(
    settings: Settings, database: str | None, name: str, *, file: Path, end: _End, also: Sequence[str]
) -> dict[str, Any]:
    from chargeport.runtime.feeds import Feeds

    table = _table(settings, name)
    async with opened(database, create=True) as store:
        only_this = msgspec.structs.replace(settings, sources=[table], precedence=PrecedenceSettings())
        built = Feeds(store, only_this, SystemClock(), recording=False).built[0]
        if isinstance(built.source, Mounted):
            raise ChargeportError(
                f'{name}: its stations connect to the running server, so that has to record: write record = "FOLDER"'
                " at the source in the settings and restart the server."
            )
        try:
            with Recorder(file, Redaction([*also, *await _aliases(store)])) as recorder:
                try:
                    await _listen(built.source, recorder, end)
                except SourceError:
                    if not recorder.written:
                        _remove(file)  # so that the next attempt can use the name
                    raise
                return {"written": recorder.written, "left_out": recorder.left_out, "full": recorder.full}
        except SourceError as error:
            raise ChargeportError(f"{name}: {error.cause}: {error}") from error


def _remove(file: Path) -> None:
    file.unlink(missing_ok=True)


def _table(settings: Settings, name: str) -> dict[str, Any]:
    """Return the source's settings, with different names at brokers. Raises NotFoundError, ChargeportError."""
    found = next((table for table in settings.sources if table.get("name") == name), None)
    if found is None:
        raise NotFoundError(
            f"No source of the settings is called {name!r}. What is pushed to the server (POST /ingest/...), it can record"
            ' itself: write record = "FOLDER" in [ingest] and restart it.'
        )
    own = {key: f"{found[key]}{ASIDE}" for key in OWN_NAMES if isinstance(found.get(key), str)}
    # Without a group or consumer in the settings, the server's source uses a default name.
    usual = {"kafka": {"group": f"chargeport{ASIDE}"}, "nats": {"durable": f"chargeport{ASIDE}"}}.get(
        str(found.get("type")), {}
    )
    return found | usual | own | FOR_NOW.get(str(found.get("type")), {}) | {"name": f"{name}{ASIDE}", "record": None}


async def _aliases(store: Store) -> list[str]:
    """Return the names of the cars, which must not be in a recording."""
    cars, _ = await store.vehicles.vehicles(Page(1, MAX_CARS))
    names = {name for car in cars for alias in car.aliases for name in (alias, alias.rpartition(":")[2])}
    return sorted(name for name in names if len(name) >= MIN_NAME)


async def _listen(source: Source, recorder: Recorder, end: _End) -> None:
    """Run the source until the end of the recording. Raises SourceError."""

    async def emit(messages: Sequence[RawMessage | Delivery]) -> None:
        room = None if end.count is None else end.count - recorder.written
        recorder.write([message for message in messages if isinstance(message, Delivery)][:room])
        if recorder.full or (end.count is not None and recorder.written >= end.count):
            end.reached.set()

    running = asyncio.ensure_future(source.run(emit))
    waiting = asyncio.ensure_future(end.reached.wait())
    try:
        await asyncio.wait({running, waiting}, timeout=end.seconds, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
    finally:
        await tasks.end(running, waiting)
