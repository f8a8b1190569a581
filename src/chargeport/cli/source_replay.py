"""`chargeport source replay`: recordings, and what could not be understood before, through today's tables once more."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
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
from chargeport.signals.reading import Issue
from chargeport.sources.base import Delivery, RawMessage, SourceError
from chargeport.sources.recording import read_recording
from chargeport.store.protocols import Store
from chargeport.store.records import KeptMessage, Outcome

if TYPE_CHECKING:
    from chargeport.ingest.batch import Batch
    from chargeport.ingest.pipeline import Pipeline

BATCH: Final = 500
SHOWN: Final = 10
SOURCE: Final = "recording"  # whose word it is, where nobody says


def replay(
    *,
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="A recording.", show_default=False)] = None,
    of_issues: Annotated[bool, typer.Option("--issues", help="What could not be understood, instead of a recording.")] = False,
    dialect: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="The dialect of the recording; else that of --source in the settings.", show_default=False
        ),
    ] = None,
    source: Annotated[str | None, typer.Option(metavar="NAME", help="Say that it comes from here.", show_default=False)] = None,
    vehicle: Annotated[
        str | None, typer.Option(metavar="VEHICLE", help="The car, where the recording names none.", show_default=False)
    ] = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Read again what was recorded, or what was not understood. A second time changes nothing.

    Exits with 1 when something was not understood.
    """
    if (file is None) is not of_issues:
        raise ChargeportError("Name a recording, or say --issues.")
    settings = configuration.settings()

    async def run(store: Store) -> Tally:
        from chargeport.runtime.feeds import Feeds

        feeds = Feeds(store, settings, SystemClock(), recording=False)
        if file is None:
            return await _issues(store, feeds.pipeline)
        configured = next((each.dialect.name for each in feeds.built if each.source.name == source), None)
        return await _recording(feeds.pipeline, _deliveries(file, dialect or configured, source, vehicle))

    found = with_store(database, run).document()
    if as_json:
        print_json(found)
    else:
        _print(found)
    if found["rejected"]:
        raise typer.Exit(1)


def _deliveries(file: Path, dialect: str | None, source: str | None, vehicle: str | None) -> Iterator[Delivery]:
    """What is in the recording. Raises ChargeportError."""
    if dialect is None:
        raise ChargeportError("What does the recording speak? Name its dialect: --dialect NAME.")
    try:
        for each in read_recording(file, dialect=dialect, source=source or SOURCE):
            yield msgspec.structs.replace(each, vehicle=each.vehicle or vehicle)
    except SourceError as error:
        raise ChargeportError(str(error)) from error


class Tally:
    """What became of all messages that were read."""

    def __init__(self) -> None:
        self.messages = 0
        self.rejected = 0
        self.outcomes: Counter[Outcome] = Counter()
        self.kinds: Counter[tuple[str, str]] = Counter()

    def add(self, batch: "Batch") -> None:
        """Count what became of a batch."""
        self.outcomes.update(batch.outcomes)
        self.kinds.update((issue.subject, issue.detail) for issue in batch.issues)

    def document(self) -> dict[str, Any]:
        """Return the counts as they are printed; nothing has been outranked since every source has its own series."""
        from chargeport.ingest.batch import STORED

        return {
            "messages": self.messages,
            **{outcome.value: self.outcomes[outcome] for outcome in STORED},
            "outranked": 0,
            "rejected": self.rejected,
            "issues": [
                {"subject": subject, "detail": detail, "count": number}
                for (subject, detail), number in self.kinds.most_common(SHOWN)
            ],
        }


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


async def _issues(store: Store, pipeline: "Pipeline") -> Tally:
    """Read the kept messages again. One that is understood is kept no more, one that fails in another way under that issue.

    So `source issues` counts afterwards what is counted here as rejected.
    """
    tally, after = Tally(), 0
    others: list[tuple[str | None, Issue]] = []
    while part := await store.issues.issue_messages(after, BATCH):
        after = part[-1].id
        for message in part:
            batch = await _again(pipeline, message)
            tally.messages += 1
            tally.add(batch)
            kind = message.issue.subject, message.issue.detail
            if kind in {(issue.subject, issue.detail) for issue in batch.issues}:
                tally.rejected += 1
                continue
            await store.issues.settle(message)
            others += [(message.client_id, issue) for issue in batch.issues]
            tally.rejected += len(batch.issues)
    for client_id, issue in others:
        await store.issues.add_issues([issue], client_id)
    return tally


async def _again(pipeline: "Pipeline", message: KeptMessage) -> "Batch":
    """Read a kept message again; what can't be read keeps its issue."""
    from chargeport.ingest.batch import Batch

    batch = Batch(keep_issues=False)
    part = _kept(message.issue.raw)
    if part is None or part.dialect not in pipeline.dialects:
        batch.misread(0, message.issue)
        return batch
    return await pipeline.take([part], batch)


def _kept(raw: str) -> Delivery | RawMessage | None:
    """Return a message as `ingest.issues.kept` wrote it; None when it could not be written so."""
    with suppress(msgspec.DecodeError):
        return msgspec.json.decode(raw, type=Delivery)
    with suppress(msgspec.DecodeError):
        return msgspec.json.decode(raw, type=RawMessage)
    return None


def _print(found: dict[str, Any]) -> None:
    say(f"{found['messages']} messages read: {stored_in_words(found)}, {found['rejected'] or 'none'} not understood.")
    for each in found["issues"]:
        say(f"  {each['count']} times {each['subject']}: {each['detail']}")
