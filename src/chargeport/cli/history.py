"""`chargeport history`: the changes of a signal, or aggregates over intervals; in a terminal, also a plot of numbers."""

from typing import Annotated, Any, Final

import msgspec
import typer

from chargeport.api.aggregation import MAX_BUCKETS, Bucket, buckets
from chargeport.api.history import RAW, HistorySelection, Page, bucket_json, change_json, document, grid_of
from chargeport.api.instants import duration_ms
from chargeport.cli.database import with_store
from chargeport.cli.finding import described, vehicle_called
from chargeport.cli.options import Database, From, Json, To, VehicleName
from chargeport.cli.output import NOTHING, console, print_json, print_table, say
from chargeport.cli.plot import LABEL, WIDEST, levels, plot
from chargeport.cli.rows import in_words, with_unit
from chargeport.cli.signals import named
from chargeport.cli.times import local, long
from chargeport.clock import SystemClock
from chargeport.errors import Problem
from chargeport.signals.definition import Kind, Permission, Signal
from chargeport.signals.sweep import Step
from chargeport.store.effective_history import EffectiveHistory
from chargeport.store.protocols import Store
from chargeport.store.records import RunStart, Vehicle
from chargeport.store.retention_policy import DAY_MS
from chargeport.wire.provenance import shown
from chargeport.wire.status import ERROR_STATUSES

MAX_LIMIT: Final = 10_000
PORTION: Final = 1000  # changes read at a time


def _step(text: str) -> int | None:
    """Return a resolution in milliseconds; None for raw."""
    try:
        return None if text == RAW else duration_ms("--resolution", text)
    except Problem as problem:
        raise typer.BadParameter(problem.detail) from None


Code = Annotated[str, typer.Argument(metavar="CODE", help="The signal, such as charge-voltage or voltage.", show_default=False)]
Resolution = Annotated[
    int | None,
    typer.Option(
        "--resolution", parser=_step, metavar="DURATION", help="Length of the intervals: PT1M to P31D.", show_default=False
    ),
]
Source = Annotated[
    str | None, typer.Option("--source", metavar="NAME", help="Only the values of this source.", show_default=False)
]
Limit = Annotated[int, typer.Option("--limit", min=1, max=MAX_LIMIT, help="Maximum number, the newest.")]


class Found(msgspec.Struct, frozen=True):
    """The output: changes or buckets, and the data of the plot. `followed_at` is the end of the last change."""

    vehicle: Vehicle
    steps: list[Step]
    buckets: list[Bucket]
    followed_at: int | None
    plotted: list[float | None]
    plotted_from: int
    plotted_to: int


def history(
    *, vehicle: VehicleName, code: Code, start: From = None, end: To = None, resolution: Resolution = None, limit: Limit = 100,
    source: Source = None, database: Database = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Show the history of a signal: its changes, newest last; with --resolution, aggregates over intervals."""
    signal = named(code)
    selection, now = HistorySelection(start, end, resolution, limit, None), SystemClock().now()

    async def look(store: Store) -> Found:
        return await _found(store, vehicle, signal, selection, source=source, now=now)

    found = with_store(database, look)
    if as_json:
        print_json(msgspec.Raw(_document(found, signal, selection).encode()))
        return
    say(f"{described(found.vehicle)}  {found.vehicle.id}  {signal.code}", "bold")
    if any(level is not None for level in found.plotted):
        say(plot(found.plotted, signal, found.plotted_from, found.plotted_to))
    empty = "Nothing was reported in that time."
    if resolution is None:
        least = "source" if any(step.absence is not None for step in found.steps) else "why not"
        columns = ("time", "value", "for", "source", "why not")
        print_table(columns, _changes(signal, found, now), empty, spare=(least,))
    else:
        print_table(
            ("from", "changes", *_COLUMNS[signal.kind], "last", "held for"),
            _stretches(signal, found),
            empty,
            spare=("changes", "last"),
        )


async def _found(
    store: Store, name: str, signal: Signal, selection: HistorySelection, *, source: str | None, now: int
) -> Found:
    vehicle, history = await vehicle_called(store, name), EffectiveHistory(store, now, source)
    steps: list[Step] = []
    filled: list[Bucket] = []
    followed_at, begun_at = None, now
    if selection.step_ms is not None:
        grid = await grid_of(history, vehicle.id, signal, selection, now=now)
        filled = (await buckets(history, vehicle.id, signal, grid, MAX_BUCKETS)).found[-selection.size :]
        begun_at = filled[0].start if filled else now
    elif steps := await _newest(history, vehicle.id, signal, selection, now):
        last = RunStart(steps[-1].at, steps[-1].state.position)
        behind = await history.steps(vehicle.id, signal, None, None, after=last, limit=1)
        followed_at, begun_at = behind[0].at if behind else None, steps[0].at
    plotted: list[float | None] = []
    until = min(now + 1, selection.to_at or now + 1)
    if signal.kind in (Kind.QUANTITY, Kind.COUNT) and console().is_terminal:
        width = min(WIDEST, console().width - LABEL - 3)
        plotted = await levels(history, vehicle.id, signal, begun_at, until, width=width)
    return Found(vehicle, steps, filled, followed_at, plotted, begun_at, until)


async def _newest(
    history: EffectiveHistory, vehicle_id: str, signal: Signal, selection: HistorySelection, now: int
) -> list[Step]:
    """Return the newest selected changes: those of a day, or of increasingly longer times if they are too few."""
    first = await history.steps(vehicle_id, signal, selection.from_at, selection.to_at, limit=1)
    end = now + DAY_MS if selection.to_at is None else selection.to_at  # a car's clock may be ahead of ours
    length_ms = 2 * DAY_MS
    while first:
        start = max(first[0].at, end - length_ms)
        steps = await _all(history, vehicle_id, signal, start, end)
        if len(steps) >= selection.size or start == first[0].at:
            return steps[-selection.size :]
        length_ms *= 4
    return []


async def _all(history: EffectiveHistory, vehicle_id: str, signal: Signal, start: int, end: int) -> list[Step]:
    steps: list[Step] = []
    while True:
        after = RunStart(steps[-1].at, steps[-1].state.position) if steps else None
        part = await history.steps(vehicle_id, signal, start, end, after=after, limit=PORTION)
        steps += part
        if len(part) < PORTION:
            return steps


def _changes(signal: Signal, found: Found, now: int) -> list[tuple[str | None, ...]]:
    ends = [*(step.at for step in found.steps[1:]), found.followed_at][: len(found.steps)]
    return [
        (
            local(step.at),
            _value(signal, step),
            _for(step.at, end, now),
            shown(step.state.source, step.state.rule),
            _why_not(step),
        )
        for step, end in zip(found.steps, ends, strict=True)
    ]


def _value(signal: Signal, step: Step) -> str:
    return NOTHING if step.value is None else in_words(signal, step.value)


def _why_not(step: Step) -> str:
    return " " if step.absence is None else f"{step.absence}: {ERROR_STATUSES[step.absence].detail}"


def _for(start: int, end: int | None, now: int) -> str:
    """Return the duration of a value; without a following change, until now."""
    return f"{long((now - start) / 1000)} so far" if end is None else long((end - start) / 1000)


_COLUMNS: Final[dict[Kind, tuple[str, ...]]] = {
    Kind.QUANTITY: ("min", "mean", "max"),
    Kind.COUNT: ("min", "mean", "max"),
    Kind.FLAG: ("fractions",),
    Kind.TEXT: ("fractions",),
    Kind.DOCUMENT: (),
}


def _stretches(signal: Signal, found: Found) -> list[tuple[Any, ...]]:
    return [
        (
            local(bucket.start),
            bucket.changes,
            *_figures(signal, bucket),
            in_words(signal, bucket.last),
            long(bucket.total_ms / 1000),
        )
        for bucket in found.buckets
    ]


def _figures(signal: Signal, bucket: Bucket) -> list[str]:
    known: Any = bucket.stood_ms
    match signal.kind:
        case Kind.DOCUMENT:
            return []
        case Kind.FLAG | Kind.TEXT:
            parts = [f"{in_words(signal, value)} {stood_ms / bucket.total_ms:.0%}" for value, stood_ms in known.items()]
            return [", ".join(parts)]
        case _:
            least, most = bucket.bounds
            return [with_unit(round(number, 3), signal) for number in (least, bucket.mean, most)]


def _document(found: Found, signal: Signal, selection: HistorySelection) -> str:
    """Return the output as a document of the API, for a reader with all permissions, with links from the server's root."""
    everything = frozenset(Permission)
    shown = [change_json(signal, step, everything) for step in found.steps]
    if selection.step_ms is not None:
        shown = [bucket_json(signal, bucket, selection.step_ms, everything) for bucket in found.buckets]
    path = f"/v3/vehicles/{found.vehicle.id}/signals/{signal.code}/values"
    return document(Page(shown, None), signal, selection, path, ())
