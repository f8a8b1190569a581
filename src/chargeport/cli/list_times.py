"""The times of sessions in lists: dates and times of day in columns of their own, and the hour that autumn repeats."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from chargeport.cli.list_rows import Row
from chargeport.cli.local_times import At, RepeatedTime, instants, written
from chargeport.signals.bodies import is_placeholder
from chargeport.signals.violation import Rule, Violation

SECONDS_LONG: Final = 10  # digits of the seconds since 1970, from 2001 to 2286
NEAR_MS: Final = 90_000
"""A duration may be rounded to a minute, and so may both times."""
_EPOCH: Final = re.compile(r"\d{10}(?:\.\d+)?|\d{13}")
_TIME_OF_DAY: Final = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d)(?:\.\d+)?)?(?:\s*([AaPp])\.?[Mm]\.?)?")
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")
_ANY: Final = re.compile(r"[^:]+")
_EXAMPLE_ANSWER: Final = "write 2026-05-01 09:59:58, or give the format, as --time-format '%d.%m.%Y %H:%M:%S'"


def time(value: Any, form: str | None) -> datetime | Violation | None:
    """Return the date and time of a cell; None for an empty one. `form` is its format, as for `strptime`."""
    if value is None or (isinstance(value, str) and (is_placeholder(value) or value.startswith("0001-01-01"))):
        return None
    if form is None and _EPOCH.fullmatch(text := str(value).strip()):
        is_seconds = len(text.partition(".")[0]) == SECONDS_LONG
        return datetime.fromtimestamp(float(text) / (1 if is_seconds else 1000), UTC)
    found = written(str(value), form)
    if found is not None:
        return found
    return Violation(Rule.BAD_FORMAT, f"{str(value)[:40]!r} is no time: {_EXAMPLE_ANSWER}", "time")


class DatedRows(NamedTuple):
    """The rows of a list with date and time of day in one cell, and the header of the start.

    `has_end_dates` is false where the ends have the date of the start.
    """

    rows: Sequence[Row]
    start: str
    has_end_dates: bool = True


def with_dates(rows: Sequence[Row], chosen: Mapping[str, str], time_of_day: str | None, form: str | None) -> DatedRows:
    """Return the rows of a list that has dates in a column of their own with each start, and each end, in one cell.

    `time_of_day` is the header of times of day beside the column of the start, if there is one.
    """
    start, end, day = chosen["start"], chosen.get("end"), chosen.get("start_date")
    if time_of_day is not None and time_of_day not in (start, end) and _all_match(_DATE if form is None else _ANY, rows, start):
        start, day = time_of_day, start
    if day is None or day == start or not _all_match(_TIME_OF_DAY, rows, start):
        return DatedRows(rows, chosen["start"])
    end_day = chosen.get("end_date", day)
    dated = []
    for row in rows:
        cells = dict(row.cells) | {start: _joined(row.cells, day, start, form)}
        if end is not None and _TIME_OF_DAY.fullmatch(str(row.cells.get(end) or "").strip()):
            cells[end] = _joined(row.cells, end_day, end, form)
        dated.append(Row(row.number, cells))
    return DatedRows(dated, start, has_end_dates="end_date" in chosen)


def _joined(cells: Mapping[str, Any], day: str, hour: str, form: str | None) -> str | None:
    """Return the date and the time of day of a row in one text; the time in 24 hours, unless a format is given."""
    date, text = (str(cells.get(name) or "").strip() for name in (day, hour))
    if not date or not text:
        return None
    return f"{date} {text if form else _in_24_hours(text)}"


def _in_24_hours(text: str) -> str:
    found = _TIME_OF_DAY.fullmatch(text)
    if found is None:
        return text
    hour = int(found[1]) if not found[4] else int(found[1]) % 12 + (12 if found[4].lower() == "p" else 0)
    return f"{hour:02}:{found[2]}:{found[3] or '00'}"


def starts_and_ends(
    dated: DatedRows, end: str | None, form: str | None, zone: ZoneInfo | None
) -> tuple[Mapping[int, At], Mapping[int, At]]:
    """Return the instants of all starts, and of all ends, which are in the column `end`, by the numbers of their rows."""
    starts = [(row, time(row.cells.get(dated.start), form)) for row in dated.rows]
    ends = [(row, time(row.cells.get(end or ""), form)) for row in dated.rows]
    if not dated.has_end_dates:
        ends = [(row, _on_the_next_day(at, ended)) for (_, at), (row, ended) in zip(starts, ends, strict=True)]
    begun, ended = ({row.number: at for row, at in instants(times, zone)} for times in (starts, ends))
    return begun, ended


def _on_the_next_day(
    start: datetime | Violation | None, end: datetime | Violation | None
) -> datetime | Violation | None:  # fmt: skip
    """Return the end of a session that has the date of its start: on the next day if it is earlier than the start."""
    if isinstance(start, datetime) and isinstance(end, datetime) and start.tzinfo is end.tzinfo is None and end < start:
        return end + timedelta(days=1)
    return end


def _all_match(form: re.Pattern[str], rows: Sequence[Row], header: str) -> bool:
    """Return whether all cells of a column that have a value are of this form, and any has."""
    texts = [str(row.cells.get(header) or "").strip() for row in rows]
    return any(texts) and all(form.fullmatch(text) is not None for text in texts if text)


def told_apart(start: At, end: At, lasted_s: float | None) -> tuple[At, At]:
    """Return start and end of a session; where one of them may be either of two instants, those that fit how long it lasted.

    The duration may be that of charging, which is less: then only one of the pairs has room for it.
    """
    if lasted_s is None or not any(isinstance(each, RepeatedTime) for each in (start, end)):
        return start, end
    pairs = [(first, last) for first in _possible(start) for last in _possible(end) if first < last]
    lasted_ms = 1000 * lasted_s
    exact = [(first, last) for first, last in pairs if abs(last - first - lasted_ms) <= NEAR_MS]
    roomy = [(first, last) for first, last in pairs if last - first >= lasted_ms - NEAR_MS]
    for found in (exact, roomy):
        if len(found) == 1:
            return found[0]
        if found:
            break
    return start, end


def _possible(at: At) -> tuple[int, ...]:
    if isinstance(at, RepeatedTime):
        return at.instants
    return (at,) if isinstance(at, int) else ()
