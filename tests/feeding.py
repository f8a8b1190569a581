"""A pipeline on a new store, cars to hear of, and deliveries in every dialect."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from chargeport.clock import ManualClock
from chargeport.dialects.all import ALL
from chargeport.dialects.table import Dialect
from chargeport.errors import StoreError
from chargeport.ingest.pipeline import Pipeline
from chargeport.signals.catalogue import BY_CODE
from chargeport.signals.effective import effective
from chargeport.signals.reading import Entry, Issue
from chargeport.sources.base import Delivery, RawMessage
from chargeport.store.protocols import Store
from chargeport.store.records import Outcome, Vehicle

T0 = 1_777_629_598_000  # 2026-05-01T09:59:58Z
CAR = Vehicle(id="0b0c6b0e-1b5e-4d6e-9b3f-2f8f5f2a7c11", vin="WVWZZZ00000000001", aliases=("ann",))
OTHER = Vehicle(id="0b0c6b0e-1b5e-4d6e-9b3f-2f8f5f2a7c12", aliases=("garage:1",))


def pipeline(store: Store, clock: ManualClock | None = None, dialects: Mapping[str, Dialect] = ALL, **more: Any) -> Pipeline:
    return Pipeline(store, clock or ManualClock(T0), dialects, max_future_s=300, **more)


def raw_message(
    fields: Mapping[str, Any], *, source: str = "car", vehicle: str = CAR.id, at: int = T0, **more: Any
) -> RawMessage:
    """A message in the generic dialect: signals by their codes."""
    named = {code if code in BY_CODE else f"charge-{code}": value for code, value in fields.items()}
    return RawMessage(source=source, dialect="generic", vehicle=vehicle, fields=named, received_at=at, observed_at=at, **more)


def delivery(payload: object, dialect: str = "generic", vehicle: str | None = CAR.id, **more: Any) -> Delivery:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    given = {"source": dialect, "received_at": T0, **more}
    return Delivery(dialect=dialect, payload=body, vehicle=vehicle, **given)


async def value(store: Store, code: str, vehicle: str = CAR.id) -> Any:
    """The value of a signal that counts now, and its source."""
    signal = BY_CODE[code if code in BY_CODE else f"charge-{code}"]
    found = await store.readings.signal(vehicle, signal)
    assert found is not None
    counts = effective(signal, found.series, store.readings.ranks, T0)
    return None if counts is None else (counts.state.value, counts.state.source)


class Unwilling:
    """A store that fails when it is told to, and otherwise does what the one behind it does."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.fails_at: str | None = None
        self.writes: list[int] = []
        self.readings = _UnwillingPart(self, store.readings)
        self.issues = _UnwillingPart(self, store.issues)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class _UnwillingPart:
    """A part of such a store."""

    def __init__(self, whole: Unwilling, part: Any) -> None:
        self._whole = whole
        self._part = part

    def __getattr__(self, name: str) -> Any:
        return getattr(self._part, name)

    async def write(self, entries: Sequence[Entry], only_for: str | None = None) -> list[Outcome]:
        self._whole.writes.append(len(entries))
        self._fail("write")
        return await self._part.write(entries, only_for)

    async def add_issues(self, issues: Sequence[Issue], client_id: str | None = None) -> None:
        self._fail("add_issues")
        await self._part.add_issues(issues, client_id)

    def _fail(self, where: str) -> None:
        if self._whole.fails_at == where:
            raise StoreError("The disk is full.")
