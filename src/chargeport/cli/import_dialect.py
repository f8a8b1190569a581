"""`chargeport import --dialect`: rows of anybody's file, read as a source would be heard that says the same.

A row is a delivery: an object of its columns, which the dialect takes apart as it would any other.
"""

import tomllib
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Final
from zoneinfo import ZoneInfo

import msgspec

from chargeport.api.ingest import STORED, refusal
from chargeport.cli import import_rows
from chargeport.cli.import_rows import Fields, RawRow
from chargeport.cli.intake import BATCH, Plan, Taking, Told
from chargeport.cli.local_times import At, instants, written
from chargeport.clock import Clock
from chargeport.dialects.forms import at_ms
from chargeport.dialects.table import Dialect
from chargeport.dialects.tesla_rest import TESLA_REST
from chargeport.dialects.user import DialectError, from_file
from chargeport.errors import ChargeportError
from chargeport.ingest.dialects import dialects
from chargeport.ingest.engine import normalise, read
from chargeport.ingest.items import Rejection
from chargeport.ingest.memory import Memory
from chargeport.ingest.vehicle_names import Identities, new_vehicle
from chargeport.settings import Settings
from chargeport.signals.reading import Entry, Issue
from chargeport.signals.violation import Rule, Violation
from chargeport.sources.base import Delivery, RawMessage
from chargeport.store.protocols import Store
from chargeport.store.records import Outcome

TESLAFI_TIME: Final = "Date"  # TeslaFi's column, local time without its zone
MOST_UNKNOWN: Final = 1000  # names of fields that are told; each once, for every row has them


class Form(msgspec.Struct, frozen=True):
    """How a file is to be read.

    `time` is the column that says when; if `time_is_own`, the dialect reads it itself. `zone` is of times without one,
    `time_form` how they are written, in the signs of `strptime`.
    """

    dialect: Dialect
    time: str | None = None
    time_is_own: bool = True
    zone: ZoneInfo | None = None
    time_form: str | None = None


def form(settings: Settings, named: str, time: str | None, zone: ZoneInfo | None, time_form: str | None) -> Form:
    """The form of a file in the dialect of this name, or in that of a TOML file. Raises ChargeportError, SettingError."""
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
    own = _own_time(dialect, table)
    return Form(dialect, time or own, time is None or time == own, zone, time_form)


def _table(settings: Settings, name: str) -> Mapping[str, Any]:
    """What the settings say of a dialect of their own; nothing of a built-in one."""
    for each in settings.dialects:
        table = tomllib.loads((Path(settings.folder) / each).read_text("utf-8")) if isinstance(each, str) else each
        if table.get("name") == name:
            return table
    return {}


def _own_time(dialect: Dialect, table: Mapping[str, Any]) -> str | None:
    """The column that the dialect takes the time from."""
    named = table.get("time")
    if isinstance(named, str):
        return named.removeprefix("/")
    return TESLAFI_TIME if dialect.read is TESLA_REST.read else None


class DialectImporter(Taking):
    """Takes in the rows of a file that a dialect understands."""

    def __init__(self, store: Store, clock: Clock, plan: Plan, tell: Callable[[Told], object], form: Form) -> None:
        super().__init__(store, clock, plan, tell)
        self._form = form
        self._source = plan.source or plan.otherwise
        self._identities = Identities(store.vehicles, clock, auto_register=plan.create_vehicles and not plan.dry_run)
        self._memory = Memory()
        self._waiting: list[tuple[RawRow, Entry]] = []

    async def take_all(self, stream: BinaryIO, after_each: Callable[[], None]) -> None:
        """Every row of a file; `after_each` batch it is on disk.

        Raises Violation where the file has no rows, ChargeportError where its first row has a time without a zone.
        """
        for row, at in instants(self._timed(import_rows.read(stream)), self._form.zone):
            if isinstance(at, Violation) and row.number == 0 and at.rule is Rule.MISSING:
                raise ChargeportError(f"{self._form.time}: {at.detail}.")
            await self._take(row, at)
            if len(self._waiting) >= BATCH:
                await self._store_waiting()
                after_each()
        await self._store_waiting()
        after_each()

    def _timed(self, rows: Iterator[RawRow]) -> Iterator[tuple[RawRow, datetime | Violation | None]]:
        """The rows, each with the time that it writes."""
        column, time_form = self._form.time, self._form.time_form
        for row in rows:
            said = None if column is None or isinstance(row.fields, Violation) else row.fields.get(column)
            yield row, written(said, time_form) if isinstance(said, str) else None

    async def _take(self, row: RawRow, at: At) -> None:
        try:
            messages = self._messages(row.fields, at)
        except Violation as found:
            self._refuse(row, found)
            return
        for message in messages:
            await self._read(row, message)

    def _messages(self, fields: Fields | Violation, at: At) -> list[RawMessage]:
        """What a row says, each with its time. Raises Violation."""
        if isinstance(fields, Violation):
            raise fields
        if isinstance(at, Violation):
            raise at
        told = {name: value for name, value in fields.items() if name not in self.tally.unknown}
        given = self._own_instant(told, at)
        delivery = Delivery(
            source=self._source, dialect=self._form.dialect.name, payload=msgspec.json.encode(told),
            received_at=self.clock.now(), vehicle=self.plan.vehicle,
        )  # fmt: skip
        found = read(delivery, self._form.dialect)
        if isinstance(found, Issue):
            raise Violation(found.rule, found.detail, "row")
        messages = found if given is None else [msgspec.structs.replace(each, observed_at=given) for each in found]
        if any(each.observed_at is None for each in messages):
            # If that were now, a file that is taken in again would say something new.
            detail = "the row does not say when: name the column that does with --time"
            raise Violation(Rule.MISSING, detail, self._form.time or "time")
        return messages

    def _own_instant(self, told: dict[str, Any], at: int | None) -> int | None:
        """The instant of the column of --time, which is none of the dialect's; where it is, it is told with its zone."""
        column = self._form.time
        if column is None:
            return None
        if self._form.time_is_own:
            if at is not None:
                told[column] = datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds")
            return None
        said = told.pop(column, None)
        try:
            given = at if at is not None else at_ms(said)
        except (ValueError, TypeError) as error:
            raise Violation(Rule.BAD_FORMAT, str(error), column) from None
        if given is None:
            raise Violation(Rule.MISSING, "the row does not say when", column)
        return given

    async def _read(self, row: RawRow, message: RawMessage) -> None:
        """Read a message in the light of what the file said of the car before."""
        vehicle = await self._vehicle(message)
        if vehicle is None:
            self._refuse(row, refusal(Outcome.UNKNOWN_VEHICLE))
            return
        ours = msgspec.structs.replace(message, vehicle=vehicle)
        memory = self._memory.of(self._source, vehicle)
        result = normalise(ours, self._form.dialect, self.plan.max_future_s, memory)
        self._waiting += [(row, entry) for entry in result.entries]
        for issue in result.issues:
            if issue.rule is not Rule.UNKNOWN_MEMBER:
                self._refuse(row, Violation(issue.rule, issue.detail, issue.subject))
            elif len(self.tally.unknown) < MOST_UNKNOWN:
                self.tally.unknown[issue.subject] = None

    async def _vehicle(self, message: RawMessage) -> str | None:
        if self.plan.vehicle is not None:
            return self.plan.vehicle
        found = await self._identities.of(self._source, message.dialect, message.vehicle)
        if found is None and self.plan.dry_run and self.plan.create_vehicles and new_vehicle(message.vehicle, 0):
            return message.vehicle
        return found

    async def _store_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        outcomes = await self.outcomes([entry for _, entry in waiting])
        for (row, entry), outcome in zip(waiting, outcomes, strict=True):
            if outcome in STORED:
                self.count(outcome)
            else:
                self._refuse(row, refusal(outcome), entry.signal.code)

    def _refuse(self, row: RawRow, found: Violation, signal: str | None = None) -> None:
        self.reject(row.line, row.number, Rejection(0, found.rule.value, found.detail, found.path, signal))
