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
from chargeport.cli.options import Database, Json
from chargeport.cli.output import print_json, say
from chargeport.clock import SystemClock
from chargeport.errors import ChargeportError
from chargeport.sources.base import Delivery, RawMessage, SourceError
from chargeport.sources.recording import read_recording
from chargeport.store.protocols import Store
from chargeport.store.records import KeptMessage, Outcome

if TYPE_CHECKING:
    from chargeport.ingest.pipeline import Intake, Taken

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
            metavar="NAME", help="What the recording speaks; else what the settings say of --source.", show_default=False
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

    async def run(store: Store) -> dict[str, Any]:
        from chargeport.runtime.feeds import Feeds

        feeds = Feeds(store, settings, SystemClock(), recording=False)
        if file is None:
            return await _issues(store, feeds.intake)
        spoken = next((each.dialect.name for each in feeds.built if each.source.name == source), None)
        return await _recording(feeds.intake, _deliveries(file, dialect or spoken, source, vehicle))

    told = with_store(database, run)
    if as_json:
        print_json(told)
    else:
        _print(told)
    if told["rejected"]:
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

    def add(self, taken: "Taken") -> None:
        """Count these too."""
        self.outcomes.update(taken.outcomes)
        self.rejected += len(taken.issues)
        self.kinds.update((issue.subject, issue.detail) for issue in taken.issues)

    def told(self) -> dict[str, Any]:
        """As a document."""
        from chargeport.ingest.pipeline import STORED

        return {
            "messages": self.messages,
            **{outcome.value: self.outcomes[outcome] for outcome in STORED},
            "rejected": self.rejected,
            "issues": [
                {"subject": subject, "detail": detail, "count": number}
                for (subject, detail), number in self.kinds.most_common(SHOWN)
            ],
        }


async def _recording(intake: "Intake", deliveries: Iterable[Delivery]) -> dict[str, Any]:
    tally = Tally()
    heard = iter(deliveries)
    while batch := list(islice(heard, BATCH)):
        if (spoken := batch[0].dialect) not in intake.dialects:
            raise ChargeportError(f"{spoken!r} is no dialect: use one of {', '.join(sorted(intake.dialects))}.")
        tally.messages += len(batch)
        tally.add(await intake.take(batch))
    return tally.told()


async def _issues(store: Store, intake: "Intake") -> dict[str, Any]:
    """Read the kept messages again; those that are understood now are kept no more."""
    tally = Tally()
    after = 0
    while batch := await store.issues.issue_messages(after, BATCH):
        after = batch[-1].id
        for message in batch:
            taken = await _again(intake, message)
            tally.messages += 1
            tally.add(taken)
            if not taken.issues:
                await store.issues.settle(message)
    return tally.told()


async def _again(intake: "Intake", message: KeptMessage) -> "Taken":
    from chargeport.ingest.pipeline import Taken

    part = _kept(message.issue.raw)
    if part is None or part.dialect not in intake.dialects:
        return Taken(Counter(), [message.issue])
    return await intake.take([part], keep_issues=False)


def _kept(raw: str) -> Delivery | RawMessage | None:
    """A message as `normalise.engine.kept` wrote it; None when nobody could write it down so."""
    with suppress(msgspec.DecodeError):
        return msgspec.json.decode(raw, type=Delivery)
    with suppress(msgspec.DecodeError):
        return msgspec.json.decode(raw, type=RawMessage)
    return None


def _print(told: dict[str, Any]) -> None:
    counts = ", ".join(f"{number} {what.replace('_', ' ')}" for what, number in told.items() if isinstance(number, int))
    say(f"{counts}.")
    for each in told["issues"]:
        say(f"  {each['count']} times {each['subject']}: {each['detail']}")
