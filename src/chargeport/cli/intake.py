"""Taking a file's rows in: batch by batch through the checks and into the store, and counting what became of them."""

from collections import Counter
from collections.abc import Callable
from itertools import islice
from typing import Any, BinaryIO, Final

import msgspec

from chargeport.api.ingest import STORED, new_vehicle, refusal, register
from chargeport.clock import Clock
from chargeport.normalise.items import Rejection
from chargeport.normalise.kept import KeptIntake
from chargeport.normalise.rows import Row, read
from chargeport.signals.reading import Entry
from chargeport.signals.violation import Violation
from chargeport.store.base import Store
from chargeport.store.records import Outcome

BATCH: Final = 1000  # rows in one transaction: with more nothing gets quicker, and a server beside waits longer
SHOWN: Final = 10  # rejections that are printed; the file of --report has all
VALID: Final = "valid"  # what a dry run says of a reading that would be taken

Told = dict[str, Any]


class Plan(msgspec.Struct, frozen=True):
    """What is wanted: `source` and `vehicle`, if given, hold for every row; a row that names no source has `otherwise`."""

    otherwise: str
    source: str | None
    vehicle: str | None
    create_vehicles: bool = False
    dry_run: bool = False
    max_future_s: float = 300


class Tally:
    """What became of the readings; `rejections` are the first of those that were not taken."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.rejected = 0
        self.rejections: list[Told] = []

    def document(self) -> Told:
        """As it is printed."""
        return {**self.counts, "rejected": self.rejected, "rejections": self.rejections}


class Importer:
    """Takes rows in; `tell` hears of every rejection."""

    def __init__(self, store: Store, clock: Clock, plan: Plan, tell: Callable[[Told], object]) -> None:
        self.tally = Tally()
        self._store = store
        self._clock = clock
        self._plan = plan
        self._tell = tell
        self._known: dict[str, bool] = {}
        if plan.dry_run:
            self.tally.counts[VALID] = 0
        else:
            self.tally.counts.update({outcome.value: 0 for outcome in STORED})

    async def take_all(self, stream: BinaryIO, after_each: Callable[[], None]) -> None:
        """Every row of a file; `after_each` batch it is on disk."""
        rows = read(stream)
        while batch := list(islice(rows, BATCH)):
            await self._take(batch)
            after_each()

    async def _take(self, batch: list[Row]) -> None:
        plan = self._plan
        intake = KeptIntake(
            plan.otherwise, self._clock.now(), plan.max_future_s, vehicle=plan.vehicle, source_of_all=plan.source
        )
        for place, row in enumerate(batch):
            if isinstance(row.item, Violation):
                intake.reject(place, row.item)
            else:
                intake.take(place, row.item)
        outcomes = await self._outcomes(intake.entries)
        for place, entry, outcome in zip(intake.indices, intake.entries, outcomes, strict=True):
            if outcome not in STORED:
                intake.reject(place, refusal(outcome), entry.signal.code)
            else:
                self.tally.counts[VALID if plan.dry_run else outcome.value] += 1
        for rejection in sorted(intake.rejections, key=lambda each: each.index):
            self._reject(batch[rejection.index], rejection)

    async def _outcomes(self, entries: list[Entry]) -> list[Outcome]:
        """What became of entries; in a dry run, which of them are of a vehicle that is known or would be."""
        if self._plan.create_vehicles or self._plan.dry_run:
            for name in dict.fromkeys(entry.vehicle for entry in entries):
                if name not in self._known:
                    self._known[name] = await self._is_known(name)
        if self._plan.dry_run:
            return [Outcome.ACCEPTED if self._known[entry.vehicle] else Outcome.UNKNOWN_VEHICLE for entry in entries]
        return await self._store.write(entries) if entries else []

    async def _is_known(self, name: str) -> bool:
        """Whether a vehicle goes by this name, once it was made known if it can be."""
        if await self._store.find_vehicle(name) is not None:
            return True
        if not self._plan.create_vehicles:
            return False
        if self._plan.dry_run:
            return new_vehicle(name, 0) is not None
        await register(self._store, name, self._clock.now())
        return await self._store.find_vehicle(name) is not None

    def _reject(self, row: Row, rejection: Rejection) -> None:
        self.tally.rejected += 1
        told: Told = {"line": row.line, "item": row.number + 1}
        told |= {name: value for name, value in msgspec.to_builtins(rejection).items() if name != "index"}
        if len(self.tally.rejections) < SHOWN:
            self.tally.rejections.append(told)
        self._tell(told)
