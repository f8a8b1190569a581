"""One hour of one series as a row: what stood in it for how long, and what was known at its end. Pure, but for three queries.

Weights are those of `signals.spans.stood`, so an hour says what a bucket of an hour said while its runs were kept.
"""

import math
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec

from chargeport.signals.definition import Kind, Signal
from chargeport.signals.reading import AbsenceReason
from chargeport.signals.spans import stood
from chargeport.store.retention_policy import HOUR_MS, Hour
from chargeport.store.sqlite import rows
from chargeport.store.sqlite.engine import Connection, Row, fetch
from chargeport.store.sqlite.slot import SeriesKey

_COLUMNS: Final = "hour, changes, held_ms, least, most, mean, shares, value, value_at, since_at, rule_key, absence, absence_at"
_OF: Final = f"SELECT {_COLUMNS} FROM hourly WHERE vehicle_key = ? AND signal_key = ? AND source_key = ? AND hour"
_BEFORE: Final = f"{_OF} <= ? ORDER BY hour DESC LIMIT 1"
_FROM: Final = f"{_OF} >= ? AND hour < ? ORDER BY hour LIMIT ?"
_REPLACE: Final = (
    f"INSERT OR REPLACE INTO hourly (vehicle_key, signal_key, source_key, {_COLUMNS}) VALUES ({','.join('?' * 16)})"
)


class Seen(NamedTuple):
    """A value (as SQLite has it), or the reason for none, at one instant; `since_at`: it was so from then on."""

    at: int
    value: Any
    absence: str | None
    since_at: int
    rule_key: int | None


class Known(NamedTuple):
    """What is known of a signal at an instant; an absence that a value has overtaken is forgotten."""

    value: Any = None
    value_at: int | None = None
    since_at: int | None = None
    rule_key: int | None = None
    absence: str | None = None
    absence_at: int | None = None

    @property
    def newest_at(self) -> int | None:
        """When anything was heard last."""
        return self.value_at if self.absence_at is None else self.absence_at

    def after(self, seen: Seen) -> "Known":
        """What is known with one more, newer sighting."""
        if seen.absence is not None:
            return self._replace(absence=seen.absence, absence_at=seen.at)
        return Known(seen.value, seen.at, seen.since_at, seen.rule_key)


class HourRow(NamedTuple):
    """A row of `hourly`; `known` is what was known at the end of the hour."""

    hour: int
    changes: int
    held_ms: int
    least: Any
    most: Any
    mean: float | None
    shares: str | None
    known: Known


def hour_of(signal: Signal, known: Known, seen: Sequence[Seen], pauses: Sequence[tuple[int, int]], hour: int) -> HourRow:
    """The row of an hour: `known` is what was known at its beginning, `seen` what was seen in it, in order."""
    start, said = hour * HOUR_MS, None if known.absence_at is not None else known.value
    before = [] if known.newest_at is None else [(known.newest_at, said)]
    stood_ms: dict[Any, int] = {}
    for span in stood(signal, [*before, *((each.at, each.value) for each in seen)], pauses, start + HOUR_MS):
        if span.end > start:
            stood_ms[span.value] = stood_ms.get(span.value, 0) + span.end - max(span.start, start)
    changes = 0
    for each in seen:
        changes += each.value is not None and each.value != said
        said, known = each.value, known.after(each)
    return HourRow(hour, changes, sum(stood_ms.values()), *_told(signal, stood_ms), known)


def _told(signal: Signal, stood_ms: dict[Any, int]) -> tuple[Any, Any, float | None, str | None]:
    """Least, most, mean and shares; nothing where one value at the most stood."""
    if len(stood_ms) < 2 or signal.kind is Kind.DOCUMENT:  # noqa: PLR2004
        return None, None, None, None
    if signal.kind in (Kind.FLAG, Kind.TEXT):
        return None, None, None, _packed(stood_ms)
    least, most = min(stood_ms), max(stood_ms)
    mean = math.fsum(value * weight for value, weight in stood_ms.items()) / sum(stood_ms.values())
    return least, most, min(max(mean, least), most), None


def with_late(signal: Signal, row: HourRow, seen: Sequence[Seen]) -> HourRow:
    """The row with sightings that came after the hour was folded: they widen its bounds and may be its last.

    For how long they stood is not known any more, so they weigh nothing. Put in again they change nothing.
    """
    for each in seen:
        if each.value is not None and signal.kind is not Kind.DOCUMENT:
            row = _widened(signal, row, each.value)
        newest_at = row.known.newest_at
        if newest_at is None or each.at > newest_at:
            known = row.known
            if known.value is not None and known.absence_at is None and known.value == each.value:
                each = each._replace(since_at=known.since_at or each.since_at)  # noqa: PLW2901
            row = row._replace(known=known.after(each))
    return row


def _widened(signal: Signal, row: HourRow, value: Any) -> HourRow:
    if row.held_ms == 0:
        return row
    if signal.kind in (Kind.FLAG, Kind.TEXT):
        shares = _shares(row)
        return row if value in shares else row._replace(shares=_packed(shares | {value: 0}))
    least, most = (row.known.value, row.known.value) if row.least is None else (row.least, row.most)
    mean = float(row.known.value) if row.mean is None else row.mean
    return row._replace(least=min(least, value), most=max(most, value), mean=mean)


def _packed(shares: dict[Any, int]) -> str:
    return msgspec.json.encode(list(shares.items())).decode()


def _shares(row: HourRow) -> dict[Any, int]:
    if row.shares is None:
        return {row.known.value: row.held_ms} if row.held_ms else {}
    return dict(msgspec.json.decode(row.shares))


def _row(columns: Row) -> HourRow:
    return HourRow._make((*columns[:7], Known(*columns[7:])))


def newest(connection: Connection, key: SeriesKey, hour: int) -> HourRow | None:
    """The newest row of this hour or an earlier one."""
    found = fetch(connection, _BEFORE, (*key, hour))
    return _row(found[0]) if found else None


def between(connection: Connection, key: SeriesKey, first: int, end: int, limit: int) -> list[HourRow]:
    """Up to `limit` rows from an hour on and before another, in order."""
    return [_row(row) for row in fetch(connection, _FROM, (*key, first, end, limit))]


def write(connection: Connection, key: SeriesKey, hours: Sequence[HourRow]) -> None:
    """Put rows in the place of those that there may be of the same hours."""
    connection.executemany(_REPLACE, [(*key, *hour[:-1], *hour.known) for hour in hours])


def record(signal: Signal, row: HourRow, source: str, rules: dict[int, str]) -> Hour:
    """The row as the rest sees it."""
    known, is_number = row.known, signal.kind in (Kind.QUANTITY, Kind.COUNT)
    bounds = (known.value, known.value) if row.least is None else (row.least, row.most)
    least, most = bounds if is_number and row.held_ms else (None, None)
    mean = float(known.value) if row.mean is None and least is not None else row.mean
    shares = _shares(row) if signal.kind in (Kind.FLAG, Kind.TEXT) else {}
    return Hour(
        start=row.hour * HOUR_MS, changes=row.changes, held_ms=row.held_ms, least=least, most=most, mean=mean,
        shares={rows.value(signal.key, value): stood_ms for value, stood_ms in shares.items()},  # type: ignore[misc]
        value=rows.value(signal.key, known.value), value_at=known.value_at, since_at=known.since_at,
        source=source, rule=None if known.rule_key is None else rules[known.rule_key],
        absence=None if known.absence is None else AbsenceReason(known.absence), absence_at=known.absence_at,
    )  # fmt: skip
