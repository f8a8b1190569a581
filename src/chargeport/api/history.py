"""The history of one signal: its changes in pages, or aggregates over intervals of one length."""

from typing import Any, Final
from urllib.parse import quote

import msgspec

from chargeport.api import cursors, instants, paging
from chargeport.api.aggregation import MAX_BUCKETS, Bucket, Grid, buckets, is_hourly
from chargeport.derivation.provenance import PROVENANCE
from chargeport.errors import MALFORMED, Problem
from chargeport.signals import wire
from chargeport.signals.definition import Kind, Permission, Signal, Value
from chargeport.signals.sweep import Step
from chargeport.store.effective_history import EffectiveHistory
from chargeport.store.records import RunStart
from chargeport.wire.envelope import body, iso, place_free
from chargeport.wire.status import ERROR_STATUSES_JSON

FROM: Final = "from"
TO: Final = "to"
RESOLUTION: Final = "resolution"
RAW: Final = "raw"
HOURLY: Final = "hourly"
_BY_THE_HOUR: Final = (RESOLUTION, "PT1H")
_NOT_OF_HOURS: Final = frozenset({RESOLUTION, cursors.NAME})
DEFAULT_SIZE: Final = 100
MAX_SIZE: Final = 1000


class HistorySelection(msgspec.Struct, frozen=True):
    """The requested part of a signal's history; `step_ms` is None for its changes."""

    from_at: int | None
    to_at: int | None
    step_ms: int | None
    size: int
    cursor: str | None

    @classmethod
    def of(cls, query: paging.Query) -> "HistorySelection":
        """Return the selection of a query. Raises Problem (400)."""
        parameters = dict(query)
        paging.only_filters(query)
        if paging.NUMBER in parameters:
            raise Problem(MALFORMED, f"{paging.NUMBER}: history has no numbered pages: follow links.next.")
        from_at, to_at = (instants.instant(name, parameters[name]) if name in parameters else None for name in (FROM, TO))
        if from_at is not None and to_at is not None and from_at >= to_at:
            raise Problem(MALFORMED, f"{FROM} must be before {TO}: {FROM} is inclusive, {TO} is exclusive.")
        resolution = parameters.get(RESOLUTION, RAW)
        step_ms = None if resolution == RAW else instants.duration_ms(RESOLUTION, resolution)
        size = paging.requested_page(query, default_size=DEFAULT_SIZE, max_size=MAX_SIZE).size
        return cls(from_at, to_at, step_ms, size, parameters.get(cursors.NAME))


class Page(msgspec.Struct, frozen=True):
    """A page of elements as JSON text, and the cursor of the next one.

    `raw_from`: the request begins before this instant, where only hourly aggregates are stored.
    """

    elements: list[str]
    next_cursor: str | None
    raw_from: int | None = None


def document(page: Page, signal: Signal, selection: HistorySelection, path: str, query: paging.Query) -> str:
    """Return the page in the form of the wire."""
    meta: dict[str, Any] = {"count": len(page.elements), "pageSize": selection.size}
    if selection.step_ms is not None and signal.unit is not None and signal.kind is not Kind.DOCUMENT:
        meta["unit"] = signal.unit
    follow = None if page.next_cursor is None else url(path, query, page.next_cursor)
    links = {"self": url(path, query), "next": follow}
    if page.raw_from is not None:
        meta["rawFrom"] = iso(page.raw_from)
        if selection.step_ms is None or not is_hourly(selection.step_ms):
            of_hours = tuple((name, value) for name, value in query if name not in _NOT_OF_HOURS)
            links[HOURLY] = url(path, (*of_hours, _BY_THE_HOUR))
    return f'{{"data":[{",".join(page.elements)}],"meta":{paging.text(meta)},"links":{paging.text(links)}}}'


def url(path: str, query: paging.Query, cursor: str | None = None) -> str:
    """Return the URL of a list with this query; with a cursor, that of its next page."""
    parameters = [(name, value) for name, value in query if cursor is None or name != cursors.NAME]
    if cursor is not None:
        parameters.append((cursors.NAME, cursor))
    return path + "?" * bool(parameters) + "&".join(f"{quote(name)}={quote(value)}" for name, value in parameters)


async def page_of(
    history: EffectiveHistory,
    vehicle_id: str,
    signal: Signal,
    selection: HistorySelection,
    *,
    allowed: frozenset[Permission],
    now: int,
) -> Page:
    """Return the requested page, as a reader with these permissions may see it. Raises Problem (400)."""
    if selection.step_ms is None:
        page = await _changes(history, vehicle_id, signal, selection, allowed)
    else:
        page = await _stretches(history, vehicle_id, signal, selection, allowed, now=now)
    horizon = await history.horizon(vehicle_id, signal)  # last, to include what was folded meanwhile
    if horizon is not None and (selection.from_at is None or selection.from_at < horizon.raw_from):
        page = msgspec.structs.replace(page, raw_from=horizon.raw_from)
    return page


async def _stretches(
    history: EffectiveHistory,
    vehicle_id: str,
    signal: Signal,
    selection: HistorySelection,
    allowed: frozenset[Permission],
    *,
    now: int,
) -> Page:
    after = None if selection.cursor is None else cursors.bucket(selection.cursor)
    grid = await grid_of(history, vehicle_id, signal, selection, now=now)
    if after is not None:
        grid = msgspec.structs.replace(grid, from_at=max(after, grid.from_at))
    filled = await buckets(history, vehicle_id, signal, grid, selection.size)
    behind = None if filled.next_at is None else cursors.of_bucket(filled.next_at)
    return Page([bucket_json(signal, bucket, grid.step_ms, allowed) for bucket in filled.found], behind)


async def _changes(
    history: EffectiveHistory, vehicle_id: str, signal: Signal, selection: HistorySelection, allowed: frozenset[Permission]
) -> Page:
    after = None if selection.cursor is None else cursors.change(selection.cursor)
    steps = await history.steps(vehicle_id, signal, selection.from_at, selection.to_at, after=after, limit=selection.size + 1)
    shown_steps = steps[: selection.size]
    behind = (
        None
        if len(steps) == len(shown_steps)
        else cursors.of_change(RunStart(shown_steps[-1].at, shown_steps[-1].state.position))
    )
    return Page([change_json(signal, step, allowed) for step in shown_steps], behind)


async def grid_of(history: EffectiveHistory, vehicle_id: str, signal: Signal, selection: HistorySelection, *, now: int) -> Grid:
    """Return the requested intervals: by default from the first stored change until now.

    Intervals after the present are left out. Raises Problem (400) if there are too many.
    """
    from_at, until = selection.from_at, now + 1
    assert selection.step_ms is not None  # noqa: S101  (who calls knows that stretches are asked for)
    if from_at is None:
        from_at = await _first_at(history, vehicle_id, signal, selection.step_ms, until)
    count = len(Grid(selection.step_ms, from_at, until if selection.to_at is None else selection.to_at))
    if count > MAX_BUCKETS:
        raise Problem(
            MALFORMED,
            f"{RESOLUTION}: {count} intervals between {FROM} and {TO} are more than {MAX_BUCKETS}: "
            f"ask for longer ones, or for less time.",
        )
    return Grid(selection.step_ms, from_at, until if selection.to_at is None else min(selection.to_at, until))


async def _first_at(history: EffectiveHistory, vehicle_id: str, signal: Signal, step_ms: int, until: int) -> int:
    """Return the instant from which intervals of this length have data, in ms; `until` if there are none."""
    horizon = await history.horizon(vehicle_id, signal)
    found = await history.first_at(vehicle_id, signal)
    first_at = until if found is None else found
    if horizon is None or first_at >= horizon.raw_from:
        return first_at
    if not is_hourly(step_ms):
        return horizon.raw_from
    hours = await history.hours(vehicle_id, signal, 0, horizon.raw_from, limit=1)
    return hours[0].start if hours else horizon.raw_from


def change_json(signal: Signal, step: Step, permissions: frozenset[Permission]) -> str:
    """Return a change: the instant, and the value or absence from then on."""
    state = step.state
    if step.absence is not None:
        content, received_at = f'"status":{ERROR_STATUSES_JSON[step.absence]}', state.absence_received_at or 0
    else:
        assert step.value is not None  # noqa: S101  (a step has the one or the other)
        content, received_at = f'"body":{body(signal, step.value, permissions)}', state.received_at or 0
    times = f'"oemUpdatedAt":"{iso(step.at)}","retrievedAt":"{iso(received_at)}"'
    return f'{{{content},"meta":{{{times},{PROVENANCE.members(state.source, state.rule)}}}}}'


def bucket_json(signal: Signal, filled: Bucket, step_ms: int, permissions: frozenset[Permission]) -> str:
    """Return a bucket: bounds, number of changes that began in it, duration with a valid value, and aggregates."""
    bounds = f'"from":"{iso(filled.start)}","to":"{iso(filled.start + step_ms)}"'
    counted = f'"count":{filled.changes},"heldSeconds":{wire.number(filled.total_ms / 1000)}'
    last = place_free(signal, wire.text(signal, filled.last), permissions)
    members = [bounds, counted, *_aggregates(signal, filled), f'"last":{last}']
    return "{" + ",".join(members) + "}"


def _aggregates(signal: Signal, filled: Bucket) -> list[str]:
    """Return the aggregates: of numbers the extremes and the mean, of flags and texts the share of time of each value."""
    match signal.kind:
        case Kind.DOCUMENT:
            return []
        case Kind.FLAG | Kind.TEXT:
            total_ms = filled.total_ms
            fractions = [
                f"{_name(signal, value)}:{wire.number(stood_ms / total_ms)}" for value, stood_ms in filled.stood_ms.items()
            ]
            return [f'"fractions":{{{",".join(fractions)}}}']
        case _:
            least, most = (wire.text(signal, bound) for bound in filled.bounds)
            return [f'"min":{least},"max":{most},"mean":{wire.number(filled.mean)}']


def _name(signal: Signal, value: Value) -> str:
    """Return a flag or a text as the name of a member."""
    text = wire.text(signal, value)
    return f'"{text}"' if signal.kind is Kind.FLAG else text
