"""Readings that can be read without waiting: the interface of the fastest reads to a store, as rows."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from chargeport.signals.definition import Signal
from chargeport.signals.effective import FlagReporter
from chargeport.signals.freshness import Freshness
from chargeport.signals.state import State
from chargeport.store.records import Named, Vehicle
from chargeport.store.sql import Row

Sole = tuple[Vehicle, int, Any, int | None, int, int | None, int | None, FlagReporter]
"""A vehicle, a series' number, value, `observed_at`, `received_at`, `absence_at` and rule's key, and flag reporter."""


@runtime_checkable
class Immediate(Protocol):
    """Readings that can be read without waiting, as rows: those of a database in this process."""

    @property
    def freshness(self) -> Freshness:
        """For how long live values are valid; used by `named`."""
        ...

    def sole(self, vehicle_id: str, signal: Signal) -> Sole | None:
        """Return the only series of a signal; None where there is none, or more than one, a fact of the vehicle included."""
        ...

    def rows_of(self, vehicle_id: str) -> tuple[Vehicle, Sequence[Row], FlagReporter] | None:
        """Return a vehicle, its rows with the columns of `rows.STATE`, and the reporter of the flags."""
        ...

    def series(self, found: Sequence[Row]) -> dict[int, tuple[State, ...]]:
        """Return the states of rows, by signal."""
        ...

    def named(self, number: int) -> Named:
        """Return signal and source of the series with this number."""
        ...

    def rule(self, key: int) -> str:
        """Return the text of a rule."""
        ...
