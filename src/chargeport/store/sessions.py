"""The store's interface for charging sessions: as computed, as reported, and as edited by people."""

from collections.abc import Sequence
from typing import Protocol

from chargeport.signals.definition import Signal
from chargeport.store.records import DirtyVehicle, ErasedSpan, ReportedSession, StoredEdit, StoredSession


class Sessions(Protocol):
    """Charging sessions as computed last, and their edits by people."""

    async def replace_sessions(self, vehicle_id: str, from_at: int, to_at: int, sessions: Sequence[StoredSession]) -> None:
        """Replace all sessions that started in [from_at, to_at) by these: all of it, or nothing."""
        ...

    async def sessions(self, vehicle_id: str, from_at: int, to_at: int) -> list[StoredSession]:
        """Return the sessions that started from `from_at` on and before `to_at`, oldest first."""
        ...

    async def cars_with_open_sessions(self) -> list[tuple[str, int]]:
        """Return the ids of cars with a session that may still be open, and when that began."""
        ...

    async def keep_reported(self, vehicle_id: str, sessions: Sequence[ReportedSession]) -> None:
        """Store sessions of sources, each in place of one that was reported before, and not later, under its name."""
        ...

    async def reported_sessions(self, vehicle_id: str, from_at: int) -> list[ReportedSession]:
        """Return the reported sessions that started from `from_at` on, oldest first."""
        ...

    async def changed_since(self, after: int, limit: int, signals: frozenset[Signal]) -> tuple[list[DirtyVehicle], int]:
        """Return the cars with reports among the `limit` changes after a position; and the position up to which that is.

        The instants are those of the changes of these signals.
        """
        ...

    async def received_since(self, since_at: int, after: int, limit: int) -> tuple[list[DirtyVehicle], int | None]:
        """Return the cars with reports received since then, with the oldest and newest time of observation of these.

        Reads `limit` cars after the place `after`, as `cars_observed_since` does.
        """
        ...

    async def edited_since(self, number: int) -> list[tuple[str, int]]:
        """Return the ids of cars with edits after the one of this number, and the number of each car's last."""
        ...

    async def erased_since(self, number: int) -> list[ErasedSpan]:
        """Return what was erased by `Readings.forget` after the erasure with this number, in order."""
        ...

    async def edits(self, vehicle_id: str) -> list[StoredEdit]:
        """Return the edits of a car's sessions, in the order in which they were made."""
        ...

    async def add_edit(self, vehicle_id: str, made_at: int, body: str) -> int:
        """Store an edit; return its number. Raises NotFoundError."""
        ...
