"""Copy an SQLite database to PostgreSQL, table by table in the order of their keys.

Each part is copied and noted in one transaction, so that an interrupted copy continues where it was. At the end counts and
sums of both are compared.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from chargeport.errors import ConflictError, StoreError
from chargeport.signals.catalogue import BY_KEY
from chargeport.signals.definition import Kind
from chargeport.store.postgres.connection import Connection, in_thread
from chargeport.store.postgres.engine import translated
from chargeport.store.postgres.migrations import connected
from chargeport.store.postgres.partitions import Partitions
from chargeport.store.postgres.positions import shift
from chargeport.store.sqlite.engine import Connection as Source
from chargeport.store.sqlite.engine import connect, fetch
from chargeport.store.sqlite.migrations import migrate
from chargeport.store.tables import rows
from chargeport.store.urls import shown

PART: Final = 5_000  # rows in one transaction
NOT_COPIED: Final = frozenset({"sequences", "schema_version", "copying", "failed_attempts", "late_sightings"})
NUMBERS: Final = {
    "vehicle": "SELECT max(key) FROM vehicles", "source": "SELECT max(key) FROM sources", "rule": "SELECT max(key) FROM rules",
    "edit": "SELECT max(number) FROM session_edits", "erasure": "SELECT max(number) FROM erasures",
    "message": "SELECT max(id) FROM issue_messages", "audit": "SELECT max(number) FROM audit",
}  # fmt: skip

# Where the rows of a table are in SQLite, if that has no table of this name.
_SOURCES: Final = {
    "runs": "(SELECT vehicle_key, signal_key, source_key, observed_at, position, received_at - observed_at AS lag, value,"
    " absence, last_seen_at - observed_at AS lasted, continues, rule_key, seen FROM history)"
}
_PROGRESS: Final = (
    "CREATE TABLE IF NOT EXISTS copying (name text PRIMARY KEY, source text NOT NULL, last text, rows bigint NOT NULL)"
)
_COLUMNS: Final = (
    "SELECT a.attname, t.typname FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid"
    " WHERE a.attrelid = $1::text::regclass AND a.attnum > 0 AND a.attgenerated = '' ORDER BY a.attnum"
)
_KEY: Final = (
    "SELECT a.attname FROM pg_index i CROSS JOIN unnest(i.indkey) WITH ORDINALITY AS k (attnum, place)"
    " JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum"
    " WHERE i.indrelid = $1::text::regclass AND i.indisprimary ORDER BY k.place"
)
_TABLES: Final = (
    "SELECT c.relname FROM pg_class c WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition"
    " AND c.relnamespace = current_schema()::regnamespace ORDER BY c.relname"
)
_FLAGS: Final = [str(signal.key) for signal in BY_KEY.values() if signal.kind is Kind.FLAG]


class Table(NamedTuple):
    """A table that both have: its columns with their types in PostgreSQL, and its key."""

    name: str
    columns: dict[str, str]
    key: tuple[str, ...]

    @property
    def source(self) -> str:
        """The table or query that it is read from in SQLite."""
        return _SOURCES.get(self.name, self.name)


async def copy(file: Path, url: str, progress: Callable[[float], None]) -> dict[str, int]:
    """Copy all tables; return the rows of each. Raises ConflictError where the target has other data, StoreError, StartError.

    Nobody may write to either of them meanwhile: the comparison at the end detects that.
    """
    source = connect(file)
    raw = await connected(url)
    try:
        migrate(source, file)
        source.execute("BEGIN")
        await asyncio.to_thread(fetch, source, "SELECT count(*) FROM vehicles")  # one instant from here on
        with translated():
            found = await in_thread(raw, lambda target: _Copy(source, target, str(file.absolute())).run(progress))
            await shift(raw)
    except StoreError as error:
        raise StoreError(f"The copy to {shown(url)} failed, and continues when it is started again: {error}") from error
    finally:
        source.close()
        await raw.close()
    return found


class _Copy:
    """A copy in progress. Runs in a thread."""

    def __init__(self, source: Source, target: Connection, name: str) -> None:
        self._source = source
        self._target = target
        self._name = name

    def run(self, progress: Callable[[float], None]) -> dict[str, int]:
        """Copy and compare."""
        tables = [self._table(row[0]) for row in self._target.fetch(_TABLES) if row[0] not in NOT_COPIED]
        self._begin(tables)
        counts = {each.name: fetch(self._source, f"SELECT count(*) FROM {each.source}")[0][0] for each in tables}
        newest = fetch(self._source, "SELECT max(observed_at) FROM history")[0][0]
        Partitions().ensure(self._target, newest or 0)
        done, total = 0, max(sum(counts.values()), 1)
        for table in tables:
            for copied in self._parts(table):
                progress((done + copied) / total)
            done += counts[table.name]
        self._numbers()
        for table in tables:
            self._compare(table)
        with self._target.transaction():
            self._target.fetch("DROP TABLE copying")
        return counts

    def _table(self, name: str) -> Table:
        columns = {row[0]: row[1] for row in self._target.fetch(_COLUMNS, name)}
        return Table(name, columns, tuple(row[0] for row in self._target.fetch(_KEY, name)))

    def _begin(self, tables: Sequence[Table]) -> None:
        """Begin a copy to an empty database, or continue the one of the same source."""
        under_way = self._target.fetch("SELECT to_regclass('copying')")[0][0] is not None
        if not under_way:
            others = [each.name for each in tables if each.name != "sources"]
            filled = [name for name in others if self._target.fetch(f"SELECT 1 FROM {name} LIMIT 1")]
            if filled:
                raise ConflictError(f"The target has data already, in {', '.join(filled)}: name an empty database.")
            with self._target.transaction():
                self._target.fetch(_PROGRESS)
            return
        others = self._target.fetch("SELECT source FROM copying WHERE source != $1 LIMIT 1", self._name)
        if others:
            raise ConflictError(f"A copy of {others[0][0]} to it is not complete: finish that, or name an empty database.")

    def _parts(self, table: Table) -> Iterator[int]:
        """Copy a table part by part; yield how many rows are copied by then."""
        noted = self._target.fetch("SELECT last, rows FROM copying WHERE name = $1", table.name)
        last, copied = (noted[0][0], noted[0][1]) if noted else (None, 0)
        names, key = ", ".join(f'"{name}"' for name in table.columns), ", ".join(table.key)
        insert = f"INSERT INTO {table.name} ({names}) VALUES ({', '.join('?' for _ in table.columns)}) ON CONFLICT DO NOTHING"
        indices = [list(table.columns).index(name) for name in table.key]
        while True:
            where = "" if last is None else f" WHERE ({key}) > ({', '.join('?' for _ in table.key)})"
            values = () if last is None else tuple(_unpacked(last))
            found = fetch(self._source, f"SELECT {names} FROM {table.source}{where} ORDER BY {key} LIMIT {PART}", values)
            if not found:
                return
            last = _packed([found[-1][index] for index in indices])
            copied += len(found)
            with self._target.transaction():
                self._target.executemany(insert, [self._converted(table, row) for row in found])
                self._target.fetch(
                    "INSERT INTO copying VALUES ($1, $2, $3, $4) ON CONFLICT (name) DO UPDATE SET last = $3, rows = $4",
                    table.name, self._name, last, copied,
                )  # fmt: skip
            yield copied

    def _converted(self, table: Table, row: Sequence[Any]) -> list[Any]:
        """Return a row with the types of PostgreSQL."""
        values = dict(zip(table.columns, row, strict=True))
        for name, kind in table.columns.items():
            if kind == "bool":
                values[name] = bool(values[name])
            elif kind == "json":
                values[name] = rows.value(self._signal_key(values), values[name])
        return list(values.values())

    @staticmethod
    def _signal_key(values: dict[str, Any]) -> int:
        return int(values["signal_key"]) if "signal_key" in values else (values["slot"] >> 20) & 255

    def _numbers(self) -> None:
        """Set the sequences to continue after the copied numbers."""
        for name, newest in NUMBERS.items():
            self._target.execute(f"UPDATE sequences SET value = greatest(value, coalesce(({newest}), 0)) WHERE name = '{name}'")
        vehicle = fetch(self._source, "SELECT value FROM sequences WHERE name = 'vehicle'")[0][0]
        self._target.execute("UPDATE sequences SET value = greatest(value, ?) WHERE name = 'vehicle'", (vehicle,))

    def _compare(self, table: Table) -> None:
        """Compare counts, sums of numbers and lengths of texts. Raises StoreError."""
        theirs = ", ".join(_sum_of(name, kind) for name, kind in table.columns.items())
        ours = ", ".join(_source_sum_of(name, kind) for name, kind in table.columns.items())
        here = fetch(self._source, f"SELECT count(*), {ours} FROM {table.source}")[0]
        there = self._target.fetch(f"SELECT count(*), {theirs} FROM {table.name}")[0]
        for name, before, after in zip(("rows", *table.columns), here, there, strict=True):
            if abs((before or 0) - float(after or 0)) > 1e-9 * abs(before or 0):
                raise StoreError(
                    f"{table.name} differs in {name} ({before} and {after}): one of the two was written to meanwhile. "
                    "Begin again with an empty database."
                )


def _sum_of(name: str, kind: str) -> str:
    """Return the expression for a column that is compared, in PostgreSQL."""
    name = f'"{name}"'
    if kind == "json":
        number = f"CASE json_typeof({name}) WHEN 'number' THEN ({name} #>> '{{}}')::float8 "
        number += f" WHEN 'boolean' THEN ({name}::text = 'true')::int"
        return f"sum({number} WHEN 'string' THEN length({name} #>> '{{}}') END)"
    if kind in ("text", "bytea"):
        return f"sum(length({name}))"
    return f"sum({name}::int)" if kind == "bool" else f"sum({name}::numeric)"


def _source_sum_of(name: str, kind: str) -> str:
    """Return the same in SQLite."""
    name = f'"{name}"'
    if kind == "json":
        return f"total(CASE typeof({name}) WHEN 'text' THEN length({name}) ELSE {name} END)"
    return f"total(length({name}))" if kind in ("text", "bytea") else f"total({name})"


def _packed(key: Sequence[Any]) -> str:
    return msgspec.json.encode([{"b": each.hex()} if isinstance(each, bytes) else each for each in key]).decode()


def _unpacked(key: str) -> list[Any]:
    return [bytes.fromhex(each["b"]) if isinstance(each, dict) else each for each in msgspec.json.decode(key)]
