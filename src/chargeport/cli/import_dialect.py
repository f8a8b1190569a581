"""`chargeport import --dialect`: rows of another system's file, read as messages of a source with this dialect.

A row is a delivery: an object of its columns, which the dialect decodes like any other message.
"""

import tomllib
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from chargeport.cli import import_rows
from chargeport.cli.import_rows import Fields, RawRow
from chargeport.cli.importer import BATCH, Importer, Plan, Report
from chargeport.cli.local_times import At, instants, written
from chargeport.clock import Clock
from chargeport.dialects.forms import at_ms
from chargeport.dialects.table import Dialect
from chargeport.dialects.tesla_rest import TESLA_REST
from chargeport.dialects.user import DialectError, from_file
from chargeport.errors import ChargeportError
from chargeport.ingest.batch import Batch, Rejection
from chargeport.ingest.dialects import dialects
from chargeport.ingest.engine import read
from chargeport.ingest.pipeline import Pipeline
from chargeport.ingest.times import observed_at
from chargeport.settings import Settings
from chargeport.signals.reading import Issue
from chargeport.signals.violation import Rule, Violation
from chargeport.sources.base import Delivery, RawMessage

TESLAFI_TIME: Final = "Date"  # TeslaFi's column, local time without its zone
MOST_UNKNOWN: Final = 1000  # names of unknown fields that are listed, each once


class Form(msgspec.Struct, frozen=True):
    """The parameters for reading a file.

    `time` is the column of the time; if `time_is_own`, the dialect reads it itself. `zone` is that of times without one,
    `time_form` their format, as for `strptime`.
    """

    dialect: Dialect
    time: str | None = None
    time_is_own: bool = True
    zone: ZoneInfo | None = None
    time_form: str | None = None


def form(settings: Settings, named: str, time: str | None, zone: ZoneInfo | None, time_form: str | None) -> Form:
    """Return the parameters for a dialect, given by its name or a TOML file. Raises ChargeportError, SettingError."""
    known = dialects(settings.dialects, settings.folder)
    if named in known:
        dialect, table = known[named], _table(settings, named)
    elif named.endswith(".toml") or Path(named).is_file():
        try:
            dialect, table = from_file(Path(named)), tomllib.loads(Path(named).read_text("utf-8"))
        except DialectError as error:
            raise ChargeportError(f"{error}.") from None
    else:
        raise ChargeportError(f"{named[:40]!r} is no dialect: name a TOML file, or one of {', '.join(sorted(known))}.")
    dialect = msgspec.structs.replace(dialect, relevant=None)  # every column of a file that is not read is listed
    own = _own_time(dialect, table)
    return Form(dialect, time or own, time is None or time == own, zone, time_form)


def _table(settings: Settings, name: str) -> Mapping[str, Any]:
    """Return the table of a dialect in the settings; an empty one for a built-in dialect."""
    for dialect in settings.dialects:
        table = tomllib.loads((Path(settings.folder) / dialect).read_text("utf-8")) if isinstance(dialect, str) else dialect
        if table.get("name") == name:
            return table
    return {}


def _own_time(dialect: Dialect, table: Mapping[str, Any]) -> str | None:
    """Return the column from which the dialect reads the time; None if it names none."""
    named = table.get("time")
    if isinstance(named, str):
        return named.removeprefix("/")
    return TESLAFI_TIME if dialect.read is TESLA_REST.read else None


class _Part(NamedTuple):
    """A batch that is written at once, the row of each of its messages, and the rejections so far, by line and row."""

    batch: Batch
    rows: list[RawRow]
    rejections: list[tuple[int, int, Rejection]]


class DialectImporter(Importer):
    """Import the rows of a file in a dialect."""

    def __init__(self, pipeline: Pipeline, clock: Clock, plan: Plan, report: Report, form: Form) -> None:
        super().__init__(pipeline, clock, plan, report)
        self._form = form
        self._source = plan.source or plan.otherwise

    async def import_all(self, stream: BinaryIO, after_each: Callable[[], None]) -> None:
        """Import every row of a file; call `after_each` after each batch.

        Raises Violation if the file has no rows, ChargeportError if its first row has a time without a zone.
        """
        part = _Part(self.batch(), [], [])
        for row, at in instants(self._timed(import_rows.read(stream)), self._form.zone):
            if isinstance(at, Violation) and row.number == 0 and at.rule is Rule.MISSING:
                raise ChargeportError(f"{self._form.time}: {at.detail}.")
            await self._read(row, at, part)
            if len(part.batch.entries) >= BATCH:
                await self._write(part)
                after_each()
                part = _Part(self.batch(), [], [])
        await self._write(part)
        after_each()

    def _timed(self, rows: Iterator[RawRow]) -> Iterator[tuple[RawRow, datetime | Violation | None]]:
        """Yield the rows, each with its time as written."""
        column, time_form = self._form.time, self._form.time_form
        for row in rows:
            text = None if column is None or isinstance(row.fields, Violation) else row.fields.get(column)
            yield row, written(text, time_form) if isinstance(text, str) else None

    async def _read(self, row: RawRow, at: At, part: _Part) -> None:
        try:
            messages = self._messages(row.fields, at)
        except Violation as found:
            rejection = Rejection(0, found.rule.value, found.detail, found.path)
            part.rejections.append((row.line, row.number, rejection))
            return
        part.rows.extend([row] * len(messages))
        await self.pipeline.read(messages, part.batch)
        rejections = part.batch.rejections
        for rejection in rejections:
            if rejection.code != Rule.UNKNOWN_MEMBER:
                row = part.rows[rejection.index]
                part.rejections.append((row.line, row.number, rejection))
            elif len(self.unknown) < MOST_UNKNOWN:
                self.unknown[rejection.path] = None
        rejections.clear()

    async def _write(self, part: _Part) -> None:
        await self.pipeline.write(part.batch)
        self.count(part.batch)
        rows = part.rows
        refused = [(rows[rejection.index].line, rows[rejection.index].number, rejection) for rejection in part.batch.rejections]
        self.reject(sorted(part.rejections + refused, key=lambda rejection: rejection[1]))

    def _messages(self, fields: Fields | Violation, at: At) -> list[RawMessage]:
        """Return the messages of a row, each with its time. Raises Violation."""
        if isinstance(fields, Violation):
            raise fields
        if isinstance(at, Violation):
            raise at
        now = self.clock.now()
        known = {name: value for name, value in fields.items() if name not in self.unknown}
        instant = self._own_instant(known, at)
        delivery = Delivery(
            source=self._source, dialect=self._form.dialect.name, payload=msgspec.json.encode(known),
            received_at=now, vehicle=self.plan.vehicle,
        )  # fmt: skip
        found = read(delivery, self._form.dialect)
        if isinstance(found, Issue):
            raise Violation(found.rule, found.detail, "row")
        messages = found if instant is None else [msgspec.structs.replace(message, observed_at=instant) for message in found]
        if any(message.observed_at is None for message in messages):
            # If it were the present, importing a file again would store new readings.
            detail = "the row has no time: name the column of the time with --time"
            raise Violation(Rule.MISSING, detail, self._form.time or "time")
        times = [observed_at(message.observed_at, now, self.plan.max_future_s) for message in messages]
        return [msgspec.structs.replace(message, observed_at=time) for message, time in zip(messages, times, strict=True)]

    def _own_instant(self, fields: dict[str, Any], at: int | None) -> int | None:
        """Return the instant of the column of --time; write it with its zone if the dialect reads that column."""
        column = self._form.time
        if column is None:
            return None
        if self._form.time_is_own:
            if at is not None:
                fields[column] = datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds")
            return None
        text = fields.pop(column, None)
        try:
            instant = at if at is not None else at_ms(text)
        except (ValueError, TypeError) as error:
            raise Violation(Rule.BAD_FORMAT, str(error), column) from None
        if instant is None:
            raise Violation(Rule.MISSING, "the row has no time", column)
        return instant
