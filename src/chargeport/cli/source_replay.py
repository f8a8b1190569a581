"""`chargeport source replay`: read recordings, or the messages of issues, again with the present dialects."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import typer

from chargeport.cli import configuration
from chargeport.cli.database import with_store
from chargeport.cli.importing import stored_in_words
from chargeport.cli.options import Database, Json
from chargeport.cli.output import print_json, say
from chargeport.clock import SystemClock
from chargeport.errors import ChargeportError
from chargeport.runtime.replaying import BATCH, Tally, replay_issues
from chargeport.sources.base import Delivery, SourceError
from chargeport.sources.recording import read_recording
from chargeport.store.audit import Act
from chargeport.store.protocols import Store

if TYPE_CHECKING:
    from chargeport.ingest.pipeline import Pipeline

SOURCE: Final = "recording"  # the default name of the source

DialectName = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="The dialect of the recording; else that of --source in the settings.", show_default=False
    ),
]
OfVehicle = Annotated[
    str | None, typer.Option(metavar="VEHICLE", help="The car, where the recording names none.", show_default=False)
]


def replay(
    *,
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="A recording.", show_default=False)] = None,
    of_issues: Annotated[bool, typer.Option("--issues", help="Read the messages of issues, instead of a recording.")] = False,
    dialect: DialectName = None,
    source: Annotated[str | None, typer.Option(metavar="NAME", help="Source of the readings.", show_default=False)] = None,
    vehicle: OfVehicle = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Read a recording, or the messages of issues, again. Repeating this changes nothing.

    Exits with 1 when something was not understood.
    """
    if (file is None) is not of_issues:
        raise ChargeportError("Name a recording, or use --issues.")
    settings = configuration.settings()

    async def run(store: Store) -> Tally:
        from chargeport.runtime.feeds import Feeds

        feeds = Feeds(store, settings, SystemClock(), recording=False)
        if file is None:
            return await replay_issues(store, feeds.pipeline)
        configured = next((built.dialect.name for built in feeds.built if built.source.name == source), None)
        await store.audit.add(Act.IMPORTED, detail="messages of a recording")
        return await _recording(feeds.pipeline, _deliveries(file, dialect or configured, source, vehicle))

    found = with_store(database, run).document()
    if as_json:
        print_json(found)
    else:
        _print(found)
    if found["rejected"]:
        raise typer.Exit(1)


def _deliveries(file: Path, dialect: str | None, source: str | None, vehicle: str | None) -> Iterator[Delivery]:
    """Yield the deliveries of the recording. Raises ChargeportError."""
    if dialect is None:
        raise ChargeportError("The dialect of the recording is missing: use --dialect NAME.")
    try:
        for message in read_recording(file, dialect=dialect, source=source or SOURCE):
            yield msgspec.structs.replace(message, vehicle=message.vehicle or vehicle)
    except SourceError as error:
        raise ChargeportError(str(error)) from error


async def _recording(pipeline: "Pipeline", deliveries: Iterable[Delivery]) -> Tally:
    tally = Tally()
    waiting = iter(deliveries)
    while part := list(islice(waiting, BATCH)):
        if (dialect := part[0].dialect) not in pipeline.dialects:
            raise ChargeportError(f"{dialect!r} is no dialect: use one of {', '.join(sorted(pipeline.dialects))}.")
        batch = await pipeline.take(part)
        tally.messages += len(part)
        tally.rejected += len(batch.issues)
        tally.add(batch)
    return tally


def _print(found: dict[str, Any]) -> None:
    say(f"{found['messages']} messages read: {stored_in_words(found)}, {found['rejected'] or 'none'} not understood.")
    for issue in found["issues"]:
        say(f"  {issue['count']} times {issue['subject']}: {issue['detail']}")
