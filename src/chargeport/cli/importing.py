"""`chargeport import`: readings from a file, with the same checks as readings over HTTP."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Final
from zoneinfo import ZoneInfo

import typer

from chargeport.cli import configuration, typed
from chargeport.cli.database import with_store
from chargeport.cli.finding import vehicle_called
from chargeport.cli.local_times import zone as zone_called
from chargeport.cli.options import Database, Json
from chargeport.cli.output import print_json, progress, say
from chargeport.clock import SystemClock
from chargeport.errors import ChargeportError, StartError
from chargeport.settings import Settings
from chargeport.signals.violation import Violation
from chargeport.store.audit import Act
from chargeport.store.protocols import Store

if TYPE_CHECKING:
    from chargeport.cli.import_dialect import Form
    from chargeport.cli.importer import Importer, Plan

STDIN: Final = "-"
SOURCE: Final = "import"  # of readings without a source

SHOWN_UNKNOWN: Final = 20  # names of columns that are printed

ReadingsFile = Annotated[
    str, typer.Argument(metavar="FILE", help="NDJSON, CSV or JSON; - for standard input.", show_default=False)
]
SourceName = Annotated[
    str | None, typer.Option(parser=typed.label, metavar="NAME", help="Source of all readings.", show_default=False)
]
OfVehicle = Annotated[
    str | None, typer.Option(metavar="VEHICLE", help="Vehicle of all readings, whatever the file contains.", show_default=False)
]
CreateVehicles = Annotated[
    bool, typer.Option("--create-vehicles", help="Add unknown vehicles that are named by a UUID or a VIN.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check everything, store nothing.")]
ReportFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write all rejections to a file, one a line (NDJSON).", show_default=False)
]
DialectName = Annotated[
    str | None,
    typer.Option(
        "--dialect", metavar="NAME", help="Read another system's table: a dialect, or a TOML file.", show_default=False
    ),
]
TimeColumn = Annotated[
    str | None, typer.Option("--time", metavar="COLUMN", help="Column of the time, with --dialect.", show_default=False)
]
Zone = Annotated[
    ZoneInfo | None,
    typer.Option(
        "--zone", parser=zone_called, metavar="ZONE", help="Zone of times without one: Europe/Berlin.", show_default=False
    ),
]
TimeFormat = Annotated[
    str | None,
    typer.Option(
        "--time-format", metavar="FORM", help="Format of times, if not ISO 8601: '%m/%d/%Y %I:%M:%S %p'.", show_default=False
    ),
]

_GZIP: Final = b"\x1f\x8b"
_PARQUET: Final = b"PAR1"


def import_readings(
    *,
    file: ReadingsFile,
    source: SourceName = None,
    vehicle: OfVehicle = None,
    create_vehicles: CreateVehicles = False,
    dry_run: DryRun = False,
    report: ReportFile = None,
    dialect: DialectName = None,
    time: TimeColumn = None,
    zone: Zone = None,
    time_format: TimeFormat = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Import readings from a file. Invalid rows are listed, and the others imported; importing a file again changes nothing.

    Exits with 1 when a row was rejected, or when the dialect has no field of the file.
    """
    from chargeport.cli.importer import Importer, Plan

    settings = configuration.settings()
    form = _form(settings, dialect, time, zone, time_format)

    async def run(store: Store) -> Importer:
        car = None if vehicle is None else (await vehicle_called(store, vehicle)).id
        plan = Plan(
            SOURCE, source, car, create_vehicles=create_vehicles, dry_run=dry_run, max_future_s=settings.ingest.max_future_s
        )
        return await _imported(store, file, plan, form, report)

    done = with_store(database, run)
    if as_json:
        print_json(done.document())
    else:
        _print(done.document(), dry_run)
    if done.rejected or (done.unknown and not sum(done.counts.values())):
        raise typer.Exit(1)


async def _imported(store: Store, file: str, plan: "Plan", form: "Form | None", report: Path | None) -> "Importer":
    """Import the rows of a file; return the importer, which has the counts. Raises StartError, ChargeportError."""
    from chargeport.cli.import_dialect import DialectImporter
    from chargeport.cli.importer import Importer
    from chargeport.ingest.pipeline import Pipeline

    if not plan.dry_run:
        await store.audit.add(Act.IMPORTED, plan.vehicle or "", "readings of a file")
    clock = SystemClock()
    known = {} if form is None else {form.dialect.name: form.dialect}
    pipeline = Pipeline(store, clock, known, max_future_s=plan.max_future_s)
    with _input(file) as (stream, share), _report(report) as write, progress("Importing") as show:
        if form is None:
            importer = Importer(pipeline, clock, plan, write)
        else:
            importer = DialectImporter(pipeline, clock, plan, write, form)
        await importer.import_all(stream, lambda: show(share()))
    return importer


def _form(
    settings: Settings, dialect: str | None, time: str | None, zone: ZoneInfo | None, time_format: str | None
) -> "Form | None":
    """Return the parameters for reading the file; None for our own format. Raises ChargeportError."""
    from chargeport.cli import import_dialect

    options = {"--time": time, "--zone": zone, "--time-format": time_format}
    if dialect is None:
        if named := next((name for name, value in options.items() if value is not None), None):
            raise ChargeportError(f"{named} is for files of other systems: name the system with --dialect.")
        return None
    found = import_dialect.form(settings, dialect, time, zone, time_format)
    if found.time is None and (zone is not None or time_format is not None):
        raise ChargeportError(f"{dialect} does not define the column of the time: name it with --time.")
    return found


def stored_in_words(found: Mapping[str, int]) -> str:
    """Return what was stored, in words.

    >>> stored_in_words({"accepted": 21, "superseded": 1179, "unchanged": 40})
    '1200 readings stored (21 are the newest now, 1179 are older), 40 known before'
    """
    newest, older = found["accepted"], found["superseded"]
    kinds = f" ({newest} are the newest now, {older} are older)" if newest + older else ""
    return f"{newest + older} readings stored{kinds}, {found['unchanged']} known before"


def _print(found: dict[str, Any], dry_run: bool) -> None:
    if dry_run:
        say(f"Nothing was stored: {found['valid']} readings are valid, {found['rejected'] or 'none'} would be refused.")
    else:
        say(f"{stored_in_words(found)}, {found['rejected'] or 'none'} refused.")
    for rejection in found["rejections"]:
        where = f"line {rejection['line']}" + (f", item {rejection['item']}" if rejection["item"] != rejection["line"] else "")
        signal = f" {rejection['signal']}" if rejection.get("signal") else ""
        say(f"  {where}:{signal} {rejection['code']} {rejection['path']}: {rejection['detail']}")
    hidden = found["rejected"] - len(found["rejections"])
    if hidden:
        say(f"  and {hidden} more: --report FILE writes them all.")
    if unknown := found.get("unknown"):
        more = f" and {len(unknown) - SHOWN_UNKNOWN} more" if len(unknown) > SHOWN_UNKNOWN else ""
        say(f"  Not known to the dialect, and not read: {', '.join(unknown[:SHOWN_UNKNOWN])}{more}.")


@contextmanager
def _input(file: str) -> Iterator[tuple[BinaryIO, Any]]:
    """Open the file, decompressed; yield it and a function that returns the share read. Raises StartError, ChargeportError."""
    import gzip
    import io

    with ExitStack() as stack:
        try:
            raw: Any = sys.stdin.buffer if file == STDIN else stack.enter_context(Path(file).open("rb"))
            size = 0 if file == STDIN else Path(file).stat().st_size
            stream: Any = raw if hasattr(raw, "peek") else io.BufferedReader(raw)
            begins = stream.peek(4)[:4]
        except OSError as error:
            raise StartError(f"The file {file} can't be read: {error.strerror or error}.") from error
        if begins.startswith(_PARQUET):
            raise ChargeportError("Parquet is for other programs: export as NDJSON or CSV what is to be imported.")
        unpacked: Any = gzip.GzipFile(fileobj=stream) if begins.startswith(_GZIP) else stream
        try:
            yield unpacked, lambda: raw.tell() / size if size else 0.0
        except Violation as found:
            raise ChargeportError(f"The file {file} is neither JSON nor a table of readings: {found.detail}.") from None


@contextmanager
def _report(report: Path | None) -> Iterator[Any]:
    """Yield the function that writes a rejection as a line of the report, if one is named. Raises StartError."""
    if report is None:
        yield lambda _: None
        return
    import os

    import msgspec

    try:
        opened = os.fdopen(os.open(report, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
    except OSError as error:
        raise StartError(f"The report {report} can't be written: {error.strerror or error}.") from error
    with opened:
        yield lambda rejection: opened.write(msgspec.json.encode(rejection) + b"\n")
