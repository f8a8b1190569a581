"""Conversion of a file's local times without a zone to instants, also for the nights when clocks are changed.

In autumn one hour of local time occurs twice. The rows around a row show to which of the two it belongs: local time goes back
between the two, or the rows are close to the row before or the row after. Otherwise it is unknown.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final, NamedTuple, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from chargeport.cli.typed import quoted
from chargeport.signals.instants import ms_of
from chargeport.signals.violation import Rule, Violation

CLOSE_MS: Final = 20 * 60_000  # rows that are closer together than this are consecutive
JITTER_MS: Final = 60_000  # by which rows of one logger may be out of order
MOST: Final = 20_000  # rows of the repeated hour that are held in memory until the next hour begins

_WRITTEN: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?) ?(Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)?", re.ASCII
)

T = TypeVar("T")
At = int | Violation | None


class _Twice(NamedTuple):
    """The two instants that one local time can mean, in ms."""

    first: int
    second: int


class RepeatedTime(Violation):
    """A local time that occurred twice, with its two instants in ms."""

    def __init__(self, detail: str, instants: tuple[int, int]) -> None:
        super().__init__(Rule.NOT_ALLOWED, detail, "time")
        self.instants = instants


def zone(text: str) -> ZoneInfo:
    """Return a time zone by its name. Raises BadParameter."""
    try:
        return ZoneInfo(text.strip())
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise typer.BadParameter(f"{quoted(text)} is no time zone: write a name like Europe/Berlin, or UTC.") from None


def written(text: str, form: str | None = None) -> datetime | Violation | None:
    """Return the date and time of a text, with its zone if it has one; None for a text without a time, such as a number.

    `form` is the format, as for `strptime`; by default ISO 8601 and the similar formats of databases.
    """
    text = text.strip()
    try:
        if form is not None:
            return datetime.strptime(text, form)  # noqa: DTZ007  (the zone is given separately)
        found = _WRITTEN.fullmatch(text)
        if found is None:
            return None
        offset = "Z" if found[3] in ("UTC", "GMT") else found[3] or ""
        return datetime.fromisoformat(f"{found[1]}T{found[2]}{offset}")
    except ValueError:
        example = "2026-05-01 09:59:58" if form is None else form
        return Violation(Rule.BAD_FORMAT, f"{text[:40]!r} is no time that is written like {example}", "time")


def instants(rows: Iterable[tuple[T, datetime | Violation | None]], place: ZoneInfo | None) -> Iterator[tuple[T, At]]:
    """Yield each row with its instant in ms since the epoch, in order; a Violation if it can't be determined.

    Local times are in the zone `place`; None stays None.
    """
    before: int | None = None
    held: list[tuple[T, _Twice]] = []
    for row, when in rows:
        at = _at(when, place) if isinstance(when, datetime) else when
        if isinstance(at, _Twice):
            held.append((row, at))
            if len(held) < MOST:
                continue
        elif isinstance(at, int):
            yield from _told_apart(held, before, at)
            held, before = [], at
            yield row, at
            continue
        else:
            yield row, at
            continue
        yield from _told_apart(held, before, None)
        held = []
    yield from _told_apart(held, before, None)


def _at(when: datetime, place: ZoneInfo | None) -> int | _Twice | Violation:
    if when.tzinfo is not None:
        return _ms(when)
    if place is None:
        return Violation(Rule.MISSING, f"{when} has no zone: say where that was, as --zone Europe/Berlin", "time")
    first, second = (_ms(when.replace(tzinfo=place, fold=fold)) for fold in (0, 1))
    if first > second:
        return Violation(Rule.NOT_ALLOWED, f"{when} was left out when the clocks of {place.key} were put forward", "time")
    return first if first == second else _Twice(first, second)


def _ms(when: datetime) -> int:
    return ms_of(when.astimezone(UTC))


def _told_apart(held: list[tuple[T, _Twice]], before: int | None, after: int | None) -> Iterator[tuple[T, At]]:
    """Yield the rows of a repeated hour; `before` and `after` are the nearest instants that are certain.

    A file whose rows are ordered from the newest to the oldest is read from its end.
    """
    hour = [instant for _, instant in held]
    is_newest_first = bool(hour) and _is_newest_first(hour, before, after)
    turn = _turn(hour[::-1], after, before) if is_newest_first else _turn(hour, before, after) if hour else None
    for place, (row, instant) in enumerate(held):
        index = len(held) - 1 - place if is_newest_first else place
        if turn is None:
            local = datetime.fromtimestamp(instant.first / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
            detail = f"this local time came twice, as {local}Z and an hour later or so: write it with its offset"
            yield row, RepeatedTime(detail, instant)
        else:
            yield row, instant.first if index < turn else instant.second


def _is_newest_first(hour: list[_Twice], before: int | None, after: int | None) -> bool:
    """Return whether the rows before a repeated hour are later than it, or those after it are earlier."""
    return (before is not None and before > hour[0].second) or (before is None and after is not None and after < hour[-1].first)


def _turn(held: list[_Twice], before: int | None, after: int | None) -> int | None:
    """Return how many of them belong to the first of the two hours; None if that is unknown."""
    back = [index for index in range(1, len(held)) if held[index].first < held[index - 1].first - JITTER_MS]
    if back:
        return back[0] if len(back) == 1 else None
    goes_on = before is not None and 0 <= held[0].first - before <= CLOSE_MS
    leads_on = after is not None and 0 <= after - held[-1].second <= CLOSE_MS
    if goes_on is leads_on:
        return None
    return len(held) if goes_on else 0
