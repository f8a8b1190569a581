"""One hour of one series: for how long each value was valid in it, and what was known at its end.

Weights are those of the effective state, as if the source were the only one: so an hour has the same content as a bucket
of an hour had while its runs were stored.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from chargeport.signals.definition import Kind, Signal, Value
from chargeport.signals.reading import AbsenceReason
from chargeport.store.retention_policy import HOUR_MS, Hour


class Seen(NamedTuple):
    """A value (as the backend has it), or the reason for none, at one instant; `since_at`: the same from then on."""

    at: int
    value: Any
    absence: str | None
    since_at: int
    rule: Any


class Known(NamedTuple):
    """What is known of a signal at an instant; an absence that was followed by a value is removed."""

    value: Any = None
    value_at: int | None = None
    since_at: int | None = None
    rule: Any = None
    absence: str | None = None
    absence_at: int | None = None

    @property
    def newest_at(self) -> int | None:
        """Return when anything was last received."""
        return self.value_at if self.absence_at is None else self.absence_at

    def after(self, seen: Seen) -> "Known":
        """Return what is known with one more, newer sighting."""
        if seen.absence is not None:
            return self._replace(absence=seen.absence, absence_at=seen.at)
        return Known(seen.value, seen.at, seen.since_at, seen.rule)


class HourRow(NamedTuple):
    """An hour in the form of the backend; `known` is what was known at the end of the hour."""

    hour: int
    changes: int
    held_ms: int
    least: Any
    most: Any
    mean: float | None
    shares: str | None
    known: Known


def hour_of(signal: Signal, known: Known, seen: Sequence[Seen], stood_ms: dict[Any, int], hour: int) -> HourRow:
    """Return the row of an hour: `known` is what was known at its beginning, `seen` what was seen in it, in order.

    `stood_ms` are the milliseconds for which each value was valid in it.
    """
    said = None if known.absence_at is not None else known.value
    changes = 0
    for each in seen:
        changes += each.value is not None and each.value != said
        said, known = each.value, known.after(each)
    return HourRow(hour, changes, sum(stood_ms.values()), *_told(signal, stood_ms), known)


def _told(signal: Signal, stood_ms: dict[Any, int]) -> tuple[Any, Any, float | None, str | None]:
    """Return least, most, mean and shares; None for each where at most one value was valid."""
    if len(stood_ms) < 2 or signal.kind is Kind.DOCUMENT:  # noqa: PLR2004
        return None, None, None, None
    if signal.kind in (Kind.FLAG, Kind.TEXT):
        return None, None, None, _packed(stood_ms)
    least, most = min(stood_ms), max(stood_ms)
    mean = math.fsum(value * weight for value, weight in stood_ms.items()) / sum(stood_ms.values())
    return least, most, min(max(mean, least), most), None


def with_late(signal: Signal, row: HourRow, seen: Sequence[Seen]) -> HourRow:
    """Return the row with sightings that arrived after the hour was folded: they widen its bounds and may be its last.

    For how long they were valid is no longer known, so they have no weight. Adding them again changes nothing.
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


def hour(signal: Signal, row: HourRow, source: str, value_of: Callable[[Any], Value | None], rule: str | None) -> Hour:
    """Return the row for readers; `value_of` converts a value of the backend."""
    known, is_number = row.known, signal.kind in (Kind.QUANTITY, Kind.COUNT)
    bounds = (known.value, known.value) if row.least is None else (row.least, row.most)
    least, most = bounds if is_number and row.held_ms else (None, None)
    mean = float(known.value) if row.mean is None and least is not None else row.mean
    shares = _shares(row) if signal.kind in (Kind.FLAG, Kind.TEXT) else {}
    return Hour(
        start=row.hour * HOUR_MS, changes=row.changes, held_ms=row.held_ms, least=least, most=most, mean=mean,
        shares={value_of(value): stood_ms for value, stood_ms in shares.items()},  # type: ignore[misc]
        value=value_of(known.value), value_at=known.value_at, since_at=known.since_at, source=source, rule=rule,
        absence=None if known.absence is None else AbsenceReason(known.absence), absence_at=known.absence_at,
    )  # fmt: skip
