"""Import a file batch by batch through the pipeline, and count the outcomes of its readings."""

from collections import Counter
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any, BinaryIO, Final

import msgspec

from chargeport.clock import Clock
from chargeport.ingest.batch import STORED, Batch, Rejection
from chargeport.ingest.files import read
from chargeport.ingest.items import ItemChecker
from chargeport.ingest.pipeline import Pipeline
from chargeport.signals.violation import Violation

BATCH: Final = 1000  # rows in one transaction: more are not faster, and a running server would wait longer
SHOWN: Final = 10  # rejections that are printed; the file of --report has all
VALID: Final = "valid"  # the outcome of a reading in a dry run that would be stored

Report = Callable[[dict[str, Any]], object]


class Plan(msgspec.Struct, frozen=True):
    """The options: `source` and `vehicle`, if given, apply to every row; a row without a source has `otherwise`."""

    otherwise: str
    source: str | None
    vehicle: str | None
    create_vehicles: bool = False
    dry_run: bool = False
    max_future_s: float = 300


class Importer:
    """Import the rows of files, and count their outcomes. `report` is called with every rejection."""

    def __init__(self, pipeline: Pipeline, clock: Clock, plan: Plan, report: Report) -> None:
        self.plan = plan
        self.pipeline = pipeline
        self.clock = clock
        self.counts: Counter[str] = Counter({VALID: 0} if plan.dry_run else {outcome.value: 0 for outcome in STORED})
        self.unknown: dict[str, None] = {}  # names of unknown fields, in the order of the file
        self.rejected = 0
        self._rejections: list[dict[str, Any]] = []
        self._report = report

    async def import_all(self, stream: BinaryIO, after_each: Callable[[], None]) -> None:
        """Import every row of a file in our format; call `after_each` after each batch. Raises Violation for another format."""
        rows = read(stream)
        while part := list(islice(rows, BATCH)):
            batch = self.batch()
            checker = ItemChecker(batch, self.plan.otherwise, self.clock.now(), self.plan.max_future_s)
            for index, row in enumerate(part):
                if isinstance(row.item, Violation):
                    batch.reject(index, row.item)
                else:
                    checker.check_file_item(index, row.item, self.plan.vehicle, self.plan.source)
            self.count(await self.pipeline.write(batch))
            rejections = sorted(batch.rejections, key=lambda rejection: rejection.index)
            self.reject((part[rejection.index].line, part[rejection.index].number, rejection) for rejection in rejections)
            after_each()

    def document(self) -> dict[str, Any]:
        """Return the outcomes of all rows, as they are printed."""
        unknown = {"unknown": list(self.unknown)} if self.unknown else {}
        return {**self.counts, "rejected": self.rejected, "rejections": self._rejections, **unknown}

    def batch(self) -> Batch:
        """Return an empty batch with the options of the plan."""
        return Batch(may_register=self.plan.create_vehicles, is_trial=self.plan.dry_run, keep_issues=False)

    def count(self, batch: Batch) -> None:
        """Count the entries of a batch that were stored, or would be."""
        if self.plan.dry_run:
            self.counts[VALID] += batch.stored
        else:
            self.counts.update({outcome.value: batch.outcomes[outcome] for outcome in STORED})

    def reject(self, rejections: Iterable[tuple[int, int, Rejection]]) -> None:
        """Count and report rejections, each with the line of its row and the row's number (from 0)."""
        for line, number, rejection in rejections:
            self.rejected += 1
            found: dict[str, Any] = {"line": line, "item": number + 1, **msgspec.to_builtins(rejection)}
            del found["index"]
            if len(self._rejections) < SHOWN:
                self._rejections.append(found)
            self._report(found)
