"""The history of one signal: its changes page by page, or what it was like in stretches of time of one length."""

from typing import Any, Final
from urllib.parse import quote

import msgspec

from chargeport.api import cursors, instants, paging, values
from chargeport.api.aggregation import MAX_BUCKETS, Grid, buckets, is_hourly
from chargeport.errors import MALFORMED, Problem
from chargeport.signals.definition import Kind, Permission, Signal
from chargeport.store.effective_history import EffectiveHistory
from chargeport.store.records import RunStart
from chargeport.wire.envelope import iso

FROM: Final = "from"
TO: Final = "to"
RESOLUTION: Final = "resolution"
RAW: Final = "raw"
HOURLY: Final = "hourly"
_BY_THE_HOUR: Final = (RESOLUTION, "PT1H")
_NOT_OF_HOURS: Final = frozenset({RESOLUTION, cursors.NAME})
DEFAULT_SIZE: Final = 100
MAX_SIZE: Final = 1000


class Asked(msgspec.Struct, frozen=True):
    """What of a signal's history is asked for; `step_ms` is None for its changes."""

    from_at: int | None
    to_at: int | None
    step_ms: int | None
    size: int
    cursor: str | None

    @classmethod
    def of(cls, query: paging.Query) -> "Asked":
        """Return what the query asks for. Raises Problem (400)."""
        given = dict(query)
        paging.only_filters(query)
        if paging.NUMBER in given:
            raise Problem(MALFORMED, f"{paging.NUMBER}: history has no numbered pages: follow links.next.")
        from_at, to_at = (instants.instant(name, given[name]) if name in given else None for name in (FROM, TO))
        if from_at is not None and to_at is not None and from_at >= to_at:
            raise Problem(MALFORMED, f"{FROM} must lie before {TO}: {FROM} is inclusive, {TO} is exclusive.")
        resolution = given.get(RESOLUTION, RAW)
        step_ms = None if resolution == RAW else instants.duration_ms(RESOLUTION, resolution)
        size = paging.asked(query, default_size=DEFAULT_SIZE, max_size=MAX_SIZE).size
        return cls(from_at, to_at, step_ms, size, given.get(cursors.NAME))


class Page(msgspec.Struct, frozen=True):
    """A page of elements as JSON text, and the cursor of the next one.

    `raw_from`: what is asked for begins before that, where nothing finer than hours is kept.
    """

    elements: list[str]
    next_cursor: str | None
    raw_from: int | None = None


def document(page: Page, signal: Signal, asked: Asked, path: str, query: paging.Query) -> str:
    """Return the page as it stands on the wire."""
    meta: dict[str, Any] = {"count": len(page.elements), "pageSize": asked.size}
    if asked.step_ms is not None and signal.unit is not None and signal.kind is not Kind.DOCUMENT:
        meta["unit"] = signal.unit
    follow = None if page.next_cursor is None else url(path, query, page.next_cursor)
    links = {"self": url(path, query), "next": follow}
    if page.raw_from is not None:
        meta["rawFrom"] = iso(page.raw_from)
        if asked.step_ms is None or not is_hourly(asked.step_ms):
            of_hours = tuple((name, value) for name, value in query if name not in _NOT_OF_HOURS)
            links[HOURLY] = url(path, (*of_hours, _BY_THE_HOUR))
    return f'{{"data":[{",".join(page.elements)}],"meta":{paging.text(meta)},"links":{paging.text(links)}}}'


def url(path: str, query: paging.Query, cursor: str | None = None) -> str:
    """Return the address of a list with this query; with a cursor, of its next page."""
    kept = [(name, value) for name, value in query if cursor is None or name != cursors.NAME]
    if cursor is not None:
        kept.append((cursors.NAME, cursor))
    return path + "?" * bool(kept) + "&".join(f"{quote(name)}={quote(value)}" for name, value in kept)


async def page_of(
    history: EffectiveHistory, vehicle_id: str, signal: Signal, asked: Asked, *, allowed: frozenset[Permission], now: int
) -> Page:
    """Return the page that is asked for, as a reader with these permissions sees it. Raises Problem (400)."""
    if asked.step_ms is None:
        page = await _changes(history, vehicle_id, signal, asked, allowed)
    else:
        page = await _stretches(history, vehicle_id, signal, asked, allowed, now=now)
    horizon = await history.horizon(vehicle_id, signal)  # last, so that what was folded meanwhile is included
    if horizon is not None and (asked.from_at is None or asked.from_at < horizon.raw_from):
        page = msgspec.structs.replace(page, raw_from=horizon.raw_from)
    return page


async def _stretches(
    history: EffectiveHistory, vehicle_id: str, signal: Signal, asked: Asked, allowed: frozenset[Permission], *, now: int
) -> Page:
    after = None if asked.cursor is None else cursors.bucket(asked.cursor)
    grid = await grid_of(history, vehicle_id, signal, asked, now=now)
    if after is not None:
        grid = msgspec.structs.replace(grid, from_at=max(after, grid.from_at))
    filled = await buckets(history, vehicle_id, signal, grid, asked.size)
    behind = None if filled.next_at is None else cursors.of_bucket(filled.next_at)
    return Page([values.bucket(signal, each, grid.step_ms, allowed) for each in filled.found], behind)


async def _changes(
    history: EffectiveHistory, vehicle_id: str, signal: Signal, asked: Asked, allowed: frozenset[Permission]
) -> Page:
    after = None if asked.cursor is None else cursors.change(asked.cursor)
    steps = await history.steps(vehicle_id, signal, asked.from_at, asked.to_at, after=after, limit=asked.size + 1)
    given = steps[: asked.size]
    behind = None if len(steps) == len(given) else cursors.of_change(RunStart(given[-1].at, given[-1].state.position))
    return Page([values.change(signal, step, allowed) for step in given], behind)


async def grid_of(history: EffectiveHistory, vehicle_id: str, signal: Signal, asked: Asked, *, now: int) -> Grid:
    """Return the stretches that are asked for: by default from the first change there is, until now.

    Nothing is said of what lies ahead of the clock. Raises Problem (400) when they are too many.
    """
    from_at, until = asked.from_at, now + 1
    assert asked.step_ms is not None  # noqa: S101  (who calls knows that stretches are asked for)
    if from_at is None:
        from_at = await _first_at(history, vehicle_id, signal, asked.step_ms, until)
    count = len(Grid(asked.step_ms, from_at, until if asked.to_at is None else asked.to_at))
    if count > MAX_BUCKETS:
        raise Problem(
            MALFORMED,
            f"{RESOLUTION}: {count} stretches between {FROM} and {TO} are more than {MAX_BUCKETS}: "
            f"ask for longer ones, or for less time.",
        )
    return Grid(asked.step_ms, from_at, until if asked.to_at is None else min(asked.to_at, until))


async def _first_at(history: EffectiveHistory, vehicle_id: str, signal: Signal, step_ms: int, until: int) -> int:
    """Return the instant from which stretches of this length are known, in ms; `until` when there are none."""
    horizon = await history.horizon(vehicle_id, signal)
    found = await history.first_at(vehicle_id, signal)
    first_at = until if found is None else found
    if horizon is None or first_at >= horizon.raw_from:
        return first_at
    if not is_hourly(step_ms):
        return horizon.raw_from
    hours = await history.hours(vehicle_id, signal, 0, horizon.raw_from, limit=1)
    return hours[0].start if hours else horizon.raw_from
