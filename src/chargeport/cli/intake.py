"""Taking a file's rows in: batch by batch through the checks and into the store, and counting what became of them."""

from collections import Counter
from collections.abc import Callable
from itertools import islice
from typing import Any, BinaryIO, Final

import msgspec

from chargeport.api.ingest import STORED, refusal
from chargeport.clock import Clock
from chargeport.ingest.export_items import KeptIntake
from chargeport.ingest.items import Rejection
from chargeport.ingest.rows import Row, read
from chargeport.ingest.vehicle_names import new_vehicle, register
from chargeport.signals.reading import Entry
from chargeport.signals.violation import Violation
from chargeport.store.protocols import Store
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
        self.unknown: dict[str, None] = {}  # names of fields that mean nothing, in the order they came
        self.rejected = 0
        self.rejections: list[Told] = []

    def document(self) -> Told:
        """As it is printed."""
        unknown = {"unknown": list(self.unknown)} if self.unknown else {}
        return {**self.counts, "rejected": self.rejected, "rejections": self.rejections, **unknown}


class Taking:
    """Puts entries into the store and counts what became of them; `tell` hears of every rejection."""

    def __init__(self, store: Store, clock: Clock, plan: Plan, tell: Callable[[Told], object]) -> None:
        self.tally = Tally()
        self.plan = plan
        self.clock = clock
        self._store = store
        self._tell = tell
        self._known: dict[str, bool] = {}
        if plan.dry_run:
            self.tally.counts[VALID] = 0
        else:
            self.tally.counts.update({outcome.value: 0 for outcome in STORED})

    def count(self, outcome: Outcome) -> None:
        """One entry was taken."""
        self.tally.counts[VALID if self.plan.dry_run else outcome.value] += 1

    async def outcomes(self, entries: list[Entry]) -> list[Outcome]:
        """What became of entries; in a dry run, which of them are of a vehicle that is known or would be."""
        if self.plan.create_vehicles or self.plan.dry_run:
            for name in dict.fromkeys(entry.vehicle for entry in entries):
                if name not in self._known:
                    self._known[name] = await self._is_known(name)
        if self.plan.dry_run:
            return [Outcome.ACCEPTED if self._known[entry.vehicle] else Outcome.UNKNOWN_VEHICLE for entry in entries]
        return await self._store.readings.write(entries) if entries else []

    def reject(self, line: int, number: int, rejection: Rejection) -> None:
        """Something of the row on this line, the `number`th item (from 0), was not taken."""
        self.tally.rejected += 1
        told: Told = {"line": line, "item": number + 1}
        told |= {name: value for name, value in msgspec.to_builtins(rejection).items() if name != "index"}
        if len(self.tally.rejections) < SHOWN:
            self.tally.rejections.append(told)
        self._tell(told)

    async def _is_known(self, name: str) -> bool:
        """Whether a vehicle goes by this name, once it was made known if it can be."""
        if await self._store.vehicles.find_vehicle(name) is not None:
            return True
        if not self.plan.create_vehicles:
            return False
        if self.plan.dry_run:
            return new_vehicle(name, 0) is not None
        await register(self._store.vehicles, name, self.clock.now())
        return await self._store.vehicles.find_vehicle(name) is not None


class Importer(Taking):
    """Takes in the rows of a file of ours."""

    async def take_all(self, stream: BinaryIO, after_each: Callable[[], None]) -> None:
        """Every row of a file; `after_each` batch it is on disk. Raises Violation where the file is none of ours."""
        rows = read(stream)
        while batch := list(islice(rows, BATCH)):
            await self._take(batch)
            after_each()

    async def _take(self, batch: list[Row]) -> None:
        plan = self.plan
        intake = KeptIntake(
            plan.otherwise, self.clock.now(), plan.max_future_s, vehicle=plan.vehicle, source_of_all=plan.source
        )
        for place, row in enumerate(batch):
            if isinstance(row.item, Violation):
                intake.reject(place, row.item)
            else:
                intake.take(place, row.item)
        outcomes = await self.outcomes(intake.entries)
        for place, entry, outcome in zip(intake.indices, intake.entries, outcomes, strict=True):
            if outcome in STORED:
                self.count(outcome)
            else:
                intake.reject(place, refusal(outcome), entry.signal.code)
        for rejection in sorted(intake.rejections, key=lambda each: each.index):
            row = batch[rejection.index]
            self.reject(row.line, row.number, rejection)
