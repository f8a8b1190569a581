"""Entries that arrive after newer ones: their effect on the runs of their series, and on the latest values.

History is a function of the set of entries, never of their order: a late value inside a run of another splits it exactly at the
sightings before and after it.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from chargeport.signals.reading import Entry, Reading
from chargeport.store.history.latest import Latest, RunLog, append
from chargeport.store.history.runs import ALWAYS, MAX_OFFSET_MS, Rows, Run, head, held
from chargeport.store.records import Outcome


class Editor(RunLog, Protocol):
    """Changes the runs of one series, and reads them."""

    def next_position(self) -> int:
        """Return a new position in the feed."""
        ...

    def flush(self, latest: Latest) -> Rows:
        """Write to history everything noted, and what `finish` and `extend_absence` add; return the rows to read it."""
        ...

    def edit(self, latest: Latest, edits: "Edits") -> None:
        """Change runs at once."""
        ...


def put(latest: Latest, entry: Entry, rule: Any, editor: Editor) -> Outcome:
    """Insert an entry by its time of observation, and return the outcome. `rule` is the backend's form of the entry's rule."""
    value: Any
    if type(entry) is Reading:
        value, absence = entry.value, None
    else:
        value, absence = None, entry.reason.value  # type: ignore[union-attr]
    if entry.observed_at > latest.newest_at:
        return append(latest, entry, value, absence, rule, log=editor)
    if entry.observed_at == latest.newest_at and latest.says(value, absence):  # sent again, such as after a lost response
        return Outcome.UNCHANGED
    rows = editor.flush(latest)
    edits = late(rows.around(entry.observed_at), entry, value, absence, rule, next_position=editor.next_position)
    if edits is None:
        return Outcome.UNCHANGED
    editor.edit(latest, edits)
    return Outcome.ACCEPTED if renew(latest, rows, entry, rule) else Outcome.SUPERSEDED


class Edits(NamedTuple):
    """Runs that change, before and after (they begin at the same instant), and new runs."""

    changed: list[tuple[Run, Run]]
    added: list[Run]


def late(
    around: Sequence[Run], entry: Entry, value: Any, absence: str | None, rule: Any, *, next_position: Callable[[], int]
) -> Edits | None:
    """Return the changes by a late entry; None without one. `around` are the runs of `Rows.around` its instant."""
    at = entry.observed_at
    if any(run.says(value, absence) and run.was_seen(at) for run in around):
        return None
    run = held(around)
    carries_on = run is not None and run.says(value, absence)
    if run is not None and carries_on and (absence is not None or at - run.observed_at <= MAX_OFFSET_MS):
        return Edits([(run, run.seen_at(sorted({*run.sightings(), at})))], [])
    edits = Edits([], [])
    if run is not None and at <= run.ends_at:
        edits = _split(run, at, next_position, yields=run.is_less_than(value, absence))
    new = Run(at, next_position(), entry.received_at, value, absence, None, None, 1 if carries_on else None, rule)
    edits.added.append(new)
    return edits


def _split(run: Run, at: int, next_position: Callable[[], int], *, yields: bool) -> Edits:
    """Divide the run at an instant within it: it ends before, and begins again after.

    At the instant of a sighting the greater of the two is valid. If the run `yields`, its sighting stays as a run of its own;
    if not, the second part begins there, and a run that starts at that instant is left whole.
    """
    sightings = run.sightings()
    if run.observed_at == at and not yields:
        return Edits([], [])
    first = [seen for seen in sightings if seen < at] or [at]
    second = [seen for seen in sightings if seen > first[-1] and (seen > at or not yields)]
    edits = Edits([(run, run.seen_at(first))], [])
    if yields and at in sightings and run.observed_at != at:
        edits.added.append(run.seen_at([at])._replace(position=next_position(), continues=1))
    if second:
        edits.added.append(run.seen_at(second)._replace(position=next_position(), continues=None))
    return edits


def renew(latest: Latest, rows: Rows, entry: Entry, rule: Any) -> bool:
    """Update the latest values from history after a late entry was added; return whether the entry is the latest value now.

    If that is another one than before, its times are those of the entry. Else the receipt of the newest does not change: a
    part of a run that was split only has that of its first sighting.
    """
    before = (latest.position, latest.value, latest.absence, latest.absence_at, latest.observed_at)
    run, gone = rows.value_before(ALWAYS), rows.absence_before(ALWAYS)
    if run is not None:
        if (run.value, run.ends_at) != (latest.value, latest.observed_at):
            latest.received_at, latest.rule = entry.received_at, rule
        latest.value, latest.observed_at = run.value, run.ends_at
        latest.position, latest.run_at = run.position, run.observed_at
        latest.changed_at = head(rows, run)[0].observed_at
    if gone is not None and gone.ends_at >= (latest.absence_at or 0):
        if (gone.absence, gone.ends_at) != (latest.absence, latest.absence_at):
            latest.absence_received_at, latest.rule = entry.received_at, rule
        latest.absence, latest.absence_at = gone.absence, gone.ends_at
    after = (latest.position, latest.value, latest.absence, latest.absence_at, latest.observed_at)
    return latest.newest_at == entry.observed_at and before != after


def newest(rows: Rows) -> Latest | None:
    """Return the latest values of a series, from its history alone; None where that is empty.

    The receipt of later sightings is not stored in history; it was not before their observation.
    """
    run, gone = rows.value_before(ALWAYS), rows.absence_before(ALWAYS)
    last = max((each for each in (run, gone) if each is not None), key=lambda each: each.ends_at, default=None)
    if last is None:
        return None
    latest = Latest()
    latest.rule = last.rule
    if run is not None:
        latest.value, latest.observed_at, latest.changed_at = run.value, run.ends_at, head(rows, run)[0].observed_at
        latest.received_at, latest.position, latest.run_at = _received_at(run), run.position, run.observed_at
    if gone is not None:
        latest.absence, latest.absence_at = gone.absence, gone.ends_at
        latest.absence_received_at = _received_at(gone)
    return latest


def _received_at(run: Run) -> int:
    return run.received_at if run.last_seen_at is None else max(run.received_at, run.last_seen_at)


def without(rows: Rows, seen_within: Sequence[Run], start: int, end: int) -> list[tuple[Run, Run | None]]:
    """Return the changes if the sightings in [start, end) are erased: each run before and after (None: removed).

    `seen_within` are the runs with sightings there, in order. A run may begin later than before, but keeps its position.
    """
    if not seen_within:
        return []
    before, behind = next(rows.back(seen_within[0].observed_at), None), next(rows.onward(end, seen=True), None)
    runs = [*seen_within, *([] if behind is None or behind in seen_within else [behind])]
    changed: list[tuple[Run, Run | None]] = []
    for run in runs:
        left = _cut(run, start, end)
        if left is not None and left.observed_at >= start:
            continues = 1 if before is not None and before.says(left.value, left.absence) else None
            left = left._replace(continues=continues)
        if left != run:
            changed.append((run, left))
        if left is not None:
            before = left
    return changed


def _cut(run: Run, start: int, end: int) -> Run | None:
    """Return a run without its sightings in [start, end); None where none is left. It may begin later than before."""
    left = [at for at in run.sightings() if not start <= at < end]
    if not left:
        return None
    moved = run.seen_at(left)
    return moved if left[0] == run.observed_at else moved._replace(received_at=max(run.received_at, left[0]))
