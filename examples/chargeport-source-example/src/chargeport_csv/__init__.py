"""A source type for Chargeport: rows that another program adds to a CSV file, each heard once."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from chargeport.sources.base import Cause, Delivery, Emit, SourceContext, SourceError, SourceType

OFFSET: Final = "offset"  # under which the memory has how many bytes of the file are stored
BATCH_BYTES: Final = 1_000_000


class CsvSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which file is read, and how often it is looked at."""

    file: Annotated[str, Meta(min_length=1, description="The CSV file; its first line names the columns.")]
    every_s: Annotated[float, Meta(gt=0, le=3600, description="How often to look for new rows, in seconds.")] = 1.0


class CsvSource:
    """Reads the rows of a file: those that are there, and those that are added."""

    def __init__(self, settings: CsvSettings, context: SourceContext) -> None:
        self._file = Path(settings.file)
        self._every_s = settings.every_s
        self._context = context

    @property
    def name(self) -> str:
        """The name that `meta.source` shows."""
        return self._context.name

    async def check(self, timeout_s: float) -> None:  # noqa: ARG002  (a file answers at once)
        """Read the first line. Raises SourceError."""
        self._read(0)

    async def run(self, emit: Emit) -> None:
        """Emit rows until cancelled. Raises SourceError."""
        offset = int(await self._context.memory.get(OFFSET) or 0)
        while True:
            columns, lines, offset = self._read(offset)
            self._context.status.connected()
            if lines:
                await emit(list(self._deliveries(columns, lines)))
                offset += sum(map(len, lines))
                await self._context.memory.put(OFFSET, str(offset))  # after it is stored: a crash repeats rows, and loses none
            else:
                await self._context.clock.sleep(self._every_s)

    def _read(self, offset: int) -> tuple[list[str], list[bytes], int]:
        """The columns, the whole lines behind an offset, and that offset; the first row's, where the file has begun anew."""
        try:
            with self._file.open("rb") as file:
                head, size = file.readline(), self._file.stat().st_size
                start = file.seek(offset if len(head) <= offset <= size else len(head))
                lines = file.readlines(BATCH_BYTES)
        except OSError as error:
            raise SourceError(Cause.UNREACHABLE, f"{self._file} can't be read: {error.strerror}.") from error
        if not head.endswith(b"\n"):
            raise SourceError(Cause.UNREACHABLE, f"{self._file} has no line yet that names its columns.")
        whole = [line for line in lines if line.endswith(b"\n")]  # the last one may be being written
        return _cells(head), whole, start

    def _deliveries(self, columns: list[str], lines: list[bytes]) -> Iterator[Delivery]:
        source, dialect, vehicle = self._context.name, self._context.dialect, self._context.vehicle
        for cells in filter(None, map(_cells, lines)):
            payload, now = json.dumps(dict(zip(columns, cells, strict=False))).encode(), self._context.clock.now()
            yield Delivery(source=source, dialect=dialect, payload=payload, received_at=now, vehicle=vehicle)


def _cells(line: bytes) -> list[str]:
    return next(csv.reader([line.decode("utf-8", "replace")]), [])


CSV: Final = SourceType(name="csv", summary="Rows that are added to a CSV file", settings=CsvSettings, build=CsvSource)
