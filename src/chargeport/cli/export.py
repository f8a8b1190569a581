"""`chargeport export`: write stored readings to a file, for other programs and for `import`."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO, Final, Literal

import typer

from chargeport.cli import typed
from chargeport.cli.database import with_store
from chargeport.cli.finding import vehicle_called
from chargeport.cli.options import Database, From, Json, Signals, To
from chargeport.cli.output import print_json, progress, say
from chargeport.cli.signals import named
from chargeport.errors import ChargeportError, StartError
from chargeport.store.audit import Act
from chargeport.store.protocols import Store
from chargeport.store.records import Selection

Format = Literal["ndjson", "csv", "parquet"]
STDOUT: Final = "-"
SUFFIXES: Final[dict[str, Format]] = {
    ".ndjson": "ndjson", ".jsonl": "ndjson", ".json": "ndjson", ".csv": "csv", ".parquet": "parquet",
}  # fmt: skip

Vehicles = Annotated[
    list[str] | None,
    typer.Option("--vehicle", metavar="VEHICLE", help="Only this one; may be repeated.", show_default=False),
]
Form = Annotated[
    Format | None, typer.Option("--format", help="Default: from the file's name, else ndjson.", show_default=False)
]
Bare = Annotated[bool, typer.Option("--bare", help="NDJSON that POST /ingest/readings takes: no receivedAt, no source.")]


def export(
    *,
    file: Annotated[str, typer.Argument(metavar="FILE", help="Where to; - for standard output.", show_default=False)],
    vehicles: Vehicles = None,
    signals: Signals = None,
    start: From = None,
    end: To = None,
    form: Form = None,
    sightings: Annotated[bool, typer.Option("--sightings", help="Also every report of an unchanged value.")] = False,
    bare: Bare = False,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Write the stored readings to a file: every change of every signal, by vehicle, signal and time.

    FILE ends in .ndjson, .csv or .parquet, with a further .gz to be compressed. It is replaced once the export is complete.
    """
    form, packed = _form(file, form)
    if bare and form != "ndjson":
        raise typer.BadParameter("--bare is for NDJSON: a table has its columns.")
    chosen = frozenset(named(code) for code in signals or ()) or None

    async def run(store: Store) -> int:
        cars = frozenset([(await vehicle_called(store, name)).id for name in vehicles or ()]) or None
        selection = Selection(vehicle_ids=cars, signals=chosen, start=start, end=end, every=sightings)
        await store.audit.add(Act.EXPORTED, next(iter(cars)) if cars and len(cars) == 1 else "", f"readings as {form}")
        with _output(file, packed=packed) as output:
            return await _export(store, selection, output, form, bare)

    count = with_store(database, run)
    if as_json and file != STDOUT:
        print_json({"file": file, "format": form, "readings": count})
    elif file != STDOUT:
        say(f"{count} readings are in {file}.")


async def _export(store: Store, selection: Selection, output: BinaryIO, form: Format, bare: bool) -> int:
    """Write a selection; return the number of its readings."""
    from chargeport.ingest import export_forms

    count = 0
    with export_forms.opened(form, output, bare=bare) as sink, progress("Exporting") as show:
        async for stretch in store.readings.sightings(selection):
            sink(stretch.sightings)
            count += len(stretch.sightings)
            show(stretch.share)
    return count


def _form(file: str, form: Format | None) -> tuple[Format, bool]:
    """Return the format of the file, and whether it is compressed."""
    packed = file.endswith(".gz")
    name = file.removesuffix(".gz")
    chosen = form or ("ndjson" if file == STDOUT else SUFFIXES.get(Path(name).suffix.lower()))
    if chosen is None:
        raise typer.BadParameter(f"{typed.quoted(file)} does not end in a known format: use --format ndjson, csv or parquet.")
    if packed and chosen == "parquet":
        raise typer.BadParameter("Parquet is compressed already: leave .gz out.")
    return chosen, packed


@contextmanager
def _output(file: str, *, packed: bool) -> Iterator[BinaryIO]:
    """Open the output. A file is replaced when the new one is complete: an interrupted export does not change the old one."""
    if file == STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    from chargeport.store.sqlite.copies import beside

    target = Path(file)
    try:
        with beside(target) as partial:
            with ExitStack() as stack:
                output: BinaryIO = stack.enter_context(partial.open("wb"))
                if packed:
                    import gzip

                    output = stack.enter_context(gzip.GzipFile("", "wb", 6, output, 0))  # type: ignore[assignment]
                yield output
            partial.replace(target)
    except ChargeportError:
        raise
    except OSError as error:
        raise StartError(f"{target} can't be written: {error.strerror or error}.") from error
